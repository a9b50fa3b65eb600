//! Bytes that claim to be frames of a WebSocket, read in both roles: wherever they are cut they mean
//! the same, and no more memory is taken than has arrived.

use super::choices::Choices;
use super::stream::pieces;
use crate::memory;
use crate::websocket::reader::Reader;
use crate::websocket::{Role, WebSocketError};

/// The largest message that is accepted, in bytes: much more than ever arrives.
const LIMIT: usize = 1 << 28;

/// What a reader may hold beside what has arrived: its block of joined payloads, and room for one
/// control frame.
const BLOCKS: usize = 256 * 1024;

/// What was read.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub payload: Vec<u8>,
    /// How many bytes of answers there are: those of a client are masked by chance.
    pub answers: usize,
    pub pongs: usize,
    pub end: Option<WebSocketError>,
}

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let seed = choices.byte();
    let wire = choices.rest();
    for role in [Role::Client, Role::Server] {
        let (whole, most) = memory::most_of(|| read(role, wire, None));
        assert!(most <= BLOCKS + 8 * wire.len(), "{most} bytes for {}", wire.len());
        let mut cut = read(role, wire, Some(seed));
        // An error may quote the first bytes, as far as they came together.
        match (&whole.end, &mut cut.end) {
            (
                Some(WebSocketError::Garbled { words: one, sent: known, look: first_look }),
                Some(WebSocketError::Garbled { words, sent, look }),
            ) if words == one => {
                sent.clone_from(known);
                *look = *first_look;
            }
            (Some(WebSocketError::TextFrame(known)), Some(WebSocketError::TextFrame(text))) => {
                text.clone_from(known);
            }
            _ => {}
        }
        assert_eq!(cut, whole, "{role:?}");
        assert!(whole.payload.len() <= wire.len());
        // A Ping of 125 bytes is answered with as many, and a mask.
        assert!(whole.answers <= 4 * wire.len() + 14, "{} for {}", whole.answers, wire.len());
    }
}

/// All that is in `wire`, whole or cut by chance.
pub fn read(role: Role, wire: &[u8], seed: Option<u8>) -> Outcome {
    let mut reader = Reader::new(role, LIMIT, false);
    let mut outcome = Outcome::default();
    match seed {
        None => _ = feed(&mut reader, wire, &mut outcome),
        // Long inputs are cut only at their beginning.
        Some(seed) => {
            let (begin, rest) = wire.split_at(wire.len().min(4096));
            for piece in pieces(begin, seed).chain(rest.chunks(1009)) {
                if !feed(&mut reader, piece, &mut outcome) {
                    break;
                }
            }
        }
    }
    outcome
}

/// Feeds what has arrived; whether the WebSocket goes on.
fn feed(reader: &mut Reader, mut arrived: &[u8], outcome: &mut Outcome) -> bool {
    loop {
        let taken = reader.feed(arrived);
        arrived = &arrived[taken..];
        let next = reader.next();
        let said = reader.take_answers();
        outcome.answers += said.len();
        while reader.take_pong() {
            outcome.pongs += 1;
        }
        match next {
            Some(Ok(payload)) => {
                assert!(!payload.is_empty());
                outcome.payload.extend_from_slice(&payload);
            }
            Some(Err(error)) => {
                outcome.end = Some(error);
                return false;
            }
            None if arrived.is_empty() && said.is_empty() => return true,
            None => assert!(taken > 0 || !said.is_empty(), "it takes nothing and says nothing"),
        }
    }
}
