//! The broker's core, pure: packets and time come in; packets, ends of connections and one deadline
//! go out.

mod aliases;
mod aside;
mod backlog;
mod common;
mod connect;
mod copies;
mod delivery;
mod idle;
mod inbound;
mod lesser;
mod levels;
mod login;
mod memory;
mod message;
mod outbound;
mod outgoing;
mod peer;
mod publish;
mod reader;
mod reason;
mod replay;
mod retain;
mod retained;
mod runs;
mod session;
mod statistics;
mod subscribe;
mod subscribed;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Instant;

#[cfg(test)]
pub use common::CommonMessages;
pub use memory::NOBODY;
pub use outgoing::{Outgoing, OutgoingItem, packet_weight};
pub use retained::Retained;
pub use session::SessionKey;

use crate::broker::access::acl::Acl;
use crate::broker::access::users::Users;
use crate::broker::limits::{Limits, PATIENCE};
use crate::mqtt::id_map::IdMap;
use crate::mqtt::packet::{Ack, Disconnect, Malformed, Packet, PacketId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use connect::UNACCEPTABLE_VERSION;
use copies::CopyBlock;
use login::Logins;
use memory::{Admission, MemoryWatch};
use outbound::WrongAck;
use peer::Peer;
use reason::{Reason, undefined_code};
use session::{NEVER, Sessions};
use statistics::BrokerStatistics;
use subscriptions::{Matches, Subscriptions};

/// The number of one connection, never used twice.
pub type ConnectionId = u64;

/// Why the router ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The client sent DISCONNECT.
    Done,
    /// The connection was lost: no DISCONNECT can be sent.
    Lost,
    /// CONNECT was refused.
    Refused,
    /// The client broke the protocol.
    Misbehaved,
    /// It sent a packet that is larger than those that are taken.
    TooLarge,
    /// The client was silent for too long.
    Silent,
    /// Another connection took over its session `[MQTT-3.1.4-3]`.
    TakenOver,
    /// The broker stops.
    Stopped,
}

/// An action that is due at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// Check whether this connection was silent for too long (§3.1.2.10).
    Silence(ConnectionId),
    /// Publish the will of this session (§3.1.3.2.2).
    Will(SessionKey),
    /// Remove this session (§3.1.2.11.2).
    Expiry(SessionKey),
    /// Publish what has changed below `$SYS`.
    Statistics,
}

/// The alarms in the order of their time.
#[derive(Debug, Default)]
struct Timers(BTreeSet<(Instant, Alarm)>);

impl Timers {
    /// Sets an alarm.
    fn set(&mut self, at: Instant, alarm: Alarm) {
        self.0.insert((at, alarm));
    }

    /// Cancels an alarm; `at` is the time that it was set for, if it was set.
    fn cancel(&mut self, at: Option<Instant>, alarm: Alarm) {
        if let Some(at) = at {
            self.0.remove(&(at, alarm));
        }
    }

    /// When the next alarm is due.
    fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next alarm out if it is due at `now`.
    fn due(&mut self, now: Instant) -> Option<Alarm> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, alarm)| alarm)
    }
}

/// What the router says.
#[derive(Debug, Default)]
struct RouterLines {
    /// For the debug log.
    notes: Vec<String>,
    /// What the user should see in any case: what was lost.
    warnings: Vec<String>,
}

/// Sessions, subscriptions, retained messages and connections.
#[derive(Debug)]
pub struct Router {
    limits: Limits,
    memory: MemoryWatch,
    peers: IdMap<ConnectionId, Peer>,
    sessions: Sessions,
    subscriptions: Subscriptions,
    retained: Retained,
    timers: Timers,
    logins: Logins,
    /// Connections with packets or an end to hand over.
    touched: Vec<ConnectionId>,
    lines: RouterLines,
    statistics: BrokerStatistics,
    buffers: RouterBuffers,
}

/// What is filled again with each message.
#[derive(Debug, Default)]
struct RouterBuffers {
    /// Who gets it.
    matches: Matches,
    /// Where it is copied if it is small and kept for a while.
    block: CopyBlock,
}

impl Router {
    /// A router with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory: MemoryWatch::default(),
            peers: IdMap::default(),
            sessions: Sessions::default(),
            subscriptions: Subscriptions::default(),
            retained: Retained::default(),
            timers: Timers::default(),
            logins: Logins::default(),
            touched: Vec::new(),
            lines: RouterLines::default(),
            statistics: BrokerStatistics::default(),
            buffers: RouterBuffers::default(),
        }
    }

    /// Whether nothing would be lost with it, if it began with so many changes of retained
    /// messages: there are no connections and sessions, and no other retained messages.
    pub fn is_unused(&self, changes: u64) -> bool {
        let has_changed = self.retained.len() > 0 && self.retained.changes() != changes;
        self.peers.is_empty() && self.sessions.len() == 0 && !has_changed
    }

    /// How often a retained message was stored or removed.
    pub fn retained_changes(&self) -> u64 {
        self.retained.changes()
    }

    /// From now on lets in these users alone, and these topics; `None` is everybody, and all.
    pub fn set_access(&mut self, users: Option<Users>, acl: Option<Acl>) {
        self.logins.users = users;
        self.logins.acl = acl;
    }

    /// The broker starts.
    pub fn start(&mut self, now: Instant) {
        self.statistics.start(now);
    }

    /// A WebSocket was opened; CONNECT must follow.
    pub fn open(&mut self, id: ConnectionId, now: Instant) {
        let mut peer = Peer::new(now);
        peer.silence = Some(PATIENCE);
        self.peers.insert(id, peer);
        self.watch(id, now);
    }

    /// A client sent so many bytes.
    pub fn heard(&mut self, bytes: usize) {
        self.statistics.received.bytes += bytes as u64;
    }

    /// A part of a packet came: its client is not silent, as one is that sends Pings of WebSocket
    /// alone `[MQTT-3.1.2-22]`.
    pub fn part_arrived(&mut self, id: ConnectionId, now: Instant) {
        // A slow CONNECT does not extend the time that a connection has for it.
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.session.is_some()) {
            peer.heard = now;
        }
    }

    /// So many bytes were written to clients.
    pub fn wrote(&mut self, bytes: usize) {
        self.statistics.sent.bytes += bytes as u64;
    }

    /// A packet came in.
    pub fn receive(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        self.statistics.received.packets += 1;
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.end.is_none()) else { return };
        let Some(session) = peer.session else {
            return self.receive_first(id, packet, now);
        };
        peer.heard = now;
        if let Some(code) = undefined_code(&packet) {
            let string = format!("{} with the reason code {:#04X}", packet.packet_type(), code.0);
            let reason = Reason::new(ReasonCode::MALFORMED_PACKET, string);
            return self.shut(id, &reason, EndReason::Misbehaved, now);
        }
        self.receive_in(id, session, packet, now);
    }

    fn receive_in(&mut self, id: ConnectionId, session: SessionKey, packet: Packet, now: Instant) {
        match packet {
            Packet::Publish(publish) => self.publish(id, session, publish, now),
            Packet::PubAck(ack) => {
                self.acknowledged(id, session, now, |out| out.acknowledged(ack.packet_id));
            }
            Packet::PubRec(ack) => self.received(id, session, &ack, now),
            Packet::PubRel(ack) => self.released(id, session, ack.packet_id),
            Packet::PubComp(ack) => {
                self.acknowledged(id, session, now, |out| out.completed(ack.packet_id));
            }
            Packet::Subscribe(subscribe) => self.subscribe(id, session, &subscribe, now),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, session, &unsubscribe, now),
            Packet::PingReq => self.send(id, Packet::PingResp),
            Packet::Disconnect(disconnect) => self.disconnected(id, session, &disconnect, now),
            Packet::Connect(_) => self.misbehaved(id, "a second CONNECT [MQTT-3.1.0-2]", now),
            Packet::Auth(_) => {
                self.misbehaved(id, "AUTH without an authentication method in CONNECT", now);
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                self.misbehaved(id, "a packet that only servers send", now);
            }
        }
    }

    /// The client sent what is not MQTT (§4.13); a CONNECT is answered in this version.
    pub fn malformed(
        &mut self,
        id: ConnectionId,
        error: &Malformed,
        version: Version,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.end.is_none()) else { return };
        let connected = peer.session.is_some();
        let reason = Reason::new(error.reason_code(), error.to_string());
        if !connected {
            peer.version = version;
            let is_version = matches!(error, Malformed::UnsupportedVersion { .. });
            if is_version || version == Version::V5 {
                return self.refuse(id, &reason, UNACCEPTABLE_VERSION, now);
            }
        }
        let end = match error {
            Malformed::PacketTooLarge { .. } => EndReason::TooLarge,
            _ => EndReason::Misbehaved,
        };
        self.shut(id, &reason, end, now);
    }

    /// The connection ended without DISCONNECT.
    pub fn lost(&mut self, id: ConnectionId, now: Instant) {
        self.end(id, EndReason::Lost, now);
    }

    /// When `tick` is due.
    pub fn deadline(&self) -> Option<Instant> {
        [self.timers.next(), self.retained.next_expiry()].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) {
        self.retained.sweep(now);
        self.check_passwords(now);
        self.continue_replays(now);
        while let Some(alarm) = self.timers.due(now) {
            match alarm {
                Alarm::Silence(id) => self.watch(id, now),
                Alarm::Will(key) => self.publish_will(key, now),
                Alarm::Expiry(key) => {
                    self.statistics.expired();
                    self.end_session(key, now);
                }
                Alarm::Statistics => self.publish_statistics(now),
            }
        }
    }

    /// Ends every connection; wills are not published.
    pub fn stop(&mut self, now: Instant) {
        // Nothing is passed on to clients that are about to go.
        self.subscriptions = Subscriptions::default();
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            let session = self.peers.get(&id).and_then(|peer| peer.session);
            if let Some(session) = session.and_then(|key| self.sessions.get_mut(key)) {
                session.will = None;
            }
            let reason = Reason::new(ReasonCode::SERVER_SHUTTING_DOWN, "the broker was stopped");
            self.shut(id, &reason, EndReason::Stopped, now);
        }
    }

    /// Whether [`drain`](Self::drain) would hand something over, or [`tick`](Self::tick) has
    /// something to compute.
    pub fn has_work(&self) -> bool {
        !self.touched.is_empty() || self.logins.is_busy() || !self.sessions.replays.is_empty()
    }

    /// Hands over everything that is to be sent or closed.
    pub fn drain(&mut self, mut hand_over: impl FnMut(Outgoing<'_>)) {
        for id in self.touched.drain(..) {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.touched = false;
            self.statistics.sent.packets += peer.items.len() as u64;
            self.statistics.sent.messages += std::mem::take(&mut peer.backlog.published);
            hand_over(Outgoing {
                connection: id,
                items: &mut peer.items,
                unsent: peer.backlog.unsent,
                end: peer.end,
                hold_back_for: peer.hold_back_for.take(),
            });
            if peer.end.is_some() {
                self.peers.remove(&id);
            }
        }
    }

    /// Lines for the debug log: what was refused, dropped or malformed since the last call.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines.notes)
    }

    /// Lines that the user should see in any case: what was lost since the last call.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines.warnings)
    }

    /// Sends a packet, unless the client takes none of that size `[MQTT-3.1.2-24]`.
    fn send(&mut self, id: ConnectionId, packet: Packet) {
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.takes(&packet)) {
            peer.push(packet.into());
            touch(&mut self.touched, id, peer);
        }
    }

    /// Sends an acknowledgement. Before MQTT 5 it has no code.
    fn send_ack(
        &mut self,
        id: ConnectionId,
        packet: fn(Ack) -> Packet,
        packet_id: PacketId,
        reason: impl Into<Reason>,
    ) {
        let Some(peer) = self.peers.get(&id) else { return };
        let Reason { code, string } = reason.into();
        let code = if peer.version.has_properties() { code } else { ReasonCode::SUCCESS };
        let ack = |properties| packet(Ack { packet_id, code, properties });
        let ack = peer.explained(&string, ack);
        self.send(id, ack);
    }

    /// Ends a connection, telling an MQTT 5 client why `[MQTT-4.13.1-1]`, and the log.
    fn shut(&mut self, id: ConnectionId, reason: &Reason, end: EndReason, now: Instant) {
        self.readmit_client(id);
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.end.is_none()) else { return };
        let Reason { code, string } = reason;
        if peer.session.is_some() && peer.version == Version::V5 {
            let disconnect =
                |properties| Packet::Disconnect(Disconnect { code: *code, properties });
            peer.push(peer.explained(string, disconnect).into());
        }
        if matches!(end, EndReason::Misbehaved | EndReason::TooLarge | EndReason::Silent) {
            self.lines.notes.push(format!("{}: {string}", self.name(id)));
        }
        self.end(id, end, now);
    }

    /// Ends the connection of a client that has broken the protocol.
    fn misbehaved(&mut self, id: ConnectionId, string: &'static str, now: Instant) {
        self.shut(id, &Reason::protocol_error(string), EndReason::Misbehaved, now);
    }

    /// Ends a connection, and a session that ends with it.
    fn end(&mut self, id: ConnectionId, end: EndReason, now: Instant) {
        self.readmit_client(id);
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.end.is_none()) else { return };
        peer.end = Some(end);
        touch(&mut self.touched, id, peer);
        self.logins.forget(id);
        self.timers.cancel(peer.alarm.take(), Alarm::Silence(id));
        if let Some(key) = peer.session.take() {
            self.part(key, now);
        }
    }

    /// Checks whether a client was silent for too long, and sets the time of the next check.
    fn watch(&mut self, id: ConnectionId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        self.timers.cancel(peer.alarm.take(), Alarm::Silence(id));
        let Some(at) = peer.silence.and_then(|silence| peer.heard.checked_add(silence)) else {
            return;
        };
        if at > now {
            peer.alarm = Some(at);
            self.timers.set(at, Alarm::Silence(id));
            return;
        }
        let silence = peer.silence.unwrap_or_default().as_secs_f64();
        let string = format!("silent for more than {silence} seconds");
        let reason = Reason::new(ReasonCode::KEEP_ALIVE_TIMEOUT, string);
        self.shut(id, &reason, EndReason::Silent, now);
    }

    /// The name of a connection in notes.
    fn name(&self, id: ConnectionId) -> String {
        let session = self.peers.get(&id).and_then(|peer| self.sessions.get(peer.session?));
        session.map_or_else(
            || format!("connection {id}"),
            |session| format!("{:?}", &*session.client_id),
        )
    }
}

/// Marks a connection as having something to hand over.
fn touch(touched: &mut Vec<ConnectionId>, id: ConnectionId, peer: &mut Peer) {
    if !std::mem::replace(&mut peer.touched, true) {
        touched.push(id);
    }
}
