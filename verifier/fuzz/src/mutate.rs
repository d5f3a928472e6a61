//! A deterministic mutation of bytes. Not here: coverage (libFuzzer has it).

/// Numbers from a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed, the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 when it is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next_number().to_le_bytes()[0]
    }
}

/// Makes new inputs from seeds.
#[derive(Debug)]
pub struct Mutator {
    random: Random,
    seeds: Vec<Vec<u8>>,
}

/// Values at which lengths and counts change their meaning.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

impl Mutator {
    /// A mutator over `seeds`; the same seed, the same inputs.
    pub fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        Self { random: Random::new(seed), seeds }
    }

    /// The next input: a seed with one to four changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let at = self.random.below(self.seeds.len());
        let mut input = self.seeds.get(at).cloned().unwrap_or_default();
        for _ in 0..=self.random.below(4) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len());
        match self.random.below(8) {
            0 => self.set(input, at),
            1 => input.truncate(at),
            2 => self.edge(input, at),
            3 => self.copy_within(input, at),
            4 => self.remove(input, at),
            5 => self.splice(input, at),
            6 => self.digit(input, at),
            _ => self.flip(input, at),
        }
    }

    fn flip(&mut self, input: &mut [u8], at: usize) {
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << self.random.below(8);
        }
    }

    fn set(&mut self, input: &mut [u8], at: usize) {
        let new = self.random.byte();
        if let Some(byte) = input.get_mut(at) {
            *byte = new;
        }
    }

    /// Writes an edge value in one to eight bytes of either order.
    fn edge(&mut self, input: &mut [u8], at: usize) {
        let value = EDGES.get(self.random.below(EDGES.len())).copied().unwrap_or_default();
        let width = 1 << self.random.below(4);
        let bytes = if self.random.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
        let part = if bytes.first() == value.to_le_bytes().first() { bytes.get(..width) } else { bytes.get(8 - width..) };
        for (to, from) in input.iter_mut().skip(at).zip(part.unwrap_or_default()) {
            *to = *from;
        }
    }

    /// Inserts a part of the input at another place.
    fn copy_within(&mut self, input: &mut Vec<u8>, at: usize) {
        let from = self.random.below(input.len());
        let part: Vec<u8> = input.iter().skip(from).take(1 + self.random.below(64)).copied().collect();
        input.splice(at..at, part);
    }

    fn remove(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = input.len().min(at + 1 + self.random.below(64));
        input.drain(at..end);
    }

    /// Continues with another seed.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize) {
        let other = self.random.below(self.seeds.len());
        let rest: Vec<u8> = self.seeds.get(other).map(|seed| seed.iter().skip(at).copied().collect()).unwrap_or_default();
        input.truncate(at);
        input.extend(rest);
    }

    /// Changes the next decimal digit, which leaves text well formed.
    fn digit(&mut self, input: &mut [u8], at: usize) {
        let digit = b'0' + self.random.byte() % 10;
        if let Some(byte) = input.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
            *byte = digit;
        }
    }
}
