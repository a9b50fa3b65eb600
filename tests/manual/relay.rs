//! A proxy that is the world of the manual: whatever ends in `.example` is a broker of the test, at
//! port 443 behind TLS; everything else is the address that it names.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::ServerConnection;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};

use crate::certificates::{Authority, FAR_AWAY};

/// The hosts of the manual that are reached over TLS; the last wants a client certificate.
const HOSTS: [&str; 5] =
    ["broker.example", "a.example", "b.example", "locked.example", "private.example"];

/// The hosts that are the second broker.
const SECOND: [&str; 2] = ["b.example", "locked.example"];

/// Where the connections lead.
struct World {
    /// The ports of the brokers.
    brokers: [u16; 2],
    tls: Arc<ServerConfig>,
    demanding: Arc<ServerConfig>,
}

/// Starts it; returns its port. It ends with the process.
pub fn start(brokers: [u16; 2], authority: &Authority) -> u16 {
    let world = Arc::new(World {
        brokers,
        tls: config(authority, false),
        demanding: config(authority, true),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let world = Arc::clone(&world);
            // What fails here is for the example to say.
            thread::spawn(move || world.connect(client).ok());
        }
    });
    port
}

fn config(authority: &Authority, demands: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let certificate = authority.certify(&HOSTS, FAR_AWAY);
    let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let chain = vec![certificate.certificate.der().clone()];
    let builder = if demands {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

impl World {
    fn connect(&self, mut client: TcpStream) -> io::Result<()> {
        let (host, port) = requested(&mut client)?;
        let is_ours = host.ends_with(".example") || port == 9001;
        let broker = self.brokers[usize::from(SECOND.contains(&host.as_str()))];
        let address = if is_ours { ("127.0.0.1", broker) } else { (host.as_str(), port) };
        let upstream = TcpStream::connect(address)?;
        upstream.set_nodelay(true)?;
        client.set_nodelay(true)?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        match (is_ours && port == 443, host == "private.example") {
            (false, _) => through(client, upstream),
            (true, false) => through_tls(client, upstream, Arc::clone(&self.tls)),
            (true, true) => through_tls(client, upstream, Arc::clone(&self.demanding)),
        }
    }
}

/// Reads a request with CONNECT: host and port.
fn requested(client: &mut TcpStream) -> io::Result<(String, u16)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    target
        .and_then(|target| target.rsplit_once(':'))
        .and_then(|(host, port)| {
            Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
        })
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, head))
}

fn through(client: TcpStream, upstream: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, upstream.try_clone()?);
    let back = thread::spawn(move || copy(upstream, client));
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
    back.join().ok();
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
}

fn through_tls(
    mut client: TcpStream,
    mut upstream: TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut client)?;
        }
        let [is_client, is_upstream] = readable([&client, &upstream])?;
        if is_client {
            let ended = tls.read_tls(&mut client)? == 0;
            upstream.write_all(&decrypted(&mut tls, &mut client)?)?;
            if ended {
                return upstream.shutdown(Shutdown::Both);
            }
        }
        if is_upstream {
            let length = upstream.read(&mut buffer)?;
            tls.writer().write_all(&buffer[..length])?;
            if length == 0 {
                tls.send_close_notify();
                tls.write_tls(&mut client)?;
                return client.shutdown(Shutdown::Both);
            }
        }
    }
}

/// Waits until one of the sockets can be read, and says which.
fn readable(sockets: [&TcpStream; 2]) -> io::Result<[bool; 2]> {
    let mut polled = sockets.map(|socket| PollFd::new(socket, PollFlags::IN));
    poll(&mut polled, None)?;
    Ok([0, 1].map(|number| !polled[number].revents().is_empty()))
}

/// What was received within TLS; an alert goes out where TLS fails.
fn decrypted(tls: &mut ServerConnection, client: &mut TcpStream) -> io::Result<Vec<u8>> {
    if let Err(error) = tls.process_new_packets() {
        tls.write_tls(client)?;
        return Err(io::Error::other(error));
    }
    let mut plain = Vec::new();
    match tls.reader().read_to_end(&mut plain) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(plain),
    }
}
