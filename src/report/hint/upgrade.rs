//! Hints for a failed WebSocket upgrade.

use std::ops::RangeInclusive;

use crate::websocket::upgrade::{BadUpgrade, HttpResponse, NotHttp, UpgradeError};

const TOO_LARGE: &str =
    "the request is too large for the server: shorten the query of the URL or the headers of -H";

/// The hints where the status alone decides.
const BY_STATUS: [(RangeInclusive<u16>, &str); 19] = [
    (200..=299, "this is an ordinary web page: check the path and the port"),
    (400..=400, "check the path, --subprotocol, and whether a proxy drops the Upgrade header"),
    (401..=401, "give valid credentials with --basic-auth or --bearer"),
    (403..=403, "check the credentials (--basic-auth, --bearer) and --origin"),
    (405..=405, "no WebSocket at this path: check the path"),
    (407..=407, "a proxy on the way requires credentials: give the proxy and them with --proxy"),
    (408..=408, "try again later"),
    (410..=410, "no WebSocket at this path: check the path"),
    (414..=414, TOO_LARGE),
    (421..=421, "the server does not know this host: check its name, and -H 'Host: ...' and --sni"),
    (426..=426, "a proxy on the way may drop the Upgrade header"),
    (429..=429, "try again later"),
    (431..=431, TOO_LARGE),
    (500..=500, "this is an error inside the server: its log says why"),
    (501..=501, "no WebSocket at this path: check the path"),
    (502..=504, "the proxy cannot reach the broker, or drops the Upgrade header"),
    (505..=505, "a WebSocket needs HTTP/1.1: a proxy on the way may speak HTTP/1.0"),
    (511..=511, "this network requires a login first: open a web page"),
    (520..=530, "the proxy cannot reach the broker"),
];

/// The hint of an upgrade that failed.
pub(super) fn hint(error: &UpgradeError) -> Option<&'static str> {
    match error {
        UpgradeError::Closed => Some(
            "most often --subprotocol or --origin is wrong, or the port speaks another protocol \
             (TLS, plain MQTT)",
        ),
        UpgradeError::NotHttp(NotHttp::Mqtt) => {
            Some("use the port of the broker's WebSocket listener")
        }
        UpgradeError::NotHttp(NotHttp::Tls) => Some("try wss:// instead of ws://"),
        UpgradeError::NotHttp(NotHttp::Http2) => Some(
            "a WebSocket needs HTTP/1.1: try another port, or configure the proxy for \
             HTTP/1.1",
        ),
        UpgradeError::NotHttp(_) => Some("check the port"),
        UpgradeError::Status(refusal) => status_hint(refusal),
        UpgradeError::Bad(fault) => Some(fault_hint(fault)),
        _ => None,
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

fn status_hint(refusal: &HttpResponse) -> Option<&'static str> {
    let says = |words: &str| {
        let said = [&refusal.body, &refusal.www_authenticate, &refusal.upgrade];
        said.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(words))
    };
    match refusal.status {
        // What nginx, Apache and Go say about plain HTTP on a TLS port.
        400 if says("https") || says("ssl") => Some("this port speaks TLS: try wss://"),
        426 if says("tls") => Some("the server requires TLS: try wss://"),
        426 if lacks_version_13(refusal) => Some(OTHER_VERSION),
        301 | 302 | 303 | 307 | 308 if refusal.location.is_some() => Some(REDIRECT),
        401 if says("basic") => Some(BASIC),
        401 if says("bearer") => Some(BEARER),
        401 if refusal.www_authenticate.is_some() => Some(OTHER_SCHEME),
        403 if refusal.amzn_error_type.is_some() => Some(SIGNATURE),
        403 if says("origin") => Some("give an origin that the server allows with --origin"),
        300..=399 if refusal.location.is_none() => Some(NO_LOCATION),
        status => {
            BY_STATUS.iter().find(|(range, _)| range.contains(&status)).map(|(_, hint)| *hint)
        }
    }
}

/// Whether the server says that it speaks other versions of WebSocket, and not ours.
fn lacks_version_13(refusal: &HttpResponse) -> bool {
    refusal.websocket_version.as_ref().is_some_and(|versions| !versions.contains("13"))
}
