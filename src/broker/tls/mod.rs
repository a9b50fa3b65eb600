//! TLS in the role of the server.

pub mod authority;

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, RootCertStore, ServerConfig};

/// A certificate of the broker with those of the authorities between, and its key.
pub type ServerIdentity = Arc<CertifiedKey>;

/// A certificate of an authority.
pub type CaCertificate = CertificateDer<'static>;

/// How all connections are encrypted.
#[derive(Debug, Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// With this certificate. If there are `authorities`, clients must have a certificate by one of
    /// them.
    ///
    /// # Errors
    /// When the authorities cannot be used.
    pub fn new(identity: ServerIdentity, authorities: &[CaCertificate]) -> io::Result<Self> {
        Self::build(identity, authorities).map_err(io::Error::other)
    }

    fn build(
        identity: ServerIdentity,
        authorities: &[CaCertificate],
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if authorities.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority.clone())?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        // Tickets hold the session themselves: nothing is stored for clients that are gone.
        config.ticketer = ring::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        Ok(Self(Arc::new(config)))
    }

    /// The same with these protocols above it (ALPN): a client that offers none of them, but
    /// others, is refused. If there are none, what clients offer does not matter.
    pub fn with_alpn(mut self, names: Vec<Vec<u8>>) -> Self {
        if !names.is_empty() {
            Arc::make_mut(&mut self.0).alpn_protocols = names;
        }
        self
    }

    /// The state of a new connection.
    pub fn connection(&self) -> Result<ServerConnection, Error> {
        ServerConnection::new(Arc::clone(&self.0))
    }
}

/// Why no TLS was spoken with a client, and what can be done.
pub fn failure(error: &Error) -> String {
    use rustls::AlertDescription as Alert;
    match error {
        Error::AlertReceived(
            Alert::UnknownCA | Alert::CertificateUnknown | Alert::BadCertificate,
        ) => "it does not trust our certificate: give it the authority (--ca-out FILE, \
              $MQTTWS_CAFILE)"
            .to_owned(),
        Error::NoCertificatesPresented => {
            "it sent no certificate, which --client-ca demands".to_owned()
        }
        Error::InvalidCertificate(problem) => {
            format!("its certificate is not by an authority of --client-ca: {problem}")
        }
        error => error.to_string(),
    }
}
