//! The response of a server to an upgrade request (RFC 6455 §4.2).

use super::{HttpHeader, Request, accept_key, has_token, shortened};

/// The subprotocols that the server accepts, those that it prefers first: the name that it must
/// answer `[MQTT-6.0.0-4]`, and the name that MQTT 3.1 was used with.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// How much of what a client asked for is repeated to it, in characters.
const SHOWN: usize = 200;

/// A response that refuses the upgrade and ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code and its reason phrase.
    pub status: &'static str,
    /// The body: why the upgrade is refused.
    pub sentence: String,
    body: ResponseBody,
}

/// Whether a response has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseBody {
    Sent,
    /// It answers HEAD (RFC 9110 §9.3.2).
    LeftOut,
}

/// The head of the 101 response to a request for `path`, or the refusal.
pub fn answer(request: &Request, path: &str) -> Result<String, Refusal> {
    check_host(request)?;
    check_request(request, path)?;
    if has_body(request) {
        return Err(bad("the request has a body; one for an upgrade has no body".to_owned()));
    }
    let Some(key) = &request.key else {
        return Err(bad("the request has no Sec-WebSocket-Key".to_owned()));
    };
    if !is_key(key) {
        return Err(bad("the Sec-WebSocket-Key is not 16 bytes in base64".to_owned()));
    }
    let is_offered = |name: &&str| request.protocols.iter().any(|offer| offer == name);
    let Some(subprotocol) = SUBPROTOCOLS.into_iter().find(is_offered) else {
        return Err(bad(no_subprotocol(&request.protocols)));
    };
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n",
        accept_key(key)
    ))
}

fn bad(sentence: String) -> Refusal {
    Refusal::new("400 Bad Request", sentence)
}

/// Checks that a request of HTTP/1.1 has one Host header (RFC 9112 §3.2).
fn check_host(request: &Request) -> Result<(), Refusal> {
    let is_host = |(name, _): &&HttpHeader| name.eq_ignore_ascii_case("Host");
    match request.headers.iter().filter(is_host).count() {
        1 => Ok(()),
        0 if request.minor_version == 0 => Ok(()),
        0 => Err(bad("the request has no Host header".to_owned())),
        count => Err(bad(format!("the request has {count} Host headers, one is allowed"))),
    }
}

/// Whether the request asks for a WebSocket at `path`, in the only version.
fn check_request(request: &Request, path: &str) -> Result<(), Refusal> {
    let refused = |status, sentence: String| Err(Refusal::new(status, sentence));
    let asked = request.target.split('?').next().unwrap_or_default();
    if asked != path {
        let sentence = format!("mqttws serve listens at {path}, not at {}", shown(asked));
        return refused("404 Not Found", sentence);
    }
    if let Some(reason) = no_upgrade(request) {
        let sentence =
            format!("this is an MQTT broker: it takes WebSocket upgrades only, and {reason}");
        return refused("426 Upgrade Required", sentence);
    }
    let version = request.version.as_deref().unwrap_or("none");
    if version != "13" {
        let sentence =
            format!("only version 13 of WebSocket is spoken here, not {}", shown(version));
        return refused("426 Upgrade Required", sentence);
    }
    Ok(())
}

/// Whether a body is announced (RFC 9112 §6), which would be taken for frames.
fn has_body(request: &Request) -> bool {
    let announces = |(name, value): &HttpHeader| {
        name.eq_ignore_ascii_case("Transfer-Encoding")
            || name.eq_ignore_ascii_case("Content-Length") && value != "0"
    };
    request.headers.iter().any(announces)
}

/// The reason why a request asks for no WebSocket (RFC 6455 §4.2.1).
fn no_upgrade(request: &Request) -> Option<String> {
    if request.is_upgrade() {
        return None;
    }
    Some(if request.method != "GET" {
        format!("{} is none", shown(&request.method))
    } else if request.minor_version != 1 {
        "HTTP/1.0 has none".to_owned()
    } else if !has_token(&request.headers, "Upgrade", "websocket") {
        "the request has no header Upgrade: websocket".to_owned()
    } else {
        "the request has no header Connection: Upgrade (proxies remove it unless told)".to_owned()
    })
}

/// Whether these are 16 bytes in base64 (RFC 6455 §4.2.1). The four bits that the last digit has
/// too many may be set: some clients write random digits.
fn is_key(key: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let digits = key.strip_suffix("==");
    digits.is_some_and(|digits| digits.len() == 22 && digits.bytes().all(is_digit))
}

fn no_subprotocol(offered: &[String]) -> String {
    let wanted = "the subprotocol must be mqtt (or mqttv3.1)";
    if offered.is_empty() {
        format!("{wanted}; none was offered: in a browser, new WebSocket(url, \"mqtt\")")
    } else {
        format!("{wanted}, not {}", shown(&offered.join(", ")))
    }
}

/// What a client asked for, not longer than a line.
fn shown(text: &str) -> String {
    let beginning = shortened(text, SHOWN);
    if beginning.len() < text.len() { beginning + "..." } else { beginning }
}

impl Refusal {
    /// One with this status code and reason phrase, and this body.
    pub fn new(status: &'static str, sentence: String) -> Self {
        Self { status, sentence, body: ResponseBody::Sent }
    }

    /// The same as the answer to this request.
    #[must_use]
    pub fn of(self, request: &Request) -> Self {
        let is_head = request.method == "HEAD";
        let body = if is_head { ResponseBody::LeftOut } else { self.body };
        Self { body, ..self }
    }

    /// The whole response.
    pub fn response(&self) -> String {
        let Self { status, sentence, body } = self;
        let hint = if status.starts_with("426") {
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        } else {
            ""
        };
        let head = format!(
            "HTTP/1.1 {status}\r\n{hint}Connection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            sentence.len() + 1
        );
        match body {
            ResponseBody::Sent => format!("{head}{sentence}\n"),
            ResponseBody::LeftOut => head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_request;
    use super::*;

    fn status_for(request: &str) -> (String, String) {
        let (request, _) = parse_request(request.as_bytes()).unwrap().unwrap();
        match answer(&request, "/mqtt") {
            Ok(head) => ("101".to_owned(), head),
            Err(refusal) => (refusal.status[..3].to_owned(), refusal.response()),
        }
    }

    const GOOD: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    #[test]
    fn a_good_request_is_accepted() {
        let (status, head) = status_for(GOOD);
        assert_eq!(status, "101");
        // RFC 6455 §1.3
        assert!(
            head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{head}");
        assert_eq!(status_for(&GOOD.replace("/mqtt", "/mqtt?token=1")).0, "101");
    }

    #[test]
    fn the_answer_is_mqtt_wherever_it_is_offered() {
        for (offer, answered) in [
            ("mqttv3.1", "mqttv3.1"),
            ("stomp, mqttv3.1", "mqttv3.1"),
            ("mqttv3.1, mqtt", "mqtt"),
            ("stomp, mqttv3.1\r\nSec-WebSocket-Protocol: mqtt", "mqtt"),
        ] {
            let (_, head) =
                status_for(&GOOD.replace("Protocol: mqtt", &format!("Protocol: {offer}")));
            assert!(
                head.contains(&format!("\r\nSec-WebSocket-Protocol: {answered}\r\n")),
                "{head}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused_in_a_sentence() {
        let table = [
            ("GET /mqtt ", "GET /other?x ", "404", "mqttws serve listens at /mqtt, not at /other"),
            ("GET ", "POST ", "426", "WebSocket upgrades only, and POST is none\n"),
            ("HTTP/1.1", "HTTP/1.0", "426", "and HTTP/1.0 has none\n"),
            ("Upgrade: websocket\r\n", "", "426", "and the request has no header Upgrade: web"),
            ("Connection: Upgrade\r\n", "", "426", "no header Connection: Upgrade (proxies"),
            ("Version: 13", "Version: 8", "426", "Sec-WebSocket-Version: 13\r\n"),
            ("Version: 13", "Version: 8", "426", "WebSocket is spoken here, not 8\n"),
            ("Protocol: mqtt", "Protocol: stomp", "400", "must be mqtt (or mqttv3.1), not stomp"),
            ("Sec-WebSocket-Protocol: mqtt\r\n", "", "400", "none was offered: in a browser, new"),
            ("Host: localhost\r\n", "", "400", "the request has no Host header\n"),
            ("Host: ", "Host: a\r\nhost: ", "400", "the request has 2 Host headers, one is"),
            ("Host: ", "content-length: 5\r\nHost: ", "400", "one for an upgrade has no body\n"),
            ("Host: ", "Transfer-Encoding: x\r\nHost: ", "400", "one for an upgrade has no body\n"),
            ("Host: ", "Content-Length: 0\r\nHost: ", "101", "HTTP/1.1 101 "),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400", "no Sec-WebSocket-Key"),
            // 15 bytes, 17 bytes, and no base64.
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", "400", "not 16 bytes"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE=", "400", "not 16 bytes"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ", "400", "not 16 bytes"),
        ];
        for (from, to, status, words) in table {
            let (got, response) = status_for(&GOOD.replacen(from, to, 1));
            assert_eq!(got, status, "{to}");
            assert!(response.contains(words), "{response}");
        }
    }

    #[test]
    fn head_is_answered_without_a_body() {
        let (request, _) = parse_request(GOOD.replace("GET", "HEAD").as_bytes()).unwrap().unwrap();
        let response = answer(&request, "/mqtt").unwrap_err().of(&request).response();
        assert!(response.starts_with("HTTP/1.1 426 "), "{response}");
        assert!(response.ends_with("\r\n\r\n"), "{response}");
    }

    #[test]
    fn what_is_repeated_is_short() {
        let (_, response) = status_for(&GOOD.replace("/mqtt ", &format!("/{} ", "x".repeat(9000))));
        let sentence = format!("not at /{}...\n", "x".repeat(SHOWN - 1));
        assert!(response.ends_with(&sentence), "{response}");
    }
}
