//! Nothing is repeated for ever without a word: a server that ends the connection again and again
//! at the same packet, and one that ends it each time after the same silence.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};

/// MQTT 3.1.1 or 5 up to CONNACK without a session.
fn begin(version: &str) -> Vec<Step> {
    let [connect, connack] = match version {
        "5" => ["10 <MQTT> 05 *", "20 00 00 00"],
        _ => ["10 <MQTT> 04 *", "20 00 00"],
    };
    vec![Step::Upgrade, packet(connect), Step::Send(connack)]
}

/// What a server does three times to end the connection, and the step after which the client has
/// gone.
type Ending = fn() -> Vec<Step>;

const FIN: Ending = || vec![Step::End];
const CLOSE: Ending = || vec![Step::Frame(0x88, b"\x03\xe8"), Step::Gone];
const DISCONNECT: Ending = || vec![Step::Send("e0 83"), Step::Gone];
const RESET: Ending = || vec![Step::Abort];

/// A script that reads `packets` on each of `rounds` connections and then ends them so.
fn rounds(version: &str, count: usize, packets: &[&'static str], ending: Ending) -> Vec<Step> {
    let mut script = Vec::new();
    for round in 0..count {
        if round > 0 {
            script.push(Step::Reconnect);
        }
        script.extend(begin(version));
        script.extend(packets.iter().map(|pattern| packet(pattern)));
        script.extend(ending());
    }
    script
}

/// Runs `pub` with a delay that a test can afford.
fn publish(broker: &Broker, version: &str, flags: &[&str], input: &str) -> Outcome {
    let url = broker.url();
    let command = ["pub", &url, "-V", version, "--quiet", "--reconnect-delay", "0.01"];
    Program::new([&command, flags].concat()).stdin(input).run()
}

const ONE: &str = "mqttws: publishing to a b: the server ended three connections in a row on this \
     message (topic a b, QoS 1); the broker may forbid its topic, QoS, retain flag or size";

#[test]
fn a_message_that_the_server_never_takes_is_given_up_after_three_rounds() {
    for ending in [FIN, CLOSE] {
        let script = rounds("311", 3, &[".. <a b> id 'x'"], ending);
        let broker = Broker::start_watchful(script);
        fails(&publish(&broker, "311", &["-t", "a b", "-q", "1", "-m", "x"], ""), 7, ONE);
        broker.finish_alone();
    }
    for ending in [FIN, CLOSE, DISCONNECT] {
        let broker = Broker::start_watchful(rounds("5", 3, &[".. <a b> id 00 'x'"], ending));
        fails(&publish(&broker, "5", &["-t", "a b", "-q", "1", "-m", "x"], ""), 7, ONE);
        broker.finish_alone();
    }
}

/// NATS takes no QoS 2.
#[test]
fn a_quality_of_service_that_the_server_never_takes() {
    // A session of QoS 2 lasts, and is not there when it is connected to again.
    let folder = Folder::new();
    let file = folder.write("x", "x");
    let line = ONE.replace("QoS 1", "QoS 2").replace("a b", "t");
    for flags in [["-m", "x"], ["-f", &file]] {
        let mut script = Vec::new();
        for round in 0..3 {
            script.extend((round > 0).then_some(Step::Reconnect));
            let connack = if round > 0 { "20 01 00" } else { "20 00 00" };
            let publish = packet(".. <t> id 'x'");
            script.extend([
                Step::Upgrade,
                packet("10 <MQTT> 04 *"),
                Step::Send(connack),
                publish,
                Step::End,
            ]);
        }
        let broker = Broker::start(script);
        fails(
            &publish(&broker, "311", &[&["-t", "t", "-q", "2"], &flags[..]].concat(), ""),
            7,
            &line,
        );
    }
}

/// What is sent again may also be a PUBREL: the message was received, and its end ends each
/// connection.
#[test]
fn a_pubrel_that_the_server_never_takes() {
    let mut script = begin("311");
    script.extend([
        packet("34 <t> 00 01 'x'"),
        Step::Send("50 00 01"),
        packet("62 00 01"),
        Step::End,
    ]);
    script.push(Step::Reconnect);
    script.extend(rounds("311", 2, &["62 00 01"], FIN));
    let broker = Broker::start(with_session_present(script));
    let line = ONE.replace("QoS 1", "QoS 2").replace("a b", "t");
    fails(&publish(&broker, "311", &["-t", "t", "-q", "2", "-m", "x"], ""), 7, &line);
}

/// The first of three lines is acknowledged; the second is the one that ends each connection.
#[test]
fn a_line_that_the_server_never_takes_is_named() {
    let mut script = begin("311");
    script.extend([
        packet("32 <t> 00 01 'a'"),
        Step::Send("40 00 01"),
        packet("32 <t> 00 02 'b'"),
        Step::End,
    ]);
    script.push(Step::Reconnect);
    script.extend(rounds("311", 2, &[".. <t> 00 02 'b'"], FIN));
    let broker = Broker::start_watchful(script);
    let outcome = publish(&broker, "311", &["-t", "t", "-q", "1", "-M", "1", "-l"], "a\nb\nc\n");
    let line = "mqttws: publishing to t: gave up with 1 message acknowledged and 1 in doubt; go \
                on with number 2: the server ended three connections in a row on message 2 (topic \
                t, QoS 1); the broker may forbid its topic, QoS, retain flag or size: correct the message, \
                or go on with number 3";
    fails(&outcome, 7, line);
    broker.finish_alone();
}

/// Of messages that are repeated the second is the one: from the command line, from a file, and
/// from one that is streamed.
#[test]
fn a_repetition_that_the_server_never_takes_is_named() {
    let folder = Folder::new();
    let (small, large) = (folder.write("small", "x"), folder.write("large", vec![b'x'; 1 << 21]));
    for flags in [["-m", "x"], ["-f", &small], ["-f", &large]] {
        let mut script = begin("311");
        script.extend([
            packet("32 <t> 00 01 *"),
            Step::Send("40 00 01"),
            packet("32 <t> 00 02 *"),
            Step::End,
        ]);
        script.push(Step::Reconnect);
        script.extend(rounds("311", 2, &[".. <t> 00 02 *"], FIN));
        let broker = Broker::start_watchful(script);
        let repeated = ["-t", "t", "-q", "1", "-M", "1", "--repeat", "3"];
        let outcome = publish(&broker, "311", &[&repeated, &flags[..]].concat(), "");
        let line = "mqttws: publishing to t: gave up with 1 message acknowledged and 1 in doubt; \
                    go on with number 2: the server ended three connections in a row on message 2 \
                    (topic t, QoS 1); the broker may forbid its topic, QoS, retain flag or size: \
                    correct the message, or go on with number 3";
        fails(&outcome, 7, line);
        broker.finish_alone();
    }
}

/// A record has a topic and a QoS of its own.
#[test]
fn a_record_that_the_server_never_takes_is_named() {
    let mut script = begin("311");
    script.extend([
        packet("32 <t> 00 01 'a'"),
        Step::Send("40 00 01"),
        packet("34 <b c> 00 02 'b'"),
        Step::End,
    ]);
    script.push(Step::Reconnect);
    script.extend(rounds("311", 2, &[".. <b c> 00 02 'b'"], FIN));
    // Whether it is the same session makes no difference: the broker has acknowledged nothing.
    let script = with_session_present(script);
    let broker = Broker::start(script);
    let records = "{\"topic\":\"t\",\"payload\":\"a\",\"qos\":1}\n\
                   {\"topic\":\"b c\",\"payload\":\"b\",\"qos\":2}\n";
    let outcome = publish(&broker, "311", &["--json", "-M", "1"], records);
    let line = "mqttws: publishing: gave up with 1 message acknowledged and 1 in doubt; go on \
                with number 2: the server ended three connections in a row on message 2 (topic b \
                c, QoS 2); the broker may forbid its topic, QoS, retain flag or size: correct the message, \
                or go on with number 3";
    fails(&outcome, 7, line);
}

/// All CONNACKs of MQTT 3.1.1 but the first say that the session is there.
fn with_session_present(script: Vec<Step>) -> Vec<Step> {
    let mut is_first = true;
    let again = |step| match step {
        Step::Send("20 00 00") if !std::mem::take(&mut is_first) => Step::Send("20 01 00"),
        step => step,
    };
    script.into_iter().map(again).collect()
}

/// The rest of a conversation in which the message is taken at last.
fn taken_at_last(mut script: Vec<Step>) -> Vec<Step> {
    script.push(Step::Reconnect);
    script.extend(begin("311"));
    script.extend(until_goodbye(vec![packet(".. <t> id 'x'"), Step::Send("40 id")]));
    script
}

/// A network that is cut has nothing to do with the message.
#[test]
fn resets_do_not_count() {
    let script = taken_at_last(rounds("311", 4, &[".. <t> id 'x'"], RESET));
    let broker = Broker::start(script);
    publish(&broker, "311", &["-t", "t", "-q", "1", "-m", "x"], "").expect(0, "", "");
}

#[test]
fn a_reset_between_them_begins_the_count_anew() {
    let mut script = rounds("311", 2, &[".. <t> id 'x'"], FIN);
    script.push(Step::Reconnect);
    script.extend(rounds("311", 1, &[".. <t> id 'x'"], RESET));
    script.push(Step::Reconnect);
    let script = taken_at_last(
        [script, rounds("311", 2, &[".. <t> id 'x'"], FIN)].into_iter().flatten().collect(),
    );
    let broker = Broker::start(script);
    publish(&broker, "311", &["-t", "t", "-q", "1", "-m", "x"], "").expect(0, "", "");
}

/// A server that ends a connection much later has another reason.
#[test]
fn ends_that_come_later_do_not_count() {
    let late: Ending = || vec![Step::Dally(Duration::from_millis(1300)), Step::End];
    let broker = Broker::start(taken_at_last(rounds("311", 3, &[".. <t> id 'x'"], late)));
    publish(&broker, "311", &["-t", "t", "-q", "1", "-m", "x"], "").expect(0, "", "");
}

/// A server that takes one message a connection gets on.
#[test]
fn ends_with_something_acknowledged_between_them_do_not_count() {
    let mut script = Vec::new();
    let lines = [["'a'", "'b'"], ["'b'", "'c'"], ["'c'", "'d'"], ["'d'", "'e'"]];
    for [first, second] in lines {
        script.extend(begin("311"));
        script.extend([packet(&format!(".. <t> id {first}")), Step::Send("40 id")]);
        script.extend([packet(&format!(".. <t> id {second}")), Step::End, Step::Reconnect]);
    }
    script.extend(begin("311"));
    script.extend(until_goodbye(vec![packet(".. <t> id 'e'"), Step::Send("40 id")]));
    let broker = Broker::start(script);
    let flags = ["-t", "t", "-q", "1", "-M", "1", "-l"];
    publish(&broker, "311", &flags, "a\nb\nc\nd\ne\n").expect(0, "", "");
}

/// The rounds are counted whatever `--reconnect-tries` allows, and a CONNECT that is refused is no
/// round.
#[test]
fn a_connection_that_is_not_accepted_is_no_round() {
    let mut script = rounds("311", 2, &[".. <t> id 'x'"], FIN);
    for _ in 0..3 {
        script.extend([Step::Reconnect, Step::Upgrade, packet("10 *"), Step::End]);
    }
    let broker = Broker::start(taken_at_last(script));
    publish(&broker, "311", &["-t", "t", "-q", "1", "-m", "x"], "").expect(0, "", "");
}

const LOSS: &str = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection; trying again";
const SUBSCRIBE: &str = "mqttws: warning: the server ended three connections in a row soon after \
     SUBSCRIBE: another client may use the same id (choose another id with -i), or the server forbids \
     a filter, its QoS or so many filters";

/// The warnings of a `sub` that goes on, but for those of connections made again.
fn warnings(outcome: &Outcome) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let known = |line: &str| if is_like(line, LOSS) { LOSS.to_owned() } else { line.to_owned() };
    stderr.lines().filter(|line| !line.contains("connected again after")).map(known).collect()
}

/// `sub -C 1` to a server that ends `count` connections so, and then takes the subscription.
fn subscribe(count: usize, steps: fn() -> Vec<Step>) -> Outcome {
    let mut script = Vec::new();
    for _ in 0..count {
        script.extend(connected([]).into_iter().chain(steps()).chain([Step::End, Step::Reconnect]));
    }
    script.extend(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-C", "1", "--reconnect-delay", "0.01", "-i", "me"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run()
}

/// AWS: more than eight filters. It is told once, and there is always a next try.
#[test]
fn a_server_that_ends_each_connection_at_subscribe_is_explained_once() {
    let outcome = subscribe(5, || vec![packet("82 id <t> 00")]);
    assert_eq!(
        (outcome.code(), outcome.stdout.as_slice()),
        (Some(0), b"x\n".as_slice()),
        "{outcome}"
    );
    assert_eq!(warnings(&outcome), [LOSS, LOSS, LOSS, SUBSCRIBE, LOSS, LOSS], "{outcome}");
}

/// Two clients with one id take the session from each other: before MQTT 5 the server only closes.
#[test]
fn a_server_that_ends_each_connection_after_suback_is_explained_once() {
    let outcome = subscribe(4, || vec![packet("82 id <t> 00"), Step::Send("90 id 00")]);
    assert_eq!(
        (outcome.code(), outcome.stdout.as_slice()),
        (Some(0), b"x\n".as_slice()),
        "{outcome}"
    );
    assert_eq!(warnings(&outcome), [LOSS, LOSS, LOSS, SUBSCRIBE, LOSS], "{outcome}");
}

#[test]
fn two_rounds_are_not_explained() {
    let outcome = subscribe(2, || vec![packet("82 id <t> 00")]);
    assert_eq!(
        (outcome.code(), outcome.stdout.as_slice()),
        (Some(0), b"x\n".as_slice()),
        "{outcome}"
    );
    assert_eq!(warnings(&outcome), [LOSS, LOSS], "{outcome}");
}

#[test]
fn the_number_of_tries_still_counts() {
    let mut script = Vec::new();
    for round in 0..4 {
        script.extend((round > 0).then_some(Step::Reconnect));
        script.extend(connected([packet("82 id <t> 00"), Step::End]));
    }
    let broker = Broker::start_watchful(script);
    let flags =
        ["-V", "311", "-t", "t", "--reconnect-delay", "0.01", "--reconnect-tries", "3", "-i", "me"];
    let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
    assert_eq!(outcome.code(), Some(8), "{outcome}");
    let hints = warnings(&outcome).iter().filter(|line| *line == SUBSCRIBE).count();
    assert_eq!(hints, 1, "{outcome}");
    broker.finish_alone();
}

/// A `sub` whose connection ends after such silences, in milliseconds; what it says of them.
fn ends_after(silences: &[u64]) -> String {
    let mut script = Vec::new();
    for silence in silences {
        script.extend(subscribed([
            Step::Dally(Duration::from_millis(*silence)),
            Step::End,
            Step::Reconnect,
        ]));
    }
    script.extend(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-C", "1", "--reconnect-delay", "0.01"];
    let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
    assert_eq!(
        (outcome.code(), outcome.stdout.as_slice()),
        (Some(0), b"x\n".as_slice()),
        "{outcome}"
    );
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

const IDLE_LIMIT: &str = "an idle limit on the way? try -k";

#[test]
fn an_idle_limit_on_the_way_is_suspected_at_the_second_time() {
    let stderr = ends_after(&[2000, 2000]);
    assert_eq!(stderr.matches(IDLE_LIMIT).count(), 1, "{stderr}");
    let is_second = stderr.find(IDLE_LIMIT) > stderr.find("connected again after");
    assert!(is_second, "{stderr}");
}

#[test]
fn ends_after_different_silences_are_no_idle_limit() {
    let stderr = ends_after(&[1300, 4300]);
    assert!(!stderr.contains(IDLE_LIMIT), "{stderr}");
}
