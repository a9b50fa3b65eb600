//! Addresses as users type them.

use super::*;

#[test]
fn urls_are_read() {
    let rows = [
        ("ws://host", "ws://host/mqtt", "host", 80, "/mqtt"),
        ("ws://host/", "ws://host/", "host", 80, "/"),
        ("WS://host:80/a", "ws://host/a", "host", 80, "/a"),
        ("ws://host:/a", "ws://host/a", "host", 80, "/a"),
        ("ws://host:8080", "ws://host:8080/mqtt", "host", 8080, "/mqtt"),
        ("wss://host", "wss://host/mqtt", "host", 443, "/mqtt"),
        ("wss://host:80/x", "wss://host:80/x", "host", 80, "/x"),
        ("http://a.b_c-d/ws?x=1&y=/", "ws://a.b_c-d/ws?...", "a.b_c-d", 80, "/ws?x=1&y=/"),
        ("https://h?x=@1:2", "wss://h/mqtt?...", "h", 443, "/mqtt?x=@1:2"),
        ("ws://[::1]", "ws://[::1]/mqtt", "::1", 80, "/mqtt"),
        ("ws://[2001:db8::2]:9001/", "ws://[2001:db8::2]:9001/", "2001:db8::2", 9001, "/"),
        ("ws://[fe80::1%25eth0]:9/", "ws://[fe80::1]:9/", "fe80::1%eth0", 9, "/"),
        ("ws://127.0.0.1:65535/%20//", "ws://127.0.0.1:65535/%20//", "127.0.0.1", 65535, "/%20//"),
    ];
    for (url, shown, host, port, target) in rows {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(endpoint.to_string(), shown, "{url}");
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.target.as_str()),
            (host, port, target),
            "{url}"
        );
        assert_eq!(endpoint.user, None, "{url}");
    }
}

#[test]
fn user_information_is_decoded_and_never_shown() {
    let rows = [
        ("ws://ann@h", Some(("ann", None))),
        ("ws://ann:@h", Some(("ann", Some("")))),
        ("ws://a%40b:p%3Aw:x@h/", Some(("a@b", Some("p:w:x")))),
        ("ws://%C3%A4:%e2%82%ac@h/", Some(("ä", Some("€")))),
        ("ws://a:b@c@h/", Some(("a", Some("b@c")))),
        ("ws://@h/", None),
    ];
    for (url, user) in rows {
        let endpoint = Endpoint::parse(url).unwrap();
        let expected = user.map(|(name, password)| (name.to_owned(), password.map(str::to_owned)));
        assert_eq!(endpoint.user, expected, "{url}");
        assert_eq!(endpoint.host, "h");
        assert!(!format!("{endpoint} {endpoint:?} {endpoint:#?}").contains('@'), "{url}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    use EndpointError as E;
    let not = |scheme: &str, instead| E::NotWebSocket { scheme: scheme.into(), instead };
    let rows = [
        ("", E::NoScheme),
        ("host", E::NoScheme),
        ("host:1883/mqtt", E::NoScheme),
        ("mqtt://host", not("mqtt", Scheme::Ws)),
        ("tcp://host", not("tcp", Scheme::Ws)),
        ("MQTTS://host", not("mqtts", Scheme::Wss)),
        ("ssl://host", not("ssl", Scheme::Wss)),
        ("tls://host", not("tls", Scheme::Wss)),
        ("ftp://host", E::UnknownScheme("ftp".into())),
        ("ws://", E::NoHost),
        ("ws:///mqtt", E::NoHost),
        ("ws://:80/", E::NoHost),
        ("ws://user@/", E::NoHost),
        ("ws://host#x", E::Fragment),
        ("ws://host/a#", E::Fragment),
        ("ws://ho st/", E::ForbiddenCharacter(' ')),
        ("ws://host/a b", E::ForbiddenCharacter(' ')),
        ("ws://host/a\r\nX: y", E::ForbiddenCharacter('\r')),
        (" ws://host/", E::Surrounding(' ')),
        ("ws://host/\r", E::Surrounding('\r')),
        ("\u{feff}ws://host/", E::Surrounding('\u{feff}')),
        ("ws://host/\u{7f}", E::ForbiddenCharacter('\u{7f}')),
        ("ws://h\u{202e}öst/", E::BadHost),
        ("ws://ö..st/", E::BadHost),
        ("ws://h%ff/", E::BadHost),
        ("ws://h%2fst/", E::BadHost),
        ("ws://ho%20st/", E::BadHost),
        ("ws://[::1/", E::BadHost),
        ("ws://[::1]x/", E::BadHost),
        ("ws://[host]/", E::BadHost),
        ("ws://::1/", E::BareIpv6),
        ("ws://fe80::1:80/", E::BareIpv6),
        ("ws://host:0/", E::BadPort),
        ("ws://host:65536/", E::BadPort),
        ("ws://host:+80/", E::BadPort),
        ("ws://host:x/", E::BadPort),
        ("ws://a%4:b@host/", E::BadUserInfo),
        ("ws://a%zz@host/", E::BadUserInfo),
        ("ws://a:%ff@host/", E::BadUserInfo),
    ];
    for (url, error) in rows {
        assert_eq!(Endpoint::parse(url), Err(error), "{url:?}");
    }
}

#[test]
fn errors_never_repeat_a_password() {
    // An unencoded character in the password makes each of these mean something else.
    for url in [
        "ws://u:s3cret/x@h",
        "ws://u:s3cret?@h",
        "ws://u:s3cret#@h",
        "mqtt://u:s3cret@h",
        "u:s3cret@h",
        "ws://u:s3 cret@h",
    ] {
        let error = Endpoint::parse(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3"), "{error}");
    }
}

#[test]
fn parts_make_the_same_endpoint_as_a_url() {
    let rows = [
        (Scheme::Ws, "host", None, None, "ws://host"),
        (Scheme::Ws, "host", Some(8080), Some("/"), "ws://host:8080/"),
        (Scheme::Wss, "::1", None, Some("/a?b"), "wss://[::1]/a?b"),
        (Scheme::Wss, "[::1]", Some(443), Some(""), "wss://[::1]"),
        // Only in brackets is it written as in a URL.
        (Scheme::Ws, "fe80::1%eth0", None, None, "ws://[fe80::1%25eth0]"),
        (Scheme::Ws, "fe80::1%25", None, None, "ws://[fe80::1%2525]"),
        (Scheme::Ws, "[fe80::1%25eth0]", None, None, "ws://[fe80::1%25eth0]"),
    ];
    for (scheme, host, port, path, url) in rows {
        assert_eq!(Endpoint::from_parts(scheme, host, port, path), Endpoint::parse(url), "{url}");
    }
    let bad = |host, port, path| Endpoint::from_parts(Scheme::Ws, host, port, path).unwrap_err();
    assert_eq!(bad("", None, None), EndpointError::NoHost);
    assert_eq!(bad("ho st", None, None), EndpointError::ForbiddenCharacter(' '));
    assert_eq!(bad("user@host", None, None), EndpointError::BadHost);
    assert_eq!(bad("host", Some(0), None), EndpointError::BadPort);
    assert_eq!(bad("host", None, Some("mqtt")), EndpointError::BadPath);
    assert_eq!(bad("host", None, Some("/a\n")), EndpointError::Surrounding('\n'));
}

#[test]
fn names_beyond_ascii_are_shown_beside_what_is_looked_up() {
    let rows = [
        ("wss://bücher.example", "wss://bücher.example/mqtt (xn--bcher-kva.example)"),
        ("ws://u:p@BÜCHER.example:1/a?b", "ws://BÜCHER.example:1/a?... (xn--bcher-kva.example)"),
        ("ws://b%C3%BCcher.example/", "ws://b%C3%BCcher.example/ (xn--bcher-kva.example)"),
        ("ws://b\u{ad}ü.x/", "ws://b\\u{ad}ü.x/ (xn--b-eha.x)"),
        ("ws://xn--bcher-kva.example", "ws://xn--bcher-kva.example/mqtt"),
        ("ws://HOST/", "ws://HOST/"),
        ("ws://[fe80::1%25lo]/", "ws://[fe80::1]/"),
    ];
    for (url, described) in rows {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(endpoint.described().to_string(), described);
        assert!(endpoint.to_string().is_ascii() && endpoint.host_header().is_ascii(), "{url}");
    }
    let endpoint = Endpoint::from_parts(Scheme::Wss, "bücher.example", Some(1), None);
    assert_eq!(endpoint, Endpoint::parse("wss://bücher.example:1"));
}

#[test]
fn the_host_header_names_the_port_only_when_it_must() {
    let rows = [
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:443", "h"),
        ("wss://[::1]:1", "[::1]:1"),
    ];
    for (url, header) in rows {
        assert_eq!(Endpoint::parse(url).unwrap().host_header(), header);
    }
}

#[test]
fn the_whole_url_says_the_same() {
    for url in [
        "ws://h/mqtt",
        "wss://h:8443/a/b?c=%20d&e=f",
        "ws://user@h:1883/",
        "ws://a%20b%3A%40:p%2Fq%25%C3%BC@[::1]:80/mqtt?x",
        "ws://:secret@127.0.0.1/mqtt",
        "ws://[fe80::1%25eth0]:9/",
    ] {
        let endpoint = Endpoint::parse(url).expect("an address");
        assert_eq!(Endpoint::parse(&endpoint.secret_url()), Ok(endpoint), "{url}");
    }
}
