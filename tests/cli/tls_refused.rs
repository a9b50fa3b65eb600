//! `wss://`: for each reason to refuse a certificate, the error line and the remedy in it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme};

use crate::support::certificates::{Authority, Certificate, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::secure::{Server, fails, fixed, fixed_path, publish, shunned};

/// A new authority, the folder of its certificate, and the path to give to `--cafile`.
fn trusted() -> (Authority, Folder, String) {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    (authority, folder, file)
}

/// Checks the line with which a certificate of a trusted authority is refused.
fn refuses(certificate: impl FnOnce(&Authority) -> Certificate, words: &str) {
    let (authority, _folder, file) = trusted();
    let broker = Server::showing(&certificate(&authority)).shunned();
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
}

/// Checks the line with which a certificate of `tests/cli/certificates` is refused, although its
/// authority is trusted.
fn refuses_fixed(name: &str, authority: &str, words: &str) {
    let broker = Server::fixed(name).shunned();
    fails(&publish(&broker, &["--cafile", &fixed_path(authority)]).run(), 4, words);
}

#[test]
fn expired() {
    refuses(
        |authority| authority.certify(&["127.0.0.1"], 2020),
        "certificate expired on 2020-01-01; the server needs a new certificate",
    );
}

#[test]
fn not_yet_valid() {
    refuses(
        |authority| {
            authority.certify_with(&["127.0.0.1"], |params| {
                params.not_before = date_time_ymd(2150, 2, 28);
            })
        },
        "certificate not valid before 2150-02-28; check the clock of this machine",
    );
}

#[test]
fn another_name() {
    refuses(
        |authority| authority.certify(&["elsewhere.example", "10.0.0.1"], FAR_AWAY),
        "certificate not valid for 127.0.0.1, only for elsewhere.example, 10.0.0.1; connect to a \
         name in the certificate, or give one with --sni",
    );
}

#[test]
fn names_that_cannot_be_server_names() {
    let with = |name: rcgen::SanType| {
        move |authority: &Authority| {
            authority.certify_with(&[], |params| params.subject_alt_names.push(name))
        }
    };
    refuses(
        with(rcgen::SanType::DnsName("127.0.0.1".try_into().unwrap())),
        "certificate not valid for 127.0.0.1: it holds this address as a DNS name, not as an \
         address; *",
    );
    refuses(
        with(rcgen::SanType::Rfc822Name("ann@lab.example".try_into().unwrap())),
        "certificate not valid for 127.0.0.1: it holds no name (no subjectAltName, only the \
         common name *); *",
    );
}

#[test]
fn many_other_names() {
    let names: Vec<String> = (1..=100).map(|number| format!("{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    refuses(
        |authority| authority.certify(&names, FAR_AWAY),
        "certificate not valid for 127.0.0.1, only for 1.example, 2.example, *, 8.example and 92 \
         more; *",
    );
}

#[test]
fn a_common_name_alone_does_not_count() {
    refuses(
        |authority| {
            authority.certify_with(&[], |params| {
                params.distinguished_name.push(rcgen::DnType::CommonName, "127.0.0.1");
            })
        },
        "certificate not valid for 127.0.0.1: it holds no name (no subjectAltName, only the \
         common name \
         127.0.0.1); issue a new certificate with a subjectAltName (the common name does not \
         count), or use --pin-sha256",
    );
}

#[test]
fn an_unknown_authority() {
    let certificate = Authority::named("Some authority").certify(&["127.0.0.1"], FAR_AWAY);
    let pin = fingerprint(&certificate);
    let issue = "certificate signed by an unknown authority (CN=Some authority)";
    let advice = format!(
        "give that authority's certificate with --cafile, or trust it with --pin-sha256 {pin}"
    );
    let broker = Server::showing(&certificate).shunned();
    fails(&publish(&broker, &[]).run(), 4, &format!("{issue}; {advice}"));

    let (_authority, folder, file) = trusted();
    let folder = folder.path().display().to_string();
    let [file, folder] = [["--cafile", &file], ["--capath", &folder]];
    for (flags, missing) in [
        (file.to_vec(), "the file you gave with --cafile does not hold"),
        (folder.to_vec(), "the folder you gave with --capath does not hold"),
        (
            [file, folder].concat(),
            "the file and the folder you gave with --cafile and --capath do not hold",
        ),
    ] {
        let broker = Server::showing(&certificate).shunned();
        let words = format!("{issue}; {missing} its issuer CN=Some authority: {advice}");
        fails(&publish(&broker, &flags).run(), 4, &words);
    }
}

#[test]
fn another_authority_of_the_same_name() {
    let folder = Folder::new();
    let file = folder.write("ca.pem", Authority::named("Namesake").pem());
    let certificate = Authority::named("Namesake").certify(&["127.0.0.1"], FAR_AWAY);
    let broker = Server::showing(&certificate).shunned();
    let words = "certificate signed by another authority with the name CN=Namesake of a trusted \
                 one; is the \
         --cafile up to date?";
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
}

/// A self-signed certificate.
fn self_signed(is_ca: IsCa) -> Certificate {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Alone");
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    Certificate { certificate: params.self_signed(&key).unwrap(), key }
}

/// The SHA-256 of a certificate.
fn fingerprint(certificate: &Certificate) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate.certificate.der());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

/// Three self-signed certificates; `openssl req -x509` makes one with `CA:TRUE`.
fn alone() -> [Certificate; 3] {
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    [self_signed(IsCa::ExplicitNoCa), self_signed(IsCa::NoCa), self_signed(authority)]
}

#[test]
fn self_signed_and_unknown() {
    let (_authority, _folder, file) = trusted();
    for certificate in alone() {
        let advice = format!(
            "if it is the right certificate, give it with --cafile, or trust it with \
             --pin-sha256 {}",
            fingerprint(&certificate)
        );
        let words = format!("certificate is self-signed (CN=Alone); {advice}");
        let broker = Server::showing(&certificate).shunned();
        fails(&publish(&broker, &[]).run(), 4, &words);
        let words = format!(
            "certificate is self-signed (CN=Alone); the file you gave with --cafile does not \
             hold \
             its issuer CN=Alone: {advice}"
        );
        let broker = Server::showing(&certificate).shunned();
        fails(&publish(&broker, &["--cafile", &file]).run(), 4, &words);
        let broker = Server::showing(&certificate).good();
        publish(&broker, &["--pin-sha256", &fingerprint(&certificate)]).run().expect(0, "", "");
    }
}

#[test]
fn a_certificate_that_was_given_is_trusted_byte_for_byte() {
    for certificate in alone() {
        let folder = Folder::new();
        let file = folder.write("server.pem", certificate.certificate.pem());
        let folder = folder.path().display().to_string();
        for flags in [["--cafile", &file], ["--capath", &folder]] {
            publish(&Server::showing(&certificate).good(), &flags).run().expect(0, "", "");
        }
        let broker = Server::showing(&certificate).good();
        publish(&broker, &["--system-roots"]).env("SSL_CERT_FILE", &file).run().expect(0, "", "");
        // A certificate with the same name and another key is refused.
        let broker = Server::showing(&self_signed(IsCa::NoCa)).shunned();
        let words = "certificate * *";
        fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
    }
    // The server certificate is issued by an authority; `--cafile` holds the certificate itself.
    let certificate = Authority::named("Nobody").certify(&["127.0.0.1"], FAR_AWAY);
    let folder = Folder::new();
    let file = folder.write("server.pem", certificate.certificate.pem());
    publish(&Server::showing(&certificate).good(), &["--cafile", &file]).run().expect(0, "", "");
}

#[test]
fn a_certificate_that_was_given_still_needs_the_name_and_valid_dates() {
    let authority = Authority::named("Nobody");
    let of = |names: &[&str], from, until| {
        authority.certify_with(names, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
        })
    };
    for (certificate, words) in [
        (
            of(&["other.example"], 2000, FAR_AWAY),
            "certificate not valid for 127.0.0.1, only for other.example; connect to a name in \
             the certificate, or give one with --sni",
        ),
        (
            of(&["127.0.0.1"], 2000, 2021),
            "certificate expired on 2021-01-01; the server needs a new certificate",
        ),
        (
            of(&["127.0.0.1"], 2199, FAR_AWAY),
            "certificate not valid before 2199-01-01; check the clock of this machine",
        ),
    ] {
        let folder = Folder::new();
        let file = folder.write("server.pem", certificate.certificate.pem());
        let broker = Server::showing(&certificate).shunned();
        fails(&publish(&broker, &["--cafile", &file]).run(), 4, words);
    }
}

#[test]
fn an_authority_used_as_a_server() {
    let authority = Authority::named("Root");
    let certificate = authority.certify_with(&["127.0.0.1"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let folder = Folder::new();
    let file = folder.write("ca.pem", authority.pem());
    let broker = Server::showing(&certificate).shunned();
    let words = format!(
        "the server uses a certificate authority's certificate as its own; *let this authority \
         sign \
         a certificate for the server, or give this certificate with --cafile, or trust it with \
         --pin-sha256 {}",
        fingerprint(&certificate)
    );
    fails(&publish(&broker, &["--cafile", &file]).run(), 4, &words);
}

#[test]
fn a_certificate_is_logged_before_it_is_judged() {
    let certificate = self_signed(IsCa::NoCa);
    let broker = Server::showing(&certificate).shunned();
    let outcome = publish(&broker, &["-dd"]).run();
    let line = "* certificate: subject CN=Alone, issuer CN=Alone, valid ";
    let pin = format!(", SHA-256 {}\n", fingerprint(&certificate));
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        outcome.code() == Some(4) && stderr.contains(line) && stderr.contains(&pin),
        "{outcome}"
    );
}

/// A server that sends its certificate and that of an intermediate authority, and the path of the
/// trusted authority's file.
fn chained(change: impl FnOnce(&mut CertificateParams)) -> (Server, Folder, String) {
    let (root, folder, file) = trusted();
    let mut issuer = CertificateParams::default();
    let between = root.certify_with(&[], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority between");
        change(params);
        issuer = params.clone();
    });
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = date_time_ymd(FAR_AWAY, 1, 1);
    let own = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&own, &Issuer::from_params(&issuer, &between.key)).unwrap();
    let chain = vec![certificate.der().clone(), between.certificate.der().clone()];
    (Server::of(chain, own.serialize_der().try_into().unwrap()), folder, file)
}

#[test]
fn a_valid_intermediate_authority() {
    let (server, _folder, file) = chained(|_| ());
    publish(&server.good(), &["--cafile", &file]).run().expect(0, "", "");
}

#[test]
fn an_expired_intermediate_authority() {
    let (server, _folder, file) = chained(|params| params.not_after = date_time_ymd(2021, 6, 1));
    let words = "certificate of the authority CN=Authority between expired on 2021-06-01; the \
                 server needs a new certificate";
    fails(&publish(&server.shunned(), &["--cafile", &file]).run(), 4, words);
}

#[test]
fn an_unknown_issuer_of_an_intermediate_authority() {
    let (server, _folder, _file) = chained(|_| ());
    let words = "certificate signed by an unknown authority (CN=Test authority *); give that \
                 authority's certificate with --cafile, or trust it with --pin-sha256 *";
    fails(&publish(&server.shunned(), &[]).run(), 4, words);
}

#[test]
fn made_for_clients() {
    refuses(
        |authority| {
            authority.certify_with(&["127.0.0.1"], |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            })
        },
        "certificate was not made for servers; issue a new certificate with extendedKeyUsage \
         serverAuth",
    );
}

#[test]
fn x509_version_1() {
    let words = "certificate is X.509 version 1, which has no extensions; issue a new \
                 certificate with extensions \
         (openssl x509 -req -extfile), or trust it with --pin-sha256 over TLS 1.3 (in TLS 1.2 \
         rustls checks no \
         signature of such a certificate)";
    refuses_fixed("version-1", "authority.pem", words);
}

#[test]
fn signed_with_sha_1() {
    let words = "certificate is signed with SHA-1 with ECDSA, which is not accepted; issue a new \
                 certificate with SHA-256 \
         and an RSA or P-256 key, or trust it with --pin-sha256";
    refuses_fixed("sha-1", "authority.pem", words);
}

#[test]
fn signed_by_a_weak_key() {
    let words = "certificate of the authority CN=Weak authority has an RSA key of 1024 bits; \
                 issue a new certificate with \
         a key of 2048 to 8192 bits";
    refuses_fixed("weakly-signed", "weak-authority.pem", words);
}

#[test]
fn signed_by_a_key_of_a_kind_that_is_not_supported() {
    let words = "certificate of the authority CN=Authority brainpoolP256r1 has a key of the kind \
         brainpoolP256r1, which is not supported; let an authority with an RSA, P-256, P-384, \
         P-521 or Ed25519 key \
         sign it, or trust it with --pin-sha256";
    refuses_fixed("by-brainpoolP256r1", "authority-brainpoolP256r1.pem", words);
}

/// A server with an RSA key of 1024 bits. Its signatures are invalid: the client refuses the key
/// before it checks one.
#[derive(Debug, Clone)]
struct WeakKey(Arc<Vec<CertificateDer<'static>>>);

impl SigningKey for WeakKey {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for WeakKey {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![7; 128])
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

impl ResolvesServerCert for WeakKey {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::new(CertifiedKey::new(self.0.to_vec(), Arc::new(self.clone()))))
    }
}

#[test]
fn a_weak_key() {
    let chain = vec![CertificateDer::from_pem_file(fixed("weak-key.pem")).unwrap()];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(WeakKey(Arc::new(chain))));
    let broker = shunned(config);
    let words = "certificate has an RSA key of 1024 bits; issue a new certificate with a key of \
                 2048 to 8192 bits";
    fails(&publish(&broker, &["--cafile", &fixed_path("authority.pem")]).run(), 4, words);
}
