//! What to do next, where that is not obvious from the cause.

use std::io;

use crate::client::{self, Step};
use crate::transport::dial::DialError;
use crate::transport::tls::{CertificateFault, TlsError};
use crate::transport::upgrade::{Fault, Foreign, UpgradeError};
use crate::transport::{self, Phase};

/// The hint of an error, if there is one.
pub fn of(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| cause.downcast_ref::<client::Error>()).and_then(client_hint)
}

fn client_hint(error: &client::Error) -> Option<&'static str> {
    use client::Error;
    match error {
        Error::Unreached(error) => dial_hint(error),
        Error::Transport(error) => transport_hint(error),
        Error::ConnectTimedOut { step: Step::Transport(Phase::Upgrade), .. } => {
            Some("does a WebSocket server listen there? a raw MQTT or TLS port waits in silence")
        }
        Error::ConnectTimedOut { step: Step::ConnAck, .. } => {
            Some("the WebSocket is open but no MQTT broker answers behind it; try another --path or -V")
        }
        Error::Refused { connack, .. } if matches!(connack.code.0, 4 | 5 | 0x86 | 0x87) => {
            Some("check -u and -P")
        }
        Error::Refused { connack, .. } if matches!(connack.code.0, 2 | 0x85) => {
            Some("choose another id with -i")
        }
        Error::Refused { connack, .. } if matches!(connack.code.0, 1 | 0x84) => {
            Some("try another version with -V")
        }
        Error::RefusedSilently(_) => {
            Some("some brokers refuse credentials, a client id or a version this way: check -u, -P, -i, -V")
        }
        Error::Disconnected(disconnect) if disconnect.code.0 == 0x8e => {
            Some("another client uses the same id: choose another with -i")
        }
        _ => None,
    }
}

fn dial_hint(error: &DialError) -> Option<&'static str> {
    match error {
        DialError::Lookup { .. } => Some("check the host name"),
        DialError::Connect { attempts, .. } => attempts
            .iter()
            .all(|attempt| attempt.error.kind() == io::ErrorKind::ConnectionRefused)
            .then_some("nothing listens at this port: check it, or start `mqttws serve`"),
    }
}

fn transport_hint(error: &transport::Error) -> Option<&'static str> {
    match error {
        transport::Error::Tls(error) => tls_hint(error),
        transport::Error::Upgrade(error) => upgrade_hint(error),
        _ => None,
    }
}

fn tls_hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Certificate(fault) => certificate_hint(fault),
        TlsError::NotTls { .. } => Some("try ws:// instead of wss://, or another port"),
        TlsError::Closed => Some("does the server speak TLS on this port?"),
        _ => None,
    }
}

fn certificate_hint(fault: &CertificateFault) -> Option<&'static str> {
    match fault {
        CertificateFault::UnknownIssuer => Some("give the authority that signed it with --cafile"),
        CertificateFault::Expired(_) => Some("the server needs a new one"),
        CertificateFault::NotYetValid(_) => Some("check the clock of this machine"),
        CertificateFault::WrongName { .. } => Some("connect to a name that the certificate has"),
        CertificateFault::NoNames { .. } => {
            Some("make it anew with a subjectAltName: the common name does not count")
        }
        CertificateFault::CaAsServer => Some("let this authority sign a certificate of the server's own"),
        CertificateFault::Version1 => Some("make it anew with extensions (openssl x509 -req -extfile)"),
        CertificateFault::BadSignature => {
            Some("is the --cafile up to date? else the certificate needs a key of at least 2048 bits")
        }
        CertificateFault::WeakSignature => Some("make it anew with SHA-256"),
        _ => None,
    }
}

fn upgrade_hint(error: &UpgradeError) -> Option<&'static str> {
    match error {
        UpgradeError::Closed => {
            Some("most often a wrong --subprotocol, or a port that does not speak WebSocket")
        }
        UpgradeError::NotHttp(Foreign::Mqtt) => Some("use the port of the broker's WebSocket listener"),
        UpgradeError::NotHttp(Foreign::Tls) => Some("try wss:// instead of ws://"),
        UpgradeError::NotHttp(_) => Some("check the port"),
        UpgradeError::Status(refusal) => status_hint(refusal.status),
        UpgradeError::Fault(Fault::Subprotocol { .. }) => Some("try another --subprotocol"),
        _ => None,
    }
}

fn status_hint(status: u16) -> Option<&'static str> {
    match status {
        200 => Some("an ordinary web page answered: check path and port"),
        300..=399 => Some("connect to where it points"),
        400 => Some("the path, the --subprotocol or a proxy that drops the Upgrade header"),
        401 | 403 => Some("the server wants credentials, or refuses these"),
        404 => Some("no WebSocket at this path: try /mqtt, /ws or /"),
        426 => Some("a proxy on the way may drop the Upgrade header"),
        502..=504 => Some("the proxy does not reach the broker"),
        _ => None,
    }
}
