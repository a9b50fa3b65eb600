//! A server that does not read: what we have to say waits, and meanwhile we hear it, the clock and
//! the signals. Whether it still counts as connected is decided here; it must never know what the
//! bytes mean.

use std::io;
use std::time::{Duration, Instant};

use super::ending::{FAREWELL, HASTE};
use super::mailbox::{Mail, SocketMail};
use super::{Client, Error, earliest};
use crate::transport::{self, Phase, Transport};

/// A server that reads nothing for so long is lost, whatever the keep alive.
const LONGEST: Duration = Duration::from_secs(20);

impl Client {
    /// Waits for the next piece of mail until `deadline` at the most; the socket has one, too, when
    /// it takes something of what waits to be written.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Option<Mail> {
        let writing = self.is_congested();
        self.mailbox.wait(deadline, writing)
    }

    /// Sends what there is to send, as far as the server reads it.
    pub fn send(&mut self) {
        self.gather();
        if let Some(transport) = self.transport.as_mut().filter(|_| self.failing.is_none()) {
            let result = transport.flush();
            self.note_failure(result);
        }
        self.trace();
    }

    /// The same for who has more to send at once: what does not fill a write leaves with that, or
    /// before the next wait.
    pub fn gather(&mut self) {
        let Some(transport) = self.transport.as_mut().filter(|_| self.failing.is_none()) else {
            return;
        };
        let mut result = Ok(());
        while !transport.is_congested()
            && result.is_ok()
            && let Some(piece) = self.session.outgoing(self.now)
        {
            result = transport.write(piece);
        }
        self.note_failure(result);
    }

    pub(super) fn note_failure(&mut self, result: Result<(), transport::Error>) {
        if let Err(error) = result {
            self.failing.get_or_insert((error, Instant::now() + FAREWELL));
        }
    }

    /// Goes on with what waits to be written.
    pub(super) fn push(&mut self) {
        let pushed = self.transport.as_mut().map_or(Ok(()), Transport::push);
        self.note_failure(pushed);
    }

    pub(super) fn is_congested(&self) -> bool {
        self.transport.as_ref().is_some_and(Transport::is_congested)
    }

    fn stuck_since(&self) -> Option<Instant> {
        self.transport.as_ref().and_then(Transport::stuck_since)
    }

    /// When a server that reads nothing counts as lost: when it should have cut us off for our
    /// silence `[MQTT-3.1.2-22]`.
    pub(super) fn stuck_until(&self) -> Option<Instant> {
        let since = self.stuck_since()?;
        let silence = self.session.keep_alive().map_or(LONGEST, |keep_alive| keep_alive * 3 / 2);
        Some(since + silence.min(LONGEST))
    }

    /// Gives up sending when that moment has passed. What the server has said before is still
    /// heard.
    pub(super) fn give_up_when_stuck(&mut self) {
        if self.stuck_until().is_some_and(|until| until <= Instant::now()) {
            self.give_up_sending();
        }
    }

    fn give_up_sending(&mut self) {
        if let Some(transport) = &mut self.transport {
            transport.give_up();
        }
        let source = io::ErrorKind::TimedOut.into();
        self.note_failure(Err(transport::Error::Io { phase: Phase::Open, source }));
    }

    /// Sends all there is to send, as long as the server goes on reading and nobody hurries us.
    pub(super) fn send_everything(&mut self) -> Result<(), Error> {
        let (mut end, mut signal) = (None, None);
        loop {
            self.send();
            if let Some((error, _)) = self.failing.take() {
                return Err(signal.map_or(Error::Lost(error), Error::Interrupted));
            }
            if !self.is_congested() {
                return Ok(());
            }
            let haste = self.hurried.then(|| {
                let end = *end.get_or_insert_with(|| Instant::now() + FAREWELL);
                self.stuck_since().map_or(end, |since| end.min(since + HASTE))
            });
            match self.wait(earliest(self.stuck_until(), haste)) {
                Some(Mail::Socket(SocketMail::Bytes(chunk))) => self.mailbox.recycle(chunk),
                Some(Mail::Socket(SocketMail::Writable)) => self.push(),
                Some(Mail::Signal(number)) => {
                    signal = Some(number);
                    self.hurry();
                }
                _ => {}
            }
            if haste.is_some_and(|end| end <= Instant::now()) {
                self.give_up_sending();
            }
            self.give_up_when_stuck();
        }
    }
}
