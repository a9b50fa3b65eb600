//! The subscription to the topic that probes of `--via publish` go to and come back from.

use std::time::Instant;

use super::config::ProbeKind;
use super::pinger::Pinger;
use crate::client::{Error, Event};
use crate::mqtt::packet::{SubAck, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::topic::TopicFilter;

impl Pinger<'_> {
    /// Subscribes before the first probe, where that is needed; whether the broker granted it.
    pub fn prepare(&mut self) -> Result<bool, Error> {
        match self.plan.probe {
            ProbeKind::Publish { qos, .. } => self.subscribe(qos),
            ProbeKind::Mqtt | ProbeKind::WebSocket => Ok(true),
        }
    }

    /// Subscribes to the topic of our own; whether the broker lets us.
    fn subscribe(&mut self, qos: QoS) -> Result<bool, Error> {
        let filter = TopicFilter::new(self.topic.as_str().to_owned());
        let Ok(filter) = filter else { return Ok(false) };
        self.client.subscribe(vec![Subscription::new(filter, qos)], Properties::default());
        let until = self.no_later(Instant::now() + self.plan.timeout);
        loop {
            match self.client.next(Some(until))? {
                Event::Mqtt(session::Event::Subscribed(suback)) => {
                    return Ok(self.is_granted(&suback));
                }
                Event::Interrupted(signal) => return Err(Error::Interrupted(signal)),
                Event::Alarm => return Err(self.unanswered()),
                Event::Woken => drop(self.woken()),
                Event::Mqtt(_)
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Connected(_)
                | Event::Closed(_)
                | Event::WebSocketPong
                | Event::Sendable
                | Event::Reconnected => {}
            }
        }
    }

    fn unanswered(&self) -> Error {
        let after = self.plan.deadline.map_or(self.plan.timeout, |all| all.min(self.plan.timeout));
        Error::Unanswered { what: format!("subscribing to {}", self.topic), after }
    }

    fn is_granted(&mut self, suback: &SubAck) -> bool {
        let refused = suback.codes.iter().find(|code| code.is_error());
        self.results.refusal = refused.map(|code| {
            let why = super::super::refusal(*code, suback.reason());
            format!("subscribing to {}: refused: {why}", self.topic)
        });
        self.results.refusal.is_none()
    }
}
