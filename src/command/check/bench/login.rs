//! ON: CONNECT as the user logs in, and what CONNACK says.

use std::time::{Duration, Instant};

use super::{Bench, Conn, LONGEST_PATIENCE, Spoken, StepResult, Stop};
use crate::command::check::aliases::Aliases;
use crate::command::check::finding::{Finding, Verdict};
use crate::command::check::journal::Fact;
use crate::exit::Exit;
use crate::mqtt::packet::{ConnAck, Connect, Packet};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// Keep alive of the bench's connections, in seconds.
const KEEP_ALIVE: u16 = 60;

impl Bench {
    /// A CONNECT of this version as the bench sends it: a random client id, clean start, keep
    /// alive 60, the user's credentials. A probe changes what it wants to.
    pub fn connect_packet(&self, version: Version) -> Connect {
        Connect {
            version,
            clean_start: true,
            keep_alive: KEEP_ALIVE,
            client_id: self.client_id("").into(),
            will: None,
            credentials: self.target.login.credentials.clone(),
            properties: Properties::default(),
        }
    }

    /// A client id: `-i` with this behind it, or 23 random letters and digits.
    pub fn client_id(&self, suffix: &str) -> String {
        match &self.target.client_id {
            Some(id) => format!("{id}{suffix}"),
            None => std::iter::repeat_with(fastrand::alphanumeric).take(23).collect(),
        }
    }

    /// ON: a connection in the version of the point, or in the newest that the server takes.
    pub fn on(&mut self) -> StepResult<Conn> {
        let known = self.newest();
        if let Some(version) = self.asked.version.or(known) {
            return self.on_with(self.connect_packet(version));
        }
        let mut refused = (Exit::Refused, Finding::unknown("no version of MQTT is spoken"));
        for version in self.target.versions() {
            self.failure = None;
            let finding = match self.on_with(self.connect_packet(version)) {
                Err(Stop::Found(finding)) => finding,
                result => return result,
            };
            match (&self.failure, refused.0) {
                // An answer tells more than silence, and the first silence as much as the others.
                (Some(_), Exit::TimedOut) => {}
                (Some(_), _) if refused.1.verdict == Verdict::NotApplicable => {}
                (Some(failure), _) => refused = (failure.exit, finding),
                (None, _) => refused = (Exit::Refused, finding),
            }
        }
        self.failed(refused.0, refused.1.observed.clone());
        Err(Stop::Found(refused.1))
    }

    /// ON2: a second connection at the same time, in the same version.
    pub fn on2(&mut self) -> StepResult<Conn> {
        let mut connect = self.connect_packet(self.version());
        connect.client_id = self.client_id("2").into();
        self.on_with(connect)
    }

    /// ON with this CONNECT. Where the version is not spoken, the point does not apply.
    pub fn on_with(&mut self, connect: Connect) -> StepResult<Conn> {
        let version = connect.version;
        if let Some(Spoken::No(why)) = self.known.spoken(version) {
            return Err(Finding::not_applicable(why.clone()).into());
        }
        let conn = self.up()?;
        let stop = match self.connect(conn, connect) {
            Ok(connack) if connack.code == ReasonCode::SUCCESS => {
                self.known.note_spoken(version, Spoken::Yes);
                return Ok(conn);
            }
            Ok(connack) => self.refused_login(version, connack.code),
            Err(stop) => self.unanswered_login(version, stop),
        };
        self.close(conn);
        Err(stop)
    }

    /// What a CONNACK means that refuses.
    fn refused_login(&mut self, version: Version, code: ReasonCode) -> Stop {
        if is_version_refusal(version, code) {
            let words = format!("MQTT {version} is not spoken: CONNACK 0x{:02x}", code.0);
            return self.refused_version(version, words);
        }
        let name = code.connack_name();
        let words = format!("CONNECT was refused: CONNACK 0x{:02x} {name}", code.0);
        self.failed(Exit::Refused, words)
    }

    /// What it means that there is no CONNACK. A version that was never spoken may be the reason.
    fn unanswered_login(&mut self, version: Version, stop: Stop) -> Stop {
        let is_known = self.known.spoken(version).is_some();
        match stop {
            Stop::Ended { end, .. } if is_known => {
                self.failed(Exit::Refused, format!("no CONNACK, but {end}"))
            }
            Stop::Ended { end, .. } => {
                let words = format!("MQTT {version} is not spoken: no CONNACK, but {end}");
                self.refused_version(version, words)
            }
            Stop::Silent { after, .. } if is_known => {
                let words = format!("no CONNACK within {:.1} s", after.as_secs_f64());
                self.failed(Exit::TimedOut, words)
            }
            Stop::Silent { .. } => {
                let words = format!("MQTT {version}: no CONNACK");
                self.failed(Exit::TimedOut, words.clone());
                self.refused_version(version, words)
            }
            stop => stop,
        }
    }

    fn refused_version(&mut self, version: Version, words: String) -> Stop {
        self.known.note_spoken(version, Spoken::No(words.clone()));
        Finding::not_applicable(words).into()
    }

    /// Sends CONNECT and waits for CONNACK, whatever its code.
    pub fn connect(&mut self, conn: Conn, mut connect: Connect) -> StepResult<ConnAck> {
        let version = connect.version;
        let aliases = connect.properties.topic_alias_maximum().unwrap_or(0);
        let keep_alive = connect.keep_alive;
        self.link(conn).mqtt.speak(version);
        self.link(conn).mqtt.aliases = Aliases::up_to(aliases);
        let has_method = connect.properties.authentication_method().is_some();
        let is_ours = version == Version::V5 && !has_method;
        if is_ours {
            let login = self.target.login.clone();
            self.authenticator.begin(&login, &mut connect.properties);
        }
        let patience = if self.known.is_new_to_mqtt() { LONGEST_PATIENCE } else { self.patience() };
        self.send(conn, &Packet::Connect(Box::new(connect)));
        let sent = Instant::now();
        let connack = self.connack(conn, patience, is_ours)?;
        if self.known.is_new_to_mqtt() {
            self.note_first_answer(sent.elapsed());
        }
        let dictated = connack.properties.server_keep_alive();
        self.link(conn).mqtt.keep_alive = dictated.unwrap_or(keep_alive);
        if version == Version::V5 && connack.code == ReasonCode::SUCCESS {
            self.note_limits(&connack.properties);
        }
        Ok(connack)
    }

    /// Waits for CONNACK; where the user's authentication takes steps, they come first.
    fn connack(&mut self, conn: Conn, patience: Duration, is_ours: bool) -> StepResult<ConnAck> {
        loop {
            let answer = self.take_within(conn, "CONNACK", patience, |packet| match packet {
                Packet::ConnAck(_) => Some(packet.clone()),
                Packet::Auth(_) if is_ours => Some(packet.clone()),
                _ => None,
            })?;
            let step = match answer {
                Packet::Auth(auth) => {
                    let answer = self.authenticator.answer(&auth);
                    answer.map(|answer| self.send(conn, &Packet::Auth(answer)))
                }
                Packet::ConnAck(connack) => {
                    let proved = self.authenticator.end(&connack);
                    if proved.is_ok() {
                        return Ok(*connack);
                    }
                    proved
                }
                _ => Ok(()),
            };
            step.map_err(|violation| self.failed(Exit::Refused, violation.to_string()))?;
        }
    }

    fn note_limits(&mut self, limits: &Properties) {
        let short = |value: Option<u16>| value.map(|value| Fact::Number(value.into()));
        let flag = |value: Option<bool>| value.map(Fact::Flag);
        for (name, fact) in [
            ("receive_maximum", short(limits.receive_maximum())),
            ("topic_alias_maximum", short(limits.topic_alias_maximum())),
            ("server_keep_alive", short(limits.server_keep_alive())),
            ("maximum_qos", limits.maximum_qos().map(|qos| Fact::Number(qos.bits().into()))),
            ("retain_available", flag(limits.retain_available())),
            ("wildcard_available", flag(limits.wildcard_subscription_available())),
            ("subscription_id_available", flag(limits.subscription_identifier_available())),
            ("shared_available", flag(limits.shared_subscription_available())),
            ("maximum_packet_size", limits.maximum_packet_size().map(|n| Fact::Number(n.into()))),
        ] {
            if let Some(fact) = fact {
                self.journal.fact(name, fact);
            }
        }
    }

    /// A number that the server has announced in CONNACK; see [`Journal::facts`] for the names.
    ///
    /// [`Journal::facts`]: crate::command::check::journal::Journal::facts
    pub fn announced(&self, fact: &str) -> Option<u64> {
        match self.journal.facts.get(fact)? {
            Fact::Number(number) => Some(*number),
            Fact::Flag(flag) => Some(u64::from(*flag)),
            Fact::Text(_) => None,
        }
    }
}

/// Whether this code says that the version is not spoken: 1 in the older form, 0x84 in MQTT 5.
pub fn is_version_refusal(version: Version, code: ReasonCode) -> bool {
    code.0 == 1 || version == Version::V5 && code == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
}
