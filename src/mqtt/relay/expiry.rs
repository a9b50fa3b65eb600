//! Messages that expire while they are held: the time that they wait counts, as it does at a server
//! `[MQTT-3.3.2-5]` `[MQTT-3.3.2-6]`.

use std::time::{Duration, Instant};

use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Property, PropertyId};

/// A message that has none left when it comes may go on at once.
const LEAST: u32 = 1;

/// A message that is held, and when it expires.
#[derive(Debug, Clone)]
pub struct HeldMessage {
    pub publish: Publish,
    expires_at: Option<Instant>,
}

impl HeldMessage {
    /// The message came at `now`.
    pub fn new(publish: Publish, now: Instant) -> Self {
        let interval = publish.properties.message_expiry_interval();
        let expires_at = interval
            .and_then(|seconds| now.checked_add(Duration::from_secs(seconds.max(LEAST).into())));
        Self { publish, expires_at }
    }

    /// Whether its time has passed, so that it must not be sent for the first time.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at < now)
    }

    /// The message to send now, with the seconds that are left; one that has to be sent again
    /// although its time has passed has one: 0 means no end to some brokers (mosquitto 2.0).
    pub fn at(&self, now: Instant) -> Publish {
        let mut publish = self.publish.clone();
        if let Some(at) = self.expires_at {
            let left = at.saturating_duration_since(now).as_millis().div_ceil(1000);
            let left = u32::try_from(left).unwrap_or(u32::MAX).max(LEAST);
            let is_expiry =
                |property: &&mut Property| property.id() == PropertyId::MessageExpiryInterval;
            if let Some(property) = publish.properties.0.iter_mut().find(is_expiry) {
                let given = self.publish.properties.message_expiry_interval();
                let left = left.min(given.unwrap_or(left));
                *property = Property::number(PropertyId::MessageExpiryInterval, left);
            }
        }
        publish
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Relay, RelayArrival, TargetPacket};
    use super::*;
    use crate::mqtt::packet::{PacketId, PacketType};
    use crate::mqtt::qos::QoS;
    use crate::mqtt::reason::ReasonCode;
    use crate::mqtt::session::Continuity;
    use crate::mqtt::topic::TopicName;
    use crate::mqtt::version::Version;

    fn message(packet_id: u16, qos: QoS, expiry: u32) -> Publish {
        let expiry = Property::number(PropertyId::MessageExpiryInterval, expiry);
        let mut publish = Publish {
            qos,
            packet_id: PacketId::new(packet_id),
            ..Publish::new(TopicName::new("t").expect("a topic"), vec![0].into())
        };
        publish.properties.push(expiry);
        publish
    }

    #[test]
    fn the_time_that_a_message_is_held_is_taken_from_its_expiry() {
        let came = Instant::now();
        let left = |expiry, after| {
            let held = HeldMessage::new(message(1, QoS::AtLeastOnce, expiry), came);
            let now = came + Duration::from_millis(after);
            (held.is_expired(now), held.at(now).properties.message_expiry_interval())
        };
        for (expiry, after, expected) in [
            (60, 0, (false, 60)),
            (60, 1, (false, 60)),
            (60, 1001, (false, 59)),
            (60, 60_000, (false, 1)),
            (60, 60_001, (true, 1)),
            (u32::MAX, 5000, (false, u32::MAX - 5)),
            (0, 1000, (false, 0)),
            (0, 1001, (true, 0)),
        ] {
            let (is_expired, seconds) = expected;
            assert_eq!(left(expiry, after), (is_expired, Some(seconds)), "{expiry} {after}");
        }
        let endless = HeldMessage::new(Publish::default(), came);
        assert!(!endless.is_expired(came + Duration::from_secs(1 << 40)));
        assert_eq!(endless.at(came), Publish::default());
    }

    /// What the target may have had before is sent again, with a time: it decides.
    #[test]
    fn a_message_expires_while_it_waits_for_the_target_unless_it_was_sent() {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut relay, came) = (Relay::new(), Instant::now());
            relay.target_connected(Continuity::New, QoS::ExactlyOnce);
            relay.source_connected(Continuity::New, Version::V5, Some(10));
            for number in [1, 2] {
                let publish = message(number, qos, 2);
                let RelayArrival::New(mark) = relay.arrival(&publish) else { panic!("it is new") };
                relay.add(mark, publish, came);
            }
            let sent = relay.next_for_target(came, |_| 1);
            assert!(matches!(sent, Some(TargetPacket::Publish { .. })), "{sent:?}");
            assert_eq!(relay.next_for_target(came, |_| 1), None, "the target takes one at once");
            let late = came + Duration::from_secs(3);
            relay.target_connected(Continuity::Resumed, QoS::ExactlyOnce);
            let Some(TargetPacket::Publish { publish, .. }) = relay.next_for_target(late, |_| 1)
            else {
                panic!("it is sent again");
            };
            let seconds = publish.properties.message_expiry_interval();
            assert_eq!((publish.dup, seconds), (true, Some(1)));
            assert_eq!(relay.next_for_target(late, |_| 1), Some(TargetPacket::Expired));
            assert_eq!(relay.next_for_target(late, |_| 1), None);
            let first =
                if qos == QoS::ExactlyOnce { PacketType::PubRec } else { PacketType::PubAck };
            assert_eq!(relay.next_for_source(10), None, "in the order of the messages");
            relay.target_answered(first, publish.packet_id.expect("one"), ReasonCode::SUCCESS);
            for number in [1, 2] {
                let answer = relay.next_for_source(10).expect("an answer");
                assert_eq!((answer.packet, answer.packet_id.get()), (first, number));
            }
            let mirrored = relay.take_outcomes().len();
            let waiting = if qos == QoS::ExactlyOnce { 2 } else { 0 };
            assert_eq!((mirrored, relay.unfinished()), (1, waiting));
        }
    }
}
