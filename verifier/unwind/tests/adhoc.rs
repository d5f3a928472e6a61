#![cfg(test)]
#![allow(warnings)]
mod m {
use std::collections::BTreeMap;
use object::{Object, ObjectSection, ObjectSegment};
use sealtrace_unwind::*;
struct Region { base: u64, size: u64, x: Vec<(u64,u64)>, data: Option<UnwindData>, path: String }
struct W<'a> { core: &'a [u8], loads: Vec<(u64,u64,u64,u64,bool)>, regions: Vec<Region>, placement: &'a Placement, live: &'a Placement, files: BTreeMap<String, Vec<u8>>, segs: Vec<(u64,u64,u64,String)> }
impl W<'_> {
  fn bytes(&self, a: u64, n: u64) -> Option<Vec<u8>> {
    for (v,o,fs,_ms,_) in &self.loads { if a>=*v && a+n<=v+fs { return Some(self.core[(o+a-v) as usize..(o+a-v+n) as usize].to_vec()); } }
    for (s,e,o,p) in &self.segs { if a>=*s && a+n<=*e { if let Some(f)=self.files.get(p) { return f.get((o+a-s) as usize..(o+a-s+n) as usize).map(|b|b.to_vec()); } } }
    None
  }
}
impl Target for W<'_> {
  fn word(&mut self, at: Place) -> Result<Word, ReadFault> { let a=self.live.avma(at).unwrap().0; let b=self.bytes(a,8).ok_or(ReadFault::Unmapped)?; Ok(self.live.word(u64::from_le_bytes(b.try_into().unwrap()))) }
  fn call_site(&mut self, at: Place) -> Result<CallSite, ReadFault> { let a=self.live.avma(at).unwrap().0; let b=self.bytes(a-7,7).ok_or(ReadFault::Unmapped)?;
    if b[2]==0xe8 {return Ok(CallSite::CallRelative)}
    for k in [2,3,6,7] { let i=7-k; if b[i]==0xff && (b[i+1]>>3)&7==2 || (i+2<7 && b[i]&0xf0==0x40 && b[i+1]==0xff && (b[i+2]>>3)&7==2) {return Ok(CallSite::CallIndirect)} } Ok(CallSite::None) }
  fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> { let a=self.live.avma(at).unwrap().0; let b=self.bytes(a,9).ok_or(ReadFault::Unmapped)?; Ok(b==[0x48,0xc7,0xc0,0x0f,0,0,0,0x0f,5]) }
  fn is_executable(&self, at: Place) -> bool { self.regions[at.region.0 as usize].x.iter().any(|(s,e)| at.offset>=*s && at.offset<*e) }
  fn row(&mut self, at: Place) -> Result<SourcedRow, WhyNot> { let r=&self.regions[at.region.0 as usize]; let d=r.data.as_ref().ok_or(WhyNot::NoModule)?; d.row(ModuleRelAddr(at.offset)).map(|row| SourcedRow{row,source:UnwindSource::Capture,mismatch:false}).ok_or(WhyNot::NoFde) }
}
fn sections(file: &object::File<'_>) -> UnwindSections {
  let address = |n| file.section_by_name(n).map(|s| s.address());
  let bytes = |n| file.section_by_name(n).and_then(|s| s.data().ok().map(<[u8]>::to_vec));
  UnwindSections { image_base: file.segments().map(|s| s.address()).min().unwrap_or(0) & !0xfff, eh_frame: address(".eh_frame").zip(bytes(".eh_frame")), debug_frame: bytes(".debug_frame"), text: address(".text"), got: address(".got") }
}
#[test]
fn core() {
  let path = std::env::var("CORE").unwrap();
  let core = std::fs::read(&path).unwrap();
  let u64at=|o:usize| u64::from_le_bytes(core[o..o+8].try_into().unwrap());
  let u32at=|o:usize| u32::from_le_bytes(core[o..o+4].try_into().unwrap());
  let u16at=|o:usize| u16::from_le_bytes(core[o..o+2].try_into().unwrap());
  let (phoff,phnum)=(u64at(32) as usize,u16at(56) as usize);
  let mut loads=vec![]; let mut threads=vec![]; let mut segs=vec![]; let mut vdso=0u64;
  for i in 0..phnum { let p=phoff+i*56; let (t,fl)=(u32at(p),u32at(p+4)); let (off,va,fs,ms)=(u64at(p+8),u64at(p+16),u64at(p+32),u64at(p+40));
    if t==1 { loads.push((va,off,fs,ms,fl&1!=0)); }
    if t==4 { let mut o=off as usize; let end=o+fs as usize; while o<end { let (ns,ds,ty)=(u32at(o) as usize,u32at(o+4) as usize,u32at(o+8)); let d=o+12+(ns+3)/4*4;
      if ty==1 { let tid=u32at(d+32); let r:Vec<u64>=(0..27).map(|k|u64at(d+112+8*k)).collect(); threads.push((tid,r)); }
      if ty==6 { let mut k=d; while k<d+ds { if u64at(k)==33 {vdso=u64at(k+8);} k+=16; } }
      if ty==0x46494c45 { let n=u64at(d) as usize; let ps=u64at(d+8); let mut names=core[d+16+24*n..d+ds].split(|b|*b==0); for k in 0..n { let q=d+16+24*k; segs.push((u64at(q),u64at(q+8),u64at(q+16)*ps,String::from_utf8_lossy(names.next().unwrap()).into_owned())); } }
      o=d+(ds+3)/4*4; } } }
  // regions: per elf file with eh_frame: first seg with offset 0 .. end of last; else every load by itself
  let mut files=BTreeMap::new(); for s in &segs { if !files.contains_key(&s.3) { if let Ok(b)=std::fs::read(&s.3) { files.insert(s.3.clone(), b); } } }
  let mut regions:Vec<Region>=vec![];
  let mut mods:BTreeMap<u64,(u64,String)>=BTreeMap::new();
  let mut cur:Option<(u64,u64,String)>=None;
  for s in &segs { match &mut cur { Some((b,e,p)) if *p==s.3 => *e=s.1, _ => { if let Some((b,e,p))=cur.take(){mods.insert(b,(e,p));} cur=Some((s.0,s.1,s.3.clone())); } } }
  if let Some((b,e,p))=cur.take(){mods.insert(b,(e,p));}
  let xs=|b:u64,e:u64| loads.iter().filter(|l| l.4 && l.0>=b && l.0<e).map(|l|(l.0-b,l.0-b+l.3)).collect::<Vec<_>>();
  for (b,(e,p)) in &mods { let data=files.get(p).and_then(|f| object::File::parse(&**f).ok()).and_then(|f| UnwindData::from_sections(sections(&f)).ok());
    if let Some(d)=&data { assert_eq!(d.damaged_count(),0,"{p}"); }
    let mut e=*e; for l in &loads { if l.0<e && l.0+l.3>e { e=l.0+l.3; } } // bss
    regions.push(Region{base:*b,size:e-b,x:xs(*b,e),data,path:p.clone()}); }
  for l in &loads { if !regions.iter().any(|r| l.0>=r.base && l.0<r.base+r.size) {
    let data = if l.0==vdso { let b=core[l.1 as usize..(l.1+l.2) as usize].to_vec(); let f=object::File::parse(&*b).unwrap(); Some(UnwindData::from_sections(sections(&f)).unwrap()) } else {None};
    regions.push(Region{base:l.0,size:l.3,x:xs(l.0,l.0+l.3),data,path: if l.0==vdso {"[vdso]".into()} else {"anon".into()}}); } }
  let bases:Vec<u64>=regions.iter().map(|r|r.base).collect(); let sizes:Vec<u64>=regions.iter().map(|r|r.size).collect();
  let live=Placement::new(&bases,&sizes).unwrap(); let canon=Placement::canonical(&sizes).unwrap();
  // user_regs: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig rip cs eflags rsp
  let map=[(15,0),(14,1),(13,2),(12,3),(6,4),(3,5),(11,6),(10,7),(9,8),(8,9),(0,10),(2,11),(1,12),(4,13),(5,14),(16,16),(7,19)];
  let mut out=String::new();
  let mut w=W{core:&core,loads,regions,placement:&canon,live:&live,files,segs};
  for (tid,r) in &threads { let regs=Registers(map.iter().map(|(n,i)|(*n as u16,live.word(r[*i]))).collect());
    let mut walk1=walk(&regs,&canon,&mut w,Limits::default());
    let again=walk(&regs,&live,&mut w,Limits::default());
    assert!(walk1==again);
    out+=&format!("TID {tid}: {:?} {:?}\n",walk1.terminated_by,walk1.failed);
    for (i,f) in walk1.frames.iter().enumerate() { let pc=match f.pc {Word::At(p)=>live.avma(p).unwrap().0,_=>0}; out+=&format!("#{i} {pc:#018x} {:?} {:?}\n",f.rule,f.failed); }
  }
  std::fs::write(format!("{path}.ours"),out).unwrap();
  let mut n=0u64; let t=std::time::Instant::now(); while t.elapsed().as_secs()<1 { for (_,r) in &threads { let regs=Registers(map.iter().map(|(n,i)|(*n as u16,live.word(r[*i]))).collect()); n+=walk(&regs,&canon,&mut w,Limits::default()).frames.len() as u64; } }
  println!("frames/s {n}");
}
}
