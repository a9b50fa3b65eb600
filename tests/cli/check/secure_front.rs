//! TLS before a server of the tests, with deviations of TLS. The TLS is rustls's, with the roles
//! exchanged.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};

use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::secure::Server;

/// How long a front waits for bytes: longer than any test.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is wrong with it, beside its configuration.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// The stream ends without `close_notify`.
    pub no_close_notify: bool,
    /// A client that offers TLS 1.1 at most gets a `ServerHello`.
    pub speaks_tls_1_1: bool,
}

/// Starts TLS without a fault before the server at this `ws://` URL: its own URL, and the file in
/// `folder` with the authority to be trusted.
pub fn faultless(server: &str, folder: &Folder) -> (String, String) {
    let authority = Authority::new();
    let roots = folder.write("roots.pem", authority.pem());
    let config = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY)).config();
    (start(server, config, Faults::default()), roots)
}

/// Starts TLS before the server at this `ws://` URL; its own URL, by the name of this machine.
pub fn start(server: &str, config: ServerConfig, faults: Faults) -> String {
    let (address, path) = server.strip_prefix("ws://").unwrap().split_once('/').unwrap();
    let (address, config) = (address.to_owned(), Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://127.0.0.1:{}/{path}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (address, config) = (address.clone(), Arc::clone(&config));
            // A connection that breaks off is the client's to judge.
            thread::spawn(move || drop(serve(client, &address, config, faults)));
        }
    });
    url
}

fn serve(
    client: TcpStream,
    address: &str,
    config: Arc<ServerConfig>,
    faults: Faults,
) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_nodelay(true)?;
    let server = TcpStream::connect(address)?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.set_nodelay(true)?;
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let tls = Arc::new(Mutex::new(tls));
    let other = (client.try_clone()?, server.try_clone()?, Arc::clone(&tls));
    let back = thread::spawn(move || answers(other.0, other.1, &other.2, faults));
    let forth = requests(client, &server, &tls, faults);
    let _ = server.shutdown(Shutdown::Write);
    let _ = back.join();
    forth
}

/// Decrypts what the client sends.
fn requests(
    mut client: TcpStream,
    mut server: &TcpStream,
    tls: &Mutex<ServerConnection>,
    faults: Faults,
) -> std::io::Result<()> {
    let (mut buffer, mut is_first) = ([0; 16 * 1024], true);
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..count];
        if faults.speaks_tls_1_1 && is_first && bytes.get(9..11) == Some(&[3, 2]) {
            // The header of a record, that of a `ServerHello`, and its version.
            client.write_all(&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2])?;
            client.write_all(&[0; 36])?;
        }
        is_first = false;
        let mut tls = tls.lock().unwrap();
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            let state = tls.process_new_packets();
            while tls.wants_write() {
                tls.write_tls(&mut client)?;
            }
            let Ok(state) = state else { return client.shutdown(Shutdown::Both) };
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut plain)?;
            server.write_all(&plain)?;
        }
    }
}

/// Encrypts what the server sends.
fn answers(
    mut client: TcpStream,
    mut server: TcpStream,
    tls: &Mutex<ServerConnection>,
    faults: Faults,
) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = server.read(&mut buffer).unwrap_or(0);
        let mut tls = tls.lock().unwrap();
        match count {
            0 if faults.no_close_notify => {}
            0 => tls.send_close_notify(),
            count => tls.writer().write_all(&buffer[..count])?,
        }
        while tls.wants_write() {
            tls.write_tls(&mut client)?;
        }
        if count == 0 {
            return client.shutdown(Shutdown::Write);
        }
    }
}
