//! What is to be done about what happened to a connection.

use std::time::Instant;

use crate::client::Event;
use crate::client::error::Error;
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// The next connection ends the session at the server, or (`false`) begins a new one.
    ForgetSession(bool),
    /// Ask anew for the credentials of this server.
    Fetch(Endpoint),
    /// Dial.
    Dial(Box<DialPlan>),
    /// Send CONNECT.
    Connect(Version),
    /// Send DISCONNECT and Close, after all that waits.
    Disconnect,
    /// The same with a DISCONNECT after which the server keeps the session.
    Leave,
    /// Send a PINGREQ, after all that waits.
    AskForAnswer,
    /// Reset the connection.
    Reset,
    /// Drop the socket; what the session has not finished waits for the next connection.
    Drop,
    /// The time for this phase is up: report the reason as [`ConnectionInput::Failed`].
    Expire,
    /// Give up what waits to be written.
    GiveUpSending,
    /// Connected for the first time.
    Connected,
    /// Hand this to the caller.
    Event(Event),
    /// Warn the user.
    Warn(String),
    /// Tell the user what may help.
    Note(String),
    /// A line for the log.
    Trace(String),
    /// No other try is made: hand this to the caller.
    Fail(Error),
}

/// How to dial, and what to ask for.
#[derive(Debug, Clone)]
pub struct DialPlan {
    /// Where to.
    pub endpoint: Endpoint,
    /// The version of CONNECT.
    pub version: Version,
    /// The subprotocols of the upgrade.
    pub subprotocols: Vec<String>,
    /// From name look-up to CONNACK.
    pub deadline: Instant,
    /// Whether what identifies the user is for this server.
    pub credentials: CredentialUse,
    /// Which address of its name comes first.
    pub order: AddressOrder,
}

/// Which of the addresses of a name is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressOrder {
    /// The first that the resolver names.
    First,
    /// That of the latest connection.
    Same,
    /// The one after that of the latest connection.
    NextInTurn,
    /// Only those to which this try has not led yet.
    Untried,
}

/// Whether the data that identifies the user is sent: user name and password, headers, user
/// properties of CONNECT, client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialUse {
    /// The server is the one that they were given for.
    Send,
    /// A redirect led to another server.
    Withhold,
}
