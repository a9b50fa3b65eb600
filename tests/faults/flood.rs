//! A broker that sends one subscriber a flood of numbered messages, as fast as it takes them, and
//! notes when it is pinged. It must never know the program's codec.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

/// How much is written at once.
const BATCH: usize = 64 * 1024;

/// So many messages of QoS 1 and 2 may be on the way: fewer than the program takes before MQTT 5,
/// and than it says in MQTT 5.
const WINDOW: u64 = 10_000;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Numbered from 1.
    pub last: u32,
    /// The length of a payload: the number, eight digits, and a filling.
    pub length: usize,
    /// `5` or `311`.
    pub version: &'static str,
    pub qos: u8,
}

/// What happens on its connection.
#[derive(Default)]
struct Seen {
    written: AtomicU64,
    /// Messages of QoS 1 and 2 that came to their end.
    finished: AtomicU64,
    pings: Mutex<Vec<Instant>>,
    /// The identifiers of each PUBREC that was not answered.
    received: Mutex<Vec<[u8; 2]>>,
}

/// The broker of one connection; it ends with it.
pub struct Flood {
    port: u16,
    seen: Arc<Seen>,
}

impl Flood {
    pub fn start(stream: Stream) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            let socket = subscribed(listener.accept().unwrap().0, stream.version);
            let reader = socket.try_clone().unwrap();
            let noting = Arc::clone(&noted);
            thread::spawn(move || note_all(&reader, &noting));
            write_all(socket, stream, &noted);
        });
        Self { port, seen }
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.port)
    }

    /// How many bytes the network has taken.
    pub fn written(&self) -> u64 {
        self.seen.written.load(Ordering::SeqCst)
    }

    /// How many of them the program has read: those that wait in neither end's kernel.
    pub fn read(&self) -> u64 {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let waiting: u64 = sockets.lines().map(|line| waiting(line, self.port)).sum();
        self.written().saturating_sub(waiting)
    }

    /// How many messages of QoS 1 and 2 came to their end.
    pub fn finished(&self) -> u64 {
        self.seen.finished.load(Ordering::SeqCst)
    }

    /// When a PINGREQ came.
    pub fn pings(&self) -> Vec<Instant> {
        self.seen.pings.lock().unwrap().clone()
    }
}

/// What waits in the socket of this line of `/proc/net/tcp`: to be sent by the broker at `port`, or
/// to be read by its client.
fn waiting(line: &str, port: u16) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, here, there, _, queues, ..] = words[..] else { return 0 };
    let is_at = |address: &str| address.ends_with(&format!(":{port:04X}"));
    let Some((sending, receiving)) = queues.split_once(':') else { return 0 };
    let count = |text| u64::from_str_radix(text, 16).unwrap_or(0);
    u64::from(is_at(here)) * count(sending) + u64::from(is_at(there)) * count(receiving)
}

/// The line that message `number` makes.
pub fn line(number: u32, length: usize) -> String {
    format!("{number:08}{:x<width$}\n", "", width = length - 8)
}

#[expect(
    clippy::result_large_err,
    clippy::unnecessary_wraps,
    reason = "tungstenite asks for this type"
)]
fn agree(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    Ok(response)
}

/// The WebSocket after CONNECT.
fn opened(stream: TcpStream, version: &str) -> WebSocket<TcpStream> {
    stream.set_nodelay(true).unwrap();
    let mut websocket = tungstenite::accept_hdr(stream, agree).unwrap();
    assert_eq!(websocket.read().unwrap().into_data()[0], 0x10, "CONNECT");
    let connack: &[u8] = if version == "5" { b"\x20\x03\0\0\0" } else { b"\x20\x02\0\0" };
    websocket.send(Message::Binary(connack.into())).unwrap();
    websocket
}

/// The connection after that.
pub fn connected(stream: TcpStream, version: &str) -> TcpStream {
    opened(stream, version).get_ref().try_clone().unwrap()
}

/// The connection after that and SUBSCRIBE.
pub fn subscribed(stream: TcpStream, version: &str) -> TcpStream {
    let mut websocket = opened(stream, version);
    let subscribe = websocket.read().unwrap().into_data();
    assert_eq!(subscribe[0], 0x82, "SUBSCRIBE");
    let (id, granted) = ([subscribe[2], subscribe[3]], subscribe[subscribe.len() - 1] & 3);
    let suback = if version == "5" {
        vec![0x90, 4, id[0], id[1], 0, granted]
    } else {
        vec![0x90, 3, id[0], id[1], granted]
    };
    websocket.send(Message::Binary(suback.into())).unwrap();
    websocket.get_ref().try_clone().unwrap()
}

/// The payload of the next frame; none at the end.
fn read_frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let mut length = usize::from(head[1] & 0x7f);
    if length == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long).ok()?;
        length = u16::from_be_bytes(long).into();
    }
    let (mut mask, mut payload) = ([0; 4], vec![0; length]);
    stream.read_exact(&mut mask).ok()?;
    stream.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some(payload)
}

/// Notes what comes; ends the connection after DISCONNECT, as every broker does.
fn note_all(stream: &TcpStream, seen: &Seen) {
    let mut reader = BufReader::new(stream);
    let mut unread = Vec::new();
    'connection: while let Some(payload) = read_frame(&mut reader) {
        unread.extend(payload);
        // All packets from here on are short.
        while let [first, length, ..] = unread[..]
            && unread.len() >= 2 + usize::from(length)
        {
            let packet: Vec<u8> = unread.drain(..2 + usize::from(length)).collect();
            match first {
                0xc0 => seen.pings.lock().unwrap().push(Instant::now()),
                0x40 | 0x70 => drop(seen.finished.fetch_add(1, Ordering::SeqCst)),
                0x50 => seen.received.lock().unwrap().push([packet[2], packet[3]]),
                0xe0 => break 'connection,
                _ => {}
            }
        }
    }
    stream.shutdown(Shutdown::Both).ok();
}

/// Writes the messages, and answers between them.
fn write_all(mut socket: TcpStream, stream: Stream, seen: &Seen) {
    let (mut batch, mut answered, mut number) = (Vec::new(), 0, 0);
    // After the last message there is still something to answer at QoS 2.
    while number < stream.last
        || (stream.qos > 0 && seen.finished.load(Ordering::SeqCst) < u64::from(number))
    {
        let sent = u64::from(number);
        let may_send = stream.qos == 0 || sent < seen.finished.load(Ordering::SeqCst) + WINDOW;
        if number < stream.last && may_send {
            number += 1;
            push_message(&mut batch, number, stream);
            if batch.len() < BATCH && number < stream.last {
                continue;
            }
        }
        let asked = seen.pings.lock().unwrap().len();
        batch.extend(b"\x82\x02\xd0\0".repeat(asked - answered));
        answered = asked;
        for id in seen.received.lock().unwrap().drain(..) {
            batch.extend([0x82, 4, 0x62, 2, id[0], id[1]]);
        }
        if batch.is_empty() {
            thread::park_timeout(Duration::from_millis(1));
        }
        if socket.write_all(&batch).is_err() {
            return;
        }
        seen.written.fetch_add(batch.len() as u64, Ordering::SeqCst);
        batch.clear();
    }
}

/// One PUBLISH of less than 16 KiB in one frame.
fn push_message(batch: &mut Vec<u8>, number: u32, stream: Stream) {
    let mut body = b"\0\x01t".to_vec();
    if stream.qos > 0 {
        body.extend(u16::try_from((number - 1) % 65_535 + 1).unwrap().to_be_bytes());
    }
    if stream.version == "5" {
        body.push(0);
    }
    body.extend(line(number, stream.length).trim_end().bytes());
    let mut packet = vec![0x30 | stream.qos << 1];
    let digit = |digit: usize| u8::try_from(digit & 0x7f).unwrap();
    if body.len() > 127 {
        packet.push(digit(body.len()) | 0x80);
    }
    packet.push(digit(if body.len() > 127 { body.len() >> 7 } else { body.len() }));
    packet.extend(body);
    batch.push(0x82);
    if let Ok(length @ 0..126) = u8::try_from(packet.len()) {
        batch.push(length);
    } else {
        batch.push(126);
        batch.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
    }
    batch.extend(packet);
}
