//! A broker of MQTT 5 that keeps sessions, retained messages and wills, with one fault at a time,
//! and that knows what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::program::PATIENCE;
use super::websocket::{Complaint, Peer, frame};

const BINARY: u8 = 0x82;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quirk {
    /// Nothing.
    #[default]
    None,
    /// No session is found again.
    SessionsForgotten,
    /// Of the messages that wait for an absent client this one, from 1, is lost.
    WaitingLost(usize),
    /// After so many connections this number of upgrades is answered by 503.
    ReturnsRefused(usize, usize),
    /// The retained message of the first topic is not sent.
    RetainedLost,
    /// The retained message of the first topic is sent twice.
    RetainedTwice,
    /// Wills are not published.
    WillsLost,
    /// Wills are published after a DISCONNECT, too.
    WillsAlways,
    /// The first member of each group that shares a subscription gets nothing.
    Starved,
    /// The first message for a group goes to all of its members.
    SharedWithAll,
}

/// What the broker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Messages that waited for an absent client and were sent when it was back.
    pub waited: usize,
    /// Messages that waited and were lost.
    pub lost: usize,
    /// Messages that were sent again with DUP.
    pub resent: usize,
    /// Connections that found their session.
    pub present: usize,
    /// Connections that were refused.
    pub refused: usize,
    /// Wills that were published.
    pub wills: usize,
    /// Connections that ended with DISCONNECT.
    pub disconnects: usize,
}

#[derive(Clone)]
struct Message {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: u8,
}

#[derive(Default)]
struct Session {
    filters: Vec<(String, u8)>,
    /// Messages without an acknowledgement, by their identifiers.
    in_flight: BTreeMap<u16, Message>,
    waiting: Vec<Message>,
    /// How many messages have waited in all.
    waited: usize,
    next_id: u16,
    /// Its connection: the number and the socket.
    online: Option<(usize, TcpStream)>,
    /// Whether it outlives its connection.
    is_kept: bool,
    will: Option<Message>,
}

#[derive(Default)]
struct State {
    quirk: Quirk,
    sessions: BTreeMap<String, Session>,
    retained: BTreeMap<String, Message>,
    /// Packet identifiers of QoS 2 that were received and not released, by client.
    received: BTreeSet<(String, u16)>,
    /// Whose turn it is in each group.
    turns: BTreeMap<String, usize>,
    connections: usize,
    open: usize,
    shared: usize,
    messages: usize,
    log: Log,
}

/// The broker; it ends with the test.
pub struct KeepingBroker {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl KeepingBroker {
    /// Starts it.
    pub fn start(quirk: Quirk) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { quirk, ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_threads);
                // What a client does wrong ends its connection, and shows in its report.
                thread::spawn(move || {
                    shared.0.lock().unwrap().open += 1;
                    let _ = serve(stream, &shared);
                    shared.0.lock().unwrap().open -= 1;
                    shared.1.notify_all();
                });
            }
        });
        Self { port, shared }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.port)
    }

    /// What it did.
    pub fn log(&self) -> Log {
        self.shared.0.lock().unwrap().log
    }

    /// Waits until so many messages have come.
    pub fn wait_for_messages(&self, count: usize) {
        drop(self.wait_while("no message came", |state| state.messages < count));
    }

    /// What it still has when all connections have ended: sessions, retained messages.
    pub fn left(&self) -> (usize, usize) {
        let state = self.wait_while("a connection is left", |state| state.open > 0);
        (state.sessions.len(), state.retained.len())
    }

    fn wait_while(
        &self,
        why: &str,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'_, State> {
        let (state, changed) = &*self.shared;
        let waited = changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, condition);
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "{why}");
        state
    }
}

/// Reads a packet from left to right.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *byte
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = usize::from(self.word());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes.to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Properties, and the value of the one that has four bytes and this identifier.
    fn properties(&mut self, wanted: u8) -> u32 {
        let mut length = 0;
        for shift in [0, 7, 14] {
            let byte = self.byte();
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let (properties, rest) = self.0.split_at(length);
        self.0 = rest;
        let at = properties.iter().position(|byte| *byte == wanted);
        at.map_or(0, |at| u32::from_be_bytes(properties[at + 1..at + 5].try_into().unwrap()))
    }
}

/// What CONNECT says.
struct Connect {
    id: String,
    clean: bool,
    is_kept: bool,
    will: Option<Message>,
}

fn connect(packet: &[u8]) -> Connect {
    let mut fields = Fields(&packet[1..]);
    assert_eq!((fields.text().as_str(), fields.byte()), ("MQTT", 5));
    let (flags, _keep_alive) = (fields.byte(), fields.word());
    // Session Expiry Interval stands first.
    let is_kept = fields.0[0] > 0 && fields.0[1] == 17 && fields.properties(17) > 0;
    if !is_kept {
        fields = Fields(&packet[11..]);
        fields.properties(17);
    }
    let id = fields.text();
    let will = (flags & 4 != 0).then(|| {
        fields.properties(0);
        let (topic, payload) = (fields.text(), fields.bytes());
        Message { topic, payload, qos: flags >> 3 & 3, retain: 0 }
    });
    Connect { id, clean: flags & 2 != 0, is_kept, will }
}

fn serve(stream: TcpStream, (state, changed): &(Mutex<State>, Condvar)) -> Result<(), Complaint> {
    stream.set_nodelay(true).unwrap();
    let writer = stream.try_clone().unwrap();
    let mut peer = Peer::new(stream, None);
    peer.read_request()?;
    if state.lock().unwrap().refuses() {
        return peer.write(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
    }
    peer.write(peer.acceptance().as_bytes())?;
    let connect = connect(&peer.read_packet()?);
    let id = connect.id.clone();
    let number = state.lock().unwrap().connected(connect, writer);
    let result = loop {
        match peer.read_packet() {
            Ok(packet) => {
                let mut state = state.lock().unwrap();
                let goes_on = state.packet(&id, &packet);
                changed.notify_all();
                if !goes_on {
                    break Ok(());
                }
            }
            Err(complaint) => break Err(complaint),
        }
    };
    state.lock().unwrap().gone(&id, number);
    result
}

impl State {
    /// Whether this connection is refused.
    fn refuses(&mut self) -> bool {
        let Quirk::ReturnsRefused(after, count) = self.quirk else { return false };
        let refuses = self.connections >= after && self.log.refused < count;
        self.log.refused += usize::from(refuses);
        refuses
    }

    fn connected(&mut self, connect: Connect, writer: TcpStream) -> usize {
        self.connections += 1;
        let number = self.connections;
        let forgets = connect.clean || self.quirk == Quirk::SessionsForgotten;
        if let Some(old) = self.sessions.get_mut(&connect.id)
            && let Some((_, socket)) = old.online.take()
        {
            let _ = socket.shutdown(Shutdown::Both);
            self.end(&connect.id);
        }
        if forgets {
            self.sessions.remove(&connect.id);
        }
        let is_present = self.sessions.contains_key(&connect.id);
        self.log.present += usize::from(is_present);
        send(&writer, &[0x20, 3, u8::from(is_present), 0, 0]);
        let session = self.sessions.entry(connect.id.clone()).or_default();
        session.online = Some((number, writer));
        (session.is_kept, session.will) = (connect.is_kept, connect.will);
        let again: Vec<_> = std::mem::take(&mut session.in_flight).into_iter().collect();
        let waiting = std::mem::take(&mut session.waiting);
        self.log.resent += again.len();
        self.log.waited += waiting.len();
        for (id, message) in again {
            session.write(message, 8, Some(id));
        }
        for message in waiting {
            session.write(message, 0, None);
        }
        number
    }

    /// A connection has ended.
    fn gone(&mut self, id: &str, number: usize) {
        let session = self.sessions.get_mut(id);
        if let Some(session) =
            session.filter(|it| it.online.as_ref().is_some_and(|(of, _)| *of == number))
        {
            session.online = None;
            self.end(id);
        }
    }

    fn end(&mut self, id: &str) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let (will, is_kept) = (session.will.take(), session.is_kept);
        if !is_kept {
            self.sessions.remove(id);
        }
        if let Some(will) = will.filter(|_| self.quirk != Quirk::WillsLost) {
            self.log.wills += 1;
            self.pass_on(&will);
        }
    }

    /// Answers a packet; whether the connection goes on.
    fn packet(&mut self, id: &str, packet: &[u8]) -> bool {
        match packet[0] >> 4 {
            3 => self.publish(id, packet),
            4 | 7 => {
                let number = u16::from_be_bytes([packet[1], packet[2]]);
                self.session(id).in_flight.remove(&number);
            }
            5 => self.answer(id, &[0x62, 2, packet[1], packet[2]]),
            6 => {
                let number = u16::from_be_bytes([packet[1], packet[2]]);
                self.received.remove(&(id.to_owned(), number));
                self.answer(id, &[0x70, 2, packet[1], packet[2]]);
            }
            8 => self.subscribe(id, packet),
            12 => self.answer(id, &[0xd0, 0]),
            14 => {
                self.log.disconnects += 1;
                if self.quirk != Quirk::WillsAlways {
                    self.session(id).will = None;
                }
                return false;
            }
            kind => panic!("packet {kind}"),
        }
        true
    }

    fn session(&mut self, id: &str) -> &mut Session {
        self.sessions.entry(id.to_owned()).or_default()
    }

    fn answer(&mut self, id: &str, packet: &[u8]) {
        if let Some((_, writer)) = &self.session(id).online {
            send(writer, packet);
        }
    }

    fn subscribe(&mut self, id: &str, packet: &[u8]) {
        let mut fields = Fields(&packet[1..]);
        let number = fields.word().to_be_bytes();
        fields.properties(0);
        let mut codes = Vec::new();
        let mut filters = Vec::new();
        while !fields.0.is_empty() {
            let (filter, qos) = (fields.text(), fields.byte() & 3);
            codes.push(qos);
            filters.push((filter, qos));
        }
        let mut answer = vec![0x90, 3 + u8::try_from(codes.len()).unwrap()];
        answer.extend(number);
        answer.push(0);
        answer.extend(codes);
        self.answer(id, &answer);
        for (filter, qos) in filters {
            self.send_retained(id, &filter, qos);
            self.session(id).filters.push((filter, qos));
        }
    }

    fn send_retained(&mut self, id: &str, filter: &str, granted: u8) {
        let first = self.retained.keys().next().cloned();
        let matching = self.retained.values().filter(|message| matches(filter, &message.topic));
        let mut messages: Vec<Message> = matching.cloned().collect();
        messages
            .retain(|it| self.quirk != Quirk::RetainedLost || Some(&it.topic) != first.as_ref());
        for message in messages {
            let is_first = Some(&message.topic) == first.as_ref();
            let count = if self.quirk == Quirk::RetainedTwice && is_first { 2 } else { 1 };
            for _ in 0..count {
                let qos = message.qos.min(granted);
                self.session(id).write(Message { qos, retain: 1, ..message.clone() }, 0, None);
            }
        }
    }

    fn publish(&mut self, id: &str, packet: &[u8]) {
        let qos = packet[0] >> 1 & 3;
        let mut fields = Fields(&packet[1..]);
        let topic = fields.text();
        let number = if qos > 0 { fields.word() } else { 0 };
        fields.properties(0);
        let message = Message { topic, payload: fields.0.to_vec(), qos, retain: packet[0] & 1 };
        let is_new = qos < 2 || self.received.insert((id.to_owned(), number));
        if is_new {
            self.messages += 1;
            self.keep(&message);
            self.pass_on(&Message { retain: 0, ..message });
        }
        let [high, low] = number.to_be_bytes();
        match qos {
            0 => {}
            1 => self.answer(id, &[0x40, 2, high, low]),
            _ => self.answer(id, &[0x50, 2, high, low]),
        }
    }

    fn keep(&mut self, message: &Message) {
        match (message.retain, message.payload.is_empty()) {
            (1, true) => drop(self.retained.remove(&message.topic)),
            (1, false) => drop(self.retained.insert(message.topic.clone(), message.clone())),
            _ => {}
        }
    }

    fn pass_on(&mut self, message: &Message) {
        let mut groups: BTreeMap<String, Vec<(String, u8)>> = BTreeMap::new();
        for (id, session) in &mut self.sessions {
            for (filter, qos) in session.filters.clone() {
                let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
                match shared {
                    Some((group, filter)) if matches(filter, &message.topic) => {
                        groups.entry(group.to_owned()).or_default().push((id.clone(), qos));
                    }
                    None if matches(&filter, &message.topic) => {
                        let copy = Message { qos: message.qos.min(qos), ..message.clone() };
                        self.log.lost += session.take(copy, self.quirk);
                    }
                    Some(_) | None => {}
                }
            }
        }
        for (group, members) in groups {
            self.pass_on_to_group(&group, &members, message);
        }
    }

    fn pass_on_to_group(&mut self, group: &str, members: &[(String, u8)], message: &Message) {
        self.shared += 1;
        let starts = usize::from(self.quirk == Quirk::Starved && members.len() > 1);
        let members = &members[starts..];
        let turn = self.turns.entry(group.to_owned()).or_default();
        *turn += 1;
        let chosen = &members[*turn % members.len()];
        let is_for_all = self.quirk == Quirk::SharedWithAll && self.shared == 1;
        let all: Vec<_> = if is_for_all { members.iter().collect() } else { vec![chosen] };
        for (id, qos) in all {
            let copy = Message { qos: message.qos.min(*qos), ..message.clone() };
            let quirk = self.quirk;
            self.log.lost += self.session(id).take(copy, quirk);
        }
    }
}

impl Session {
    /// A message is for this client: it is sent, or waits; how many were lost.
    fn take(&mut self, message: Message, quirk: Quirk) -> usize {
        if self.online.is_some() {
            self.write(message, 0, None);
        } else if message.qos > 0 {
            self.waited += 1;
            if quirk == Quirk::WaitingLost(self.waited) {
                return 1;
            }
            self.waiting.push(message);
        }
        0
    }

    fn write(&mut self, message: Message, dup: u8, id: Option<u16>) {
        let Some((_, writer)) = &self.online else { return };
        let mut body = u16::try_from(message.topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend(message.topic.as_bytes());
        let id = id.unwrap_or_else(|| {
            self.next_id = self.next_id % 60_000 + 1;
            self.next_id
        });
        if message.qos > 0 {
            body.extend(id.to_be_bytes());
        }
        body.push(0);
        body.extend(&message.payload);
        let mut packet = vec![0x30 | message.qos << 1 | dup | message.retain];
        let mut length = body.len();
        while length >= 0x80 {
            packet.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        packet.push(u8::try_from(length).unwrap());
        packet.extend(body);
        send(writer, &packet);
        if message.qos > 0 {
            self.in_flight.insert(id, message);
        }
    }
}

/// Whether a filter matches a topic.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            _ => return false,
        }
    }
}

fn send(mut writer: &TcpStream, packet: &[u8]) {
    // A client that is gone is found by the thread that reads.
    let _ = writer.write_all(&frame(BINARY, packet));
}
