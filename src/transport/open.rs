//! An open WebSocket over a stream: passes bytes from the stream to the frames, and frames to the
//! stream.

use std::io::{self, BufRead, Write};

use bytes::Bytes;

use super::Phase;
use super::error::Error;
use super::stream::Stream;
use crate::websocket::Framing;
use crate::websocket::client::{AlreadyClosed, ClientFrames};

/// The frames, and the end of the stream.
#[derive(Debug)]
pub struct Open {
    frames: ClientFrames,
    /// How the stream ended. An error is reported once.
    end: Option<io::Result<()>>,
}

impl Open {
    /// The WebSocket after the upgrade; see [`ClientFrames::new`].
    pub fn new(max_message: usize, framing: Framing, log: bool) -> Self {
        Self { frames: ClientFrames::new(max_message, framing, log), end: None }
    }

    /// Gives back the buffers in which nothing waits.
    pub fn release_memory(&mut self) {
        self.frames.release_memory();
    }

    /// The next line about a frame.
    pub fn traced(&mut self) -> Option<String> {
        self.frames.traced()
    }

    /// The payload of the first frame if it is text, which no MQTT packet is.
    pub fn first_text(&self) -> Option<String> {
        self.frames.first_text()
    }

    /// Whether the server began with a CONNECT: it sends back what it is sent.
    pub fn has_echoed_connect(&self) -> bool {
        self.frames.has_echoed_connect()
    }

    /// Whether a Pong was received. Each Pong is reported once.
    pub fn take_pong(&mut self) -> bool {
        self.frames.take_pong()
    }

    /// The next payload, never empty and cut anywhere; `None` when all delivered bytes are read.
    /// Ping and Close frames are answered at once.
    pub fn read(&mut self, stream: &mut Stream) -> Result<Option<Bytes>, Error> {
        loop {
            let is_drained = self.fill(stream);
            let next = self.frames.next();
            if self.frames.is_due() {
                // If the answer cannot be sent, the server's bytes still count.
                let _ = self.flush(stream);
            }
            match next {
                Some(next) => return next.map(Some).map_err(Error::from),
                None if !is_drained => {}
                None => {
                    return match self.end.as_mut().map(|end| std::mem::replace(end, Ok(()))) {
                        Some(end) => Err(ended(end)),
                        None => Ok(None),
                    };
                }
            }
        }
    }

    /// Feeds the frames with the bytes that have arrived while they want more. Returns whether all
    /// were fed.
    fn fill(&mut self, stream: &mut Stream) -> bool {
        while self.frames.wants_more() {
            if self.end.is_some() {
                return true;
            }
            match stream.fill_buf() {
                Ok([]) => self.end = Some(Ok(())),
                Ok(arrived) => {
                    let taken = self.frames.feed(arrived);
                    stream.consume(taken);
                    if self.frames.is_due() {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) => self.end = Some(Err(error)),
            }
        }
        false
    }

    /// Buffers `bytes` as binary messages, which are never empty. A full buffer is written at once.
    /// While the wire is congested the rest stays in `bytes`.
    pub fn write(&mut self, stream: &mut Stream, bytes: &mut Bytes) -> Result<(), Error> {
        while !bytes.is_empty() && !stream.wire().is_congested() {
            self.frames.put(bytes).map_err(already_closed)?;
            if self.frames.is_due() {
                self.write_out(stream)?;
            }
        }
        Ok(())
    }

    /// Writes the waiting frames, without a flush of the stream.
    fn write_out(&mut self, stream: &mut Stream) -> Result<(), Error> {
        let written = stream.write_all(self.frames.waiting());
        self.frames.written();
        written.map_err(|error| ended(Err(error.kind().into())))
    }

    /// Writes everything buffered.
    pub fn flush(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.write_out(stream)?;
        stream.flush().map_err(|error| ended(Err(error.kind().into())))
    }

    /// Sends a Ping (RFC 6455 §5.5.2) after everything that waits.
    pub fn ping(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.frames.put_ping().map_err(already_closed)?;
        self.flush(stream)
    }

    /// Puts Close 1000 after the waiting frames, so that one write sends both, unless a failed
    /// write of the Close could then lose the frames, too. In that case [`close`](Self::close)
    /// sends it. Nothing may be sent or read after it.
    pub fn put_close(&mut self) {
        self.frames.put_close_if_little_waits();
    }

    /// Sends Close 1000, once, after everything that waits.
    pub fn close(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.frames.put_close();
        self.flush(stream)
    }
}

/// The error for the end of the stream. TLS passes its own errors through `io::Error`.
fn ended(end: io::Result<()>) -> Error {
    match end.map_err(|error| Error::from_stream(Phase::Open, error)) {
        Ok(()) => Error::Ended { cause: None },
        Err(Error::Io { source, .. }) => Error::Ended { cause: Some(source) },
        Err(tls) => tls,
    }
}

fn already_closed(_: AlreadyClosed) -> Error {
    Error::Ended { cause: None }
}

#[cfg(test)]
mod tests;
