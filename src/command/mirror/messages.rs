//! The messages between the two brokers: which are passed on, in which form, and what is said about
//! those that are not.

use std::collections::VecDeque;
use std::time::Instant;

use super::config::{BrokerPair, Passage};
use super::loops::{Circulation, LoopMarks};
use super::tally::MirrorTally;
use crate::client::Client;
use crate::command::refusal;
use crate::command::subscribe::config::{Filter, RetainedFilter, UnchangedPayloads};
use crate::command::subscribe::filter::{MessageFilter, Selection};
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::property::PropertyId;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::relay::{Relay, RelayArrival, RelayOutcome, RelayReach, TargetPacket};
use crate::mqtt::session::Session;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;
use crate::report::{self, Verbosity};

/// The messages that are on their way.
pub struct Messages {
    relay: Relay,
    /// Messages of QoS 0 for which the target has no room. The source is not read meanwhile.
    held: VecDeque<Publish>,
    passage: Passage,
    filter: MessageFilter,
    pub tally: MirrorTally,
    warnings: Warnings,
    intake: MirrorIntake,
    /// The Receive Maximum that the source was told, in MQTT 5.
    maximum: Option<u16>,
    circulation: Circulation,
    /// Those of the source and of the target.
    versions: [Version; 2],
}

/// A source that sends so many messages more at once than it may does so again and again.
const EXCESS: usize = 1000;

/// Which messages of QoS 0 are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MirrorIntake {
    All,
    None,
}

/// Warnings that are given once.
struct Warnings {
    verbosity: Verbosity,
    given: Vec<Warning>,
}

/// What there is to be warned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Warning {
    QosLowered,
    PropertiesLost,
    LedBack,
    Circulates,
    MaximumExceeded,
    RestLeft,
}

impl Warnings {
    fn warn(&mut self, warning: Warning, text: impl FnOnce() -> String) {
        if self.verbosity.warns() && !self.given.contains(&warning) {
            self.given.push(warning);
            report::warn(&text());
        }
    }
}

/// What becomes of a message.
enum Passing {
    /// It goes to the target.
    On(Publish),
    /// It is not for the target, and this is what the source is told.
    Skipped(ReasonCode),
}

fn message_filter(filter: Filter) -> MessageFilter {
    MessageFilter::new(filter, UnchangedPayloads::Written)
}

impl Messages {
    /// Nothing is on its way.
    pub fn new(passage: Passage, verbosity: Verbosity) -> Self {
        Self {
            relay: Relay::new(),
            held: VecDeque::new(),
            filter: message_filter(passage.filter.clone()),
            passage,
            tally: MirrorTally::default(),
            warnings: Warnings { verbosity, given: Vec::new() },
            intake: MirrorIntake::All,
            maximum: None,
            circulation: Circulation::default(),
            versions: [Version::V5; 2],
        }
    }

    /// The target has accepted a connection.
    pub fn target_connected(&mut self, session: &Session) {
        self.versions[1] = session.config().version;
        self.relay.target_connected(session.continuity(), session.maximum_qos());
    }

    /// The source has accepted a connection.
    pub fn source_connected(&mut self, session: &Session) {
        let config = session.config();
        let version = config.version;
        self.versions[0] = version;
        self.maximum = None;
        if version.has_properties() {
            self.maximum = config.properties.connect.receive_maximum();
            // A message that is published as retained keeps its flag there, and those that are
            // left out are not sent at all.
            let retained = RetainedFilter::Included;
            self.filter = message_filter(Filter { retained, ..self.passage.filter.clone() });
        }
        self.tally.taken -= self.relay.source_connected(session.continuity(), version);
    }

    /// Takes a message of the source.
    pub fn take(&mut self, publish: Publish) {
        let Some(packet_id) = publish.packet_id else {
            if self.intake == MirrorIntake::All
                && let Passing::On(publish) = self.passing(publish)
            {
                self.held.push_back(publish);
            }
            return;
        };
        let RelayArrival::New(mark) = self.relay.arrival(&publish) else { return };
        let qos = publish.qos;
        match self.passing(publish) {
            Passing::On(publish) => self.relay.add(mark, publish),
            Passing::Skipped(code) => self.relay.skip(mark, packet_id, qos, code),
        }
        if let Some(maximum) = self.maximum
            && self.relay.unfinished() > usize::from(maximum) + EXCESS
        {
            self.warnings.warn(Warning::MaximumExceeded, || {
                format!(
                    "the source sends more messages at once than {maximum}, its Receive Maximum, \
                     as mosquitto 2.0.11 does"
                )
            });
        }
    }

    /// What becomes of a new message.
    fn passing(&mut self, mut publish: Publish) -> Passing {
        let selection = self.filter.select(&publish, publish.payload.len());
        let Some(topic) = publish.topic.take().filter(|_| selection == Selection::Wanted) else {
            return Passing::Skipped(ReasonCode::SUCCESS);
        };
        let mapped = match self.passage.map.apply(&topic) {
            Ok(mapped) => mapped,
            Err(error) => {
                self.tally.taken += 1;
                self.tally.refused += 1;
                report::line(&format!("mirroring a message to {topic}: --map: {error}"));
                return Passing::Skipped(ReasonCode::TOPIC_NAME_INVALID);
            }
        };
        if self.leads_back(&mapped) {
            self.warnings.warn(Warning::LedBack, || {
                format!(
                    "messages to {mapped} are not passed on: they would come back, since both \
                     brokers have the same address"
                )
            });
            return Passing::Skipped(ReasonCode::SUCCESS);
        }
        if let Some(marks) = self.marks()
            && marks.leads_back(&publish.properties)
        {
            self.warnings.warn(Warning::LedBack, || {
                format!(
                    "messages to {mapped} are not passed on: other mirrors have brought them back; \
                     --allow-loops passes them on"
                )
            });
            return Passing::Skipped(ReasonCode::SUCCESS);
        }
        publish.topic = Some(mapped);
        self.watch_for_loop(&publish);
        // They have a meaning on the connection to the source only.
        publish.properties.remove(PropertyId::TopicAlias);
        publish.properties.remove(PropertyId::SubscriptionIdentifier);
        self.tally.taken += 1;
        Passing::On(publish)
    }

    /// Warns of messages that come again and again.
    fn watch_for_loop(&mut self, publish: &Publish) {
        let are_marked = self.marks().is_some() && self.versions == [Version::V5; 2];
        if !are_marked && self.circulation.is_likely(publish, Instant::now()) {
            let topic = publish.topic_or_empty();
            self.warnings.warn(Warning::Circulates, || {
                format!(
                    "the same message to {topic} comes again and again: if another mirror brings \
                     it back, use --map at both; see MIRROR in the manual"
                )
            });
        }
    }

    /// What keeps messages from coming back over other mirrors.
    fn marks(&self) -> Option<&LoopMarks> {
        match &self.passage.brokers {
            BrokerPair::Two { marks } => marks.as_ref(),
            BrokerPair::Same { .. } => None,
        }
    }

    /// Whether a message to this topic would come back.
    fn leads_back(&self, topic: &TopicName) -> bool {
        match &self.passage.brokers {
            BrokerPair::Two { .. } => false,
            BrokerPair::Same { filters } => {
                filters.iter().any(|filter: &TopicFilter| filter.matches(topic))
            }
        }
    }

    /// The source has sent PUBREL; it has nothing else to answer.
    pub fn source_answered(&mut self, packet: PacketType, packet_id: PacketId) {
        if packet == PacketType::PubRel {
            self.relay.released(packet_id);
        }
    }

    /// The target has sent PUBACK, PUBREC or PUBCOMP.
    pub fn target_answered(
        &mut self,
        packet: PacketType,
        packet_id: PacketId,
        code: ReasonCode,
        reason: Option<&str>,
    ) {
        self.relay.target_answered(packet, packet_id, code);
        self.tell_outcomes(reason);
    }

    /// The target has answered a PINGREQ: it has got everything before.
    pub fn target_confirmed(&mut self) {
        self.relay.confirmed();
        self.tell_outcomes(None);
    }

    /// Counts what the target has taken, and reports what it has refused.
    fn tell_outcomes(&mut self, reason: Option<&str>) {
        for RelayOutcome { message, code } in self.relay.take_outcomes() {
            if code.is_error() {
                self.tell_refused(&message, &refusal(code, reason));
            } else {
                self.tally.add(message.payload.len());
            }
        }
    }

    fn tell_refused(&mut self, message: &Publish, why: &str) {
        self.tally.refused += 1;
        let topic = message.topic_or_empty();
        report::line(&format!("mirroring a message to {topic}: refused: {why}"));
    }

    /// Sends both sides what there is for them, and holds the source back where that is needed.
    pub fn pump(&mut self, source: &mut Client, target: &mut Client) {
        loop {
            self.fill(target);
            // What waits may fit once what was written before it is sent.
            if self.is_waiting() && target.session().is_online() && !target.session().has_room() {
                target.send();
                if target.session().has_room() {
                    continue;
                }
            }
            break;
        }
        if target.session().is_online() && self.relay.asks_for_confirmation() {
            target.ping();
        }
        let window = target.session().window(QoS::ExactlyOnce);
        while let Some(answer) = self.relay.next_for_source(window) {
            source.answer(answer.packet, answer.packet_id, answer.code);
        }
        let is_online = target.session().is_online();
        let reach = if is_online { RelayReach::Connected } else { RelayReach::Away };
        source.pause_reading(!self.held.is_empty() || self.relay.must_pause(reach));
        self.leave_rest(source);
    }

    /// Has the source send again, on another connection, what could not be kept.
    fn leave_rest(&mut self, source: &mut Client) {
        if self.relay.leaves() {
            self.warnings.warn(Warning::RestLeft, || {
                "the source sends more at once than the target takes: what is over 64 MiB is left \
                 to it, and comes again on other connections"
                    .to_owned()
            });
        }
        if source.session().is_online() && self.relay.must_connect_again() {
            source.connect_again();
        }
    }

    fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.relay.unfinished() > 0
    }

    /// Gives the target as much as it has room for.
    fn fill(&mut self, target: &mut Client) {
        while target.session().has_room() {
            if let Some(publish) = self.held.pop_front() {
                let length = publish.payload.len();
                if self.send(target, None, publish) {
                    self.tally.add(length);
                }
                continue;
            }
            match self.relay.next_for_target(|qos| target.session().window(qos)) {
                Some(TargetPacket::Publish { packet_id, asked, publish }) => {
                    self.warn_of_lowered(asked, publish.qos);
                    self.send(target, Some(packet_id), publish);
                }
                Some(TargetPacket::Release(packet_id)) => {
                    target.answer(PacketType::PubRel, packet_id, ReasonCode::SUCCESS);
                }
                None => return,
            }
        }
    }

    /// Sends a message, which is the caller's under this identifier; whether that can be.
    fn send(&mut self, target: &mut Client, id: Option<PacketId>, mut publish: Publish) -> bool {
        let version = target.session().config().version;
        if version.has_properties() {
            if let Some(marks) = self.marks() {
                marks.mark(&mut publish.properties);
            }
        } else if !publish.properties.is_empty() {
            self.warnings.warn(Warning::PropertiesLost, || {
                format!("properties of messages are left out: MQTT {version} has none")
            });
            publish.properties = crate::mqtt::property::Properties::default();
        }
        let error = match target.pass_on(publish.clone()) {
            Ok(()) => return true,
            Err(error) => error,
        };
        self.tell_refused(&publish, &error.to_string());
        if let Some(packet_id) = id {
            self.relay.refused(packet_id, error.code());
            // It was reported already.
            self.relay.take_outcomes();
        }
        false
    }

    fn warn_of_lowered(&mut self, asked: QoS, qos: QoS) {
        if qos < asked {
            self.warnings.warn(Warning::QosLowered, || {
                format!(
                    "the broker of --to takes QoS {qos} at most: messages of QoS {asked} are \
                         lowered"
                )
            });
        }
    }

    /// From now on no new message is taken.
    pub fn stop_taking(&mut self) {
        self.intake = MirrorIntake::None;
        self.relay.stop_taking();
    }

    /// How many messages are on their way.
    pub fn unfinished(&self) -> usize {
        self.relay.unfinished() + self.held.len()
    }

    /// Counts what has moved a message on.
    pub fn steps(&self) -> u64 {
        self.relay.steps() + self.tally.mirrored
    }
}
