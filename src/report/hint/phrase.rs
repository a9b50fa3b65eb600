//! Sentences in the pages of servers and proxies, and what to do about each of them. They stand
//! anywhere in the page, not only in its title.

use super::server::Server;

/// The advice where a page says one of these phrases.
struct Phrase {
    /// Any of them, in lower case.
    said: &'static [&'static str],
    over_ws: &'static str,
    over_wss: &'static str,
}

impl Phrase {
    /// The same advice with and without TLS.
    const fn new(said: &'static [&'static str], advice: &'static str) -> Self {
        Self { said, over_ws: advice, over_wss: advice }
    }
}

pub(super) const CLIENT_CERTIFICATE: &str =
    "the server requires a client certificate: give one with --cert and --key";

/// The request has too many bytes.
pub(super) const TOO_LARGE: &str =
    "the request is too large for the server: shorten the query of the URL or the headers of -H";

/// The first that is said counts.
const PHRASES: [Phrase; 8] = [
    Phrase::new(
        // nginx, IIS, and what others say.
        &[
            "no required ssl certificate",
            "no required tls certificate",
            "have a secure sockets layer (ssl) client certificate",
            "client certificate required",
            "client certificate is required",
            "requires a client certificate",
            "no client certificate",
        ],
        CLIENT_CERTIFICATE,
    ),
    Phrase::new(
        // nginx.
        &["the ssl certificate error"],
        "the server does not accept the client certificate: check --cert, and who has signed it",
    ),
    Phrase::new(
        // Apache, where only a part of the server requires a certificate.
        &["post-handshake authentication"],
        "the server asks for a client certificate only after the TLS handshake, which mqttws does \
         not support: require it for the whole server",
    ),
    Phrase::new(
        // nginx, Apache, IIS, Tomcat.
        &[
            "header or cookie too large",
            "request header field exceeds",
            "request header fields exceeds",
            "request headers is too long",
            "request header is too large",
            "request header too large",
            "limit request headers",
            "header fields too large",
        ],
        TOO_LARGE,
    ),
    Phrase {
        // nginx, Apache, Go, Tomcat; then what servers say that want TLS at another port.
        said: &[
            "sent to https port",
            "ssl-enabled server port",
            "use the https scheme",
            "http request to an https server",
            "is secured with secure sockets layer",
            "requires tls",
            "requires ssl",
            "ssl is required",
            "ssl required",
            "tls is required",
            "tls required",
            "https is required",
            "https required",
        ],
        over_ws: "this port speaks TLS: try wss://",
        over_wss: "a proxy on the way ends TLS and speaks plain HTTP to a port of TLS: configure \
                   the proxy",
    },
    Phrase::new(
        // Apache, Jetty.
        &["server name indication", "invalid sni"],
        "give the name by which the server knows its certificate with --sni, and -H 'Host: ...'",
    ),
    Phrase::new(
        &["proxy protocol", "proxy_protocol"],
        "the server expects the PROXY protocol: connect to the load balancer in front of it, or \
         turn that off",
    ),
    Phrase::new(
        &["subprotocol", "sub-protocol", "sec-websocket-protocol"],
        "try another --subprotocol, or configure the proxy on the way to pass the header \
         Sec-WebSocket-Protocol",
    ),
];

/// The advice for a page with this text in lower case.
pub(super) fn hint(text: &str, server: Server<'_>) -> Option<&'static str> {
    let is_said = |phrase: &&Phrase| phrase.said.iter().any(|said| text.contains(said));
    let phrase = PHRASES.iter().find(is_said)?;
    Some(if server.is_secure() { phrase.over_wss } else { phrase.over_ws })
}
