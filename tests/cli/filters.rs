//! `mqttws sub`: which messages it wants, and when it has had enough.

use crate::support::broker::{
    Broker, Step, connected, packet, subscribed, until_goodbye, until_session_end,
};
use crate::support::program::Program;

/// `mqttws sub -V 311 -t t -v` and these flags, and what the broker sends.
fn printed(packets: &'static str, flags: &[&str], expected: &str) {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send(packets)])));
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311", "-t", "t", "-v"], flags].concat())
        .run()
        .expect(0, expected, "");
}

#[test]
fn topics_are_left_out() {
    let packets = "30 <a> '1'; 30 <a/b> '2'; 30 <a/b/c> '3'; 30 <b> '4'";
    printed(packets, &["-C", "2", "-T", "a/b"], "a 1\na/b/c 3\n");
    printed(packets, &["-C", "2", "-T", "a", "--filter-out", "a/+"], "a/b/c 3\nb 4\n");
    printed(packets, &["-C", "1", "-T", "a/#"], "b 4\n");
}

#[test]
fn kept_messages_are_left_out() {
    printed("31 <a> '1'; 30 <a> '2'", &["-C", "1", "-R"], "a 2\n");
}

#[test]
fn only_kept_messages_are_wanted() {
    printed("31 <a> '1'; 31 <b> '2'; 30 <a> '3'", &["--retained-only"], "a 1\nb 2\n");
    let outcome = Program::new(["sub", "-t", "t", "-R", "--retained-only"]).run();
    assert_eq!(outcome.code(), Some(2), "{outcome}");
}

#[test]
fn what_is_left_out_is_acknowledged_in_its_turn() {
    let steps = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <a> 00 07 'x'; 32 <b> 00 08 'y'; 32 <a> 00 09 'z'"),
        packet("40 00 07"),
        packet("40 00 08"),
        packet("40 00 09"),
        Step::Send("30 <b> 'end'"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let flags = ["-V", "311", "-t", "t", "-q", "1", "-T", "a", "-C", "2"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "y\nend\n", "");
}

#[test]
fn kept_messages_are_forgotten_once_they_are_written() {
    let steps = subscribed([
        Step::Send("31 <a> '1'; 31 <spared> '2'; 31 <c/d> '3'"),
        packet("33 <a> id"),
        Step::Send("40 id; 30 <a>"),
        packet("33 <c/d> id"),
        Step::Send("40 id"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let flags = ["-V", "311", "-t", "t", "--remove-retained", "-T", "spared", "-C", "2", "-M", "1"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "1\n3\n", "");
}

/// A removal that the broker refuses is told, and is exit code 7, whenever the answer comes: with
/// the last message, while it is written, or after that.
#[test]
fn a_refused_removal_is_told_also_at_the_end() {
    for (count, answers) in [("1", "40 id 87"), ("2", "31 <b> 00 '2'; 40 id 87")] {
        let steps = vec![
            Step::Upgrade,
            packet("10 <MQTT> 05 *"),
            Step::Send("20 00 00 00"),
            packet("82 id 00 <#> 00"),
            Step::Send("90 id 00 00; 31 <a> 00 '1'"),
            packet("33 <a> id 00"),
            Step::Send(answers),
        ];
        let more = (count == "2")
            .then(|| vec![packet("33 <b> id 00"), Step::Send("40 id 00")])
            .into_iter()
            .flatten();
        let broker = Broker::start(until_session_end(steps.into_iter().chain(more).collect()));
        let flags = ["-t", "#", "--remove-retained", "-C", count];
        let printed = if count == "2" { "1\n2\n" } else { "1\n" };
        Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(
            7,
            printed,
            "mqttws: removing a retained message: refused: not authorized\n",
        );
    }
}

#[test]
fn a_probability_of_all_or_nothing() {
    printed("30 <a> '1'; 30 <a> '2'", &["-C", "2", "--random-filter", "100"], "a 1\na 2\n");
    printed("30 <a> '1'; 30 <a> '2'", &["--random-filter", "0", "--idle", "0.3"], "");
    let outcome = Program::new(["sub", "-t", "t", "--random-filter", "101"]).run();
    assert_eq!(outcome.code(), Some(2), "{outcome}");
}

#[test]
fn idleness_ends_it() {
    printed("30 <a> '1'", &["--idle", "300ms"], "a 1\n");
    printed("30 <a> '1'", &["--idle", "300ms", "-W", "30", "-C", "5"], "a 1\n");
}

/// MQTT 5 with a subscription that must look like this.
fn asked(pattern: &str, flags: &[&str]) {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet(pattern),
        Step::Send("90 id 00 00"),
    ];
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    Program::new([&["sub", &url, "-t", "a/b", "-E"], flags].concat()).run().expect(0, "", "");
}

#[test]
fn options_of_subscriptions() {
    asked("82 id 00 <a/b> 00", &[]);
    asked("82 id 00 <a/b> 04", &["--no-local"]);
    asked("82 id 00 <a/b> 08", &["--retain-as-published"]);
    asked("82 id 00 <a/b> 00", &["--retain-handling", "always"]);
    asked("82 id 00 <a/b> 10", &["--retain-handling", "new"]);
    asked("82 id 00 <a/b> 20", &["--retain-handling=never"]);
    asked("82 id 00 <a/b> 20", &["-R"]);
    asked("82 id 00 <$share/g/a/b> 00", &["--share", "g"]);
}

#[test]
fn options_of_subscriptions_need_version_5() {
    for flags in [&["--no-local"][..], &["--retain-as-published"], &["--retain-handling", "new"]] {
        let outcome = Program::new([&["sub", "-t", "t", "-V", "311"], flags].concat()).run();
        let line = "mqttws: --retain-as-published, --retain-handling, --no-local and --reply: only MQTT 5 has these\n";
        outcome.expect(2, "", line);
    }
}

#[test]
fn properties_of_each_packet() {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 .. 00 2d .. 21 00 05 26 <a> <b> 19 01 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 09 0b 07 26 <k> <v> <t> 00"),
        Step::Send("90 id 00 00"),
        packet("a2 id 07 26 <x> <y> <u>"),
        Step::Send("b0 id 00 00"),
        packet("e0 00 0b 1f <bye> 26 <> <>"),
        Step::Close(1000),
        Step::Gone,
    ];
    let broker = Broker::start(script);
    let url = broker.url();
    let line = format!(
        "sub {url} -t t -U u -E -D connect receive-maximum 5 -D connect user-property a b \
         -D connect request-response-information 1 -D subscribe subscription-identifier 7 \
         -D subscribe user-property k v -D unsubscribe user-property x y -D disconnect reason-string bye"
    );
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--property", "disconnect", "user-property", "", ""]);
    Program::new(words).run().expect(0, "", "");
}

#[test]
fn flags_of_mosquitto_that_make_no_sense_say_what_does() {
    for (flag, instead) in [("-S", "SRV"), ("--no-tls", "ws://")] {
        let outcome = Program::new(["sub", "-t", "t", flag]).run();
        let stderr = String::from_utf8(outcome.stderr.clone()).unwrap();
        assert!(
            outcome.code() == Some(2) && stderr.contains(instead) && stderr.lines().count() == 1,
            "{outcome}"
        );
    }
}

#[test]
fn flags_of_mosquitto_that_ask_for_what_is_so_are_granted() {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <t> 00"),
        Step::Send("90 id 00 00"),
    ];
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    Program::new(["sub", &url, "-t", "t", "-E", "--nodelay", "--ws", "-I", "pre"])
        .run()
        .expect(0, "", "");
}

#[test]
fn properties_are_checked_before_anything_is_done() {
    for (words, expected) in [
        (
            "subscribe content-type x",
            "-D subscribe content-type: SUBSCRIBE has these: subscription-identifier, user-property",
        ),
        (
            "subscribe subscription-identifier 0",
            "-D subscribe subscription-identifier: subscription-identifier takes a number from 1 to 268435455",
        ),
        ("will user-property a b", "-D will: there is no will; give one with --will-topic"),
        (
            "suback user-property a b",
            "-D suback: expected COMMAND NAME VALUE with a command of connect, will, publish, subscribe, unsubscribe, disconnect",
        ),
    ] {
        let words: Vec<&str> =
            ["sub", "-t", "t", "-D"].into_iter().chain(words.split(' ')).collect();
        Program::new(words).run().expect(2, "", &format!("mqttws: {expected}\n"));
    }
    let outcome =
        Program::new(["sub", "-t", "t", "-V", "311", "-D", "subscribe", "user-property", "a", "b"])
            .run();
    outcome.expect(2, "", "mqttws: -D: MQTT 3.1.1 has no properties, only MQTT 5 has\n");
}
