//! A connection with deviations: what passes between the socket and the broker is changed.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::{EndStage, ServerConnection, Service, SocketRoom, is_blocked, write_once};
use crate::broker::deviation::{DeviantEnd, DeviantTraffic, SideEnding};
use crate::broker::limits::LINGER;

/// How long the end of a client is awaited where our side does not end.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

impl ServerConnection {
    /// Gives the bytes of one read to the router, changed if there are deviations.
    pub(super) fn arrive(&mut self, arrived: &[u8], service: &mut Service, now: Instant) {
        let Some(deviant) = &mut self.deviant else {
            return self.understand(arrived, service, now);
        };
        deviant.receive(arrived);
        self.after_deviation(service, now);
    }

    /// Gives the router what has passed, and ends the connection if a deviation does so.
    pub(super) fn after_deviation(&mut self, service: &mut Service, now: Instant) {
        let Some(deviant) = &mut self.deviant else { return };
        let (onward, end) = (deviant.take_onward(), deviant.end());
        if !onward.is_empty() {
            self.understand(&onward, service, now);
        }
        if end.is_some() && !self.has_ended {
            self.lose(&ErrorKind::UnexpectedEof.into(), service, now);
        }
        if end == Some(DeviantEnd::Reset) {
            self.sending.discard();
            self.reset();
            // Our side does not end before that.
            self.sending.stage = EndStage::Written(now);
        }
    }

    /// Ends our side, when all is written.
    pub(super) fn end_side(&mut self, now: Instant) {
        let ending = self.deviant.as_ref().map_or(SideEnding::Whole, |deviant| deviant.ending());
        let patience = match ending {
            SideEnding::Never => FOREVER,
            SideEnding::Whole | SideEnding::WithoutCloseNotify => LINGER,
        };
        match ending {
            SideEnding::Whole => self.socket.end(),
            SideEnding::WithoutCloseNotify => self.socket.shut(),
            SideEnding::Never => {}
        }
        self.sending.stage = EndStage::Written(now + patience);
    }

    /// Writes what the layers below the queue hold: what a deviation has changed, and TLS. The
    /// connection is blocked while the socket does not take all of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let changed = match &mut self.deviant {
            Some(deviant) => {
                if self.sending.queue.is_empty() {
                    deviant.settle();
                }
                flush(&mut self.socket, deviant)?
            }
            None => Flushed::All,
        };
        let flushed = self.socket.flush();
        let written = if is_blocked(&flushed) {
            Flushed::Blocked
        } else {
            flushed?;
            Flushed::All
        };
        if [changed, written].contains(&Flushed::Blocked) {
            self.sending.room = SocketRoom::None;
        } else if self.sending.queue.is_empty() {
            self.sending.room = SocketRoom::Some;
        }
        Ok(())
    }

    /// Whether something that was changed waits to be written.
    pub(super) fn holds_deviant_output(&self) -> bool {
        self.deviant.as_ref().is_some_and(|deviant| !deviant.is_idle())
    }
}

/// Writes bytes once, changed if there are deviations: those that wait are written first.
pub(super) fn put(
    socket: &mut impl Write,
    deviant: Option<&mut DeviantTraffic>,
    bytes: &[u8],
) -> io::Result<Option<usize>> {
    let Some(deviant) = deviant else { return write_once(socket, bytes) };
    if flush(socket, deviant)? == Flushed::Blocked {
        return Ok(None);
    }
    deviant.send(bytes);
    flush(socket, deviant)?;
    Ok(Some(bytes.len()))
}

/// Whether the socket took all that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flushed {
    All,
    Blocked,
}

/// Writes what waits.
fn flush(socket: &mut impl Write, deviant: &mut DeviantTraffic) -> io::Result<Flushed> {
    while !deviant.is_idle() {
        let Some(count) = write_once(socket, deviant.waiting())? else {
            return Ok(Flushed::Blocked);
        };
        deviant.waiting().drain(..count);
    }
    Ok(Flushed::All)
}
