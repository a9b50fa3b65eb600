//! Connections that stand still: those that go on are kept, those that do not are found out.

use std::time::Duration;

use crate::numbers::{numbers, sequence, tells_losses_and_recoveries};
use crate::program::Program;
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{SOON, mosquitto, wait_until};

/// Publishes while the first connection stands still in the direction to the client; with a keep
/// alive of a second.
fn publish_with(
    down: Path,
    meanwhile: impl FnOnce(&Proxy),
) -> Option<(Proxy, crate::program::Outcome)> {
    let broker = mosquitto()?;
    let subscriber =
        broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-q", "2", "-C", "300"]).spawn();
    broker.wait_for_subscription("sub");
    let proxy = Proxy::start(broker.ws_port(), move |number| {
        let down = if number == 0 { down.clone() } else { Path::default() };
        Plan { down, ..Plan::default() }
    });
    let command =
        ["pub", &proxy.url(), "-t", "t", "-q", "2", "-l", "-k", "1", "--reconnect-delay", SOON];
    let publisher = Program::new(command).stdin(sequence(300)).spawn();
    meanwhile(&proxy);
    let outcome = publisher.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(numbers(&subscriber.finish().stdout), (1..=300).collect::<Vec<u32>>());
    Some((proxy, outcome))
}

#[test]
fn a_short_standstill_is_waited_for() {
    let down = Path {
        faults: vec![(400, Fault::Stall(Duration::from_millis(300))), (700, Fault::Hold)],
        ..Path::default()
    };
    let result = publish_with(down, |proxy| {
        wait_until("the connection stands still", || proxy.held() > 0);
        proxy.release();
    });
    let Some((proxy, outcome)) = result else { return };
    assert_eq!((proxy.connections(), outcome.stderr.len()), (1, 0), "{outcome}");
}

#[test]
fn a_silent_broker_is_left_after_the_keep_alive() {
    let Some((_, outcome)) = publish_with(Path::failing(700, Fault::Hold), |_| {}) else { return };
    tells_losses_and_recoveries(&outcome, 1);
}

/// A connection that never gets through within `--connect-timeout` is one try among others.
#[test]
fn a_standstill_before_connack_is_left_after_the_connect_timeout() {
    let Some(broker) = mosquitto() else { return };
    let subscriber =
        broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-q", "1", "-C", "3"]).spawn();
    broker.wait_for_subscription("sub");
    let proxy = Proxy::start(broker.ws_port(), |number| match number {
        0 => Plan { down: Path::failing(20, Fault::Hold), ..Plan::default() },
        1 => Plan { up: Path::failing(250, Fault::Hold), ..Plan::default() },
        _ => Plan::default(),
    });
    let command = ["pub", &proxy.url(), "-t", "t", "-q", "1", "-l", "--reconnect-delay", SOON];
    let flags = ["--wait", "20", "--connect-timeout", "0.7", "-k", "1"];
    let outcome = Program::new([&command[..], &flags].concat()).stdin(sequence(3)).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    subscriber.finish().expect(0, sequence(3), "");
}

/// The first try is closed at once, the second (with the other subprotocol) stands still.
#[test]
fn an_interrupt_ends_a_second_try() {
    let Some(broker) = mosquitto() else { return };
    let proxy = Proxy::start(broker.ws_port(), |number| match number {
        0 => Plan { up: Path::failing(10, Fault::Cut), ..Plan::default() },
        _ => Plan { up: Path::failing(10, Fault::Hold), ..Plan::default() },
    });
    let running = Program::new(["sub", &proxy.url(), "-t", "t", "--wait", "20"]).spawn();
    wait_until("the second try", || proxy.held() > 0);
    running.signal("INT");
    let outcome = running.finish();
    assert_eq!(outcome.code(), Some(130), "{outcome}");
}
