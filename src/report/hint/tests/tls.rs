//! The hints of TLS: its failures, its settings and files, and certificates.

use super::*;

#[test]
fn failures_of_tls() {
    let certificate = "give one with --cert and --key";
    let table = vec![
        (TlsError::NotTls(OtherProtocol::Http), "try ws:// instead of wss://, or another port"),
        (TlsError::NotTls(OtherProtocol::Mqtt), "use the port of the broker's WebSocket listener"),
        (TlsError::NotTls(OtherProtocol::Other("x".to_owned())), "check the port"),
        (TlsError::Closed, "does the server speak TLS on this port?"),
        (
            TlsError::Reset,
            "does the server speak TLS on this port? it may also listen at another address, or be \
             overloaded",
        ),
        (TlsError::ClientCertificateRequired, certificate),
        (TlsError::ClientCertificateMissed, certificate),
        (
            TlsError::ClientCertificateRefused(Alert::UnknownCA),
            "does --cert hold the intermediate certificates, too?",
        ),
        (TlsError::ClientCertificateRefused(Alert::CertificateExpired), "use a new certificate"),
        (TlsError::ClientCertificateRefused(Alert::AccessDenied), ""),
        (
            TlsError::Alert(Alert::HandshakeFailure),
            "the server may require another TLS version or cipher, or a name (--sni), or have a \
             key other than RSA, P-256, P-384, Ed25519 or (in TLS 1.3) P-521",
        ),
        (
            TlsError::Alert(Alert::ProtocolVersion),
            "do not use --tls-version; TLS 1.1 and older are not supported",
        ),
        (TlsError::Alert(Alert::UnrecognisedName), "give a name that the server knows with --sni"),
        (
            TlsError::Alert(Alert::NoApplicationProtocol),
            "do not use --tls-alpn, or name a protocol that the server accepts",
        ),
        (TlsError::Alert(Alert::InternalError), ""),
        (
            TlsError::Incompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon),
            "the server's TLS needs an update, or --tls-version is wrong",
        ),
        (TlsError::Name("x".to_owned()), "give the server's name with --sni"),
        (
            TlsError::HandshakeTooLong,
            "the server should send only its certificate and the intermediate ones",
        ),
        (
            TlsError::Protocol(rustls::Error::HandshakeNotComplete),
            "is this the right port, and does nothing on the way interfere with TLS?",
        ),
    ];
    let failed = |error| client::Error::Transport(transport::Error::Tls(error));
    check(table.into_iter().map(|(error, hint)| (failed(error), hint)).collect());
}

#[test]
fn settings_of_tls() {
    let path = || PathBuf::from("file");
    let table = vec![
        (TlsSetupError::Swapped(path()), "are --cert and --key swapped?"),
        (
            TlsSetupError::Nothing(FilePurpose::Key, path()),
            "give the file of the private key with --key",
        ),
        (TlsSetupError::Nothing(FilePurpose::Certificate, path()), ""),
        (
            TlsSetupError::Binary(FilePurpose::Key, path()),
            "convert it: openssl pkey -inform DER, or openssl pkcs12",
        ),
        (
            TlsSetupError::Binary(FilePurpose::Authorities, path()),
            "convert it: openssl x509 -inform DER, or openssl pkcs12",
        ),
        (TlsSetupError::Encrypted(path()), "give its password with --key-password-file"),
        (
            TlsSetupError::EncryptedTheOldWay(path()),
            "convert it: openssl pkcs8 -topk8 -in KEY -out NEW",
        ),
        (
            TlsSetupError::UnsupportedEncryption(path()),
            "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW",
        ),
        (
            TlsSetupError::UnsupportedKey(path()),
            "RSA keys of 2048 to 8192 bits, P-256, P-384 and Ed25519 keys are supported",
        ),
        (
            TlsSetupError::ForeignKey { key: path(), certificate: path() },
            "give the key with which the certificate was requested",
        ),
        (TlsSetupError::NoSystemRoots(String::new()), "install ca-certificates, or give --cafile"),
        (TlsSetupError::WrongPassword(path()), ""),
    ];
    let setup = client::Error::TlsSetup;
    check(table.into_iter().map(|(error, hint)| (setup(error), hint)).collect());
}

#[test]
fn certificates_that_are_refused() {
    let (expected, authority, common_name) = (String::new(), None, None);
    let table = vec![
        (CertificateFault::UnknownIssuer(None), "give that authority's certificate with --cafile"),
        (
            CertificateFault::Expired { on: None, authority: None },
            "the server needs a new \
             certificate",
        ),
        (
            CertificateFault::NotYetValid { on: None, authority: None },
            "check the clock of this machine",
        ),
        (
            CertificateFault::WrongName { expected: expected.clone(), presented: Vec::new() },
            "connect to a name in the certificate, or give one with --sni",
        ),
        (
            CertificateFault::NoNames { expected, common_name },
            "issue a new certificate with a subjectAltName (the common name does not count), or use \
             --pin-sha256",
        ),
        (
            CertificateFault::Version1 { authority },
            "issue a new certificate with extensions (openssl x509 -req -extfile), or trust it with \
             --pin-sha256 over TLS 1.3 (in TLS 1.2 rustls checks no signature of such a certificate)",
        ),
        (
            CertificateFault::WeakKey { bits: 1024, authority: None },
            "issue a new certificate with a key of 2048 to 8192 bits",
        ),
        (CertificateFault::BadSignature { namesake: None }, "is the --cafile up to date?"),
        (
            CertificateFault::WeakSignature { algorithm: None },
            "issue a new certificate with SHA-256 and an RSA or P-256 key, or trust it with --pin-sha256",
        ),
        (
            CertificateFault::WrongPurpose,
            "issue a new certificate with extendedKeyUsage serverAuth",
        ),
        (
            CertificateFault::NotPinned(Fingerprint::of(b"x")),
            "if you trust the server's new certificate, pin that one",
        ),
        (CertificateFault::Revoked, ""),
    ];
    let refused =
        |fault| client::Error::Transport(transport::Error::Tls(TlsError::Certificate(fault)));
    check(table.into_iter().map(|(fault, hint)| (refused(fault), hint)).collect());
}
