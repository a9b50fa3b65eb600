//! `mqttws sub` as a test in a script: `-- COMMAND`, `--match` and its kind, `--fail-on`,
//! `--expect-none`, `--ready-fd`: what comes out, what is said, and what becomes of the command.

use std::os::unix::net::UnixDatagram;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{fails, fails_after};
use crate::support::program::{Outcome, PATIENCE, Program, Running};

const MQTTWS: &str = env!("CARGO_BIN_EXE_mqttws");

/// `mqttws sub -V 311 -t t` and these words.
fn subscribe(broker: &Broker, words: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311", "-t", "t"], words].concat())
}

/// What came of it, with a broker that grants the subscription, does this and is left in order.
fn ran<const N: usize>(words: &[&str], steps: [Step; N]) -> Outcome {
    subscribe(&Broker::start(until_goodbye(subscribed(steps))), words).run()
}

/// A broker of our own, and its URL.
fn serve() -> (Running, String) {
    let mut running = Program::new(["serve", "-p", "0"]).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

/// `mqttws sub URL -t out` and these words, at a broker of its own.
fn tested(words: &[&str]) -> Outcome {
    let (broker, url) = serve();
    let outcome = Program::new([&["sub", &url, "-t", "out"], words].concat()).run();
    broker.signal("TERM");
    broker.finish();
    outcome
}

/// Reads what a process writes into a pipe with a name.
fn gate(folder: &Folder) -> String {
    let path = folder.path().join("gate").into_os_string().into_string().unwrap();
    Program::of("mkfifo", [&path]).run().expect(0, "", "");
    path
}

#[test]
fn a_command_starts_when_the_subscription_stands() {
    let words = ["-C", "1", "-W", "20", "--match", "^ok", "--", "mqttws", "pub", "-t", "out"];
    tested(&[&words[..], &["-m", "ok 1"]].concat()).expect(0, "ok 1\n", "");
    // Only after SUBACK: the broker hears of the command before it grants anything, or never.
    let folder = Folder::new();
    let file = folder.path().join("started").display().to_string();
    let broker = Broker::start(until_goodbye(connected([
        packet("82 id <t> 00"),
        Step::Tell,
        Step::Send("90 id 00"),
        Step::Tell,
        Step::Send("30 <t> 'x'"),
    ])));
    let script = "echo > \"$0\"; read line";
    let running =
        subscribe(&broker, &["-C", "1", "--", "sh", "-c", script, &file]).stdin_held_open().spawn();
    broker.wait();
    assert!(!folder.path().join("started").exists());
    running.finish().expect(0, "x\n", "");
}

/// stdout is for the messages.
#[test]
fn the_output_of_a_command_goes_to_stderr() {
    let script = "echo out; echo err >&2; mqttws pub -t out -m x; cat";
    let (broker, url) = serve();
    let words = ["sub", &url, "-t", "out", "-C", "1", "--", "sh", "-c", script];
    Program::new(words).stdin("").run().expect(0, "x\n", "out\nerr\n");
    broker.signal("TERM");
    broker.finish();
}

#[test]
fn a_command_knows_the_broker() {
    let script = "echo $MQTTWS_URL ${NOTIFY_SOCKET-none} $MQTTWS_USERNAME; command -v mqttws";
    let broker = Broker::start(until_goodbye(subscribed([Step::Heard])));
    let address = broker.url().replace("ws://", "");
    let url = format!("ws://a%20b:p%3a@{address}?t=%31");
    let words = ["sub", &url, "-V", "311", "-t", "t", "--", "sh", "-c"];
    let end = "; kill $PPID; sleep 9";
    let script = format!("{script}{end}");
    let words = [&words[..], &[&script]].concat();
    let outcome = Program::new(words).env("MQTTWS_USERNAME", "ann").run();
    let url = url.replace("%3a", "%3A");
    outcome.expect(0, "", &format!("{url} none ann\n{MQTTWS}\n"));
}

#[test]
fn only_messages_that_match_count() {
    let messages = "30 <t> 'no'; 30 <t> 'ok 1'; 30 <t> 'not ok'; 30 <t> 'ok 2'; 30 <t> 'x'";
    let outcome = ran(&["-C", "2", "--match", "^ok", "-v"], [Step::Send(messages)]);
    outcome.expect(0, "t ok 1\nt ok 2\n", "");
    let flags = ["-C", "2", "--match", "^ok", "--show-others", "--quiet"];
    let stderr = "mqttws: not counted: t no\nmqttws: not counted: t not ok\n";
    ran(&flags, [Step::Send(messages)]).expect(0, "ok 1\nok 2\n", stderr);
    // Bytes, topics, values, and all of them at once.
    let bytes = "30 <t> 'a'; 30 <t> 'b' ff; 30 <t> 'b' fe";
    ran(&["-C", "1", "--match", r"(?-u)b\xfe"], [Step::Send(bytes)]).expect(0, b"b\xfe\n", "");
    let topics = "30 <a/b> '1'; 30 <t/b> '2'";
    ran(&["-C", "1", "--match-topic", "^t/"], [Step::Send(topics)]).expect(0, "2\n", "");
    let json = "30 <t> '{\"a\":{\"b\":1}}'; 30 <t> '{\"a\":{\"b\":\"on\"},\"c\":2.0}'";
    let flags = ["-C", "1", "--match-json", "a.b=on", "--match-json", "c=2", "--match", "on"];
    let line = "{\"a\":{\"b\":\"on\"},\"c\":2.0}\n";
    ran(&flags, [Step::Send(json)]).expect(0, line, "");
}

/// What was left out is acknowledged as well.
#[test]
fn messages_that_do_not_count_are_acknowledged() {
    let broker = Broker::start(until_goodbye(connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <t> 00 07 'no'; 32 <t> 00 08 'ok'"),
        packet("40 00 07"),
        packet("40 00 08"),
    ])));
    subscribe(&broker, &["-q", "1", "-C", "1", "--match", "ok"]).run().expect(0, "ok\n", "");
}

#[test]
fn the_time_is_up() {
    let flags = ["-C", "1", "-W", "0.3", "--match", "^ok"];
    let line = "mqttws: no message that matches ^ok within 0.3 s; no other came";
    fails(&ran(&flags, []), 27, line);
    let three = "30 <t> 'a'; 30 <t> 'b'; 30 <t> 'c' 0a ff";
    let line = "mqttws: no message that matches ^ok within 0.3 s; 3 others came, the last: \
                t c\\n\u{fffd}";
    fails(&ran(&flags, [Step::Send(three)]), 27, line);
    let flags = [
        "-C",
        "3",
        "-W",
        "0.3",
        "--match",
        "^ok",
        "--match-topic",
        "t",
        "--match-json",
        "a=1",
        "--quiet",
    ];
    let line = "mqttws: no message that matches ^ok and whose topic matches t and with a=1 within \
                0.3 s; 1 other came, the last: t ok";
    fails(&ran(&flags, [Step::Send("30 <t> 'ok'")]), 27, line);
    let flags = ["-C", "3", "-W", "0.3", "--match", "^ok"];
    let line = "mqttws: 1 of 3 messages that match ^ok within 0.3 s; no other came";
    fails_after(&ran(&flags, [Step::Send("30 <t> 'ok'")]), b"ok\n", 27, line);
    let line = "mqttws: 2 messages that match ^ok within 0.3 s; no other came";
    let outcome = ran(&flags[2..], [Step::Send("30 <t> 'ok'; 30 <t> 'ok'")]);
    fails_after(&outcome, b"ok\nok\n", 27, line);
    // Without anything to match the line is as ever.
    let line = "mqttws: subscribed: timed out after 0.3 s with 0 of 1 message";
    fails(&ran(&["-C", "1", "-W", "0.3", "--", "true"], []), 27, line);
    fails(&ran(&["-C", "1", "-W", "0.3", "--fail-on", "x"], []), 27, line);
}

/// A time that ends with 0 otherwise does not where something had to match.
#[test]
fn other_ends_do_not_hide_a_missing_match() {
    let ok = [Step::Send("30 <t> 'no'")];
    let line = "mqttws: no message that matches ok within 0.3 s; 1 other came, the last: t no";
    fails(&ran(&["-C", "1", "--for", "0.3", "--match", "ok"], ok), 27, line);
    let line = "mqttws: no message that matches ok before 0.3 s of silence; no other came";
    fails(&ran(&["-C", "1", "--idle", "0.3", "--match", "ok"], []), 27, line);
    ran(&["--idle", "0.3", "--match", "ok"], []).expect(0, "", "");
    ran(&["--for", "0.3", "--match", "ok"], []).expect(0, "", "");
    let retained = [Step::Send("31 <t> 'no'; 31 <t> 'no'; 30 <t> 'ok'")];
    let line = "mqttws: no message that matches ok among the retained ones; 2 others came, the \
                last: t no";
    fails(&ran(&["-C", "1", "--retained-only", "--match", "ok"], retained), 1, line);
    let retained = [Step::Send("31 <t> 'ok'; 30 <t> 'no'")];
    ran(&["-C", "1", "--retained-only", "--match", "ok"], retained).expect(0, "ok\n", "");
}

#[test]
fn a_message_can_be_the_failure() {
    let flags = ["-C", "1", "--match", "ok", "--fail-on", "^err", "--fail-on", "fatal"];
    let line = "mqttws: a message matches --fail-on fatal: t so fatal";
    fails(&ran(&flags, [Step::Send("30 <t> 'x'; 30 <t> 'so fatal'; 30 <t> 'ok'")]), 1, line);
    // It fails also where it would count.
    let line = "mqttws: a message matches --fail-on ^err: t error, not ok";
    fails(&ran(&flags, [Step::Send("30 <t> 'error, not ok'")]), 1, line);
    ran(&["--for", "0.3", "--fail-on", "x"], [Step::Send("30 <t> 'a'")]).expect(0, "a\n", "");
    let line = format!("mqttws: a message matches --fail-on x: t {}\u{2026}", "x".repeat(198));
    let long = format!("30 <t> '{}'", "x".repeat(300));
    fails(&ran(&["--fail-on", "x"], [Step::Send(long.leak())]), 1, &line);
}

#[test]
fn nothing_may_be_expected() {
    ran(&["-W", "0.3", "--expect-none"], []).expect(0, "", "");
    ran(&["--for", "0.3", "--expect-none"], []).expect(0, "", "");
    ran(&["--idle", "0.3", "--expect-none"], []).expect(0, "", "");
    let line = "mqttws: expected no message, but one came: t x";
    fails_after(&ran(&["-W", "20", "--expect-none"], [Step::Send("30 <t> 'x'")]), b"x\n", 1, line);
    let flags = ["-W", "0.3", "--expect-none", "--match", "ok"];
    ran(&flags, [Step::Send("30 <t> 'x'; 30 <t> 'y'")]).expect(0, "", "");
    let line = "mqttws: expected no message that matches ok, but one came: t ok";
    let outcome = ran(&flags, [Step::Send("30 <t> 'x'; 30 <t> 'ok'")]);
    fails_after(&outcome, b"ok\n", 1, line);
    // Silence proves nothing without a subscription, without its answer or without a connection.
    let unanswered = vec![Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")];
    let mut script = unanswered;
    script.extend([packet("82 id <t> 00"), packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let outcome = subscribe(&broker, &["-W", "0.3", "--expect-none"]).run();
    fails(&outcome, 27, "mqttws: subscribing to t: no answer from the broker within 0.3 s");
    let broker = Broker::start(subscribed([Step::End]));
    let outcome = subscribe(&broker, &["-W", "20", "--expect-none"]).run();
    fails(
        &outcome,
        8,
        "mqttws: subscribed at *: connection lost: the server closed the connection*",
    );
}

#[test]
fn a_refused_subscription_ends_a_test() {
    let refused = || {
        Broker::start(until_goodbye(connected([
            packet("82 id <t> 00 <u> 00"),
            Step::Send("90 id 00 80"),
        ])))
    };
    let line = "mqttws: subscribing to u: refused: unspecified error";
    for words in [
        &["--match", "x", "-W", "20"][..],
        &["--fail-on", "x", "-W", "20"],
        &["--expect-none", "-W", "20"],
        &["-W", "20", "--", "sh", "-c", "echo started"],
        &["-W", "20", "--ready-fd", "2"],
    ] {
        fails(&subscribe(&refused(), &[&["-t", "u"], words].concat()).run(), 7, line);
    }
}

#[test]
fn a_command_that_fails_is_named() {
    // The broker is asked whether it has more, before the failure counts.
    let asked = || [packet("c0"), Step::Send("d0")];
    let run = |words: &[&str]| ran(&[&["-C", "1", "-W", "20"], words].concat(), asked());
    let failed = "mqttws: running sh: it ended with exit code 3";
    fails(&run(&["--", "sh", "-c", "exit 3"]), 1, failed);
    let line = "mqttws: running sh: it ended with exit code 3; no message that matches ok so far; \
                no other came";
    fails(&run(&["--match", "ok", "--", "sh", "-c", "exit 3"]), 1, line);
    fails(&run(&["--", "sh", "-c", "kill -9 $$"]), 1, "mqttws: running sh: signal 9 ended it");
    let line = "mqttws: running /no-such-file: No such file or directory";
    fails(&run(&["--", "/no-such-file"]), 1, line);
    fails(&run(&["--", "/"]), 1, "mqttws: running /: Permission denied");
    let line = "mqttws: running no-such: No such file or directory";
    fails(&run(&["--", "no-such", "x"]), 1, line);
    // Its end with 0 is no end of ours, and its failure counts also where nothing is expected.
    let line = "mqttws: running sh: it ended with exit code 1";
    let words = ["-W", "20", "--expect-none", "--", "sh", "-c", "exit 1"];
    fails(&ran(&words, asked()), 1, line);
    ran(&["-W", "0.5", "--expect-none", "--", "true"], []).expect(0, "", "");
}

/// SIGTERM, and its exit code does not count any more; SIGKILL, if that is not enough.
#[test]
fn a_command_that_still_runs_is_ended() {
    // One that is about to end does so.
    let script = "mqttws pub -t out -m x; echo done";
    tested(&["-C", "1", "--", "sh", "-c", script]).expect(0, "x\n", "done\n");
    let (broker, url) = serve();
    let script = "trap 'echo ended; exit 5' TERM; mqttws pub -t out -m x; read line";
    let words = ["sub", &url, "-t", "out", "-C", "1", "--", "sh", "-c", script];
    Program::new(words).stdin_held_open().run().expect(0, "x\n", "ended\n");
    broker.signal("TERM");
    broker.finish();
    let script = "trap '' TERM; mqttws pub -t out -m x; while :; do sleep 1; done";
    tested(&["-C", "1", "--", "sh", "-c", script]).expect(0, "x\n", "");
    // Outputs end when the last process that has them is gone: also what it has started itself.
    let script = "sleep 60 & mqttws pub -t out -m x; sleep 60";
    tested(&["-C", "1", "--", "sh", "-c", script]).expect(0, "x\n", "");
    let script = "sleep 60 & mqttws pub -t out -m x";
    tested(&["-C", "1", "--", "sh", "-c", script]).expect(0, "x\n", "");
    let script = "sleep 60 & exit 4";
    let outcome = tested(&["-C", "1", "--", "sh", "-c", script]);
    fails(&outcome, 1, "mqttws: running sh: it ended with exit code 4");
}

#[test]
fn a_signal_ends_the_command_too() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let script = format!("trap 'echo got {signal}; exit 0' {signal}; echo ready; read line");
        let broker = Broker::start(until_goodbye(subscribed([])));
        let words = ["-C", "1", "--match", "ok", "--", "sh", "-c", &script];
        let mut running = subscribe(&broker, &words).stdin_held_open().spawn();
        running.wait_for_words("ready");
        running.signal(signal);
        let outcome = running.finish();
        // The two write at the same time.
        let got = format!("got {signal}");
        let line = "mqttws: interrupted: no message that matches ok so far; no other came";
        let mut expected = vec!["ready", &got, line];
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let mut found: Vec<&str> = stderr.lines().collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!((outcome.code(), found), (Some(code), expected), "{outcome}");
    }
    // An end that was to come in silence has not come.
    let broker = Broker::start(until_goodbye(subscribed([Step::Tell])));
    let running = subscribe(&broker, &["-W", "60", "--expect-none"]).spawn();
    broker.wait();
    running.signal("INT");
    let outcome = running.finish();
    assert!(matches!(outcome.code(), Some(130)), "{outcome}");
}

/// The outputs end when the last process that has them is gone.
#[test]
#[cfg(target_os = "linux")]
fn a_command_does_not_outlive_us() {
    let broker = Broker::start(subscribed([Step::Gone]));
    let script = "trap '' TERM INT HUP; echo ready >&2; read line";
    let mut running = subscribe(&broker, &["--", "sh", "-c", script]).stdin_held_open().spawn();
    running.wait_for_words("ready");
    running.signal("KILL");
    let outcome = running.finish();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (None, &b"ready\n"[..]), "{outcome}");
}

/// A lost connection does not start the command again, nor does it end it.
#[test]
fn a_command_runs_once() {
    let mut script = subscribed([Step::Tell, Step::End, Step::Reconnect]);
    script.extend(subscribed([Step::Send("30 <t> 'x'")]));
    let broker = Broker::start(until_goodbye(script));
    let folder = Folder::new();
    let gate = gate(&folder);
    let words = ["-C", "1", "--reconnect-delay", "0.01", "--quiet", "--", "sh", "-c"];
    let script = "echo started; cat \"$0\"";
    let running = subscribe(&broker, &[&words[..], &[script, &gate]].concat()).spawn();
    let outcome = running.finish();
    // The end may come before its first word.
    let is_one = matches!(&outcome.stderr[..], b"" | b"started\n");
    assert!(outcome.code() == Some(0) && outcome.stdout == b"x\n" && is_one, "{outcome}");
}

#[test]
fn a_file_descriptor_is_told_when_the_subscription_stands() {
    let folder = Folder::new();
    let gate = gate(&folder);
    let (broker, url) = serve();
    let script = format!(
        "\"$0\" sub {url} -t out -C 1 -W 20 --ready-fd 7 7> '{gate}' & read line < '{gate}'; \
         \"$0\" pub {url} -t out -m x; wait $!; echo \"$? ($line)\""
    );
    Program::of("sh", ["-c", &script, MQTTWS]).run().expect(0, "x\n0 ()\n", "");
    broker.signal("TERM");
    broker.finish();
    let outcome = Program::new(["sub", "-t", "t", "--ready-fd", "77"]).run();
    let line = "mqttws: --ready-fd: file descriptor 77 is not usable: Bad file descriptor";
    fails(&outcome, 2, line);
}

#[test]
fn a_service_manager_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("notify").display().to_string();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let broker = Broker::start(until_goodbye(subscribed([])));
    let status = format!("READY=1\nSTATUS=Subscribed at {}\n", broker.url());
    let running = subscribe(&broker, &[]).env("NOTIFY_SOCKET", &path).spawn();
    assert_eq!(next(), status);
    running.signal("TERM");
    assert_eq!(next(), "STOPPING=1\n");
    running.finish().expect(0, "", "");
}

/// Each with a reader that would take what comes.
#[test]
fn tests_go_with_the_other_flags() {
    let two = || [Step::Send("30 <t> 'no'; 30 <t> '{\"a\":1}'")];
    let flags = ["-C", "1", "--match", "a", "--json"];
    let outcome = ran(&flags, two());
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.lines().count() == 1 && text.contains(r#""payload":"{\"a\":1}""#), "{outcome}");
    ran(&["-C", "1", "--match", "a", "--exec", "cat; echo ."], two()).expect(0, "{\"a\":1}.\n", "");
    let words = ["-C", "1", "--match", "a", "--exec", "cat", "--", "sh", "-c", "sleep 60"];
    ran(&words, two()).expect(0, "{\"a\":1}", "");
    let outcome = ran(&["-C", "1", "--match", "a", "--summary"], two());
    assert!(outcome.code() == Some(0), "{outcome}");
    // A large message is judged as a whole.
    let large = format!("{}ok", "x".repeat(2_000_000));
    let (broker, url) = serve();
    let folder = Folder::new();
    let file = folder.write("large", &large);
    let words = ["sub", &url, "-t", "out", "-C", "1", "-N", "--match", "ok$", "--"];
    let words = [&words[..], &["mqttws", "pub", "-t", "out", "-f", &file]].concat();
    Program::new(words).run().expect(0, large, "");
    broker.signal("TERM");
    broker.finish();
}

#[test]
fn what_makes_no_sense_is_a_mistake() {
    for (words, line) in [
        (
            &["--match", "("][..],
            "mqttws: invalid value '(' for '--match <REGEX>': unclosed group; see mqttws help sub",
        ),
        (
            &["--match-json", "temp"],
            "mqttws: invalid value 'temp' for '--match-json <PATH=VALUE>': expected PATH=VALUE, \
             such as temp=20 or door.state=open; see mqttws help sub",
        ),
        (&["--expect-none"], "mqttws: --expect-none needs an end: -W, --for or --idle"),
        (
            &["--expect-none", "-C", "1", "-W", "1"],
            "mqttws: --expect-none cannot be used with --count*",
        ),
        (&["--show-others"], "mqttws: *--match <REGEX>*required; see mqttws help sub"),
        (
            &["-E", "--match", "x"],
            "mqttws: -E exits before a message comes: it cannot be used in a test",
        ),
        (
            &["-E", "--", "true"],
            "mqttws: -E exits before a message comes: it cannot be used in a test",
        ),
        (
            &["--", "ws://127.0.0.1:1/mqtt"],
            "mqttws: after -- stands a command to run: write the URL before it",
        ),
    ] {
        fails(&Program::new([&["sub", "-t", "t"], words].concat()).run(), 2, line);
    }
    let line = "mqttws: -t is missing: a test needs a topic filter to subscribe to";
    fails(&Program::new(["sub", "-U", "t", "--", "true"]).run(), 2, line);
}

/// The words after `--` are not ours, whatever they look like.
#[test]
fn the_words_of_a_command_are_its_own() {
    let words = ["-C", "1", "--", "sh", "-c", "echo \"$@\"; mqttws pub -t out -m x", "sh"];
    let more = ["-D", "a", "b", "--", "-t", "-o", "/dev/null", "--profile", "x", "--help"];
    let outcome = tested(&[&words[..], &more].concat());
    outcome.expect(0, "x\n", "-D a b -- -t -o /dev/null --profile x --help\n");
}
