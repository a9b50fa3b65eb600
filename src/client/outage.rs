//! A lost connection and its mending: wait, try, and take up the session where it was.

use std::time::{Duration, Instant};

use super::ending::FAREWELL;
use super::error::Error;
use super::{Client, Established, Event};
use crate::mqtt::session;

/// A connection that stood for so long was worth having, even if nothing came over it.
const WORTH: Duration = Duration::from_secs(10);

/// The time between a loss and its mending.
#[derive(Debug)]
pub struct Outage {
    since: Instant,
    attempts: u32,
    next_try: Instant,
}

impl Outage {
    /// When the next try is due.
    pub fn next_try(&self) -> Instant {
        self.next_try
    }
}

impl Client {
    /// A warning may be written to where nobody reads.
    pub(super) fn warn(&self, line: &str) {
        self.guard();
        (self.options.warn)(line);
    }

    /// Connects for the first time. `--wait` says for how long an address that does not answer yet
    /// is tried.
    pub(super) fn connect_patiently(&mut self) -> Result<Established, Error> {
        let patience = Instant::now() + self.options.wait;
        let mut attempt = 0;
        loop {
            let deadline = Instant::now() + self.options.connect_timeout;
            let error = match self.establish(deadline) {
                Ok(established) => return Ok(established),
                Err(error) => error,
            };
            let retry = Instant::now() + self.options.reconnect.delay(attempt, fastrand::f64());
            if !error.is_mendable() || retry >= patience {
                return Err(error);
            }
            if attempt == 0 {
                self.warn(&format!("waiting for {}: {error}", self.options.endpoint));
            }
            attempt += 1;
            self.rest(retry)?;
        }
    }

    /// The connection failed: begins an outage, or ends with the error if nothing is to be mended.
    pub(super) fn suffer(&mut self, error: Error) -> Result<(), Error> {
        let attempts = if self.since.elapsed() < WORTH { self.fruitless } else { 0 };
        if !error.is_mendable()
            || !self.options.reconnect.allows(0)
            || self.session.loss_cuts_message()
        {
            if error.is_mendable() {
                self.session.lost();
            }
            return Err(error);
        }
        if !self.options.reconnect.allows(attempts) {
            return Err(Error::NotMended { last: Box::new(error), tries: attempts });
        }
        self.transport = None;
        self.failing = None;
        self.asked = None;
        self.session.lost();
        let now = Instant::now();
        self.warn(&format!("{error}; trying again"));
        let delay = self.options.reconnect.delay(attempts, fastrand::f64());
        self.outage = Some(Outage { since: now, attempts, next_try: now + delay });
        Ok(())
    }

    /// Tries to end the outage when the time has come.
    pub(super) fn mend(&mut self, alarm: Option<Instant>) -> Result<Option<Event>, Error> {
        let Some(outage) = self.outage.as_mut().filter(|outage| outage.next_try <= self.now) else {
            return Ok(None);
        };
        outage.attempts += 1;
        let (attempts, since) = (outage.attempts, outage.since);
        let deadline = self.now + self.options.connect_timeout;
        match self.establish(alarm.map_or(deadline, |alarm| alarm.min(deadline))) {
            Ok(established) => {
                self.outage = None;
                self.since = Instant::now();
                self.fruitless = attempts;
                self.tell_mended(&established, since.elapsed());
                Ok(Some(Event::Reconnected))
            }
            Err(error) if !error.is_mendable() => Err(error),
            Err(error) if !self.options.reconnect.allows(attempts) => {
                Err(Error::NotMended { last: Box::new(error), tries: attempts })
            }
            Err(_) => {
                self.transport = None;
                self.session.lost();
                let next_try =
                    Instant::now() + self.options.reconnect.delay(attempts, fastrand::f64());
                self.outage = Some(Outage { since, attempts, next_try });
                Ok(None)
            }
        }
    }

    fn tell_mended(&self, established: &Established, after: Duration) {
        let session =
            if established.connack.session_present { "session resumed" } else { "new session" };
        self.warn(&format!("connected again after {:.1} s, {session}", after.as_secs_f64()));
    }

    /// Waits; a signal ends it.
    fn rest(&mut self, until: Instant) -> Result<(), Error> {
        while let Some(mail) = self.wait(Some(until)) {
            match self.deliver(mail) {
                Some(Event::Interrupted(signal)) => return Err(Error::Interrupted(signal)),
                event => self.pending.extend(event),
            }
        }
        Ok(())
    }

    /// Gives up after `error`. A session that nobody will take up any more is ended, if that can be
    /// done soon.
    pub fn abandon(mut self, error: &Error) {
        if matches!(error, Error::Unanswered { .. }) {
            self.hurry();
            // What it is asked no more does not matter.
            let _ = self.close();
            return;
        }
        // It was the connection before this one that was lost.
        if matches!(error, Error::MessageTorn { .. }) && self.session.is_online() {
            return drop(self.close());
        }
        // A DISCONNECT has ended it already.
        let is_told =
            matches!(error, Error::Violation(_)) && self.session.config().version.has_properties();
        if error.leaves_session() && !is_told && self.session.stays_at_server() {
            self.end_session(FAREWELL);
        }
    }

    /// Ends a session that the server would keep although nobody wants it any more: before MQTT 5
    /// only a connection with Clean Session does that, and later a connection that was lost could
    /// not. Best effort: what was asked is done.
    pub(super) fn clear_remains(&mut self, is_told: bool) {
        if self.session.leaves_remains() && is_told && !self.hurried {
            self.end_session(self.options.connect_timeout);
        } else if self.session.leaves_remains() || (!is_told && self.session.stays_at_server()) {
            self.end_session(FAREWELL);
        }
    }

    /// One more connection, only to end the session at the server.
    fn end_session(&mut self, within: Duration) {
        self.hurry();
        self.outage = None;
        self.transport = None;
        self.session.lost();
        self.session.forget_at_server(true);
        // What there was to say about the server was said before.
        self.options.warn = Box::new(|_| ());
        if self.establish(Instant::now() + within).is_ok() {
            let _ = self.end_connection();
        }
    }

    /// Before MQTT 5: the server kept an old session of our identifier where a new one was asked
    /// for. A connection with Clean Session ends it, and the next one begins the new one.
    pub(super) fn replace_stale_session(
        &mut self,
        established: Established,
        deadline: Instant,
    ) -> Result<Established, Error> {
        if !self.session.is_stale(&established.connack) {
            return Ok(established);
        }
        for forget in [true, false] {
            let _ = self.end_connection();
            self.session.lost();
            self.session.forget_at_server(forget);
            let established = self.establish_once(deadline)?;
            if !forget {
                return Ok(established);
            }
        }
        Ok(established)
    }

    /// What a session event means here: a DISCONNECT is an error.
    pub(super) fn judged(event: session::Event) -> Result<Option<session::Event>, Error> {
        match event {
            session::Event::Disconnected(disconnect) => Err(Error::Disconnected(disconnect)),
            event => Ok(Some(event)),
        }
    }
}
