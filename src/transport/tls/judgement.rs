//! Judges the properties of a server's certificate one by one, where a handshake ends at the first
//! fault.

use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;

use super::certificate::{Certificate, CertificateInfo};
use super::certificate_error::CertificateFault;
use super::key_kind::unsupported_key;
use super::{TlsConfig, server_name};

/// The shortest RSA key that is in general use today, in bits.
const RSA_BITS: usize = 2048;

/// What is right and wrong about the certificates of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The server's own certificate.
    pub info: CertificateInfo,
    /// The names and addresses that it is made for.
    pub names: Vec<String>,
    /// Whether they lead to a trusted authority, or why not.
    pub chain: Result<(), String>,
    /// Whether it is made for this server, or for which others.
    pub name: Result<(), String>,
    /// Whether it is valid now, or since or until when.
    pub dates: Result<(), String>,
    /// What some clients do not take about its form.
    pub form: Vec<String>,
}

impl TlsConfig {
    /// Judges what a server of the name `host` has sent, its own certificate first; `None` if that
    /// cannot be read.
    pub fn judgement(&self, host: &str, chain: &[CertificateDer<'static>]) -> Option<Judgement> {
        let (leaf, others) = chain.split_first()?;
        let (info, fields) = (CertificateInfo::read(leaf)?, Certificate::read(leaf)?);
        let host = self.server_name.as_deref().unwrap_or(host);
        let others: Vec<_> = others.iter().filter_map(|der| Certificate::read(der)).collect();
        let server = server_name(host);
        let chained = match (wrong_order(&fields, &others), &server) {
            (Some(words), _) => Err(words),
            (None, None) => Err(format!("{host} is no name of a server")),
            (None, Some(server)) => self.chained(chain, server, &fields, &others),
        };
        Some(Judgement {
            names: fields.server_names(),
            chain: chained,
            name: server.map_or_else(|| Ok(()), |server| self.named(leaf, &server, &fields)),
            dates: dated(&fields, UnixTime::now()),
            form: form(&fields),
            info,
        })
    }

    /// Whether the chain leads to a trusted authority, whatever the name and the dates of the
    /// server's own certificate.
    fn chained(
        &self,
        chain: &[CertificateDer<'static>],
        server: &ServerName<'_>,
        fields: &Certificate,
        others: &[Certificate],
    ) -> Result<(), String> {
        let (leaf, intermediates) = chain.split_first().ok_or("no certificate")?;
        let (from, until) = (fields.not_before(), fields.not_after());
        let now = UnixTime::now().as_secs().min(until).max(from);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let verified = self.verifier.verify_server_cert(leaf, intermediates, server, &[], now);
        let Err(error) = verified else { return Ok(()) };
        match error {
            rustls::Error::InvalidCertificate(error) => self.forgiven(error.into(), fields, others),
            error => Err(error.to_string()),
        }
    }

    /// The fault, unless it says nothing against the chain.
    fn forgiven(
        &self,
        fault: CertificateFault,
        fields: &Certificate,
        others: &[Certificate],
    ) -> Result<(), String> {
        match fault {
            CertificateFault::WrongName { .. } | CertificateFault::NoNames { .. } => Ok(()),
            // The form of the server's own: the library has not looked further.
            fault @ (CertificateFault::Version1 { authority: None }
            | CertificateFault::WeakKey { authority: None, .. }
            | CertificateFault::UnsupportedKey { authority: None, .. }
            | CertificateFault::WeakSignature { .. }) => {
                if self.leads_to_a_root(fields, others) {
                    Ok(())
                } else {
                    Err(fault.to_string())
                }
            }
            fault @ CertificateFault::UnknownIssuer(_) if others.is_empty() => {
                Err(format!("{fault}, and no other certificate was sent"))
            }
            fault => Err(fault.to_string()),
        }
    }

    /// Whether each certificate names the next as its issuer, and the last one an authority that
    /// is trusted; signatures are not looked at.
    fn leads_to_a_root(&self, leaf: &Certificate, others: &[Certificate]) -> bool {
        let Some(roots) = self.verifier.roots().0 else { return true };
        let mut last = leaf;
        for next in others {
            if last.names_as_issuer(next) {
                last = next;
            }
        }
        roots.roots.iter().any(|anchor| last.names_anchor(anchor))
    }

    /// Whether the certificate is made for this server: by its subjectAltName alone.
    fn named(
        &self,
        leaf: &CertificateDer<'_>,
        server: &ServerName<'_>,
        fields: &Certificate,
    ) -> Result<(), String> {
        if !fields.is_version_3() {
            let (expected, common_name) = (server.to_str().into_owned(), fields.common_name());
            return Err(CertificateFault::NoNames { expected, common_name }.to_string());
        }
        let parsed = ParsedCertificate::try_from(leaf);
        let verified = parsed.and_then(|parsed| verify_server_name(&parsed, server));
        verified.map_err(|error| match self.verifier.explained(error, leaf, &[]) {
            rustls::Error::InvalidCertificate(error) => CertificateFault::from(error).to_string(),
            error => error.to_string(),
        })
    }
}

/// What is wrong with the order: each certificate should certify the one before it (RFC 8446
/// §4.4.2). One that belongs to no other is no fault of the order.
fn wrong_order(leaf: &Certificate, others: &[Certificate]) -> Option<String> {
    let is_issuer_of_another =
        others.iter().any(|other| other.names_as_issuer(leaf) && !other.is_authority());
    if leaf.is_authority() && is_issuer_of_another {
        return Some(format!("wrong order: the first is {}, an authority", leaf.subject()));
    }
    let mut last = leaf;
    for (at, next) in others.iter().enumerate() {
        if last.is_self_signed() {
            return None;
        }
        if !last.names_as_issuer(next) {
            let later = others[at..].iter().any(|other| last.names_as_issuer(other));
            let words = format!(
                "wrong order: {} follows {}, which {} has signed",
                next.subject(),
                last.subject(),
                last.issuer()
            );
            return later.then_some(words);
        }
        last = next;
    }
    None
}

fn dated(fields: &Certificate, now: UnixTime) -> Result<(), String> {
    let fault = if now.as_secs() < fields.not_before() {
        CertificateFault::NotYetValid { on: Some(fields.not_before()), authority: None }
    } else if now.as_secs() > fields.not_after() {
        CertificateFault::Expired { on: Some(fields.not_after()), authority: None }
    } else {
        return Ok(());
    };
    Err(fault.to_string())
}

/// What openssl takes, and rustls or browsers do not.
fn form(fields: &Certificate) -> Vec<String> {
    let mut faults = Vec::new();
    if !fields.is_version_3() {
        faults.push("X.509 version 1".to_owned());
    }
    if fields.is_authority() {
        faults.push("the certificate of an authority (CA:TRUE)".to_owned());
    }
    if !fields.is_signed_as_usual() {
        faults.push(format!("signed with {}", fields.signature_algorithm()));
    }
    if let Some(bits) = fields.rsa_bits().filter(|bits| *bits < RSA_BITS) {
        faults.push(format!("an RSA key of {bits} bits"));
    }
    if let Some(kind) = unsupported_key(&fields.key_algorithm()) {
        faults.push(format!("a key of the kind {kind}"));
    }
    faults
}
