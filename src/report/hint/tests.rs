//! Every hint, by the error that it belongs to.

mod tls;
mod upgrade;

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::mqtt::packet::{ConnAck, Disconnect};
use crate::mqtt::property::Properties;
use crate::mqtt::version::Version;
use crate::transport::dial::AddressSource;
use crate::transport::endpoint::Endpoint;
use crate::transport::proxy::{ProxyError, SocksFault};
use crate::transport::tls::{
    Alert, CertificateFault, FilePurpose, Fingerprint, OtherProtocol, TlsError, TlsSetupError,
};
use crate::websocket::upgrade::{BadUpgrade, HttpResponse, Location, NotHttp, UpgradeError};

/// The hint in the line about this error.
fn hint_of(error: client::Error) -> Option<String> {
    hint_at("ws://localhost/mqtt", error)
}

/// The same for a connection to this address.
fn hint_at(url: &str, error: client::Error) -> Option<String> {
    let (doing, endpoint) = ("connecting to".to_owned(), Endpoint::parse(url).unwrap());
    let flags = FlagPlace::CommandLine;
    let at = AtServer { doing, endpoint, has_server_name: false, flags };
    of(&anyhow::Error::new(error).context(at)).map(Cow::into_owned)
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

fn not_upgraded(error: UpgradeError) -> client::Error {
    client::Error::Transport(transport::Error::Upgrade(error))
}

/// An answer with this status that is otherwise as `with` makes it.
fn answered(status: u16, with: impl FnOnce(&mut HttpResponse)) -> client::Error {
    let mut refusal =
        HttpResponse { status, target: "/here".to_owned(), ..HttpResponse::default() };
    with(&mut refusal);
    not_upgraded(UpgradeError::Status(Box::new(refusal)))
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
        (
            timed_out(Step::ConnAck, Some("the server confirmed no subprotocol (offered: mqtt)")),
            "a proxy on the way may drop the header Sec-WebSocket-Protocol, without which some \
             brokers are mute",
        ),
        (client::Error::NotMqtt("x".to_owned()), "try another path, such as /mqtt"),
        (client::Error::Echo, "try another path, such as /mqtt"),
    ]);
}

#[test]
fn refusals_of_the_broker() {
    let credentials = "check -u and -P";
    let (id, version) = ("choose another client id with -i", "try another version with -V");
    let (later, elsewhere) =
        ("try again later, or with --wait", "it does not say which: ask its operator");
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
    let silent = "some brokers refuse credentials, a client id or a version this way: check -u, \
                  -P, -i, -V";
    let busy = "the server, or what is behind it, is busy or not ready: try again later, or with \
                --wait";
    let refused_silently = client::Error::RefusedSilently;
    let mut table = vec![(refused_silently(transport::Error::Ended { cause: None }), silent)];
    for (code, hint) in [
        (None, silent),
        (Some(1000), silent),
        (Some(1001), busy),
        (Some(1002), silent),
        (Some(1003), "try another path, such as /mqtt"),
        (Some(1008), silent),
        (Some(1009), "CONNECT is too large for the server: shorten the will or the password"),
        (Some(1011), busy),
        (Some(1012), busy),
        (Some(1013), busy),
        (Some(1014), busy),
        (Some(4000), silent),
    ] {
        let closed = WebSocketError::Closed { code, reason: String::new() };
        table.push((refused_silently(websocket(closed)), hint));
    }
    check(table);
    let codes = [
        (0x87, "the broker's rules forbid it to this user or client id"),
        (0x04, ""),
        (0x86, credentials),
        (0x89, later),
        (0x8b, ""),
        (0x97, later),
        (0x8d, "it received nothing for too long: a shorter -k may help"),
        (0x8e, "another client uses the same id: choose another id with -i"),
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
    let garbled =
        |look| WebSocketError::Garbled { words: "reserved bits".to_owned(), sent: None, look };
    let spoilt = "the frames may be compressed without agreement, or changed by a proxy on the \
                  way: -dd shows them";
    let breach = "the broker takes what it was sent for a breach of the protocol: it may forbid \
                  the topic or filter, its QoS or size";
    let table = [
        (closed(1000), ""),
        (closed(1002), breach),
        (closed(1007), breach),
        (closed(1008), "the server's rules forbid it: check credentials and permissions"),
        (
            closed(1009),
            "the broker, or a proxy in front of it, does not accept a message of this size: send \
             smaller messages, and do not use --frame-per-packet",
        ),
        (closed(1012), "try again later"),
        (closed(1013), "try again later"),
        (closed(1014), "try again later"),
        (WebSocketError::TooLarge { size: 2, limit: 1 }, "raise --max-message-size"),
        (
            WebSocketError::TextFrame("x".to_owned()),
            "another service may be at this path: try another path, such as /mqtt",
        ),
        (garbled(Look::Frames), spoilt),
        (
            garbled(Look::Text),
            "the data after the upgrade are no WebSocket frames: try another path, such as /mqtt",
        ),
        (WebSocketError::TooLarge { size: 1 << 62, limit: 1 }, spoilt),
        (WebSocketError::Protocol("x".to_owned()), ""),
    ];
    let too_many = "mosquitto 2.0 sends all that it has, whatever was announced: leave out -D \
                    connect receive-maximum, and --strict";
    check(vec![(client::Error::Violation(Violation::ReceiveMaximumExceeded), too_many)]);
    let lost = |error| client::Error::Lost(websocket(error));
    check(table.into_iter().map(|(error, hint)| (lost(error), hint)).collect());
}

#[test]
fn proxies_that_do_not_lead_on() {
    let is_it_one = "is it a proxy at all? check --proxy, or $https_proxy and the like";
    let is_it_http = "is it an HTTP proxy? write socks5:// for a SOCKS proxy";
    let lead = "many proxies allow port 443 only; --no-proxy '*' connects without a proxy";
    let log_in = "give its user name and password: http://USER:PASSWORD@HOST:PORT";
    let status = |status, wants: Option<&str>| {
        let www_authenticate = wants.map(str::to_owned);
        let refusal = HttpResponse { status, www_authenticate, ..HttpResponse::default() };
        ProxyError::Http(UpgradeError::Status(Box::new(refusal)))
    };
    let squid = |status, error: &str| {
        let squid_error = Some(error.to_owned());
        let refusal = HttpResponse { status, squid_error, ..HttpResponse::default() };
        ProxyError::Http(UpgradeError::Status(Box::new(refusal)))
    };
    let not_http = |what| ProxyError::Http(UpgradeError::NotHttp(what));
    let no_method =
        |offered_credentials| ProxyError::Socks(SocksFault::NoMethod { offered_credentials });
    let table = vec![
        (ProxyError::Tls(TlsError::Closed), "try http:// for the proxy"),
        (ProxyError::Tls(TlsError::Reset), "try http:// for the proxy"),
        (
            squid(503, "ERR_DNS_FAIL 0"),
            "the proxy does not find the host: check its name, or use --no-proxy",
        ),
        (squid(503, "ERR_CONNECT_FAIL 111"), "the proxy cannot reach the server"),
        (
            squid(403, "ERR_ACCESS_DENIED 0"),
            "the rules of the proxy forbid it (Squid: acl SSL_ports, http_access)",
        ),
        (squid(407, "ERR_CACHE_ACCESS_DENIED 0"), log_in),
        (squid(500, "ERR_NEW"), ""),
        (ProxyError::Http(UpgradeError::Reset), is_it_http),
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
        error: Box::new(DialError::Connect {
            attempts: Vec::new(),
            timed_out: false,
            source: AddressSource::Typed,
        }),
    });
    let mut table: Vec<_> =
        table.into_iter().map(|(error, hint)| (at_proxy(error), hint)).collect();
    table.push((unreached, "check --proxy, or $https_proxy and the like"));
    check(table);
}

#[test]
fn the_address_decides_which_advice_fits() {
    use UpgradeError::{Closed, Reset};
    let upgrade = not_upgraded;
    let tls = |error| client::Error::Transport(transport::Error::Tls(error));
    let alert = |alert| tls(TlsError::Alert(alert));
    let timed_out = |phase| client::Error::ConnectTimedOut {
        step: Step::Transport(phase),
        after: Duration::from_secs(10),
        tried: None,
    };
    let (plain, secure) = ("port 1883 is for MQTT without WebSockets", "port 8883 is for MQTT");
    let (nameless, tls_advice) = ("no server name was sent", "TLS");
    let has: Vec<(&str, client::Error, &str)> = vec![
        ("ws://h:1883/", upgrade(Closed), plain),
        ("ws://h:1883/", upgrade(Reset), plain),
        ("ws://h:1883/", timed_out(Phase::Upgrade), plain),
        ("wss://h:1883/", tls(TlsError::Closed), plain),
        ("wss://h:1883/", tls(TlsError::Reset), plain),
        ("wss://h:1883/", timed_out(Phase::Tls), plain),
        ("ws://h:8883/", upgrade(Closed), secure),
        ("wss://h:8883/", upgrade(Closed), secure),
        ("wss://192.0.2.1/", tls(TlsError::Closed), nameless),
        ("wss://[2001:db8::1]/", tls(TlsError::Reset), nameless),
        ("wss://192.0.2.1/", alert(Alert::InternalError), nameless),
        ("wss://192.0.2.1/", alert(Alert::HandshakeFailure), nameless),
        ("wss://192.0.2.1/", answered(200, |_| {}), nameless),
        ("wss://192.0.2.1/", answered(421, |_| {}), nameless),
        ("ws://h/", upgrade(Closed), tls_advice),
        ("ws://h/", upgrade(Reset), tls_advice),
        ("ws://h/", timed_out(Phase::Upgrade), tls_advice),
    ];
    for (url, error, part) in has {
        let line = error.to_string();
        let hint = hint_at(url, error).unwrap_or_default();
        assert!(hint.contains(part), "{url}: {line}: {hint}");
    }
    let said = |text: &str| {
        let text = text.to_owned();
        answered(400, move |refusal| refusal.body.searched = text)
    };
    let has_not: Vec<(&str, client::Error, &str)> = vec![
        ("wss://h/", upgrade(Closed), tls_advice),
        ("wss://h/", upgrade(Reset), tls_advice),
        ("wss://h/", upgrade(UpgradeError::NotHttp(NotHttp::Tls)), "wss"),
        ("wss://h/", timed_out(Phase::Upgrade), tls_advice),
        ("wss://h/", said("http request was sent to https port"), "wss"),
        ("wss://h/", answered(426, |refusal| refusal.upgrade = Some("TLS/1.2".into())), "wss"),
        ("wss://h/", tls(TlsError::Closed), nameless),
        ("ws://192.0.2.1/", answered(200, |_| {}), nameless),
        ("wss://192.0.2.1/", answered(200, |refusal| refusal.body.searched = "x".into()), nameless),
        ("wss://192.0.2.1/", alert(Alert::ProtocolVersion), nameless),
        ("ws://h:1883/", answered(404, |_| {}), "1883"),
    ];
    for (url, error, part) in has_not {
        let line = error.to_string();
        let hint = hint_at(url, error).unwrap_or_default();
        assert!(!hint.contains(part), "{url}: {line}: {hint}");
    }
}

#[test]
fn sentences_of_servers_are_found_anywhere_in_their_pages() {
    let certificate = "the server requires a client certificate: give one with --cert and --key";
    let tls = "this port speaks TLS: try wss://";
    let large = "the request is too large for the server: shorten the query of the URL or the \
                 headers of -H";
    let proxy = "the server expects the PROXY protocol: connect to the load balancer in front of \
                 it, or turn that off";
    let subprotocol = "try another --subprotocol, or configure the proxy on the way to pass the \
                       header Sec-WebSocket-Protocol";
    for (sentence, hint) in [
        ("400 no required ssl certificate was sent nginx", certificate),
        ("bad request reason: you're speaking plain http to an ssl-enabled server port.", tls),
        ("client sent an http request to an https server.", tls),
        ("bad request this combination of host and port requires tls.", tls),
        ("400 request header or cookie too large", large),
        ("size of a request header field exceeds server limit.", large),
        ("the size of the request headers is too long.", large),
        (
            "the client software did not provide a hostname using server name indication (sni)",
            "give the name by which the server knows its certificate with --sni, and -H \
             'Host: ...'",
        ),
        ("unsupported_subprotocol", subprotocol),
        ("missing sec-websocket-protocol", subprotocol),
        ("no proxy protocol header", proxy),
    ] {
        let text = format!("400 bad request {sentence} server at localhost");
        let error = answered(400, |refusal| refusal.body.searched = text);
        assert_eq!(hint_of(error).as_deref(), Some(hint), "{sentence}");
    }
    // An ordinary page may speak of anything.
    let page = answered(200, |refusal| refusal.body.searched = "tls required".to_owned());
    let hint = "this is an ordinary web page: check the path and the port";
    assert_eq!(hint_of(page).as_deref(), Some(hint));
}

#[test]
fn a_machine_without_ipv6_is_no_reason_to_hide_that_nothing_listens() {
    let hint = |errors: &[Errno]| {
        let attempt = |error: &Errno| FailedAttempt {
            address: "[::1]:8080".parse().unwrap(),
            error: io::Error::from_raw_os_error(error.raw_os_error()),
        };
        dial_hint(&DialError::Connect {
            attempts: errors.iter().map(attempt).collect(),
            timed_out: false,
            source: AddressSource::LookedUp,
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

#[test]
fn the_ports_of_addresses_without_one_are_named() {
    let hint = |port: u16| {
        let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
        let error = io::Error::from_raw_os_error(Errno::CONNREFUSED.raw_os_error());
        let attempts = vec![FailedAttempt { address, error }];
        let source = AddressSource::Typed;
        dial_hint(&DialError::Connect { attempts, timed_out: false, source }).unwrap()
    };
    assert!(hint(80).starts_with("port 80 is that of an address without a port: `mqttws serve`"));
    assert!(hint(443).starts_with("port 443 is that of wss without a port: "));
    assert_eq!(hint(8080), "nothing listens at this port: check it, or start `mqttws serve`");
}

/// The user has given it already.
#[test]
fn after_wait_the_hint_asks_for_more_of_it() {
    let busy = |code| client::Error::Refused {
        connack: Box::new(ConnAck {
            session_present: false,
            code: ReasonCode(code),
            properties: Properties::default(),
        }),
        version: Version::V3_1_1,
        needed_by: None,
    };
    let after_wait = |code| client::Error::WaitOver(Box::new(busy(code)));
    let line = "connecting to ws://a/mqtt: the broker refused: server unavailable";
    for error in [busy(3), after_wait(3)] {
        let error = anyhow::Error::new(error).context("connecting to ws://a/mqtt");
        assert_eq!(format!("{error:#}"), line);
    }
    check(vec![
        (busy(3), "try again later, or with --wait"),
        (after_wait(3), "try again later, or with a longer --wait"),
        (after_wait(4), "check -u and -P"),
    ]);
}

#[test]
fn flags_for_the_target_of_a_mirror_stand_in_its_profile() {
    let hint = |code: u8| {
        let connack = ConnAck {
            session_present: false,
            code: ReasonCode(code),
            properties: Properties::default(),
        };
        let error = client::Error::Refused {
            connack: Box::new(connack),
            version: Version::V5,
            needed_by: None,
        };
        let (doing, flags) = ("mirroring to".to_owned(), FlagPlace::TargetProfile);
        let endpoint = Endpoint::parse("ws://b/").unwrap();
        let at = AtServer { doing, endpoint, has_server_name: false, flags };
        of(&anyhow::Error::new(error).context(at)).map(Cow::into_owned)
    };
    let place = " (for --to they stand in its URL and in --to-profile)";
    assert_eq!(hint(0x87), Some(format!("check -u and -P{place}")));
    assert_eq!(hint(0x88), Some("try again later, or with --wait".to_owned()));
}
