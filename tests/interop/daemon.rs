//! A server of Debian's, started for one test on a port of its own and gone with it. It must never
//! know what the server is for.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often another port is tried when one was taken between finding and using it.
const ATTEMPTS: usize = 10;

/// The process, killed by its handle when dropped.
pub struct Daemon {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Daemon {
    /// Starts `program` with the arguments for a port, and waits until it listens there.
    pub fn start(program: &str, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        let started = (0..ATTEMPTS).find_map(|_| Self::start_at(free_port(), program, &arguments));
        started.unwrap_or_else(|| panic!("{program} starts; tests/run installs it"))
    }

    fn start_at(port: u16, program: &str, arguments: impl Fn(u16) -> Vec<String>) -> Option<Self> {
        let child = Command::new(executable(program))
            .args(arguments(port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {program}, which tests/run installs: {error}")
            });
        let mut daemon = Self { child, port };
        daemon.is_listening().then_some(daemon)
    }

    fn is_listening(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Debian puts daemons where only root's `PATH` leads.
fn executable(program: &str) -> String {
    let debian = format!("/usr/sbin/{program}");
    if Path::new(&debian).exists() { debian } else { program.to_owned() }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// So many ports of 127.0.0.1, below those that the kernel gives to connections and to port 0:
/// nobody else takes one while a server that is to come back is away.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_240..32_768))).ok();
    let listeners = [(); COUNT].map(|()| std::iter::repeat_with(bind).flatten().next().unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
