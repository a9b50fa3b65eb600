//! A reader of encoded bytes: they are decoded while they are read, so that only they take memory.

use std::io::{self, ErrorKind, Read};

use super::stdin::BLOCK;
use crate::format::decoder::{NotEncoded, TextDecoder};
use crate::format::encoding::Encoding;

/// Reads the bytes that a text stands for.
pub struct DecodedReader<R> {
    /// `None` after its end.
    reader: Option<R>,
    decoder: TextDecoder,
    text: Vec<u8>,
    /// Bytes that were not taken from `at` on.
    decoded: Vec<u8>,
    at: usize,
}

impl<R: Read> DecodedReader<R> {
    /// The bytes of the text that `reader` gives.
    pub fn new(reader: R, encoding: Encoding) -> Self {
        Self {
            reader: Some(reader),
            decoder: TextDecoder::new(encoding),
            text: vec![0; BLOCK],
            decoded: Vec::new(),
            at: 0,
        }
    }
}

impl<R: Read> Read for DecodedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.decoded.len()
            && let Some(reader) = &mut self.reader
        {
            let count = reader.read(&mut self.text)?;
            self.decoded.clear();
            self.at = 0;
            let decoded = if count == 0 {
                self.reader = None;
                self.decoder.finish(&mut self.decoded)
            } else {
                self.decoder.push(&self.text[..count], &mut self.decoded)
            };
            decoded.map_err(invalid)?;
        }
        let ready = &self.decoded[self.at..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.at += count;
        Ok(count)
    }
}

fn invalid(error: NotEncoded) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_read_to_its_end() {
        let text = "00ff ".repeat(100_000);
        let mut decoded = Vec::new();
        let mut reader = DecodedReader::new(text.as_bytes(), Encoding::Hex);
        reader.read_to_end(&mut decoded).expect("digits");
        assert_eq!(decoded, [0, 0xff].repeat(100_000));
        let error = DecodedReader::new(&b"0"[..], Encoding::Hex).read_to_end(&mut decoded);
        assert_eq!(error.expect_err("too short").kind(), ErrorKind::InvalidData);
    }
}
