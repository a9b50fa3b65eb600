//! Bare TLS handshakes, one after the other: `handshakes PORT AUTHORITY COUNT`.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Failure;

/// Makes so many, and ends each connection at once.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let [port, authority, count] = arguments else {
        return Err("handshakes: expected PORT AUTHORITY COUNT".into());
    };
    let (port, count): (u16, u32) = (port.parse()?, count.parse()?);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    for _ in 0..count {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let name = ServerName::try_from("127.0.0.1")?;
        let mut connection = ClientConnection::new(Arc::clone(&config), name)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
    }
    Ok(())
}
