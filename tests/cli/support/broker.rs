//! A broker that follows a script: it checks what the client sends byte by byte, and answers what
//! the script says, right or wrong. It must never share code with the program, nor decide anything
//! by itself.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::notation;
use super::websocket::{Complaint, Fault, PING, PONG, Peer, frame};

/// How long a step waits for the client.
const PATIENCE: Duration = Duration::from_secs(20);

/// One step of a script. Texts of packets are in the notation of `notation.rs`.
pub enum Step {
    /// The server's side of TLS begins.
    Tls(Arc<ServerConfig>),
    /// Reads the HTTP request, in which each of these lines must stand.
    Request(&'static [&'static str]),
    /// Reads an HTTP request that has no header of this name.
    RequestWithout(&'static str),
    /// Reads exactly these bytes.
    Bytes(Vec<u8>),
    /// Takes the upgrade, with the first subprotocol that was offered.
    Accept,
    /// Answers the request with this text, `{accept}` being the accept key.
    Answer(&'static str),
    /// Reads the HTTP request and takes the upgrade.
    Upgrade,
    /// Reads a packet like this.
    Packet(String),
    /// Reads so many messages, of so many bytes in all; their packets are left for the next steps.
    Frames(usize, usize),
    /// Reads a PUBLISH to `t` at QoS 0 (before MQTT 5) with this payload.
    Payload(Vec<u8>),
    /// Sends packets in one binary message.
    Send(&'static str),
    /// Sends packets in binary messages of one byte.
    Drip(&'static str),
    /// Sends one frame: its first byte and its payload.
    Frame(u8, &'static [u8]),
    /// Sends bytes as they are.
    Raw(Vec<u8>),
    /// Sends bytes as they are, until the client ends the connection.
    Flood(Vec<u8>),
    /// Reads a Ping with this payload.
    Ping(&'static [u8]),
    /// Reads a Pong with this payload.
    Pong(&'static [u8]),
    /// Reads a Close frame with this code and answers it.
    Close(u16),
    /// Ends the connection in order.
    End,
    /// Ends our direction only: what was sent arrives, whatever the client has sent.
    HalfClose,
    /// Ends the connection by a reset, once something unread has arrived; the last step of a
    /// script.
    Reset,
    /// Resets the connection at once, whatever is unread.
    Abort,
    /// Waits for the next bytes and leaves them for the next step.
    Heard,
    /// Sends packets in a TLS record of which a byte is changed on the way.
    Garbled(&'static str),
    /// The same with what the server has to say in the TLS handshake.
    GarbledHandshake,
    /// Receives a TLS record of which a byte was changed on the way, and answers as TLS says: with
    /// the alert `bad_record_mac`.
    Misread,
    /// Reads until the client has ended the connection, in whatever way.
    Gone,
    /// Reads until the client has reset the connection.
    WasReset,
    /// Takes another connection.
    Reconnect,
    /// Does nothing for a while, as a server that is far away.
    Dally(Duration),
    /// Lets [`Broker::wait`] return.
    Tell,
}

/// A packet that the client must send.
pub fn packet(pattern: &str) -> Step {
    Step::Packet(pattern.to_owned())
}

/// The conversation up to a CONNACK without objections, MQTT 3.1.1, and then `rest`.
pub fn connected<const N: usize>(rest: [Step; N]) -> Vec<Step> {
    let mut steps = vec![Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")];
    steps.extend(rest);
    steps
}

/// [`connected`], then a SUBSCRIBE for `t` at QoS 0, granted, and then `rest`.
pub fn subscribed<const N: usize>(rest: [Step; N]) -> Vec<Step> {
    let mut steps = connected([packet("82 id <t> 00"), Step::Send("90 id 00")]);
    if rest.iter().any(|step| matches!(step, Step::Tell)) {
        // The Pong follows when SUBACK was read: a signal before that would say so.
        steps.extend([Step::Frame(0x89, b""), Step::Pong(b"")]);
    }
    steps.extend(rest);
    steps
}

/// `steps`, and then the end as a client must make it: DISCONNECT, Close 1000.
pub fn until_goodbye(steps: Vec<Step>) -> Vec<Step> {
    until(steps, "e0")
}

/// The same in MQTT 5 by a client with a session that was to outlive a lost connection: it ends the
/// session.
pub fn until_session_end(steps: Vec<Step>) -> Vec<Step> {
    until(steps, "e0 00 05 11 00 00 00 00")
}

/// `steps`, then this DISCONNECT, Close 1000, and the end.
pub fn until(mut steps: Vec<Step>, disconnect: &str) -> Vec<Step> {
    steps.extend([packet(disconnect), Step::Close(1000), Step::Gone]);
    steps
}

/// The broker. Dropped, it fails the test unless its script was followed to the end.
pub struct Broker {
    address: SocketAddr,
    /// The port stays open after the script: who connects then is noticed, and not answered.
    open: Option<TcpListener>,
    thread: Option<JoinHandle<Report>>,
    told: Receiver<()>,
    stopped: Arc<AtomicBool>,
    socket: Arc<Mutex<Option<TcpStream>>>,
    /// A script that meets a fault of ours need not come to its end.
    faulty: bool,
}

/// How the script went, and how many bytes were sent over the last connection.
struct Report {
    result: Result<(), Complaint>,
    written: usize,
}

impl Broker {
    /// A broker that follows `script` on a port of its own.
    pub fn start(script: Vec<Step>) -> Self {
        Self::start_with(script, None, false)
    }

    /// The same; its port stays open after the script, for [`Broker::finish_alone`].
    pub fn start_watchful(script: Vec<Step>) -> Self {
        Self::start_with(script, None, true)
    }

    /// A broker whose bytes arrive with a fault.
    pub fn start_faulty(script: Vec<Step>, fault: Fault) -> Self {
        Self::start_with(script, Some(fault), false)
    }

    /// A broker at another address of this machine, at the port of `other`.
    pub fn start_beside(other: &Self, ip: [u8; 4], script: Vec<Step>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::from(ip), other.port())).unwrap();
        Self::start_at(listener, script, None, false)
    }

    fn start_with(script: Vec<Step>, fault: Option<Fault>, is_watchful: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_at(listener, script, fault, is_watchful)
    }

    fn start_at(
        listener: TcpListener,
        script: Vec<Step>,
        fault: Option<Fault>,
        is_watchful: bool,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let open = is_watchful.then(|| listener.try_clone().unwrap());
        let (tell, told) = mpsc::channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let socket = Arc::new(Mutex::new(None));
        let mut stage = Stage {
            listener,
            fault,
            stopped: Arc::clone(&stopped),
            socket: Arc::clone(&socket),
            packet_id: [0, 0],
            tell,
        };
        let thread = Some(thread::spawn(move || stage.play(script)));
        Self { address, open, thread, told, stopped, socket, faulty: fault.is_some() }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where a client finds it.
    pub fn url(&self) -> String {
        format!("ws://{}/mqtt", self.address)
    }

    /// Waits until the script has come to the next [`Step::Tell`].
    pub fn wait(&self) {
        self.told.recv_timeout(PATIENCE).expect("the script came to its Step::Tell");
    }

    /// Waits for the end of the script, and returns how many bytes were sent.
    pub fn finish(mut self) -> usize {
        let report = self.join().unwrap();
        assert_eq!(report.result, Ok(()), "the script of the broker");
        report.written
    }

    /// The same, and checks that the client, which has ended, made no other connection than those of
    /// the script; see [`Broker::start_watchful`].
    pub fn finish_alone(mut self) {
        let deadline = Instant::now() + PATIENCE;
        let thread = self.thread.take().unwrap();
        while !thread.is_finished() {
            assert!(Instant::now() < deadline, "the script of the broker does not come to its end");
            thread::park_timeout(Duration::from_millis(1));
        }
        assert_eq!(thread.join().unwrap().result, Ok(()), "the script of the broker");
        let listener = self.open.take().expect("it was started to be watchful");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "the client has connected once more");
    }

    /// Ends the thread: by itself if it got a connection, for its reads are bounded; else by waking it.
    fn join(&mut self) -> Option<Report> {
        let thread = self.thread.take()?;
        self.stopped.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        Some(thread.join().unwrap())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let (true, Some(socket)) = (thread::panicking(), self.socket.lock().unwrap().take()) {
            socket.shutdown(Shutdown::Both).ok();
        }
        let Some(Report { result: Err(complaint), .. }) = self.join() else { return };
        if thread::panicking() {
            eprintln!("the broker: {complaint}");
        } else if !self.faulty {
            panic!("the broker: {complaint}");
        }
    }
}

/// What the thread of a broker has.
struct Stage {
    listener: TcpListener,
    fault: Option<Fault>,
    stopped: Arc<AtomicBool>,
    socket: Arc<Mutex<Option<TcpStream>>>,
    /// The packet identifier that the client used last.
    packet_id: [u8; 2],
    tell: Sender<()>,
}

impl Stage {
    fn play(&mut self, script: Vec<Step>) -> Report {
        let mut peer = match self.accept() {
            Ok(peer) => peer,
            Err(complaint) => return Report { result: Err(complaint), written: 0 },
        };
        let mut result = Ok(());
        for (number, step) in (1..).zip(script) {
            result = self
                .step(step, &mut peer)
                .map_err(|complaint| format!("step {number}: {complaint}"));
            if result.is_err() {
                break;
            }
        }
        *self.socket.lock().unwrap() = None;
        Report { result, written: peer.written }
    }

    fn accept(&mut self) -> Result<Peer, Complaint> {
        let (stream, _) = self.listener.accept().map_err(|error| error.to_string())?;
        if self.stopped.load(Ordering::SeqCst) {
            return Err("nobody connected".into());
        }
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        *self.socket.lock().unwrap() = stream.try_clone().ok();
        Ok(Peer::new(stream, self.fault))
    }

    fn step(&mut self, step: Step, peer: &mut Peer) -> Result<(), Complaint> {
        match step {
            Step::Tls(config) => peer.start_tls(&config),
            Step::Request(lines) => request(peer, lines),
            Step::RequestWithout(name) => request_without(peer, name),
            Step::Bytes(bytes) => peer.read_bytes(&bytes),
            Step::Accept => peer.write(peer.acceptance().as_bytes()),
            Step::Answer(text) => {
                peer.write(text.replace("{accept}", &peer.accept_key()).as_bytes())
            }
            Step::Upgrade => {
                peer.read_request()?;
                peer.write(peer.acceptance().as_bytes())
            }
            Step::Packet(pattern) => self.packet(peer, &pattern),
            Step::Frames(count, length) => peer.read_frames(count, length),
            Step::Payload(payload) => published(peer, &payload),
            Step::Send(packets) => {
                peer.write_frame(0x82, &notation::packets(packets, self.packet_id))
            }
            Step::Drip(packets) => {
                let bytes = notation::packets(packets, self.packet_id);
                bytes.iter().try_for_each(|byte| peer.write_frame(0x82, &[*byte]))
            }
            Step::Frame(opcode, payload) => peer.write_frame(opcode, payload),
            Step::Raw(bytes) => peer.write(&bytes),
            Step::Flood(bytes) => {
                peer.write(&bytes).ok();
                peer.read_to_end()
            }
            Step::Ping(payload) => peer.read_control(PING, payload),
            Step::Pong(payload) => peer.read_control(PONG, payload),
            Step::Close(code) => closed(peer, code),
            Step::End => {
                // It fails only where the client has ended the connection before.
                peer.socket().shutdown(Shutdown::Both).ok();
                Ok(())
            }
            Step::Dally(time) => {
                thread::sleep(time);
                Ok(())
            }
            Step::HalfClose => {
                peer.socket().shutdown(Shutdown::Write).map_err(|error| error.to_string())
            }
            Step::Reset | Step::Heard => heard(peer),
            Step::Abort => {
                *self.socket.lock().unwrap() = None;
                peer.abort()
            }
            Step::Garbled(packets) => {
                let packets = notation::packets(packets, self.packet_id);
                peer.write_garbled(&frame(0x82, &packets))
            }
            Step::GarbledHandshake => peer.write_garbled(b""),
            Step::Misread => peer.misread(),
            Step::Gone => peer.read_to_end(),
            Step::WasReset => peer.read_to_reset(),
            Step::Reconnect => {
                *peer = self.accept()?;
                Ok(())
            }
            Step::Tell => self.tell.send(()).map_err(|error| error.to_string()),
        }
    }

    fn packet(&mut self, peer: &mut Peer, pattern: &str) -> Result<(), Complaint> {
        let packet = peer.read_packet()?;
        if let Some(id) = packet_id(&packet) {
            self.packet_id = id;
        }
        if !notation::matches(pattern, &packet) {
            let text = packet.escape_ascii();
            return Err(format!("expected {pattern}\n     got {packet:02x?}\n         {text}"));
        }
        if packet[0] == 0x10 && !peer.is_drained() {
            return Err("something was sent behind CONNECT before CONNACK".into());
        }
        Ok(())
    }
}

fn request(peer: &mut Peer, lines: &[&str]) -> Result<(), Complaint> {
    let request = peer.read_request()?;
    match lines.iter().find(|line| !request.iter().any(|got| got == *line)) {
        Some(line) => Err(format!("no line {line:?} in {request:#?}")),
        None => Ok(()),
    }
}

fn request_without(peer: &mut Peer, name: &str) -> Result<(), Complaint> {
    let request = peer.read_request()?;
    let is_named = |line: &&String| {
        line.split(':').next().is_some_and(|field| field.eq_ignore_ascii_case(name))
    };
    match request.iter().find(is_named) {
        Some(line) => Err(format!("there should be no {line:?}")),
        None => Ok(()),
    }
}

/// Reads a PUBLISH to `t` at QoS 0 (before MQTT 5), too long for the notation.
fn published(peer: &mut Peer, payload: &[u8]) -> Result<(), Complaint> {
    let packet = peer.read_packet()?;
    match packet.strip_prefix(b"\x30\x00\x01t") {
        Some(got) if got == payload => Ok(()),
        Some(got) => Err(format!(
            "a payload of {} bytes that is not the one of {}",
            got.len(),
            payload.len()
        )),
        None => Err(format!("packet {:#x} instead of a PUBLISH to t at QoS 0", packet[0])),
    }
}

fn closed(peer: &mut Peer, code: u16) -> Result<(), Complaint> {
    match peer.read_close()? {
        got if got == code => Ok(()),
        got => Err(format!("Close {got} instead of {code}")),
    }
}

/// The packet identifier of a packet from a client that has one.
fn packet_id(packet: &[u8]) -> Option<[u8; 2]> {
    let at = match packet[0] {
        0x32..=0x35 | 0x3a..=0x3d => 3 + usize::from(u16::from_be_bytes([packet[1], packet[2]])),
        0x62 | 0x82 | 0xa2 => 1,
        _ => return None,
    };
    packet.get(at..at + 2)?.try_into().ok()
}

/// Waits for bytes and leaves them. A socket that is closed (as the script ends) with unread bytes
/// sends a reset.
fn heard(peer: &Peer) -> Result<(), Complaint> {
    peer.socket().peek(&mut [0]).map(|_| ()).map_err(|error| error.to_string())
}
