//! Getting to the server: families, addresses of ours, pinned names, Unix sockets, races.

use std::net::{Ipv6Addr, TcpListener, TcpStream};

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::lines::fails;
use crate::support::program::Program;

/// A broker that takes one message.
fn broker(request: &'static [&'static str]) -> Broker {
    Broker::start(until_goodbye(vec![
        Step::Request(request),
        Step::Accept,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]))
}

fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

/// A port of 127.0.0.1 that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_name_with_addresses_of_both_families_is_raced() {
    let broker = broker(&[]);
    let port = broker.port();
    let pin = format!("broker.invalid:{port}:::1,127.0.0.2,127.0.0.1");
    publish(&format!("ws://broker.invalid:{port}/"), &["--resolve", &pin]).run().expect(0, "", "");
}

#[test]
fn an_address_that_does_not_answer_does_not_hold_up_the_others() {
    let broker = broker(&[]);
    let port = broker.port();
    // A queue that is full: whoever connects hears nothing.
    let deaf = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let address = deaf.local_addr().unwrap();
    let brief = std::time::Duration::from_millis(50);
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, brief) {
        queued.push(stream);
    }
    let pin = format!("broker.invalid:{port}:127.0.0.2,127.0.0.1");
    let outcome = publish(&format!("ws://broker.invalid:{port}/"), &["--resolve", &pin]).run();
    outcome.expect(0, "", "");
    assert!(outcome.took.as_millis() > 200 && outcome.took.as_secs() < 5, "{outcome}");

    let url = format!("ws://127.0.0.2:{port}/");
    let words = format!(
        "mqttws: connecting to {url}: no TCP connection within 0.3 s (127.0.0.2:{port}: timed out)\n"
    );
    publish(&url, &["--connect-timeout", "0.3"]).run().expect(27, "", &words);
}

#[test]
fn every_address_that_failed_is_named() {
    let port = closed_port();
    let url = format!("ws://broker.invalid:{port}/mqtt");
    let pin = format!("*:{port}:127.0.0.1,[::1],127.0.0.3");
    let outcome = publish(&url, &["--resolve", &pin]).run();
    let words = format!(
        "mqttws: connecting to {url}: 127.0.0.1:{port}: connection refused; [::1]:{port}: connection refused; \
         127.0.0.3:{port}: connection refused; nothing listens at this port: check it, or start `mqttws serve`\n"
    );
    outcome.expect(3, "", &words);
}

#[test]
fn one_family_can_be_asked_for() {
    let broker = broker(&[]);
    let port = broker.port();
    let url = format!("ws://broker.invalid:{port}/mqtt");
    let pin = format!("broker.invalid:{port}:127.0.0.1");
    let words = format!(
        "mqttws: connecting to {url}: no address for broker.invalid: it has none of the family that -4, -6 or \
         --bind asks for; check the host name\n"
    );
    publish(&url, &["--resolve", &pin, "-6"]).run().expect(3, "", &words);
    publish(&url, &["--resolve", &pin, "-A", "::1"]).run().expect(3, "", &words);
    // The last one counts.
    publish(&url, &["--resolve", &pin, "-6", "-4"]).run().expect(0, "", "");
}

#[test]
fn the_own_address_can_be_chosen() {
    let broker = broker(&[]);
    publish(&broker.url(), &["-A", "127.0.0.9"]).run().expect(0, "", "");
    let port = closed_port();
    let url = format!("ws://127.0.0.1:{port}/");
    let words = format!(
        "mqttws: connecting to {url}: 127.0.0.1:{port}: cannot connect from 192.0.2.1: address not available\n"
    );
    publish(&url, &["--bind", "192.0.2.1"]).run().expect(3, "", &words);
}

#[test]
fn an_ipv6_address_may_have_a_zone() {
    // Loopback has no link-local address: the kernel refuses, but it has understood the zone.
    let outcome = publish("ws://[fe80::1%25lo]:9/", &["--connect-timeout", "2"]).run();
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let is_told = text.starts_with("mqttws: connecting to ws://[fe80::1]:9/: ")
        && text.contains("[fe80::1%1]:9");
    assert!(matches!(outcome.code(), Some(3 | 27)) && is_told, "{outcome}");
    // Where there is IPv6, its loopback address is reached with the Host header that belongs to it.
    if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let words = format!(
            "mqttws: connecting to ws://[::1]:{port}/mqtt: [::1]:{port}: connection refused; \
                             nothing listens at this port: check it, or start `mqttws serve`\n"
        );
        publish(&format!("ws://[::1]:{port}"), &[]).run().expect(3, "", &words);
    }
}

#[test]
fn pins_and_addresses_that_make_no_sense_are_usage_errors() {
    for flags in [["--resolve", "host:80"], ["--resolve", "host:80:name"], ["--bind", "eth0"]] {
        assert_eq!(publish("ws://127.0.0.1:1/", &flags).run().code(), Some(2), "{flags:?}");
    }
}

#[cfg(unix)]
mod unix {
    //! Unix sockets.

    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::{broker, publish};
    use crate::support::folder::Folder;

    #[test]
    fn a_unix_socket_leads_to_a_broker() {
        let (folder, broker) =
            (Folder::new(), broker(&["Host: broker.example", "GET /there HTTP/1.1"]));
        let path = folder.write("socket", "");
        std::fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        let port = broker.port();
        let relay = thread::spawn(move || {
            let (mut here, _) = listener.accept().unwrap();
            let mut there = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut back, mut home) = (there.try_clone().unwrap(), here.try_clone().unwrap());
            let backward = thread::spawn(move || pass(&mut back, &mut home));
            pass(&mut here, &mut there);
            there.shutdown(std::net::Shutdown::Write).ok();
            backward.join().unwrap();
        });
        // Proxies do not lead to files.
        let program = publish(
            "ws://broker.example/there",
            &["--unix", &path, "--proxy", "http://127.0.0.1:1"],
        );
        program.run().expect(0, "", "");
        relay.join().unwrap();
    }

    fn pass(from: &mut impl Read, to: &mut impl Write) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_unix_socket_that_is_not_there_is_told() {
        let url = "ws://localhost/mqtt";
        let words = format!("mqttws: connecting to {url}: /no/such.socket: no such file\n");
        publish(url, &["--unix", "/no/such.socket"]).run().expect(3, "", &words);
    }
}

#[test]
fn a_name_beyond_ascii_is_looked_up_in_ascii() {
    let broker = broker(&[]);
    let port = broker.port();
    let pin = format!("BÜCHER.invalid:{port}:127.0.0.1");
    let url = format!("ws://Bücher.invalid:{port}/");
    publish(&url, &["--resolve", &pin]).run().expect(0, "", "");

    let pin = format!("bücher.invalid:{port}:127.0.0.1");
    let command = ["-h", "bücher.invalid", "-p", &closed_port().to_string(), "-t", "t", "-m", "x"];
    let outcome = Program::new([&["pub"], &command[..], &["--resolve", &pin]].concat()).run();
    let words = "mqttws: connecting to ws://bücher.invalid:*/mqtt (xn--bcher-kva.invalid): \
                 no address for xn--bcher-kva.invalid: *";
    fails(&outcome, 3, words);
}
