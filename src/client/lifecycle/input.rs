//! What the lifecycle is told.

use std::time::Instant;

use super::close::Remains;
use crate::client::Event;
use crate::client::error::{Error, Unacknowledged};
use crate::transport;

/// What the lifecycle is told.
#[derive(Debug)]
pub enum Input {
    /// The caller wants to be connected.
    Connect,
    /// TCP stands, through the proxy if there is one.
    Dialled,
    /// The upgrade is done.
    Opened,
    /// CONNACK accepts the connection.
    Accepted(Accepted),
    /// The connection failed, was refused, or ended.
    Failed(Error, Evidence),
    /// Something could not be written.
    WriteFailed(transport::Error),
    /// Bytes came.
    Received,
    /// The socket took some of what waits to be written.
    Taken,
    /// All that there was to say, DISCONNECT included, is in the hands of the kernel.
    Sent,
    /// The deadline may have passed.
    Time(Evidence),
    /// SIGINT, SIGTERM or SIGHUP came.
    Signal(i32),
    /// Something that has nothing to do with the connection: input, output, commands.
    Local(Event),
    /// The caller wants the connection to end in order, and no session of ours to remain.
    Close(Remains),
    /// From now on nobody waits for a server that does nothing.
    Hurry,
}

/// What CONNACK says about the session at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is new.
    New,
    /// It is ours, from the connection before.
    Resumed,
    /// It is an old one, where a new one was asked for (before MQTT 5).
    Stale,
}

/// What is known about a connection that failed.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// A message that was passed on in pieces would never come to its end.
    pub is_cut: bool,
    /// The first message that was sent and not acknowledged.
    pub unacknowledged: Option<Unacknowledged>,
    /// When something was sent the last time.
    pub sent: Option<Instant>,
    /// When something was sent or received the last time.
    pub traffic: Option<Instant>,
    /// The SUBSCRIBE or UNSUBSCRIBE that was not answered, in words.
    pub unanswered: Option<String>,
    /// Something was subscribed to, or is being.
    pub is_subscriber: bool,
}
