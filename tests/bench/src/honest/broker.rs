//! A broker that does with messages what a script says, and writes down what it did: MQTT 5 over
//! WebSocket, QoS 0 and 1, many clients in one thread.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

use super::guest::Guest;
use super::log::{Entry, Log};
use super::packets::Inbound;
use crate::Failure;
use crate::mqtt;

/// What is done with messages.
#[derive(Debug, Clone, Copy)]
pub enum Script {
    /// Each is kept for this time.
    Constant(Duration),
    /// Each is kept for the first time, or in this share of all for the second.
    Two(Duration, Duration, f64),
    /// Each is kept for an exponentially distributed time with this mean.
    Exponential(Duration),
    /// So long after the first message nothing is read or said, for the second time.
    Stall(Duration, Duration),
    /// Each takes this time, and no other is looked at meanwhile.
    Work(Duration),
}

/// A subscriber has at most so many messages that it has not acknowledged.
const WINDOW: usize = 1000;

const LISTENER: Token = Token(usize::MAX);

/// The broker; it lives as long as the process.
pub struct ScriptedBroker {
    port: u16,
    log: Arc<Mutex<Log>>,
}

impl ScriptedBroker {
    /// Starts it.
    pub fn start(script: Script) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut house = House::new(listener, script, Arc::clone(&log))?;
        thread::spawn(move || {
            if let Err(error) = house.run() {
                eprintln!("scripted broker: {error}");
            }
        });
        Ok(Self { port, log })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.port)
    }

    /// What it has done.
    pub fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is such a clock");
    u64::try_from(Duration::from(time).as_nanos()).expect("it has not run for centuries")
}

/// A message that is kept.
pub struct Kept {
    pub topic: Vec<u8>,
    pub payload: Vec<u8>,
    pub qos: u8,
    /// Who published it, and its identifier there.
    pub from: (usize, [u8; 2]),
    pub intended: u64,
    pub sequence: u64,
    pub came: u64,
}

struct House {
    poll: Poll,
    listener: TcpListener,
    script: Script,
    log: Arc<Mutex<Log>>,
    guests: HashMap<usize, Guest>,
    next_guest: usize,
    readers: HashMap<Vec<u8>, Vec<usize>>,
    /// When each message leaves.
    due: BinaryHeap<Reverse<(u64, u64)>>,
    kept: HashMap<u64, Kept>,
    next_number: u64,
    latest: HashMap<Vec<u8>, u64>,
    /// To whom something was said that was not written.
    unwritten: Vec<usize>,
    first: Option<u64>,
    random: u64,
}

impl House {
    fn new(listener: TcpListener, script: Script, log: Arc<Mutex<Log>>) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let descriptor = listener.as_raw_fd();
        let registry = poll.registry();
        registry.register(&mut SourceFd(&descriptor), LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            script,
            log,
            guests: HashMap::new(),
            next_guest: 0,
            readers: HashMap::new(),
            due: BinaryHeap::new(),
            kept: HashMap::new(),
            next_number: 0,
            latest: HashMap::new(),
            unwritten: Vec::new(),
            first: None,
            random: 17,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.stall();
            self.release();
            self.write();
            self.wait(&mut events)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(id) => {
                        if self.read(id).is_err() {
                            self.guests.remove(&id);
                            self.readers.values_mut().for_each(|all| all.retain(|it| *it != id));
                        }
                    }
                }
            }
        }
    }

    /// Waits for a client or a message, exactly.
    fn wait(&mut self, events: &mut Events) -> Result<(), Failure> {
        let next =
            self.due.peek().map_or(50_000_000, |Reverse((at, _))| at.saturating_sub(monotonic()));
        if next > 0 {
            let mut ends = [PollFd::new(self.poll.registry().as_fd(), PollFlags::POLLIN)];
            let _ =
                ppoll(&mut ends, Some(TimeSpec::from_duration(Duration::from_nanos(next))), None);
        }
        Ok(self.poll.poll(events, Some(Duration::ZERO))?)
    }

    fn stall(&mut self) {
        if let (Script::Stall(after, length), Some(first)) = (self.script, self.first)
            && monotonic() - first >= u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)
        {
            thread::sleep(length);
            self.script = Script::Constant(Duration::ZERO);
        }
    }

    fn accept(&mut self) -> Result<(), Failure> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let mut socket = TcpStream::from_std(socket);
            let id = self.next_guest;
            self.next_guest += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(id), interest)?;
            let guest = Guest {
                socket,
                inbound: Inbound::default(),
                head: Some(Vec::new()),
                out: Vec::new(),
                waiting: VecDeque::new(),
                said: Vec::new(),
                in_flight: 0,
                next_id: 0,
            };
            self.guests.insert(id, guest);
        }
    }

    /// Reads what a client has sent. All that is said in answer is written once a turn: a system
    /// call for each message would make what comes after a stall late by itself.
    fn read(&mut self, id: usize) -> Result<(), Failure> {
        self.unwritten.push(id);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let Some(guest) = self.guests.get_mut(&id) else { return Ok(()) };
            match guest.socket.read(&mut buffer) {
                Ok(0) => return Err("closed".into()),
                Ok(count) => {
                    guest.take(&buffer[..count])?;
                    while let Some((first, body)) =
                        self.guests.get_mut(&id).and_then(|guest| guest.inbound.packet())
                    {
                        self.packet(id, first, &body)?;
                        if let Script::Work(_) = self.script {
                            // The next message waits until this one has left.
                            self.release();
                            self.write();
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes what was said, and notes when the messages in it have left.
    fn write(&mut self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for id in self.unwritten.drain(..) {
            let Some(guest) = self.guests.get_mut(&id) else { continue };
            let left = monotonic();
            // A client that is gone is found when it is read.
            let _ = guest.write();
            let written = monotonic();
            let said = guest.said.drain(..);
            log.entries.extend(said.map(|(intended, came)| Entry { intended, came, left, written }));
        }
    }

    fn packet(&mut self, id: usize, first: u8, body: &[u8]) -> Result<(), Failure> {
        let Some(guest) = self.guests.get_mut(&id) else { return Ok(()) };
        match first {
            mqtt::CONNECT => guest.say(&[mqtt::CONNACK, 3, 0, 0, 0]),
            mqtt::SUBSCRIBE => {
                let mut answer = Vec::new();
                mqtt::put_suback(body, true, &mut answer).ok_or("SUBSCRIBE")?;
                guest.say(&answer);
                for filter in filters(body) {
                    self.readers.entry(filter).or_default().push(id);
                }
            }
            mqtt::PINGREQ => guest.say(&[mqtt::PINGRESP, 0]),
            mqtt::PUBACK => {
                guest.in_flight -= 1;
                self.forward(id);
            }
            mqtt::DISCONNECT => return Err("left".into()),
            _ if first >> 4 == 3 => self.publish(id, first, body),
            _ => {}
        }
        Ok(())
    }

    fn publish(&mut self, id: usize, first: u8, body: &[u8]) {
        let came = monotonic();
        self.first.get_or_insert(came);
        let qos = first >> 1 & 3;
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = body[2..2 + length].to_vec();
        let mut rest = &body[2 + length..];
        let mut number = [0, 0];
        if qos > 0 {
            number = [rest[0], rest[1]];
            rest = &rest[2..];
        }
        // There are no properties.
        let payload = rest[1..].to_vec();
        let long = |at: usize| {
            let word = payload.get(at..at + 8).and_then(|word| word.try_into().ok());
            u64::from_be_bytes(word.unwrap_or_default())
        };
        let (sequence, intended) = (long(16) & 0xffff_ffff_ffff, long(24));
        let kept = Kept { topic, payload, qos, from: (id, number), intended, sequence, came };
        if let Script::Work(time) = self.script {
            thread::sleep(time);
        }
        let at = came + self.delay();
        self.due.push(Reverse((at, self.next_number)));
        self.kept.insert(self.next_number, kept);
        self.next_number += 1;
    }

    /// How long the next message is kept, in nanoseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "53 bits are wanted"
    )]
    fn delay(&mut self) -> u64 {
        // xorshift
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let unit = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9;
        match self.script {
            Script::Constant(time) => nanoseconds(time) as u64,
            Script::Two(one, other, share) => {
                nanoseconds(if unit < share { other } else { one }) as u64
            }
            Script::Exponential(mean) => (-(1.0 - unit).ln() * nanoseconds(mean)) as u64,
            Script::Stall(..) | Script::Work(_) => 0,
        }
    }

    /// Passes on what is due.
    fn release(&mut self) {
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= monotonic()
        {
            self.due.pop();
            let Some(kept) = self.kept.remove(&number) else { continue };
            self.leave(kept);
        }
    }

    fn leave(&mut self, kept: Kept) {
        let latest = self.latest.entry(kept.topic.clone()).or_default();
        let is_late = kept.sequence + 1 < *latest;
        *latest = (*latest).max(kept.sequence + 1);
        if is_late {
            self.log.lock().unwrap_or_else(PoisonError::into_inner).reordered += 1;
        }
        let (publisher, number) = kept.from;
        if kept.qos > 0
            && let Some(guest) = self.guests.get_mut(&publisher)
        {
            guest.say(&[mqtt::PUBACK, 2, number[0], number[1]]);
            self.unwritten.push(publisher);
        }
        let readers = self.readers.get(&kept.topic).cloned().unwrap_or_default();
        for id in readers {
            if let Some(guest) = self.guests.get_mut(&id) {
                guest.waiting.push_back(Kept {
                    topic: kept.topic.clone(),
                    payload: kept.payload.clone(),
                    ..kept
                });
            }
            self.forward(id);
        }
    }

    /// Gives a subscriber what it takes now.
    fn forward(&mut self, id: usize) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        self.unwritten.push(id);
        while guest.in_flight < WINDOW
            && let Some(kept) = guest.waiting.pop_front()
        {
            let topic = String::from_utf8_lossy(&kept.topic).into_owned();
            guest.next_id = guest.next_id % 60_000 + 1;
            guest.in_flight += usize::from(kept.qos > 0);
            let mut packet = Vec::with_capacity(kept.payload.len() + topic.len() + 16);
            let size = kept.payload.len();
            mqtt::put_publish_v5(&topic, kept.qos, guest.next_id, size, &mut packet);
            packet.extend_from_slice(&kept.payload);
            guest.say(&packet);
            guest.said.push((kept.intended, kept.came));
        }
    }
}

/// The filters of a SUBSCRIBE without properties.
fn filters(body: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut filters) = (&body[3..], Vec::new());
    while rest.len() > 3 {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        filters.push(rest[2..2 + length].to_vec());
        rest = &rest[3 + length..];
    }
    filters
}
