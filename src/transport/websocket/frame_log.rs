//! The headers of frames as they pass, for `-dd`: the WebSocket library shows whole messages only.
//! It must never change a byte, nor look at a payload.

use std::io::{self, IoSlice, Read, Write};

use super::header::Header;
use crate::transport::log::Log;

/// What passes in both directions.
#[derive(Debug)]
pub struct FrameLog {
    sent: Sent,
    /// A line for each frame.
    pub log: Log,
}

impl FrameLog {
    /// Keeps lines only if they are wanted.
    pub fn new(wanted: bool) -> Self {
        Self { sent: Sent::default(), log: Log::new(wanted) }
    }

    /// The header of a frame that came.
    #[inline]
    pub fn received(&mut self, header: Header) {
        if self.log.is_wanted() {
            let masked = if header.masked { ", masked" } else { "" };
            self.log.note(format_args!("< frame: {header}{masked}"));
        }
    }

    /// The same stream; what is written to it is looked at.
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
        self.stream.read(target)
    }
}

impl<S: Write> Write for Observed<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        if self.log.log.is_wanted() {
            self.log.sent.pass(&bytes[..count], &mut self.log.log);
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

/// Where what we send stands: within a header, or within a payload.
#[derive(Debug, Default)]
struct Sent {
    /// The header so far.
    header: Vec<u8>,
    /// Bytes of the payload that are still to come.
    left: u64,
}

impl Sent {
    fn pass(&mut self, mut bytes: &[u8], log: &mut Log) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[skipped..];
            self.left -= skipped as u64;
            let Some((first, rest)) = bytes.split_first() else { return };
            self.header.push(*first);
            bytes = rest;
            if let Some(header) = Header::read(&self.header) {
                log.note(format_args!("> frame: {header}"));
                self.header.clear();
                self.left = header.payload;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_send_is_noted_without_its_mask() {
        let mut log = FrameLog::new(true);
        let mut sent = Vec::new();
        log.over(&mut sent)
            .write_all(&[0x82, 0x81, 1, 2, 3, 4, 5, 0x88, 0x80, 1, 2, 3, 4])
            .unwrap();
        assert_eq!(log.log.take().as_deref(), Some("> frame: binary, length 1"));
        assert_eq!(log.log.take().as_deref(), Some("> frame: close, length 0"));
        assert_eq!(sent.len(), 13);
    }
}
