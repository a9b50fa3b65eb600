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
    /// The messages that the source has sent on this connection and not finished, in their order.
    in_flight: VecDeque<PacketId>,
    /// Those of them whose PUBCOMP is held back, see [`Self::next_answer`].
    finished: IdSet<PacketId>,
    /// How many messages the source sends at once, as far as that is known.
    limit: usize,
    /// How many messages came on this connection for the first time.
    pub news: usize,
    /// How many messages are on their way of which the source knows nothing.
    pub orphans: usize,
    version: Option<Version>,
    intake: RelayIntake,
}

impl SourceSide {
    /// Nothing of an earlier connection may be answered. The source was told this Receive Maximum.
    pub fn connected(&mut self, version: Version, maximum: Option<u16>) {
        self.version = Some(version);
        self.limit = maximum.map_or(USUAL_LIMIT, usize::from);
        self.at_least_once.clear();
        self.exactly_once.clear();
        self.answers.clear();
        self.in_flight.clear();
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
        let is_over = is_last || code.is_error();
        if is_over {
            self.forget(packet_id);
        }
        is_over
    }

    /// PUBCOMP, when the source is to send more.
    pub fn complete(&mut self, packet_id: PacketId) {
        self.finished.insert(packet_id);
    }

    /// The source has sent a message on this connection, or the PUBREL of one of which nothing else
    /// came.
    pub fn arrived(&mut self, packet_id: PacketId) {
        self.in_flight.push_back(packet_id);
    }

    /// The identifier of a new message is free, so that a PUBCOMP for it must not be held back.
    pub fn free(&mut self, packet_id: PacketId) {
        if self.finished.remove(&packet_id) {
            self.forget(packet_id);
            self.answers.push_back(completion(packet_id));
        }
    }

    fn forget(&mut self, packet_id: PacketId) {
        // Most often it is the first.
        if let Some(at) = self.in_flight.iter().position(|id| *id == packet_id) {
            self.in_flight.remove(at);
        }
    }

    /// The next packet for the source. So many messages of its connection are `unfinished`, and the
    /// target takes as many at once as `window` says.
    ///
    /// mosquitto 2.0.11 looks only at what is before a message when that ends: for the first of all
    /// that are in flight it sends as many others as its limit says, for the second one less, and
    /// one for the last within the limit. For one that comes after those it sends none, and then
    /// the next that is published there overtakes those that wait. So PUBCOMP is held back while
    /// enough messages wait, and the latest within the limit comes first (no clause orders them):
    /// those of the first messages stay here, and mosquitto sends one message for each that ends,
    /// in their order.
    pub fn next_answer(&mut self, unfinished: usize, window: usize) -> Option<SourceAnswer> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let enough = window.max(USUAL_LIMIT);
        let is_due = unfinished <= enough || self.finished.len() > enough;
        if self.finished.is_empty() || !is_due {
            return None;
        }
        let is_finished = |id: &PacketId| self.finished.contains(id);
        let within = self.limit.min(self.in_flight.len());
        let at = (0..within).rev().find(|at| is_finished(&self.in_flight[*at]));
        // A source that does not release what it has sent first must not hold back the others.
        let is_stuck = unfinished == 0 || self.finished.len() > enough;
        let first = || self.in_flight.iter().position(is_finished).filter(|_| is_stuck);
        let at = at.or_else(first)?;
        let packet_id = self.in_flight.remove(at)?;
        self.finished.remove(&packet_id);
        Some(completion(packet_id))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// mosquitto 2.0.11: what it does with a new message, and with a PUBCOMP (`db__message_insert`
    /// and `db__message_delete_outgoing` of its `database.c`).
    struct Mosquitto {
        limit: usize,
        in_flight: Vec<u16>,
        queued: VecDeque<u16>,
        quota: usize,
        published: u16,
    }

    impl Mosquitto {
        fn publish(&mut self) {
            self.published += 1;
            if self.quota > 0 {
                self.send(self.published);
            } else {
                self.queued.push_back(self.published);
            }
        }

        fn send(&mut self, number: u16) {
            self.quota = self.quota.saturating_sub(1);
            self.in_flight.push(number);
        }

        fn finish(&mut self, number: u16) {
            let at = self.in_flight.iter().position(|one| *one == number).expect("in flight");
            self.in_flight.remove(at);
            self.quota = (self.quota + 1).min(self.limit);
            for _ in at..self.limit {
                let Some(next) = self.queued.pop_front() else { return };
                self.send(next);
            }
        }
    }

    /// The target finishes messages in their order, and takes 20 at once; the publisher is faster,
    /// pauses, and goes on.
    #[test]
    fn mosquitto_sends_in_order_and_not_much_more_than_it_may() {
        for (limit, told) in [(20, None), (20, Some(20)), (100, Some(100)), (1, Some(1))] {
            let mut mosquitto = Mosquitto {
                limit,
                quota: limit,
                in_flight: Vec::new(),
                queued: VecDeque::new(),
                published: 0,
            };
            let mut source = SourceSide::default();
            let version = if told.is_some() { Version::V5 } else { Version::V3_1_1 };
            source.connected(version, told);
            let (mut came, mut finished, mut most) = (0, 0, 0);
            for round in 0..30_000_u16 {
                if round % 3 < 2 && round % 10_000 < 7000 {
                    mosquitto.publish();
                }
                let before = came;
                for &number in mosquitto.in_flight.iter().filter(|number| **number > before) {
                    assert_eq!(number, came + 1, "overtaken: limit {limit}, round {round}");
                    source.arrived(PacketId::new(number).expect("not 0"));
                    came = number;
                }
                if finished < came && round % 2 == 0 {
                    finished += 1;
                    source.complete(PacketId::new(finished).expect("not 0"));
                }
                let unfinished = usize::from(came - finished);
                most = most.max(unfinished);
                while let Some(answer) = source.next_answer(unfinished, 20) {
                    mosquitto.finish(answer.packet_id.get());
                }
            }
            println!("limit {limit}: {most} at most, {finished} finished");
            assert!(finished > 13_000, "{finished}: it does not stop");
            assert!(most <= limit * 12, "{most} on their way, limit {limit}");
        }
    }

    #[test]
    fn a_source_that_does_not_release_its_first_messages_hears_of_the_others() {
        let mut source = SourceSide::default();
        source.connected(Version::V5, Some(2));
        let ids: Vec<PacketId> = (1..=30).filter_map(PacketId::new).collect();
        for id in &ids {
            source.arrived(*id);
        }
        for id in &ids[2..] {
            source.complete(*id);
        }
        let answered = std::iter::from_fn(|| source.next_answer(2, 1)).count();
        assert_eq!(answered, 8, "no more than are held back anyway");
        let rest = std::iter::from_fn(|| source.next_answer(0, 1)).count();
        assert_eq!(rest, 20, "and all of them when nothing is on its way");
    }
}
