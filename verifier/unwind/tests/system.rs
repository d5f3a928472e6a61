//! Unwind data of real files, against gimli's own search (`.eh_frame_hdr` or a linear one): an independent path to the row.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test that reads real files")]

mod system {
    use std::collections::BTreeMap;

    use gimli::{BaseAddresses, EhFrame, EhFrameHdr, LittleEndian, UnwindContext, UnwindSection};
    use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol};
    use sealtrace_unwind::{CfaRule, CfiSection, ModuleRelAddr, RegisterRule, UnwindData, UnwindRow, UnwindSections};

    const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

    fn sections(file: &object::File<'_>) -> UnwindSections {
        let address = |name| file.section_by_name(name).map(|section| section.address());
        let bytes = |name| file.section_by_name(name).and_then(|section| section.data().ok().map(<[u8]>::to_vec));
        UnwindSections {
            image_base: file.segments().map(|segment| segment.address()).min().unwrap() & !0xfff,
            eh_frame: address(".eh_frame").zip(bytes(".eh_frame")),
            debug_frame: bytes(".debug_frame"),
            text: address(".text"),
            got: address(".got"),
        }
    }

    /// Addresses spread over the executable sections, by a fixed generator.
    fn addresses(file: &object::File<'_>, count: usize) -> Vec<u64> {
        let code: Vec<(u64, u64)> = file
            .sections()
            .filter(|section| section.kind() == object::SectionKind::Text)
            .map(|section| (section.address(), section.size()))
            .collect();
        let mut seed = 1_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 20) % below
        };
        (0..count)
            .map(|index| {
                // Mostly .text, and every small section (.plt, .init) too.
                let largest = code.iter().copied().max_by_key(|section| section.1).unwrap();
                let (start, size) = if index % 8 == 0 { code[index / 8 % code.len()] } else { largest };
                start + next(size)
            })
            .collect()
    }

    type Expression = gimli::UnwindExpression<usize>;

    fn hex_of(expression: &Expression, bytes: &[u8]) -> String {
        bytes[expression.offset..expression.offset + expression.length].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    fn rule_of(rule: &gimli::RegisterRule<usize>, bytes: &[u8]) -> RegisterRule {
        match rule {
            gimli::RegisterRule::Undefined => RegisterRule::Undefined,
            gimli::RegisterRule::SameValue => RegisterRule::SameValue,
            gimli::RegisterRule::Offset(offset) => RegisterRule::Offset(*offset),
            gimli::RegisterRule::ValOffset(offset) => RegisterRule::ValOffset(*offset),
            gimli::RegisterRule::Register(register) => RegisterRule::Register(register.0),
            gimli::RegisterRule::Expression(expression) => RegisterRule::Expression(hex_of(expression, bytes)),
            gimli::RegisterRule::ValExpression(expression) => RegisterRule::ValExpression(hex_of(expression, bytes)),
            other => panic!("{other:?}"),
        }
    }

    /// Compares `count` rows; returns how many there were.
    fn compare(file: &object::File<'_>, count: usize) -> usize {
        let sections = sections(file);
        let (svma, bytes) = sections.eh_frame.clone().unwrap();
        let data = UnwindData::parse(&sections.encode()).unwrap();
        assert_eq!(data.damaged_count(), 0);
        let hdr = file.section_by_name(".eh_frame_hdr").unwrap();
        let mut bases = BaseAddresses::default().set_eh_frame(svma).set_eh_frame_hdr(hdr.address());
        bases = bases.set_text(sections.text.unwrap_or(0)).set_got(sections.got.unwrap_or(0));
        let parsed_hdr = EhFrameHdr::new(hdr.data().unwrap(), LittleEndian).parse(&bases, 8).unwrap();
        let table = parsed_hdr.table().unwrap();
        let eh_frame = EhFrame::new(&bytes, LittleEndian);
        let mut context = UnwindContext::new();
        let mut rows = 0;
        for address in addresses(file, count) {
            let truth = table.unwind_info_for_address(&eh_frame, &bases, &mut context, address, EhFrame::cie_from_offset).ok();
            let found = data.row(ModuleRelAddr(address - sections.image_base)).filter(|row| row.section == CfiSection::EhFrame);
            let expected = truth.map(|row| {
                let fde = table.fde_for_address(&eh_frame, &bases, address, EhFrame::cie_from_offset).unwrap();
                let registers: BTreeMap<u16, RegisterRule> =
                    row.registers().map(|(register, rule)| (register.0, rule_of(rule, &bytes))).collect();
                UnwindRow {
                    start: ModuleRelAddr(row.start_address() - sections.image_base),
                    end: ModuleRelAddr(row.end_address() - sections.image_base),
                    section: CfiSection::EhFrame,
                    fde_offset: u64::try_from(fde.offset()).unwrap(),
                    signal: fde.is_signal_trampoline(),
                    cfa: match row.cfa() {
                        gimli::CfaRule::RegisterAndOffset { register, offset } => CfaRule::RegisterOffset(register.0, *offset),
                        gimli::CfaRule::Expression(expression) => CfaRule::Expression(hex_of(expression, &bytes)),
                    },
                    registers: registers.into_iter().collect(),
                }
            });
            assert_eq!(found, expected, "{address:#x}");
            rows += usize::from(found.is_some());
        }
        rows
    }

    /// The C library, or `None` after saying so.
    fn libc() -> Option<Vec<u8>> {
        let bytes = std::fs::read(LIBC).ok();
        if bytes.is_none() {
            sealtrace_skip::skip("libc", "the C library is not at its usual place");
        }
        bytes
    }

    #[test]
    fn rows_of_this_test_binary_equal_those_found_through_eh_frame_hdr() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let rows = compare(&object::File::parse(&*bytes).unwrap(), 4000);
        assert!(rows >= 3000, "{rows}");
    }

    #[test]
    fn rows_of_this_test_binary_equal_those_of_a_linear_search() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let sections = sections(&file);
        let (svma, eh_bytes) = sections.eh_frame.clone().unwrap();
        let bases = BaseAddresses::default().set_eh_frame(svma);
        let eh_frame = EhFrame::new(&eh_bytes, LittleEndian);
        let data = UnwindData::from_sections(sections.clone()).unwrap();
        let mut context = UnwindContext::new();
        for address in addresses(&file, 100) {
            let truth = eh_frame.unwind_info_for_address(&bases, &mut context, address, EhFrame::cie_from_offset).ok();
            let found = data.row(ModuleRelAddr(address - sections.image_base));
            let extent = |start: u64, end: u64| (start - sections.image_base, end - sections.image_base);
            let expected = truth.map(|row| extent(row.start_address(), row.end_address()));
            assert_eq!(found.map(|row| (row.start.0, row.end.0)), expected, "{address:#x}");
        }
    }

    #[test]
    fn rows_of_the_c_library_equal_those_found_through_eh_frame_hdr() {
        let Some(bytes) = libc() else { return };
        let rows = compare(&object::File::parse(&*bytes).unwrap(), 4000);
        assert!(rows >= 3000, "{rows}");
    }

    #[test]
    fn the_plt_of_the_c_library_has_an_expression_and_its_trampoline_is_a_signal_frame() {
        let Some(bytes) = libc() else { return };
        let file = object::File::parse(&*bytes).unwrap();
        let sections = sections(&file);
        let base = sections.image_base;
        let data = UnwindData::from_sections(sections.clone()).unwrap();
        let plt = file.section_by_name(".plt").unwrap();
        let row = data.row(ModuleRelAddr(plt.address() + 16 - base)).unwrap();
        assert_eq!(row.cfa, CfaRule::Expression("770880003f1a3b2a332422".to_owned()));
        // mov $15,%rax; syscall
        let text = file.section_by_name(".text").unwrap();
        let code = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
        let at = text.data().unwrap().windows(code.len()).position(|window| window == code).unwrap();
        let trampoline = text.address() + u64::try_from(at).unwrap() - base;
        for address in trampoline - 1..=trampoline + 8 {
            let row = data.row(ModuleRelAddr(address)).unwrap();
            assert!(row.signal);
            assert_eq!(row.cfa, CfaRule::Expression("77a00106".to_owned()));
            let numbers: Vec<u16> = row.registers.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (0..=16).collect::<Vec<_>>());
            assert_eq!(row.registers[16].1, RegisterRule::Expression("77a801".to_owned()));
        }
    }

    #[test]
    fn the_entry_point_ends_the_stack() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let sections = sections(&file);
        let start = file.symbols().find(|symbol| symbol.name() == Ok("_start")).map_or(file.entry(), |symbol| symbol.address());
        let row = UnwindData::from_sections(sections.clone()).unwrap().row(ModuleRelAddr(start - sections.image_base)).unwrap();
        assert!(row.registers.contains(&(16, RegisterRule::Undefined)), "{row:?}");
    }

    #[test]
    fn flipped_bytes_of_the_c_library_never_panic() {
        let Some(bytes) = libc() else { return };
        let file = object::File::parse(&*bytes).unwrap();
        let blob = sections(&file).encode();
        let probes = addresses(&file, 50);
        let base = sections(&file).image_base;
        for round in 0..150 {
            let mut changed = blob.clone();
            // Sixteen flips a round, spread by a fixed step.
            for flip in 0..16 {
                let byte = 64 + (round * 7_919 + flip * 104_729) % (changed.len() - 64);
                changed[byte] ^= 1 << ((round + flip) % 8);
            }
            let data = UnwindData::parse(&changed).unwrap();
            for address in &probes {
                let at = ModuleRelAddr(address - base);
                if let Some(row) = data.row(at) {
                    assert!(row.start <= at && at < row.end);
                }
            }
        }
    }
}
