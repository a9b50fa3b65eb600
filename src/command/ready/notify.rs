//! Tells a service manager that a verb is ready and that it stops, as `sd_notify` does.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::report;

/// The variable with the address of the service manager's socket.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// The service manager that started us, if one did.
#[derive(Debug)]
pub struct ServiceManager(Option<OsString>);

impl ServiceManager {
    /// The one that `$NOTIFY_SOCKET` names.
    pub fn from_environment() -> Self {
        Self(env::var_os(SOCKET).filter(|address| !address.is_empty()))
    }

    /// The verb is ready; `status` is a line for people.
    pub fn ready(&mut self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// The verb is about to stop.
    pub fn stopping(&mut self) {
        self.tell("STOPPING=1\n");
    }

    /// A manager that cannot be told is no reason to fail: it is left alone after a warning.
    fn tell(&mut self, text: &str) {
        let Some(address) = &self.0 else { return };
        if let Err(error) = send(address.as_bytes(), text.as_bytes()) {
            let address = address.to_string_lossy();
            report::warn(&format!("telling the service manager at {address}: {error}"));
            self.0 = None;
        }
    }
}

fn send(address: &[u8], text: &[u8]) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(text, &socket_address(address)?).map(drop)
}

/// A path, or a name in Linux's abstract namespace after `@`.
fn socket_address(address: &[u8]) -> io::Result<SocketAddr> {
    match address {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(address)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "neither a path nor a name of the abstract namespace",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_or_abstract_names() {
        let path = socket_address(b"/run/x").expect("a path");
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/x")));
        for wrong in [&b""[..], b"run/x", b"vsock:2:1234"] {
            assert!(socket_address(wrong).is_err());
        }
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = socket_address(b"@x/y").expect("a name");
            assert_eq!(name.as_abstract_name(), Some(&b"x/y"[..]));
        }
    }
}
