//! What the kernel and mio cost a program that writes and reads the frames of a load, and does
//! nothing else: `bare PORT RATE PAIRS SECONDS`. It prints how many messages it has sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream as Blocking};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl::set_timerslack;
use nix::sys::time::TimeSpec;

use crate::Failure;
use crate::mqtt;
use crate::websocket::{BINARY, Mask, apply_mask, put_header};

/// Messages are sent on this grid.
const TICK: Duration = Duration::from_micros(100);

/// The length of a payload.
const SIZE: usize = 256;

/// For how long what is on the way is read after the last message.
const END: Duration = Duration::from_millis(500);

const MASK: Mask = [0x37, 0xfa, 0x21, 0x3d];

/// Sends and reads.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let [port, rate, pairs, seconds] = arguments else {
        return Err("bare: expected PORT RATE PAIRS SECONDS".into());
    };
    let (port, pairs): (u16, usize) = (port.parse()?, pairs.parse()?);
    let (rate, seconds): (u64, u64) = (rate.parse()?, seconds.parse()?);
    set_timerslack(1)?;
    let mut crowd = Crowd::connect(port, pairs)?;
    println!("{}", crowd.send(rate, Duration::from_secs(seconds))?);
    Ok(())
}

/// A frame with these packets.
fn frame(packets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(BINARY, packets.len(), Some(MASK), &mut out);
    let start = out.len();
    out.extend_from_slice(packets);
    apply_mask(&mut out[start..], MASK, 0);
    out
}

/// A connection with MQTT 3.1.1 that has subscribed if it is to.
fn connected(port: u16, name: &str, filter: Option<&str>) -> Result<Blocking, Failure> {
    let mut socket = Blocking::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
    mqtt::put_string(name, &mut body);
    socket.write_all(&frame(&packet(mqtt::CONNECT, &body)))?;
    // The header of a frame, and CONNACK.
    socket.read_exact(&mut [0; 6])?;
    if let Some(filter) = filter {
        let mut body = vec![0, 1];
        mqtt::put_string(filter, &mut body);
        body.push(0);
        socket.write_all(&frame(&packet(mqtt::SUBSCRIBE, &body)))?;
        socket.read_exact(&mut [0; 7])?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A short packet.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("our own packets are short");
    [&[first, length][..], body].concat()
}

struct Crowd {
    poll: Poll,
    events: Events,
    readers: Vec<TcpStream>,
    /// Each with the one frame that it sends.
    writers: Vec<(TcpStream, Vec<u8>)>,
    buffer: Vec<u8>,
}

impl Crowd {
    fn connect(port: u16, pairs: usize) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        let own = std::process::id();
        for number in 0..pairs {
            let topic = format!("mqttws/bare/{own}/{number}");
            let reader = connected(port, &format!("r{own}-{number}"), Some(&topic))?;
            let mut reader = TcpStream::from_std(reader);
            poll.registry().register(&mut reader, Token(number), Interest::READABLE)?;
            readers.push(reader);
            let writer = connected(port, &format!("w{own}-{number}"), None)?;
            let mut packets = Vec::new();
            mqtt::put_publish(&topic, 0, 0, SIZE, &mut packets);
            packets.resize(packets.len() + SIZE, b'x');
            writers.push((TcpStream::from_std(writer), frame(&packets)));
        }
        let (events, buffer) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
        Ok(Self { poll, events, readers, writers, buffer })
    }

    /// Sends at this rate for so long; how many messages.
    fn send(&mut self, rate: u64, time: Duration) -> Result<u64, Failure> {
        let (began, all) = (Instant::now(), rate * time.as_secs());
        let mut sent = 0;
        while began.elapsed() < time + END {
            let elapsed = began.elapsed();
            while sent < all && due(sent, rate) <= elapsed {
                let place = usize::try_from(sent)? % self.writers.len();
                let (socket, frame) = &mut self.writers[place];
                // The socket takes it: a load that it does not take is none for this comparison.
                socket.write_all(frame)?;
                sent += 1;
            }
            let next = if sent < all { due(sent, rate) } else { time + END };
            self.read(next.saturating_sub(began.elapsed()))?;
        }
        Ok(sent)
    }

    /// Waits at most so long, and reads what has come.
    fn read(&mut self, wait: Duration) -> Result<(), Failure> {
        let mut ends = [PollFd::new(self.poll.registry().as_fd(), PollFlags::POLLIN)];
        // A signal ends the wait as well as anything else.
        let _ = ppoll(&mut ends, Some(TimeSpec::from_duration(wait)), None);
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        for event in &self.events {
            let Token(number) = event.token();
            loop {
                match self.readers[number].read(&mut self.buffer) {
                    Ok(0) => return Err("the server has closed a connection".into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// When a message is due: on the grid.
fn due(number: u64, rate: u64) -> Duration {
    let nanoseconds = number * 1_000_000_000 / rate;
    let tick = u64::try_from(TICK.as_nanos()).expect("a tick is short");
    Duration::from_nanos(nanoseconds.div_ceil(tick) * tick)
}
