//! The conditions at the end of a world: promises 1, 4 and 5 of the design.

use std::collections::HashMap;

use super::world::{Outcome, World};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

impl World {
    pub fn check_outgoing(&self) {
        let mut latest = [0; 3];
        let mut count: HashMap<u32, usize> = HashMap::new();
        for &number in &self.broker.passed_on {
            let qos = self.outgoing[number as usize - 1];
            *count.entry(number).or_default() += 1;
            if count[&number] == 1 {
                let latest = &mut latest[usize::from(qos.bits())];
                assert!(
                    *latest < number,
                    "message {number} of QoS {qos} arrives after {latest}: {self:?}"
                );
                *latest = number;
            }
        }
        for (number, &qos) in (1..).zip(&self.outgoing) {
            self.check_message(number, qos, count.get(&number).copied().unwrap_or(0));
        }
    }

    /// At most once, at least once, exactly once.
    fn check_message(&self, number: u32, qos: QoS, arrived: usize) {
        let outcome = self.outcomes.get(&number).copied();
        let right = match (qos, outcome) {
            (QoS::AtMostOnce, None) | (QoS::ExactlyOnce, Some(Outcome::Abandoned)) => arrived <= 1,
            (_, Some(Outcome::Refused)) => arrived == 0 && self.broker.manner.refuses(number),
            (QoS::AtLeastOnce, Some(Outcome::Acknowledged)) => arrived >= 1,
            (QoS::AtLeastOnce, Some(Outcome::Abandoned)) => true,
            // A client that is told that the session is present retransmits.
            (QoS::ExactlyOnce, Some(_)) if self.masked => true,
            (QoS::ExactlyOnce, Some(Outcome::Acknowledged)) => {
                arrived == 1 || arrived == 0 && self.confused.contains(&number)
            }
            (QoS::ExactlyOnce, Some(Outcome::InDoubt)) => arrived <= 1 && !self.lossless,
            _ => false,
        };
        assert!(
            right,
            "message {number} of QoS {qos} arrived {arrived} times, outcome {outcome:?}: {self:?}"
        );
    }

    pub fn check_incoming(&self) {
        for (number, &qos) in (1..).zip(&self.incoming) {
            let lost = !self.written.contains(&number) && qos > QoS::AtMostOnce;
            assert!(
                !(lost && self.lossless),
                "message {number} of QoS {qos} was never written: {self:?}"
            );
        }
    }

    /// The broker retains no session of the client, unless it should.
    pub fn say_goodbye(mut self) {
        assert_eq!(self.session.exchanges.remembered(), 0, "nothing is remembered: {self:?}");
        self.session.disconnect(ReasonCode::SUCCESS);
        self.flush();
        self.arrive_up(self.up.len());
        if self.session.needs_ending_connection() {
            self.session.set_session_ending(true);
            self.session.lost();
            self.connect();
            self.arrive_up(self.up.len());
            self.arrive_down(self.down.len());
            assert!(self.up.is_empty(), "nothing is sent on a connection that only forgets");
            self.session.disconnect(ReasonCode::SUCCESS);
            self.flush();
            self.arrive_up(self.up.len());
        }
        let remains = self.broker.state.is_some();
        let kept = self.config.lifetime == crate::mqtt::session::Lifetime::Persistent;
        assert_eq!(remains, kept, "the session at the broker: {self:?}");
    }
}
