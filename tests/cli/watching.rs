//! `mqttws sub` that tells of messages rather than writes them all: `--message-rate`, `--report`,
//! `--tree` and `--changed`.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};
use crate::support::terminal::Session;

/// `mqttws sub URL -V 311 -t t` and `arguments`.
fn subscribe(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311", "-t", "t"], arguments].concat())
}

/// A broker that sends these packets, and takes the goodbye.
fn sending(packets: &'static str) -> Broker {
    Broker::start(until_goodbye(subscribed([Step::Send(packets)])))
}

fn refused(arguments: &[&str]) -> Outcome {
    Program::new([&["sub", "ws://127.0.0.1:9/mqtt", "-t", "t"], arguments].concat()).run()
}

/// What is written, the lines without the blanks at their beginning.
fn lines(outcome: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&outcome.stdout);
    text.lines().map(|line| line.trim_start().to_owned()).collect()
}

const FOUR: &str = "31 <a/b> '12'; 30 <a/c> ''; 30 <a/b> '3'; 30 <x> '4'";

#[test]
fn only_what_has_changed_is_written() {
    let packets = "31 <a> '1'; 30 <b> '1'; 30 <a> '1'; 30 <a> '2'; 30 <b> ''; 30 <b> ''";
    let broker = sending(packets);
    let flags = ["--changed", "-v", "--idle", "0.2"];
    subscribe(&broker, &flags).run().expect(0, "a 1\nb 1\na 2\nb (null)\n", "");
    // Only what is written counts, and what is left out is acknowledged.
    let steps = subscribed([
        Step::Send("32 <t> 00 01 'x'; 32 <t> 00 02 'x'; 32 <t> 00 03 'y'"),
        packet("40 00 01"),
        packet("40 00 02"),
        packet("40 00 03"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    subscribe(&broker, &["--changed", "-C", "2"]).run().expect(0, "x\ny\n", "");
}

#[test]
fn a_table_of_topics_is_written_at_the_end() {
    let broker = sending(FOUR);
    let outcome = subscribe(&broker, &["--report", "60", "-C", "4"]).run();
    let written = lines(&outcome);
    let expected = [
        "MESSAGES        BYTES      MSG/S      BYTES/S RETAINED     LAST TOPIC",
        "2            3 * 1 ??:??:?? a/b",
        "1            0 * 0 ??:??:?? a/c",
        "1            1 * 0 ??:??:?? x",
    ]
    .map(|line| line.replace("??:??:??", "*:*:*"));
    assert_eq!(written.len(), 4, "{outcome}");
    for (line, pattern) in written.iter().zip(&expected) {
        assert!(is_like(line, pattern), "{line} is not like {pattern}");
    }
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    let broker = sending(FOUR);
    let outcome = subscribe(&broker, &["--report", "60", "--depth", "1", "-C", "4"]).run();
    let written = lines(&outcome);
    assert!(written.len() == 3 && is_like(&written[1], "3            3 * a/#"), "{outcome}");
}

/// A report every SECS; the messages are acknowledged when they are counted.
#[test]
fn reports_are_written_again_and_again() {
    let steps =
        subscribed([Step::Send("32 <t> 00 01 'x'; 30 <a> 'y'"), packet("40 00 01"), Step::Tell]);
    let broker = Broker::start(until_goodbye(steps));
    let mut running = subscribe(&broker, &["--report", "0.05", "--json"]).spawn();
    broker.wait();
    running.wait_for_line(|line| line.contains(r#""topic":"t""#));
    running.wait_for_line(|line| line.contains(r#""rate":0.0,"retained":0,"time":"#));
    running.signal("INT");
    let outcome = running.finish();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    let last = lines(&outcome).pop().unwrap_or_default();
    let pattern = concat!(
        r#"{"byte_rate":0.0,"bytes":1,"last":"*T*Z","messages":1,"rate":0.0,"retained":0,"#,
        r#""time":"*T*Z","topic":"t"}"#
    );
    assert!(is_like(&last, pattern), "{outcome}");
}

#[test]
fn a_time_that_is_over_still_has_a_report() {
    let broker = sending(FOUR);
    let outcome = subscribe(&broker, &["--report", "60", "-C", "9", "-W", "0.5"]).run();
    assert!(lines(&outcome).len() == 4 && outcome.code() == Some(27), "{outcome}");
    let line = "mqttws: subscribed: timed out after 0.5 s with 4 of 9 messages\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), line);
}

#[test]
fn topics_are_a_tree() {
    let broker = sending(FOUR);
    let tree = "a\n|-- b  2 messages\n`-- c  1 message\nx  1 message\n";
    subscribe(&broker, &["--tree", "-C", "4"]).env("LC_ALL", "C").run().expect(0, tree, "");
    let broker = sending(FOUR);
    let tree = "a\n└── #  3 messages\nx  1 message\n";
    let flags = ["--tree", "--depth", "1", "-C", "4"];
    subscribe(&broker, &flags).env("LC_ALL", "C.UTF-8").run().expect(0, tree, "");
    let broker = sending(FOUR);
    let json = concat!(
        r#"{"topics":{"a":{"topics":{"b":{"bytes":3,"messages":2,"retained":1},"#,
        r#""c":{"bytes":0,"messages":1,"retained":0}}},"#,
        r#""x":{"bytes":1,"messages":1,"retained":0}}}"#,
        "\n"
    );
    subscribe(&broker, &["--tree", "--json", "-C", "4"]).run().expect(0, json, "");
}

/// A topic has up to 65,536 levels: the tree has no more than 32.
#[test]
fn the_deepest_topic_is_no_problem() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Raw(deep_message())])));
    let outcome = subscribe(&broker, &["--tree", "-C", "1"]).run();
    assert!(lines(&outcome).len() == 33 && outcome.code() == Some(0), "{outcome}");
}

/// A binary message with a PUBLISH to a topic of 60,000 slashes.
fn deep_message() -> Vec<u8> {
    let topic = vec![b'/'; 60_000];
    let mut packet = vec![0x30, 0xe2, 0xd4, 0x03, 0xea, 0x60];
    packet.extend(topic);
    let length = u16::try_from(packet.len()).expect("it is short").to_be_bytes();
    [&[0x82, 126][..], &length, &packet].concat()
}

#[test]
fn the_rate_is_told_on_stderr() {
    let broker = Broker::start(until_goodbye(subscribed([
        Step::Send("30 <t> 'abc'; 30 <t> 'abc'"),
        Step::Tell,
    ])));
    let mut running = subscribe(&broker, &["--message-rate=0.1"]).spawn();
    broker.wait();
    running.wait_for_words("mqttws: 0.0 messages/s, 0 bytes/s");
    running.signal("INT");
    let outcome = running.finish();
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(text.lines().any(|line| !line.contains(" 0.0 messages/s")), "{outcome}");
    assert!(text.lines().all(|line| is_like(line, "mqttws: * messages/s, * bytes/s")), "{outcome}");
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"abc\nabc\n"[..]), "{outcome}");
    // A run that is shorter has one line, too.
    let broker = sending("30 <t> 'abc'");
    let outcome = subscribe(&broker, &["--message-rate", "-C", "1"]).run();
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(is_like(&text, "mqttws: * messages/s, * bytes/s\n"), "{outcome}");
}

#[test]
fn flags_that_make_no_sense_together_are_refused() {
    for flags in [
        &["--report", "1", "--watch"][..],
        &["--report", "1", "-F", "%t"],
        &["--tree", "-o", "folder"],
        &["--tree", "--exec", "cat"],
        &["--tree", "-v"],
        &["--report", "0"],
        &["--tree", "--depth", "0"],
        &["--message-rate=0"],
    ] {
        assert_eq!(refused(flags).code(), Some(2), "{flags:?}");
    }
    let line = "mqttws: --depth is for counts: it needs --report or --tree";
    fails(&refused(&["--depth", "1"]), 2, line);
}

/// On a terminal the topics are harmless, and no line is wrapped.
#[test]
fn a_terminal_is_not_driven() {
    let broker = sending("30 <a\x1b[2Jbcdefghijklmnopqrstuvwxyz> 'x'; 30 <b> ''");
    let url = broker.url();
    let flags = ["sub", &url, "-V", "311", "-t", "t", "--report", "60", "-C", "2", "--quiet"];
    let session = Session::start((10, 80), &flags, &[("LC_ALL", "C.UTF-8")], Vec::new());
    let ended = session.finish();
    assert_eq!((ended.screen.len(), ended.code), (3, Some(0)), "{:?}", ended.screen);
    assert!(ended.screen[1].ends_with(r" a\x1b[2Jbcdef…"), "{:?}", ended.screen);
    assert!(ended.screen[2].ends_with(" b"), "{:?}", ended.screen);
}

/// On a terminal the tree grows in place while messages come, below the lines for stderr, and the
/// whole of it stays.
#[test]
fn a_tree_is_live_on_a_terminal() {
    let steps = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 31 <a/b> '12'; 32 <a/c> 00 01"),
        // It is acknowledged when it is shown.
        packet("40 00 01"),
        Step::Tell,
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 30 <a/b> '3'; 30 <x> '4'; 30 <y> ''; 30 <z> ''"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let url = broker.url();
    let flags = ["sub", &url, "-V", "311", "-t", "t", "-q", "1", "--tree"];
    let flags = [&flags[..], &["--reconnect-delay", "0.01"]].concat();
    let mut session = Session::start((6, 100), &flags, &[("LC_ALL", "C.UTF-8")], Vec::new());
    broker.wait();
    // The last two have no room beside the others.
    let (b, c) = ("├── b  2 messages", "└── c  1 message");
    let live = tree(&["a", b, c, "x  1 message", "+2 more"]);
    session.wait_for("tree", |rows| rows.ends_with(&live));
    session.press("\x03");
    let ended = session.finish();
    let end = tree(&[c, "x  1 message", "y  1 message", "z  1 message"]);
    assert_eq!((&ended.screen[..4], ended.code, ended.column), (&end[..], Some(0), 0));
    let summary = "mqttws: received 6 messages, 4 bytes in * s, * messages/s, * bytes/s";
    assert!(is_like(&ended.screen[4], summary), "{:#?}", ended.screen);
}

fn tree(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

/// With `--report` trees come one after the other, on a terminal, too.
#[test]
fn trees_of_reports_stand_one_after_the_other() {
    let broker = sending("30 <a> ''");
    let url = broker.url();
    let flags =
        ["sub", &url, "-V", "311", "-t", "t", "--tree", "--report", "60", "-C", "1", "--quiet"];
    let session = Session::start((6, 80), &flags, &[("LC_ALL", "C.UTF-8")], Vec::new());
    session.finish().expect(0, &["a  1 message"]);
}
