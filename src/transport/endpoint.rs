//! The address of a server: scheme, host, port, and path and query exactly as typed. Errors and
//! debug output never show a password.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::HEXLOWER_PERMISSIVE;

use super::host;

/// `ws` or `wss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// WebSocket over TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Scheme {
    /// The port when none is given: 80 or 443 (RFC 6455 §3).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// The scheme as it is written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The path that is requested if the user gives none: the one most brokers listen on.
pub const DEFAULT_TARGET: &str = "/mqtt";

/// The address of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ws` or `wss`.
    pub scheme: Scheme,
    /// A name in ASCII or an address. An IPv6 address is stored without its brackets.
    pub host: String,
    /// The host as it was typed, where that is not the same name.
    pub typed_host: Option<String>,
    /// The TCP port, never 0.
    pub port: u16,
    /// Path and query exactly as typed; `/mqtt` when the URL has no path.
    pub target: String,
    /// User name and password of the URL, percent-decoded.
    pub user: Option<(String, Option<String>)>,
}

/// The reason why a text is not a valid address. Never holds any part of a user name or password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// There is no `scheme://`.
    NoScheme,
    /// A scheme of MQTT over plain TCP or TLS, which is not supported.
    NotWebSocket {
        /// The scheme of the URL.
        scheme: String,
        /// The scheme that works.
        instead: Scheme,
    },
    /// A scheme that has nothing to do with MQTT.
    UnknownScheme(String),
    /// `#fragment`, which RFC 6455 §3 forbids.
    Fragment,
    /// A space or a control character, which must be percent-encoded (`%20`).
    ForbiddenCharacter(char),
    /// A blank, a line end or a byte order mark before or after the address: it was copied along.
    Surrounding(char),
    /// No host name between scheme and path.
    NoHost,
    /// The host is neither a name nor an address.
    BadHost,
    /// An IPv6 address without brackets.
    BareIpv6,
    /// The port is not a number from 1 to 65535.
    BadPort,
    /// `%` in the user information is not followed by two hexadecimal digits, or the result is not
    /// UTF-8.
    BadUserInfo,
    /// `/` or `?` in the user information, where it would end the host.
    UnencodedUserInfo(char),
    /// A path that does not begin with `/`.
    BadPath,
}

const BAD_USER_INFO: &str = "the user information in the URL is not properly percent-encoded: % \
                             in a user name or password is written %25";

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => {
                f.write_str("no scheme: write ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH")
            }
            Self::NotWebSocket { scheme, instead } => {
                write!(f, "{scheme}:// is MQTT without WebSockets, which mqttws does not speak: ")?;
                write!(f, "write {instead}://HOST[:PORT]/PATH with the broker's WebSocket port")
            }
            Self::UnknownScheme(scheme) => {
                write!(f, "unknown scheme {scheme}://: write ws:// or wss://")
            }
            Self::Fragment => f.write_str("a WebSocket URL has no fragment: write # as %23"),
            Self::ForbiddenCharacter(c) => {
                write!(f, "{} in a URL is written {}", described(*c), percent_encoded(*c))
            }
            Self::Surrounding(c) => {
                write!(f, "{} stands before or after it: leave it out", described(*c))
            }
            Self::UnencodedUserInfo(c) => {
                write!(f, "{c} in a user name or password is written {}", percent_encoded(*c))
            }
            Self::NoHost => f.write_str("the URL names no host"),
            Self::BadHost => f.write_str("the host is neither a name nor an address"),
            Self::BareIpv6 => f.write_str("an IPv6 address in a URL stands in brackets: [::1]"),
            Self::BadPort => f.write_str("the port is not a number from 1 to 65535"),
            Self::BadUserInfo => f.write_str(BAD_USER_INFO),
            Self::BadPath => f.write_str("the path does not begin with /"),
        }
    }
}

fn described(c: char) -> String {
    match c {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' | '\r' => "a line end".to_owned(),
        '\u{feff}' => "a byte order mark".to_owned(),
        c => format!("the character U+{:04X}", u32::from(c)),
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Wss
    }

    /// Parses `ws://` or `wss://`, `[user[:password]@]host[:port][/path][?query]`; `http` and
    /// `https` are taken for `ws` and `wss`.
    ///
    /// ```text
    /// ws://host         -> port 80, target /mqtt
    /// ws://host/        -> port 80, target /
    /// wss://[::1]:8?a=b -> port 8, target /mqtt?a=b
    /// ```
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        refuse_forbidden(url)?;
        let (scheme, rest) = url.split_once("://").ok_or(EndpointError::NoScheme)?;
        let scheme = parse_scheme(scheme)?;
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (parse_user(user)?, place),
            None => (None, authority),
        };
        split_port(place)
            .and_then(|(host, port)| Self::checked(scheme, host, port, target, user))
            .map_err(|error| unencoded_user_info(target).unwrap_or(error))
    }

    /// The endpoint from separate options (`--host`, `--port`, `--path`). The host may be in
    /// brackets; then the `%` before its zone is percent-encoded.
    pub fn from_parts(
        scheme: Scheme,
        host: &str,
        port: Option<u16>,
        path: Option<&str>,
    ) -> Result<Self, EndpointError> {
        refuse_forbidden(host)?;
        let path = path.unwrap_or_default();
        refuse_forbidden(path)?;
        let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        // Only in brackets is the host written as in a URL, where the `%` before a zone is encoded.
        let host = in_brackets.map_or_else(|| host.replacen('%', "%25", 1), str::to_owned);
        Self::checked(scheme, &host, port, path, None)
    }

    fn checked(
        scheme: Scheme,
        host: &str,
        port: Option<u16>,
        target: &str,
        user: Option<(String, Option<String>)>,
    ) -> Result<Self, EndpointError> {
        let typed = host;
        let host = check_host(typed)?;
        let is_other = !is_ipv6(typed) && !host.eq_ignore_ascii_case(typed);
        let typed_host = is_other.then(|| typed.to_owned());
        let port = port.unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(EndpointError::BadPort);
        }
        let target = match target.as_bytes().first() {
            None => DEFAULT_TARGET.to_owned(),
            Some(b'/') => target.to_owned(),
            Some(b'?') => format!("{DEFAULT_TARGET}{target}"),
            Some(_) => return Err(EndpointError::BadPath),
        };
        Ok(Self { scheme, host, typed_host, port, target, user })
    }

    /// The URL as it was typed, and the name that is looked up if that is another.
    pub fn described(&self) -> Described<'_> {
        Described(self)
    }

    /// The URL without user name, password and query, always with its port.
    pub fn public_url(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default().to_owned();
        Self { user: None, target: path, ..self.clone() }.secret_url()
    }

    /// The whole URL, with user name, password and query: a secret.
    pub fn secret_url(&self) -> String {
        let user = self.user.as_ref().map_or(String::new(), |(name, password)| {
            let password = password.as_ref().map(|password| format!(":{}", encoded(password)));
            format!("{}{}@", encoded(name), password.unwrap_or_default())
        });
        let host = if self.host.contains(':') {
            format!("[{}]", self.host.replace('%', "%25"))
        } else {
            self.host.clone()
        };
        format!("{}://{user}{host}:{}{}", self.scheme, self.port, self.target)
    }

    /// Whether the host is an address, which TLS sends no server name for (RFC 6066 §3).
    pub fn is_address(&self) -> bool {
        is_ipv6(&self.host) || self.host.parse::<Ipv4Addr>().is_ok()
    }

    /// The value of the `Host` header. It has the port only if that is not the scheme's default
    /// (RFC 6455 §4.1).
    pub fn host_header(&self) -> String {
        // A zone has a meaning only on this machine and does not belong into a header (RFC 6874
        // §1).
        let host = self.host.split('%').next().unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

/// User name or password as it stands in a URL.
fn encoded(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { percent_encoded(c) }).collect()
}

impl fmt::Display for Endpoint {
    /// Shows the URL without user information and query, which may be secret, and with the port
    /// only if that is not the scheme's default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = match self.target.split_once('?') {
            Some((path, _)) => (path, "?..."),
            None => (self.target.as_str(), ""),
        };
        write!(f, "{}://{}{path}{query}", self.scheme, self.host_header())
    }
}

/// An endpoint for an error: beside the name that was typed stands the one that is looked up.
pub struct Described<'a>(&'a Endpoint);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(endpoint) = self;
        let Some(typed) = &endpoint.typed_host else { return endpoint.fmt(f) };
        let (url, host) = (endpoint.to_string(), &endpoint.host);
        // Characters that are not printed may stand in what was typed.
        let url = url.replacen(&format!("//{host}"), &format!("//{}", typed.escape_debug()), 1);
        write!(f, "{url} ({host})")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Refuses fragments, and characters that must be percent-encoded in a URL.
pub(super) fn refuse_forbidden(text: &str) -> Result<(), EndpointError> {
    let ends = [text.chars().next(), text.chars().next_back()];
    if let Some(c) = ends.into_iter().flatten().find(|c| c.is_whitespace() || *c == '\u{feff}') {
        return Err(EndpointError::Surrounding(c));
    }
    if let Some(c) = text.chars().find(|&c| c.is_whitespace() || c.is_control()) {
        return Err(EndpointError::ForbiddenCharacter(c));
    }
    if text.contains('#') { Err(EndpointError::Fragment) } else { Ok(()) }
}

/// What is wrong with an address after whose host, which is none, there is an `@`: the end of its
/// user information, and what is taken for the end of the host is a part of that.
fn unencoded_user_info(target: &str) -> Option<EndpointError> {
    let end = target.chars().next().filter(|_| target.contains('@'))?;
    Some(EndpointError::UnencodedUserInfo(end))
}

fn percent_encoded(c: char) -> String {
    c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

fn parse_scheme(scheme: &str) -> Result<Scheme, EndpointError> {
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "ws" | "http" => Ok(Scheme::Ws),
        "wss" | "https" => Ok(Scheme::Wss),
        "mqtt" | "tcp" => Err(EndpointError::NotWebSocket { scheme, instead: Scheme::Ws }),
        "mqtts" | "ssl" | "tls" | "mqtt+ssl" | "mqtt+tls" => {
            Err(EndpointError::NotWebSocket { scheme, instead: Scheme::Wss })
        }
        _ => Err(EndpointError::UnknownScheme(scheme)),
    }
}

/// User name and password, percent-decoded.
pub(super) fn parse_user(text: &str) -> Result<Option<(String, Option<String>)>, EndpointError> {
    if text.is_empty() {
        return Ok(None);
    }
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(percent_decoded(password)?)),
        None => (text, None),
    };
    Ok(Some((percent_decoded(user)?, password)))
}

fn percent_decoded(text: &str) -> Result<String, EndpointError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or(EndpointError::BadUserInfo)?;
        let decoded = HEXLOWER_PERMISSIVE.decode(digits).map_err(|_| EndpointError::BadUserInfo)?;
        bytes.extend(decoded);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| EndpointError::BadUserInfo)
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. Brackets are removed, and an empty port means
/// none.
pub(super) fn split_port(place: &str) -> Result<(&str, Option<u16>), EndpointError> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(EndpointError::BadHost)?;
        if !is_ipv6(host) {
            return Err(EndpointError::BadHost);
        }
        (host, port)
    } else if place.matches(':').count() > 1 {
        return Err(EndpointError::BareIpv6);
    } else {
        place.split_at(place.find(':').unwrap_or(place.len()))
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        None => Err(EndpointError::BadHost),
        Some("") => Ok((host, None)),
        Some(digits) => parse_port(digits).map(|port| (host, Some(port))),
    }
}

fn parse_port(digits: &str) -> Result<u16, EndpointError> {
    // `parse` alone would accept `+80`.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EndpointError::BadPort);
    }
    digits.parse().map_err(|_| EndpointError::BadPort)
}

/// Checks a host and returns it in ASCII, without brackets.
pub(super) fn check_host(host: &str) -> Result<String, EndpointError> {
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if is_ipv6(host) {
        // In a URL the `%` before a zone is percent-encoded (RFC 6874 §2).
        return Ok(host.replacen("%25", "%", 1));
    }
    let host = percent_decoded(host).map_err(|_| EndpointError::BadHost)?;
    let host = host::ascii(&host).ok_or(EndpointError::BadHost)?;
    let is_name =
        host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if is_name && !host.is_empty() { Ok(host.into_owned()) } else { Err(EndpointError::BadHost) }
}

fn is_ipv6(host: &str) -> bool {
    host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests;
