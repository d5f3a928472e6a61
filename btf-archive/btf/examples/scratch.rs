//! scratch
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = std::time::Instant::now();
    let o = sealtrace_btf::ProbeObject::parse(&std::fs::read(&a[1]).unwrap()).unwrap();
    let b = sealtrace_btf::Btf::parse(&std::fs::read(&a[2]).unwrap()).unwrap();
    eprintln!("parsed {:?}", t.elapsed());
    for r in o.resolve(&b).unwrap() { println!("{} {:?}", r.name(), r.outcome); }
    eprintln!("resolved {:?}", t.elapsed());
    println!("{:?}", sealtrace_btf::preflight(&o, &b));
    let m = sealtrace_btf::minimise(&o, &b).unwrap();
    eprintln!("min {} {:?}", m.len(), t.elapsed());
    if let Some(p) = a.get(3) { std::fs::write(p, m).unwrap(); }
}
