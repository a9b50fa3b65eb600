//! A client of the scripted broker.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};

use mio::net::TcpStream;

use super::broker::Kept;
use super::packets::Inbound;
use crate::Failure;
use crate::websocket::{BINARY, accept_key, put_header};

/// One client.
pub struct Guest {
    pub socket: TcpStream,
    pub inbound: Inbound,
    /// The head of the upgrade, until all of it has come.
    pub head: Option<Vec<u8>>,
    pub out: Vec<u8>,
    pub waiting: VecDeque<Kept>,
    /// The messages in `out`: when each was due, and when it had come.
    pub said: Vec<(u64, u64)>,
    pub in_flight: usize,
    pub next_id: u16,
}

impl Guest {
    /// Takes what was read.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(head) = &mut self.head else { return self.inbound.feed(bytes) };
        head.extend_from_slice(bytes);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(()) };
        let text = String::from_utf8_lossy(&head[..end]).into_owned();
        let rest = head[end + 4..].to_vec();
        let key = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
        });
        let accept = accept_key(&key.ok_or("no key")?);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        self.out.extend_from_slice(answer.as_bytes());
        self.head = None;
        self.inbound.feed(&rest)
    }

    /// Puts packets into a frame.
    pub fn say(&mut self, packets: &[u8]) {
        put_header(BINARY, packets.len(), None, &mut self.out);
        self.out.extend_from_slice(packets);
    }

    /// Writes what waits, as far as it is taken.
    pub fn write(&mut self) -> Result<(), Failure> {
        let mut written = 0;
        while written < self.out.len() {
            match self.socket.write(&self.out[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..written);
        Ok(())
    }
}
