//! The states in which a connection can stand still: for each a server that holds the program
//! there.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

use socket2::{Domain, Socket, Type};

use crate::support::broker::{Broker, Step, packet, subscribed};

/// A state, and the conversation that leads to it. The server says so by [`Step::Tell`] and does
/// nothing more.
pub struct State {
    pub name: &'static str,
    pub scheme: &'static str,
    script: Vec<Step>,
}

impl State {
    fn new(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Self {
        let script = steps.into_iter().chain([Step::Tell, Step::Gone]).collect();
        Self { name, scheme: "ws", script }
    }

    /// The same; for almost a second the connection is not ended, although the client has ended its
    /// direction.
    fn held(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Self {
        let held = [Step::Tell, Step::Dally(Duration::from_millis(900)), Step::Gone];
        Self { name, scheme: "ws", script: steps.into_iter().chain(held).collect() }
    }

    /// A server that leads there.
    pub fn server(self) -> Server {
        let broker = Broker::start_watchful(self.script);
        let url = format!("{}://127.0.0.1:{}/mqtt", self.scheme, broker.port());
        Server { name: self.name, url, broker }
    }
}

/// A server that leads a program to a state.
pub struct Server {
    pub name: &'static str,
    pub url: String,
    pub broker: Broker,
}

/// The states of a first connection before the broker has accepted it, MQTT 3.1.1.
pub fn connecting() -> Vec<State> {
    let tls = State { scheme: "wss", ..State::new("TLS", [Step::Heard]) };
    let upgrade = State::new("upgrade", [Step::Request(&[])]);
    let half =
        State::new("half an upgrade", [Step::Request(&[]), Step::Answer("HTTP/1.1 101 Swi")]);
    let connack = State::new("CONNACK", [Step::Upgrade, packet("10 <MQTT> 04 *")]);
    let begun = State::new(
        "half a CONNACK",
        [Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Raw(b"\x82\x04\x20".into())],
    );
    vec![tls, upgrade, half, connack, begun]
}

/// The beginning of a conversation with a broker that still has a session of this client
/// identifier, although a new one was asked for, and then `steps`. Before MQTT 5 only a connection
/// with Clean Session ends the old session, and a third one begins the new session.
fn stale<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let begin = [Step::Upgrade, packet("10 <MQTT> 04 00 *"), Step::Send("20 01 00"), packet("e0")];
    begin.into_iter().chain(steps).collect()
}

/// [`stale`], then a connection with Clean Session that is accepted and ended, and then `steps`.
fn cleared<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let clear =
        [Step::Close(1000), Step::End, Step::Reconnect, Step::Upgrade, packet("10 <MQTT> 04 02 *")];
    let ended = [Step::Send("20 00 00"), packet("e0")];
    let mut script = stale(clear);
    script.extend(ended.into_iter().chain(steps));
    script
}

/// The states in which a stale session is replaced, for a client whose own session is to outlive a
/// connection.
pub fn replacing() -> Vec<State> {
    let again = || [Step::Close(1000), Step::End, Step::Reconnect];
    let second = |steps: [Step; 2]| stale([]).into_iter().chain(again()).chain(steps);
    let third = |steps: [Step; 2]| cleared([]).into_iter().chain(again()).chain(steps);
    vec![
        State::held("end of the connection that found the session", stale([])),
        State::new(
            "upgrade of the clearing connection",
            second([Step::Request(&[]), Step::Answer("")]),
        ),
        State::new("CONNACK of the clearing connection", second([Step::Upgrade, packet("10 *")])),
        State::held("end of the clearing connection", cleared([])),
        State::new(
            "CONNACK of the last connection",
            third([Step::Upgrade, packet("10 <MQTT> 04 00 *")]),
        ),
    ]
}

/// The states after the loss of a connection on which `t` was subscribed to at QoS 0, MQTT 3.1.1.
pub fn reconnecting() -> Vec<State> {
    let lost = |steps: Vec<Step>| subscribed([Step::End, Step::Reconnect]).into_iter().chain(steps);
    vec![
        State::new("upgrade", lost(vec![Step::Request(&[])])),
        State::new("CONNACK", lost(vec![Step::Upgrade, packet("10 <MQTT> 04 *")])),
    ]
}

/// A listener that takes no connection: whoever connects waits for an answer to his SYN.
pub struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _filler: TcpStream,
}

impl Deaf {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        // The queue holds one, and nobody takes it from there.
        let filler = TcpStream::connect(address).unwrap();
        Self { address, _listener: listener, _filler: filler }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/mqtt", self.address)
    }

    /// Waits until somebody waits for an answer to his SYN.
    pub fn wait(&self) {
        let there = format!(":{:04X} 02 ", self.address.port());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !fs::read_to_string("/proc/net/tcp").unwrap().contains(&there) {
            assert!(Instant::now() < deadline, "nobody connects");
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}
