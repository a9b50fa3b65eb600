//! What waits to be sent to the source and to the target.

use std::collections::VecDeque;

use super::entry::RelaySending;
use super::{Cleared, SourceAnswer};
use crate::mqtt::id_map::IdSet;
use crate::mqtt::packet::{PacketId, PacketType};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Continuity;
use crate::mqtt::version::Version;

/// Which messages of the source are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum RelayIntake {
    #[default]
    All,
    /// Those that are on their way; the source will send the others again on its next connection.
    KnownForNow,
    /// Those that are on their way; the source will send the others again.
    Known,
}

/// The side of the source.
#[derive(Debug, Default)]
pub struct SourceSide {
    /// QoS 1 messages of this connection without an answer, in their order.
    at_least_once: VecDeque<PacketId>,
    /// QoS 2 messages likewise.
    exactly_once: VecDeque<PacketId>,
    answers: VecDeque<SourceAnswer>,
    /// Messages whose PUBCOMP is held back, see [`Self::next_answer`].
    finished: Vec<PacketId>,
    /// How many messages came on this connection for the first time.
    pub news: usize,
    /// How many messages are on their way of which the source knows nothing.
    pub orphans: usize,
    version: Option<Version>,
    intake: RelayIntake,
}

impl SourceSide {
    /// Nothing of an earlier connection may be answered.
    pub fn connected(&mut self, version: Version) {
        self.version = Some(version);
        self.at_least_once.clear();
        self.exactly_once.clear();
        self.answers.clear();
        self.finished.clear();
        self.news = 0;
        if self.leaves() {
            self.intake = RelayIntake::All;
        }
    }

    /// The messages without an answer.
    pub fn awaiting(&mut self, qos: QoS) -> &mut VecDeque<PacketId> {
        if qos == QoS::ExactlyOnce { &mut self.exactly_once } else { &mut self.at_least_once }
    }

    /// Answers the first of the messages without an answer. Returns whether the source has finished
    /// with it then.
    pub fn answer(&mut self, qos: QoS, packet_id: PacketId, code: ReasonCode) -> bool {
        self.awaiting(qos).pop_front();
        let has_codes = self.version.is_some_and(Version::has_properties);
        let code = if has_codes { answerable(code) } else { ReasonCode::SUCCESS };
        let is_last = qos == QoS::AtLeastOnce;
        let packet = if is_last { PacketType::PubAck } else { PacketType::PubRec };
        self.answers.push_back(SourceAnswer { packet, packet_id, code });
        is_last || code.is_error()
    }

    /// PUBCOMP, when the source is to send more.
    pub fn complete(&mut self, packet_id: PacketId) {
        self.finished.push(packet_id);
    }

    /// The identifier of a new message is free, so that a PUBCOMP for it must not be held back.
    pub fn arrived(&mut self, packet_id: PacketId) {
        if let Some(at) = self.finished.iter().position(|finished| *finished == packet_id) {
            let packet_id = self.finished.remove(at);
            self.answers.push_back(completion(packet_id));
        }
    }

    /// The next packet for the source. So many messages of its connection are `unfinished`, and the
    /// target takes as many at once as `window` says.
    ///
    /// mosquitto 2.0.11 looks only at what is before a message when that ends: for the first of all
    /// that are in flight it sends as many others as its limit says, for the second one less, and
    /// none for one that comes after as many as the limit says. So PUBCOMP is held back while
    /// enough messages wait, and the latest comes first: no clause orders them, those of the first
    /// messages stay here, and mosquitto sends one message for each that ends.
    pub fn next_answer(&mut self, unfinished: usize, window: usize) -> Option<SourceAnswer> {
        let enough = window.max(USUAL_LIMIT);
        let is_due = unfinished <= enough || self.finished.len() > enough;
        let next = self.answers.pop_front();
        next.or_else(|| self.finished.pop_if(|_| is_due).map(completion))
    }

    /// Whether new messages are taken.
    pub fn takes_new(&self) -> bool {
        self.intake == RelayIntake::All
    }

    /// No more of them are taken on this connection.
    pub fn leave(&mut self) {
        if self.takes_new() {
            self.intake = RelayIntake::KnownForNow;
        }
    }

    /// Whether new messages are left to the next connection.
    pub fn leaves(&self) -> bool {
        self.intake == RelayIntake::KnownForNow
    }

    /// From now on they are not.
    pub fn stop(&mut self) {
        self.intake = RelayIntake::Known;
    }
}

/// How many messages mosquitto sends at once (`max_inflight_messages`), where nothing says another
/// number.
const USUAL_LIMIT: usize = 20;

fn completion(packet_id: PacketId) -> SourceAnswer {
    SourceAnswer { packet: PacketType::PubComp, packet_id, code: ReasonCode::SUCCESS }
}

/// The code that a PUBACK or PUBREC may have (§3.4.2.1): packet too large, for example, has none.
fn answerable(code: ReasonCode) -> ReasonCode {
    match code {
        ReasonCode::UNSPECIFIED_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::TOPIC_NAME_INVALID
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::PAYLOAD_FORMAT_INVALID => code,
        code if code.is_error() => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        _ => ReasonCode::SUCCESS,
    }
}

/// The side of the target.
#[derive(Debug)]
pub struct TargetSide {
    pub maximum_qos: QoS,
    /// Counts the connections.
    connection: u64,
    /// How many messages count against the Receive Maximum of this connection (§4.9).
    pub outstanding: usize,
    /// Messages that are to be published, in their order.
    pub publishes: VecDeque<PacketId>,
    /// PUBRELs that are to be sent, each once, however often the target asks for it.
    releases: VecDeque<PacketId>,
    releasing: IdSet<PacketId>,
    /// Messages that were lowered to QoS 0, and sent.
    pub unconfirmed: Vec<PacketId>,
    /// Those of them before the PINGREQ whose answer is awaited.
    pub confirming: Vec<PacketId>,
    /// The session is older than this run: it may hold messages under all identifiers but these.
    cleared: Option<Cleared>,
}

impl Default for TargetSide {
    fn default() -> Self {
        Self {
            maximum_qos: QoS::ExactlyOnce,
            connection: 0,
            outstanding: 0,
            publishes: VecDeque::new(),
            releases: VecDeque::new(),
            releasing: IdSet::default(),
            unconfirmed: Vec::new(),
            confirming: Vec::new(),
            cleared: None,
        }
    }
}

impl TargetSide {
    /// Nothing was sent on this connection.
    pub fn connected(&mut self, continuity: Continuity, maximum_qos: QoS) {
        match continuity {
            Continuity::New => self.cleared = None,
            Continuity::Resumed if self.connection == 0 => self.cleared = Some(Cleared::default()),
            Continuity::Resumed => {}
        }
        self.maximum_qos = maximum_qos;
        self.connection += 1;
        self.outstanding = 0;
        self.publishes.clear();
        self.releases.clear();
        self.releasing.clear();
        self.unconfirmed.clear();
        self.confirming.clear();
    }

    /// PUBREL is to be sent.
    pub fn release(&mut self, packet_id: PacketId) {
        if self.releasing.insert(packet_id) {
            self.releases.push_back(packet_id);
        }
    }

    /// The next PUBREL.
    pub fn next_release(&mut self) -> Option<PacketId> {
        let packet_id = self.releases.pop_front()?;
        self.releasing.remove(&packet_id);
        Some(packet_id)
    }

    /// Whether the target may have a message under this identifier that this run has not sent.
    pub fn may_know(&self, packet_id: PacketId) -> bool {
        self.maximum_qos == QoS::ExactlyOnce
            && self.cleared.as_ref().is_some_and(|cleared| !cleared.contains(&packet_id))
    }

    /// It has none.
    pub fn cleared(&mut self, packet_id: PacketId) {
        if let Some(cleared) = &mut self.cleared {
            cleared.insert(packet_id);
        }
    }

    /// Whether a message that the source sends again may have been sent to this session before.
    pub fn repetition(&self) -> RelaySending {
        if self.cleared.is_some() { RelaySending::Again } else { RelaySending::First }
    }

    /// A message was published on this connection.
    pub fn begin(&mut self) -> u64 {
        self.outstanding += 1;
        self.connection
    }

    /// The exchange of a message is over that was published on this connection, or on none.
    pub fn ended(&mut self, packet_id: PacketId, sent_on: Option<u64>) {
        self.outstanding -= usize::from(sent_on == Some(self.connection));
        self.cleared(packet_id);
    }
}
