//! Hints for failures of TLS.

use super::certificate;
use super::server::{NO_SERVER_NAME, Server};
use crate::transport::tls::{Alert, FilePurpose, OtherProtocol, TlsError, TlsSetupError};

/// The hint of a failure of TLS.
pub(super) fn hint(error: &TlsError, server: Server<'_>) -> Option<&'static str> {
    match error {
        TlsError::Closed | TlsError::Reset if server.port_hint().is_some() => {
            return server.port_hint();
        }
        error if server.lacks_name() => nameless_hint(error),
        _ => None,
    }
    .or_else(|| plain_hint(error))
}

/// The hint where no server name was sent, because the host is an address.
fn nameless_hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Closed | TlsError::Reset => Some(
            "does the server speak TLS on this port? no server name was sent, because the host is \
             an address: --sni gives one",
        ),
        TlsError::Alert(Alert::HandshakeFailure) => Some(
            "no server name was sent, because the host is an address: give the server's name with \
             --sni; or the server requires another TLS version or cipher, or has a key other than \
             RSA, P-256, P-384, Ed25519 or (in TLS 1.3) P-521",
        ),
        TlsError::Alert(alert) if may_lack_name(*alert) => Some(NO_SERVER_NAME),
        _ => None,
    }
}

/// The hint whatever the address is.
fn plain_hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Certificate(fault) => certificate::hint(fault),
        TlsError::NotTls(protocol) => Some(protocol_hint(protocol)),
        TlsError::Closed => Some("does the server speak TLS on this port?"),
        TlsError::Reset => Some(
            "does the server speak TLS on this port? it may also listen at another address, or be \
             overloaded",
        ),
        TlsError::ClientCertificateRequired | TlsError::ClientCertificateMissed => {
            Some("give one with --cert and --key")
        }
        TlsError::ClientCertificateRefused(alert) => refusal_hint(*alert),
        TlsError::Alert(alert) => alert_hint(*alert),
        TlsError::Incompatible(_) => {
            Some("the server's TLS needs an update, or --tls-version is wrong")
        }
        TlsError::Name(_) => Some("give the server's name with --sni"),
        TlsError::HandshakeTooLong => {
            Some("the server should send only its certificate and the intermediate ones")
        }
        TlsError::Protocol(_) => {
            Some("is this the right port, and does nothing on the way interfere with TLS?")
        }
    }
}

fn protocol_hint(protocol: &OtherProtocol) -> &'static str {
    match protocol {
        OtherProtocol::Http => "try ws:// instead of wss://, or another port",
        OtherProtocol::Mqtt => "use the port of the broker's WebSocket listener",
        OtherProtocol::Other(_) => "check the port",
    }
}

/// Whether servers send this alert where they do not know which of their names is meant.
fn may_lack_name(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::UnrecognisedName
            | Alert::InternalError
            | Alert::AccessDenied
    )
}

fn refusal_hint(alert: Alert) -> Option<&'static str> {
    match alert {
        Alert::UnknownCA => Some("does --cert hold the intermediate certificates, too?"),
        Alert::CertificateExpired => Some("use a new certificate"),
        _ => None,
    }
}

fn alert_hint(alert: Alert) -> Option<&'static str> {
    match alert {
        Alert::HandshakeFailure => Some(
            "the server may require another TLS version or cipher, or a name (--sni), or have a \
             key other than RSA, P-256, P-384, Ed25519 or (in TLS 1.3) P-521",
        ),
        Alert::ProtocolVersion => Some(
            "do not use --tls-version; TLS 1.1 and older are not \
             supported",
        ),
        Alert::UnrecognisedName => Some("give a name that the server knows with --sni"),
        Alert::NoApplicationProtocol => {
            Some("do not use --tls-alpn, or name a protocol that the server accepts")
        }
        _ => None,
    }
}

/// The hint of a mistake in the TLS settings or files of this machine.
pub(super) fn setup_hint(error: &TlsSetupError) -> Option<&'static str> {
    match error {
        TlsSetupError::Swapped(_) => Some("are --cert and --key swapped?"),
        TlsSetupError::Nothing(FilePurpose::Key, _) => {
            Some("give the file of the private key with --key")
        }
        TlsSetupError::OtherSection(.., label) if label == "TRUSTED CERTIFICATE" => {
            Some("that form is OpenSSL's own; convert it: openssl x509 -in FILE -out NEW")
        }
        TlsSetupError::Binary(purpose, _) => Some(match purpose {
            FilePurpose::Key => "convert it: openssl pkey -inform DER, or openssl pkcs12",
            _ => "convert it: openssl x509 -inform DER, or openssl pkcs12",
        }),
        TlsSetupError::Encrypted(_) => Some("give its password with --key-password-file"),
        TlsSetupError::EncryptedTheOldWay(_) => {
            Some("convert it: openssl pkcs8 -topk8 -in KEY -out NEW")
        }
        TlsSetupError::UnsupportedEncryption(_) => {
            Some("convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW")
        }
        TlsSetupError::UnsupportedKey(_) => {
            Some("RSA keys of 2048 to 8192 bits, P-256, P-384 and Ed25519 keys are supported")
        }
        TlsSetupError::ForeignKey { .. } => {
            Some("give the key with which the certificate was requested")
        }
        TlsSetupError::NoSystemRoots(_) => Some("install ca-certificates, or give --cafile"),
        _ => None,
    }
}
