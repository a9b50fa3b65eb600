//! Dialling over loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::transport::proxy::Proxy;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn straight(host: &str, port: u16, deadline: Instant) -> Result<Dialled, DialError> {
    dial_directly(host, port, &Turn::AsResolved, &Route::default(), deadline)
}

#[test]
fn a_listener_is_reached_by_address_and_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialled = straight("127.0.0.1", port, soon()).unwrap();
    assert_eq!(dialled.reached, Reached::Tcp(listener.local_addr().unwrap()));
    assert!(dialled.socket.tcp_nodelay().unwrap());
    assert_eq!(dialled.socket.write_timeout().unwrap(), Some(WRITE_TURN));
    assert_eq!(dialled.socket.read_timeout().unwrap(), None);
    // `localhost` may be ::1 first, where no server listens: the next address is tried.
    assert!(straight("localhost", port, soon()).is_ok());
}

#[test]
fn a_closed_port_names_the_cause_and_an_address_that_was_looked_up() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = straight("localhost", address.port(), soon()).unwrap_err().to_string();
    assert!(error.contains(&format!("{address}: connection refused")), "{error}");
    let error = straight("127.0.0.1", address.port(), soon()).unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
    assert_eq!(error.phase(), Phase::Tcp);
    assert!(!error.timed_out());
}

#[test]
fn a_deadline_that_has_passed_is_a_time_out() {
    let error = straight("127.0.0.1", 9, Instant::now()).unwrap_err();
    assert!(error.timed_out());
    assert_eq!(error.to_string(), "timed out");
}

#[test]
fn a_name_that_cannot_exist_is_told_as_such() {
    // The resolver itself refuses an empty label: no query leaves this machine.
    let error = straight("a..invalid", 80, soon()).unwrap_err();
    assert_eq!(error.phase(), Phase::Name);
    assert!(error.to_string().starts_with("no address for a..invalid: "), "{error}");
}

#[test]
fn a_unix_socket_is_reached_by_its_path() {
    let path = std::env::temp_dir().join(format!("mqttws-dial-{}", std::process::id()));
    let error = dial_unix(&path, soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: no such file", path.display()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let dialled = dial_unix(&path, soon());
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(dialled.unwrap().reached.to_string(), path.display().to_string());
}

/// Connects through a proxy with the default route.
fn dialled(proxy: &Proxy, endpoint: &Endpoint, deadline: Instant) -> Result<Dialled, DialError> {
    let (route, tls, note): (_, _, Note<'_>) = (&Route::default(), None, &|_| {});
    proxied::dial(&TunnelRequest { proxy, endpoint, tls, deadline, note }, route)
}

#[test]
fn a_silent_proxy_is_given_up_in_time_and_the_socket_is_as_before() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listener.local_addr().unwrap().to_string();
    let proxy = Proxy::parse(&url).unwrap();
    let endpoint = Endpoint::parse("ws://h").unwrap();
    let deadline = Instant::now() + Duration::from_millis(100);
    let error = dialled(&proxy, &endpoint, deadline).unwrap_err();
    assert!(error.timed_out() && error.phase() == Phase::Proxy, "{error}");
    drop(listener.accept());

    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nx").unwrap();
    });
    let dialled = dialled(&proxy, &endpoint, soon()).unwrap();
    server.join().unwrap();
    assert_eq!(
        (dialled.early.as_slice(), dialled.socket.read_timeout().unwrap()),
        (&b"x"[..], None)
    );
    assert_eq!(dialled.reached.to_string(), format!("h:80 through http://{url}"));
}
