//! `mqttws pub` when the broker does not come back: a script can go on from what its last line
//! says.

use crate::numbers::{numbers, sequence};
use crate::program::Program;
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{SOON, mosquitto, wait_until};

const LAST: u32 = 500;

/// How many were acknowledged, how many are in doubt, and which the first of them is.
fn account(line: &str) -> [u32; 3] {
    let numbers =
        line.split(' ').filter_map(|word| word.trim_end_matches([':', ',', ';']).parse().ok());
    let numbers: Vec<u32> = numbers.take(3).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("no account: {line}"))
}

/// The acknowledgements stop, and then the broker is gone.
fn give_up(qos: &str, version: &str) {
    let Some(broker) = mosquitto() else { return };
    let mut subscriber =
        broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-q", "0"]).spawn();
    broker.wait_for_subscription("sub");
    let silent = Plan { down: Path::failing(700, Fault::Hold), ..Plan::default() };
    let proxy = Proxy::start(broker.ws_port(), move |_| silent.clone());
    let command = ["pub", &proxy.url(), "-t", "t", "-l", "-q", qos, "-V", version];
    let flags = ["--reconnect-tries", "2", "--reconnect-delay", SOON];
    let publisher = Program::new([&command[..], &flags].concat()).stdin(sequence(LAST)).spawn();
    wait_until("the acknowledgements stop", || proxy.held() == 1);
    drop(proxy);
    let outcome = publisher.finish();
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(8), b"".as_slice()), "{outcome}");

    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("trying again"),
        "a loss and an account:\n{outcome}"
    );
    let [acknowledged, in_doubt, first] = account(lines[1]);
    broker.client("mosquitto_pub", &["-t", "t", "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line(|line| line == "0\n");
    subscriber.signal("TERM");
    let mut arrived = numbers(&subscriber.finish().stdout);
    assert_eq!(arrived.pop(), Some(0), "the end comes last");
    let all: Vec<u32> = (1..=u32::try_from(arrived.len()).unwrap()).collect();
    assert_eq!(arrived, all, "what arrived is a beginning of what was sent\n{outcome}");

    assert!(acknowledged > 0 && in_doubt > 0, "there are some of each:\n{outcome}");
    assert_eq!(first, acknowledged + 1, "the first that is not acknowledged:\n{outcome}");
    let arrived = u32::try_from(arrived.len()).unwrap();
    assert!(arrived >= acknowledged, "{arrived} arrived:\n{outcome}");
    assert!(arrived <= acknowledged + in_doubt, "{arrived} arrived:\n{outcome}");
}

#[test]
fn at_qos_1() {
    give_up("1", "5");
    give_up("1", "311");
}

#[test]
fn at_qos_2() {
    give_up("2", "5");
    give_up("2", "311");
}
