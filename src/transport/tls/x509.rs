//! What stands in a certificate, read without judging it (RFC 5280). It must never be asked whether
//! a certificate is good: that is the TLS library's to say.

use rustls::pki_types::{CertificateDer, TrustAnchor};
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};

use super::super::words::printable;

/// `rsaEncryption` and `id-RSASSA-PSS` (RFC 8017).
const RSA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
];

/// Algorithms of signatures in the names under which OpenSSL prints them.
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
    ("1.2.840.10045.4.3.4", "SHA-512 with ECDSA"),
    ("1.2.840.10040.4.3", "SHA-1 with DSA"),
    ("2.16.840.1.101.3.4.3.2", "SHA-256 with DSA"),
    ("1.3.101.113", "Ed448"),
];

/// SHA-256, SHA-384 and SHA-512 with RSA, SHA-256 and SHA-384 with ECDSA, Ed25519.
const USUAL: [&str; 6] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.3.101.112",
];

/// A certificate that could be read.
#[derive(Debug)]
pub struct Certificate(CertificateInner<Raw>);

impl Certificate {
    /// Reads a certificate in DER; none if it is not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(Self)
    }

    /// Whether it is of version 3, the only one with extensions.
    pub fn is_version_3(&self) -> bool {
        self.0.tbs_certificate().version() == Version::V3
    }

    /// Whom it is of: its common name, or else its whole name, safe to print.
    pub fn subject(&self) -> String {
        printed(self.0.tbs_certificate().subject())
    }

    /// Who signed it, as it says itself.
    pub fn issuer(&self) -> String {
        printed(self.0.tbs_certificate().issuer())
    }

    /// The common name, which some take for the name of a server.
    pub fn common_name(&self) -> Option<String> {
        common_name(self.0.tbs_certificate().subject())
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_signed(&self) -> bool {
        self.0.tbs_certificate().issuer() == self.0.tbs_certificate().subject()
    }

    /// Whether `issuer` is of the name that has signed it.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        self.0.tbs_certificate().issuer() == issuer.0.tbs_certificate().subject()
    }

    /// Whether `anchor` is of the name that has signed it.
    pub fn names_anchor(&self, anchor: &TrustAnchor<'_>) -> bool {
        // An anchor holds the name without its outermost tag and length.
        let name = self.0.tbs_certificate().issuer().to_der().unwrap_or_default();
        content_of(&name).is_some_and(|content| content == anchor.subject.as_ref())
    }

    /// The last second of its validity, since 1970.
    pub fn not_after(&self) -> u64 {
        self.0.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }

    /// The first second of its validity, since 1970.
    pub fn not_before(&self) -> u64 {
        self.0.tbs_certificate().validity().not_before.to_unix_duration().as_secs()
    }

    /// The size of its key in bits, if it is an RSA key.
    pub fn rsa_bits(&self) -> Option<usize> {
        let key = self.0.tbs_certificate().subject_public_key_info();
        RSA.contains(&key.algorithm.oid)
            .then(|| modulus_bits(key.subject_public_key.raw_bytes()).ok())?
    }

    /// How it was signed.
    pub fn signature_algorithm(&self) -> String {
        let oid = self.0.signature_algorithm().oid.to_string();
        SIGNATURES
            .iter()
            .find(|(known, _)| *known == oid)
            .map_or(oid, |(_, name)| (*name).to_owned())
    }

    /// Whether it was signed in a way that is in general use today.
    pub fn is_signed_as_usual(&self) -> bool {
        USUAL.contains(&self.0.signature_algorithm().oid.to_string().as_str())
    }

    /// Its public key.
    pub fn public_key(&self) -> &SubjectPublicKeyInfoOwned {
        self.0.tbs_certificate().subject_public_key_info()
    }
}

/// The public key of a certificate as a `SubjectPublicKeyInfo` in DER; none if it cannot be read.
pub fn public_key_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Certificate::read(certificate)?.public_key().to_der().ok()
}

/// The size of the key of an authority in bits, if it is an RSA key.
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

fn content_of(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    let header = der::Header::decode(&mut reader).ok()?;
    reader.read_slice(header.length()).ok()
}

fn common_name(name: &Name) -> Option<String> {
    let common_name = name.common_name().ok().flatten()?;
    let printable = printable(&common_name.value(), 100);
    (!printable.is_empty()).then_some(printable)
}

fn printed(name: &Name) -> String {
    match common_name(name) {
        Some(name) => format!("CN={name}"),
        None if name.is_empty() => "no name".into(),
        None => printable(&name.to_string(), 200),
    }
}
