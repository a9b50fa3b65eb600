//! The upgrade of a new connection: reads its request and answers it, within a time limit.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::limits::{HEAD_BYTES, LINGER, PATIENCE};
use crate::websocket::upgrade::accept::{Refusal, answer};
use crate::websocket::upgrade::{Request, parse_request};

/// Reads the request and answers it. Returns what came after its head; the inner `Err` is the
/// sentence with which it was refused.
pub fn accept(socket: &TcpStream, path: &str) -> io::Result<Result<Vec<u8>, String>> {
    let outcome = match read_request(socket)? {
        Ok((request, rest)) => answer(&request, path).map(|head| (head, rest)),
        Err(refusal) => Err(refusal),
    };
    match outcome {
        Ok((head, rest)) => {
            (&*socket).write_all(head.as_bytes())?;
            Ok(Ok(rest))
        }
        Err(refusal) => {
            refuse(socket, &refusal)?;
            Ok(Err(refusal.sentence))
        }
    }
}

/// Answers a connection that is one too many.
pub fn refuse_busy(socket: &TcpStream) -> io::Result<()> {
    let sentence = "mqttws serve has too many connections".to_owned();
    socket.set_write_timeout(Some(LINGER))?;
    (&*socket)
        .write_all(Refusal { status: "503 Service Unavailable", sentence }.response().as_bytes())
}

fn read_request(mut socket: &TcpStream) -> io::Result<Result<(Request, Vec<u8>), Refusal>> {
    let deadline = Instant::now() + PATIENCE;
    socket.set_write_timeout(Some(LINGER))?;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match parse(&head) {
            Ok(Some((request, length))) => return Ok(Ok((request, head.split_off(length)))),
            Ok(None) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let sentence = format!("no whole request within {} seconds", PATIENCE.as_secs());
            return Ok(Err(Refusal { status: "408 Request Timeout", sentence }));
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => head.extend_from_slice(&piece[..count]),
            Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The request and the length of its head, once all of that is there.
fn parse(head: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
    match parse_request(head) {
        Ok(None) if head.len() > HEAD_BYTES => {
            let sentence = format!("the request has a head of more than {} KiB", HEAD_BYTES / 1024);
            Err(Refusal { status: "431 Request Header Fields Too Large", sentence })
        }
        Ok(parsed) => Ok(parsed),
        Err(error) => Err(Refusal { status: "400 Bad Request", sentence: error.to_string() }),
    }
}

/// Whether a read or write only ran out of time.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Sends the answer, and reads on until the client closes: closing on unread bytes could destroy
/// it.
fn refuse(mut socket: &TcpStream, refusal: &Refusal) -> io::Result<()> {
    socket.write_all(refusal.response().as_bytes())?;
    socket.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + LINGER;
    let mut waste = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        if Instant::now() >= deadline || !matches!(socket.read(&mut waste), Ok(1..)) {
            return Ok(());
        }
    }
}
