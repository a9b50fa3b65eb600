//! `wss://` servers for the tests: what they show, what they demand, and what the client says to
//! them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::broker::{Broker, Step, packet, until_goodbye};
use super::certificates::Certificate;
use super::lines;
use super::program::{Outcome, Program};

/// What a server is: its certificate, and whose clients it takes.
pub struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The file of the authority whose certificates a client must show.
    pub clients: Option<PathBuf>,
    /// Whether a client may also show none.
    pub optional: bool,
    /// The versions it speaks.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Server {
    /// One that shows this certificate.
    pub fn showing(certificate: &Certificate) -> Self {
        let key = certificate.key.serialize_der().try_into().unwrap();
        Self::of(vec![certificate.certificate.der().clone()], key)
    }

    /// One that shows this chain.
    pub fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key, clients: None, optional: false, versions: rustls::ALL_VERSIONS.to_vec() }
    }

    /// One that shows a certificate of `tests/cli/certificates`.
    pub fn fixed(name: &str) -> Self {
        let chain = CertificateDer::from_pem_file(fixed(&format!("{name}.pem"))).unwrap();
        Self::of(vec![chain], PrivateKeyDer::from_pem_file(fixed(&format!("{name}.key"))).unwrap())
    }

    /// The same as rustls wants it.
    pub fn config(self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        // Unlike the usual way, this one takes X.509 version 1.
        let key = provider.key_provider.load_private_key(self.key).unwrap();
        let verifier = match self.clients {
            None => Arc::new(NoClientAuth) as Arc<_>,
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(path).unwrap()).unwrap();
                let builder = WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    Arc::clone(&provider),
                );
                if self.optional { builder.allow_unauthenticated() } else { builder }
                    .build()
                    .unwrap()
            }
        };
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(
                self.chain, key,
            ))))
    }

    /// A broker that takes one message.
    pub fn good(self) -> Broker {
        good(self.config())
    }

    /// A broker to a client that will not come to its request, or gets no answer to it.
    pub fn shunned(self) -> Broker {
        shunned(self.config())
    }
}

/// A broker that takes one message.
pub fn good(config: ServerConfig) -> Broker {
    Broker::start(until_goodbye(vec![
        Step::Tls(Arc::new(config)),
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]))
}

/// A broker to a client that will not come to its request, or gets no answer to it.
pub fn shunned(config: ServerConfig) -> Broker {
    Broker::start(vec![Step::Tls(Arc::new(config)), Step::Gone])
}

/// A file of `tests/cli/certificates`.
pub fn fixed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/certificates").join(name)
}

/// The same as text, for a command line; a key as a copy that only its owner can read.
pub fn fixed_path(name: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    if Path::new(name).extension().is_none_or(|extension| extension != "key") {
        return fixed(name).into_os_string().into_string().unwrap();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let copy = folder.join(format!("{}-{:?}-{name}", std::process::id(), thread::current().id()));
    std::fs::copy(fixed(name), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
    copy.into_os_string().into_string().unwrap()
}

/// `mqttws pub` to this broker, by its address.
pub fn publish(broker: &Broker, arguments: &[&str]) -> Program {
    publish_to("127.0.0.1", broker, arguments)
}

/// `mqttws pub` to this broker, by this name of it.
pub fn publish_to(host: &str, broker: &Broker, arguments: &[&str]) -> Program {
    let url = format!("wss://{host}:{}/mqtt", broker.port());
    Program::new([&["pub", &url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

/// Checks that a connection failed for the reason that is told after the address.
pub fn fails(outcome: &Outcome, code: i32, reason: &str) {
    lines::fails(outcome, code, &format!("mqttws: connecting to wss://*:*/mqtt: {reason}"));
}
