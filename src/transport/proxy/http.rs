//! CONNECT: an HTTP proxy asked for a tunnel (RFC 9110 §9.3.6). It must never see what the tunnel carries.

use std::io::{self, Read, Write};

use super::{Proxy, ProxyError, place};
use crate::transport::endpoint::Endpoint;
use crate::transport::upgrade::{Answer, USER_AGENT, basic};

/// Asks for a tunnel to `endpoint`; returns what has already come through it.
pub fn connect(
    stream: &mut (impl Read + Write),
    proxy: &Proxy,
    endpoint: &Endpoint,
) -> Result<Vec<u8>, ProxyError> {
    let mut answer = Answer::default();
    // A proxy that is gone already may have said why.
    let sent = stream.write_all(request(proxy, endpoint).as_bytes()).and_then(|()| stream.flush());
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
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::TimedOut => answer.expire().err().map_or(error.into(), ProxyError::from),
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::UnexpectedEof => answer.end().into(),
                    _ => error.into(),
                });
            }
        }
    }
}

fn request(proxy: &Proxy, endpoint: &Endpoint) -> String {
    let place = place(&endpoint.host, endpoint.port);
    let credentials = proxy.user.as_ref().map_or(String::new(), |(name, password)| {
        format!("Proxy-Authorization: {}\r\n", basic(&format!("{name}:{password}")))
    });
    format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}User-Agent: {USER_AGENT}\r\n\r\n")
}
