//! `mqttws serve` listens at both addresses of this machine, at the same port.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use super::{serve, serve_with, stop};
use crate::support::lines::fails;
use crate::support::program::Program;

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Publishes at 127.0.0.1 and at `::1`; the exit codes.
fn publish_at_both(url: &str) -> [Option<i32>; 2] {
    let other = url.replace("127.0.0.1", "[::1]");
    [url, &other].map(|url| Program::new(["pub", url, "-t", "t", "-n"]).run().code())
}

#[test]
fn both_addresses_lead_to_one_broker() {
    let (broker, url) = serve();
    let wanted = if has_ipv6() { Some(0) } else { Some(3) };
    assert_eq!(publish_at_both(&url), [Some(0), wanted]);
    stop(broker);
}

#[test]
fn an_address_that_is_asked_for_is_the_only_one() {
    let (broker, url) = serve_with(&["-h", "127.0.0.1"]);
    assert_eq!(publish_at_both(&url), [Some(0), Some(3)]);
    stop(broker);
}

#[test]
fn a_port_that_is_taken_at_the_second_is_told() {
    // Another program may have the same port at the first address.
    let is_free = |listener: &TcpListener| {
        let port = listener.local_addr().unwrap().port();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    };
    let mut tries = (0..100).map_while(|_| TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok());
    let Some(taken) = tries.find(is_free) else { return };
    let port = taken.local_addr().unwrap().port().to_string();
    let line = "mqttws: listening at 127.0.0.1:*: also at [::1]:*: Address already in use*";
    fails(&Program::new(["serve", "-p", &port]).run(), 1, line);
}

#[test]
fn an_address_that_the_machine_does_not_have() {
    let words = ["serve", "--allow-remote", "--user", "a:b", "-h", "192.0.2.1", "-p", "0"];
    let line = "mqttws: listening at 192.0.2.1:0: Cannot assign requested address: no interface of \
                this machine has this address";
    fails(&Program::new(words).run(), 1, line);
}
