//! What can happen to a connection.

use std::time::Instant;

use super::close::SessionRemains;
use super::renewal::Fetched;
use crate::client::Event;
use crate::client::error::{Error, Unacknowledged};
use crate::transport;

/// What can happen to a connection.
#[derive(Debug)]
pub enum ConnectionInput {
    /// The caller wants to be connected.
    Connect,
    /// The credentials for the try that is under way, or for the next one, are known.
    Fetched(Fetched),
    /// They could not be had.
    FetchFailed(Error),
    /// Nothing of the session is under way: the connection that is to be renewed can be left.
    Quiet,
    /// The caller wants another connection in the place of this one, with the same session.
    ConnectAgain,
    /// There is a TCP connection, through the proxy if there is one.
    Dialled {
        /// How many other addresses of the name may be tried.
        untried: usize,
    },
    /// The upgrade is done.
    Opened,
    /// CONNACK accepts the connection.
    Accepted(SessionFound),
    /// The connection failed, was refused, or ended.
    Failed(Error, LossFacts),
    /// Something could not be written.
    WriteFailed(transport::Error),
    /// Bytes came.
    Received,
    /// The socket took some of what waits to be written.
    Taken,
    /// Everything, DISCONNECT included, was given to the kernel.
    Sent,
    /// The answer to the PINGREQ after which the connection is reset came.
    Answered,
    /// The deadline may have passed.
    Time(LossFacts),
    /// SIGINT, SIGTERM or SIGHUP came.
    Signal(i32),
    /// Something that has nothing to do with the connection: input, output, commands.
    Local(Event),
    /// The caller wants the connection to end in order, and no session of this client to remain.
    Close(SessionRemains),
    /// From now on a server that does nothing is waited for only shortly.
    ShortenClose,
}

/// The session that the server has, as its CONNACK says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionFound {
    /// It is new.
    New,
    /// It is ours, from the connection before.
    Resumed,
    /// It is an old one, where a new one was asked for (before MQTT 5).
    Stale,
}

/// What is known about a connection that failed.
#[derive(Debug, Clone, Default)]
pub struct LossFacts {
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
