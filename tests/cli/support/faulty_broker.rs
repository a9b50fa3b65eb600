//! A broker in which things go wrong with messages, each by its number, and that knows what it did.
//! It speaks MQTT 5, and passes messages on from one connection to the others that subscribed.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::program::PATIENCE;
use super::websocket::{Complaint, Peer, frame};

const BINARY: u8 = 0x82;

/// What goes wrong with the message that has this number, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing.
    #[default]
    Nothing,
    /// It is not passed on.
    Lost(usize),
    /// None is passed on.
    AllLost,
    /// None is passed on but each that has a multiple of this number.
    AllLostBut(usize),
    /// It is passed on twice; the second with this bit in its first byte (DUP).
    Doubled(usize, u8),
    /// It is passed on after so many others.
    Late(usize, usize),
    /// A bit of this byte of its payload is inverted.
    Flipped(usize, usize),
    /// A bit in the last character of its topic is inverted.
    TopicFlipped(usize),
    /// Its last byte is missing.
    Cut(usize),
    /// It is passed on to everyone.
    ToEveryone(usize),
    /// It is passed on to those who did not subscribe to it, and to nobody else.
    ToOthers(usize),
    /// A message that an earlier run sent is passed on, too.
    Foreign(usize),
    /// Its PUBACK or PUBREC has this code, and it is not passed on.
    Refused(usize, u8),
    /// It is passed on and never acknowledged.
    Unacknowledged(usize),
    /// Its PUBACK or PUBREC comes twice.
    AcknowledgedTwice(usize),
    /// Every SUBACK has this code.
    Suback(u8),
    /// CONNACK has this Receive Maximum; a client that sends more is cut off.
    ReceiveMaximum(u8),
    /// When it comes, every connection that has subscribed is reset.
    SubscribersReset(usize),
    /// When it comes, every connection is reset.
    AllReset(usize),
}

/// A client that has subscribed.
struct Reader {
    filters: Vec<String>,
    stream: TcpStream,
    qos: u8,
    next_id: u16,
}

#[derive(Default)]
struct State {
    wrong: Wrong,
    /// The place of the reader for whom it goes wrong; for all if there is none.
    only: Option<usize>,
    readers: BTreeMap<usize, Reader>,
    /// All connections.
    streams: BTreeMap<usize, TcpStream>,
    connections: usize,
    messages: usize,
    /// The messages that wait: for whom, and how many others go before it.
    late: Vec<(usize, Message, usize)>,
    /// The payload of the first message ever.
    earlier: Option<Vec<u8>>,
}

#[derive(Clone)]
struct Message {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
}

/// The broker; it ends with the test.
pub struct FaultyBroker {
    port: u16,
    state: Arc<Mutex<State>>,
    came: Arc<Condvar>,
}

impl FaultyBroker {
    /// Starts it.
    pub fn start(wrong: Wrong) -> Self {
        Self::start_for(wrong, None)
    }

    /// The same; it goes wrong only for the reader at this place, from 0.
    pub fn start_for(wrong: Wrong, only: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { wrong, only, ..State::default() }));
        let came = Arc::new(Condvar::new());
        let shared = (Arc::clone(&state), Arc::clone(&came));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, came) = shared.clone();
                // What a client does wrong ends its connection, and shows in its report.
                thread::spawn(move || serve(stream, &state, &came));
            }
        });
        Self { port, state, came }
    }

    /// Waits until a message has come.
    pub fn wait_for_message(&self) {
        let state = self.state.lock().unwrap();
        let waited =
            self.came.wait_timeout_while(state, PATIENCE, |state| state.messages == 0).unwrap();
        assert!(!waited.1.timed_out(), "no message came");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.port)
    }

    /// From now on this goes wrong, and messages and connections are counted anew.
    pub fn change(&self, wrong: Wrong) {
        let mut state = self.state.lock().unwrap();
        (state.wrong, state.messages, state.connections) = (wrong, 0, 0);
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, came: &Condvar) -> Result<(), Complaint> {
    stream.set_nodelay(true).unwrap();
    let writer = stream.try_clone().unwrap();
    let mut peer = Peer::new(stream, None);
    let (id, wrong) = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        (state.connections, state.wrong)
    };
    peer.read_request()?;
    peer.write(peer.acceptance().as_bytes())?;
    peer.read_packet()?;
    match wrong {
        Wrong::ReceiveMaximum(most) => {
            peer.write_frame(BINARY, &[0x20, 6, 0, 0, 3, 0x21, 0, most])?;
        }
        _ => peer.write_frame(BINARY, &[0x20, 3, 0, 0, 0])?,
    }
    state.lock().unwrap().streams.insert(id, writer.try_clone().unwrap());
    let result = answer_packets(&mut peer, &writer, id, (state, came));
    let mut state = state.lock().unwrap();
    state.readers.remove(&id);
    state.streams.remove(&id);
    result
}

fn answer_packets(
    peer: &mut Peer,
    writer: &TcpStream,
    id: usize,
    (state, came): (&Mutex<State>, &Condvar),
) -> Result<(), Complaint> {
    loop {
        let packet = peer.read_packet()?;
        match packet[0] >> 4 {
            3 => {
                let mut state = state.lock().unwrap();
                if matches!(state.wrong, Wrong::ReceiveMaximum(1)) && !peer.is_drained() {
                    let _ = writer.shutdown(Shutdown::Both);
                    return Err("more than Receive Maximum allows".into());
                }
                if let Some(answer) = state.publish(&packet) {
                    send(writer, &answer);
                    if state.wrong == Wrong::AcknowledgedTwice(state.messages) {
                        send(writer, &answer);
                    }
                }
                came.notify_all();
            }
            // PUBREC and PUBREL are answered by their number; PUBACK and PUBCOMP are not.
            5 => send(writer, &[0x62, 2, packet[1], packet[2]]),
            6 => send(writer, &[0x70, 2, packet[1], packet[2]]),
            8 => {
                let answer = state.lock().unwrap().subscribe(&packet, id, writer);
                send(writer, &answer);
            }
            12 => send(writer, &[0xd0, 0]),
            14 => {
                let _ = writer.shutdown(Shutdown::Both);
                return Ok(());
            }
            _ => {}
        }
    }
}

fn send(mut writer: &TcpStream, packet: &[u8]) {
    // A client that is gone is found by the thread that reads.
    let _ = writer.write_all(&frame(BINARY, packet));
}

impl State {
    fn subscribe(&mut self, packet: &[u8], id: usize, writer: &TcpStream) -> Vec<u8> {
        let (mut at, mut filters, mut codes) = (4, Vec::new(), Vec::new());
        while at < packet.len() {
            let length = usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
            let filter = &packet[at + 2..at + 2 + length];
            filters.push(String::from_utf8(filter.to_vec()).unwrap());
            codes.push(packet[at + 2 + length] & 3);
            at += length + 3;
        }
        let qos = codes[0];
        if let Wrong::Suback(code) = self.wrong {
            codes.fill(code);
        } else {
            let stream = writer.try_clone().unwrap();
            let reader = self.readers.entry(id);
            let reader = reader.or_insert(Reader { filters: Vec::new(), stream, qos, next_id: 0 });
            reader.filters.extend(filters);
        }
        if let (Wrong::Suback(granted @ 0..=2), Some(reader)) =
            (self.wrong, self.readers.get_mut(&id))
        {
            reader.qos = granted;
        }
        let mut answer =
            vec![0x90, 3 + u8::try_from(codes.len()).unwrap(), packet[1], packet[2], 0];
        answer.extend(codes);
        answer
    }

    /// Passes a message on; the answer to it.
    fn publish(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let qos = packet[0] >> 1 & 3;
        let length = usize::from(u16::from_be_bytes([packet[1], packet[2]]));
        let topic = String::from_utf8(packet[3..3 + length].to_vec()).unwrap();
        let id = &packet[3 + length..];
        let rest = if qos > 0 { &id[2..] } else { id };
        let message = Message { topic, payload: rest[1..].to_vec(), qos };
        self.earlier.get_or_insert_with(|| message.payload.clone());
        self.messages += 1;
        let code = self.pass_on(&message);
        let is_silent = self.wrong == Wrong::Unacknowledged(self.messages);
        let kind = if qos == 2 { 0x50 } else { 0x40 };
        (qos > 0 && !is_silent).then(|| match code {
            0 => vec![kind, 2, id[0], id[1]],
            code => vec![kind, 3, id[0], id[1], code],
        })
    }

    /// Passes a message on to its readers; the code of the answer.
    fn pass_on(&mut self, message: &Message) -> u8 {
        let number = self.messages;
        match self.wrong {
            Wrong::Refused(wrong, code) if wrong == number => return code,
            Wrong::SubscribersReset(wrong) if wrong == number => {
                for reader in std::mem::take(&mut self.readers).values() {
                    reset(&reader.stream);
                }
            }
            Wrong::AllReset(wrong) if wrong == number => {
                self.readers.clear();
                std::mem::take(&mut self.streams).values().for_each(reset);
            }
            _ => {}
        }
        let takes = |reader: &Reader| reader.filters.contains(&message.topic);
        let ids: Vec<(usize, bool)> =
            self.readers.iter().map(|(id, reader)| (*id, takes(reader))).collect();
        for (place, (id, takes)) in ids.into_iter().enumerate() {
            let is_due = match self.wrong {
                Wrong::ToEveryone(wrong) if wrong == number => true,
                Wrong::ToOthers(wrong) if wrong == number => !takes,
                _ => takes,
            };
            if !is_due {
                continue;
            }
            if self.only.is_none_or(|only| only == place) {
                self.deliver_wrongly(id, message);
            } else {
                self.deliver(id, message, 0);
            }
            self.release(id);
        }
        0
    }

    /// Gives a reader a message, or what has become of it.
    fn deliver_wrongly(&mut self, id: usize, message: &Message) {
        let number = self.messages;
        let mut changed = message.clone();
        match self.wrong {
            Wrong::Lost(wrong) if wrong == number => return,
            Wrong::AllLost => return,
            Wrong::AllLostBut(passed) if !number.is_multiple_of(passed) => return,
            Wrong::Late(wrong, others) if wrong == number => {
                // It counts itself, too.
                return self.late.push((id, changed, others + 1));
            }
            Wrong::Flipped(wrong, at) if wrong == number => changed.payload[at] ^= 1,
            Wrong::Cut(wrong) if wrong == number => drop(changed.payload.pop()),
            Wrong::TopicFlipped(wrong) if wrong == number => {
                let mut topic = changed.topic.into_bytes();
                *topic.last_mut().unwrap() ^= 1;
                changed.topic = String::from_utf8(topic).unwrap();
            }
            _ => {}
        }
        self.deliver(id, &changed, 0);
        match self.wrong {
            Wrong::Doubled(wrong, dup) if wrong == number => self.deliver(id, message, dup),
            Wrong::Foreign(wrong) if wrong == number => {
                let payload = self.earlier.clone().unwrap();
                self.deliver(id, &Message { payload, ..changed }, 0);
            }
            _ => {}
        }
    }

    /// Gives a reader the late message that has waited for enough others.
    fn release(&mut self, id: usize) {
        let Some(at) = self.late.iter().position(|(of, ..)| *of == id) else { return };
        self.late[at].2 -= 1;
        if self.late[at].2 == 0 {
            let (_, message, _) = self.late.remove(at);
            self.deliver(id, &message, 0);
        }
    }

    fn deliver(&mut self, id: usize, message: &Message, dup: u8) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        let qos = message.qos.min(reader.qos);
        let mut body = u16::try_from(message.topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend(message.topic.as_bytes());
        if qos > 0 {
            reader.next_id = reader.next_id % 60_000 + 1;
            body.extend(reader.next_id.to_be_bytes());
        }
        body.push(0);
        body.extend(&message.payload);
        let dup = if qos > 0 { dup } else { 0 };
        let mut packet = vec![0x30 | qos << 1 | dup];
        let mut length = body.len();
        while length >= 0x80 {
            packet.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        packet.push(u8::try_from(length).unwrap());
        packet.extend(body);
        send(&reader.stream, &packet);
    }
}

fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    let _ = stream.shutdown(Shutdown::Both);
}
