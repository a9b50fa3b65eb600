//! Redirects: where one leads, and whether it is followed.

use std::fmt;

use super::endpoint::{Endpoint, EndpointError, Scheme};
use crate::websocket::upgrade::{HttpResponse, Location, UpgradeError};

/// The most redirects that are followed.
const LIMIT: usize = 5;

/// So many more servers are tried that Server References name besides the first: a server cannot
/// have others dialled without end.
const MOST_OTHERS: usize = 15;

/// A redirect that is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectError {
    /// It leads to an address that was visited before. Holds all addresses, ending with the
    /// repeated one.
    Loop(Vec<String>),
    /// It is one redirect too many. Holds its target.
    TooMany(String),
    /// It leads from `wss` to `ws`. Holds its target.
    Downgrade(String),
    /// Its target is not a valid address.
    Unusable {
        /// The `Location` header.
        location: String,
        /// The error in it.
        error: EndpointError,
    },
}

impl std::error::Error for RedirectError {}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop(stations) => {
                write!(f, "the server redirects in a circle: {}", stations.join(" -> "))
            }
            Self::TooMany(to) => write!(f, "more than {LIMIT} redirects, the last one to {to}"),
            Self::Downgrade(to) => {
                write!(f, "the server redirects to {to}, which would give up the protection of TLS")
            }
            Self::Unusable { location, error } => {
                write!(
                    f,
                    "the server redirects to {location}, which is not a valid address: {error}"
                )
            }
        }
    }
}

/// The addresses that were visited, in order.
#[derive(Clone, Debug)]
pub struct Redirects {
    stations: Vec<Endpoint>,
    /// The Server References that led here.
    named: Vec<NamedServers>,
    /// How many of [`MOST_OTHERS`] were tried.
    others_tried: usize,
}

/// The servers that a Server Reference names.
#[derive(Clone, Debug)]
struct NamedServers {
    /// How many stations there were when it came.
    stations: usize,
    /// Those that were not tried yet, the next one last.
    rest: Vec<String>,
}

impl Redirects {
    /// Begins at this address.
    pub fn from(endpoint: &Endpoint) -> Self {
        Self { stations: vec![endpoint.clone()], named: Vec::new(), others_tried: 0 }
    }

    /// The target of `error` if it is a redirect, otherwise `None`.
    pub fn next(&mut self, error: &UpgradeError) -> Option<Result<Endpoint, RedirectError>> {
        let UpgradeError::Status(refusal) = error else { return None };
        let location = location(refusal)?;
        Some(self.follow(&location.target, &location.shown))
    }

    /// The server of a Server Reference (MQTT 5 §4.11): the first that can be gone to of those
    /// that it names, at the path of this one. The query, in which tokens are sent, stays here.
    pub fn next_reference(&mut self, reference: &str) -> Result<Endpoint, RedirectError> {
        let names = reference.split_ascii_whitespace().take(MOST_OTHERS + 1);
        let mut rest: Vec<String> = names.map(str::to_owned).collect();
        rest.reverse();
        let first = rest.pop().unwrap_or_default();
        self.named.push(NamedServers { stations: self.stations.len(), rest });
        self.go_to(&first).or_else(|error| self.another().ok_or(error))
    }

    /// The next of the servers that were named and can be gone to, those of the latest reference
    /// first.
    pub fn another(&mut self) -> Option<Endpoint> {
        while self.others_tried < MOST_OTHERS {
            let named = self.named.last_mut()?;
            let Some(name) = named.rest.pop() else {
                self.named.pop();
                continue;
            };
            self.stations.truncate(named.stations);
            self.others_tried += 1;
            if let Ok(next) = self.go_to(&name) {
                return Some(next);
            }
        }
        None
    }

    /// How many servers were named that can still be tried.
    pub fn others(&self) -> usize {
        let named: usize = self.named.iter().map(|named| named.rest.len()).sum();
        named.min(MOST_OTHERS.saturating_sub(self.others_tried))
    }

    /// The server that has named the one that was gone to.
    pub fn named_by(&self) -> Option<&Endpoint> {
        self.stations.get(self.named.last()?.stations.checked_sub(1)?)
    }

    /// Goes to a server that is named like this.
    fn go_to(&mut self, first: &str) -> Result<Endpoint, RedirectError> {
        let shown = first.escape_debug().to_string();
        let place = first.rsplit('@').next().unwrap_or_default();
        if !first.contains("://") && place.contains(['/', '?']) {
            let error = EndpointError::BadHost;
            return Err(RedirectError::Unusable { location: shown, error });
        }
        let location = match self.stations.last() {
            Some(here) if !first.contains("://") => {
                let path = here.target.split('?').next().unwrap_or_default();
                let end = place.rfind(']').map_or(0, |at| at + 1);
                let has_port = place[end..].contains(':');
                let port = if has_port { String::new() } else { format!(":{}", here.port) };
                format!("//{place}{port}{path}")
            }
            _ => first.to_owned(),
        };
        self.follow(&location, &shown)
    }

    /// Goes to `location`, which an error shows as `shown`.
    fn follow(&mut self, location: &str, shown: &str) -> Result<Endpoint, RedirectError> {
        let here = self.stations.last().cloned();
        let resolved =
            here.as_ref().map_or_else(|| Endpoint::parse(location), |here| resolve(here, location));
        let next = resolved
            .map_err(|error| RedirectError::Unusable { location: shown.to_owned(), error })?;
        let leads_down =
            here.is_some_and(|here| here.scheme == Scheme::Wss) && next.scheme == Scheme::Ws;
        if leads_down {
            return Err(RedirectError::Downgrade(next.to_string()));
        }
        if let Some(at) = self.stations.iter().position(|station| is_same(station, &next)) {
            let circle = self.stations[at..].iter().chain([&next]);
            return Err(RedirectError::Loop(circle.map(ToString::to_string).collect()));
        }
        if self.stations.len() > LIMIT {
            return Err(RedirectError::TooMany(next.to_string()));
        }
        self.stations.push(next.clone());
        Ok(next)
    }
}

/// The `Location` of a response that redirects a GET (RFC 9110 §15.4).
fn location(refusal: &HttpResponse) -> Option<&Location> {
    let is_redirect = matches!(refusal.status, 301 | 302 | 303 | 307 | 308);
    refusal.location.as_ref().filter(|_| is_redirect)
}

fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    (one.scheme, one.port, &one.target) == (other.scheme, other.port, &other.target)
        && one.host.eq_ignore_ascii_case(&other.host)
}

/// Whether credentials for `one` may be sent to `other`: the same host at the same port, or the
/// step from `ws` to `wss` at their default ports.
pub fn keeps_credentials(one: &Endpoint, other: &Endpoint) -> bool {
    let is_default = |endpoint: &Endpoint| endpoint.port == endpoint.scheme.default_port();
    one.host.eq_ignore_ascii_case(&other.host)
        && (one.port == other.port || (is_default(one) && is_default(other)))
}

/// Resolves a reference from `here` (RFC 3986 §5.2). A fragment is ignored, and so are user name
/// and password: only the user chooses the credentials.
fn resolve(here: &Endpoint, reference: &str) -> Result<Endpoint, EndpointError> {
    let reference = reference.split('#').next().unwrap_or_default();
    let target = if let Some(authority) = reference.strip_prefix("//") {
        return parse(&format!("{}://{authority}", here.scheme));
    } else if has_scheme(reference) {
        return parse(reference);
    } else if reference.is_empty() {
        here.target.clone()
    } else if reference.starts_with('/') {
        without_dots(reference)
    } else {
        let path = here.target.split('?').next().unwrap_or_default();
        if reference.starts_with('?') {
            format!("{path}{reference}")
        } else {
            let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
            without_dots(&format!("{folder}{reference}"))
        }
    };
    let mut next = Endpoint::from_parts(here.scheme, &here.host, Some(here.port), Some(&target))?;
    // The zone was decoded when the host was first read.
    next.host.clone_from(&here.host);
    Ok(next)
}

/// An absolute URL. Without a path it means `/`, not the default path, because a server wrote it,
/// not a user.
fn parse(url: &str) -> Result<Endpoint, EndpointError> {
    let mut endpoint = Endpoint::parse(url)?;
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    match rest.find(['/', '?']) {
        None => "/".clone_into(&mut endpoint.target),
        Some(at) if rest[at..].starts_with('?') => endpoint.target = format!("/{}", &rest[at..]),
        Some(_) => {}
    }
    endpoint.user = None;
    endpoint.typed_host = None;
    Ok(endpoint)
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// Resolves `.` and `..` in the path of a target (RFC 3986 §5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap()
    }

    #[test]
    fn references_are_resolved_as_the_rfc_says() {
        let here = endpoint("ws://ann:pw@host:8080/a/b/c?q=1");
        let rows = [
            ("http://other/x", "ws://other/x"),
            ("https://other", "wss://other/"),
            ("wss://other?x=1", "wss://other/?x=1"),
            ("ws://u:p@other/x#top", "ws://other/x"),
            ("//other:9/x", "ws://other:9/x"),
            ("/mqtt", "ws://host:8080/mqtt"),
            ("/a/./b/../c", "ws://host:8080/a/c"),
            ("d", "ws://host:8080/a/b/d"),
            ("./d/", "ws://host:8080/a/b/d/"),
            ("../d", "ws://host:8080/a/d"),
            ("../../../d", "ws://host:8080/d"),
            ("..", "ws://host:8080/a/"),
            ("?x=2", "ws://host:8080/a/b/c?x=2"),
            ("d?x=../y", "ws://host:8080/a/b/d?x=../y"),
            ("", "ws://host:8080/a/b/c?q=1"),
        ];
        for (reference, expected) in rows {
            let next =
                resolve(&here, reference).unwrap_or_else(|error| panic!("{reference}: {error}"));
            let whole = format!("{}://{}{}", next.scheme, next.host_header(), next.target);
            assert_eq!((whole.as_str(), next.user), (expected, None), "{reference}");
        }
        for reference in ["mqtt://other", "ftp://other/", "http://", "/a b", "http://other:99999/"]
        {
            assert!(resolve(&here, reference).is_err(), "{reference}");
        }
        let zone = resolve(&endpoint("ws://[fe80::1%25lo]/a"), "/b").unwrap();
        assert_eq!((zone.host.as_str(), zone.target.as_str()), ("fe80::1%lo", "/b"));
    }

    fn redirect(location: &str) -> UpgradeError {
        let (target, shown) = (location.to_owned(), location.to_owned());
        let location = Some(Location { target, shown });
        let answer = HttpResponse { status: 302, location, ..HttpResponse::default() };
        UpgradeError::Status(Box::new(answer))
    }

    #[test]
    fn circles_long_ways_and_steps_down_are_not_followed() {
        let refused = |result: Option<Result<Endpoint, RedirectError>>| {
            result.unwrap().unwrap_err().to_string()
        };
        let mut way = Redirects::from(&endpoint("ws://h/a"));
        assert_eq!(way.next(&redirect("/b")).unwrap().unwrap().to_string(), "ws://h/b");
        let circle = "the server redirects in a circle: ws://h/a -> ws://h/b -> ws://H/a";
        assert_eq!(refused(way.next(&redirect("http://H/a"))), circle);
        for number in 0..4 {
            assert!(way.next(&redirect(&format!("/{number}"))).unwrap().is_ok());
        }
        let many = "more than 5 redirects, the last one to ws://h/5";
        assert_eq!(refused(way.next(&redirect("/5"))), many);
        let mut way = Redirects::from(&endpoint("wss://h/a"));
        let down = "the server redirects to ws://h/a, which would give up the protection of TLS";
        assert_eq!(refused(way.next(&redirect("http://h/a"))), down);
        assert!(
            refused(way.next(&redirect("mqtt://h")))
                .starts_with("the server redirects to mqtt://h, which ")
        );
        assert!(way.next(&UpgradeError::Closed).is_none());
        let refusal = HttpResponse {
            status: 401,
            location: Some(Location::default()),
            ..HttpResponse::default()
        };
        assert!(way.next(&UpgradeError::Status(Box::new(refusal))).is_none());
    }

    #[test]
    fn a_server_reference_names_a_host_or_a_url() {
        let next = |here: &str, reference: &str| {
            let next = Redirects::from(&endpoint(here)).next_reference(reference);
            next.map(|next| format!("{}://{}{}", next.scheme, next.host_header(), next.target))
        };
        for (reference, expected) in [
            ("other", "ws://other:8080/a"),
            ("other:81", "ws://other:81/a"),
            ("other:81 third:82", "ws://other:81/a"),
            ("10.0.0.2", "ws://10.0.0.2:8080/a"),
            ("[fe80::1]:9", "ws://[fe80::1]:9/a"),
            ("[fe80::1]", "ws://[fe80::1]:8080/a"),
            ("ann:pw@other", "ws://other:8080/a"),
            ("wss://other/b?c", "wss://other/b?c"),
        ] {
            let found = next("ws://h:8080/a?token=1", reference).unwrap();
            assert_eq!(found, expected, "{reference}");
        }
        for wrong in ["", " ", "mqtt://other", "fe80::1", "a/b:x", "h:8080"] {
            assert!(next("ws://h:8080/a", wrong).is_err(), "{wrong:?}");
        }
        assert!(next("wss://h/a", "ws://other/a").is_err());
        // Those that cannot be gone to are passed over.
        assert_eq!(next("ws://h:8080/a", "h mqtt://x other:9").unwrap(), "ws://other:9/a");
    }

    #[test]
    fn several_servers_of_a_reference_come_one_after_the_other() {
        let mut way = Redirects::from(&endpoint("ws://h:8080/a"));
        let shown = |endpoint: Option<Endpoint>| endpoint.map(|next| next.to_string());
        let first = way.next_reference("one:1 h two:2  three:3").unwrap();
        assert_eq!((first.to_string().as_str(), way.others()), ("ws://one:1/a", 3));
        assert_eq!(shown(way.another()).as_deref(), Some("ws://two:2/a"));
        assert_eq!(way.named_by().map(ToString::to_string).as_deref(), Some("ws://h:8080/a"));
        assert_eq!(shown(way.another()).as_deref(), Some("ws://three:3/a"));
        assert_eq!((way.another(), way.others()), (None, 0));
    }

    /// They do not count as redirects, but their number is limited, however they are named.
    #[test]
    fn servers_are_not_named_without_end() {
        let many: Vec<String> = (1..100).map(|port| format!("h:{port}")).collect();
        let many = many.join(" ");
        let mut way = Redirects::from(&endpoint("ws://h:8080/a"));
        way.next_reference(&many).unwrap();
        assert_eq!(way.others(), MOST_OTHERS);
        assert_eq!(std::iter::from_fn(|| way.another()).count(), MOST_OTHERS);
        let mut way = Redirects::from(&endpoint("ws://h:8080/a"));
        let count =
            (0..1000).take_while(|_| way.next_reference(&many).is_ok() || way.another().is_some());
        assert!(count.count() <= LIMIT + MOST_OTHERS + 1);
    }

    #[test]
    fn credentials_stay_with_their_host() {
        let keeps = |one: &str, other: &str| keeps_credentials(&endpoint(one), &endpoint(other));
        assert!(keeps("ws://h/a", "ws://H/b"));
        assert!(keeps("ws://h", "wss://h"));
        assert!(keeps("ws://h:8080", "wss://h:8080"));
        assert!(!keeps("ws://h", "ws://other"));
        assert!(!keeps("ws://h", "ws://h:8080"));
        assert!(!keeps("ws://h:8080", "wss://h"));
    }
}
