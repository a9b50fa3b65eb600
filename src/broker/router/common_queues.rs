//! The common queues of one row of messages: one for each form in which sessions get them.

use super::SessionKey;
use super::common::{Amount, CommonForm, CommonItem, CommonQueue};
use super::message::AddressedMessage;
use super::outgoing::OutgoingItem;

impl CommonItem for OutgoingItem {
    fn weight(&self) -> usize {
        OutgoingItem::weight(self)
    }

    fn messages(&self) -> usize {
        match self {
            Self::Packet(_) => 1,
            Self::Run(run) => run.count,
            Self::Common(common) => common.len(),
        }
    }
}

impl CommonItem for AddressedMessage {
    fn weight(&self) -> usize {
        AddressedMessage::weight(self)
    }

    fn messages(&self) -> usize {
        1
    }
}

/// The common queues of the sessions that are to get every message of one topic and one QoS.
#[derive(Debug, Default)]
pub struct CommonQueues {
    /// What is sent without acknowledgement goes to connections.
    pub to_connections: Vec<CommonQueue<OutgoingItem>>,
    /// All else goes to sessions.
    pub to_sessions: Vec<CommonQueue<AddressedMessage>>,
}

impl CommonQueues {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.to_connections.is_empty() && self.to_sessions.is_empty()
    }

    /// Whether a session has one.
    pub fn contains(&self, key: SessionKey) -> bool {
        self.to_connections.iter().any(|queue| queue.contains(key))
            || self.to_sessions.iter().any(|queue| queue.contains(key))
    }

    /// Whether each takes a message of this weight in bytes.
    pub fn have_room(&self, weight: usize) -> bool {
        // A connection has room as long as there is any.
        self.to_connections.iter().all(|queue| queue.has_room(1))
            && self.to_sessions.iter().all(|queue| queue.has_room(weight))
    }

    /// From now on a connected session gets messages of QoS 0 through the queue of this form. False
    /// if it has no room.
    pub fn join_connections(&mut self, form: CommonForm, key: SessionKey, room: Amount) -> bool {
        join(&mut self.to_connections, form, key, room)
    }

    /// From now on a session gets messages of QoS 1 and 2 through the queue of this form. False if
    /// it has no room.
    pub fn join_sessions(&mut self, form: CommonForm, key: SessionKey, room: Amount) -> bool {
        join(&mut self.to_sessions, form, key, room)
    }
}

fn join<T: CommonItem>(
    queues: &mut Vec<CommonQueue<T>>,
    form: CommonForm,
    key: SessionKey,
    room: Amount,
) -> bool {
    if room.messages == 0 || room.weight == 0 {
        return false;
    }
    let at = queues.iter().position(|queue| *queue.form() == form).unwrap_or_else(|| {
        queues.push(CommonQueue::new(form));
        queues.len() - 1
    });
    queues[at].join(key, room);
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::broker::router::message::Grant;
    use crate::mqtt::packet::{Packet, Publish};
    use crate::mqtt::qos::QoS;
    use crate::mqtt::topic::TopicName;

    fn form(qos: QoS) -> CommonForm {
        CommonForm { grant: Grant { qos, ..Grant::default() }, has_properties: false }
    }

    fn room(messages: usize, weight: usize) -> Amount {
        Amount { messages, weight }
    }

    /// An item; which one is known by its topic.
    fn item(number: usize) -> OutgoingItem {
        let topic = TopicName::new(number.to_string()).unwrap();
        let publish = Publish::new(topic, Bytes::new());
        Packet::Publish(publish).into()
    }

    fn queue_with(keys: &[SessionKey]) -> CommonQueues {
        let mut queues = CommonQueues::default();
        for key in keys {
            assert!(queues.join_connections(form(QoS::AtMostOnce), *key, room(9, 9000)));
        }
        queues
    }

    #[test]
    fn each_session_gets_what_came_after_it_has_joined() {
        let mut queues = queue_with(&[7, 3]);
        let queue = &mut queues.to_connections[0];
        (0..3).for_each(|number| queue.push(item(number)));
        queue.join(5, room(9, 9000));
        queue.push(item(3));
        let parts = queue.take_part();
        let numbers = [(3, 0..4), (5, 3..4), (7, 0..4)];
        for ((key, part, count), (expected, numbers)) in parts.into_iter().zip(numbers) {
            let items: Vec<_> = numbers.map(item).collect();
            let weight: usize = items.iter().map(OutgoingItem::weight).sum();
            assert_eq!((key, count, part.weight()), (expected, items.len(), weight));
            assert!(part.eq(items));
        }
        // Nobody has anything before there is something new; the last to join has all of that.
        assert!(queue.take_part().is_empty());
        queue.push(item(4));
        assert!(queue.take_part().into_iter().all(|(_, part, _)| part.eq([item(4)])));
    }

    #[test]
    fn what_waits_is_stored_once_and_as_long_as_somebody_waits_for_it() {
        let mut queues = queue_with(&[1, 2, 3]);
        let queue = &mut queues.to_connections[0];
        (0..3).for_each(|number| queue.push(item(number)));
        let mut parts = queue.take_part();
        let part = Arc::downgrade(parts[0].1.part());
        assert_eq!(part.strong_count(), 3);
        let (_, mut rest, _) = parts.pop().unwrap();
        parts.clear();
        let before = rest.weight();
        assert_eq!(rest.next(), Some(item(0)));
        assert_eq!((rest.len(), rest.weight()), (2, before - item(0).weight()));
        assert_eq!(part.strong_count(), 1);
        drop(rest);
        assert_eq!(part.strong_count(), 0);
    }

    #[test]
    fn the_room_is_that_of_the_session_with_the_least() {
        let mut queues = queue_with(&[1]);
        let weight = item(0).weight();
        assert!(queues.join_connections(form(QoS::AtMostOnce), 2, room(5, 2 * weight + 1)));
        // A connection takes what comes as long as there is any room.
        for has_room in [true, true, true, false] {
            assert_eq!(queues.have_room(1_000_000), has_room);
            queues.to_connections[0].push(item(0));
        }
        let mut queues = CommonQueues::default();
        let at_least_once = form(QoS::AtLeastOnce);
        assert!(!queues.join_sessions(at_least_once.clone(), 1, room(0, 10)));
        assert!(!queues.join_sessions(at_least_once.clone(), 1, room(1, 0)));
        assert!(queues.is_empty());
        assert!(queues.join_sessions(at_least_once, 1, room(1, 10)));
        assert_eq!([10, 11].map(|weight| queues.have_room(weight)), [true, false]);
        assert!(queues.contains(1) && !queues.contains(2));
    }

    #[test]
    fn other_forms_have_other_queues() {
        let mut queues = queue_with(&[1, 2]);
        let other = CommonForm { has_properties: true, ..form(QoS::AtMostOnce) };
        assert!(queues.join_connections(other, 3, room(9, 9000)));
        assert_eq!(queues.to_connections.len(), 2);
        assert!([1, 2, 3].into_iter().all(|key| queues.contains(key)));
    }
}
