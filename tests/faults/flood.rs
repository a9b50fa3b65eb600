//! A broker that sends one subscriber a flood of numbered messages at QoS 0, as fast as it takes them, and
//! notes when it is pinged. It must never know the program's codec.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

/// How much is written at once.
const BATCH: usize = 64 * 1024;

/// What happens on its connection.
#[derive(Default)]
struct Seen {
    written: AtomicU64,
    pings: Mutex<Vec<Instant>>,
}

/// The broker of one connection; it ends with it.
pub struct Flood {
    port: u16,
    seen: Arc<Seen>,
}

impl Flood {
    /// Messages 1 to `last` with payloads of this length: the number, eight digits, and a filling.
    pub fn start(last: u32, length: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            let stream = subscribed(listener.accept().unwrap().0);
            let reader = stream.try_clone().unwrap();
            let noting = Arc::clone(&noted);
            thread::spawn(move || note_pings(reader, &noting));
            write_all(stream, last, length, &noted);
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

    /// When a PINGREQ came.
    pub fn pings(&self) -> Vec<Instant> {
        self.seen.pings.lock().unwrap().clone()
    }
}

/// The line that message `number` makes.
pub fn line(number: u32, length: usize) -> String {
    format!("{number:08}{:x<width$}\n", "", width = length - 8)
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "tungstenite asks for this type")]
fn agree(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    Ok(response)
}

/// The WebSocket after CONNECT of MQTT 3.1.1.
fn opened(stream: TcpStream) -> WebSocket<TcpStream> {
    stream.set_nodelay(true).unwrap();
    let mut websocket = tungstenite::accept_hdr(stream, agree).unwrap();
    assert_eq!(websocket.read().unwrap().into_data()[0], 0x10, "CONNECT");
    websocket.send(Message::Binary(b"\x20\x02\0\0"[..].into())).unwrap();
    websocket
}

/// The connection after that.
pub fn connected(stream: TcpStream) -> TcpStream {
    opened(stream).get_ref().try_clone().unwrap()
}

/// The connection after that and SUBSCRIBE.
pub fn subscribed(stream: TcpStream) -> TcpStream {
    let mut websocket = opened(stream);
    let subscribe = websocket.read().unwrap().into_data();
    assert_eq!(subscribe[0], 0x82, "SUBSCRIBE");
    websocket.send(Message::Binary(vec![0x90, 3, subscribe[2], subscribe[3], 0].into())).unwrap();
    websocket.get_ref().try_clone().unwrap()
}

/// Reads frames of small packets; ends the connection after DISCONNECT, as every broker does.
fn note_pings(mut stream: TcpStream, seen: &Seen) {
    let mut head = [0; 6];
    while stream.read_exact(&mut head).is_ok() {
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        if stream.read_exact(&mut payload).is_err() {
            break;
        }
        for (byte, mask) in payload.iter_mut().zip(head[2..].iter().cycle()) {
            *byte ^= mask;
        }
        match payload.first() {
            Some(0xc0) => seen.pings.lock().unwrap().push(Instant::now()),
            Some(0xe0) => break,
            _ => {}
        }
    }
    stream.shutdown(Shutdown::Both).ok();
}

/// Writes the messages, and an answer to each PINGREQ between them.
fn write_all(mut stream: TcpStream, last: u32, length: usize, seen: &Seen) {
    let (mut batch, mut answered) = (Vec::new(), 0);
    for number in 1..=last {
        push_message(&mut batch, number, length);
        if batch.len() < BATCH && number < last {
            continue;
        }
        let asked = seen.pings.lock().unwrap().len();
        batch.extend(b"\x82\x02\xd0\0".repeat(asked - answered));
        answered = asked;
        if stream.write_all(&batch).is_err() {
            return;
        }
        seen.written.fetch_add(batch.len() as u64, Ordering::SeqCst);
        batch.clear();
    }
}

/// One PUBLISH of less than 16 KiB in one frame.
fn push_message(batch: &mut Vec<u8>, number: u32, length: usize) {
    let remaining = 3 + length;
    let mut packet = vec![0x30];
    let digit = |digit: usize| u8::try_from(digit & 0x7f).unwrap();
    if remaining > 127 {
        packet.push(digit(remaining) | 0x80);
    }
    packet.push(digit(if remaining > 127 { remaining >> 7 } else { remaining }));
    packet.extend(b"\0\x01t");
    packet.extend(line(number, length).trim_end().bytes());
    batch.push(0x82);
    if let Ok(length @ 0..126) = u8::try_from(packet.len()) {
        batch.push(length);
    } else {
        batch.push(126);
        batch.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
    }
    batch.extend(packet);
}
