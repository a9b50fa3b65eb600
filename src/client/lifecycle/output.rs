//! What the lifecycle wants to be done.

use std::time::Instant;

use crate::client::Event;
use crate::client::error::Error;
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Ask anew for user name and password.
    Credentials,
    /// The next connection ends the session at the server, or (`false`) begins a new one.
    ForgetSession(bool),
    /// Dial.
    Dial(Box<Plan>),
    /// Send CONNECT.
    Connect(Version),
    /// Send DISCONNECT and Close, after all that waits.
    Disconnect,
    /// Drop the socket; what the session has not finished waits for the next connection.
    Drop,
    /// The time for this phase is up: say why, as [`Input::Failed`].
    Expire,
    /// Give up what waits to be written.
    GiveUpSending,
    /// Connected for the first time.
    Connected,
    /// Tell the caller.
    Event(Event),
    /// Warn the user.
    Warn(String),
    /// A line for the log.
    Trace(String),
    /// There is nothing more that could be tried.
    Fail(Error),
}

/// How to dial, and what to ask for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to.
    pub endpoint: Endpoint,
    /// The version of CONNECT.
    pub version: Version,
    /// The subprotocols of the upgrade.
    pub subprotocols: Vec<String>,
    /// From name look-up to CONNACK.
    pub deadline: Instant,
    /// A redirect led to another server: credentials are not for that one.
    pub withholds_credentials: bool,
}
