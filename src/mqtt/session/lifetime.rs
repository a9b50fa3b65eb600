//! How long a session lives at the server, in one table, and what the client knows about that
//! session from one connection to the next.

use crate::mqtt::packet::ConnAck;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// How long the session at the server should live, from the shortest to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifetime {
    /// As long as the connection.
    Connection,
    /// As long as this client, through lost connections, if the server ends the session on its own
    /// when the client never returns, which needs a session expiry (MQTT 5). In older versions as
    /// long as the connection.
    ClientIfExpiring,
    /// As long as this client, through lost connections, in every version.
    Client,
    /// Longer than this client: another run resumes it (`-c`, `-x`).
    Persistent,
}

/// The side that chose the client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdChoice {
    /// The user (`-i`).
    Given,
    /// The program: no session of this identifier exists.
    Generated,
}

/// How the session ends when the client has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// With the connection, even with one that is lost.
    Connection,
    /// With a DISCONNECT with the Session Expiry Interval 0.
    Disconnect,
    /// Before MQTT 5: with another connection that sets Clean Session.
    CleanConnection,
    /// The client does not end it. The server retains it, in MQTT 5 for the Session Expiry
    /// Interval.
    Never,
}

impl Lifetime {
    /// The lifetime that publishing at this QoS needs. Exactly once is only possible in a session
    /// that outlives the connection (§4.3.3), even if a session may then be left at the server.
    pub fn for_publishing(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::Connection,
            QoS::AtLeastOnce => Self::ClientIfExpiring,
            QoS::ExactlyOnce => Self::Client,
        }
    }

    /// The lifetime that subscribing at this QoS needs.
    pub fn for_subscribing(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::Connection,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Self::ClientIfExpiring,
        }
    }

    /// Whether the first connection asks for a new session (Clean Start of MQTT 5), as far as the
    /// user leaves that open:
    ///
    /// | identifier | will | lifetime         | new | because                                     |
    /// |------------|------|------------------|-----|---------------------------------------------|
    /// | given      | any  | any              | yes | the messages of an old session are unwanted |
    /// | generated  | no   | any              | no  | there is no old session, and mosquitto 2.0  |
    /// |            |      |                  |     | restores none with Clean Start on a restart |
    /// | generated  | yes  | ClientIfExpiring | yes | `NanoMQ` holds back the will of a session   |
    /// |            |      | or shorter       |     | that was begun without Clean Start          |
    /// | generated  | yes  | Client or longer | no  | exactly once needs the session after a      |
    /// |            |      |                  |     | restart                                     |
    pub fn begins_anew(self, id: IdChoice, has_will: bool) -> bool {
        id == IdChoice::Given || (has_will && self < Self::Client)
    }

    /// How the session ends at the server. Everything else follows from this table.
    pub fn end(self, version: Version) -> SessionEnd {
        match (self, version) {
            (Self::Connection, _) | (Self::ClientIfExpiring, Version::V3_1 | Version::V3_1_1) => {
                SessionEnd::Connection
            }
            (Self::ClientIfExpiring | Self::Client, Version::V5) => SessionEnd::Disconnect,
            (Self::Client, Version::V3_1 | Version::V3_1_1) => SessionEnd::CleanConnection,
            (Self::Persistent, _) => SessionEnd::Never,
        }
    }

    /// Whether the server is asked to retain the session when the connection is lost.
    pub fn survives_connection(self, version: Version) -> bool {
        self.end(version) != SessionEnd::Connection
    }
}

/// What the client knows about the session at the server, from one connection to the next.
#[derive(Debug, Default)]
pub struct ServerSession {
    stage: SessionStage,
    /// The number of CONNECTs without an answer: each may have begun a session at the server.
    unanswered: u32,
}

/// The stages of the session at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SessionStage {
    /// No connection of this client has begun it.
    #[default]
    New,
    /// The last CONNACK was the first of this session.
    Begun,
    /// A later connection has resumed it.
    Resumed,
    /// The next connection only ends it.
    Ending,
    /// A connection has ended it.
    Ended,
}

impl ServerSession {
    /// CONNECT was sent.
    pub fn connecting(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// CONNACK has refused the connection.
    pub fn refused(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// CONNACK has accepted the connection.
    pub fn connected(&mut self) {
        self.stage = match self.stage {
            SessionStage::New => SessionStage::Begun,
            SessionStage::Begun | SessionStage::Resumed => SessionStage::Resumed,
            SessionStage::Ending | SessionStage::Ended => SessionStage::Ended,
        };
        if self.is_ending() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
    }

    /// Whether the server may have lost the session, and the session of this connection may be one
    /// that an earlier, unanswered CONNECT has begun.
    pub fn take_unsure(&mut self) -> bool {
        std::mem::take(&mut self.unanswered) > 1
    }

    /// With `true`, the next connection ends the session. With `false`, the one after it begins a
    /// new session.
    pub fn set_ending(&mut self, ending: bool) {
        self.stage = if ending { SessionStage::Ending } else { SessionStage::New };
    }

    /// Whether this connection only ends the session: nothing is resumed on it.
    pub fn is_ending(&self) -> bool {
        matches!(self.stage, SessionStage::Ending | SessionStage::Ended)
    }

    /// Whether a connection of this client has begun the session.
    pub fn is_begun(&self) -> bool {
        !matches!(self.stage, SessionStage::New | SessionStage::Ending)
    }

    /// The Clean Start flag of the next CONNECT; `begin_anew` asks for a new session on the first
    /// connection. Clean Start begins a new session (MQTT 5 §3.1.2.4). The older Clean Session also
    /// ends it with the connection, so a session that must outlive its connection can only be begun
    /// anew with [`ServerSession::set_ending`].
    pub fn clean_start(&self, lifetime: Lifetime, begin_anew: bool, version: Version) -> bool {
        match version {
            _ if self.is_ending() => true,
            Version::V5 => begin_anew && !self.is_begun(),
            Version::V3_1 | Version::V3_1_1 => !lifetime.survives_connection(version),
        }
    }

    /// After CONNACK, before MQTT 5: whether the server has an old session of this client
    /// identifier that this client did not begin.
    pub fn is_stale(&self, lifetime: Lifetime, version: Version, connack: &ConnAck) -> bool {
        connack.session_present
            && lifetime.end(version) == SessionEnd::CleanConnection
            && self.stage == SessionStage::Begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::property::Properties;
    use crate::mqtt::reason::ReasonCode;

    /// Lifetime, version, how the session ends, and the flag of a first CONNECT (with `-i` and
    /// without) and of the next one.
    #[test]
    fn the_table() {
        use Lifetime::{Client, ClientIfExpiring, Connection, Persistent};
        use SessionEnd as End;
        let rows = [
            (Connection, Version::V3_1, End::Connection, [true, true], true),
            (Connection, Version::V3_1_1, End::Connection, [true, true], true),
            (Connection, Version::V5, End::Connection, [true, false], false),
            (ClientIfExpiring, Version::V3_1, End::Connection, [true, true], true),
            (ClientIfExpiring, Version::V3_1_1, End::Connection, [true, true], true),
            (ClientIfExpiring, Version::V5, End::Disconnect, [true, false], false),
            (Client, Version::V3_1, End::CleanConnection, [false, false], false),
            (Client, Version::V3_1_1, End::CleanConnection, [false, false], false),
            (Client, Version::V5, End::Disconnect, [true, false], false),
            (Persistent, Version::V3_1, End::Never, [false, false], false),
            (Persistent, Version::V3_1_1, End::Never, [false, false], false),
            (Persistent, Version::V5, End::Never, [true, false], false),
        ];
        for (lifetime, version, end, [anew, as_is], next) in rows {
            let row = format!("{lifetime:?} {version}");
            assert_eq!(lifetime.end(version), end, "{row}");
            assert_eq!(lifetime.survives_connection(version), end != End::Connection, "{row}");
            let mut session = ServerSession::default();
            assert_eq!(session.clean_start(lifetime, true, version), anew, "{row}");
            assert_eq!(session.clean_start(lifetime, false, version), as_is, "{row}");
            session.connecting();
            session.connected();
            assert_eq!(session.clean_start(lifetime, true, version), next, "{row}");
            session.set_ending(true);
            assert!(session.clean_start(lifetime, false, version), "{row}");
        }
    }

    #[test]
    fn a_will_asks_for_a_new_session_where_exactly_once_does_not_need_the_old_one() {
        use Lifetime::{Client, ClientIfExpiring, Connection, Persistent};
        let rows = [
            (Connection, [false, true]),
            (ClientIfExpiring, [false, true]),
            (Client, [false, false]),
            (Persistent, [false, false]),
        ];
        for (lifetime, generated) in rows {
            let anew = |id| [false, true].map(|has_will| lifetime.begins_anew(id, has_will));
            assert_eq!(anew(IdChoice::Generated), generated, "{lifetime:?}");
            assert_eq!(anew(IdChoice::Given), [true, true], "{lifetime:?}");
        }
    }

    #[test]
    fn the_quality_of_service_needs_a_lifetime() {
        let rows = [
            (QoS::AtMostOnce, Lifetime::Connection, Lifetime::Connection),
            (QoS::AtLeastOnce, Lifetime::ClientIfExpiring, Lifetime::ClientIfExpiring),
            (QoS::ExactlyOnce, Lifetime::Client, Lifetime::ClientIfExpiring),
        ];
        for (qos, publishing, subscribing) in rows {
            assert_eq!(Lifetime::for_publishing(qos), publishing);
            assert_eq!(Lifetime::for_subscribing(qos), subscribing);
            assert_eq!(Lifetime::Persistent.max(publishing), Lifetime::Persistent);
        }
    }

    #[test]
    fn a_session_is_stale_where_none_was_begun() {
        let connack = |session_present| ConnAck {
            session_present,
            code: ReasonCode::SUCCESS,
            properties: Properties::default(),
        };
        let (lifetime, version) = (Lifetime::Client, Version::V3_1_1);
        let mut session = ServerSession::default();
        session.connected();
        assert!(session.is_stale(lifetime, version, &connack(true)));
        assert!(!session.is_stale(lifetime, version, &connack(false)));
        assert!(!session.is_stale(lifetime, Version::V5, &connack(true)));
        assert!(!session.is_stale(Lifetime::Persistent, version, &connack(true)));
        session.connected();
        assert!(!session.is_stale(lifetime, version, &connack(true)), "it is ours");
        session.set_ending(true);
        session.connected();
        assert!(!session.is_stale(lifetime, version, &connack(true)), "it is being ended");
    }

    #[test]
    fn an_unanswered_connect_leaves_doubt() {
        let mut session = ServerSession::default();
        session.connecting();
        session.connected();
        assert!(!session.take_unsure());
        session.connecting();
        session.connecting();
        session.refused();
        session.connecting();
        session.connected();
        assert!(session.take_unsure());
        assert!(!session.take_unsure());
    }
}
