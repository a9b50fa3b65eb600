//! Reads the fields of a certificate without judging it (RFC 5280), and computes the SHA-256 with
//! which a user can pin it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::Span;
use jiff::civil::date;
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};

use super::distinguished_name::{common_name, printed};
use super::key_kind::content_of;

/// `rsaEncryption` and `id-RSASSA-PSS` (RFC 8017).
const RSA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
];

/// Signature algorithms, with the names that OpenSSL prints.
const SIGNATURES: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.2", "MD2 with RSA"),
    ("1.2.840.113549.1.1.4", "MD5 with RSA"),
    ("1.2.840.113549.1.1.5", "SHA-1 with RSA"),
    ("1.3.14.3.2.29", "SHA-1 with RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.1.14", "SHA-224 with RSA"),
    ("1.2.840.10045.4.1", "SHA-1 with ECDSA"),
    ("1.2.840.10045.4.3.1", "SHA-224 with ECDSA"),
    ("1.2.840.10045.4.3.2", "SHA-256 with ECDSA"),
    ("1.2.840.10045.4.3.3", "SHA-384 with ECDSA"),
    ("1.2.840.10040.4.3", "SHA-1 with DSA"),
    ("2.16.840.1.101.3.4.3.2", "SHA-256 with DSA"),
    ("1.3.101.113", "Ed448"),
];

/// SHA-256, SHA-384 and SHA-512 with RSA and with ECDSA, Ed25519.
const USUAL: [&str; 7] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];

/// A certificate that could be parsed.
#[derive(Debug)]
pub struct Certificate(CertificateInner<Raw>);

impl Certificate {
    /// Parses a certificate in DER; `None` if it is not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(Self)
    }

    /// Whether this is an X.509 version 3 certificate, the only version with extensions.
    pub fn is_version_3(&self) -> bool {
        self.0.tbs_certificate().version() == Version::V3
    }

    /// The common name of the subject, or else its whole name, shortened.
    pub fn subject(&self) -> String {
        printed(self.0.tbs_certificate().subject())
    }

    /// The issuer that the certificate names.
    pub fn issuer(&self) -> String {
        printed(self.0.tbs_certificate().issuer())
    }

    /// The common name, which some programs take for the name of a server.
    pub fn common_name(&self) -> Option<String> {
        common_name(self.0.tbs_certificate().subject())
    }

    /// The server names and addresses in its subjectAltName (a mail address or a URI is not a
    /// server name).
    pub fn server_names(&self) -> Vec<String> {
        let extension = self.0.tbs_certificate().get_extension::<SubjectAltName>();
        let names = extension.ok().flatten().map(|(_, names)| names.0).unwrap_or_default();
        names.iter().filter_map(server_name).collect()
    }

    /// Whether this is the certificate of an authority (`CA:TRUE`).
    pub fn is_authority(&self) -> bool {
        let extension = self.0.tbs_certificate().get_extension::<BasicConstraints>();
        extension.ok().flatten().is_some_and(|(_, constraints)| constraints.ca)
    }

    /// Whether the certificate names itself as its issuer.
    pub fn is_self_signed(&self) -> bool {
        self.0.tbs_certificate().issuer() == self.0.tbs_certificate().subject()
    }

    /// Whether the certificate names `issuer` as its issuer.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        self.0.tbs_certificate().issuer() == issuer.0.tbs_certificate().subject()
    }

    /// Whether the certificate names `anchor` as its issuer.
    pub fn names_anchor(&self, anchor: &TrustAnchor<'_>) -> bool {
        // An anchor holds the name without its outermost tag and length.
        let name = self.0.tbs_certificate().issuer().to_der().unwrap_or_default();
        content_of(&name).is_some_and(|content| content == anchor.subject.as_ref())
    }

    /// The last second of the validity, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.0.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }

    /// The first second of the validity, in seconds since 1970.
    pub fn not_before(&self) -> u64 {
        self.0.tbs_certificate().validity().not_before.to_unix_duration().as_secs()
    }

    /// The size of the key in bits, if it is an RSA key.
    pub fn rsa_bits(&self) -> Option<usize> {
        let key = self.0.tbs_certificate().subject_public_key_info();
        RSA.contains(&key.algorithm.oid)
            .then(|| modulus_bits(key.subject_public_key.raw_bytes()).ok())?
    }

    /// The signature algorithm.
    pub fn signature_algorithm(&self) -> String {
        let oid = self.0.signature_algorithm().oid.to_string();
        SIGNATURES
            .iter()
            .find(|(known, _)| *known == oid)
            .map_or(oid, |(_, name)| (*name).to_owned())
    }

    /// Whether the signature algorithm is in general use today.
    pub fn is_signed_as_usual(&self) -> bool {
        USUAL.contains(&self.0.signature_algorithm().oid.to_string().as_str())
    }

    /// The content of the `AlgorithmIdentifier` of the public key; empty if it cannot be written.
    pub fn key_algorithm(&self) -> Vec<u8> {
        let algorithm = self.public_key().algorithm.to_der().unwrap_or_default();
        content_of(&algorithm).unwrap_or_default().to_vec()
    }

    /// The public key.
    pub fn public_key(&self) -> &SubjectPublicKeyInfoOwned {
        self.0.tbs_certificate().subject_public_key_info()
    }
}

/// The public key of a certificate as a `SubjectPublicKeyInfo` in DER; `None` if it cannot be read.
pub fn public_key_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Certificate::read(certificate)?.public_key().to_der().ok()
}

/// The size of an authority's key in bits, if it is an RSA key.
pub fn anchor_rsa_bits(anchor: &TrustAnchor<'_>) -> Option<usize> {
    let mut reader = SliceReader::new(anchor.subject_public_key_info.as_ref()).ok()?;
    let algorithm = AlgorithmIdentifierRef::decode(&mut reader).ok()?;
    let key = BitStringRef::decode(&mut reader).ok()?;
    RSA.contains(&algorithm.oid).then(|| modulus_bits(key.raw_bytes()).ok())?
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 §A.1.1).
fn modulus_bits(key: &[u8]) -> der::Result<usize> {
    SliceReader::new(key)?.sequence(|reader| {
        let modulus = UintRef::decode(reader)?.as_bytes();
        UintRef::decode(reader)?;
        let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok::<usize, der::Error>(8 * modulus.len() - zeros)
    })
}

fn server_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(shortened(name.as_str(), 255)),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The first `limit` characters, enough to recognise a name.
fn shortened(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// The subject of a certificate, its issuer, its validity and its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The common name of the subject, or else its whole name.
    pub subject: String,
    /// The issuer that the certificate names.
    pub issuer: String,
    /// The first second of the validity, in seconds since 1970.
    pub not_before: u64,
    /// The last second of the validity, in seconds since 1970.
    pub not_after: u64,
    /// The value for `--pin-sha256`.
    pub fingerprint: Fingerprint,
}

impl CertificateInfo {
    /// Parses a certificate in DER; `None` if it cannot be read.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::read(der)?;
        Some(Self {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            fingerprint: Fingerprint::of(der),
        })
    }
}

impl fmt::Display for CertificateInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, not_before, not_after, fingerprint } = self;
        let (from, until) = (Date(*not_before), Date(*not_after));
        write!(
            f,
            "subject {subject}, issuer {issuer}, valid {from} to {until}, SHA-256 {fingerprint}"
        )
    }
}

/// Seconds since 1970, displayed as a date: `2026-01-31`.
pub struct Date(pub u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // jiff's timestamps are not used here: "no end" is the last second of 9999 (RFC 5280
        // §4.1.2.5), which is more than they hold.
        let days = i64::try_from(self.0 / 86_400).unwrap_or(i64::MAX);
        let days = Span::new().try_days(days);
        match days.and_then(|days| date(1970, 1, 1).checked_add(days)) {
            Ok(date) => date.fmt(f),
            Err(_) => f.write_str("a day after 9999"),
        }
    }
}

/// The SHA-256 of a whole certificate in DER, in the format of `openssl x509 -fingerprint -sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let mut fingerprint = Self([0; 32]);
        fingerprint.0.copy_from_slice(digest(&SHA256, certificate).as_ref());
        fingerprint
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// Parses 64 hexadecimal digits; OpenSSL puts a colon between every two.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        HEXLOWER_PERMISSIVE
            .decode(&digits)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or("expected 64 hexadecimal digits, as openssl x509 -fingerprint -sha256 prints")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_printed() {
        // FIPS 180-4, the example "abc".
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(text.parse(), Ok(fingerprint));
        let pairs: Vec<&str> = (0..64).step_by(2).map(|at| &text[at..at + 2]).collect();
        assert_eq!(pairs.join(":").to_uppercase().parse(), Ok(fingerprint));
        for wrong in ["", "ab", &text[1..], &text.replace('b', "g"), &text.replace('b', "ß")] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_are_written_as_in_a_calendar() {
        for (seconds, written) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
            (253_402_300_800, "a day after 9999"),
            (u64::MAX, "a day after 9999"),
        ] {
            assert_eq!(Date(seconds).to_string(), written);
        }
    }
}
