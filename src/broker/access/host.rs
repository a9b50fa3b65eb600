//! The `Host` of a request: the name by which the client knows us. A page can make a name of its
//! own lead to this machine (DNS rebinding); then its browser takes us for the page's own server,
//! and sends a Host that is neither an address nor `localhost`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::quoted;

/// Whether no page can have such a name: an address, or `localhost`, with or without a port.
pub fn is_local(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, rest)) => return is_port(rest) && name.parse::<Ipv6Addr>().is_ok(),
            None => return false,
        },
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    is_port(port) && (is_localhost(name) || name.parse::<Ipv4Addr>().is_ok())
}

/// Whether this is the name of every machine for itself (RFC 6761 §6.3).
pub fn is_localhost(name: &str) -> bool {
    name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case("localhost")
}

/// Nothing, or `:` and a port.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').map_or(text.is_empty(), |port| {
        port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
    })
}

/// Why such a Host is refused.
pub fn refusal(host: &str) -> String {
    let host = if host.is_empty() { "\"\"".to_owned() } else { quoted(host) };
    format!(
        "start mqttws serve with --allow-remote to let in clients that call it {host}, which is \
         neither an address nor localhost (DNS rebinding)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_local() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "localhost.",
            "localhost.:1",
            "127.0.0.1",
            "127.0.0.1:8080",
            "192.168.0.7:80",
            "[::1]",
            "[::1]:8080",
            "[fe80::1]:65535",
        ] {
            assert!(is_local(host), "{host}");
        }
    }

    #[test]
    fn names_and_nonsense_are_not() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "localhost..",
            "127.0.0.1.nip.io",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "::1",
            "[::1",
            "[::1]x",
            "[127.0.0.1]",
            "localhost:x",
            "localhost:65536",
            "localhost:80:80",
            "localhost, evil.example",
            "user@localhost",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
    #[test]
    fn a_sentence_about_a_host_has_no_hole() {
        assert!(refusal("").contains("clients that call it \"\", which is"), "{}", refusal(""));
        assert!(refusal("evil.example").contains("call it evil.example, which"));
    }
}
