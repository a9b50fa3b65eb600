//! A relay before a server that knows nothing of frames: it counts connections, cuts one at a byte,
//! and may let the server's bytes through one by one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long a relay waits for bytes: longer than any test.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long a connection that has ended may still be counted: its end is on the way.
const GRACE: Duration = Duration::from_secs(5);

/// What the relay does about the bytes of the server.
#[derive(Clone, Copy, PartialEq)]
pub enum Passing {
    /// They pass.
    All,
    /// The connection ends after this one, counted over all connections; others pass.
    CutAfter(u64),
    /// They pass one by one, a second apart.
    BySeconds,
    /// So do those that come after the answer to the upgrade.
    FramesBySeconds,
}

/// What has passed.
#[derive(Default)]
pub struct Counts {
    /// How many connections were made.
    pub made: usize,
    /// How many of them there were at once, at most.
    pub most: usize,
    /// How many bytes the server has sent.
    pub bytes: u64,
    open: usize,
}

/// A relay that was started.
pub struct Relay {
    /// Its address, with the scheme and path of the server's.
    pub url: String,
    state: Arc<(Mutex<Counts>, Condvar)>,
}

impl Relay {
    /// Starts a relay before the server at this URL. It serves until the process ends.
    pub fn start(server: &str, passing: Passing) -> Self {
        let (scheme, rest) = server.split_once("://").unwrap();
        let (address, path) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/{path}", listener.local_addr().unwrap());
        let state = Arc::new((Mutex::new(Counts::default()), Condvar::new()));
        let (address, shared) = (address.to_owned(), Arc::clone(&state));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                count_open(&shared);
                let (address, shared) = (address.clone(), Arc::clone(&shared));
                // A connection that breaks off is the client's to judge.
                thread::spawn(move || drop(serve(&client, &address, passing, &shared)));
            }
        });
        Self { url, state }
    }

    /// What has passed.
    pub fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.state.0.lock().unwrap()
    }
}

/// Counts a new connection. Earlier ones may have ended without our having read that yet.
fn count_open((counts, closed): &(Mutex<Counts>, Condvar)) {
    let counts = counts.lock().unwrap();
    let is_busy = |counts: &mut Counts| counts.open > 0;
    let (mut counts, _) = closed.wait_timeout_while(counts, GRACE, is_busy).unwrap();
    counts.open += 1;
    counts.made += 1;
    counts.most = counts.most.max(counts.open);
}

fn serve(
    client: &TcpStream,
    address: &str,
    passing: Passing,
    state: &Arc<(Mutex<Counts>, Condvar)>,
) -> io::Result<()> {
    let server = TcpStream::connect(address)?;
    for stream in [client, &server] {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
    }
    let (from, to, shared) = (server.try_clone()?, client.try_clone()?, Arc::clone(state));
    let back = thread::spawn(move || {
        let _ = pass_answers(&from, &to, passing, &shared.0);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &*client, &mut &server);
    let (counts, closed) = &**state;
    counts.lock().unwrap().open -= 1;
    closed.notify_all();
    server.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}

fn pass_answers(
    mut server: &TcpStream,
    mut client: &TcpStream,
    passing: Passing,
    counts: &Mutex<Counts>,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    let mut is_slow = passing == Passing::BySeconds;
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let before = {
            let mut counts = counts.lock().unwrap();
            counts.bytes += count as u64;
            counts.bytes - count as u64
        };
        if is_slow {
            for byte in &buffer[..count] {
                client.write_all(&[*byte])?;
                // The server is slow: that is what the test is about.
                thread::sleep(Duration::from_secs(1));
            }
            continue;
        }
        is_slow = passing == Passing::FramesBySeconds;
        if let Passing::CutAfter(byte) = passing
            && (before..before + count as u64).contains(&byte)
        {
            client.write_all(&buffer[..usize::try_from(byte - before).unwrap()])?;
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&buffer[..count])?;
    }
}
