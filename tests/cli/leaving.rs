//! `--abort` and `--disconnect-with-will`: what is sent at the end, and the will that follows.

use crate::support::broker::{Broker, Step, connected, packet, until};
use crate::support::lines::fails;
use crate::support::program::{Program, Running};

/// `mqttws pub -V 311 -t t -m x --abort` and these flags, at a broker that does this.
fn aborted<const N: usize>(flags: &[&str], steps: [Step; N]) -> crate::support::program::Outcome {
    let broker = Broker::start(connected(steps));
    let words = ["pub", &broker.url(), "-V", "311", "-t", "t", "-m", "x", "--abort"];
    let outcome = Program::new([&words[..], flags].concat()).run();
    broker.finish();
    outcome
}

#[test]
fn an_abort_is_a_reset_after_an_answer() {
    let steps = [packet("30 <t> 'x'"), packet("c0"), Step::Send("d0"), Step::WasReset];
    aborted(&[], steps).expect(0, "", "");
    let steps = [
        packet("32 <t> id 'x'"),
        Step::Send("40 id"),
        packet("c0"),
        Step::Send("d0"),
        Step::WasReset,
    ];
    aborted(&["-q", "1"], steps).expect(0, "", "");
    let broker = Broker::start(connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <t> 00 07 'x'"),
        packet("40 00 07"),
        packet("c0"),
        Step::Send("d0"),
        Step::WasReset,
    ]));
    let words = ["sub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-C", "1", "--abort"];
    Program::new(words).run().expect(0, "x\n", "");
}

#[test]
fn without_an_answer_nothing_is_known() {
    let steps = [packet("30 <t> 'x'"), packet("c0"), Step::WasReset];
    let outcome = aborted(&["--connect-timeout", "0.5"], steps);
    let line = "mqttws: ending by a reset: no answer from the broker within 0.5 s";
    fails(&outcome, 27, line);
    let outcome = aborted(&[], [packet("30 <t> 'x'"), packet("c0"), Step::End]);
    let line = "mqttws: publishing to t*: connection lost: the server closed the connection*";
    fails(&outcome, 8, line);
}

#[test]
fn a_will_may_follow_a_disconnect() {
    let script = |connack: &'static str, publish: &str| {
        vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack), packet(publish)]
    };
    let will = ["--will-topic", "w", "--will-payload", "gone", "--disconnect-with-will"];
    let broker = Broker::start(until(script("20 00 00 00", "30 <t> 00 'x'"), "e0 04"));
    let words = ["pub", &broker.url(), "-t", "t", "-m", "x"];
    Program::new([&words[..], &will].concat()).run().expect(0, "", "");
    for (flags, line) in [
        (
            &["--will-topic", "w", "-V", "311"][..],
            "mqttws: --disconnect-with-will: only MQTT 5 has a DISCONNECT with a reason code",
        ),
        (&[], "mqttws: --disconnect-with-will needs a will: --will-topic"),
        (
            &["--abort"],
            "mqttws: --disconnect-with-will cannot be used with --abort; see mqttws help *",
        ),
    ] {
        for verb in [&["pub", "-t", "t", "-n"][..], &["sub", "-t", "t"]] {
            let words = [verb, &["--disconnect-with-will"], flags].concat();
            fails(&Program::new(words).run(), 2, line);
        }
    }
}

fn serve() -> (Running, String) {
    let mut running = Program::new(["serve", "-p", "0"]).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

/// A subscriber gets the will of `pub` after these ends, and after DISCONNECT alone it does not.
#[test]
fn the_will_is_published_after_either() {
    let (broker, url) = serve();
    let wait = ["sub", &url, "-t", "w", "-W", "20", "-C", "1", "--"];
    for end in [&["--abort"][..], &["--abort", "-V", "311"], &["--disconnect-with-will"]] {
        for qos in ["0", "1", "2"] {
            let publish = ["mqttws", "pub", "-t", "t", "-m", "x", "-q", qos, "--will-topic", "w"];
            let words = [&wait[..], &publish, &["--will-payload", "gone"], end].concat();
            Program::new(words).run().expect(0, "gone\n", "");
        }
    }
    let publish = ["mqttws", "pub", "-t", "t", "-m", "x", "--will-topic", "w"];
    let none = ["sub", &url, "-t", "w", "-W", "0.5", "--expect-none", "--"];
    Program::new([&none[..], &publish].concat()).run().expect(0, "", "");
    // A subscriber leaves so, too.
    let subscribe = ["mqttws", "sub", "-t", "x", "-E", "--will-topic", "w", "--will-payload"];
    for end in ["--abort", "--disconnect-with-will"] {
        let words = [&wait[..], &subscribe, &["gone", end]].concat();
        Program::new(words).run().expect(0, "gone\n", "");
    }
    broker.signal("TERM");
    broker.finish();
}
