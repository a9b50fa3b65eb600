//! A broker that takes connections, and refuses one of them by its number.

use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::ServerConfig;

use super::secure::Server;
use super::websocket::{Complaint, Peer};

const BINARY: u8 = 0x82;

/// How a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody listens any more.
    Tcp,
    /// It is reset when its request has come.
    Reset,
    /// It gets no TLS where all others do.
    Tls,
    /// Its upgrade gets this status.
    Http(u16),
    /// Its CONNACK has this code.
    Connack(u8),
    /// Its upgrade is not answered.
    Silence,
}

/// A CONNECT that came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guest {
    /// The address that it came from.
    pub from: IpAddr,
    /// Its client id.
    pub id: String,
    /// User name and password.
    pub login: Option<(String, String)>,
}

type Guests = Arc<Mutex<Vec<Guest>>>;

/// The broker; it ends with the test.
pub struct RefusingBroker {
    scheme: &'static str,
    port: u16,
    guests: Guests,
}

impl RefusingBroker {
    /// Starts one that refuses connection number `number`, from 1.
    pub fn start(number: usize, refusal: Refusal) -> Self {
        let guests = Guests::default();
        let shared = Arc::clone(&guests);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = (refusal == Refusal::Tls).then(|| Arc::new(Server::fixed("by-P-256").config()));
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        thread::spawn(move || {
            let mut count = 0;
            while !(refusal == Refusal::Tcp && count + 1 == number) {
                let Ok((stream, _)) = listener.accept() else { return };
                count += 1;
                let refusal = (count == number).then_some(refusal);
                let (tls, guests) = (tls.clone(), Arc::clone(&shared));
                // What a client does wrong ends its connection, and shows in its report.
                thread::spawn(move || serve(stream, refusal, tls.as_ref(), &guests));
            }
        });
        Self { scheme, port, guests }
    }

    /// Starts one that refuses none.
    pub fn kind() -> Self {
        Self::start(usize::MAX, Refusal::Silence)
    }

    /// Who has connected so far, but for the first, which finds out what the server understands.
    pub fn guests(&self) -> Vec<Guest> {
        self.guests.lock().unwrap()[1..].to_vec()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/mqtt", self.scheme, self.port)
    }
}

fn serve(
    stream: TcpStream,
    refusal: Option<Refusal>,
    tls: Option<&Arc<ServerConfig>>,
    guests: &Guests,
) -> Result<(), Complaint> {
    let from = stream.peer_addr().unwrap().ip();
    stream.set_nodelay(true).unwrap();
    let mut peer = Peer::new(stream, None);
    if refusal == Some(Refusal::Tls) {
        return peer.write(b"no TLS here");
    }
    if let Some(config) = tls {
        peer.start_tls(config)?;
    }
    peer.read_request()?;
    match refusal {
        Some(Refusal::Reset) => return peer.abort(),
        Some(Refusal::Silence) => return peer.read_to_end(),
        Some(Refusal::Http(status)) => {
            let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
            return peer.write(answer.as_bytes());
        }
        Some(Refusal::Connack(_) | Refusal::Tcp | Refusal::Tls) | None => {}
    }
    peer.write(peer.acceptance().as_bytes())?;
    let guest = guest(from, &peer.read_packet()?);
    guests.lock().unwrap().push(guest);
    let code = if let Some(Refusal::Connack(code)) = refusal { code } else { 0 };
    peer.write_frame(BINARY, &[0x20, 3, 0, code, 0])?;
    // DISCONNECT, and the Close after it.
    peer.read_packet()?;
    peer.read_to_end()
}

/// What a CONNECT of MQTT 5 says.
fn guest(from: IpAddr, packet: &[u8]) -> Guest {
    // The first byte, the name of the protocol, the level.
    let flags = packet[8];
    let mut rest = &packet[12 + usize::from(packet[11])..];
    let mut text = || {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (text, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        String::from_utf8(text.to_vec()).unwrap()
    };
    let id = text();
    let login = (flags & 0xc0 == 0xc0).then(|| (text(), text()));
    Guest { from, id, login }
}
