//! Hints for failures of TLS.

use super::certificate;
use crate::transport::tls::{Alert, FilePurpose, OtherProtocol, TlsError, TlsSetupError};

/// The hint of a failure of TLS.
pub(super) fn hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Certificate(fault) => certificate::hint(fault),
        TlsError::NotTls(OtherProtocol::Http) => {
            Some("try ws:// instead of wss://, or another port")
        }
        TlsError::NotTls(OtherProtocol::Mqtt) => {
            Some("use the port of the broker's WebSocket listener")
        }
        TlsError::NotTls(OtherProtocol::Other(_)) => Some("check the port"),
        TlsError::Closed => Some("does the server speak TLS on this port?"),
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
        TlsSetupError::Binary(FilePurpose::Key, _) => {
            Some("convert it: openssl pkey -inform DER, or openssl pkcs12")
        }
        TlsSetupError::Binary(..) => {
            Some("convert it: openssl x509 -inform DER, or openssl pkcs12")
        }
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
