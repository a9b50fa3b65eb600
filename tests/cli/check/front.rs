//! A front before a server: it passes everything on, but for one deviation. It has a codec of its
//! own, so that the program is not compared with itself.

// Groups of points take what they need of it.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a front waits for bytes: longer than any test.
const PATIENCE: Duration = Duration::from_secs(180);

/// A frame that came, whole.
pub struct Seen {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The payload without its mask.
    pub payload: Vec<u8>,
    /// It has a mask.
    pub is_masked: bool,
    /// All its bytes as they came.
    pub raw: Vec<u8>,
}

impl Seen {
    pub fn opcode(&self) -> u8 {
        self.first & 0xf
    }

    /// The type of the MQTT packet that begins in it, if it is data: 1 is CONNECT.
    pub fn packet(&self) -> Option<u8> {
        (self.opcode() <= 2).then(|| self.payload.first().map(|byte| byte >> 4)).flatten()
    }
}

/// What is done about a frame; several things are done in their order.
pub enum Do {
    /// It goes on as it came.
    Pass,
    /// These bytes go to the server.
    ToServer(Vec<u8>),
    /// These bytes go to the client.
    ToClient(Vec<u8>),
    /// The connection ends on both sides, by FIN.
    End,
}

/// What is done about a request.
pub enum Request {
    /// It goes on.
    Pass,
    /// This goes on instead.
    Change(String),
    /// This is the answer, and the end.
    Answer(String),
    /// The connection ends without an answer.
    Mute,
    /// Nothing is answered.
    Hang,
}

/// One deviation, made anew for each connection. What is not overwritten passes.
pub trait Deviation: Send {
    /// The head of the request, with the empty line.
    fn request(&mut self, _head: &str) -> Request {
        Request::Pass
    }

    /// The head of the answer, with the empty line; `request` is the request's. Empty for an end
    /// without an answer.
    fn answer(&mut self, _request: &str, head: String) -> String {
        head
    }

    /// Whether the connection ends behind the answer, on both sides.
    fn ends_after_answer(&self) -> bool {
        false
    }

    /// Whether the whole head of the request is wanted in one read.
    fn wants_one_read(&self) -> bool {
        false
    }

    /// How many bytes are read at once, at most: on a busy machine TCP brings them together.
    fn largest_read(&self) -> usize {
        16 * 1024
    }

    /// Bytes of the client as TCP brought them; false ends the connection.
    fn client_bytes(&mut self, _bytes: &[u8]) -> bool {
        true
    }

    /// A frame of the client.
    fn client_frame(&mut self, _frame: &Seen) -> Vec<Do> {
        vec![Do::Pass]
    }

    /// A frame of the server.
    fn server_frame(&mut self, _frame: &Seen) -> Vec<Do> {
        vec![Do::Pass]
    }

    /// This side has ended its half of the connection; false keeps that from the other.
    fn end(&mut self, _of: Side) -> bool {
        true
    }
}

/// No deviation.
pub struct Faithful;

impl Deviation for Faithful {}

/// A deviation that changes the head of the answer alone.
pub struct Answers(pub fn(&str, String) -> String);

impl Deviation for Answers {
    fn answer(&mut self, request: &str, head: String) -> String {
        (self.0)(request, head)
    }
}

/// A deviation that does something about requests alone.
pub struct Requests(pub fn(&str) -> Request);

impl Deviation for Requests {
    fn request(&mut self, head: &str) -> Request {
        (self.0)(head)
    }
}

/// The bytes of a whole frame.
pub fn frame(first: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(mask | u8::try_from(length).unwrap()),
        length @ 126..0x1_0000 => {
            bytes.push(mask | 0x7e);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(mask | 0x7f);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    if is_masked {
        bytes.extend([0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The value of a header of a head.
pub fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A head without this header.
pub fn without(head: &str, name: &str) -> String {
    let is_it =
        |line: &str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
    head.split_inclusive("\r\n").filter(|line| !is_it(line)).collect()
}

/// A head with one more header.
pub fn with(head: &str, name: &str, value: &str) -> String {
    format!("{}{name}: {value}\r\n\r\n", head.strip_suffix("\r\n").unwrap_or(head))
}

/// Starts a front before the server at this `ws://` URL; its own URL. It serves until the process
/// ends.
pub fn start(server: &str, deviation: impl Fn() -> Box<dyn Deviation> + Send + 'static) -> String {
    start_at("127.0.0.1:0", server, deviation)
}

/// The same at this address.
pub fn start_at(
    address: &str,
    server: &str,
    deviation: impl Fn() -> Box<dyn Deviation> + Send + 'static,
) -> String {
    let listener = TcpListener::bind(address).unwrap();
    let rest = server.strip_prefix("ws://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let address = address.to_owned();
    let url = format!("ws://{}/{path}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (address, deviation) = (address.clone(), deviation());
            // A connection that breaks off is the client's to judge.
            thread::spawn(move || drop(serve(client, &address, deviation)));
        }
    });
    url
}

fn serve(
    mut client: TcpStream,
    address: &str,
    mut deviation: Box<dyn Deviation>,
) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_nodelay(true)?;
    let (request, early, reads) = read_head(&mut client)?;
    if deviation.wants_one_read() && reads > 1 {
        return Ok(());
    }
    let sent = match deviation.request(&request) {
        Request::Pass => request.clone(),
        Request::Change(request) => request,
        Request::Answer(answer) => return client.write_all(answer.as_bytes()),
        Request::Mute => return Ok(()),
        Request::Hang => return drain(&mut client),
    };
    let mut server = TcpStream::connect(address)?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.set_nodelay(true)?;
    server.write_all(sent.as_bytes())?;
    let (answer, first, _) = read_head(&mut server)?;
    let answer = deviation.answer(&request, answer);
    if answer.is_empty() {
        return Ok(());
    }
    client.write_all(answer.as_bytes())?;
    if deviation.ends_after_answer() {
        return client.shutdown(Shutdown::Both);
    }
    if answer.get(8..12) != Some(" 101") {
        client.write_all(&first)?;
        std::io::copy(&mut server, &mut client)?;
        return client.shutdown(Shutdown::Both);
    }
    let deviation = Arc::new(Mutex::new(deviation));
    let ends = (client.try_clone()?, server.try_clone()?);
    let other = Arc::clone(&deviation);
    let back = thread::spawn(move || relay(Side::Server, ends.1, ends.0, first, &other));
    let forth = relay(Side::Client, client, server, early, &deviation);
    let _ = back.join();
    forth
}

fn drain(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// A head, what came behind it, and how many reads it took.
fn read_head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>, usize)> {
    // Larger than any request of the tests: each write is one read.
    let (mut bytes, mut buffer, mut reads) = (Vec::new(), vec![0; 32 * 1024], 0);
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest, reads));
        }
        let count = stream.read(&mut buffer)?;
        reads += 1;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Whose frames are read.
#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Client,
    Server,
}

/// Passes the frames of one side on, until it ends; then the other side is ended, too.
fn relay(
    side: Side,
    mut from: TcpStream,
    mut to: TcpStream,
    mut bytes: Vec<u8>,
    deviation: &Mutex<Box<dyn Deviation>>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; deviation.lock().unwrap().largest_read()];
    loop {
        while let Some(seen) = take_frame(&mut bytes) {
            let done = match side {
                Side::Client => deviation.lock().unwrap().client_frame(&seen),
                Side::Server => deviation.lock().unwrap().server_frame(&seen),
            };
            for one in done {
                match (one, side) {
                    (Do::Pass, _) => to.write_all(&seen.raw)?,
                    (Do::ToServer(bytes), Side::Client) | (Do::ToClient(bytes), Side::Server) => {
                        to.write_all(&bytes)?;
                    }
                    (Do::ToServer(bytes), Side::Server) | (Do::ToClient(bytes), Side::Client) => {
                        from.write_all(&bytes)?;
                    }
                    (Do::End, _) => {
                        let _ = to.shutdown(Shutdown::Both);
                        return from.shutdown(Shutdown::Both);
                    }
                }
            }
        }
        let count = from.read(&mut buffer).unwrap_or(0);
        let goes_on =
            side == Side::Server || deviation.lock().unwrap().client_bytes(&buffer[..count]);
        if count == 0 && !deviation.lock().unwrap().end(side) {
            return Ok(());
        }
        if count == 0 || !goes_on {
            let _ = to.write_all(&bytes);
            return to.shutdown(if goes_on { Shutdown::Write } else { Shutdown::Both });
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Takes the first frame, if it is whole. What claims to be endless goes on as it is.
fn take_frame(bytes: &mut Vec<u8>) -> Option<Seen> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()), 10),
        length => (u64::from(length), 2),
    };
    let is_masked = second & 0x80 != 0;
    if length > 1 << 30 {
        let raw = std::mem::take(bytes);
        return Some(Seen { first, payload: Vec::new(), is_masked, raw });
    }
    let mut key = [0; 4];
    if is_masked {
        key.copy_from_slice(bytes.get(at..at + 4)?);
        at += 4;
    }
    let end = at + usize::try_from(length).unwrap();
    let payload = bytes.get(at..end)?;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let rest = bytes.split_off(end);
    let raw = std::mem::replace(bytes, rest);
    Some(Seen { first, payload, is_masked, raw })
}
