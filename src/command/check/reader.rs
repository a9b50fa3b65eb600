//! The server's frames, read strictly: what breaks RFC 6455 is noted, and reading goes on.

use bytes::{Buf, Bytes, BytesMut};

use super::finding::CloseFrame;
use super::packets::Legibility;
use super::wire::{PING, PONG};
use crate::websocket::frame::{self, BINARY, CLOSE, CONTINUATION, FrameHeader, TEXT};

/// The longest frame that is read, in bytes; what claims to be longer is no frame.
const LONGEST: u64 = 32 * 1024 * 1024;

/// The reserved bit of a compressed message (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A frame of data.
    Data {
        /// Its payload.
        payload: Bytes,
        /// It begins a message.
        begins: bool,
        /// It ends one.
        ends: bool,
        /// The message is compressed.
        compressed: bool,
        /// Its header in words.
        words: String,
    },
    /// A Ping.
    Ping(Bytes),
    /// A Pong.
    Pong(Bytes),
    /// A Close frame.
    Close(CloseFrame),
    /// Something that breaks a rule, beside what it belongs to.
    Violation {
        /// The observed point that it fails.
        point: &'static str,
        /// It in words.
        words: String,
    },
    /// What follows cannot be read.
    Spoilt(String),
}

/// Whether compression was agreed to (RFC 7692).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// It was not: its bit is illegal.
    #[default]
    None,
    /// It was.
    Agreed,
}

/// Reads frames from bytes that may be cut anywhere.
#[derive(Debug, Default)]
pub struct FrameReader {
    bytes: BytesMut,
    /// Whether compression was agreed to.
    pub compression: Compression,
    /// A message has begun and not ended; whether it is compressed.
    open: Option<bool>,
    legibility: Legibility,
}

impl FrameReader {
    /// Takes bytes, and gives what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.legibility == Legibility::Spoilt {
            return heard;
        }
        self.bytes.extend_from_slice(bytes);
        while let Some(header) = FrameHeader::read(&self.bytes) {
            if header.payload > LONGEST {
                self.legibility = Legibility::Spoilt;
                heard.push(Heard::Spoilt(format!("a frame that claims {} bytes", header.payload)));
                break;
            }
            // It is less than the limit.
            let length = header.length + usize::try_from(header.payload).unwrap_or(usize::MAX);
            if self.bytes.len() < length {
                break;
            }
            let mut frame = self.bytes.split_to(length);
            let shown = super::journal::hex(&frame[..header.length]);
            frame.advance(header.length);
            if let Some(key) = header.key {
                frame::unmask(&mut frame, key);
                let words = format!("a masked frame: {header} ({shown})");
                heard.push(Heard::Violation { point: "never-masked", words });
            }
            self.judge(&header, &shown, &mut heard);
            self.take(header, frame.freeze(), &mut heard);
        }
        heard
    }

    /// What breaks the rules of a header (RFC 6455 §5.2, §5.4, §5.5).
    fn judge(&mut self, header: &FrameHeader, shown: &str, heard: &mut Vec<Heard>) {
        let mut wrong = |words: &str| {
            let words = format!("{words}: {header} ({shown})");
            heard.push(Heard::Violation { point: "frames-legal", words });
        };
        let is_control = header.opcode() >= CLOSE;
        let starts = matches!(header.opcode(), TEXT | BINARY);
        let is_agreed = self.compression == Compression::Agreed;
        let allowed = if is_agreed && starts { COMPRESSED } else { 0 };
        if header.first & 0x70 & !allowed != 0 {
            wrong("a reserved bit that nobody agreed to");
        }
        if !matches!(header.opcode(), CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            wrong("an unknown opcode");
        }
        if !header.is_minimal() {
            wrong("a length in more bytes than it needs");
        }
        if is_control && (!header.is_final() || header.payload > 125) {
            wrong("a control frame in fragments, or of more than 125 bytes");
        }
        if header.opcode() == CONTINUATION && self.open.is_none() {
            wrong("a continuation of nothing");
        }
        if starts && self.open.is_some() {
            wrong("a new message inside a fragmented one");
        }
    }

    fn take(&mut self, header: FrameHeader, payload: Bytes, heard: &mut Vec<Heard>) {
        let words = header.to_string();
        match header.opcode() {
            PING => heard.push(Heard::Ping(payload)),
            PONG => heard.push(Heard::Pong(payload)),
            CLOSE => {
                let close = read_close(&payload, heard);
                heard.push(Heard::Close(close));
            }
            opcode @ (TEXT | BINARY | CONTINUATION) => {
                if opcode == TEXT {
                    let shown = super::journal::hex(&payload);
                    let words = format!("a text frame: {words} ({shown})");
                    heard.push(Heard::Violation { point: "binary-only", words });
                }
                let begins = opcode != CONTINUATION;
                let compressed = match self.open {
                    Some(compressed) if !begins => compressed,
                    _ => self.compression == Compression::Agreed && header.first & COMPRESSED != 0,
                };
                let ends = header.is_final();
                self.open = (!ends).then_some(compressed);
                heard.push(Heard::Data { payload, begins, ends, compressed, words });
            }
            // Reserved opcodes (RFC 6455 §5.2): noted as unknown with the header, and no data.
            3..=7 | 0xb.. => {}
        }
    }
}

/// The content of a Close frame; what is illegal about it is noted (§5.5.1, §7.4).
fn read_close(payload: &[u8], heard: &mut Vec<Heard>) -> CloseFrame {
    let mut wrong = |words: String| {
        let point = "close-code-legal";
        let shown = super::journal::hex(payload);
        heard.push(Heard::Violation { point, words: format!("{words} ({shown})") });
    };
    let Some((code, reason)) = payload.split_first_chunk() else {
        if !payload.is_empty() {
            wrong("a Close frame of one byte".to_owned());
        }
        return CloseFrame { code: None, reason: String::new() };
    };
    let code = u16::from_be_bytes(*code);
    if !frame::is_close_code(code) {
        wrong(format!("Close with the code {code}"));
    }
    if std::str::from_utf8(reason).is_err() {
        wrong("Close with a reason that is not UTF-8".to_owned());
    }
    CloseFrame { code: Some(code), reason: String::from_utf8_lossy(reason).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::check::wire::{Frame, Length, Mask};

    fn heard(frame: &Frame) -> Vec<Heard> {
        FrameReader::default().feed(&frame.bytes([1, 2, 3, 4]))
    }

    fn violations(bytes: &[u8]) -> Vec<String> {
        let mut reader = FrameReader::default();
        let heard = bytes.iter().flat_map(|byte| reader.feed(&[*byte])).collect::<Vec<_>>();
        let of = |heard| match heard {
            Heard::Violation { point, words } => Some(format!("{point}: {words}")),
            _ => None,
        };
        heard.into_iter().filter_map(of).collect()
    }

    fn plain(frame: Frame) -> Frame {
        frame.with_mask(Mask::None)
    }

    #[test]
    fn legal_frames_are_read_however_they_are_cut() {
        let frames = [
            plain(Frame::binary(*b"ab")).unfinished(),
            plain(Frame::ping(*b"p")),
            plain(Frame::continuation(*b"c")),
            plain(Frame::close(1000, b"bye")),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes([0; 4])).collect();
        assert_eq!(violations(&bytes), [""; 0]);
        let heard = FrameReader::default().feed(&bytes);
        let close = CloseFrame { code: Some(1000), reason: "bye".to_owned() };
        assert_eq!(heard.len(), 4);
        assert_eq!(heard[3], Heard::Close(close));
        let Heard::Data { payload, begins: false, ends: true, compressed: false, .. } = &heard[2]
        else {
            panic!("{heard:?}")
        };
        assert_eq!(&payload[..], b"c");
    }

    #[test]
    fn each_violation_is_noted_for_its_point() {
        let masked = heard(&Frame::binary(*b"x"));
        let Heard::Violation { point: "never-masked", .. } = masked[0] else {
            panic!("{masked:?}")
        };
        for (frame, point) in [
            (Frame::text(*b"x"), "binary-only"),
            (Frame::binary(*b"x").with_bits(0x40), "frames-legal"),
            (Frame::new(0x3, *b"x"), "frames-legal"),
            (Frame::new(0xb, *b"x"), "frames-legal"),
            (Frame::binary(*b"x").with_length(Length::Two), "frames-legal"),
            (Frame::binary(*b"x").with_length(Length::Eight), "frames-legal"),
            (Frame::ping(*b"x").unfinished(), "frames-legal"),
            (Frame::ping([0; 126]), "frames-legal"),
            (Frame::continuation(*b"x"), "frames-legal"),
            (Frame::close(1005, b""), "close-code-legal"),
            (Frame::close(1000, b"\xff"), "close-code-legal"),
            (Frame::new(CLOSE, *b"x"), "close-code-legal"),
        ] {
            let found = violations(&plain(frame.clone()).bytes([0; 4]));
            assert!(found.len() == 1 && found[0].starts_with(point), "{frame:?}: {found:?}");
        }
        let claimed = plain(Frame::binary(*b"x").with_length(Length::Claimed(1 << 63)));
        assert!(matches!(heard(&claimed)[..], [Heard::Spoilt(_)]));
    }
}
