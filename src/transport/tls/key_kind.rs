//! The kinds of public keys, named for the user where they are not supported.

use rustls::pki_types::TrustAnchor;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Header, Reader, SliceReader};

/// `rsaEncryption`, `id-Ed25519`.
const SUPPORTED: [&str; 2] = ["1.2.840.113549.1.1.1", "1.3.101.112"];

/// `id-ecPublicKey`, whose parameter is the curve.
const ELLIPTIC: &str = "1.2.840.10045.2.1";

/// P-256, P-384 and P-521.
const CURVES: [&str; 3] = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

/// Other algorithms and curves, with the names that OpenSSL prints.
const NAMES: [(&str, &str); 12] = [
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.113", "Ed448"),
    ("1.2.156.10197.1.301", "SM2"),
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    (ELLIPTIC, "EC with a curve of its own"),
];

/// The name of a kind of key; `None` if it is supported. `algorithm` is the content of an
/// `AlgorithmIdentifier` (RFC 5280 §4.1.1.2).
pub fn unsupported_key(algorithm: &[u8]) -> Option<String> {
    let mut reader = SliceReader::new(algorithm).ok()?;
    let mut next = || -> Option<ObjectIdentifier> { Decode::decode(&mut reader).ok() };
    let kind = next()?.to_string();
    let curve = next().map(|curve| curve.to_string());
    let oid = match curve {
        Some(curve) if kind == ELLIPTIC => curve,
        _ => kind,
    };
    if SUPPORTED.contains(&oid.as_str()) || CURVES.contains(&oid.as_str()) {
        return None;
    }
    let name = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| (*name).to_owned());
    Some(name.unwrap_or(oid))
}

/// The content of the `AlgorithmIdentifier` of an authority's key; empty if it cannot be read.
pub fn anchor_key_algorithm<'a>(anchor: &'a TrustAnchor<'_>) -> &'a [u8] {
    // An anchor holds the key without its outermost tag and length.
    content_of(anchor.subject_public_key_info.as_ref()).unwrap_or_default()
}

/// The content of the first value in some DER.
pub fn content_of(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    reader.read_slice(header.length()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::alg_id;

    #[test]
    fn keys_that_are_not_supported_have_a_name() {
        for supported in [
            alg_id::ECDSA_P256,
            alg_id::ECDSA_P384,
            alg_id::ECDSA_P521,
            alg_id::ED25519,
            alg_id::RSA_ENCRYPTION,
        ] {
            assert_eq!(unsupported_key(supported.as_ref()), None);
        }
        let rows: [(&[u8], Option<&str>); 5] = [
            (alg_id::ECDSA_P256K1.as_ref(), Some("secp256k1")),
            (b"\x06\x03\x2b\x65\x71", Some("Ed448")),
            (b"\x06\x03\x2a\x03\x04", Some("1.2.3.4")),
            (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x30\x00", Some("EC with a curve of its own")),
            (b"\x06", None),
        ];
        for (algorithm, name) in rows {
            assert_eq!(unsupported_key(algorithm).as_deref(), name, "{}", algorithm.escape_ascii());
        }
    }
}
