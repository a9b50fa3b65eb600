//! Hints for a failed WebSocket upgrade.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::server::{NO_SERVER_NAME, Server};
use super::{LATER, phrase};
use crate::websocket::upgrade::{BadUpgrade, HttpResponse, NotHttp, UpgradeError};

/// The hints where the status alone decides.
const BY_STATUS: [(RangeInclusive<u16>, &str); 19] = [
    (200..=299, "this is an ordinary web page: check the path and the port"),
    (400..=400, "check the path, --subprotocol, and whether a proxy drops the Upgrade header"),
    (401..=401, "give valid credentials with --basic-auth or --bearer"),
    (403..=403, "check the credentials (--basic-auth, --bearer) and --origin"),
    (405..=405, "no WebSocket at this path: check the path"),
    (407..=407, "a proxy on the way requires credentials: give the proxy and them with --proxy"),
    (408..=408, LATER),
    (410..=410, "no WebSocket at this path: check the path"),
    (414..=414, phrase::TOO_LARGE),
    (421..=421, "the server does not know this host: check its name, and -H 'Host: ...' and --sni"),
    (426..=426, "a proxy on the way may drop the Upgrade header"),
    (429..=429, LATER),
    (431..=431, phrase::TOO_LARGE),
    (500..=500, "this is an error inside the server: its log says why"),
    (501..=501, "no WebSocket at this path: check the path"),
    (502..=504, "the proxy cannot reach the broker, or drops the Upgrade header"),
    (505..=505, "a WebSocket needs HTTP/1.1: a proxy on the way may speak HTTP/1.0"),
    (511..=511, "this network requires a login first: open a web page"),
    (520..=530, "the proxy cannot reach the broker"),
];

/// The hint of an upgrade that failed.
pub(super) fn hint(error: &UpgradeError, server: Server<'_>) -> Option<Cow<'static, str>> {
    match error {
        UpgradeError::Status(refusal) => status_hint(refusal, server),
        error => simple_hint(error, server).map(Cow::Borrowed),
    }
}

fn simple_hint(error: &UpgradeError, server: Server<'_>) -> Option<&'static str> {
    match error {
        UpgradeError::Closed => Some(server.port_hint().unwrap_or(if server.is_secure() {
            "most often --subprotocol or --origin is wrong, or the port speaks another protocol \
             (plain MQTT) or expects the PROXY protocol"
        } else {
            "most often --subprotocol or --origin is wrong, or the port speaks another protocol \
             (TLS, plain MQTT) or expects the PROXY protocol"
        })),
        UpgradeError::Reset => Some(server.port_hint().unwrap_or(if server.is_secure() {
            "the server may be overloaded, or the port may speak another protocol (plain MQTT) or \
             expect the PROXY protocol"
        } else {
            "the port may speak TLS (try wss://) or plain MQTT or expect the PROXY protocol, or \
             the server listens at another address or is overloaded"
        })),
        UpgradeError::Http2Chosen => Some("leave h2 out of --tls-alpn"),
        UpgradeError::NotHttp(protocol) => Some(protocol_hint(protocol, server)),
        UpgradeError::Bad(fault) => Some(fault_hint(fault)),
        _ => None,
    }
}

fn protocol_hint(protocol: &NotHttp, server: Server<'_>) -> &'static str {
    match protocol {
        NotHttp::Mqtt => "use the port of the broker's WebSocket listener",
        NotHttp::Tls if server.is_secure() => {
            "a proxy on the way ends TLS, and the port behind it speaks TLS, too: configure the \
             proxy"
        }
        NotHttp::Tls => "try wss:// instead of ws://",
        NotHttp::Http2 => {
            "a WebSocket needs HTTP/1.1: try another port, or configure the proxy for HTTP/1.1"
        }
        NotHttp::ProxyHeader => {
            "a load balancer on the way writes it for a server that does not understand it \
             (haproxy: send-proxy)"
        }
        NotHttp::Echo | NotHttp::Other(_) => server.port_hint().unwrap_or("check the port"),
    }
}

fn fault_hint(fault: &BadUpgrade) -> &'static str {
    match fault {
        BadUpgrade::Subprotocol { tolerable: true, .. } => "it is accepted without --strict",
        BadUpgrade::Subprotocol { .. } => "try another --subprotocol",
        BadUpgrade::OldHttp => "a proxy on the way speaks HTTP/1.0 (nginx: proxy_http_version 1.1)",
        BadUpgrade::Extension(_) => {
            "turn it off in the server: only an extension that was \
             offered may be used"
        }
        BadUpgrade::NoUpgrade | BadUpgrade::NoConnection => {
            "a proxy on the way may drop the Upgrade header"
        }
        BadUpgrade::NoAccept | BadUpgrade::WrongAccept => {
            "the answer does not come from a WebSocket server, but perhaps from a cache or a proxy"
        }
    }
}

const BASIC: &str = "give its user name and password with --basic-auth, or check them";
const BEARER: &str = "give a token with --bearer, or check that it is valid";
const OTHER_SCHEME: &str = "mqttws supports Basic (--basic-auth) and tokens (--bearer, -H), not \
                            this scheme";
const OTHER_VERSION: &str =
    "mqttws speaks version 13, the only one of RFC 6455: the server needs an update";
const REDIRECT: &str = "connect to that address, or use --follow";
const NO_LOCATION: &str = "the answer has no Location: check the path and the port";
/// The usual reasons why AWS refuses a presigned URL.
const SIGNATURE: &str = "sign the URL again (check the clock, the region, and that the host is \
                         signed without :443), or allow it in the policy";

/// Why Squid does not pass a request on, and what to do about it.
const SQUID_ERRORS: [(&str, &str); 8] = [
    ("ERR_DNS_FAIL", "the proxy does not find the host: check its name, or use --no-proxy"),
    ("ERR_CONNECT_FAIL", "the proxy cannot reach the server"),
    ("ERR_CANNOT_FORWARD", "the proxy cannot reach the server"),
    ("ERR_READ_TIMEOUT", "the server does not answer the proxy"),
    ("ERR_ACCESS_DENIED", "the rules of the proxy forbid it (Squid: acl SSL_ports, http_access)"),
    (
        "ERR_CACHE_ACCESS_DENIED",
        "a proxy on the way requires credentials: give the proxy and them with --proxy",
    ),
    ("ERR_INVALID_URL", "this port is that of an HTTP proxy: give it with --proxy"),
    ("ERR_TOO_BIG", phrase::TOO_LARGE),
];

/// The advice about the reason that Squid gives, which is a name and perhaps a number.
pub(super) fn squid_hint(refusal: &HttpResponse) -> Option<&'static str> {
    let name = refusal.squid_error.as_ref()?.split_whitespace().next()?;
    SQUID_ERRORS.iter().find(|(known, _)| *known == name).map(|(_, hint)| *hint)
}

/// The longest Retry-After, in seconds, that a user may want to wait for: a day.
const LONGEST_WAIT: u32 = 24 * 60 * 60;

fn status_hint(refusal: &HttpResponse, server: Server<'_>) -> Option<Cow<'static, str>> {
    if refusal.status == 404 {
        return Some(Cow::Owned(path_hint(&refusal.target)));
    }
    if matches!(refusal.status, 429 | 503)
        && let Some(time) = &refusal.retry_after
    {
        let seconds = time.parse().ok().filter(|seconds| (1..=LONGEST_WAIT).contains(seconds));
        return Some(Cow::Owned(match seconds {
            Some(seconds) => format!("{LATER} {seconds}"),
            None => LATER.to_owned(),
        }));
    }
    let said =
        if refusal.status >= 400 { phrase::hint(&refusal.body.searched, server) } else { None };
    said.or_else(|| squid_hint(refusal))
        .or_else(|| header_hint(refusal, server))
        .or_else(|| by_status(refusal.status))
        .map(Cow::Borrowed)
}

/// The hint that names the other paths that brokers use.
fn path_hint(target: &str) -> String {
    let asked = target.split('?').next().unwrap_or_default();
    let others: Vec<&str> =
        ["/mqtt", "/ws", "/"].into_iter().filter(|path| *path != asked).collect();
    let (last, others) = others.split_last().unwrap_or((&"/", &[]));
    format!("no WebSocket at this path: try {} or {last}", others.join(", "))
}

/// The hint where a header, or the absence of a body, says more than the status.
fn header_hint(refusal: &HttpResponse, server: Server<'_>) -> Option<&'static str> {
    let says = |words: &str| {
        let said = [&refusal.body.title, &refusal.www_authenticate, &refusal.upgrade];
        said.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(words))
    };
    match refusal.status {
        200 | 421 if server.lacks_name() && refusal.body.searched.is_empty() => {
            Some(NO_SERVER_NAME)
        }
        426 if says("tls") && !server.is_secure() => Some("the server requires TLS: try wss://"),
        426 if lacks_version_13(refusal) => Some(OTHER_VERSION),
        301 | 302 | 303 | 307 | 308 if refusal.location.is_some() => Some(REDIRECT),
        401 if says("basic") => Some(BASIC),
        401 if says("bearer") => Some(BEARER),
        401 if refusal.www_authenticate.is_some() => Some(OTHER_SCHEME),
        403 if refusal.amzn_error_type.is_some() => Some(SIGNATURE),
        403 if says("origin") => Some("give an origin that the server allows with --origin"),
        403 if is_envoy(refusal) && refusal.body.searched.is_empty() => Some(
            "envoy refuses a WebSocket without upgrade_configs (upgrade_type: websocket) in its \
             configuration",
        ),
        300..=399 if refusal.location.is_none() => Some(NO_LOCATION),
        _ => None,
    }
}

fn is_envoy(refusal: &HttpResponse) -> bool {
    let server = refusal.server.as_deref().unwrap_or_default();
    server.to_ascii_lowercase().contains("envoy")
}

fn by_status(status: u16) -> Option<&'static str> {
    BY_STATUS.iter().find(|(range, _)| range.contains(&status)).map(|(_, hint)| *hint)
}

/// Whether the server says that it speaks other versions of WebSocket, and not ours.
fn lacks_version_13(refusal: &HttpResponse) -> bool {
    refusal.websocket_version.as_ref().is_some_and(|versions| !versions.contains("13"))
}
