//! Debian's mosquitto, started for one test on ports of its own and gone with it. It must never
//! know the program under test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::certificates::{Authority, FAR_AWAY};
use super::folder::Folder;
use super::program::Program;

/// How long anything about mosquitto may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often other ports are tried when one was taken between finding and using it.
const ATTEMPTS: usize = 10;

/// The broker.
pub struct Mosquitto {
    server: Server,
    /// The file of the authority that vouches for the `wss` listener.
    pub authority: String,
    configuration: String,
    _folder: Folder,
}

/// The process, killed by its handle when dropped.
struct Server {
    child: Child,
    /// Its log, a line a message: notices, errors and subscriptions.
    log: Receiver<String>,
    ports: Ports,
}

#[derive(Clone, Copy)]
struct Ports {
    tcp: u16,
    ws: u16,
    wss: u16,
}

impl Mosquitto {
    /// Starts it and waits until it listens.
    pub fn start() -> Self {
        Self::start_with("persistence false\n")
    }

    /// The same with these lines in its configuration; `{folder}` in them is a folder of its own.
    pub fn start_with(settings: &str) -> Self {
        Self::start_listening(settings, "")
    }

    /// The same; its `wss` listener demands that clients show a certificate of the authority in
    /// this file.
    pub fn demanding(clients: &str) -> Self {
        let demand = format!("cafile {clients}\nrequire_certificate true\n");
        Self::start_listening("persistence false\n", &demand)
    }

    /// The same; its `wss` listener shows a certificate of `tests/cli/certificates`.
    pub fn showing(name: &str, authority: &str) -> Self {
        let folder = Folder::new();
        let fixed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/certificates");
        let read = |name: String| fs::read_to_string(fixed.join(name)).unwrap();
        folder.write("server.pem", read(format!("{name}.pem")));
        folder.write("server.key", read(format!("{name}.key")));
        let authority = folder.write("ca.pem", read(format!("{authority}.pem")));
        Self::start_in(folder, authority, "persistence false\n", "")
    }

    /// Starts it with these lines for all, and these for the `wss` listener.
    fn start_listening(settings: &str, secure: &str) -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let certificate = authority.certify(&["localhost", "127.0.0.1"], FAR_AWAY);
        folder.write("server.pem", certificate.certificate.pem());
        folder.write("server.key", certificate.key.serialize_pem());
        let authority = folder.write("ca.pem", authority.pem());
        Self::start_in(folder, authority, settings, secure)
    }

    /// Starts it with the certificate in this folder.
    fn start_in(folder: Folder, authority: String, settings: &str, secure: &str) -> Self {
        let path = authority.trim_end_matches("/ca.pem");
        let start = |_| {
            let ports = free_ports();
            let configuration = configuration(ports, settings).replace("{folder}", path) + secure;
            let configuration = folder.write("mosquitto.conf", configuration);
            Server::start(&configuration, ports).map(|server| (server, configuration))
        };
        let (server, configuration) =
            (0..ATTEMPTS).find_map(start).expect("mosquitto starts; tests/run installs it");
        Self { server, authority, configuration, _folder: folder }
    }

    /// Ends it, without a word to anybody.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Stops it: it does nothing more until it is killed.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.server.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Lets it end itself in order.
    pub fn terminate(&mut self) {
        self.signal("TERM");
        // Its log ends with it.
        assert!(!self.server.waits_for(|_| false));
        self.server.kill();
    }

    /// Starts it again on the same ports, after its end.
    pub fn start_again(&mut self) {
        let server = Server::start(&self.configuration, self.server.ports);
        self.server = server.expect("its ports are still its own");
    }

    pub fn ws(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.server.ports.ws)
    }

    /// The port of the `ws` listener.
    pub fn ws_port(&self) -> u16 {
        self.server.ports.ws
    }

    pub fn wss(&self) -> String {
        format!("wss://localhost:{}/mqtt", self.server.ports.wss)
    }

    /// The port of its `wss` listener.
    pub fn wss_port(&self) -> String {
        self.server.ports.wss.to_string()
    }

    /// `mosquitto_pub` or `mosquitto_sub` on the plain listener.
    pub fn client(&self, name: &str, arguments: &[&str]) -> Program {
        let port = self.server.ports.tcp.to_string();
        Program::of(name, [&["-h", "127.0.0.1", "-p", &port], arguments].concat())
    }

    /// Waits until the client `id` has subscribed: whatever is published from now on reaches it.
    pub fn wait_for_subscription(&self, id: &str) {
        let subscribed =
            |line: &str| line.split(' ').nth(1) == Some(id) && line.split(' ').count() >= 4;
        assert!(self.server.waits_for(subscribed), "no subscription of {id} within {PATIENCE:?}");
    }

    /// Waits until the client `id` connects.
    pub fn wait_for_connection(&self, id: &str) {
        let connected = |line: &str| line.contains(&format!(" as {id} ("));
        assert!(self.server.waits_for(connected), "no connection of {id} within {PATIENCE:?}");
    }
}

/// Traffic that keeps mosquitto busy until this is dropped.
///
/// Debian's mosquitto (libwebsockets) sends 4 KiB of a long message to a WebSocket at each turn of
/// its loop, and an idle loop turns every 100 ms: 1 MiB takes 25 s, whoever the client is. A client
/// on the plain listener that sends a PINGREQ as soon as the last was answered keeps the loop
/// turning.
pub struct Bustle {
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Mosquitto {
    /// Starts the traffic that lets long messages pass.
    pub fn keep_busy(&self) -> Bustle {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.ports.tcp)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04busy").unwrap();
        socket.read_exact(&mut [0; 4]).unwrap();
        let mut pinger = socket.try_clone().unwrap();
        let mut ping = move || {
            // Fast enough, and the processor is left to the others.
            thread::park_timeout(Duration::from_millis(1));
            pinger.write_all(b"\xc0\x00").and_then(|()| pinger.read_exact(&mut [0; 2]))
        };
        let thread = Some(thread::spawn(move || while ping().is_ok() {}));
        Bustle { socket, thread }
    }
}

impl Drop for Bustle {
    fn drop(&mut self) {
        self.socket.shutdown(Shutdown::Both).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

impl Server {
    /// None when it did not come to listen: most likely somebody else took one of the ports.
    fn start(configuration: &str, ports: Ports) -> Option<Self> {
        let mut child = Command::new(executable())
            .args(["-c", configuration])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto is installed; tests/run does it");
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)).ok();
        });
        let server = Self { child, log, ports };
        server.is_listening().then_some(server)
    }

    /// Waits for the word that it runs, and checks that its listeners are there.
    fn is_listening(&self) -> bool {
        let Ports { tcp, ws, wss } = self.ports;
        self.waits_for(|line| line.ends_with(" running"))
            && [tcp, ws, wss]
                .iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
    }

    /// Reads its log up to a line that satisfies `wanted`; false when it ends or time is up.
    fn waits_for(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian puts mosquitto where only root's `PATH` leads.
fn executable() -> &'static str {
    let debian = "/usr/sbin/mosquitto";
    if std::path::Path::new(debian).exists() { debian } else { "mosquitto" }
}

/// Below those that the kernel gives to connections and to port 0: nobody else takes one of them
/// while a broker that is to come back is away.
fn free_ports() -> Ports {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_240..32_768))).ok();
    let listeners = [(); 3].map(|()| std::iter::repeat_with(bind).flatten().next().unwrap());
    let [tcp, ws, wss] = listeners.map(|listener| listener.local_addr().unwrap().port());
    Ports { tcp, ws, wss }
}

/// Without `socket_domain` a websockets listener binds [::] whatever its address; without `user`
/// mosquitto would give up root's rights and with them the folder of the test.
fn configuration(Ports { tcp, ws, wss }: Ports, settings: &str) -> String {
    format!(
        "allow_anonymous true\n\
         {settings}\
         user root\n\
         max_queued_messages 0\n\
         log_dest stderr\n\
         log_timestamp_format %H:%M:%S\n\
         log_type error\nlog_type warning\nlog_type notice\nlog_type information\nlog_type subscribe\n\
         listener {tcp} 127.0.0.1\n\
         listener {ws} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4\n\
         listener {wss} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4\n\
         certfile {{folder}}/server.pem\nkeyfile {{folder}}/server.key\n"
    )
}
