//! TLS: the servers that are trusted, the client certificate, and explanations of errors.

mod certificate;
mod certificate_error;
mod distinguished_name;
mod error;
mod given_places;
mod identity;
mod judgement;
mod key_kind;
mod key_log;
mod pem;
mod roots;
pub mod server;
mod server_certificates;
mod setup_error;
mod signatures;
mod verify;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};

/// The reason of a server that ends the handshake.
pub use rustls::AlertDescription as Alert;
/// A certificate as it was sent.
pub use rustls::pki_types::CertificateDer;

pub use certificate::{CertificateInfo, Fingerprint};
pub use certificate_error::{CertificateFault, Untrusted};
pub use error::{OtherProtocol, TlsError};
pub use identity::{CertificateRequest, Identity};
pub use judgement::Judgement;
pub use setup_error::{FilePurpose, TlsSetupError};

pub use given_places::GivenPlaces;
use verify::{Trust, Verifier, Witness};

use super::host;

/// The certificates that a connection trusts, and the one that it sends. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Files of authorities. The three sources of authorities are combined; without any, Mozilla's
    /// are trusted.
    pub ca_files: Vec<PathBuf>,
    /// Folders with files of authorities.
    pub ca_folders: Vec<PathBuf>,
    /// The authorities that the operating system trusts.
    pub system_roots: bool,
    /// Accept any certificate. The server must still own its key.
    pub insecure: bool,
    /// If not empty: trust exactly these certificates, whatever their name, age or issuer.
    pub pins: Vec<Fingerprint>,
    /// The client certificate, followed by those of the authorities between it and one that the
    /// server knows.
    pub certificate: Option<PathBuf>,
    /// The key; `None` if it is in the file of the certificate.
    pub key: Option<PathBuf>,
    /// A file whose first line is the password of an encrypted key.
    pub key_password_file: Option<PathBuf>,
    /// The name to send (SNI), which the certificate must have; `None` means the host.
    pub server_name: Option<String>,
    /// The application protocols to offer (ALPN); if there are none, the extension is not sent.
    pub protocols: Vec<String>,
    /// The only version to offer; `None` means both.
    pub version: Option<TlsVersion>,
    /// The file to write the secrets to.
    pub key_log: Option<KeyLogFile>,
}

impl TlsOptions {
    /// Whether a file is one that can be read only once, such as a pipe.
    pub fn reads_pipes(&self) -> bool {
        let own = [&self.certificate, &self.key, &self.key_password_file];
        let files = self.ca_files.iter().chain(own.into_iter().flatten());
        files.into_iter().any(|path| path.exists() && !path.is_file())
    }
}

/// The file to write the secrets to, and what it means that it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLogFile {
    /// It must be written: an error.
    Demanded(PathBuf),
    /// There are no secrets in a file then.
    Wished(PathBuf),
}

impl KeyLogFile {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Demanded(path) | Self::Wished(path) => path,
        }
    }

    /// Whether the file can be written.
    pub fn check(&self) -> Result<(), TlsSetupError> {
        self.open().map(drop)
    }

    fn open(&self) -> Result<key_log::KeyLog, TlsSetupError> {
        let path = self.path();
        key_log::KeyLog::open(path).map_err(|error| TlsSetupError::KeyLog(path.to_owned(), error))
    }
}

/// A supported version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl FromStr for TlsVersion {
    type Err = &'static str;

    /// `1.2` and `1.3`, or mosquitto's `tlsv1.2` and `tlsv1.3`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("tlsv").unwrap_or(text) {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            "1" | "1.0" | "1.1" => {
                Err("TLS before 1.2 is broken and not supported: expected 1.2 or 1.3")
            }
            _ => Err("expected 1.2 or 1.3"),
        }
    }
}

/// Whether the handshakes of many connections continue each other's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsResumption {
    /// Every handshake is a full one.
    Never,
    /// The tickets of one are used by the others.
    Shared,
}

/// What one connection needs, or what many share: rustls resumes a session only with the same
/// verifier and the same certificate.
#[derive(Clone, Debug)]
struct ConnectionTls {
    config: Arc<ClientConfig>,
    identity: Arc<Identity>,
    witness: Arc<Witness>,
}

/// The configuration that all connections of a run share.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    config: ClientConfig,
    verifier: Arc<Verifier>,
    certificate: Option<Arc<CertifiedKey>>,
    server_name: Option<String>,
    key_log: Option<Arc<key_log::KeyLog>>,
    /// What the connections of a fleet share; otherwise each has its own.
    shared: Option<ConnectionTls>,
}

impl TlsConfig {
    /// Reads the files of the options.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsSetupError> {
        let mut provider = ring::default_provider();
        provider.signature_verification_algorithms = signatures::algorithms();
        let provider = Arc::new(provider);
        let certificate = identity::read(options, &provider)?;
        let verifier = Arc::new(Verifier::new(trust(options, &provider)?, &provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(options.version))
            .map_err(TlsSetupError::Config)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
            .with_no_client_auth();
        config.alpn_protocols =
            options.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let key_log = match options.key_log.as_ref().map(|file| (file, file.open())) {
            Some((_, Ok(log))) => Some(Arc::new(log)),
            Some((KeyLogFile::Demanded(_), Err(error))) => return Err(error),
            Some((KeyLogFile::Wished(_), Err(_))) | None => None,
        };
        if let Some(log) = &key_log {
            config.key_log = Arc::<key_log::KeyLog>::clone(log);
        }
        let server_name = options.server_name.clone();
        Ok(Self { config, verifier, certificate, server_name, key_log, shared: None })
    }

    /// The same for a server that a redirect has led to, without what is for the first one alone:
    /// client certificate and server name.
    pub fn for_another_server(&self) -> Self {
        Self { certificate: None, server_name: None, ..self.clone() }
    }

    /// The same for a proxy, without what is for the server alone: client certificate, server name
    /// and application protocols.
    pub fn for_proxy(&self) -> Self {
        let mut proxy = Self { certificate: None, server_name: None, ..self.clone() };
        proxy.config.alpn_protocols.clear();
        proxy
    }

    /// The same that offers these application protocols (ALPN) instead.
    pub fn offering(&self, protocols: &[&str]) -> Self {
        let mut other = self.clone();
        other.config.alpn_protocols =
            protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        other
    }

    /// The same that does not name the server (no SNI).
    pub fn without_sni(&self) -> Self {
        let mut other = self.clone();
        other.config.enable_sni = false;
        other
    }

    /// The same for many connections of which nobody asks what the server has shown to one of them.
    pub fn for_many(&self, resumption: TlsResumption) -> Self {
        let mut other = self.clone();
        other.config.resumption = match resumption {
            TlsResumption::Never => Resumption::disabled(),
            TlsResumption::Shared => Resumption::default(),
        };
        other.shared = Some(other.for_one());
        other
    }

    fn for_one(&self) -> ConnectionTls {
        let identity = Arc::new(Identity::new(self.certificate.clone()));
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = Arc::<Identity>::clone(&identity);
        let witness = Arc::new(Witness::new(Arc::clone(&self.verifier)));
        config.dangerous().set_certificate_verifier(Arc::<Witness>::clone(&witness));
        ConnectionTls { config: Arc::new(config), identity, witness }
    }

    /// Whether the name of the server is sent (SNI).
    pub fn names_server(&self) -> bool {
        self.config.enable_sni
    }

    /// A client connection to `host`. A name is sent as SNI, an address is not (RFC 6066 §3).
    pub fn connection(&self, host: &str) -> Result<TlsConnection, TlsError> {
        let host = self.server_name.as_deref().unwrap_or(host);
        let name = server_name(host).ok_or_else(|| TlsError::Name(host.to_owned()))?;
        let shared = self.shared.clone();
        let ConnectionTls { config, identity, witness } = shared.unwrap_or_else(|| self.for_one());
        let mut session = ClientConnection::new(config, name)?;
        // Each write is one buffer of the WebSocket layer and is sent at once. The limit would only
        // cut it.
        session.set_buffer_limit(None);
        let key_log = self.key_log.clone();
        Ok(TlsConnection { session, identity, witness, key_log })
    }
}

/// A TLS connection.
#[derive(Debug)]
pub struct TlsConnection {
    /// The state of rustls.
    pub session: ClientConnection,
    identity: Arc<Identity>,
    witness: Arc<Witness>,
    key_log: Option<Arc<key_log::KeyLog>>,
}

impl TlsConnection {
    /// The certificate that the server has shown, whatever was decided about it.
    pub fn presented(&self) -> Option<CertificateInfo> {
        CertificateInfo::read(self.witness.presented()?)
    }

    /// The certificates that the server has sent, its own first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.witness.certificates()
    }

    /// Why the file of secrets does not have all of them, if it does not.
    pub fn key_log_failure(&self) -> Option<String> {
        self.key_log.as_ref()?.failure()
    }

    /// What the server has done about a client certificate so far.
    pub fn certificate_request(&self) -> CertificateRequest {
        self.identity.certificate_request()
    }
}

fn trust(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Trust, TlsSetupError> {
    // An invalid file of authorities is an error even if it is not needed.
    let roots = roots::roots(options)?;
    if !options.pins.is_empty() {
        Ok(Trust::Pinned(options.pins.clone()))
    } else if options.insecure {
        Ok(Trust::Anything)
    } else {
        Trust::chain(roots, provider).map_err(TlsSetupError::Config)
    }
}

fn versions(only: Option<TlsVersion>) -> Vec<&'static SupportedProtocolVersion> {
    match only {
        None => rustls::ALL_VERSIONS.to_vec(),
        Some(TlsVersion::V1_2) => vec![&rustls::version::TLS12],
        Some(TlsVersion::V1_3) => vec![&rustls::version::TLS13],
    }
}

/// The name or address of a TLS server. An IPv6 address may have a zone.
fn server_name(host: &str) -> Option<ServerName<'static>> {
    let address = host.split('%').next().unwrap_or(host);
    ServerName::try_from(address.to_owned()).ok()
}

/// The name as SNI carries it; `None` if it cannot.
pub fn sni(name: &str) -> Option<String> {
    let name = host::ascii(name)?.into_owned();
    matches!(server_name(&name), Some(ServerName::DnsName(_))).then_some(name)
}

#[cfg(test)]
mod tests;
