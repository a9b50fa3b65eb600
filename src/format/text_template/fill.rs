//! Fills in the fields of a text.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{RandomRange, TextField, TextPart, TextTemplate};
use crate::format::time::LocalTime;

/// The characters of random texts: each is as likely as the others.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What a message fills in.
#[derive(Debug, Clone, Copy)]
pub struct Values {
    /// Its number, from 1.
    pub number: u64,
    /// The time now, since 1970.
    pub time: Duration,
}

/// What is kept from one message to the next, and where random bits come from.
#[derive(Debug)]
pub struct FillState<R> {
    random: R,
    /// A second since 1970, and its time as text, up to the fraction.
    second: Option<(u64, String)>,
    /// A time, and its text.
    latest: (Duration, BytesMut),
}

impl<R: FnMut() -> u64> FillState<R> {
    /// Each call of `random` gives 64 random bits.
    pub fn new(random: R) -> Self {
        Self { random, second: None, latest: (Duration::ZERO, BytesMut::new()) }
    }

    /// Writes the time, RFC 3339 in UTC with microseconds: often one that was written before.
    fn time(&mut self, time: Duration, out: &mut BytesMut) {
        if self.latest.0 != time || self.latest.1.is_empty() {
            let mut text = std::mem::take(&mut self.latest.1);
            text.clear();
            self.write_time(time, &mut text);
            self.latest = (time, text);
        }
        out.put_slice(&self.latest.1);
    }

    fn write_time(&mut self, time: Duration, out: &mut BytesMut) {
        let second = time.as_secs();
        if self.second.as_ref().is_none_or(|(known, _)| *known != second) {
            let timestamp = i64::try_from(second).ok().and_then(|s| Timestamp::new(s, 0).ok());
            let mut text = BytesMut::new();
            LocalTime::new(timestamp.unwrap_or_default(), TimeZone::UTC).rfc_3339(&mut text);
            let text = String::from_utf8_lossy(&text);
            let whole = text.split_once('.').map_or("", |(whole, _)| whole);
            self.second = Some((second, whole.to_owned()));
        }
        if let Some((_, whole)) = &self.second {
            out.put_slice(whole.as_bytes());
        }
        decimals(u64::from(time.subsec_micros()), 6, out);
        out.put_u8(b'Z');
    }

    /// A number below this one, or any where it is 0.
    fn below(&mut self, bound: u64) -> u64 {
        let bits = (self.random)();
        if bound == 0 {
            return bits;
        }
        // The upper half of the product: https://arxiv.org/abs/1805.10941 without its last step,
        // which makes no difference that one can see.
        let product = u128::from(bits) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or_default()
    }

    fn number(&mut self, range: RandomRange, out: &mut BytesMut) {
        let RandomRange { from, to, decimals } = range;
        // The whole range of i64 has 2^64 numbers, one more than fit: 0 stands for it.
        let count = from.abs_diff(to).wrapping_add(1);
        let number = from.wrapping_add_unsigned(self.below(count));
        if number < 0 {
            out.put_u8(b'-');
        }
        let magnitude = number.unsigned_abs();
        if decimals == 0 {
            return digits(magnitude, out);
        }
        let scale = 10_u64.pow(decimals.try_into().unwrap_or_default());
        digits(magnitude / scale, out);
        self::decimals(magnitude % scale, decimals, out);
    }

    fn uuid(&mut self, out: &mut BytesMut) {
        let (high, low) = ((self.random)(), (self.random)());
        let high = high & !0xf000 | 0x4000;
        let low = low & !(0b11 << 62) | 0b10 << 62;
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let mut text = [b'-'; 36];
        let mut at = 0;
        for byte in bytes {
            // A hyphen stands at each of these.
            at += usize::from(matches!(at, 8 | 13 | 18 | 23));
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        out.put_slice(&text);
    }

    fn characters(&mut self, count: usize, out: &mut BytesMut) {
        out.reserve(count);
        let mut left = count;
        while left > 0 {
            let mut bits = (self.random)();
            let text = [(); 10].map(|()| {
                let character = CHARACTERS[(bits & 63) as usize];
                bits >>= 6;
                character
            });
            let count = left.min(text.len());
            out.put_slice(&text[..count]);
            left -= count;
        }
    }
}

impl TextTemplate {
    /// Appends the text of a message.
    pub fn fill<R: FnMut() -> u64>(
        &self,
        values: Values,
        state: &mut FillState<R>,
        out: &mut BytesMut,
    ) {
        for part in &self.parts {
            let field = match part {
                TextPart::Literal(bytes) => {
                    out.put_slice(bytes);
                    continue;
                }
                TextPart::Field(field) => field,
            };
            match field {
                TextField::Number => digits(values.number, out),
                TextField::Remainder(divisor) => digits(values.number % divisor, out),
                TextField::Time => state.time(values.time, out),
                TextField::UnixMilliseconds => {
                    digits(u64::try_from(values.time.as_millis()).unwrap_or(u64::MAX), out);
                }
                TextField::Uuid => state.uuid(out),
                TextField::Random(range) => state.number(*range, out),
                TextField::Bytes(count) => state.characters(*count, out),
                TextField::Line(lines) => out.put_slice(lines.of(values.number)),
            }
        }
    }
}

/// Writes a number. The machinery of `format!` would take longer than all the rest of a message.
fn digits(mut number: u64, out: &mut BytesMut) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10).to_be_bytes()[7];
        number /= 10;
        if number == 0 {
            return out.put_slice(&text[at..]);
        }
    }
}

/// Writes a point and so many digits, at most 19.
fn decimals(mut fraction: u64, count: usize, out: &mut BytesMut) {
    let mut text = [b'.'; 20];
    for at in (1..=count).rev() {
        text[at] = b'0' + (fraction % 10).to_be_bytes()[7];
        fraction /= 10;
    }
    out.put_slice(&text[..=count]);
}
