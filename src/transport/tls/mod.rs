//! TLS: which servers are trusted, which certificate we show, and what went wrong in words.

mod certificate;
mod certificate_error;
mod error;
mod identity;
mod key_log;
mod pem;
mod roots;
mod setup_error;
mod verify;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};

/// What a server says when it ends the handshake.
pub use rustls::AlertDescription as Alert;

pub use certificate::{CertificateInfo, Fingerprint};
pub use certificate_error::CertificateFault;
pub use error::{Plain, TlsError};
pub use identity::{Asked, Identity};
pub use setup_error::{Purpose, TlsSetupError};

use verify::{Trust, Verifier};

/// What a connection trusts and shows. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Files of authorities. The three kinds of authorities add up; none at all means Mozilla's.
    pub ca_files: Vec<PathBuf>,
    /// Folders with files of authorities.
    pub ca_folders: Vec<PathBuf>,
    /// The authorities that the operating system trusts.
    pub system_roots: bool,
    /// Accept any certificate. The peer must still own the key of the one it shows.
    pub insecure: bool,
    /// If there are any: trust exactly these certificates, whatever their name, age or issuer.
    pub pins: Vec<Fingerprint>,
    /// Our certificate, followed by those of the authorities between it and one that the server
    /// knows.
    pub certificate: Option<PathBuf>,
    /// Its key; none if it is in the same file.
    pub key: Option<PathBuf>,
    /// The password of an encrypted key, in the first line of a file.
    pub key_password_file: Option<PathBuf>,
    /// The name to ask for, and the one that the certificate must have; none is the host.
    pub server_name: Option<String>,
    /// The application protocols to offer (ALPN); none sends no such extension.
    pub protocols: Vec<String>,
    /// The only version to speak; none is both.
    pub version: Option<TlsVersion>,
    /// Where to write the secrets.
    pub key_log: Option<PathBuf>,
}

/// A version of TLS that we speak.
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

/// What all connections of a run share.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    config: ClientConfig,
    certificate: Option<Arc<CertifiedKey>>,
    server_name: Option<String>,
}

impl TlsConfig {
    /// Reads the files that the options name.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(ring::default_provider());
        let certificate = identity::read(options, &provider)?;
        let verifier = Verifier::new(trust(options, &provider)?, &provider);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(options.version))
            .map_err(TlsSetupError::Config)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols =
            options.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        if let Some(path) = &options.key_log {
            let log = key_log::KeyLog::open(path);
            config.key_log =
                Arc::new(log.map_err(|error| TlsSetupError::KeyLog(path.clone(), error))?);
        }
        Ok(Self { config, certificate, server_name: options.server_name.clone() })
    }

    /// The same for a proxy: what names the server or the protocol within is not for it.
    pub fn for_proxy(&self) -> Self {
        let mut proxy = Self { server_name: None, ..self.clone() };
        proxy.config.alpn_protocols.clear();
        proxy
    }

    /// One client connection to `host`; its name is sent as SNI, an address is not (RFC 6066 §3).
    pub fn connection(&self, host: &str) -> Result<TlsConnection, TlsError> {
        let host = self.server_name.as_deref().unwrap_or(host);
        let name = server_name(host).ok_or_else(|| TlsError::Name(host.to_owned()))?;
        let identity = Arc::new(Identity::new(self.certificate.clone()));
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = Arc::<Identity>::clone(&identity);
        let mut session = ClientConnection::new(Arc::new(config), name)?;
        // What we write is one buffer of the WebSocket layer and leaves at once: the limit would
        // only cut it.
        session.set_buffer_limit(None);
        Ok(TlsConnection { session, identity })
    }
}

/// The TLS of one connection.
#[derive(Debug)]
pub struct TlsConnection {
    /// Its state.
    pub session: ClientConnection,
    identity: Arc<Identity>,
}

impl TlsConnection {
    /// Whether the server asked for a client certificate, so far.
    pub fn asked(&self) -> Asked {
        self.identity.asked()
    }
}

fn trust(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Trust, TlsSetupError> {
    // A wrong file of authorities is an error even where it is not needed.
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

/// A name or address of a TLS server; an IPv6 address may have a zone.
fn server_name(host: &str) -> Option<ServerName<'static>> {
    let address = host.split('%').next().unwrap_or(host);
    ServerName::try_from(address.to_owned()).ok()
}

/// Whether this can be asked for by SNI.
pub fn is_server_name(name: &str) -> bool {
    matches!(server_name(name), Some(ServerName::DnsName(_)))
}

#[cfg(test)]
mod tests;
