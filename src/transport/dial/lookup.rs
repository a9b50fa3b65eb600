//! Resolves names: the addresses of a name, the ones that may be used, and the order in which they
//! are tried.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use super::super::host;
use super::super::text::{io_words, uncapitalised};
use super::Route;

/// The address families that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// All of them.
    #[default]
    Both,
    /// `-4`.
    V4,
    /// `-6`.
    V6,
}

impl Families {
    fn hold(self, address: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// `HOST:PORT:ADDRESS[,ADDRESS]`, as in curl's `--resolve`: the addresses of this host at this
/// port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    host: String,
    port: u16,
    addresses: Vec<IpAddr>,
}

/// A text that is not a [`Pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinError;

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected HOST:PORT:ADDRESS[,ADDRESS], HOST being a name or *")
    }
}

impl std::error::Error for PinError {}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
            Some(split) => split,
            None => text.split_once(':').ok_or(PinError)?,
        };
        let (port, addresses) = rest.split_once(':').ok_or(PinError)?;
        let addresses =
            addresses.split(',').map(address).collect::<Option<Vec<_>>>().ok_or(PinError)?;
        let port = port.parse().map_err(|_| PinError)?;
        let host = host::ascii(host).filter(|host| !host.is_empty()).ok_or(PinError)?;
        Ok(Self { host: host.into_owned(), port, addresses })
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.trim().parse().ok()
}

/// The addresses of `host` that `route` allows, alternating between the families; never empty.
pub fn addresses(host: &str, port: u16, route: &Route) -> io::Result<Vec<SocketAddr>> {
    let all = known_addresses(host, port, &route.pins).map_or_else(|| resolved(host, port), Ok);
    all.and_then(|all| allowed(all, route))
}

/// The same without asking a resolver, which may take long; `None` if one must be asked.
pub fn known(host: &str, port: u16, route: &Route) -> Option<io::Result<Vec<SocketAddr>>> {
    known_addresses(host, port, &route.pins).map(|all| allowed(all, route))
}

fn allowed(mut addresses: Vec<SocketAddr>, route: &Route) -> io::Result<Vec<SocketAddr>> {
    if addresses.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    let bound_alike = |ip: IpAddr| route.bind.is_none_or(|bind| bind.is_ipv4() == ip.is_ipv4());
    addresses.retain(|address| route.families.hold(address.ip()) && bound_alike(address.ip()));
    if addresses.is_empty() {
        return Err(io::Error::other("it has none of the family that -4, -6 or --bind asks for"));
    }
    Ok(alternating(addresses))
}

/// The addresses that `--resolve` gives, the address that `host` itself is, or those of
/// `localhost`.
fn known_addresses(host: &str, port: u16, pins: &[Pin]) -> Option<Vec<SocketAddr>> {
    let is_meant =
        |pin: &&Pin| pin.port == port && (pin.host == "*" || pin.host.eq_ignore_ascii_case(host));
    let ips = if let Some(pin) = pins.iter().find(is_meant) {
        pin.addresses.clone()
    } else if host.eq_ignore_ascii_case("localhost") {
        // RFC 6761 §6.3 fixes these addresses, whatever a resolver says; in the order of RFC 6724.
        vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
    } else {
        vec![host.parse().ok()?]
    };
    Some(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The addresses from the resolver, each once.
fn resolved(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for address in (host, port).to_socket_addrs()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Which addresses of a name are tried, and which of them first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// All of them, as the resolver orders them.
    #[default]
    AsResolved,
    /// All of them, beginning with this one.
    From(SocketAddr),
    /// All of them, beginning after this one.
    After(SocketAddr),
    /// All but these; all of them if none would be left.
    Without(Vec<SocketAddr>),
}

/// The addresses whose turn it is.
pub fn in_turn(mut addresses: Vec<SocketAddr>, turn: &Turn) -> Vec<SocketAddr> {
    let place = |of: &SocketAddr| addresses.iter().position(|address| address == of);
    match turn {
        Turn::AsResolved => {}
        Turn::From(first) => {
            let at = place(first).unwrap_or_default();
            addresses.rotate_left(at);
        }
        Turn::After(last) => {
            let at = place(last).map_or(0, |at| at + 1);
            addresses.rotate_left(at);
        }
        Turn::Without(tried) => {
            if addresses.iter().any(|address| !tried.contains(address)) {
                addresses.retain(|address| !tried.contains(address));
            }
        }
    }
    addresses
}

/// Alternates between the families, beginning with that of the first address. Within a family the
/// resolver's order remains (RFC 8305 §4).
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_family = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (Vec<_>, Vec<_>) =
        addresses.into_iter().rev().partition(|address| address.is_ipv6() == first_family);
    let mut sorted = Vec::with_capacity(one.len() + other.len());
    while !one.is_empty() || !other.is_empty() {
        sorted.extend(one.pop());
        sorted.extend(other.pop());
    }
    sorted
}

/// The resolver's message, without the words that std puts before it. They would repeat what the
/// line says already, and std offers the message in no other form.
pub fn words(error: &io::Error) -> String {
    let words = io_words(error);
    words
        .strip_prefix("failed to lookup address information: ")
        .map_or_else(|| words.clone(), uncapitalised)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"];
        let sorted = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"];
        assert_eq!(alternating(socket_addresses(&given)), socket_addresses(&sorted));
        let given = ["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"];
        assert_eq!(alternating(socket_addresses(&given)), socket_addresses(&given));
        assert_eq!(alternating(Vec::new()), []);
    }

    #[test]
    fn pins_are_read() {
        for text in ["host:80:1.2.3.4", "HOST:80:[::1],1.2.3.4", "*:443:::1", "[::1]:80:1.2.3.4"] {
            assert!(text.parse::<Pin>().is_ok(), "{text}");
        }
        for text in
            ["", "host", "host:80", "host:80:", "host:x:1.2.3.4", ":80:1.2.3.4", "host:80:name"]
        {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
    }

    #[test]
    fn pins_replace_the_addresses_of_their_host_and_port() {
        let pins =
            vec!["host.invalid:80:1.2.3.4,[::1]".parse().unwrap(), "*:81:5.6.7.8".parse().unwrap()];
        let route = |families| Route { families, pins: pins.clone(), ..Route::default() };
        let both = addresses("HOST.invalid", 80, &route(Families::Both)).unwrap();
        assert_eq!(both, socket_addresses(&["1.2.3.4:80", "[::1]:80"]));
        assert_eq!(
            addresses("host.invalid", 80, &route(Families::V6)).unwrap(),
            socket_addresses(&["[::1]:80"])
        );
        assert_eq!(
            addresses("x.invalid", 81, &route(Families::Both)).unwrap(),
            socket_addresses(&["5.6.7.8:81"])
        );
        assert!(addresses("x.invalid", 81, &route(Families::V6)).is_err());
    }

    #[test]
    fn a_bound_address_chooses_the_family() {
        let route = |bind: &str| Route { bind: Some(bind.parse().unwrap()), ..Route::default() };
        assert!(addresses("127.0.0.1", 1, &route("127.0.0.1")).is_ok());
        let error = addresses("127.0.0.1", 1, &route("::1")).unwrap_err();
        assert_eq!(error.to_string(), "it has none of the family that -4, -6 or --bind asks for");
    }

    #[test]
    fn the_local_host_needs_no_resolver() {
        let known = |host: &str, route: &Route| known(host, 80, route).map(Result::unwrap);
        let both = Some(socket_addresses(&["[::1]:80", "127.0.0.1:80"]));
        assert_eq!(known("localhost", &Route::default()), both);
        assert_eq!(known("LocalHost", &Route::default()), both);
        let route = Route { families: Families::V4, ..Route::default() };
        assert_eq!(known("localhost", &route), Some(socket_addresses(&["127.0.0.1:80"])));
        let route =
            Route { pins: vec!["localhost:80:1.2.3.4".parse().unwrap()], ..Route::default() };
        assert_eq!(known("localhost", &route), Some(socket_addresses(&["1.2.3.4:80"])));
        assert_eq!(known("::1", &Route::default()), Some(socket_addresses(&["[::1]:80"])));
        assert_eq!(known("broker.invalid", &Route::default()), None);
    }

    #[test]
    fn an_address_may_have_a_zone() {
        let addresses = addresses("fe80::1%1", 80, &Route::default()).unwrap();
        assert_eq!(addresses, socket_addresses(&["[fe80::1%1]:80"]));
    }
}
