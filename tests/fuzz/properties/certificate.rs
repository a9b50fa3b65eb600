//! Certificates that a server presents: the handshake comes to an end, and what is said about them is
//! one line of bounded length.

use std::sync::{Arc, LazyLock};

use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::upgrade::assert_harmless;
use crate::transport::tls::{CertificateInfo, TlsConfig, TlsError, TlsOptions};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/certificates");

/// A client that trusts one authority.
static CLIENT: LazyLock<TlsConfig> = LazyLock::new(|| {
    let ca_files = vec![format!("{FOLDER}/authority.pem").into()];
    TlsConfig::new(&TlsOptions { ca_files, ..TlsOptions::default() }).expect("it is a good file")
});

/// Some key: the certificate is judged before its signature.
static KEY: LazyLock<PrivateKeyDer<'static>> = LazyLock::new(|| {
    PrivateKeyDer::from_pem_file(format!("{FOLDER}/client-ec.key")).expect("it is a good file")
});

/// Presents whatever it was given.
#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesServerCert for Presents {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

pub fn check(data: &[u8]) {
    if let Some(info) = CertificateInfo::read(data) {
        let text = info.to_string();
        assert!(text.len() < 4 * 500, "{text}");
    }
    if data.is_empty() {
        return;
    }
    let key = sign::any_supported_type(&KEY).expect("ring knows it");
    let chain = vec![CertificateDer::from(data.to_vec())];
    let presents = Presents(Arc::new(CertifiedKey::new(chain, key)));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(presents));
    let mut server = ServerConnection::new(Arc::new(config)).expect("a good configuration");
    let mut client = CLIENT.connection("localhost").expect("a good name");
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.session.wants_write() {
            client.session.write_tls(&mut bytes).expect("memory takes it");
        }
        feed_server(&mut server, &bytes);
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory takes it");
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.session.read_tls(&mut rest).expect("memory gives it");
            if let Err(error) = client.session.process_new_packets() {
                let error = TlsError::from(error);
                return assert_harmless(&error.message_about("localhost").to_string());
            }
        }
    }
    assert!(!client.session.is_handshaking(), "the handshake ends");
}

fn feed_server(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).expect("memory gives it");
        // An alert of the client, whose reason is looked at there.
        if server.process_new_packets().is_err() {
            return;
        }
    }
}
