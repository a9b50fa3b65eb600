//! What to do about a WebSocket upgrade that failed.

use std::ops::RangeInclusive;

use crate::websocket::upgrade::{BadUpgrade, HttpResponse, NotHttp, UpgradeError};

/// The hints where the status alone decides.
const BY_STATUS: [(RangeInclusive<u16>, &str); 19] = [
    (200..=299, "an ordinary web page answered: check path and port"),
    (400..=400, "the path, the --subprotocol or a proxy that drops the Upgrade header"),
    (401..=401, "the server wants credentials, or refuses these: --basic-auth, --bearer"),
    (403..=403, "the server forbids it: credentials (--basic-auth, --bearer), or the --origin"),
    (405..=405, "no WebSocket at this path: check it"),
    (407..=407, "a proxy on the way wants credentials: give it with --proxy"),
    (408..=408, "try again later"),
    (410..=410, "no WebSocket at this path: check it"),
    (414..=414, "it is too much for the server: shorten the query of the URL, or what -H adds"),
    (421..=421, "the server does not know this host: check its name, and -H 'Host: ...' and --sni"),
    (426..=426, "a proxy on the way may drop the Upgrade header"),
    (429..=429, "try again later"),
    (431..=431, "it is too much for the server: shorten the query of the URL, or what -H adds"),
    (500..=500, "the server failed by itself: its log says why"),
    (501..=501, "no WebSocket at this path: check it"),
    (502..=504, "the proxy does not reach the broker, or drops the Upgrade header on the way"),
    (505..=505, "a WebSocket needs HTTP/1.1: a proxy on the way may speak HTTP/1.0"),
    (511..=511, "this network wants you to log in first: open a web page"),
    (520..=530, "the proxy does not reach the broker behind it"),
];

/// The hint of an upgrade that failed.
pub(super) fn hint(error: &UpgradeError) -> Option<&'static str> {
    match error {
        UpgradeError::Closed => Some(
            "most often a wrong --subprotocol or --origin, or a port that speaks something else \
             (TLS, plain MQTT)",
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
        UpgradeError::Bad(fault) => Some(fault_hint(fault)),
        _ => None,
    }
}

fn fault_hint(fault: &BadUpgrade) -> &'static str {
    match fault {
        BadUpgrade::Subprotocol { tolerable: true, .. } => "without --strict it is taken",
        BadUpgrade::Subprotocol { .. } => "try another --subprotocol",
        BadUpgrade::OldHttp => "a proxy on the way speaks HTTP/1.0 (nginx: proxy_http_version 1.1)",
        BadUpgrade::Extension(_) => "turn it off at the server: it must not be used unasked",
        BadUpgrade::NoUpgrade | BadUpgrade::NoConnection => {
            "a proxy on the way may drop the Upgrade header"
        }
        BadUpgrade::NoAccept | BadUpgrade::WrongAccept => {
            "something that is no WebSocket server has answered: a cache, a proxy"
        }
    }
}

const BASIC: &str = "give its user name and password with --basic-auth, or check them";
const BEARER: &str = "give a token with --bearer, or check that it is valid";
const OTHER_SCHEME: &str = "mqttws knows Basic (--basic-auth) and tokens (--bearer, -H), not this";
const OTHER_VERSION: &str =
    "mqttws speaks version 13, the only one of RFC 6455: the server needs an update";
const REDIRECT: &str = "connect to where it points, or let --follow do so";
const NO_LOCATION: &str = "it names no place to go: check path and port";
/// What AWS refuses a presigned URL for.
const SIGNATURE: &str = "sign the URL again: check the clock, the region and that no :443 is \
                         signed with the host; or the policy does not allow it";

fn status_hint(refusal: &HttpResponse) -> Option<&'static str> {
    let says = |words: &str| {
        let said = [&refusal.body, &refusal.www_authenticate, &refusal.upgrade];
        said.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(words))
    };
    match refusal.status {
        // What nginx, Apache and Go say about plain HTTP on a TLS port.
        400 if says("https") || says("ssl") => Some("this port speaks TLS: try wss://"),
        426 if says("tls") => Some("the server wants TLS: try wss://"),
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
