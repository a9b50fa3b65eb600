//! Origins of web pages (RFC 6454), as the header `Origin` and `--allow-origin` have them.

use std::net::IpAddr;
use std::str::FromStr;

use super::host::is_localhost;
use super::quoted;

/// The origin of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `null`: a page that has none of its own, such as a file or a sandboxed frame.
    Null,
    /// Scheme, host and port.
    Site {
        /// In small letters.
        scheme: String,
        /// In small letters; an IPv6 address in brackets.
        host: String,
        /// `None` where the scheme says it.
        port: Option<u16>,
    },
}

impl Origin {
    /// Whether the page comes from a server on this machine, by name or by address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Site { scheme, host, .. } => {
                let is_page = scheme == "http" || scheme == "https";
                is_page && (is_localhost(host) || host == "127.0.0.1" || host == "[::1]")
            }
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Ok(Self::Null);
        }
        if text == "*" {
            return Err(
                "every page that a browser of this machine shows could use the broker: name \
                        the origins one by one"
                    .to_owned(),
            );
        }
        parse_site(text).ok_or_else(|| {
            "expected an origin such as https://app.example or http://10.0.0.7:3000, or null"
                .to_owned()
        })
    }
}

fn parse_site(text: &str) -> Option<Origin> {
    let (scheme, place) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let port = match port {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some(port.parse::<u16>().ok()?),
        Some(_) => return None,
        None => None,
    };
    if !is_scheme || !is_host(host) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = port.filter(|port| Some(*port) != usual);
    Some(Origin::Site { scheme, host: host.to_lowercase(), port })
}

/// A name, or an address; that of IPv6 in brackets.
fn is_host(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.strip_suffix(']').and_then(|text| text.parse().ok());
        return address.is_some_and(|address: IpAddr| address.is_ipv6());
    }
    let is_delimiter = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
    !host.is_empty() && !host.contains(|c| is_delimiter(c) && !"-._".contains(c))
}

/// Why a page of this origin is refused.
pub fn refusal(origin: &str) -> String {
    if origin == "null" {
        return "start mqttws serve with --allow-origin null to let in pages without an origin of \
                their own: files, and sandboxed frames of any page"
            .to_owned();
    }
    let is_one = origin.parse::<Origin>().is_ok();
    let origin = quoted(origin);
    if !is_one {
        return format!("the Origin {origin:?} is none that --allow-origin could let in");
    }
    format!("start mqttws serve with --allow-origin {origin} to let in pages of this origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let site = |scheme: &str, host: &str, port| {
            Ok(Origin::Site { scheme: scheme.to_owned(), host: host.to_owned(), port })
        };
        for (text, origin) in [
            ("https://App.Example", site("https", "app.example", None)),
            ("HTTPS://app.example:443", site("https", "app.example", None)),
            ("http://app.example:443", site("http", "app.example", Some(443))),
            ("http://app.example:80", site("http", "app.example", None)),
            ("http://[::1]:3000", site("http", "[::1]", Some(3000))),
            ("chrome-extension://abcdef", site("chrome-extension", "abcdef", None)),
            ("https://bücher.example", site("https", "bücher.example", None)),
            ("null", Ok(Origin::Null)),
        ] {
            assert_eq!(text.parse(), origin, "{text}");
        }
    }

    #[test]
    fn pages_of_this_machine_come_by_http() {
        for (text, is_local) in [
            ("http://localhost", true),
            ("https://127.0.0.1:8443", true),
            ("http://[::1]:3000", true),
            ("ftp://localhost", false),
            ("http://127.0.0.2", false),
            ("null", false),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().is_local(), is_local, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_no_flag_that_is_none() {
        for (text, expected) in [
            ("https://a.example", "start mqttws serve with --allow-origin https://a.example to"),
            ("https://a.example/x", "the Origin \"https://a.example/x\" is none that --allow"),
            ("", "the Origin \"\" is none that --allow-origin could let in"),
        ] {
            assert!(refusal(text).starts_with(expected), "{}", refusal(text));
        }
    }

    #[test]
    fn everything_else_is_none() {
        for text in [
            "",
            "*",
            "NULL",
            "app.example",
            "https://",
            "://app.example",
            "https://app.example/",
            "https://app.example/path",
            "https://user@app.example",
            "https://app.example:",
            "https://app.example:x",
            "https://app.example:65536",
            "https://app example",
            "https://[::1",
            "https://[127.0.0.1]",
            "https://::1",
            "1http://app.example",
            "https://*.app.example",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
