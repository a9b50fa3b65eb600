//! What a client is sent, and how the connection ends.

use std::time::Instant;

use crate::broker::brokers::Brokers;
use crate::broker::handshake;
use crate::broker::input::ClientInput;
use crate::broker::limits::LINGER;
use crate::broker::output::OutputQueue;
use crate::broker::router::{ConnectionId, EndReason};
use crate::websocket::frame::{GOING_AWAY, NORMAL, PROTOCOL_ERROR, TOO_BIG};
use crate::websocket::upgrade::accept::Refusal;

/// How far a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndStage {
    /// It has not.
    Open,
    /// What waits is written first, until this time.
    Writing(Instant),
    /// Our side has ended. The client's end is awaited until this time: to close a socket that has
    /// unread bytes destroys what was sent last.
    Written(Instant),
}

/// Whether a socket takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRoom {
    /// It has taken all that it was given.
    Some,
    /// It has not. The system reports when it has room again.
    None,
}

/// What the client is sent.
#[derive(Debug)]
pub struct SendingSide {
    /// What waits to be written.
    pub queue: OutputQueue,
    /// Whether the socket takes more.
    pub room: SocketRoom,
    /// How far the connection has ended.
    pub stage: EndStage,
    /// The code that answers the client's Close, when that has come.
    pub close_answer: Option<u16>,
}

impl SendingSide {
    /// Adds control frames, unless the connection ends.
    pub fn answer(&mut self, frames: &[u8]) {
        if self.stage == EndStage::Open {
            self.queue.post_control(frames);
        }
    }

    /// Answers the request for an upgrade with a refusal, and ends the connection.
    pub fn refuse(&mut self, refusal: &Refusal, now: Instant) {
        self.queue.post_bytes(refusal.response());
        self.end(None, now);
    }

    /// Ends the connection after what was posted, with a Close frame of this code, or one that
    /// answers the client's; the first reason counts.
    pub fn end(&mut self, close: Option<u16>, now: Instant) {
        if self.stage == EndStage::Open {
            self.stage = EndStage::Writing(now + LINGER);
            if let Some(code) = self.close_answer.or(close) {
                self.queue.post_close(code);
            }
        }
    }

    /// Nothing can be written any more.
    pub fn discard(&mut self) {
        self.queue = OutputQueue::default();
        self.room = SocketRoom::Some;
    }

    /// Gives the broker what a client has sent, or answers it. What is refused has its answer.
    pub fn take_input(
        &mut self,
        input: ClientInput,
        id: ConnectionId,
        brokers: &mut Brokers,
        now: Instant,
    ) -> Result<(), Refusal> {
        match input {
            ClientInput::Upgrade(answer, name) => {
                if let Err(reason) = brokers.open(id, name, now) {
                    let refusal = handshake::no_broker(reason);
                    self.refuse(&refusal, now);
                    return Err(refusal);
                }
                self.queue.post_bytes(answer);
            }
            ClientInput::Refused(refusal) => {
                self.refuse(&refusal, now);
                return Err(refusal);
            }
            ClientInput::Packet(packet) => brokers.receive(id, packet, now),
            ClientInput::Run(run) => brokers.receive_run(id, &run, now),
            ClientInput::Malformed(error, version) => brokers.malformed(id, &error, version, now),
            ClientInput::Answers(frames) => self.answer(&frames),
            ClientInput::Closed(code) => {
                self.close_answer = Some(code);
                brokers.lost(id, now);
            }
        }
        Ok(())
    }

    /// Whether all was written and our side is to be ended.
    pub fn is_written(&self) -> bool {
        self.room == SocketRoom::Some && matches!(self.stage, EndStage::Writing(_))
    }
}

/// The code of the Close frame that follows the last packet.
pub fn close_code(reason: EndReason) -> Option<u16> {
    match reason {
        EndReason::Lost => None,
        EndReason::Done | EndReason::Refused | EndReason::Silent | EndReason::TakenOver => {
            Some(NORMAL)
        }
        EndReason::Misbehaved => Some(PROTOCOL_ERROR),
        EndReason::TooLarge => Some(TOO_BIG),
        EndReason::Stopped => Some(GOING_AWAY),
    }
}
