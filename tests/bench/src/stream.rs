//! TCP with or without TLS, and the certificates for it. It must never know what is spoken inside.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::Failure;

/// How long one read may wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// A blocking stream of bytes.
pub enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// TLS, as a server.
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// TLS, as a client.
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// A connection to `host`; with `authority`, a PEM file, over TLS.
    pub fn connect(host: &str, port: u16, authority: Option<&str>) -> Result<Self, Failure> {
        let socket = tuned(TcpStream::connect((host, port))?)?;
        let Some(authority) = authority else { return Ok(Self::Plain(socket)) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?;
        connection.set_buffer_limit(None);
        Ok(Self::Client(Box::new(StreamOwned::new(connection, socket))))
    }

    /// The server's end of a connection, with TLS if the client begins with it.
    pub fn accepted(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Self, Failure> {
        let socket = tuned(socket)?;
        let mut first = [0];
        if socket.peek(&mut first)? == 1 && first[0] == 0x16 {
            let mut connection = ServerConnection::new(Arc::clone(config))?;
            connection.set_buffer_limit(None);
            return Ok(Self::Server(Box::new(StreamOwned::new(connection, socket))));
        }
        Ok(Self::Plain(socket))
    }

    /// Nothing more is written.
    pub fn finish(&mut self) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Server(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                &tls.sock
            }
            Self::Client(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                &tls.sock
            }
        };
        // The other side may be gone already.
        let _ = socket.shutdown(Shutdown::Write);
    }
}

fn tuned(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

impl Read for Stream {
    /// The end is 0 however it came.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let result = match self {
            Self::Plain(socket) => socket.read(target),
            Self::Server(tls) => tls.read(target),
            Self::Client(tls) => tls.read(target),
        };
        match result {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
            {
                Ok(0)
            }
            result => result,
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Server(tls) => tls.write(bytes),
            Self::Client(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Server(tls) => tls.flush(),
            Self::Client(tls) => tls.flush(),
        }
    }
}

/// An authority made for one run, and a server that it vouches for.
pub struct Identity {
    /// The authority, as PEM.
    pub authority: String,
    /// The server's certificate, as PEM.
    pub certificate: String,
    /// The server's key, as PEM.
    pub key: String,
}

impl Identity {
    /// A new one for `localhost` and `127.0.0.1`.
    pub fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "mqttws-bench");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok(Self { authority: issuer.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// What a TLS server needs.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, Failure> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        Ok(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?))
    }
}
