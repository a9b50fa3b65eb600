//! The hints of an upgrade that fails.

use super::*;

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
             (TLS, plain MQTT) or expects the PROXY protocol",
        ),
        (
            UpgradeError::Reset,
            "the port may speak TLS (try wss://) or plain MQTT or expect the PROXY protocol, or the \
             server listens at another address or is overloaded",
        ),
        (UpgradeError::Http2Chosen, "leave h2 out of --tls-alpn"),
        (UpgradeError::NotHttp(NotHttp::Echo), "check the port"),
        (
            UpgradeError::NotHttp(NotHttp::ProxyHeader),
            "a load balancer on the way writes it for a server that does not understand it \
             (haproxy: send-proxy)",
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

#[test]
fn answers_that_say_more_than_their_status() {
    let body = |text: &str| {
        let text = text.to_owned();
        move |refusal: &mut HttpResponse| {
            refusal.body.searched = text.to_lowercase();
            refusal.body.title = Some(text);
        }
    };
    let wants = |scheme: &str| {
        let scheme = scheme.to_owned();
        move |refusal: &mut HttpResponse| refusal.www_authenticate = Some(scheme)
    };
    let location = |refusal: &mut HttpResponse| refusal.location = Some(Location::default());
    let follow = "connect to that address, or use --follow";
    check(vec![
        (answered(400, body("sent to HTTPS port")), "this port speaks TLS: try wss://"),
        (
            answered(429, |refusal| refusal.retry_after = Some("120".to_owned())),
            "try again later, or with --wait 120",
        ),
        (
            answered(503, |refusal| refusal.retry_after = Some("Fri, 31 Dec 1999".to_owned())),
            "try again later, or with --wait",
        ),
        (
            answered(503, |refusal| refusal.retry_after = Some("0".to_owned())),
            "try again later, or with --wait",
        ),
        (
            answered(429, |refusal| refusal.retry_after = Some("99999999999".to_owned())),
            "try again later, or with --wait",
        ),
        (
            answered(403, |refusal| refusal.server = Some("envoy".to_owned())),
            "envoy refuses a WebSocket without upgrade_configs (upgrade_type: websocket) in its \
             configuration",
        ),
        (
            answered(503, |refusal| refusal.squid_error = Some("ERR_DNS_FAIL 0".to_owned())),
            "the proxy does not find the host: check its name, or use --no-proxy",
        ),
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
        (408, "try again later, or with --wait"),
        (410, path),
        (414, long),
        (418, ""),
        (421, "the server does not know this host: check its name, and -H 'Host: ...' and --sni"),
        (426, "a proxy on the way may drop the Upgrade header"),
        (429, "try again later, or with --wait"),
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
