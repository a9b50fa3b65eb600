//! `mqttws sub --to`: what is passed on, when it is acknowledged, what is refused, and what is lost
//! or doubled when connections are cut and the program is killed.

mod both_ways;
mod bound;
mod loops;
mod refused;

use std::time::Duration;

use crate::support::broker::{Broker, Step, packet, until_session_end};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Program, Running};

/// A broker of our own with these flags, and its URL.
fn serve(flags: &[&str]) -> (Running, String) {
    let mut running = Program::new([&["serve", "-p", "0"], flags].concat()).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

/// Ends both brokers.
fn stop(brokers: [Running; 2]) {
    for broker in brokers {
        broker.signal("TERM");
    }
}

/// Lines with the numbers below `count`.
fn numbers(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

/// A mirror from `t` at one scripted broker to the other, with these flags; messages stay as they
/// are.
fn mirror(source: &Broker, target: &Broker, flags: &[&str]) -> Program {
    let (source, target) = (source.url(), target.url());
    let words = ["sub", &source, "-t", "t", "--to", &target, "--allow-loops"];
    Program::new([&words, flags].concat())
}

/// The source in MQTT 5: the subscription is granted, and then these steps.
fn source<const N: usize>(steps: [Step; N]) -> Broker {
    let mut script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        // QoS 2, No Local, Retain As Published, retained messages for a new subscription.
        packet("82 id 00 <t> 1e"),
        Step::Send("90 id 00 02"),
    ];
    script.extend(steps);
    Broker::start(until_session_end(script))
}

/// The target in MQTT 5, with these properties in its CONNACK.
fn target<const N: usize>(connack: &'static str, steps: [Step; N]) -> Broker {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack)];
    script.extend(steps);
    Broker::start(until_session_end(script))
}

const ACCEPTED: &str = "20 00 00 00";

/// The source sends a message of QoS 2, gets this answer to it, and has nothing else to say.
fn one_message(answer: &str) -> Broker {
    source([Step::Send("34 <t> 00 07 00 'x'"), packet(answer)])
}

#[test]
fn each_step_is_acknowledged_when_the_target_has_acknowledged_it() {
    let source = source([
        Step::Send("34 <t> 00 07 00 'x'"),
        packet("50 00 07"),
        Step::Send("62 00 07"),
        packet("70 00 07"),
        Step::Send("32 <t> 00 08 00 'y'"),
        packet("40 00 08"),
    ]);
    let target = target(
        ACCEPTED,
        [
            packet("34 <t> 00 07 00 'x'"),
            Step::Dally(Duration::from_millis(50)),
            Step::Send("50 00 07"),
            packet("62 00 07"),
            Step::Dally(Duration::from_millis(50)),
            Step::Send("70 00 07"),
            packet("32 <t> 00 08 00 'y'"),
            Step::Send("40 00 08"),
        ],
    );
    let line = "mqttws: mirrored 2 messages, 2 bytes\n";
    mirror(&source, &target, &["-C", "2"]).run().expect(0, "", line);
}

/// The source hears nothing of the message: it keeps it.
#[test]
fn what_the_target_does_not_acknowledge_stays_with_the_source() {
    let source = source([Step::Send("34 <t> 00 07 00 'x'")]);
    let target = target(ACCEPTED, [packet("34 <t> 00 07 00 'x'")]);
    let outcome = mirror(&source, &target, &["-C", "1", "-W", "1"]).run();
    let line = "mqttws: timed out after 1 s: mirrored 0 messages, 0 bytes; 1 not finished\n";
    outcome.expect(27, "", line);
}

#[test]
fn qos_is_lowered_to_what_the_target_takes_with_one_warning() {
    let steps = |first, answers: [Step; 2]| {
        let [one, two] = answers;
        let source = source([
            Step::Send("34 <t> 00 07 00 'x'"),
            packet("50 00 07"),
            Step::Send("62 00 07"),
            packet("70 00 07"),
            Step::Send("34 <t> 00 08 00 'y'"),
            packet("50 00 08"),
            Step::Send("62 00 08"),
            packet("70 00 08"),
        ]);
        (source, first, one, two)
    };
    let warned = |qos| {
        format!(
            "mqttws: warning: the broker of --to takes QoS {qos} at most: messages of QoS 2 are \
             lowered\nmqttws: mirrored 2 messages, 2 bytes\n"
        )
    };
    let (source, connack, one, two) =
        steps("20 00 00 02 24 01", [Step::Send("40 00 07"), Step::Send("40 00 08")]);
    let script = [packet("32 <t> 00 07 00 'x'"), one, packet("32 <t> 00 08 00 'y'"), two];
    let lower = target(connack, script);
    mirror(&source, &lower, &["-C", "2"]).run().expect(0, "", &warned(1));
    // At QoS 0 the answer to a PINGREQ says that the target has the message.
    let (source, connack, one, two) =
        steps("20 00 00 02 24 00", [Step::Send("d0"), Step::Send("d0")]);
    let script =
        [packet("30 <t> 00 'x'"), packet("c0"), one, packet("30 <t> 00 'y'"), packet("c0"), two];
    let unsure = target(connack, script);
    mirror(&source, &unsure, &["-C", "2"]).run().expect(0, "", &warned(0));
}

/// Flags and variables of the source are not for the target.
#[test]
fn user_and_headers_are_those_of_the_target_only() {
    let own = ["-u", "ann", "-P", "secret", "-H", "X-Key: k", "-W", "20", "-C", "1"];
    for (user, flags) in [("", "00"), ("bob:pass@", "c0")] {
        let source = one_message("50 00 07 87");
        let connect = packet(&format!("10 <MQTT> 05 {flags} 00 2d *"));
        let target = Broker::start(until_session_end(vec![
            Step::RequestWithout("X-Key"),
            Step::Accept,
            connect,
            Step::Send(ACCEPTED),
            packet("34 <t> 00 07 00 'x'"),
            Step::Send("50 00 07 87"),
        ]));
        let to = target.url().replace("ws://", &format!("ws://{user}"));
        let words = ["sub", &source.url(), "-t", "t", "--to", &to, "--allow-loops"];
        let program = Program::new([&words[..], &own].concat());
        let program = program.env("MQTTWS_USERNAME", "eve").env("MQTTWS_PASSWORD", "hidden");
        assert_eq!(program.run().code(), Some(7));
    }
}

#[test]
fn a_profile_says_how_to_reach_the_target() {
    let folder = Folder::new();
    let source = one_message("50 00 07 87");
    let target = Broker::start(until_session_end(vec![
        Step::Request(&["X-Key: b"]),
        Step::Accept,
        packet("10 <MQTT> 05 c0 00 2d *"),
        Step::Send(ACCEPTED),
        packet("34 <t> 00 07 00 'x'"),
        Step::Send("50 00 07 87"),
    ]));
    let profile = "[profile.default]\nusername = 'eve'\n[profile.b]\nusername = 'bob'\n\
                   password = 'p'\nheader = 'X-Key: b'\n";
    let config = folder.write("config.toml", profile);
    std::process::Command::new("chmod").args(["600", &config]).status().unwrap();
    let flags = ["--config", &config, "--to-profile", "b", "-C", "1"];
    assert_eq!(mirror(&source, &target, &flags).run().code(), Some(7));
}

#[test]
fn everything_that_a_message_has_is_kept() {
    let ((a, source), (b, target)) = (serve(&[]), serve(&[]));
    let format = "%t|%q|%r|%C|%R|%D|%P|%E|%p";
    let words = ["sub", &target, "-t", "#", "-q", "2", "--retain-as-published", "-C", "3"];
    let mut reader =
        Program::new([&words[..], &["-F", format, "--ready-fd", "2"]].concat()).spawn();
    reader.wait_for_words("\n");
    let words = ["sub", &source, "-t", "in/#", "--to", &target, "--map", "in/(.*)=out/$1"];
    let flags = [
        "--allow-loops",
        "-C",
        "3",
        "--ready-fd",
        "1",
        "-D",
        "subscribe",
        "subscription-identifier",
        "9",
    ];
    let mut mirror = Program::new([&words[..], &flags].concat()).spawn();
    mirror.wait_for_line(|line| line == "\n");
    let properties = "content-type text/x;response-topic back;correlation-data cd;\
                      user-property k v;message-expiry-interval 1000";
    let mut first = vec!["pub", &source, "-t", "in/a", "-m", "one", "-q", "2"];
    for property in properties.split(';') {
        first.extend(["-D", "publish"]);
        first.extend(property.split(' '));
    }
    Program::new(first).run().expect(0, "", "");
    let rest = [&["-t", "in/b", "-m", "two", "-q", "1", "-r"][..], &["-t", "in/c", "-m", "three"]];
    for words in rest {
        Program::new([&["pub", &source], words].concat()).run().expect(0, "", "");
    }
    mirror.finish().expect(0, "\n", "mqttws: mirrored 3 messages, 11 bytes\n");
    let outcome = reader.finish();
    let expected = "out/a|2|0|text/x|back|cd|k:v|*|one\nout/b|1|1||||||two\n\
                    out/c|0|0||||||three\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stdout), expected), "{outcome}");
    stop([a, b]);
}

/// A mirror that a service runs: it is killed, and both brokers cut its connections.
struct Chaos {
    source: String,
    target: String,
    count: usize,
    qos: &'static str,
}

impl Chaos {
    fn mirror(&self) -> Running {
        let words = ["sub", &self.source, "-t", "in/#", "-q", self.qos, "-c", "-i", "mirror"];
        let to = ["--to", &self.target, "--map", "in/(.*)=out/$1", "--reconnect-delay", "0.01"];
        let flags = ["--ready-fd", "1", "--quiet"];
        let mut mirror = Program::new([&words[..], &to, &flags].concat()).spawn();
        mirror.wait_for_line(|line| line == "\n");
        mirror
    }

    /// What came at the target: the mirror was killed when these messages had come.
    fn run(&self, kills: &[usize]) -> Vec<usize> {
        let count = self.count.to_string();
        let words = ["sub", &self.target, "-t", "out/#", "-q", self.qos, "-c", "-i", "reader"];
        let flags = ["--ready-fd", "2", "--quiet", "--reconnect-delay", "0.01"];
        let mut reader = Program::new([&words[..], &flags].concat()).spawn();
        reader.wait_for_words("\n");
        let mut mirror = self.mirror();
        let words = ["pub", &self.source, "-t", "in/x", "-l", "-q", self.qos, "--quiet"];
        let publish = Program::new([&words[..], &["--reconnect-delay", "0.01"]].concat());
        let publish = publish.stdin(numbers(self.count)).spawn();
        for kill in kills {
            let is_due =
                |line: &str| line.trim().parse::<usize>().is_ok_and(|number| number >= *kill);
            reader.wait_for_line(is_due);
            mirror.signal("KILL");
            mirror.finish();
            mirror = self.mirror();
        }
        publish.finish().expect(0, "", "");
        reader.wait_for_line(|line| line.trim().parse() == Ok(self.count - 1));
        mirror.signal("INT");
        mirror.finish().expect(0, "\n", "");
        reader.signal("INT");
        let outcome = reader.finish();
        println!("{count} messages");
        let text = String::from_utf8(outcome.stdout.clone()).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

/// So many numbers below `count`, in their order.
fn chance(seed: u64, count: usize, numbers: usize) -> Vec<usize> {
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut chosen: Vec<usize> = (0..numbers).map(|_| random.usize(0..count)).collect();
    chosen.sort_unstable();
    chosen
}

#[test]
fn nothing_is_lost_and_at_qos_2_nothing_doubled_when_it_is_killed() {
    for (qos, seed) in [("1", 1), ("2", 2), ("2", 3)] {
        let ((a, source), (b, target)) = (serve(&[]), serve(&[]));
        let chaos = Chaos { source, target, count: 3000, qos };
        let came = chaos.run(&chance(seed, chaos.count, 6));
        let mut first = Vec::new();
        for number in &came {
            if *number >= first.len() {
                first.push(*number);
            }
        }
        assert_eq!(first, (0..chaos.count).collect::<Vec<_>>(), "lost, or in another order");
        assert!(qos == "1" || came.len() == chaos.count, "{} came", came.len());
        stop([a, b]);
    }
}

#[test]
fn nor_when_both_brokers_cut_its_connections_and_lose_and_repeat_what_it_sends() {
    for seed in [1, 2] {
        let faults =
            format!("cut-after=20000,in/publish:dup=0.02,out/publish:dup=0.02,seed={seed}");
        let ((a, source), (b, target)) =
            (serve(&["--fault", &faults]), serve(&["--fault", &faults]));
        let chaos = Chaos { source, target, count: 1000, qos: "2" };
        let came = chaos.run(&chance(seed, chaos.count, 2));
        assert_eq!(came, (0..chaos.count).collect::<Vec<_>>());
        stop([a, b]);
    }
}
