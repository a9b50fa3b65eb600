//! TLS against a test server over loopback.

mod certificates;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::handshake::server::{Request, Response};

use rustls::pki_types::CertificateDer;
use std::{fs, io};

use super::*;
use crate::transport::dial::{Route, dial};
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::wire::Chunk;
use crate::transport::{Error, Options, Phase, Transport};
use crate::websocket::Framing;

const LIMIT: Duration = Duration::from_secs(20);

/// A file that is removed when the test ends.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("mqttws-{}-{}.pem", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Trust in the authorities of this file alone.
fn trusting(file: &TempFile) -> TlsOptions {
    TlsOptions { ca_files: vec![file.0.clone()], ..TlsOptions::default() }
}

/// An authority, and the file that makes it trusted.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: TempFile,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Test authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = TempFile::new(issuer.pem());
    Authority { issuer, file }
}

/// A certificate from the authority, and its key.
struct Identity(CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn identity(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity(certificate.der().clone(), key.serialize_der().try_into().unwrap())
    }

    fn trusted(&self) -> TlsOptions {
        trusting(&self.file)
    }
}

fn server_config(identity: Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.0], identity.1)
        .unwrap()
}

/// Runs `serve` for one connection on a thread. Returns the port.
fn listen(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        serve(stream);
    });
    port
}

/// A server that echoes every binary message, after a Ping, until the client closes.
fn echo(config: ServerConfig) -> u16 {
    listen(move |stream| {
        let tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        #[allow(clippy::result_large_err, clippy::unnecessary_wraps)]
        let agree = |_: &Request, mut response: Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
            Ok(response)
        };
        // A client that refuses the certificate has closed the connection by now.
        let Ok(mut echoing) = tungstenite::accept_hdr(tls, agree) else { return };
        while let Ok(message) = echoing.read() {
            let ping = tungstenite::Message::Ping(Bytes::new());
            if message.is_binary()
                && echoing.write(ping).and_then(|()| echoing.send(message)).is_err()
            {
                return;
            }
        }
    })
}

/// A transport, and the thread that reads its socket, as in the program.
struct Client {
    transport: Transport,
    mailbox: Receiver<io::Result<Chunk>>,
}

impl Client {
    fn start(host: &str, port: u16, tls: &TlsOptions) -> Result<Self, Error> {
        let options = Options {
            endpoint: Endpoint::from_parts(Scheme::Wss, host, Some(port), None).unwrap(),
            tls: Some(TlsConfig::new(tls).unwrap()),
            subprotocols: vec!["mqtt".into()],
            headers: Vec::new(),
            secrets: Vec::new(),
            strict: true,
            max_message: 1 << 24,
            framing: Framing::UpToLimit,
            log: false,
        };
        let server = Endpoint::from_parts(Scheme::Ws, "127.0.0.1", Some(port), None).unwrap();
        let dialled =
            dial(&server, &Route::default(), None, Instant::now() + LIMIT, &|_| {}).unwrap();
        let mut incoming = dialled.socket.try_clone().unwrap();
        let (sender, mailbox) = channel();
        thread::spawn(move || {
            loop {
                let mut chunk = Chunk::with_capacity(16 * 1024);
                let result = chunk.fill_from(&mut incoming);
                let last = !matches!(result, Ok(1..));
                if sender.send(result.map(|_| chunk)).is_err() || last {
                    return;
                }
            }
        });
        Ok(Self { transport: Transport::start(dialled.socket, None, &options)?, mailbox })
    }

    fn wait(&mut self) {
        match self.mailbox.recv_timeout(LIMIT).expect("the server does something in time") {
            Ok(chunk) if chunk.unread().is_empty() => self.transport.end(None),
            Ok(chunk) => self.transport.deliver(chunk),
            Err(error) => self.transport.end(Some(error)),
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        while self.transport.advance()? != Phase::Open {
            self.wait();
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(bytes) = self.transport.read()? {
                return Ok(bytes);
            }
            self.wait();
        }
    }
}

fn connected(host: &str, port: u16, tls: &TlsOptions) -> Result<Client, Error> {
    let mut client = Client::start(host, port, tls)?;
    client.open().map(|()| client)
}

/// Sends `size` bytes and reads them back.
fn exchange(client: &mut Client, size: usize) {
    let payload: Vec<u8> = (0..=250).cycle().take(size).collect();
    client.transport.write(Bytes::from(payload.clone())).unwrap();
    client.transport.flush().unwrap();
    let mut echoed = Vec::new();
    while echoed.len() < size {
        echoed.extend_from_slice(&client.read().unwrap());
    }
    assert_eq!(echoed, payload);
}

#[test]
fn a_trusted_server_is_spoken_to_by_name_and_by_address() {
    for host in ["localhost", "127.0.0.1"] {
        let authority = authority();
        let identity = authority.identity(&["localhost", "127.0.0.1"], |_| ());
        let mut client =
            connected(host, echo(server_config(identity)), &authority.trusted()).unwrap();
        let info = client.transport.info();
        let tls = info.tls.as_ref().unwrap();
        assert_eq!((tls.version.as_str(), info.subprotocol.as_deref()), ("TLSv1.3", Some("mqtt")));
        assert!(tls.cipher.starts_with("TLS_"), "{}", tls.cipher);
        for size in [1, 200_000, 3] {
            exchange(&mut client, size);
        }
        client.transport.close();
        client.transport.finish();
        assert!(matches!(client.read(), Err(Error::WebSocket(_))));
    }
}

#[test]
fn tls_1_2_is_spoken_too() {
    let authority = authority();
    let identity = authority.identity(&["localhost"], |_| ());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.0], identity.1)
        .unwrap();
    let mut client = connected("localhost", echo(config), &authority.trusted()).unwrap();
    assert_eq!(client.transport.info().tls.as_ref().unwrap().version, "TLSv1.2");
    exchange(&mut client, 100_000);
}

#[test]
fn a_self_signed_server_can_be_trusted_as_it_is() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let file = TempFile::new(format!("a comment\n{}", certificate.pem()));
    let tls = trusting(&file);
    let identity = Identity(certificate.der().clone(), key.serialize_der().try_into().unwrap());
    assert!(connected("localhost", echo(server_config(identity)), &tls).is_ok());
}

#[test]
fn insecure_accepts_any_certificate() {
    let insecure = TlsOptions { insecure: true, ..TlsOptions::default() };
    let identity =
        authority().identity(&["a.example"], |params| params.not_after = date_time_ymd(2020, 1, 1));
    let mut client = connected("localhost", echo(server_config(identity)), &insecure).unwrap();
    exchange(&mut client, 10);
}

#[test]
fn a_demanded_client_certificate_is_told() {
    let authority = authority();
    let identity = authority.identity(&["localhost"], |_| ());
    let roots = Arc::new(roots::roots(&authority.trusted()).unwrap().store);
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.0], identity.1)
        .unwrap();
    // In TLS 1.3 the alert arrives when the request has already been sent.
    let error = connected("localhost", echo(config), &authority.trusted()).err().unwrap();
    assert!(matches!(error, Error::Tls(TlsError::ClientCertificateRequired)), "{error:?}");
    assert_eq!(error.to_string(), "the server demands a client certificate");
}

#[test]
fn a_server_without_tls_is_recognised() {
    let rows: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the server answered in plain HTTP, not TLS"),
        (b"HTT", "the server does not speak TLS on this port (it sent \"HTT\")"),
        (b"\x20\x02\0\x01", "the server speaks MQTT without TLS and WebSockets on this port"),
        (
            b"SSH-2.0-OpenSSH_9\r\n",
            "the server does not speak TLS on this port (it sent \"SSH-2.0-OpenSSH_9\\r\\n\")",
        ),
        (b"+", "the server does not speak TLS on this port (it sent \"+\")"),
    ];
    for (answer, words) in rows {
        let port = listen(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // Waits until the client closes the connection: a reset could lose the answer.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = connected("localhost", port, &TlsOptions::default()).err().unwrap();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_server_that_hangs_up_is_told() {
    let port = listen(drop);
    let error = connected("localhost", port, &TlsOptions::default()).err().unwrap();
    // Bytes of ours that it has not read make it a reset.
    assert!(matches!(error, Error::Tls(TlsError::Closed | TlsError::Reset)), "{error:?}");
}

#[test]
fn an_alert_of_the_server_is_told() {
    for (alert, words) in [
        (40, "the server refused the TLS handshake (handshake failure)"),
        (112, "the server does not know the host name (unrecognized name)"),
    ] {
        let port = listen(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(&[0x15, 3, 3, 0, 2, 2, alert]).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = connected("localhost", port, &TlsOptions::default()).err().unwrap();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_record_that_was_changed_on_the_way_is_a_lost_connection() {
    let authority = authority();
    let config = server_config(authority.identity(&["localhost"], |_| {}));
    let port = listen(move |stream| {
        let tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        #[allow(clippy::result_large_err, clippy::unnecessary_wraps)]
        let agree = |_: &Request, mut response: Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
            Ok(response)
        };
        let mut open = tungstenite::accept_hdr(tls, agree).unwrap();
        let mut record = vec![0x17, 3, 3, 0, 64];
        record.extend([0; 64]);
        open.get_mut().sock.write_all(&record).unwrap();
        let _ = open.read();
    });
    let error = connected("localhost", port, &authority.trusted())
        .and_then(|mut client| client.read())
        .unwrap_err();
    assert!(matches!(error, Error::BrokenTls { phase: Phase::Open, .. }), "{error:?}");
    assert!(error.is_end());
}
