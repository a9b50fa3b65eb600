//! Makes new inputs of those of a corpus, by chance from a seed: the same ones in every run.

use fastrand::Rng;

/// Numbers at the edges of lengths, identifiers and codes.
const EDGES: [u8; 12] = [0, 1, 2, 0x10, 0x20, 0x30, 0x7d, 0x7e, 0x7f, 0x80, 0xfe, 0xff];

/// Texts that mean something somewhere.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"://",
    b"..",
    b"%2f",
    b"%00",
    b"@",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\u0000",
    b"\\",
    b"#",
    b"+",
    b"/",
    b"\xef\xbb\xbf",
    b"\xff\xff\xff\xff",
    b"-",
    b"=",
    b"\xc2\x9b",
];

/// The inputs of one target.
pub struct Mutator {
    random: Rng,
    corpus: Vec<Vec<u8>>,
    longest: usize,
}

impl Mutator {
    /// Inputs of at most `longest` bytes, made of these.
    pub fn new(corpus: Vec<Vec<u8>>, longest: usize, seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), corpus, longest }
    }

    /// The next input: one of the corpus with up to eight changes, or now and then bytes by chance.
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = match self.random.choice(&self.corpus) {
            Some(known) if self.random.u8(..8) > 0 => known.clone(),
            _ => self.by_chance(),
        };
        for _ in 0..self.random.u8(..8) {
            self.change(&mut input);
        }
        input.truncate(self.longest);
        input
    }

    fn by_chance(&mut self) -> Vec<u8> {
        let length = self.random.usize(..self.longest.min(300));
        (0..length).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> u8 {
        match self.random.u8(..3) {
            0 => EDGES[self.random.usize(..EDGES.len())],
            _ => self.random.u8(..),
        }
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (from, to) = (self.random.usize(..=input.len()), self.random.usize(..=input.len()));
        let (from, to) = (from.min(to), from.max(to));
        let short = to.min(from + 1 + self.random.usize(..8));
        match self.random.u8(..10) {
            0 => drop(input.drain(from..short)),
            1 => drop(input.drain(from..to)),
            2 => input.insert(from, self.byte()),
            3 => {
                let word = WORDS[self.random.usize(..WORDS.len())];
                input.splice(from..from, word.iter().copied());
            }
            4 => {
                let part = input[from..to].to_vec();
                let at = self.random.usize(..=input.len());
                input.splice(at..at, part);
            }
            5 => self.cross(input, from),
            6 if from < input.len() => input[from] ^= 1 << self.random.u8(..8),
            7 if from < input.len() => {
                input[from] = input[from].wrapping_add(self.random.u8(..5)).wrapping_sub(2);
            }
            8 => {
                // Many times the same, as nested brackets are.
                let part = input[from..short].to_vec();
                let times = self.random.usize(..100);
                input.splice(from..from, part.repeat(times));
            }
            _ if from < input.len() => input[from] = self.byte(),
            _ => input.push(self.byte()),
        }
    }

    /// What follows `at` is replaced by a part of another input.
    fn cross(&mut self, input: &mut Vec<u8>, at: usize) {
        if let Some(other) = self.random.choice(&self.corpus) {
            let begin = self.random.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[begin..]);
        }
    }
}
