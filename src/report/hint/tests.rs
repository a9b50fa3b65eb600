//! Every hint, by the error that it belongs to.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::mqtt::packet::{ConnAck, Disconnect};
use crate::mqtt::property::Properties;
use crate::mqtt::version::Version;
use crate::transport::proxy::{ProxyError, SocksFault};
use crate::transport::tls::{
    Alert, CertificateFault, FilePurpose, Fingerprint, OtherProtocol, TlsError, TlsSetupError,
};
use crate::websocket::upgrade::{BadUpgrade, HttpResponse, NotHttp};

/// The hint in the line about this error.
fn hint_of(error: client::Error) -> Option<String> {
    let error = anyhow::Error::new(error).context("connecting to wss://localhost/mqtt");
    of(&error).map(Cow::into_owned)
}

/// Checks the hint of each error; an empty text stands for none.
fn check(table: Vec<(client::Error, &str)>) {
    for (error, expected) in table {
        let line = error.to_string();
        assert_eq!(hint_of(error).unwrap_or_default(), expected, "{line}");
    }
}

fn io_error(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

#[test]
fn connections_that_are_not_made() {
    let timed_out = |step, tried: Option<&str>| client::Error::ConnectTimedOut {
        step,
        after: Duration::from_secs(10),
        tried: tried.map(str::to_owned),
    };
    let unix = |kind| {
        let path = PathBuf::from("socket");
        client::Error::Unreached(DialError::Unix { path, error: io_error(kind) })
    };
    let lookup =
        DialError::Lookup { host: "x".to_owned(), error: io_error(io::ErrorKind::NotFound) };
    let upgrade = Step::Transport(Phase::Upgrade);
    check(vec![
        (client::Error::Unreached(lookup), "check the host name"),
        (unix(io::ErrorKind::ConnectionRefused), "nothing listens at this socket"),
        (unix(io::ErrorKind::NotFound), ""),
        (timed_out(Step::Transport(Phase::Tcp), None), ""),
        (timed_out(Step::Transport(Phase::Tls), None), "does the server speak TLS on this port?"),
        (
            timed_out(upgrade, None),
            "does a WebSocket server listen at this port and path? a plain MQTT or TLS port does \
             not answer, and neither do some brokers at a wrong path",
        ),
        (
            timed_out(upgrade, Some("HTTP 503")),
            "the server, or a proxy on the way, is stuck: try again, or a longer --connect-timeout",
        ),
        (
            timed_out(Step::ConnAck, None),
            "the WebSocket is open, but no MQTT broker answers: try another --path or -V",
        ),
        (client::Error::NotMqtt("x".to_owned()), "try another path, such as /mqtt"),
    ]);
}

#[test]
fn refusals_of_the_broker() {
    let credentials = "check -u and -P";
    let (id, version) = ("choose another client id with -i", "try another version with -V");
    let (later, elsewhere) = (
        "try again later, or with --wait",
        "connect to the server that it names, or ask its \
         operator",
    );
    let codes = [
        (1, version),
        (2, id),
        (3, later),
        (4, credentials),
        (5, credentials),
        (0x80, ""),
        (0x84, version),
        (0x85, id),
        (0x86, credentials),
        (0x87, credentials),
        (0x88, later),
        (0x89, later),
        (0x8a, ""),
        (0x8c, "choose another --auth-method"),
        (0x97, later),
        (0x9c, elsewhere),
        (0x9d, elsewhere),
        (0x9f, later),
    ];
    let refused = |code| client::Error::Refused {
        connack: Box::new(ConnAck {
            session_present: false,
            code: ReasonCode(code),
            properties: Properties::default(),
        }),
        version: Version::V5,
        needed_by: None,
    };
    check(codes.into_iter().map(|(code, hint)| (refused(code), hint)).collect());
    check(vec![(
        client::Error::RefusedSilently(transport::Error::Ended { cause: None }),
        "some brokers refuse credentials, a client id or a version this way: check -u, -P, -i, -V",
    )]);
    let codes = [
        (0x87, "the broker's rules forbid it to this user or client id"),
        (0x8b, ""),
        (0x8d, "it received nothing for too long: a shorter -k may help"),
        (0x8e, "another client uses the same id: choose another with -i"),
        (0x95, "send smaller messages, or raise the broker's limit"),
        (0x96, "send fewer messages a second: --rate"),
        (0x9c, elsewhere),
        (0x9d, elsewhere),
    ];
    let disconnected = |code| {
        let code = ReasonCode(code);
        client::Error::Disconnected(Box::new(Disconnect { code, ..Disconnect::default() }))
    };
    check(codes.into_iter().map(|(code, hint)| (disconnected(code), hint)).collect());
}

fn websocket(error: WebSocketError) -> transport::Error {
    transport::Error::WebSocket(error)
}

#[test]
fn connections_that_the_server_ends() {
    let closed = |code| WebSocketError::Closed { code: Some(code), reason: String::new() };
    let table = [
        (closed(1000), ""),
        (closed(1008), "the server's rules forbid it: check credentials and permissions"),
        (
            closed(1009),
            "the broker, or a proxy in front of it, does not accept a message of this size: send \
             smaller ones, and do not use --frame-per-packet",
        ),
        (closed(1012), "try again later"),
        (closed(1013), "try again later"),
        (closed(1014), "try again later"),
        (WebSocketError::TooLarge { size: 2, limit: 1 }, "raise --max-message-size"),
        (WebSocketError::TextFrame, ""),
    ];
    let lost = |error| client::Error::Lost(websocket(error));
    check(table.into_iter().map(|(error, hint)| (lost(error), hint)).collect());
}

#[test]
fn proxies_that_do_not_lead_on() {
    let is_it_one = "is it a proxy at all? check --proxy, or $https_proxy and the like";
    let is_it_http = "is it an HTTP proxy? write socks5:// for a SOCKS proxy";
    let lead = "many proxies allow port 443 only; --no-proxy connects without a proxy";
    let log_in = "give its user name and password: http://USER:PASSWORD@HOST:PORT";
    let status = |status, wants: Option<&str>| {
        let www_authenticate = wants.map(str::to_owned);
        let refusal = HttpResponse { status, www_authenticate, ..HttpResponse::default() };
        ProxyError::Http(UpgradeError::Status(Box::new(refusal)))
    };
    let not_http = |what| ProxyError::Http(UpgradeError::NotHttp(what));
    let no_method =
        |offered_credentials| ProxyError::Socks(SocksFault::NoMethod { offered_credentials });
    let table = vec![
        (ProxyError::Tls(TlsError::Closed), "try http:// for the proxy"),
        (ProxyError::Tls(TlsError::NotTls(OtherProtocol::Other("x".to_owned()))), "check the port"),
        (
            status(407, Some("Digest")),
            "mqttws supports only Basic authentication: enable it in the proxy, or use another \
             proxy",
        ),
        (status(407, Some("Basic")), log_in),
        (status(401, None), log_in),
        (status(400, None), is_it_one),
        (status(404, None), is_it_one),
        (status(501, None), is_it_one),
        (status(403, None), lead),
        (status(405, None), lead),
        (status(502, None), "the proxy cannot reach the server"),
        (status(504, None), "the proxy cannot reach the server"),
        (status(500, None), ""),
        (not_http(NotHttp::Tls), "try https:// for the proxy"),
        (not_http(NotHttp::Other("x".to_owned())), is_it_http),
        (ProxyError::Http(UpgradeError::Closed), is_it_http),
        (
            ProxyError::Socks(SocksFault::NotSocks(b'H')),
            "is it a SOCKS proxy? write http:// for an HTTP proxy",
        ),
        (no_method(false), "give them: socks5://USER:PASSWORD@HOST:PORT"),
        (no_method(true), ""),
    ];
    let at_proxy = |error| {
        let proxy = "http://proxy:3128".to_owned();
        client::Error::Unreached(DialError::Proxy { proxy, error: Box::new(error) })
    };
    let unreached = client::Error::Unreached(DialError::ProxyUnreached {
        proxy: "http://proxy:3128".to_owned(),
        error: Box::new(DialError::Connect { attempts: Vec::new(), timed_out: false }),
    });
    let mut table: Vec<_> =
        table.into_iter().map(|(error, hint)| (at_proxy(error), hint)).collect();
    table.push((unreached, "check --proxy, or $https_proxy and the like"));
    check(table);
}

#[test]
fn failures_of_tls() {
    let certificate = "give one with --cert and --key";
    let table = vec![
        (TlsError::NotTls(OtherProtocol::Http), "try ws:// instead of wss://, or another port"),
        (TlsError::NotTls(OtherProtocol::Mqtt), "use the port of the broker's WebSocket listener"),
        (TlsError::NotTls(OtherProtocol::Other("x".to_owned())), "check the port"),
        (TlsError::Closed, "does the server speak TLS on this port?"),
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
            "issue a new one with a subjectAltName (the common name does not count), or use \
             --pin-sha256",
        ),
        (
            CertificateFault::Version1 { authority },
            "issue a new one with extensions (openssl x509 -req -extfile), or trust it with \
             --pin-sha256 over TLS 1.3 (in TLS 1.2 rustls checks no signature of such a certificate)",
        ),
        (
            CertificateFault::WeakKey { bits: 1024, authority: None },
            "issue a new one with a key of 2048 to 8192 bits",
        ),
        (CertificateFault::BadSignature { namesake: None }, "is the --cafile up to date?"),
        (
            CertificateFault::WeakSignature { algorithm: None },
            "issue a new one with SHA-256 and an RSA or P-256 key, or trust it with --pin-sha256",
        ),
        (CertificateFault::WrongPurpose, "issue a new one with extendedKeyUsage serverAuth"),
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

fn not_upgraded(error: UpgradeError) -> client::Error {
    client::Error::Transport(transport::Error::Upgrade(error))
}

#[test]
fn upgrades_that_fail() {
    let subprotocol = |tolerable| {
        let offered = vec!["mqtt".to_owned()];
        UpgradeError::Bad(BadUpgrade::Subprotocol { offered, answered: None, tolerable })
    };
    let dropped = "a proxy on the way may drop the Upgrade header";
    let no_server = "the answer does not come from a WebSocket server, but perhaps from a cache \
                     or a proxy";
    let table = vec![
        (
            UpgradeError::Closed,
            "most often --subprotocol or --origin is wrong, or the port speaks another protocol \
             (TLS, plain MQTT)",
        ),
        (UpgradeError::NotHttp(NotHttp::Mqtt), "use the port of the broker's WebSocket listener"),
        (UpgradeError::NotHttp(NotHttp::Tls), "try wss:// instead of ws://"),
        (
            UpgradeError::NotHttp(NotHttp::Http2),
            "a WebSocket needs HTTP/1.1: try another port, or configure the proxy for HTTP/1.1",
        ),
        (UpgradeError::NotHttp(NotHttp::Other("x".to_owned())), "check the port"),
        (subprotocol(true), "it is accepted without --strict"),
        (subprotocol(false), "try another --subprotocol"),
        (
            UpgradeError::Bad(BadUpgrade::OldHttp),
            "a proxy on the way speaks HTTP/1.0 (nginx: proxy_http_version 1.1)",
        ),
        (
            UpgradeError::Bad(BadUpgrade::Extension("x".to_owned())),
            "turn it off in the server: only an extension that was offered may be used",
        ),
        (UpgradeError::Bad(BadUpgrade::NoUpgrade), dropped),
        (UpgradeError::Bad(BadUpgrade::NoConnection), dropped),
        (UpgradeError::Bad(BadUpgrade::NoAccept), no_server),
        (UpgradeError::Bad(BadUpgrade::WrongAccept), no_server),
        (UpgradeError::HeadTooLarge, ""),
    ];
    check(table.into_iter().map(|(error, hint)| (not_upgraded(error), hint)).collect());
}

/// An answer with this status that is otherwise as `with` makes it.
fn answered(status: u16, with: impl FnOnce(&mut HttpResponse)) -> client::Error {
    let mut refusal =
        HttpResponse { status, target: "/here".to_owned(), ..HttpResponse::default() };
    with(&mut refusal);
    not_upgraded(UpgradeError::Status(Box::new(refusal)))
}

#[test]
fn answers_that_say_more_than_their_status() {
    let body = |text: &str| {
        let text = text.to_owned();
        move |refusal: &mut HttpResponse| refusal.body = Some(text)
    };
    let wants = |scheme: &str| {
        let scheme = scheme.to_owned();
        move |refusal: &mut HttpResponse| refusal.www_authenticate = Some(scheme)
    };
    let location = |refusal: &mut HttpResponse| refusal.location = Some("/there".to_owned());
    let follow = "connect to that address, or use --follow";
    check(vec![
        (answered(400, body("sent to HTTPS port")), "this port speaks TLS: try wss://"),
        (answered(400, body("an SSL-enabled port")), "this port speaks TLS: try wss://"),
        (
            answered(426, |refusal| refusal.upgrade = Some("TLS/1.2".to_owned())),
            "the server requires TLS: try wss://",
        ),
        (
            answered(426, |refusal| refusal.websocket_version = Some("8".to_owned())),
            "mqttws speaks version 13, the only one of RFC 6455: the server needs an update",
        ),
        (answered(301, location), follow),
        (answered(308, location), follow),
        (answered(302, |_| {}), "the answer has no Location: check the path and the port"),
        (
            answered(401, wants("Basic realm=x")),
            "give its user name and password with --basic-auth, or check them",
        ),
        (answered(401, wants("Bearer")), "give a token with --bearer, or check that it is valid"),
        (
            answered(401, wants("Digest")),
            "mqttws supports Basic (--basic-auth) and tokens (--bearer, -H), not this scheme",
        ),
        (
            answered(403, |refusal| refusal.amzn_error_type = Some("x".to_owned())),
            "sign the URL again (check the clock, the region, and that the host is signed without \
             :443), or allow it in the policy",
        ),
        (
            answered(403, body("Origin is not allowed")),
            "give an origin that the server allows with --origin",
        ),
        (
            answered(404, |refusal| refusal.target = "/mqtt?x=y".to_owned()),
            "no WebSocket at this path: try /ws or /",
        ),
        (answered(404, |_| {}), "no WebSocket at this path: try /mqtt, /ws or /"),
    ]);
}

#[test]
fn statuses_that_say_all() {
    let path = "no WebSocket at this path: check the path";
    let long = "the request is too large for the server: shorten the query of the URL or the \
                headers of -H";
    let gateway = "the proxy cannot reach the broker, or drops the Upgrade header";
    let behind = "the proxy cannot reach the broker";
    let table = [
        (200, "this is an ordinary web page: check the path and the port"),
        (204, "this is an ordinary web page: check the path and the port"),
        (400, "check the path, --subprotocol, and whether a proxy drops the Upgrade header"),
        (401, "give valid credentials with --basic-auth or --bearer"),
        (403, "check the credentials (--basic-auth, --bearer) and --origin"),
        (405, path),
        (407, "a proxy on the way requires credentials: give the proxy and them with --proxy"),
        (408, "try again later"),
        (410, path),
        (414, long),
        (418, ""),
        (421, "the server does not know this host: check its name, and -H 'Host: ...' and --sni"),
        (426, "a proxy on the way may drop the Upgrade header"),
        (429, "try again later"),
        (431, long),
        (500, "this is an error inside the server: its log says why"),
        (501, path),
        (502, gateway),
        (503, gateway),
        (504, gateway),
        (505, "a WebSocket needs HTTP/1.1: a proxy on the way may speak HTTP/1.0"),
        (511, "this network requires a login first: open a web page"),
        (520, behind),
        (530, behind),
        (531, ""),
    ];
    check(table.into_iter().map(|(status, hint)| (answered(status, |_| {}), hint)).collect());
}

#[test]
fn a_machine_without_ipv6_is_no_reason_to_hide_that_nothing_listens() {
    let hint = |errors: &[Errno]| {
        let attempt = |error: &Errno| FailedAttempt {
            address: "[::1]:80".parse().unwrap(),
            error: io::Error::from_raw_os_error(error.raw_os_error()),
        };
        dial_hint(&DialError::Connect {
            attempts: errors.iter().map(attempt).collect(),
            timed_out: false,
        })
    };
    let closed = Some("nothing listens at this port: check it, or start `mqttws serve`");
    for lacking in [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT] {
        assert_eq!(hint(&[lacking, Errno::CONNREFUSED]), closed, "{lacking}");
        assert!(hint(&[lacking]).is_none(), "{lacking}");
    }
    assert_eq!(hint(&[Errno::CONNREFUSED, Errno::CONNREFUSED]), closed);
    assert!(hint(&[Errno::CONNREFUSED, Errno::HOSTUNREACH]).is_none());
}
