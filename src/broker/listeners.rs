//! The addresses at which the broker listens: one, or those of both families at the same port.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpListener;

/// How many free ports are tried until one is free at both addresses.
const TRIES: usize = 64;

/// So many connections wait to be accepted, if the system allows that: of one more the client does
/// not hear for a second, when its system tries again. The libraries ask for 128.
const BACKLOG: i32 = 4096;

/// A listener at an address, and where that is if its port was 0.
///
/// # Errors
/// When the address cannot be had.
pub fn open(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    rustix::net::listen(&listener, BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Listens at an address and, if the machine has that one, at `also` and the same port. `listen`
/// opens a listener, and returns it with its address.
///
/// # Errors
/// When the first address cannot be had, or the port is taken at the second.
pub fn bind<L>(
    address: SocketAddr,
    also: Option<IpAddr>,
    mut listen: impl FnMut(SocketAddr) -> io::Result<(L, SocketAddr)>,
) -> io::Result<(Vec<L>, SocketAddr)> {
    let tries = if address.port() == 0 { TRIES } else { 1 };
    // They stay open until one is found, so that each try is of another port.
    let mut unsuitable = Vec::new();
    loop {
        let (first, at) = listen(address)?;
        let Some(ip) = also else { return Ok((vec![first], at)) };
        let second = SocketAddr::new(ip, at.port());
        match listen(second) {
            Ok((second, _)) => return Ok((vec![first, second], at)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                unsuitable.push(first);
                if unsuitable.len() >= tries {
                    return Err(io::Error::new(error.kind(), format!("also at {second}: {error}")));
                }
            }
            // The machine does not have it.
            Err(_) => return Ok((vec![first], at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
    use std::time::Duration;

    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    /// A machine whose free ports begin at 1; `second` says why it does not have one at `::1`.
    fn bound(
        port: u16,
        second: impl Fn(u16) -> Option<ErrorKind>,
    ) -> Result<Vec<SocketAddr>, String> {
        let mut free = 0;
        let listen = |address: SocketAddr| {
            let mut at = address;
            if address.port() == 0 {
                free += 1;
                at.set_port(free);
            }
            match second(at.port()).filter(|_| address.is_ipv6()) {
                Some(kind) => Err(kind.into()),
                None => Ok((at, at)),
            }
        };
        let result = bind(SocketAddr::new(V4, port), Some(V6), listen);
        result.map(|(listeners, _)| listeners).map_err(|error| error.to_string())
    }

    #[test]
    fn many_can_wait_to_be_accepted() {
        let (_listener, address) = open(SocketAddr::new(V4, 0)).unwrap();
        let most = fs::read_to_string("/proc/sys/net/core/somaxconn");
        let most = most.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(128);
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(10)).unwrap();
        let waiting: Vec<_> = (0..500.min(most)).map(connect).collect();
        assert!(waiting.iter().all(|client| client.peer_addr().is_ok()));
    }

    #[test]
    fn both_have_the_same_port() {
        let both = |port| vec![SocketAddr::new(V4, port), SocketAddr::new(V6, port)];
        assert_eq!(bound(80, |_| None), Ok(both(80)));
        assert_eq!(bound(0, |_| None), Ok(both(1)));
        assert_eq!(bound(0, |port| (port < 20).then_some(ErrorKind::AddrInUse)), Ok(both(20)));
    }

    #[test]
    fn tries_are_bounded() {
        let taken = |_| Some(ErrorKind::AddrInUse);
        assert_eq!(bound(80, taken), Err("also at [::1]:80: address in use".to_owned()));
        assert_eq!(bound(0, taken), Err("also at [::1]:64: address in use".to_owned()));
    }

    #[test]
    fn a_machine_without_the_second_has_the_first() {
        for kind in [ErrorKind::AddrNotAvailable, ErrorKind::Unsupported] {
            let first = vec![SocketAddr::new(V4, 80)];
            assert_eq!(bound(80, |_| Some(kind)), Ok(first));
        }
    }
}
