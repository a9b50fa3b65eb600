//! A socket that begins to connect and does not wait for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::transport::wire::SharedSocket;

/// Where the connections of a fleet go.
#[derive(Debug, Clone)]
pub enum FleetTarget {
    /// This address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FleetTarget {
    /// A socket that connects there, from a local address if one is given.
    pub fn begin(&self, bind: Option<IpAddr>) -> io::Result<SharedSocket> {
        let (socket, address) = match self {
            Self::Tcp(address) => {
                let domain = Domain::for_address(*address);
                let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
                socket.set_tcp_nodelay(true)?;
                if let Some(ip) = bind {
                    socket.bind(&SocketAddr::new(ip, 0).into())?;
                }
                (socket, SockAddr::from(*address))
            }
            Self::Unix(path) => {
                (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(path)?)
            }
        };
        socket.set_nonblocking(true)?;
        match socket.connect(&address) {
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            result => result?,
        }
        Ok(socket.into())
    }
}
