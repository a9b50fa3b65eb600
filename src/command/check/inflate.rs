//! Undoes the compression of messages (RFC 7692 §7.2.2), whose window is kept from one to the next.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// What a sender leaves out at the end of each message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How much one message may hold, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;

/// Reads compressed messages.
pub struct Inflater {
    state: Box<InflateState>,
    /// How much of the message has been read, in bytes.
    length: usize,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { state: InflateState::new_boxed(DataFormat::Raw), length: 0 }
    }
}

impl Inflater {
    /// What this piece of a message holds; `ends` tells that it is the last.
    pub fn feed(&mut self, piece: &[u8], ends: bool) -> Result<Vec<u8>, &'static str> {
        let mut plain = Vec::new();
        self.read(piece, &mut plain)?;
        if ends {
            self.read(&TAIL, &mut plain)?;
            self.length = 0;
        }
        Ok(plain)
    }

    fn read(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), &'static str> {
        let mut buffer = [0; 8 * 1024];
        loop {
            let done = inflate(&mut self.state, bytes, &mut buffer, MZFlush::None);
            plain.extend_from_slice(&buffer[..done.bytes_written]);
            self.length += done.bytes_written;
            bytes = &bytes[done.bytes_consumed..];
            if self.length > LARGEST {
                return Err("a compressed message of more than 32 MiB");
            }
            match done.status {
                // A last block, though more follow (§7.2.3.5).
                Ok(MZStatus::StreamEnd) => self.state.reset(DataFormat::Raw),
                Ok(_) if done.bytes_written == buffer.len() || !bytes.is_empty() => {}
                Ok(_) => return Ok(()),
                Err(MZError::Buf) if bytes.is_empty() => return Ok(()),
                Err(_) => return Err("the compressed bytes are no DEFLATE"),
            }
            if bytes.is_empty() && done.bytes_written < buffer.len() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 7692 §7.2.3.1, §7.2.3.2 (the window is kept), §7.2.3.3 and §7.2.3.4.
        let mut inflater = Inflater::default();
        let messages: [&[u8]; 4] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        ];
        for message in messages {
            assert_eq!(inflater.feed(message, true).unwrap(), b"Hello", "{message:x?}");
        }
    }

    #[test]
    fn a_message_may_be_cut_anywhere() {
        let mut inflater = Inflater::default();
        let message = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        for _ in 0..2 {
            let mut plain = Vec::new();
            for (at, byte) in message.iter().enumerate() {
                plain.extend(inflater.feed(&[*byte], at + 1 == message.len()).unwrap());
            }
            assert_eq!(plain, b"Hello");
        }
        assert!(inflater.feed(&[0x07, 0xff], true).is_err());
    }
}
