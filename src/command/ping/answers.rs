//! How a probe is sent, and what counts as its answer.

use bytes::BytesMut;

use super::config::ProbeKind;
use super::pinger::{MOST_LATE, Pinger};
use crate::client::Event;
use crate::mqtt::packet::Publish;
use crate::mqtt::session;

impl Pinger<'_> {
    /// Sends the probe that is numbered by how many were sent.
    pub fn send_probe(&mut self) {
        match self.plan.probe {
            // Of each one without an answer something is remembered.
            ProbeKind::Mqtt if self.late >= MOST_LATE => {}
            ProbeKind::Mqtt => self.client.ping(),
            ProbeKind::WebSocket => self.client.ping_websocket(),
            ProbeKind::Publish { qos, size } => {
                let number = self.results.sent;
                let mut payload = BytesMut::zeroed(size);
                payload[..8].copy_from_slice(&number.to_be_bytes());
                let publish = Publish { qos, ..Publish::new(self.topic.clone(), payload.freeze()) };
                // While the connection is lost, or if the broker does not take it, there is no
                // answer.
                if self.client.can_publish(qos) {
                    let _ = self.client.publish(publish, number);
                }
            }
        }
    }

    /// Whether this answers the latest probe.
    pub fn is_answer(&mut self, event: &Event) -> bool {
        match (self.plan.probe, event) {
            // Only the Pong with the payload of the latest Ping is reported.
            (ProbeKind::WebSocket, Event::WebSocketPong) => true,
            (ProbeKind::Mqtt, Event::Mqtt(session::Event::Pong)) => {
                let late = self.late > 0;
                self.late -= u64::from(late);
                !late
            }
            (ProbeKind::Publish { .. }, Event::Mqtt(session::Event::Message(delivery))) => {
                self.client.acknowledge_up_to(delivery.number);
                delivery.publish.payload.get(..8) == Some(&self.results.sent.to_be_bytes())
            }
            _ => false,
        }
    }
}
