//! What a message of the load holds: a head that says which message it is and when it was due, and
//! random bytes that are known on both sides.

use std::fmt;

use bytes::{BufMut, BytesMut};

/// The length of the head, in bytes: the shortest payload.
pub const HEAD: usize = 32;

/// What every payload begins with.
const MARK: [u8; 4] = *b"MQB1";

/// The length of the random bytes, which repeat in longer bodies; and at least how many there are
/// of a file, which repeats, too.
const BLOCK: usize = 64 * 1024;

/// Which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its stream.
    pub stream: u32,
    /// Its number in the stream, below 2^48.
    pub sequence: u64,
    /// When it was due, in nanoseconds of `CLOCK_MONOTONIC`.
    pub intended: u64,
}

impl Stamp {
    /// The will of a connection, which is no message of a stream.
    pub fn of_will(id: usize) -> Self {
        Self { stream: u32::MAX, sequence: id as u64, intended: 0 }
    }
}

/// What is wrong with a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadFault {
    /// It is not what was sent.
    Corrupted,
    /// It belongs to another run.
    Foreign,
}

/// What is verified of the messages that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// Each of them.
    #[default]
    Full,
    /// Nothing: they are counted (`--verify none`).
    None,
}

/// The payloads of one run.
#[derive(Debug)]
pub struct Payloads {
    run: u32,
    /// Which clock the times are of.
    clock: u16,
    /// Twice the same bytes, so that a slice may begin anywhere.
    block: Vec<u8>,
}

/// Mixes a word into a hash.
fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
    mixed ^ (mixed >> 29)
}

/// A word that differs from message to message, and says where its body begins.
pub fn spread(stream: u32, sequence: u64) -> u64 {
    mix(mix(0x51_7c_c1, u64::from(stream)), sequence)
}

impl Payloads {
    /// The payloads of this run; the times in them are of this clock.
    pub fn new(run: u32, clock: u16, mut random: impl FnMut() -> u64) -> Self {
        Self::of_block(run, clock, (0..BLOCK / 8).flat_map(|_| random().to_le_bytes()).collect())
    }

    /// The same with these bytes in place of random ones; there must be some.
    pub fn with_body(run: u32, clock: u16, body: &[u8]) -> Self {
        let times = BLOCK.div_ceil(body.len().max(1));
        Self::of_block(run, clock, body.repeat(times))
    }

    fn of_block(run: u32, clock: u16, mut block: Vec<u8>) -> Self {
        block.extend_from_within(..);
        Self { run, clock, block }
    }

    /// After how many bytes a body repeats.
    fn period(&self) -> usize {
        (self.block.len() / 2).max(1)
    }

    /// The run.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// The payloads of a further step, which are foreign in all others.
    pub fn of_step(&self, step: u32) -> Self {
        let run = self.run.wrapping_add(step.wrapping_mul(0x9e37_79b9));
        Self { run, clock: self.clock, block: self.block.clone() }
    }

    fn check(&self, stamp: Stamp, length: usize) -> u32 {
        let clock = u64::from(self.clock) << 48 | stamp.sequence;
        let mut hash = mix(u64::from(self.run) << 32 | u64::from(stamp.stream), clock);
        hash = mix(hash, stamp.intended);
        hash = mix(hash, length as u64);
        #[expect(clippy::cast_possible_truncation, reason = "half of the hash is wanted")]
        let folded = (hash ^ hash >> 32) as u32;
        folded
    }

    /// The bytes of a body from a place on, at most `most`.
    fn slice(&self, place: usize, most: usize) -> &[u8] {
        let place = place % self.period();
        &self.block[place..place + most.min(self.period())]
    }

    fn beginning(&self, stamp: Stamp) -> usize {
        let period = self.period() as u64;
        usize::try_from(spread(stamp.stream, stamp.sequence) % period).unwrap_or(0)
    }

    /// Appends a payload of `length` bytes; with fewer than [`HEAD`] nobody knows what it is.
    pub fn put(&self, stamp: Stamp, length: usize, out: &mut BytesMut) {
        if length < HEAD {
            return out.put_slice(self.slice(self.beginning(stamp), length));
        }
        out.put_slice(&MARK);
        out.put_u32(self.run);
        out.put_u32(stamp.stream);
        out.put_u32(self.check(stamp, length));
        out.put_u64(u64::from(self.clock) << 48 | stamp.sequence);
        out.put_u64(stamp.intended);
        let (mut place, mut left) = (self.beginning(stamp), length.saturating_sub(HEAD));
        while left > 0 {
            let part = self.slice(place, left);
            out.put_slice(part);
            (place, left) = (place + part.len(), left - part.len());
        }
    }

    /// Which message a payload of this run says that it is; that is not verified.
    pub fn glance(&self, payload: &[u8]) -> Option<Stamp> {
        let head = payload.first_chunk::<HEAD>()?;
        let is_ours = head[..4] == MARK && head[4..8] == self.run.to_be_bytes();
        let stamp = stamp(head);
        let has_clock = clock(head) == self.clock;
        Some(stamp).filter(|_| is_ours && has_clock)
    }

    /// Whether the time in a payload is of this clock.
    pub fn is_of_clock(&self, payload: &[u8]) -> bool {
        payload.first_chunk::<HEAD>().is_some_and(|head| clock(head) == self.clock)
    }

    /// Which message a payload is.
    pub fn read(&self, payload: &[u8]) -> Result<Stamp, PayloadFault> {
        let (head, body) = payload.split_first_chunk::<HEAD>().ok_or(PayloadFault::Corrupted)?;
        if head[..4] != MARK {
            return Err(PayloadFault::Corrupted);
        }
        let (run, stamp) = (word(head, 4), stamp(head));
        let sender = Self { run, clock: clock(head), block: Vec::new() };
        if sender.check(stamp, payload.len()) != word(head, 12) {
            return Err(PayloadFault::Corrupted);
        }
        if run != self.run {
            return Err(PayloadFault::Foreign);
        }
        if self.is_body(stamp, body) { Ok(stamp) } else { Err(PayloadFault::Corrupted) }
    }

    /// Whether this is the body of a message.
    fn is_body(&self, stamp: Stamp, mut body: &[u8]) -> bool {
        let mut place = self.beginning(stamp);
        while !body.is_empty() {
            let expected = self.slice(place, body.len());
            let (part, rest) = body.split_at(expected.len());
            if part != expected {
                return false;
            }
            (place, body) = (place + part.len(), rest);
        }
        true
    }
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn long(head: &[u8; HEAD], at: usize) -> u64 {
    u64::from(word(head, at)) << 32 | u64::from(word(head, at + 4))
}

/// Which message a head says that it is.
fn stamp(head: &[u8; HEAD]) -> Stamp {
    let sequence = long(head, 16) & 0xffff_ffff_ffff;
    Stamp { stream: word(head, 8), sequence, intended: long(head, 24) }
}

/// Which clock the times of a head are of.
fn clock(head: &[u8; HEAD]) -> u16 {
    u16::from_be_bytes([head[16], head[17]])
}

/// How long the payloads are, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    /// All alike.
    Fixed(usize),
    /// Any length from the first to the second, both included, equally often.
    Range(usize, usize),
    /// These lengths with these weights.
    Weighted(Vec<(usize, u32)>),
}

impl fmt::Display for Sizes {
    /// As `--size` takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Range(least, most) => write!(f, "{least}..{most}"),
            Self::Weighted(all) => {
                let all: Vec<String> =
                    all.iter().map(|(size, weight)| format!("{size}:{weight}")).collect();
                f.write_str(&all.join(","))
            }
        }
    }
}

impl Sizes {
    /// The shortest.
    pub fn least(&self) -> usize {
        match self {
            Self::Fixed(size) | Self::Range(size, _) => *size,
            Self::Weighted(all) => all.iter().map(|(size, _)| *size).min().unwrap_or_default(),
        }
    }

    /// The longest.
    pub fn most(&self) -> usize {
        match self {
            Self::Fixed(size) | Self::Range(_, size) => *size,
            Self::Weighted(all) => all.iter().map(|(size, _)| *size).max().unwrap_or_default(),
        }
    }

    /// The length of a message; the same message always has the same.
    pub fn of(&self, stream: u32, sequence: u64) -> usize {
        let random = spread(stream ^ 0x5bd1_e995, sequence);
        match self {
            Self::Fixed(size) => *size,
            Self::Range(least, most) => {
                let count = (most - least + 1) as u64;
                least + usize::try_from(random % count).unwrap_or(0)
            }
            Self::Weighted(sizes) => weighted(sizes, random),
        }
    }
}

fn weighted(sizes: &[(usize, u32)], random: u64) -> usize {
    let all: u64 = sizes.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut at = random % all.max(1);
    for (size, weight) in sizes {
        match at.checked_sub(u64::from(*weight)) {
            Some(left) => at = left,
            None => return *size,
        }
    }
    sizes.first().map_or(HEAD, |(size, _)| *size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(run: u32) -> Payloads {
        let mut random = fastrand::Rng::with_seed(u64::from(run));
        Payloads::new(run, 7, move || random.u64(..))
    }

    const STAMP: Stamp = Stamp { stream: 3, sequence: 70_000, intended: 123_456_789_012 };

    fn payload(length: usize) -> BytesMut {
        let mut out = BytesMut::new();
        payloads(1).put(STAMP, length, &mut out);
        out
    }

    #[test]
    fn what_was_put_is_read() {
        for length in [32, 33, 256, 65_536, 65_568, 200_000] {
            let payload = payload(length);
            assert_eq!(payload.len(), length);
            assert_eq!(payloads(1).read(&payload), Ok(STAMP), "{length}");
            assert_eq!(payloads(1).glance(&payload), Some(STAMP), "{length}");
            assert_eq!(payloads(2).glance(&payload), None, "{length}");
        }
        for length in 0..HEAD {
            let payload = payload(length);
            assert_eq!((payload.len(), payloads(1).glance(&payload)), (length, None));
        }
    }

    #[test]
    fn every_changed_bit_and_every_cut_shows() {
        let whole = payload(100);
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(payloads(1).read(&changed), Err(PayloadFault::Corrupted), "{bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(
                payloads(1).read(&whole[..length]),
                Err(PayloadFault::Corrupted),
                "{length}"
            );
        }
        let mut longer = whole;
        longer.put_u8(0);
        assert_eq!(payloads(1).read(&longer), Err(PayloadFault::Corrupted));
    }

    #[test]
    fn the_bodies_of_two_messages_differ() {
        let mut other = BytesMut::new();
        payloads(1).put(Stamp { sequence: 70_001, ..STAMP }, 100, &mut other);
        let mut swapped = payload(100);
        swapped[HEAD..].copy_from_slice(&other[HEAD..]);
        assert_eq!(payloads(1).read(&swapped), Err(PayloadFault::Corrupted));
    }

    #[test]
    fn a_body_consists_of_the_bytes_of_a_file() {
        for file in [&b"a"[..], b"abc", &vec![7; 200_000]] {
            let payloads = Payloads::with_body(1, 7, file);
            for length in [32, 33, 256, 300_000] {
                let mut payload = BytesMut::new();
                payloads.put(STAMP, length, &mut payload);
                assert_eq!((payload.len(), payloads.read(&payload)), (length, Ok(STAMP)));
                let body = payload[HEAD..].iter();
                assert!(body.clone().all(|byte| file.contains(byte)));
                // Wherever it begins, the file goes on from there.
                let places = body.map(|byte| file.iter().position(|it| it == byte).unwrap());
                let places: Vec<usize> = places.collect();
                let follow = |pair: &[usize]| pair[1] == (pair[0] + 1) % file.len();
                assert!(file.len() > 3 || places.windows(2).all(follow), "{places:?}");
            }
        }
    }

    #[test]
    fn a_time_of_another_clock_is_known_as_such() {
        let other = Payloads { clock: 8, ..payloads(1) };
        let payload = payload(64);
        assert!(payloads(1).is_of_clock(&payload) && !other.is_of_clock(&payload));
        // It is verified all the same.
        assert_eq!(other.read(&payload), Ok(STAMP));
        assert!(!other.is_of_clock(&payload[..20]));
    }

    #[test]
    fn messages_of_another_run_are_foreign() {
        let mut other = BytesMut::new();
        payloads(2).put(STAMP, 100, &mut other);
        assert_eq!(payloads(1).read(&other), Err(PayloadFault::Foreign));
    }

    #[test]
    fn sizes_are_as_often_as_their_weights_say() {
        let sizes = Sizes::Weighted(vec![(64, 90), (1024, 9), (65_536, 1)]);
        let mut counts = [0; 3];
        for sequence in 0..100_000 {
            match sizes.of(1, sequence) {
                64 => counts[0] += 1,
                1024 => counts[1] += 1,
                65_536 => counts[2] += 1,
                other => panic!("{other}"),
            }
        }
        assert!((counts[0] - 90_000_i32).abs() < 500, "{counts:?}");
        assert!((counts[1] - 9000_i32).abs() < 500, "{counts:?}");
        let range = Sizes::Range(64, 66);
        assert!((0..1000).all(|n| (64..=66).contains(&range.of(0, n))));
        assert!((64..=66).all(|size| (0..1000).any(|n| range.of(0, n) == size)));
    }
}
