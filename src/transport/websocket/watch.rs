//! Frames as they pass between the wire and tungstenite. MQTT does not care where a message ends
//! `[MQTT-6.0.0-2]`, but tungstenite holds a message back until it has the whole of it: so fragments, and the
//! parts of a long frame, are passed to it as messages of their own, and no server can make us hold more than
//! the MQTT packet that it sends. For `-dd` each frame is noted as it came. No payload is looked at.

use std::io::{self, IoSlice, Read, Write};

use super::WebSocketError;
use super::header::{BINARY, CONTINUATION, Header, TEXT};
use super::last::Last;
use crate::transport::log::Log;

/// The longest message that tungstenite gets, in bytes.
const PIECE: usize = 256 * 1024;

/// The first byte of a binary message in one frame.
const WHOLE_BINARY: u8 = 0x80 | BINARY;

/// The first byte of a frame that tungstenite refuses: what is wrong with it is known already.
const REFUSED: u8 = 0x83;

/// How many of the first bytes are kept.
const FIRST: usize = 32;

/// What passes in both directions.
#[derive(Debug)]
pub struct Watch {
    /// The largest message of the server, in bytes.
    limit: u64,
    /// How much of the payload of a frame is still to come.
    left: u64,
    /// How much of the piece of a long frame is still to come; none outside of such a frame.
    piece: Option<usize>,
    /// The length so far of a message that is not complete.
    message: Option<u64>,
    /// A header of which the end has not arrived.
    held: Vec<u8>,
    /// A header that is passed on next.
    ready: Vec<u8>,
    sent: Sent,
    /// What the server said first, as far as it is kept.
    pub first: Vec<u8>,
    /// What is wrong with the frame that tungstenite will refuse.
    pub fault: Option<WebSocketError>,
    /// A line for each frame, if any are wanted.
    pub log: Log,
    /// What came last.
    pub last: Last,
}

impl Watch {
    /// Frames of a server whose messages may have `limit` bytes; `log` asks for a line about each.
    pub fn new(limit: usize, log: bool) -> Self {
        Self {
            limit: limit as u64,
            left: 0,
            piece: None,
            message: None,
            held: Vec::new(),
            ready: Vec::new(),
            sent: Sent::default(),
            first: Vec::new(),
            fault: None,
            log: Log::new(log),
            last: Last::default(),
        }
    }

    /// `stream`, watched.
    pub fn over<'a, S>(&'a mut self, stream: &'a mut S) -> Watched<'a, S> {
        Watched { stream, watch: self }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.last.note(bytes);
        let missing = FIRST.saturating_sub(self.first.len()).min(bytes.len());
        self.first.extend_from_slice(&bytes[..missing]);
    }

    /// Payload of a long frame.
    fn go_on(&mut self, count: usize) {
        self.left -= count as u64;
        self.piece = self.piece.map(|piece| piece - count).filter(|_| self.left > 0);
    }

    /// Whole frames, but for the first and the last one; not within a long frame. Changes headers, and
    /// returns how many bytes may be passed on: an incomplete header may not.
    fn pass(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
            self.left -= skipped as u64;
            at += skipped;
            if at == bytes.len() {
                return at;
            }
            let Some(header) = Header::read(&bytes[at..]) else {
                self.held.extend_from_slice(&bytes[at..]);
                return at;
            };
            let end = at + header.size;
            self.judge(header, &mut bytes[at..end]);
            at = end;
            if self.piece.is_some() {
                self.go_on(bytes.len() - at);
                return bytes.len();
            }
        }
    }

    /// Begins a frame; `bytes` is its header, to be changed into what tungstenite is to see.
    fn judge(&mut self, header: Header, bytes: &mut [u8]) {
        let masked = if header.masked { ", masked" } else { "" };
        self.log.note(format_args!("< frame: {header}{masked}"));
        self.left = header.length;
        match self.verdict(header) {
            Ok(first) => bytes[0] = first,
            Err(fault) => {
                self.fault.get_or_insert(fault);
                bytes[0] = REFUSED;
            }
        }
        if bytes[0] == WHOLE_BINARY && !header.masked && header.length > PIECE as u64 {
            bytes[2..].copy_from_slice(&(PIECE as u64).to_be_bytes());
            self.piece = Some(PIECE);
        }
    }

    /// The first byte for tungstenite, which finds out by itself what is wrong with most frames.
    fn verdict(&mut self, header: Header) -> Result<u8, WebSocketError> {
        let broken = |words: &str| Err(WebSocketError::Protocol(words.to_owned()));
        if header.masked || header.has_reserved_bits() {
            return Ok(header.first);
        } else if header.length >> 63 != 0 {
            return broken("a frame length of 2^63 bytes or more");
        } else if !header.is_minimal() {
            return broken("a frame length that is longer than it must be");
        }
        match (header.first & 0x0f, self.message) {
            (TEXT, _) => Err(WebSocketError::TextFrame),
            (BINARY, Some(_)) => broken("a new message before the end of another"),
            (BINARY, None) | (CONTINUATION, Some(_)) => {
                let size = self.message.unwrap_or(0).saturating_add(header.length);
                if size > self.limit {
                    return Err(WebSocketError::TooLarge { size, limit: self.limit });
                }
                self.message = (!header.is_last()).then_some(size);
                Ok(WHOLE_BINARY)
            }
            _ => Ok(header.first),
        }
    }
}

/// A stream whose frames are watched.
pub struct Watched<'a, S> {
    stream: &'a mut S,
    watch: &'a mut Watch,
}

impl<S: Read> Watched<'_, S> {
    /// Reads the end of a header, byte by byte: it is rare that one is cut.
    fn complete_header(&mut self) -> io::Result<bool> {
        loop {
            let mut byte = [0];
            if self.stream.read(&mut byte)? == 0 {
                return Ok(false);
            }
            self.watch.note(&byte);
            self.watch.held.push(byte[0]);
            if let Some(header) = Header::read(&self.watch.held) {
                let mut bytes = std::mem::take(&mut self.watch.held);
                self.watch.judge(header, &mut bytes);
                self.watch.ready = bytes;
                return Ok(true);
            }
        }
    }
}

impl<S: Read> Read for Watched<'_, S> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.watch.piece == Some(0) {
                let piece = usize::try_from(self.watch.left).unwrap_or(usize::MAX).min(PIECE);
                self.watch.ready = Header::write(WHOLE_BINARY, piece as u64);
                self.watch.piece = Some(piece);
            }
            if !self.watch.ready.is_empty() {
                let count = self.watch.ready.len().min(target.len());
                target[..count].copy_from_slice(&self.watch.ready[..count]);
                self.watch.ready.drain(..count);
                return Ok(count);
            }
            if !self.watch.held.is_empty() {
                if self.complete_header()? {
                    continue;
                }
                return Ok(0);
            }
            let room = target.len().min(self.watch.piece.unwrap_or(PIECE));
            let count = self.stream.read(&mut target[..room])?;
            self.watch.note(&target[..count]);
            if self.watch.piece.is_some() {
                self.watch.go_on(count);
                return Ok(count);
            }
            let passed = self.watch.pass(&mut target[..count]);
            if passed > 0 || count == 0 {
                return Ok(passed);
            }
        }
    }
}

impl<S: Write> Write for Watched<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        if self.watch.log.is_wanted() {
            self.watch.sent.pass(&bytes[..count], &mut self.watch.log);
        }
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.watch.log.is_wanted() {
            // A part is written as well as the whole.
            return slices.first().map_or(Ok(0), |slice| self.write(slice));
        }
        self.stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Where our own frames stand.
#[derive(Debug, Default)]
struct Sent {
    header: Vec<u8>,
    left: u64,
}

impl Sent {
    fn pass(&mut self, mut bytes: &[u8], log: &mut Log) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= skipped as u64;
            bytes = &bytes[skipped..];
            let Some((first, rest)) = bytes.split_first() else { return };
            self.header.push(*first);
            bytes = rest;
            if let Some(header) = Header::read(&self.header) {
                log.note(format_args!("> frame: {header}"));
                self.header.clear();
                self.left = header.length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tungstenite sees of `bytes`, which arrive in steps.
    fn seen(watch: &mut Watch, bytes: &[u8], step: usize) -> Vec<u8> {
        let mut seen = Vec::new();
        for mut part in bytes.chunks(step) {
            let mut target = vec![0; 16 * 1024];
            loop {
                match watch.over(&mut part).read(&mut target).unwrap() {
                    0 => break,
                    count => seen.extend_from_slice(&target[..count]),
                }
            }
        }
        seen
    }

    #[test]
    fn fragments_become_messages_however_the_bytes_are_cut() {
        let mut bytes = vec![0x82, 2, 1, 2, 0x02, 0, 0x89, 1, 7, 0x00, 1, 8, 0x80, 126, 0, 200];
        bytes.extend([0x82; 200]);
        bytes.extend([0x8b, 0]);
        let mut expected = bytes.clone();
        (expected[4], expected[9], expected[12]) = (0x82, 0x82, 0x82);
        let lines = [
            "< frame: binary, length 2",
            "< frame: binary, to be continued, length 0",
            "< frame: ping, length 1",
            "< frame: continuation, to be continued, length 1",
            "< frame: continuation, length 200",
            "< frame: opcode 0xb, length 0",
        ];
        for step in [1, 2, 3, 5, 7, bytes.len()] {
            let mut watch = Watch::new(1000, true);
            assert_eq!(seen(&mut watch, &bytes, step), expected, "in steps of {step}");
            let told: Vec<String> = std::iter::from_fn(|| watch.log.take()).collect();
            assert_eq!(told, lines, "in steps of {step}");
        }
    }

    #[test]
    fn a_long_frame_becomes_pieces() {
        let payload: Vec<u8> = (0..2 * PIECE + 70_000).map(|number| number.to_le_bytes()[0]).collect();
        let mut bytes = Header::write(WHOLE_BINARY, payload.len() as u64);
        bytes.extend(&payload);
        bytes.extend([0x82, 1, 5]);
        for step in [1, 9, 4096, 100_000, bytes.len()] {
            let mut left = &seen(&mut Watch::new(1 << 20, false), &bytes, step)[..];
            let mut got = Vec::new();
            let mut lengths = Vec::new();
            while let Some(header) = Header::read(left) {
                let end = header.size + usize::try_from(header.length).unwrap();
                assert!(header.is_minimal() && header.first == WHOLE_BINARY, "{header}");
                lengths.push(end - header.size);
                got.extend_from_slice(&left[header.size..end]);
                left = &left[end..];
            }
            assert_eq!(lengths, [PIECE, PIECE, 70_000, 1], "in steps of {step}");
            assert_eq!(got, [&payload[..], &[5]].concat());
        }
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_known() {
        let fault = |bytes: &[u8]| {
            let mut watch = Watch::new(1000, false);
            let seen = seen(&mut watch, bytes, bytes.len());
            let refused = seen.contains(&REFUSED);
            assert_eq!(refused, watch.fault.is_some());
            watch.fault.map(|fault| fault.to_string()).unwrap_or_default()
        };
        for (bytes, words) in [
            (&[0x81, 0][..], "text frame"),
            (&[0x01, 0], "text frame"),
            (&[0x02, 0, 0x82, 0], "a new message before the end of another"),
            (&[0x82, 126, 3, 233], "a WebSocket message of 1001 bytes"),
            (&[0x02, 126, 3, 232, 0x80, 1], ""),
            (&[0x82, 126, 0, 5], "longer than it must be"),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], "2^63"),
            (&[0x80, 0], ""),
            (&[0xc2, 0], ""),
        ] {
            assert!(fault(bytes).contains(words), "{bytes:x?}: {}", fault(bytes));
        }
    }

    #[test]
    fn what_we_send_is_noted() {
        let mut watch = Watch::new(1000, true);
        let mut sent = Vec::new();
        let bytes = [0x82, 0x81, 1, 2, 3, 4, 5, 0x88, 0x80, 1, 2, 3, 4];
        watch.over(&mut sent).write_all(&bytes).unwrap();
        assert_eq!(watch.log.take().as_deref(), Some("> frame: binary, length 1"));
        assert_eq!(watch.log.take().as_deref(), Some("> frame: close, length 0"));
        assert_eq!(sent, bytes);
    }
}
