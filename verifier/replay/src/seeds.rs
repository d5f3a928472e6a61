//! Seeds and the random stream: SHA-256 in counter mode (`docs/formats/replay-stream.md`), so that an auditor can write it again.

use sealtrace_digest::{RunDigest, StatementDigest};
use sealtrace_json::MAX_INTEGER;

/// Which seeds a replay runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedPlan {
    /// Seeds 1…n that follow from the witness digest.
    Derived(u32),
    /// One seed that somebody chose; flagged in the report.
    Explicit(u64),
}

impl SeedPlan {
    /// The seeds, in order.
    pub fn seeds(self, witness: &StatementDigest) -> Vec<u64> {
        match self {
            Self::Derived(count) => (1..=count).map(|position| derived_seed(witness, position)).collect(),
            Self::Explicit(seed) => vec![seed],
        }
    }

    /// Whether somebody chose the seed.
    pub fn is_explicit(self) -> bool {
        matches!(self, Self::Explicit(_))
    }
}

/// Seed `position` (from 1) of a witness: the first 8 bytes, big-endian, of SHA-256("replay-seed/v1" ‖ witness digest ‖ u32be(position)),
/// AND 2^53 − 1.
pub fn derived_seed(witness: &StatementDigest, position: u32) -> u64 {
    let mut hasher = RunDigest::hasher();
    hasher.update(b"replay-seed/v1");
    hasher.update(witness.as_bytes());
    hasher.update(&position.to_be_bytes());
    first_word(hasher.finish().as_bytes()) & MAX_INTEGER
}

fn first_word(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |word, &byte| (word << 8) | u64::from(byte))
}

/// The random stream of a seed: block k is SHA-256("replay-stream/v1" ‖ u64be(seed) ‖ u64be(k)), k = 0, 1, …; words are its bytes in
/// order, eight at a time, big-endian.
#[derive(Debug, Clone)]
pub struct Stream {
    seed: u64,
    next_block: u64,
    words: Vec<u64>,
}

impl Stream {
    /// The stream of a seed, at its start.
    pub fn new(seed: u64) -> Self {
        Self { seed, next_block: 0, words: Vec::new() }
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        loop {
            if let Some(word) = self.words.pop() {
                return word;
            }
            let mut hasher = RunDigest::hasher();
            hasher.update(b"replay-stream/v1");
            hasher.update(&self.seed.to_be_bytes());
            hasher.update(&self.next_block.to_be_bytes());
            self.next_block = self.next_block.wrapping_add(1);
            let block = hasher.finish();
            // Popped from the end, so the first word stands last.
            self.words = block.as_bytes().chunks(8).rev().map(first_word).collect();
        }
    }

    /// A number below `bound`, each equally likely: words from the last, incomplete multiple of `bound` are thrown away. 0 for a bound of 0 or 1,
    /// without drawing.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound < 2 {
            return 0;
        }
        // 2^64 mod bound words at the top are incomplete.
        let incomplete = (u64::MAX % bound + 1) % bound;
        loop {
            let word = self.word();
            if word <= u64::MAX - incomplete {
                return word % bound;
            }
        }
    }

    /// As [`Stream::below`], for positions.
    pub fn position(&mut self, bound: usize) -> usize {
        let drawn = self.below(u64::try_from(bound).unwrap_or(u64::MAX));
        usize::try_from(drawn).unwrap_or(0)
    }

    /// One draw out of two.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Fisher–Yates, from the last position down.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.position(last + 1);
            items.swap(last, other);
        }
    }

    /// A permutation of 0…n−1 that moves something whenever n > 1: the identity is drawn again.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        while n > 1 && moved(&order) == 0 {
            self.shuffle(&mut order);
        }
        order
    }
}

/// How many positions a permutation moves.
pub(crate) fn moved(order: &[usize]) -> u64 {
    let moved = order.iter().enumerate().filter(|(position, from)| position != *from).count();
    u64::try_from(moved).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_sha256_in_counter_mode() {
        // printf 'replay-stream/v1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0' | sha256sum
        let mut stream = Stream::new(1);
        let first: Vec<u64> = (0..5).map(|_| stream.word()).collect();
        assert_eq!(first, VECTOR);
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut stream = Stream::new(7);
        let mut seen = [0_u32; 6];
        for _ in 0..600 {
            seen[stream.position(6)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
        // A bound just above 2^63 throws away almost half of the words and must still end.
        assert!((0..64).all(|_| stream.below((1 << 63) + 1) <= 1 << 63));
    }

    #[test]
    fn a_permutation_is_one_and_moves_something() {
        for seed in 0..50 {
            let mut stream = Stream::new(seed);
            for n in [0, 1, 2, 3, 10] {
                let order = stream.permutation(n);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                assert_eq!(moved(&order) > 0, n > 1);
            }
        }
    }

    #[test]
    fn draws_equal_those_of_the_python_in_the_format_document() {
        let mut stream = Stream::new(42);
        let dice: Vec<u64> = (0..8).map(|_| stream.below(6)).collect();
        assert_eq!(dice, [0, 5, 0, 4, 3, 2, 0, 2]);
        assert_eq!(stream.permutation(10), [8, 3, 1, 6, 0, 4, 7, 5, 2, 9]);
        let rejected: Vec<u64> = (0..3).map(|_| stream.below((1 << 63) + 1)).collect();
        assert_eq!(rejected, [5_042_097_328_529_051_898, 8_602_348_845_813_890_274, 4_996_455_247_179_236_409]);
    }

    #[test]
    fn seeds_follow_from_the_witness_and_fit_a_json_number() {
        let one = StatementDigest::of(b"one");
        let seeds = SeedPlan::Derived(5).seeds(&one);
        assert_eq!(seeds.len(), 5);
        assert!(seeds.iter().all(|&seed| seed <= MAX_INTEGER));
        assert_ne!(seeds, SeedPlan::Derived(5).seeds(&StatementDigest::of(b"two")));
        assert_eq!(SeedPlan::Explicit(9).seeds(&one), [9]);
        assert_eq!(seeds[0], SEED_ONE);
    }

    const VECTOR: [u64; 5] =
        [0x77f6_e63f_d840_5522, 0xd943_f0d8_3982_ff3b, 0xb3ef_9c4b_3f48_958c, 0xee41_0805_c932_2e9a, 0x0d52_e83c_290f_30a8];
    const SEED_ONE: u64 = 2_161_376_519_145_784;
}
