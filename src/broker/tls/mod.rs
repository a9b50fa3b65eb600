//! TLS in the role of the server.

pub mod authority;

use std::io;
use std::sync::Arc;
#[cfg(test)]
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
#[cfg(test)]
use rustls::pki_types::UnixTime;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

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
        Error::InvalidCertificate(problem) => format!("its certificate {}", refusal(problem)),
        error => error.to_string(),
    }
}

/// Why a client's certificate is refused: the end of a sentence about it.
fn refusal(problem: &CertificateError) -> String {
    use CertificateError as Problem;
    match problem {
        Problem::UnknownIssuer => "is not by an authority of --client-ca".to_owned(),
        Problem::ExpiredContext { time, not_after } => {
            let since = time.as_secs().saturating_sub(not_after.as_secs());
            format!("has expired, {} ago", in_words(since))
        }
        Problem::NotValidYetContext { time, not_before } => {
            let until = not_before.as_secs().saturating_sub(time.as_secs());
            format!("is not valid yet, but in {}", in_words(until))
        }
        Problem::InvalidPurpose | Problem::InvalidPurposeContext { .. } => {
            "was not made for clients (extended key usage)".to_owned()
        }
        Problem::BadSignature => {
            "is not signed by the authority of --client-ca that it names, but \
                                  perhaps by another of the same name"
                .to_owned()
        }
        problem => format!("is not accepted: {problem}"),
    }
}

/// A time in its largest whole unit.
fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7200 => (seconds / 60, "minutes"),
        7200..172_800 => (seconds / 3600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[test]
fn a_refused_certificate_in_words() {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let time = at(2_000_000);
    let table = [
        (CertificateError::UnknownIssuer, "is not by an authority of --client-ca"),
        (
            CertificateError::ExpiredContext { time, not_after: at(1_999_995) },
            "has expired, 5 seconds ago",
        ),
        (
            CertificateError::ExpiredContext { time, not_after: at(1_000_000) },
            "has expired, 11 days ago",
        ),
        (
            CertificateError::NotValidYetContext { time, not_before: at(2_010_000) },
            "is not valid yet, but in 2 hours",
        ),
        (CertificateError::InvalidPurpose, "was not made for clients (extended key usage)"),
    ];
    for (problem, words) in table {
        let error = Error::InvalidCertificate(problem);
        assert_eq!(failure(&error), format!("its certificate {words}"));
    }
}
