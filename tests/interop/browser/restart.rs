//! A page stays open while the broker is started again, as it is when somebody works on both.

use super::{Task, chromium};
use crate::daemon::free_ports;
use crate::program::{Program, Running};

/// A broker at a port that stays its own.
fn serve_at(port: &str) -> Running {
    let mut serve = Program::new(["serve", "-p", port]).spawn();
    serve.wait_for_line(|line| line.starts_with("ws"));
    serve
}

#[test]
fn a_page_is_back_when_the_broker_is() {
    let Some(chromium) = chromium() else { return };
    let [port] = free_ports().map(|port: u16| port.to_string());
    let url = format!("ws://127.0.0.1:{port}/mqtt");
    let task = Task { library: "mqttjs", version: 5, url: &url, more: "again=50" };
    let topic = format!("{}/in", task.name());
    let serve = serve_at(&port);
    let mut page = task.open(chromium);
    serve.signal("TERM");
    serve.finish().expect(0, format!("{url}\n"), "");

    let _serve = serve_at(&port);
    page.tells_at_last("subscribed");
    let publish = ["pub", &url, "-t", &topic, "-q", "1", "-m", "x"];
    Program::new(publish).run().expect(0, "", "");
    page.tells_at_last(&format!("received {topic} q1 r0 78"));
}
