//! The headers of frames as they pass, for `-dd`: the WebSocket library shows whole messages only. It must
//! never change a byte, nor look at a payload.

use std::io::{self, IoSlice, Read, Write};

use super::last::Last;
use crate::transport::log::Log;

/// What passes in both directions.
#[derive(Debug)]
pub struct FrameLog {
    received: Headers,
    sent: Headers,
    /// A line for each frame.
    pub log: Log,
    /// What came last, wanted or not.
    pub last: Last,
}

impl FrameLog {
    /// Keeps lines only if they are wanted.
    pub fn new(wanted: bool) -> Self {
        let (received, sent) = (Headers::default(), Headers::default());
        Self { received, sent, log: Log::new(wanted), last: Last::default() }
    }

    /// The same stream, looked at.
    pub fn over<'a, S>(&'a mut self, stream: &'a mut S) -> Observed<'a, S> {
        Observed { stream, log: self }
    }
}

/// A stream whose frames are noted.
pub struct Observed<'a, S> {
    stream: &'a mut S,
    log: &'a mut FrameLog,
}

impl<S: Read> Read for Observed<'_, S> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(target)?;
        self.log.last.note(&target[..count]);
        if self.log.log.is_wanted() {
            self.log.received.pass(&target[..count], '<', &mut self.log.log);
        }
        Ok(count)
    }
}

impl<S: Write> Write for Observed<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        if self.log.log.is_wanted() {
            self.log.sent.pass(&bytes[..count], '>', &mut self.log.log);
        }
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.log.log.is_wanted() {
            // A part is written as well as the whole.
            return slices.first().map_or(Ok(0), |slice| self.write(slice));
        }
        self.stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Where one direction stands: within a header, or within a payload.
#[derive(Debug, Default)]
struct Headers {
    /// The header so far, at most 14 bytes.
    header: Vec<u8>,
    /// Bytes of the payload that are still to come.
    left: u64,
}

impl Headers {
    fn pass(&mut self, mut bytes: &[u8], whose: char, log: &mut Log) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[skipped..];
            self.left -= skipped as u64;
            let Some((first, rest)) = bytes.split_first() else { return };
            self.header.push(*first);
            bytes = rest;
            if let Some(length) = payload_length(&self.header) {
                let masked = if whose == '<' && self.header[1] & 0x80 != 0 { ", masked" } else { "" };
                let words = Words(self.header[0]);
                log.note(format_args!("{whose} frame: {words}, length {length}{masked}"));
                self.header.clear();
                self.left = length;
            }
        }
    }
}

/// The length of the payload, once the header is complete with its mask (RFC 6455 §5.2).
fn payload_length(header: &[u8]) -> Option<u64> {
    let second = header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if header.len() < 2 + extended + mask {
        return None;
    }
    let number = header[2..2 + extended].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Some(if extended == 0 { u64::from(second & 0x7f) } else { number })
}

/// The first byte of a frame in words.
struct Words(u8);

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 & 0x0f {
            0x0 => f.write_str("continuation"),
            0x1 => f.write_str("text"),
            0x2 => f.write_str("binary"),
            0x8 => f.write_str("close"),
            0x9 => f.write_str("ping"),
            0xa => f.write_str("pong"),
            opcode => write!(f, "opcode 0x{opcode:x}"),
        }?;
        if self.0 & 0x80 == 0 {
            f.write_str(", to be continued")?;
        }
        if self.0 & 0x70 != 0 { f.write_str(", reserved bits set") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_noted_however_the_bytes_are_cut() {
        let mut bytes = vec![0x82, 2, 1, 2, 0x02, 0, 0x80, 126, 0, 200];
        bytes.extend([0x82; 200]);
        bytes.extend([0xc9, 0x81, 9, 9, 9, 9, 0x88, 0x8b, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        let expected = [
            "< frame: binary, length 2",
            "< frame: binary, to be continued, length 0",
            "< frame: continuation, length 200",
            "< frame: ping, reserved bits set, length 1, masked",
            "< frame: opcode 0xb, length 65536",
        ];
        for step in [1, 2, 3, 7, bytes.len()] {
            let mut log = FrameLog::new(true);
            for part in bytes.chunks(step) {
                let mut target = vec![0; part.len()];
                let mut from: &[u8] = part;
                assert_eq!(log.over(&mut from).read(&mut target).unwrap(), part.len());
            }
            let lines: Vec<String> = std::iter::from_fn(|| log.log.take()).collect();
            assert_eq!(lines, expected, "in steps of {step}");
        }
    }

    #[test]
    fn what_we_send_is_noted_without_its_mask() {
        let mut log = FrameLog::new(true);
        let mut sent = Vec::new();
        log.over(&mut sent).write_all(&[0x82, 0x81, 1, 2, 3, 4, 5, 0x88, 0x80, 1, 2, 3, 4]).unwrap();
        assert_eq!(log.log.take().as_deref(), Some("> frame: binary, length 1"));
        assert_eq!(log.log.take().as_deref(), Some("> frame: close, length 0"));
        assert_eq!(sent.len(), 13);
    }
}
