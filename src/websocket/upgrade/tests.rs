//! Responses to the upgrade, good and bad, cut anywhere.

use super::response::AcceptedUpgrade;
use super::*;

/// The example of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn offer(subprotocols: &[&str], strict: bool) -> Offer {
    let subprotocols: Vec<_> = subprotocols.iter().map(|&name| name.to_owned()).collect();
    Offer { key: KEY.into(), ..Offer::new("/mqtt", "host", &subprotocols, &[], strict).unwrap() }
}

fn good(extra: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n{extra}\r\n"
    )
}

/// Feeds `parts` and ends the connection. Returns the result, and after how many parts it was
/// known.
fn judge(parts: &[&[u8]], offer: &Offer) -> (Result<AcceptedUpgrade, UpgradeError>, usize) {
    let mut answer = Response::default();
    for (number, part) in parts.iter().enumerate() {
        match answer.feed(part, offer) {
            Ok(None) => {}
            Ok(Some(accepted)) => return (Ok(accepted), number + 1),
            Err(error) => return (Err(error), number + 1),
        }
    }
    (Err(answer.end()), parts.len())
}

fn verdict(answer: &str) -> Result<AcceptedUpgrade, UpgradeError> {
    judge(&[answer.as_bytes()], &offer(&["mqtt"], false)).0
}

fn refused(answer: &str) -> HttpResponse {
    match verdict(answer) {
        Err(UpgradeError::Status(refusal)) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_accept_key_is_that_of_the_rfc() {
    assert_eq!(accept_key(KEY), ACCEPT);
}

#[test]
fn an_answer_cut_at_every_byte_is_the_same_answer() {
    let offer = offer(&["mqtt"], false);
    let whole = format!("{}\u{2}frames", good("Sec-WebSocket-Protocol: mqtt\r\n"));
    let head = whole.len() - "\u{2}frames".len();
    for cut in 0..whole.len() {
        let (first, second) = whole.as_bytes().split_at(cut);
        let (accepted, parts) = judge(&[first, second], &offer);
        let accepted = accepted.unwrap();
        assert_eq!(parts, if cut < head { 2 } else { 1 });
        let arrived = if cut < head { &whole.as_bytes()[head..] } else { &first[head..] };
        assert_eq!(accepted.leftover, arrived);
        assert_eq!(accepted.subprotocol.as_deref(), Some("mqtt"));
        let expected = if cut == 0 { UpgradeError::Closed } else { UpgradeError::Truncated };
        if cut < head {
            assert_eq!(judge(&[first], &offer).0, Err(expected));
        }
    }
}

#[test]
fn a_refusal_cut_at_every_byte_is_the_same_refusal() {
    let offer = offer(&["mqtt"], false);
    let rows = [
        "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 403 No\nContent-Type: text/plain\n\n\nhello\nworld",
        "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nhello\n",
    ];
    for whole in rows {
        for cut in 0..whole.len() {
            let (first, second) = whole.as_bytes().split_at(cut);
            let Err(UpgradeError::Status(refusal)) = judge(&[first, second], &offer).0 else {
                panic!("{whole} {cut}")
            };
            assert_eq!((refusal.status, refusal.reason.as_str()), (403, "No"));
            // The last chunk may be cut off: the text has already arrived.
            assert_eq!(refusal.body.title.as_deref(), Some("hello"), "{whole} cut at {cut}");
        }
        let bytes: Vec<_> = whole.as_bytes().chunks(1).collect();
        assert!(matches!(judge(&bytes, &offer).0, Err(UpgradeError::Status(_))));
    }
}

#[test]
fn dripped_bytes_cost_linear_time() {
    // Quadratic, this would search 2 GB.
    let offer = offer(&["mqtt"], false);
    let line = format!("X-Fill: {}\r\n", "a".repeat(50));
    let whole = good(&format!("{}Sec-WebSocket-Protocol: mqtt\r\n", line.repeat(1000)));
    let bytes: Vec<_> = whole.as_bytes().chunks(1).collect();
    assert!(judge(&bytes, &offer).0.is_ok());
}

#[test]
fn heads_are_limited() {
    let offer = offer(&[], false);
    let line: &[u8] = b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
    let mut parts: Vec<&[u8]> = vec![b"HTTP/1.1 101 OK\r\n"];
    parts.extend(std::iter::repeat_n(line, 2000));
    let (result, at) = judge(&parts, &offer);
    assert_eq!(result, Err(UpgradeError::HeadTooLarge));
    assert!(at <= HEAD_LIMIT.div_ceil(line.len()) + 1);
    let interim: Vec<&[u8]> = vec![b"HTTP/1.1 102 Wait\r\nX: y\r\n\r\n"; 9000];
    assert_eq!(judge(&interim, &offer).0, Err(UpgradeError::HeadTooLarge));
}

#[test]
fn harmless_deviations_of_the_head_are_taken() {
    let rows = [
        good("Sec-WebSocket-Protocol: mqtt\r\n"),
        good("sec-websocket-protocol:mqtt\r\n"),
        good("Sec-WebSocket-Protocol:   mqtt \t\r\nX-Unknown: \u{fc}\r\n"),
        good("Sec-WebSocket-Protocol: mqtt\r\n").replace("Switching Protocols", "OK"),
        good("Sec-WebSocket-Protocol: mqtt\r\n").replace(" Switching Protocols", ""),
        good("Sec-WebSocket-Protocol: mqtt\r\n").replace("\r\n", "\n"),
        good("Sec-WebSocket-Protocol: mqtt\r\n")
            .replace("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        good("Sec-WebSocket-Protocol: mqtt\r\n")
            .replace("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
        good("Sec-WebSocket-Protocol: mqtt\r\n")
            .replace("Upgrade: websocket", "UPGRADE: WebSocket"),
        good("Sec-WebSocket-Extensions: \r\nSec-WebSocket-Protocol: mqtt\r\n"),
        format!("HTTP/1.1 100 Continue\r\n\r\n{}", good("Sec-WebSocket-Protocol: mqtt\r\n")),
    ];
    for answer in rows {
        let accepted = verdict(&answer).unwrap_or_else(|error| panic!("{answer}: {error:?}"));
        assert_eq!(
            (accepted.subprotocol.as_deref(), accepted.warnings.len()),
            (Some("mqtt"), 0),
            "{answer}"
        );
    }
}

#[test]
fn faults_of_the_head_are_refused() {
    let rows = [
        (good("").replace("Upgrade: websocket\r\n", ""), BadUpgrade::NoUpgrade),
        (good("").replace("Upgrade: websocket", "Upgrade: h2c"), BadUpgrade::NoUpgrade),
        (good("").replace("Connection: Upgrade", "Connection: close"), BadUpgrade::NoConnection),
        (good("").replace("Sec-WebSocket-Accept", "X"), BadUpgrade::NoAccept),
        (good("").replace(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="), BadUpgrade::WrongAccept),
        (good("").replace(ACCEPT, &ACCEPT.to_lowercase()), BadUpgrade::WrongAccept),
        (
            good("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            BadUpgrade::Extension("permessage-deflate".into()),
        ),
    ];
    for (answer, fault) in rows {
        assert_eq!(verdict(&answer), Err(UpgradeError::Bad(fault)));
    }
}

#[test]
fn subprotocols_are_taken_warned_of_or_refused() {
    enum Verdict {
        Good,
        Warned,
        Refused,
    }
    use Verdict::{Good, Refused, Warned};
    let rows: &[(&[&str], Option<&str>, Verdict)] = &[
        (&["mqtt"], Some("mqtt"), Good),
        (&["mqttv3.1"], Some("mqttv3.1"), Good),
        (&["a", "mqtt"], Some("a"), Good),
        (&["binary"], Some("binary"), Good),
        (&[], None, Good),
        (&["mqtt"], None, Warned),
        (&["mqtt"], Some(""), Warned),
        (&["mqttv3.1"], Some("mqtt"), Warned),
        (&["mqtt"], Some("mqttv5"), Warned),
        (&["mqtt"], Some("MQTT"), Warned),
        (&["mqtt"], Some("mqtt, mqttv3.1"), Warned),
        (&["mqtt", "mqttv3.1"], Some("mqtt, mqttv3.1"), Warned),
        (&["mqtt"], Some("stomp,mqtt"), Warned),
        (&[], Some("mqtt"), Warned),
        (&["mqtt"], Some("stomp"), Refused),
        (&["mqtt"], Some("v12.stomp, amqp"), Refused),
        (&["mqtt"], Some("binary"), Refused),
        (&[], Some("nats"), Refused),
        (&["mqtt"], Some("mqt"), Refused),
    ];
    for (offered, answered, expected) in rows {
        let header =
            answered.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let answer = good(&header);
        let lenient = judge(&[answer.as_bytes()], &offer(offered, false)).0;
        let strict = judge(&[answer.as_bytes()], &offer(offered, true)).0;
        match expected {
            Good => {
                assert_eq!(lenient.unwrap().warnings.len(), 0, "{offered:?} {answered:?}");
                assert!(strict.is_ok());
            }
            Warned => {
                assert_eq!(lenient.unwrap().warnings.len(), 1, "{offered:?} {answered:?}");
                let error = strict.unwrap_err();
                assert!(matches!(
                    error,
                    UpgradeError::Bad(BadUpgrade::Subprotocol { tolerable: true, .. })
                ));
            }
            Refused => {
                let error = lenient.unwrap_err();
                assert!(matches!(
                    error,
                    UpgradeError::Bad(BadUpgrade::Subprotocol { tolerable: false, .. })
                ));
            }
        }
    }
}

#[test]
fn refusals_carry_what_the_user_must_see() {
    let refusal = refused(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nServer: nginx/1.2\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(refusal.www_authenticate.as_deref(), Some("Basic realm=\"x\""));
    assert_eq!(refusal.server.as_deref(), Some("nginx/1.2"));
    assert_eq!(
        UpgradeError::Status(Box::new(refusal)).to_string(),
        "the server answered HTTP 401 Unauthorized (nginx/1.2): Basic realm=\"x\""
    );
    let refusal =
        refused("HTTP/1.1 301 Moved\r\nLocation: https://other/\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        UpgradeError::Status(Box::new(refusal)).to_string(),
        "the server answered HTTP 301 Moved, pointing to https://other/"
    );
    let refusal = refused(
        "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(refusal.websocket_version.as_deref(), Some("13, 8"));
    let refusal = refused(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ForbiddenException\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"m\":\"x\"}",
    );
    assert_eq!(
        UpgradeError::Status(Box::new(refusal)).to_string(),
        "the server answered HTTP 403 Forbidden: ForbiddenException: {\"m\":\"x\"}"
    );
}

#[test]
fn bodies_are_told_in_one_line() {
    let page = "<!doctype html>\n<html><head><TITLE>\n Welcome \u{1b}[2J</TITLE></head>";
    let refusal =
        refused(&format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\n\r\n{page}"));
    assert_eq!(refusal.body.title.as_deref(), Some("Welcome \u{1b}[2J"));
    let long = "x".repeat(5000);
    let rows = [
        ("HTTP/1.1 400 Bad\r\n\r\n\r\n\n  no\u{7}pe\r\nmore".into(), Some("no\u{7}pe".to_owned())),
        (format!("HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n{long}"), Some("x".repeat(200))),
        ("HTTP/1.1 400 Bad\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n".into(), None),
        ("HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n".into(), None),
        ("HTTP/1.1 204 None\r\n\r\n".into(), None),
        ("HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(), None),
        (
            "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab".into(),
            Some("ab".into()),
        ),
        (
            "HTTP/1.1 400 Bad\r\n\r\n\n<!DOCTYPE html><title>Away</title>".into(),
            Some("Away".into()),
        ),
        (
            "HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\n<HTML\n><title>Off</title>".into(),
            Some("Off".into()),
        ),
        ("HTTP/1.1 400 Bad\r\n\r\n\u{feff}<html><h1>Bad</h1>".into(), None),
        ("HTTP/1.1 400 Bad\r\n\r\n<htmlish>".into(), Some("<htmlish>".into())),
        (
            "HTTP/1.1 400 Bad\r\n\r\n<?xml version=\"1.0\"?>\n<Error><Code>Denied</Code>\n\
             <Message>No &amp; no</Message></Error>"
                .into(),
            Some("Denied No & no".into()),
        ),
    ];
    for (answer, body) in rows {
        assert_eq!(refused(&answer).body.title, body, "{answer:.80}");
    }
}

#[test]
fn a_refusal_waits_for_its_body_only_while_one_is_promised() {
    let offer = offer(&["mqtt"], false);
    let mut answer = Response::default();
    assert_eq!(
        answer.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nabc", &offer),
        Ok(None)
    );
    assert_eq!(answer.drained(), Ok(()));
    assert!(answer.head().starts_with("HTTP/1.1 404"));
    let Err(UpgradeError::Status(refusal)) = answer.expire() else {
        panic!("the deadline reports it")
    };
    assert_eq!(refusal.body.title.as_deref(), Some("abc"));

    let mut answer = Response::default();
    assert_eq!(answer.feed(b"HTTP/1.1 404 Not Found\r\n\r\nabc", &offer), Ok(None));
    assert!(matches!(answer.drained(), Err(UpgradeError::Status(_))));

    let mut answer = Response::default();
    assert_eq!(answer.feed(b"HTTP/1.1 404", &offer), Ok(None));
    assert_eq!((answer.drained(), answer.expire()), (Ok(()), Ok(())));
}

#[test]
fn who_does_not_speak_http_is_recognised_at_once() {
    let offer = offer(&["mqtt"], false);
    let other = |text: &str| NotHttp::Other(text.into());
    let rows: &[(&[u8], NotHttp)] = &[
        (&[0x20, 0x02, 0x00, 0x00], NotHttp::Mqtt),
        (&[0x15, 0x03, 0x03, 0x00, 0x02], NotHttp::Tls),
        (&[0x16, 0x03, 0x01], NotHttp::Tls),
        (&[0x00, 0x00, 0x12, 0x04, 0, 0, 0, 0, 0], NotHttp::Http2),
        (b"PRI * HTTP/2.0\r\n", NotHttp::Http2),
        (b"SSH-2.0-x\r\n", other("SSH-2.0-x\\r\\n")),
        (b"HTTP/2 200\r\n", NotHttp::Http2),
        (b"\xff\x00\x1b", other("\\xff\\x00\\x1b")),
    ];
    for (bytes, foreign) in rows {
        assert_eq!(judge(&[bytes], &offer).0, Err(UpgradeError::NotHttp(foreign.clone())));
    }
    // One byte at a time, the first byte that decides it.
    let connack: Vec<&[u8]> = b"\x20\x02\0\x05".chunks(1).collect();
    assert_eq!(judge(&connack, &offer), (Err(UpgradeError::NotHttp(NotHttp::Mqtt)), 4));
    let blanks: (&[u8], &[u8]) = (b" ", b" x");
    assert_eq!(judge(&[blanks.0, blanks.1], &offer).0, Err(UpgradeError::NotHttp(other("  x"))));
    // What does not become clear is shown, too.
    assert_eq!(judge(&[b"\x20\x02"], &offer).0, Err(UpgradeError::NotHttp(other(" \\x02"))));
    let mut answer = Response::to(&offer);
    assert_eq!(answer.feed(b"\0\0", &offer), Ok(None));
    assert_eq!(answer.expire(), Err(UpgradeError::NotHttp(other("\\x00\\x00"))));
    assert_eq!(judge(&[b"HTTP/1", b".1"], &offer), (Err(UpgradeError::Truncated), 2));
}

#[test]
fn malformed_heads_are_refused() {
    for answer in [
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        "HTTP/1.x 200 OK\r\n\r\n",
    ] {
        assert!(matches!(verdict(answer), Err(UpgradeError::Malformed(_))), "{answer}");
    }
}

#[test]
fn every_single_byte_corruption_gives_a_verdict() {
    let offer = offer(&["mqtt"], false);
    let rows = [
        good("Sec-WebSocket-Protocol: mqtt\r\n"),
        "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n".into(),
    ];
    for whole in rows {
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let _ = judge(&[&bytes], &offer);
            }
        }
    }
}
