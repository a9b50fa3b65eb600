//! Proxies over loopback and over recorded bytes.

use std::collections::VecDeque;

use super::*;

#[test]
fn urls_of_proxies_are_read() {
    let rows = [
        ("http://host:3128", "http://host:3128", None),
        ("host:3128", "http://host:3128", None),
        ("host", "http://host:1080", None),
        ("HTTPS://host/", "https://host:443", None),
        ("socks5://ann:s%3Acret@[::1]:9", "socks5://[::1]:9", Some(("ann", "s:cret"))),
        ("socks5h://host", "socks5h://host:1080", None),
        ("http://ann@host", "http://host:1080", Some(("ann", ""))),
    ];
    for (url, shown, user) in rows {
        let proxy = Proxy::parse(url).unwrap();
        assert_eq!(
            (proxy.to_string(), format!("{proxy:?}")),
            (shown.to_owned(), format!("Proxy({shown})"))
        );
        assert_eq!(
            proxy.user,
            user.map(|(name, password)| (name.to_owned(), password.to_owned())),
            "{url}"
        );
    }
    for url in [
        "",
        "socks4://host",
        "ftp://host",
        "http://",
        "host:0",
        "host:x",
        "a b",
        "socks5://ann@host",
    ] {
        assert!(Proxy::parse(url).is_err(), "{url}");
    }
    assert!(!Proxy::parse("socks5://ann:@host").unwrap_err().to_string().contains("ann"));
}

#[test]
fn exempt_hosts_are_those_of_curl() {
    let holds = |list: &str, host: &str, port| Exempt::parse(list).holds(host, port);
    for (list, host) in [
        ("*", "anything"),
        ("example.org", "example.org"),
        ("example.org", "a.b.EXAMPLE.org"),
        (".example.org", "example.org"),
        ("a,  example.org.", "www.example.org."),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.9.8.7"),
        ("0.0.0.0/0", "10.9.8.7"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::/10", "fe80::1%eth0"),
        ("example.org:80", "example.org"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "::1"),
        (".Bücher.example", "a.xn--bcher-kva.example"),
    ] {
        assert!(holds(list, host, 80), "{list} {host}");
    }
    for (list, host) in [
        ("", "localhost"),
        ("example.org", "badexample.org"),
        ("www.example.org", "example.org"),
        ("example.org:443", "example.org"),
        ("0.1", "127.0.0.1"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/33", "10.0.0.1"),
        ("a,*", "b"),
        ("::/0", "127.0.0.1"),
        (".", "host"),
    ] {
        assert!(!holds(list, host, 80), "{list} {host}");
    }
}

#[test]
fn each_scheme_has_its_proxy() {
    let proxy = |url| Some(Ok(Proxy::parse(url).unwrap()));
    let proxies = Proxies { ws: proxy("a:1"), wss: proxy("https://b"), exempt: Exempt::parse("c") };
    let towards = |url| {
        let proxy = proxies.towards(&Endpoint::parse(url).unwrap());
        proxy.map(|proxy| proxy.unwrap().to_string())
    };
    assert_eq!(towards("ws://h").as_deref(), Some("http://a:1"));
    assert_eq!(towards("wss://h").as_deref(), Some("https://b:443"));
    assert_eq!(towards("ws://c"), None);
    assert!(proxies.need_tls() && !Proxies::default().need_tls());
}

/// A proxy that has sent everything before it was asked, and the bytes that it received.
#[derive(Default)]
struct Recorded {
    says: VecDeque<u8>,
    heard: Vec<u8>,
}

impl Read for Recorded {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.says.read(target)
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn recorded(says: &[u8]) -> Recorded {
    Recorded { says: says.iter().copied().collect(), heard: Vec::new() }
}

fn socks(says: &[u8], user: Option<(&str, &str)>, host: &str) -> (Result<(), String>, Recorded) {
    let mut stream = recorded(says);
    let result = socks::connect(&mut stream, user, &Target::of(host), 0x1234, &|_| {});
    (result.map_err(|error| error.message_about("P")), stream)
}

#[test]
fn socks_requests_are_those_of_the_rfc() {
    let good = b"\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x50early";
    let (result, stream) = socks(good, None, "127.0.0.1");
    assert_eq!(
        (result, stream.heard.as_slice()),
        (Ok(()), &b"\x05\x01\0\x05\x01\0\x01\x7f\0\0\x01\x12\x34"[..])
    );
    assert_eq!(stream.says, b"early");
    let (result, stream) = socks(b"\x05\x00\x05\x00\x00\x03\x02ab\x00\x50", None, "host");
    assert_eq!(
        (result, stream.heard.as_slice()),
        (Ok(()), &b"\x05\x01\0\x05\x01\0\x03\x04host\x12\x34"[..])
    );
    let six = [&b"\x05\x02\x01\x00\x05\x00\x00\x04"[..], &[0; 18]].concat();
    let (result, stream) = socks(&six, Some(("ann", "pw")), "::1%lo");
    let heard =
        b"\x05\x02\0\x02\x01\x03ann\x02pw\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34";
    assert_eq!((result, stream.heard.as_slice()), (Ok(()), &heard[..]));
}

#[test]
fn socks_refusals_have_their_words() {
    type Row<'a> = (&'a [u8], Option<(&'a str, &'a str)>, &'a str);
    let rows: &[Row<'_>] = &[
        (b"", None, "the proxy P closed the connection"),
        (b"\x05", None, "the proxy P closed the connection"),
        (b"HTTP/1.1 400 Bad Request", None, "the proxy P does not speak SOCKS 5 (it sent 0x48)"),
        (b"\x05\xff", None, "the proxy P wants a user name and a password"),
        (b"\x05\x02", None, "the proxy P wants a user name and a password"),
        (
            b"\x05\xff",
            Some(("a", "b")),
            "the proxy P accepts neither a user name and a password nor a connection without them",
        ),
        (
            b"\x05\x02\x01\x01",
            Some(("a", "b")),
            "the proxy P refused the user name or the password",
        ),
        (
            b"\x05\x00\x05\x01\0\x01",
            None,
            "the proxy P could not connect to the server: general failure",
        ),
        (
            b"\x05\x00\x05\x02\0\x01",
            None,
            "the proxy P could not connect to the server: not allowed by its rules",
        ),
        (
            b"\x05\x00\x05\x04\0\x01",
            None,
            "the proxy P could not connect to the server: host unreachable",
        ),
        (b"\x05\x00\x05\x63\0\x01", None, "the proxy P refused with code 99"),
        (b"\x05\x00\x05\x00\0\x09", None, "the proxy P does not speak SOCKS 5 (it sent 0x09)"),
        (b"\x05\x00\x05\x00\0\x01\x01", None, "the proxy P closed the connection"),
    ];
    for (says, user, words) in rows {
        assert_eq!(socks(says, *user, "h").0, Err((*words).to_owned()), "{says:?}");
    }
    let long = "a".repeat(256);
    assert!(socks(b"", None, &long).0.unwrap_err().contains("255 bytes"));
}

#[test]
fn connect_is_asked_for_with_credentials() {
    let proxy = Proxy::parse("http://ann:s3cret@proxy").unwrap();
    let endpoint = Endpoint::parse("wss://[::1]/mqtt").unwrap();
    let mut stream = recorded(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nearly");
    assert_eq!(http::connect(&mut stream, &proxy, &endpoint, &|_| {}).unwrap(), b"early");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic YW5uOnMzY3JldA==\r\n\
         User-Agent: mqttws/{version}\r\n\r\n"
    );
    assert_eq!(String::from_utf8(stream.heard).unwrap(), expected);
}

#[test]
fn refusals_of_connect_have_their_words() {
    let rows: &[(&str, &str)] = &[
        ("", "the proxy P closed the connection without an HTTP answer"),
        ("HTTP/1.1 2", "the proxy P closed the connection in the middle of its HTTP answer"),
        (
            "HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
            "the proxy P answered HTTP 407 Authenticate: Basic realm=\"x\"",
        ),
        (
            "HTTP/1.0 403 Filtered\r\n\r\nno such port",
            "the proxy P answered HTTP 403 Filtered: no such port",
        ),
        ("SSH-2.0\r\n", "the proxy P does not speak HTTP on this port (it sent \"SSH-2.0\\r\\n\")"),
        (
            "HTTP/1.1 101 Switching\r\n\r\n",
            "the proxy P closed the connection in the middle of its HTTP answer",
        ),
    ];
    let (proxy, endpoint) = (Proxy::parse("p").unwrap(), Endpoint::parse("ws://h").unwrap());
    for (says, words) in rows {
        let error =
            http::connect(&mut recorded(says.as_bytes()), &proxy, &endpoint, &|_| {}).unwrap_err();
        assert_eq!(error.message_about("P"), *words);
        assert!(!error.timed_out());
    }
}
