//! Upgrade requests, written and read.

use super::*;

#[test]
fn the_request_is_what_servers_expect() {
    let offer = |subprotocols: &[String], headers: &[HttpHeader]| {
        Offer::new("/a?b=c", "[::1]:8080", subprotocols, headers, false).unwrap()
    };
    let headers =
        [("Authorization".to_owned(), "Basic c2VjcmV0".to_owned()), ("X-A".into(), "1".into())];
    let first = offer(&["mqtt".into(), "x".into()], &headers);
    let key = &first.key;
    assert_eq!(key.len(), 24);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: mqtt, x\r\n\
         User-Agent: mqttws/{version}\r\nAuthorization: Basic c2VjcmV0\r\nX-A: 1\r\n\r\n"
    );
    assert_eq!(first.request, expected);
    assert_eq!(
        masked(&first.request),
        expected.replace("Basic c2VjcmV0", "***").replace("b=c", "***")
    );
    assert_ne!(offer(&[], &[]).key, *key);
}

#[test]
fn host_and_user_agent_are_replaced_and_no_offer_sends_no_header() {
    let headers = [("host".to_owned(), "other".to_owned()), ("USER-AGENT".into(), "me".into())];
    let request = Offer::new("/mqtt", "h", &[], &headers, false).unwrap().request;
    assert!(
        !request.contains("Host: h\r\n") && request.contains("\r\nhost: other\r\n"),
        "{request}"
    );
    assert_eq!(request.to_lowercase().matches("user-agent").count(), 1);
    assert!(!request.contains("Sec-WebSocket-Protocol"));
}

#[test]
fn headers_cannot_break_the_head_apart() {
    for (name, value) in
        [("A", "b\r\nC: d"), ("A", "b\0"), ("A b", "c"), ("A:", "c"), ("", "c"), ("A\n", "c")]
    {
        let result = Offer::new("/mqtt", "h", &[], &[(name.to_owned(), value.to_owned())], false);
        assert_eq!(result.unwrap_err(), UpgradeError::BadHeader(name.into()));
    }
    assert!(Offer::new("/mqtt", "h", &["a b".into()], &[], false).is_err());
    assert!(Offer::new("/mqtt", "h", &[], &[("A".into(), "ü\tx".into())], false).is_ok());
}

#[test]
fn secrets_are_masked_in_heads() {
    let head = "GET / HTTP/1.1\r\nCookie: a\r\nproxy-authorization: b\r\nX-Api-Key: c\r\n\
                Sec-WebSocket-Key: d\r\n\r\n";
    let shown = "GET / HTTP/1.1\r\nCookie: ***\r\nproxy-authorization: ***\r\n\
                 X-Api-Key: ***\r\nSec-WebSocket-Key: d\r\n\r\n";
    assert_eq!(masked(head), shown);
}

#[test]
fn a_server_reads_requests() {
    let text = "GET /mqtt?x HTTP/1.1\r\nHost: h\r\nupgrade: WebSocket\r\n\
                Connection: keep-alive, Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Protocol: mqttv3.1,mqtt\r\nSec-WebSocket-Protocol: x\r\n\r\n";
    for cut in 0..text.len() {
        assert_eq!(parse_request(&text.as_bytes()[..cut]), Ok(None), "{cut}");
    }
    let (request, length) = parse_request(format!("{text}\u{2}more").as_bytes()).unwrap().unwrap();
    assert_eq!(length, text.len());
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/mqtt?x"));
    assert!(request.is_upgrade());
    assert_eq!(request.key.as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(request.version.as_deref(), Some("13"));
    assert_eq!(request.protocols, ["mqttv3.1", "mqtt", "x"]);
    assert_eq!(request.header("HOST").as_deref(), Some("h"));
    assert_eq!(request.header("Origin"), None);
}

#[test]
fn a_target_may_be_a_whole_uri() {
    for (target, authority, path) in [
        ("/mqtt?a=http://b", None, "/mqtt?a=http://b"),
        ("http://127.0.0.1:80/mqtt?x=/", Some("127.0.0.1:80"), "/mqtt?x=/"),
        ("HTTPS://h/", Some("h"), "/"),
        ("http://h?x=/", Some("h"), "/?x=/"),
        ("http://h", Some("h"), "/"),
        ("ftp://h/mqtt", None, "ftp://h/mqtt"),
        ("*", None, "*"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\n\r\n");
        let (request, _) = parse_request(head.as_bytes()).unwrap().unwrap();
        let read = (request.authority.as_deref(), request.target.as_str());
        assert_eq!(read, (authority, path), "{target}");
    }
}

#[test]
fn a_server_refuses_what_is_no_request() {
    // MQTT CONNECT, TLS ClientHello: refused without waiting for more.
    for bytes in [&[0x10, 0x0e][..], &[0x16, 0x03, 0x01]] {
        assert!(matches!(parse_request(bytes), Err(RequestError::Malformed(_))));
    }
    assert!(matches!(parse_request(b"GET\r\n\r\n"), Err(RequestError::Malformed(_))));
    let long = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(20_000));
    assert_eq!(parse_request(long.as_bytes()), Err(RequestError::TooLarge));
    assert_eq!(parse_request(format!("{long}\r\n").as_bytes()), Err(RequestError::TooLarge));
}

#[test]
fn our_own_request_is_one_a_server_takes() {
    let offer = Offer::new("/mqtt", "h", &["mqtt".into()], &[], false).unwrap();
    let (request, length) = parse_request(offer.request.as_bytes()).unwrap().unwrap();
    assert_eq!(length, offer.request.len());
    assert!(request.is_upgrade());
    assert_eq!(request.protocols, ["mqtt"]);
}

#[test]
fn headers_that_may_hold_secrets_are_masked() {
    for name in [
        "Authorization",
        "cookie",
        "X-Api-Key",
        "Ocp-Apim-Subscription-Key",
        "X-Auth",
        "X-Session-Id",
        "X-Amz-Security-Token",
        "X-Amz-Credential",
    ] {
        assert_eq!(masked(&format!("{name}: s3cret\r\n")), format!("{name}: ***\r\n"));
    }
    for line in ["Sec-WebSocket-Key: x\r\n", "WWW-Authenticate: Basic\r\n", "X-Lab: 1\r\n"] {
        assert_eq!(masked(line), line);
    }
}
