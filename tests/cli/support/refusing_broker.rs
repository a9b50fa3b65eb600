//! A broker that takes connections, and refuses one of them by its number.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
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

/// The broker; it ends with the test.
pub struct RefusingBroker {
    scheme: &'static str,
    port: u16,
}

impl RefusingBroker {
    /// Starts one that refuses connection number `number`, from 1.
    pub fn start(number: usize, refusal: Refusal) -> Self {
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
                let tls = tls.clone();
                // What a client does wrong ends its connection, and shows in its report.
                thread::spawn(move || serve(stream, refusal, tls.as_ref()));
            }
        });
        Self { scheme, port }
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
) -> Result<(), Complaint> {
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
    peer.read_packet()?;
    let code = if let Some(Refusal::Connack(code)) = refusal { code } else { 0 };
    peer.write_frame(BINARY, &[0x20, 3, 0, code, 0])?;
    // DISCONNECT, and the Close after it.
    peer.read_packet()?;
    peer.read_to_end()
}
