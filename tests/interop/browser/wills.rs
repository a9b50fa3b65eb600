//! Wills of pages that go without DISCONNECT.

use std::io::copy;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::{LIBRARIES, Task, chromium, receives, serve, subscribe};
use crate::program::Running;

/// Subscribes to the will of a page, with its QoS and its retain flag.
fn await_will(url: &str, name: &str) -> Running {
    let topic = format!("{name}/will");
    let flags = ["-t", &topic, "-q", "2", "-C", "1", "-V", "5", "--retain-as-published"];
    subscribe(url, &[&flags[..], &["-F", "q%q r%r %p"]].concat())
}

#[test]
fn the_will_of_a_page_that_is_closed_comes() {
    let Some(chromium) = chromium() else { return };
    let (_serve, url) = serve();
    for (library, versions) in LIBRARIES {
        for version in versions {
            let task = Task { library, version: *version, url: &url, more: "will=1" };
            let subscriber = await_will(&url, &task.name());
            task.open(chromium).close();
            receives(subscriber, "q1 r1 gone\n");
        }
    }
}

/// The connection of a client to a broker, through an address of its own.
struct Wire {
    url: String,
    listener: TcpListener,
    broker: u16,
}

impl Wire {
    fn to(url: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = url.trim_start_matches("ws://127.0.0.1:").trim_end_matches("/mqtt");
        let url = url.replace(broker, &port.to_string());
        Self { url, broker: broker.parse().unwrap(), listener }
    }

    /// Carries one connection; it can be cut by what this gives.
    fn carry(&self) -> JoinHandle<[TcpStream; 2]> {
        let (listener, broker) = (self.listener.try_clone().unwrap(), self.broker);
        thread::spawn(move || {
            let client = listener.accept().unwrap().0;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || copy(&mut from, &mut to).ok());
            }
            [client, server]
        })
    }
}

#[test]
fn the_will_of_a_page_whose_connection_is_cut_comes() {
    let Some(chromium) = chromium() else { return };
    let (_serve, url) = serve();
    let wire = Wire::to(&url);
    for (library, versions) in LIBRARIES {
        let task = Task { library, version: versions[0], url: &wire.url, more: "will=1" };
        let subscriber = await_will(&url, &task.name());
        let carried = wire.carry();
        let mut page = task.open(chromium);
        for socket in carried.join().unwrap() {
            socket.shutdown(Shutdown::Both).unwrap();
        }
        page.tells("closed 1006");
        receives(subscriber, "q1 r1 gone\n");
    }
}
