//! The flags for the way to the server: addresses, interfaces, proxies.

use std::net::{AddrParseError, IpAddr};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, ensure};
use clap::{Arg, Args};

use super::choice::{Choice, Chosen, Flag};
use super::source::variable;
use crate::exit::Usage;
use crate::transport::dial::{Families, Pin, Route};
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::proxy::{BadProxy, Exempt, Proxies, Proxy};

/// The way to the server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to connect")]
pub struct NetworkFlags {
    /// `-4` or `-6`.
    #[command(flatten)]
    families: Chosen<AddressFamilies>,

    /// Connect from this local address
    #[arg(short = 'A', long, value_name = "ADDRESS", allow_hyphen_values = true)]
    bind: Option<LocalAddresses>,

    /// Use these addresses for this host and port instead of looking the name up; `*` is any host
    /// (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDRESS[,ADDRESS]", allow_hyphen_values = true)]
    resolve: Vec<Pin>,

    /// Connect to this Unix socket, whatever the host, the port and the proxy
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    unix: Option<PathBuf>,

    /// Connect through this proxy; an empty value means none
    ///
    /// `http://` and `https://` proxies are asked for a tunnel with CONNECT; with `socks5://` names
    /// are looked up here, with `socks5h://` or `socks://` by the proxy (to curl, `socks://` is
    /// SOCKS 4). Each takes `user:password@`. Without
    /// this flag, `$https_proxy` or `$HTTPS_PROXY` counts for wss, `$http_proxy` for ws, and
    /// `$all_proxy` or `$ALL_PROXY` for both.
    #[arg(long, value_name = "URL", allow_hyphen_values = true)]
    proxy: Option<String>,

    /// Hosts that are reached without a proxy, separated by commas [default: `$no_proxy` or
    /// `$NO_PROXY`]
    ///
    /// A name matches itself and its subdomains, `192.168.0.0/16` a network, `HOST:PORT` one port,
    /// a single `*` every host. Addresses of this machine are no exception.
    #[arg(long, value_name = "HOSTS", allow_hyphen_values = true)]
    no_proxy: Option<String>,
}

/// Local addresses; only `bench` takes more than one.
#[derive(Debug, Clone)]
struct LocalAddresses(Vec<IpAddr>);

impl FromStr for LocalAddresses {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// `-4` and `-6`, of which the later one counts.
#[derive(Debug)]
enum AddressFamilies {}

impl Choice for AddressFamilies {
    type Value = Families;
    const DEFAULT: Families = Families::Both;
    const FLAGS: &'static [Flag<Families>] = &[
        Flag {
            id: "ipv4",
            short: Some('4'),
            long: Some("ipv4"),
            help: "Connect to IPv4 addresses only",
            conflicts: &[],
            value: Families::V4,
        },
        Flag {
            id: "ipv6",
            short: Some('6'),
            long: Some("ipv6"),
            help: "Connect to IPv6 addresses only",
            conflicts: &[],
            value: Families::V6,
        },
    ];

    fn refine(flag: Arg) -> Arg {
        flag.overrides_with_all(["ipv4", "ipv6"])
    }
}

impl NetworkFlags {
    /// All local addresses that were given; from now on only the first counts.
    pub fn take_local(&mut self) -> Vec<IpAddr> {
        let Some(LocalAddresses(all)) = &mut self.bind else { return Vec::new() };
        let taken = all.clone();
        all.truncate(1);
        taken
    }

    /// The way to `endpoint`; redirects may be followed to the other scheme, too (`follow`).
    pub fn resolve(&self, endpoint: &Endpoint, follow: bool) -> Result<Route> {
        let bind = self.bind.as_ref().map_or(&[][..], |LocalAddresses(all)| all);
        let is_fit = bind.len() <= 1 && !bind.iter().any(IpAddr::is_multicast);
        ensure!(is_fit, Usage::new("--bind: expected an address of this machine"));
        Ok(Route {
            families: self.families.0,
            bind: bind.first().copied(),
            pins: self.resolve.clone(),
            unix: self.unix.clone(),
            proxies: self.proxies(endpoint, follow)?,
        })
    }

    fn proxies(&self, endpoint: &Endpoint, follow: bool) -> Result<Proxies> {
        if self.unix.is_some() {
            return Ok(Proxies::default());
        }
        let exempt = Exempt::parse(&self.exempt().map_or(String::new(), |(_, list)| list));
        let may_be_used = |scheme| follow || endpoint.scheme == scheme;
        let proxy = |scheme| may_be_used(scheme).then(|| self.proxy(scheme)).flatten();
        let proxies = Proxies { ws: proxy(Scheme::Ws), wss: proxy(Scheme::Wss), exempt };
        // The URL of a proxy that is not used need not even be valid; after a redirect it may be.
        match proxies.towards(endpoint) {
            Some(Err(error)) => Err(Usage::new(error.to_string()).into()),
            _ => Ok(proxies),
        }
    }

    fn proxy(&self, scheme: Scheme) -> Option<Result<Proxy, BadProxy>> {
        let (place, url) = self.proxy_for(scheme)?;
        Some(Proxy::parse(&url).map_err(|error| BadProxy { place, error }))
    }

    /// The place that names hosts without a proxy, and what it says.
    pub fn exempt(&self) -> Option<(String, String)> {
        let given = self.no_proxy.as_ref().map(|list| ("--no-proxy".to_owned(), list.clone()));
        given.or_else(|| first_variable(&["no_proxy", "NO_PROXY"]))
    }

    /// The place that names a proxy for this scheme, and what it says.
    pub fn proxy_for(&self, scheme: Scheme) -> Option<(String, String)> {
        let variables: &[&str] = match scheme {
            // In a CGI script a visitor sets HTTP_PROXY by a header.
            Scheme::Ws => &["http_proxy", "all_proxy", "ALL_PROXY"],
            Scheme::Wss => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        };
        let given = match &self.proxy {
            Some(url) => Some(("--proxy".to_owned(), url.clone())),
            None => first_variable(variables),
        };
        given.filter(|(_, url)| !url.is_empty())
    }
}

/// The first of these environment variables that is not empty, as `$NAME`, and its value.
fn first_variable(names: &[&str]) -> Option<(String, String)> {
    names.iter().find_map(|name| variable(name).filter(|(_, value)| !value.is_empty()))
}
