//! A certificate authority that is made on the spot, and a certificate of the broker by it. The key
//! of the authority is used once and forgotten.

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::ServerIdentity;

/// What was made.
#[derive(Debug)]
pub struct MadeIdentity {
    /// The certificate of the broker, and its key.
    pub identity: ServerIdentity,
    /// The certificate of the authority, in PEM.
    pub authority: String,
}

/// Makes an authority, and a certificate of it for these names and addresses.
///
/// # Errors
/// When the system has no random bytes, or a name cannot stand in a certificate.
pub fn make(names: &[String]) -> io::Result<MadeIdentity> {
    make_both(names).map_err(io::Error::other)
}

fn make_both(names: &[String]) -> Result<MadeIdentity, Box<dyn std::error::Error + Send + Sync>> {
    let number = fastrand::u32(..);
    let mut params = lasting(CertificateParams::new(Vec::new())?);
    // Those who trust several of them can tell which is which.
    params.distinguished_name = named(&format!("mqttws serve authority {number:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let mut params = lasting(CertificateParams::new(names)?);
    params.distinguished_name = named("mqttws serve");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let key = ring::sign::any_supported_type(&key)?;
    let identity = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key));
    Ok(MadeIdentity { identity, authority: pem(authority.der()) })
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// From yesterday, for clocks that are behind, and for a year, which is what browsers take.
fn lasting(mut params: CertificateParams) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let date = |date: Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = date(today.saturating_sub(1.day()));
    params.not_after = date(today.saturating_add(365.days()));
    params
}

/// A certificate as text (RFC 7468 §5).
fn pem(der: &[u8]) -> String {
    const WIDTH: usize = 64;
    let text = BASE64.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut left = text.as_str();
    while !left.is_empty() {
        let (line, rest) = left.split_at(left.len().min(WIDTH));
        pem.extend([line, "\n"]);
        left = rest;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
