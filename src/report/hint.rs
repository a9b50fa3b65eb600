//! What to do next, where that is not obvious from the cause.

use std::borrow::Cow;
use std::io;

use rustix::io::Errno;

use crate::client::{self, Step};
use crate::transport::dial::{Attempt, DialError};
use crate::transport::proxy::{ProxyError, SocksFault};
use crate::transport::tls::{Alert, CertificateFault, Plain, Purpose, TlsError, TlsSetupError};
use crate::transport::{self, Phase};
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::{BadUpgrade, HttpResponse, NotHttp, UpgradeError};

/// The hint of an error, if there is one.
pub fn of(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    let error = error.chain().find_map(|cause| cause.downcast_ref::<client::Error>())?.root();
    match error {
        client::Error::Transport(transport::Error::Upgrade(UpgradeError::Status(refusal)))
            if refusal.status == 404 =>
        {
            Some(Cow::Owned(path_hint(&refusal.target)))
        }
        client::Error::Refused { needed_by: Some(flag), connack, .. }
            if matches!(connack.code.0, 0x01 | 0x84) =>
        {
            Some(Cow::Owned(version_5_hint(flag)))
        }
        client::Error::Repeated { number: Some(number), .. } => Some(Cow::Owned(format!(
            "{REPEATED}: correct the message, or go on with number {}",
            number + 1
        ))),
        error => client_hint(error).map(Cow::Borrowed),
    }
}

/// A server that does not take a message rarely says why.
const REPEATED: &str = "it may forbid its topic, QoS, retain flag or size";

/// What was asked for needs MQTT 5, so another version is no help.
fn version_5_hint(flag: &str) -> String {
    match flag {
        client::LONELY_PASSWORD => format!("{flag} needs MQTT 5: give one with -u"),
        flag => format!("{flag} needs MQTT 5: leave it out, or use a broker that speaks MQTT 5"),
    }
}

/// The paths that brokers use and that were not asked for.
fn path_hint(target: &str) -> String {
    let asked = target.split('?').next().unwrap_or_default();
    let others: Vec<&str> =
        ["/mqtt", "/ws", "/"].into_iter().filter(|path| *path != asked).collect();
    let (last, others) = others.split_last().unwrap_or((&"/", &[]));
    format!("no WebSocket at this path: try {} or {last}", others.join(", "))
}

fn client_hint(error: &client::Error) -> Option<&'static str> {
    use client::Error;
    match error {
        Error::Unreached(error) => dial_hint(error),
        Error::Transport(error) => transport_hint(error),
        Error::TlsSetup(error) => setup_hint(error),
        Error::ConnectTimedOut { step: Step::Transport(Phase::Tls), .. } => {
            Some("does the server speak TLS on this port?")
        }
        Error::ConnectTimedOut {
            step: Step::Transport(Phase::Upgrade), tried: Some(_), ..
        } => Some(
            "the server, or a proxy on the way, is stuck: try again, or a longer --connect-timeout",
        ),
        Error::ConnectTimedOut { step: Step::Transport(Phase::Upgrade), .. } => Some(
            "does a WebSocket server listen there, at this path? a raw MQTT or TLS port waits in silence, \
             and so do some brokers at another path than theirs",
        ),
        Error::Repeated { .. } => Some(REPEATED),
        Error::ConnectTimedOut { step: Step::ConnAck | Step::ConnAckTo(_), .. } => Some(
            "the WebSocket is open but no MQTT broker answers behind it; try another --path or -V",
        ),
        Error::Refused { connack, .. } if matches!(connack.code.0, 4 | 5 | 0x86 | 0x87) => {
            Some("check -u and -P")
        }
        Error::Refused { connack, .. } if matches!(connack.code.0, 2 | 0x85) => {
            Some("choose another id with -i")
        }
        Error::Refused { connack, .. } if matches!(connack.code.0, 1 | 0x84) => {
            Some("try another version with -V")
        }
        Error::Refused { connack, .. } => refused_hint(connack.code.0),
        Error::RefusedSilently(_) => Some(
            "some brokers refuse credentials, a client id or a version this way: check -u, -P, -i, -V",
        ),
        Error::Disconnected(disconnect) => disconnected_hint(disconnect.code.0),
        Error::NotMqtt(_) => Some("try another path, such as /mqtt"),
        Error::Lost(transport::Error::WebSocket(error)) => close_hint(error),
        _ => None,
    }
}

fn refused_hint(code: u8) -> Option<&'static str> {
    match code {
        0x03 | 0x88 | 0x89 | 0x97 | 0x9f => Some("try again later, or with --wait"),
        0x8c => Some("choose another --auth-method"),
        0x9c | 0x9d => Some("connect to the one that it names, or ask who runs it"),
        _ => None,
    }
}

fn disconnected_hint(code: u8) -> Option<&'static str> {
    match code {
        0x87 => Some("the broker's rules forbid it to this user or client id"),
        0x8d => Some("it heard nothing for too long: a shorter -k may help"),
        0x8e => Some("another client uses the same id: choose another with -i"),
        0x95 => Some("send smaller messages, or raise the broker's limit"),
        0x96 => Some("send fewer messages a second: --rate"),
        0x9c | 0x9d => refused_hint(code),
        _ => None,
    }
}

fn close_hint(error: &WebSocketError) -> Option<&'static str> {
    match error {
        WebSocketError::Closed { code: Some(1008), .. } => {
            Some("it goes against the server's rules: check credentials and permissions")
        }
        WebSocketError::Closed { code: Some(1009), .. } => Some(
            "the broker, or a proxy before it, takes no messages as large as this one: send smaller ones, \
             and leave --frame-per-packet out",
        ),
        WebSocketError::Closed { code: Some(1012..=1014), .. } => Some("try again later"),
        WebSocketError::TooLarge { .. } => Some("raise --max-message-size"),
        _ => None,
    }
}

fn dial_hint(error: &DialError) -> Option<&'static str> {
    match error {
        DialError::Lookup { .. } => Some("check the host name"),
        DialError::Connect { attempts, .. } => {
            let is_refused =
                |attempt: &Attempt| attempt.error.kind() == io::ErrorKind::ConnectionRefused;
            let is_closed =
                attempts.iter().all(|attempt| is_refused(attempt) || lacks_family(&attempt.error))
                    && attempts.iter().any(is_refused);
            is_closed.then_some("nothing listens at this port: check it, or start `mqttws serve`")
        }
        DialError::Unix { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some("nothing listens at this socket")
        }
        DialError::Unix { .. } => None,
        DialError::Proxy { error, .. } => proxy_hint(error),
    }
}

/// Whether this machine has no IPv6 (or IPv4) at all: `localhost` is in both.
fn lacks_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn proxy_hint(error: &ProxyError) -> Option<&'static str> {
    match error {
        ProxyError::Unreached(_) => Some("check --proxy, or $https_proxy and the like"),
        ProxyError::Tls(TlsError::Protocol(_) | TlsError::Closed) => {
            Some("try http:// for the proxy")
        }
        ProxyError::Tls(error) => tls_hint(error),
        ProxyError::Http(UpgradeError::Status(refusal)) => match refusal.status {
            401 | 407 if refusal.lacks_basic() => {
                Some("mqttws can only log in by Basic: ask for that, or for another proxy")
            }
            401 | 407 => Some("give its user name and password: http://USER:PASSWORD@HOST:PORT"),
            400 | 404 | 501 => {
                Some("is it a proxy at all? check --proxy, or $https_proxy and the like")
            }
            403 | 405 => Some("many proxies lead to port 443 only; --no-proxy goes without it"),
            502..=504 => Some("the proxy does not reach the server"),
            _ => None,
        },
        ProxyError::Http(UpgradeError::NotHttp(NotHttp::Tls)) => Some("try https:// for the proxy"),
        ProxyError::Http(UpgradeError::Closed | UpgradeError::NotHttp(_)) => {
            Some("is it an HTTP proxy? write socks5:// for a SOCKS proxy")
        }
        ProxyError::Socks(SocksFault::NotSocks(_)) => {
            Some("is it a SOCKS proxy? write http:// for an HTTP proxy")
        }
        ProxyError::Socks(SocksFault::NoMethod { offered_credentials: false }) => {
            Some("give them: socks5://USER:PASSWORD@HOST:PORT")
        }
        _ => None,
    }
}

fn transport_hint(error: &transport::Error) -> Option<&'static str> {
    match error {
        transport::Error::Tls(error) | transport::Error::BrokenTls { error, .. } => tls_hint(error),
        transport::Error::Upgrade(error) => upgrade_hint(error),
        _ => None,
    }
}

fn tls_hint(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::Certificate(fault) => certificate_hint(fault),
        TlsError::NotTls(Plain::Http) => Some("try ws:// instead of wss://, or another port"),
        TlsError::NotTls(Plain::Mqtt) => Some("use the port of the broker's WebSocket listener"),
        TlsError::NotTls(Plain::Other(_)) => Some("check the port"),
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
            Some("the server need only send its certificate and those between it and an authority")
        }
        TlsError::Protocol(_) => {
            Some("is this the right port, and nothing on the way that meddles with TLS?")
        }
    }
}

fn refusal_hint(alert: Alert) -> Option<&'static str> {
    match alert {
        Alert::UnknownCA => {
            Some("does --cert hold the certificates between it and one that the server knows?")
        }
        Alert::CertificateExpired => Some("have a new one made"),
        _ => None,
    }
}

fn alert_hint(alert: Alert) -> Option<&'static str> {
    match alert {
        Alert::HandshakeFailure => Some(
            "it may want another TLS version or cipher, a name (--sni), or have a key other than RSA, P-256, \
             P-384 or Ed25519",
        ),
        Alert::ProtocolVersion => Some("leave --tls-version out; below TLS 1.2 there is no way"),
        Alert::UnrecognisedName => Some("give the name that it knows with --sni"),
        Alert::NoApplicationProtocol => {
            Some("leave --tls-alpn out, or name a protocol that it accepts")
        }
        _ => None,
    }
}

fn setup_hint(error: &TlsSetupError) -> Option<&'static str> {
    match error {
        TlsSetupError::Swapped(_) => Some("are --cert and --key swapped?"),
        TlsSetupError::Nothing(Purpose::Key, _) => {
            Some("give the file of the private key with --key")
        }
        TlsSetupError::Binary(Purpose::Key, _) => {
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

fn certificate_hint(fault: &CertificateFault) -> Option<&'static str> {
    match fault {
        CertificateFault::UnknownIssuer(_) => {
            Some("give the authority that signed it with --cafile")
        }
        CertificateFault::SelfSigned(_) => Some("if it is the right one, give it with --cafile"),
        CertificateFault::Expired { .. } => Some("the server needs a new one"),
        CertificateFault::NotYetValid { .. } => Some("check the clock of this machine"),
        CertificateFault::WrongName { .. } => {
            Some("connect to a name that the certificate has, or give it with --sni")
        }
        CertificateFault::NoNames { .. } => Some(
            "make it anew with a subjectAltName (the common name does not count), or use --pin-sha256",
        ),
        CertificateFault::CaAsServer => Some(
            "let this authority sign a certificate of the server's own, or trust it with --pin-sha256",
        ),
        CertificateFault::Version1 { .. } => Some(
            "make it anew with extensions (openssl x509 -req -extfile), or trust it with --pin-sha256 over \
             TLS 1.3 (in TLS 1.2 rustls checks no signature of such a certificate)",
        ),
        CertificateFault::WeakKey { .. } => Some("make it anew with a key of 2048 to 8192 bits"),
        CertificateFault::BadSignature { .. } => Some("is the --cafile up to date?"),
        CertificateFault::WeakSignature { .. } => {
            Some("make it anew with SHA-256 and an RSA or P-256 key, or trust it with --pin-sha256")
        }
        CertificateFault::WrongPurpose => Some("make it anew with extendedKeyUsage serverAuth"),
        CertificateFault::NotPinned(_) => {
            Some("if the server has a new one that you trust, give that")
        }
        _ => None,
    }
}

fn upgrade_hint(error: &UpgradeError) -> Option<&'static str> {
    match error {
        UpgradeError::Closed => Some(
            "most often a wrong --subprotocol or --origin, or a port that speaks something else (TLS, plain \
             MQTT)",
        ),
        UpgradeError::NotHttp(NotHttp::Mqtt) => {
            Some("use the port of the broker's WebSocket listener")
        }
        UpgradeError::NotHttp(NotHttp::Tls) => Some("try wss:// instead of ws://"),
        UpgradeError::NotHttp(NotHttp::Http2) => {
            Some("a WebSocket needs HTTP/1.1: another port, or a proxy set so")
        }
        UpgradeError::NotHttp(_) => Some("check the port"),
        UpgradeError::Status(refusal) => status_hint(refusal),
        UpgradeError::Bad(BadUpgrade::Subprotocol { tolerable: true, .. }) => {
            Some("without --strict it is taken")
        }
        UpgradeError::Bad(BadUpgrade::Subprotocol { .. }) => Some("try another --subprotocol"),
        UpgradeError::Bad(BadUpgrade::OldHttp) => {
            Some("a proxy on the way speaks HTTP/1.0 (nginx: proxy_http_version 1.1)")
        }
        UpgradeError::Bad(BadUpgrade::Extension(_)) => {
            Some("turn it off at the server: it must not be used unasked")
        }
        UpgradeError::Bad(BadUpgrade::NoUpgrade | BadUpgrade::NoConnection) => {
            Some("a proxy on the way may drop the Upgrade header")
        }
        UpgradeError::Bad(BadUpgrade::NoAccept | BadUpgrade::WrongAccept) => {
            Some("something that is no WebSocket server has answered: a cache, a proxy")
        }
        _ => None,
    }
}

fn status_hint(refusal: &HttpResponse) -> Option<&'static str> {
    let says = |words: &str| {
        let said = [&refusal.body, &refusal.www_authenticate, &refusal.upgrade];
        said.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(words))
    };
    match refusal.status {
        // What nginx, Apache and Go say about plain HTTP on a TLS port.
        400 if says("https") || says("ssl") => Some("this port speaks TLS: try wss://"),
        426 if says("tls") => Some("the server wants TLS: try wss://"),
        426 if refusal
            .websocket_version
            .as_ref()
            .is_some_and(|version| !version.contains("13")) =>
        {
            Some("mqttws speaks version 13, the only one of RFC 6455: the server needs an update")
        }
        301 | 302 | 303 | 307 | 308 if refusal.location.is_some() => {
            Some("connect to where it points, or let --follow do so")
        }
        401 if says("basic") => {
            Some("give its user name and password with --basic-auth, or check them")
        }
        401 if says("bearer") => Some("give a token with --bearer, or check that it is valid"),
        401 if refusal.www_authenticate.is_some() => {
            Some("mqttws knows Basic (--basic-auth) and tokens (--bearer, -H), not this")
        }
        403 if refusal.amzn_error_type.is_some() => Some(
            "sign the URL again: check the clock, the region and that no :443 is signed with the host; or \
             the policy does not allow it",
        ),
        403 if says("origin") => Some("give an origin that the server allows with --origin"),
        300..=399 if refusal.location.is_none() => {
            Some("it names no place to go: check path and port")
        }
        status => plain_status_hint(status),
    }
}

/// Where the status says all there is to know.
fn plain_status_hint(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => Some("an ordinary web page answered: check path and port"),
        400 => Some("the path, the --subprotocol or a proxy that drops the Upgrade header"),
        401 => Some("the server wants credentials, or refuses these: --basic-auth, --bearer"),
        403 => Some("the server forbids it: credentials (--basic-auth, --bearer), or the --origin"),
        405 | 410 | 501 => Some("no WebSocket at this path: check it"),
        407 => Some("a proxy on the way wants credentials: give it with --proxy"),
        408 | 429 => Some("try again later"),
        421 => {
            Some("the server does not know this host: check its name, and -H 'Host: ...' and --sni")
        }
        414 | 431 => {
            Some("it is too much for the server: shorten the query of the URL, or what -H adds")
        }
        426 => Some("a proxy on the way may drop the Upgrade header"),
        500 => Some("the server failed by itself: its log says why"),
        502..=504 => {
            Some("the proxy does not reach the broker, or drops the Upgrade header on the way")
        }
        505 => Some("a WebSocket needs HTTP/1.1: a proxy on the way may speak HTTP/1.0"),
        511 => Some("this network wants you to log in first: open a web page"),
        520..=530 => Some("the proxy does not reach the broker behind it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_ipv6_is_no_reason_to_hide_that_nothing_listens() {
        let hint = |errors: &[Errno]| {
            let attempt = |error: &Errno| Attempt {
                address: "[::1]:80".parse().unwrap(),
                error: io::Error::from_raw_os_error(error.raw_os_error()),
            };
            dial_hint(&DialError::Connect {
                attempts: errors.iter().map(attempt).collect(),
                timed_out: false,
            })
        };
        for lacking in [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT] {
            assert!(hint(&[lacking, Errno::CONNREFUSED]).is_some(), "{lacking}");
            assert!(hint(&[lacking]).is_none(), "{lacking}");
        }
        assert!(hint(&[Errno::CONNREFUSED, Errno::CONNREFUSED]).is_some());
        assert!(hint(&[Errno::CONNREFUSED, Errno::HOSTUNREACH]).is_none());
    }
}
