//! The client's side of SOCKS 5 (RFC 1928), with user name and password (RFC 1929).

use std::fmt;
use std::io::{Read, Write};
use std::net::IpAddr;

use super::error::{ProxyError, SocksFault};
use crate::transport::log::Note;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;

/// The server that the proxy should connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Address(IpAddr),
    /// A name that the proxy looks up.
    Name(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Target {
    /// `host` as an address if it is one. A zone has no meaning for the proxy and is left out.
    pub fn of(host: &str) -> Self {
        let bare = host.split('%').next().unwrap_or_default();
        bare.parse().map_or_else(|_| Self::Name(host.to_owned()), Self::Address)
    }
}

/// Asks the proxy at the other end of `stream` to connect to `target`. Reads no byte after its
/// answer.
pub fn connect(
    stream: &mut (impl Read + Write),
    user: Option<(&str, &str)>,
    target: &Target,
    port: u16,
    note: Note<'_>,
) -> Result<(), ProxyError> {
    // A name that is too long is found before anything is sent.
    let request = request(target, port)?;
    introduce(stream, user, note)?;
    stream.write_all(&request)?;
    note(format_args!("> SOCKS 5: connect to {target} port {port}"));
    take_reply(stream, note)
}

/// Agrees on a method, and authenticates where the proxy wants it.
fn introduce(
    stream: &mut (impl Read + Write),
    user: Option<(&str, &str)>,
    note: Note<'_>,
) -> Result<(), ProxyError> {
    let methods: &[u8] = if user.is_some() {
        &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD]
    } else {
        &[VERSION, 1, 0]
    };
    stream.write_all(methods)?;
    note(format_args!("> SOCKS 5: methods {:?}", &methods[2..]));
    let method = chosen_method(stream)?;
    note(format_args!("< SOCKS 5: method {method}"));
    match (method, user) {
        (NO_AUTHENTICATION, _) => {}
        (USER_AND_PASSWORD, Some((name, password))) => authenticate(stream, name, password)?,
        _ => return Err(SocksFault::NoMethod { offered_credentials: user.is_some() }.into()),
    }
    Ok(())
}

fn take_reply(stream: &mut impl Read, note: Note<'_>) -> Result<(), ProxyError> {
    let [version, reply, _, kind] = read(stream)?;
    note(format_args!("< SOCKS 5: reply {reply}"));
    check_version(version)?;
    if reply != 0 {
        return Err(SocksFault::Refused(reply).into());
    }
    skip_bound_address(stream, kind)
}

fn request(target: &Target, port: u16) -> Result<Vec<u8>, SocksFault> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target {
        Target::Address(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Target::Address(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Target::Name(name) => {
            let length = u8::try_from(name.len()).map_err(|_| SocksFault::LongName)?;
            request.extend([3, length]);
            request.extend(name.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    Ok(request)
}

fn chosen_method(stream: &mut impl Read) -> Result<u8, ProxyError> {
    // A server of another protocol may send one byte and wait.
    let [version] = read(stream)?;
    check_version(version)?;
    let [method] = read(stream)?;
    Ok(method)
}

fn check_version(version: u8) -> Result<(), SocksFault> {
    if version == VERSION { Ok(()) } else { Err(SocksFault::NotSocks(version)) }
}

fn authenticate(
    stream: &mut (impl Read + Write),
    name: &str,
    password: &str,
) -> Result<(), ProxyError> {
    let mut message = vec![1];
    for text in [name, password] {
        message.push(u8::try_from(text.len()).map_err(|_| SocksFault::BadCredentials)?);
        message.extend(text.as_bytes());
    }
    stream.write_all(&message)?;
    let [_, status] = read(stream)?;
    if status == 0 { Ok(()) } else { Err(SocksFault::BadCredentials.into()) }
}

/// Skips the address that the proxy connects from, which is not needed.
fn skip_bound_address(stream: &mut impl Read, kind: u8) -> Result<(), ProxyError> {
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => {
            let [length] = read(stream)?;
            usize::from(length)
        }
        other => return Err(SocksFault::NotSocks(other).into()),
    };
    Ok(stream.read_exact(&mut [0; 257][..length + 2])?)
}

fn read<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
