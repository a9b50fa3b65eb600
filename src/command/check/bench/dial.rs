//! Connections: made, kept for several points, ended, and what was left behind cleaned up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{
    Bench, Conn, Failure, LONGEST_PATIENCE, ROUND_TRIPS, SHORTEST_PATIENCE, SLOW_ANSWERS, Spoken,
    StepResult, Stop,
};
use crate::command::check::connection::Link;
use crate::command::check::connection::websocket::OurClose;
use crate::command::check::finding::{Doubt, Verdict};
use crate::command::check::journal::{Direction, ProtocolLayer};
use crate::command::check::wire::Frame;
use crate::exit::Exit;
use crate::mqtt::packet::{Disconnect, Packet};
use crate::mqtt::version::Version;
use crate::transport::dial::{self, DialError, Dialled};
use crate::transport::tls::{TlsConfig, TlsError};
use crate::transport::{self};
use crate::websocket::frame::NORMAL;

/// How long an end in order may take that nobody judges.
const GRACE: Duration = Duration::from_millis(100);

impl Bench {
    /// TCP, and TLS with `wss`: no byte of HTTP is sent. `address` is one of the name's, instead of
    /// any.
    pub fn dial(&mut self, address: Option<SocketAddr>) -> StepResult<Conn> {
        let tls = self.target.access.server_tls().cloned();
        self.dial_with(address, tls.as_ref())
    }

    /// The same with other settings of TLS, or without TLS, whatever the scheme.
    pub fn dial_with(
        &mut self,
        address: Option<SocketAddr>,
        tls: Option<&TlsConfig>,
    ) -> StepResult<Conn> {
        if self.connections.opened > 0 && !self.target.access.pause.is_zero() {
            self.idle(self.target.access.pause)?;
        }
        self.interrupts.obey()?;
        self.connections.opened += 1;
        let dialled = self.reach(address).map_err(|error| self.unreached(&error))?;
        self.set_patience(dialled.connect);
        let reached = format!("connected to {}", dialled.reached);
        self.journal.note(Direction::Out, ProtocolLayer::Tcp, || reached, &[]);
        let host = self.target.access.endpoint.host.clone();
        let link = Link::new(dialled, tls.map(|tls| (tls, &*host)), &self.interrupts.waker);
        let link = link.map_err(|error| self.failed(Exit::Tls, error.to_string()))?;
        let conn = self.connections.add(link);
        let secured = self.secure(conn);
        // A server that was sent no name may show the certificate of another.
        if tls.is_some_and(TlsConfig::names_server) {
            self.note_certificate(conn);
        }
        secured.map(|()| conn)
    }

    /// How long silence may last from now on, where a TCP connection took this time.
    fn set_patience(&mut self, connecting: Duration) {
        let patience = (connecting * ROUND_TRIPS).max(self.known.first_answer * SLOW_ANSWERS);
        self.patience = patience.clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE);
    }

    /// One of the server's first answers has come, after this time: a server that is slow is not
    /// taken for one that is silent.
    pub fn note_first_answer(&mut self, time: Duration) {
        self.known.first_answer = self.known.first_answer.max(time);
        self.patience = self.patience.max(time * SLOW_ANSWERS).min(LONGEST_PATIENCE);
    }

    fn reach(&self, address: Option<SocketAddr>) -> Result<Dialled, DialError> {
        let access = &self.target.access;
        let mut endpoint = access.endpoint.clone();
        if let Some(address) = address {
            endpoint.host = address.ip().to_string();
        }
        let deadline = Instant::now() + access.connect_timeout;
        dial::dial(&endpoint, &access.route, access.tls.as_ref(), deadline, &|_| {})
    }

    /// Waits for TLS.
    fn secure(&mut self, conn: Conn) -> StepResult<()> {
        let timeout = self.target.access.connect_timeout;
        let done = self.wait(conn, "TLS handshake", timeout, |link| match link.advance_tls() {
            Ok(true) => Some(()),
            Ok(false) => None,
            Err(error) => {
                link.stream.tls_error.get_or_insert(error);
                Some(())
            }
        });
        match (done, self.link(conn).stream.tls_error.take()) {
            (Ok(()), None) => Ok(()),
            (Err(Stop::Interrupted), _) => Err(Stop::Interrupted),
            (_, Some(error)) => Err(self.insecure(conn, &error)),
            (Err(Stop::Silent { .. }), None) => {
                let words = "no end of the TLS handshake".to_owned();
                Err(self.failed(Exit::TimedOut, words))
            }
            (Err(_), None) => {
                Err(self.failed_for_now(Exit::Tls, "the TLS handshake was cut".to_owned()))
            }
        }
    }

    /// TLS has failed.
    fn insecure(&mut self, conn: Conn, error: &transport::Error) -> Stop {
        self.asked.saw_unexpected_end |= self.link(conn).has_ended();
        if let transport::Error::Tls(TlsError::NotTls(_)) = error {
            self.journal.observe("speaks-http", None, Verdict::Fail, error.to_string());
        }
        self.failed(tls_exit(error), error.to_string())
    }

    fn unreached(&mut self, error: &DialError) -> Stop {
        let exit = if error.timed_out() { Exit::TimedOut } else { Exit::Unreached };
        if error.is_reset() {
            return self.failed_for_now(exit, error.to_string());
        }
        self.failed(exit, error.to_string())
    }

    /// There is no connection, and why.
    pub fn failed(&mut self, exit: Exit, words: String) -> Stop {
        self.unconnected(Failure { exit, words, doubt: Doubt::None })
    }

    /// The same where another try may end otherwise.
    pub fn failed_for_now(&mut self, exit: Exit, words: String) -> Stop {
        self.unconnected(Failure { exit, words, doubt: Doubt::Network })
    }

    fn unconnected(&mut self, failure: Failure) -> Stop {
        let words = failure.words.clone();
        self.failure = Some(failure);
        Stop::NoConnection(words)
    }

    /// The connection that ordinary points of this version share. It is opened by the first.
    pub fn shared(&mut self) -> StepResult<Conn> {
        if let Some((version, conn)) = self.connections.shared {
            if self.asked.version.is_none_or(|asked| asked == version) {
                return Ok(conn);
            }
            self.end_shared();
        }
        let conn = self.on()?;
        self.connections.shared = Some((self.link(conn).mqtt.version, conn));
        Ok(conn)
    }

    /// Ends the shared connection in order.
    pub fn end_shared(&mut self) {
        if let Some((_, conn)) = self.connections.shared.take() {
            self.close(conn);
        }
    }

    /// The shared connection is the probe's now, to be ended by it.
    pub fn take_shared(&mut self) -> StepResult<Conn> {
        let conn = self.shared()?;
        self.connections.shared = None;
        Ok(conn)
    }

    /// Ends a connection as a client should, without judging what the server does about it.
    pub fn close(&mut self, conn: Conn) {
        self.judge_refusal(conn);
        let Some(mut link) = self.connections.take(conn) else { return };
        let journal = &mut self.journal;
        if link.is_open() && !link.has_ended() && !link.stream.is_congested() {
            if link.mqtt.is_welcome() {
                link.send_packet(&Packet::Disconnect(Disconnect::default()), journal);
            }
            if link.websocket.our_close == OurClose::Due {
                link.send(&Frame::close(NORMAL, b""), journal);
            }
            let until = Instant::now() + GRACE;
            while link.end.stream.is_none() && Instant::now() < until {
                link.pump(journal, until);
            }
        }
        link.stream.cut();
    }

    /// A CONNACK that refuses is followed by the end, within W.
    fn judge_refusal(&mut self, conn: Conn) {
        let link = self.connections.find(conn);
        let Some((since, link)) = link.and_then(|link| Some((link.mqtt.refused_at.take()?, link)))
        else {
            return;
        };
        let (version, said) = (Some(link.mqtt.version), link.end.said);
        let was_unexpected = self.asked.saw_unexpected_end;
        let ended = self.end_within(conn, self.patience.saturating_sub(since.elapsed()));
        self.asked.saw_unexpected_end = was_unexpected;
        let point = "refusal-then-close";
        match ended {
            Ok(Some(_)) => self.journal.observe(point, version, Verdict::Pass, ""),
            Ok(None) if since.elapsed() >= self.patience => {
                let code = said.map_or(0, |(_, code)| code.0);
                let waited = self.patience.as_secs_f64();
                let words = format!(
                    "CONNACK 0x{code:02x}, and the connection stayed open for {waited:.1} s"
                );
                self.journal.observe(point, version, Verdict::Fail, words);
            }
            // The point had no time left to wait.
            Ok(None) | Err(_) => {}
        }
    }

    /// Cuts a connection: by RST, so that nothing that waits is delivered in order.
    pub fn reset(&mut self, conn: Conn) {
        if let Some(link) = self.connections.take(conn) {
            link.stream.reset();
        }
    }

    /// Cuts a connection by FIN, without DISCONNECT and without Close.
    pub fn cut(&mut self, conn: Conn) {
        if let Some(link) = self.connections.take(conn) {
            link.stream.cut();
        }
    }

    /// Waits for the end of the TCP stream.
    pub fn wait_end(&mut self, conn: Conn, patience: Duration) -> StepResult<()> {
        let until = self.bounded(Instant::now() + patience);
        loop {
            let (link, journal) = self.both(conn);
            if link.end.stream.is_some() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Stop::Silent {
                    awaited: "end of the stream".to_owned(),
                    after: patience,
                });
            }
            link.pump(journal, until);
            self.interrupts.obey()?;
        }
    }

    /// Whether the server still answers: UP, CONNECT, FENCE.
    pub fn is_alive(&mut self) -> StepResult<()> {
        let conn = self.on()?;
        let fence = self.fence(conn);
        self.close(conn);
        fence
    }

    /// Whether the point's version is spoken; asks the server if that is not known.
    pub fn speaks(&mut self, version: Version) -> StepResult<bool> {
        if self.known.spoken(version).is_none() {
            let asked = self.asked.version.replace(version);
            let opened = self.on();
            self.asked.version = asked;
            match opened {
                Ok(conn) => self.close(conn),
                Err(Stop::Found(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(self.known.spoken(version) == Some(&Spoken::Yes))
    }
}

fn tls_exit(error: &transport::Error) -> Exit {
    match error {
        transport::Error::Io { .. } => Exit::Unreached,
        _ => Exit::Tls,
    }
}
