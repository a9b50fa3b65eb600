//! What the log is told of a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::Service;
use crate::broker::event::BrokerEvent;
use crate::broker::input::ClientInput;
use crate::broker::refusals::Refusals;
use crate::broker::{BrokerLog, RefusalsIn};
use crate::websocket::upgrade::accept::Refusal;

/// How much of the reason of a refusal is written, in characters.
const LONGEST_SENTENCE: usize = 500;

/// Tells of what a client sent.
pub fn log_input(log: &BrokerLog, address: SocketAddr, input: &ClientInput) {
    match input {
        ClientInput::Upgrade(..) => log.tell(&BrokerEvent::Opened(address)),
        // A refusal has a line of its own. Where somebody listens, each message comes as a packet.
        ClientInput::Refused(_) | ClientInput::Run(_) => {}
        ClientInput::Packet(packet) => log.tell(&BrokerEvent::Received(address, packet)),
        ClientInput::Malformed(error, _) => {
            log.note(|| format!("{address} sent what is not MQTT: {error}"));
        }
        ClientInput::Answers(_) => log.note(|| format!("{address} sent a ping of WebSocket")),
        ClientInput::Closed(_) => log.tell(&BrokerEvent::Closed(address)),
    }
}

/// Tells of a request that was refused: a browser tells its page nothing of the answer.
pub fn tell_refusal(
    log: &BrokerLog,
    refusals: &mut Refusals,
    address: SocketAddr,
    Refusal { status, sentence, .. }: &Refusal,
    now: Instant,
) {
    // What it repeats of a request may be long.
    let sentence: String = sentence.chars().take(LONGEST_SENTENCE).collect();
    let line = || format!("{address} was refused with {status}: {sentence}");
    if log.refusals == RefusalsIn::Observer {
        log.note(line);
    } else if refusals.upgrades.count(now) {
        log.warn(&line());
    }
}

/// Tells of a TLS handshake that has failed: its client may know nothing of the reason.
pub fn tell_failed_handshake(
    Service { log, refusals, .. }: &mut Service,
    address: SocketAddr,
    error: &io::Error,
    now: Instant,
) {
    let line = || format!("no TLS with {address}: {error}");
    if log.refusals == RefusalsIn::Observer {
        log.note(line);
    } else if refusals.handshakes.count(now) {
        log.warn(&line());
    }
}
