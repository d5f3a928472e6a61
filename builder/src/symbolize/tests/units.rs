//! The parts by themselves: flattening, claims.

use std::collections::BTreeMap;

use super::super::spans::{Claims, Cursor, Executable, Extent, flatten, flatten_inside_first};

fn extent(start: u64, end: u64) -> Extent {
    Extent { start, end }
}

/// A small deterministic sequence (splitmix64).
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

#[test]
fn flattening_shows_the_highest_number_at_every_address() {
    for seed in 0..100 {
        let mut draw = draws(seed);
        let extents: Vec<(Extent, u32)> = (0..12)
            .map(|_| {
                let start = draw(40);
                (extent(start, start + 1 + draw(15)), u32::try_from(draw(6)).unwrap())
            })
            .collect();
        let (all, inside) = (flatten(&extents), flatten_inside_first(&extents));
        for address in 0..60 {
            let at = |list: &[(Extent, u32)]| -> Vec<u32> {
                list.iter().filter(|(extent, _)| (extent.start..extent.end).contains(&address)).map(|(_, number)| *number).collect()
            };
            let there = at(&extents);
            let expected: Vec<u32> = there.iter().max().copied().into_iter().collect();
            assert_eq!(at(&all), expected, "seed {seed}, address {address}");
            assert_eq!(at(&inside), if there.contains(&0) { expected } else { vec![] }, "seed {seed}, address {address}");
        }
    }
}

#[test]
fn every_address_is_claimed_once_by_the_first() {
    for seed in 0..100 {
        let mut draw = draws(seed);
        let (mut claims, mut owners) = (Claims::default(), BTreeMap::new());
        for turn in 0..12 {
            let start = draw(40);
            let wanted = extent(start, start + 1 + draw(15));
            let expected: Vec<u64> = (wanted.start..wanted.end).filter(|address| owners.insert(*address, turn).is_none()).collect();
            let given: Vec<u64> = claims.claim(wanted).into_iter().flat_map(|part| part.start..part.end).collect();
            assert_eq!(given, expected, "seed {seed}, turn {turn}");
        }
    }
}

#[test]
fn extents_that_do_not_start_in_code_are_dropped_and_others_cut() {
    let executable = Executable::new(vec![extent(0x2000, 0x3000), extent(0x1000, 0x1100), extent(5, 5)]);
    for (wanted, expected) in [
        (extent(0, 0x1050), None),
        (extent(1, 1), None),
        (extent(u64::MAX - 1, u64::MAX), None),
        (extent(0x1100, 0x1200), None),
        (extent(0x10f0, 0x2100), Some(extent(0x10f0, 0x1100))),
        (extent(0x2000, 0x2010), Some(extent(0x2000, 0x2010))),
    ] {
        assert_eq!(executable.clip(wanted), expected, "{wanted:?}");
    }
}

#[test]
fn a_cursor_tells_what_is_there_and_until_where() {
    let sorted = [(extent(10, 20), 'a'), (extent(20, 30), 'b'), (extent(40, 41), 'c')];
    let mut cursor = Cursor::new(&sorted);
    let answers: Vec<_> = [0, 10, 19, 20, 30, 40, 41].map(|address| cursor.at(address)).into_iter().collect();
    assert_eq!(answers, [(None, 10), (Some('a'), 20), (Some('a'), 20), (Some('b'), 30), (None, 40), (Some('c'), 41), (None, u64::MAX)]);
}
