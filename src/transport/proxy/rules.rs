//! Chooses the proxy for a server, or none: `NO_PROXY` as curl reads it.

use std::net::IpAddr;

use super::{BadProxy, Proxy};
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::host;

/// The proxies, and the servers that need none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy for `ws://` servers. An invalid URL is an error only where it is used.
    pub ws: Option<Result<Proxy, BadProxy>>,
    /// The proxy for `wss://` servers.
    pub wss: Option<Result<Proxy, BadProxy>>,
    /// The servers that are reached directly.
    pub exempt: Exempt,
}

impl Proxies {
    /// The proxy for `endpoint`.
    pub fn towards(&self, endpoint: &Endpoint) -> Option<Result<&Proxy, &BadProxy>> {
        let proxy = match endpoint.scheme {
            Scheme::Ws => self.ws.as_ref(),
            Scheme::Wss => self.wss.as_ref(),
        };
        let proxy = proxy.filter(|_| !self.exempt.holds(&endpoint.host, endpoint.port));
        proxy.map(Result::as_ref)
    }

    /// Whether one of the proxies speaks TLS.
    pub fn need_tls(&self) -> bool {
        [&self.ws, &self.wss].into_iter().flatten().flatten().any(Proxy::is_secure)
    }
}

/// A list of hosts: names, which include all names below them; addresses; `ADDRESS/BITS`; each with
/// or without `:port`. A single `*` matches every host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exempt(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    All,
    Name { name: String, port: Option<u16> },
    Network { address: IpAddr, bits: u32, port: Option<u16> },
}

impl Exempt {
    /// Parses a list separated by commas or blanks. As in curl, an entry that is not valid matches
    /// nothing.
    pub fn parse(list: &str) -> Self {
        if list.trim() == "*" {
            return Self(vec![Rule::All]);
        }
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter(|entry| !entry.is_empty()).map(rule).collect())
    }

    /// Whether the list matches `host` at `port`.
    pub fn holds(&self, host: &str, port: u16) -> bool {
        let host = host.split('%').next().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let address: Option<IpAddr> = host.parse().ok();
        self.0.iter().any(|rule| match rule {
            Rule::All => true,
            Rule::Name { name, port: only } => {
                address.is_none() && only.is_none_or(|only| only == port) && is_within(host, name)
            }
            Rule::Network { address: network, bits, port: only } => {
                only.is_none_or(|only| only == port)
                    && address.is_some_and(|address| shares(address, *network, *bits))
            }
        })
    }
}

fn rule(entry: &str) -> Rule {
    network(entry, None).unwrap_or_else(|| {
        let (host, port) = match entry.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => (host, Some(port)),
            _ => (entry, None),
        };
        network(host, port).unwrap_or_else(|| {
            let name = host.strip_prefix('.').unwrap_or(host);
            let name = name.strip_suffix('.').unwrap_or(name);
            Rule::Name { name: host::ascii(name).unwrap_or(name.into()).into_owned(), port }
        })
    })
}

/// Parses `ADDRESS` or `ADDRESS/BITS`. An IPv6 address may be in brackets.
fn network(text: &str, port: Option<u16>) -> Option<Rule> {
    let (address, bits) =
        text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address =
        address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.parse().ok().filter(|bits| *bits <= all))?;
    Some(Rule::Network { address, bits, port })
}

/// Whether `host` is `name` or a name below it.
fn is_within(host: &str, name: &str) -> bool {
    let Some(start) = host.len().checked_sub(name.len()) else { return false };
    let is_same = host.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(name));
    is_same && !name.is_empty() && (start == 0 || host.as_bytes()[start - 1] == b'.')
}

/// Whether two addresses share their first `bits`.
fn shares(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            bits == 0 || (one.to_bits() ^ other.to_bits()) >> (32 - bits.min(32)) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            bits == 0 || (one.to_bits() ^ other.to_bits()) >> (128 - bits.min(128)) == 0
        }
        _ => false,
    }
}
