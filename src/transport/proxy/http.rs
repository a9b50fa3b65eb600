//! CONNECT: asks an HTTP proxy for a tunnel (RFC 9110 §9.3.6).

use std::io::{self, Read, Write};

use super::{Proxy, ProxyError, place};
use crate::transport::endpoint::Endpoint;
use crate::transport::log::Note;
use crate::websocket::upgrade::{Echo, HttpHeader, Response, USER_AGENT, basic, masked};

/// The header that holds user name and password for the proxy.
const AUTHORIZATION: &str = "Proxy-Authorization";

/// Asks for a tunnel to `endpoint`. Returns the bytes that have already come through it.
pub fn connect(
    stream: &mut (impl Read + Write),
    proxy: &Proxy,
    endpoint: &Endpoint,
    note: Note<'_>,
) -> Result<Vec<u8>, ProxyError> {
    let credentials = proxy.user.as_ref().map(|(name, password)| {
        let value = basic(&format!("{name}:{password}"));
        (AUTHORIZATION.to_owned(), value)
    });
    let echo = Echo::new("", credentials.as_slice());
    let request = request(credentials.as_ref(), endpoint);
    note_head(note, '>', &request);
    let mut answer = Response::hiding(echo.clone());
    let result = converse(stream, &request, &mut answer);
    note_head(note, '<', &echo.masked(answer.head()));
    result
}

fn converse(
    stream: &mut (impl Read + Write),
    request: &str,
    answer: &mut Response,
) -> Result<Vec<u8>, ProxyError> {
    // A proxy that has closed the connection may have sent the reason before.
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    if let Err(error) = &sent
        && error.kind() == io::ErrorKind::InvalidData
    {
        // TLS with the proxy has failed, and nothing can be read any more.
        return sent.map(|()| Vec::new()).map_err(ProxyError::from);
    }
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(answer.end().into()),
            Ok(count) => {
                if let Some(early) = answer.feed_tunnel(&buffer[..count])? {
                    return sent.map(|()| early).map_err(ProxyError::from);
                }
                answer.drained()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error, answer)),
        }
    }
}

/// The error of a failed read, or the refusal that has arrived before it.
fn read_error(error: io::Error, answer: &mut Response) -> ProxyError {
    match error.kind() {
        io::ErrorKind::TimedOut => answer.expire().err().map_or(error.into(), ProxyError::from),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof => answer.end().into(),
        _ => error.into(),
    }
}

fn note_head(note: Note<'_>, whose: char, head: &str) {
    masked(head).lines().for_each(|line| note(format_args!("{whose} {line}")));
}

fn request(credentials: Option<&HttpHeader>, endpoint: &Endpoint) -> String {
    let place = place(&endpoint.host, endpoint.port);
    let credentials =
        credentials.map_or(String::new(), |(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}User-Agent: {USER_AGENT}\r\n\r\n"
    )
}
