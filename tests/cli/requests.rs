//! `mqttws pub --request`: what is asked, which message is the answer, and how it ends without one.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::lines::{fails, fails_after};
use crate::support::program::{Outcome, Program};

/// MQTT 5: the response topic `r` is granted, and then these steps.
fn asked<const N: usize>(subscribe: &str, steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend([packet(subscribe), Step::Send("90 id 00 00")]);
    script.extend(steps);
    script
}

/// `mqttws pub --request -V 5 -t t` and these flags.
fn ask(broker: &Broker, flags: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["pub", &url, "--request", "-V", "5", "-t", "t"], flags].concat())
}

fn asks<const N: usize>(flags: &[&str], steps: [Step; N]) -> Outcome {
    ask(&Broker::start(until_goodbye(asked("82 id 00 <r> 00", steps))), flags).run()
}

#[test]
fn a_request_is_that_of_mosquitto_rr() {
    let steps = [packet("30 <t> 04 08 <r> 'm'"), Step::Send("30 <r> 00 'the answer'")];
    asks(&["-e", "r", "-m", "m"], steps).expect(0, "the answer\n", "");
    // It may go where its answers come, too.
    let steps = [packet("30 <t> 04 08 <t> 'm'"), Step::Send("30 <t> 00 'm'")];
    let broker = Broker::start(until_goodbye(asked("82 id 00 <t> 20", steps)));
    ask(&broker, &["-e", "t", "-m", "m", "--retain-handling", "never"]).run().expect(0, "m\n", "");
}

#[test]
fn a_request_has_a_topic_and_correlation_data_of_its_own() {
    let data = "00 0a .. .. .. .. .. .. .. .. '-1'";
    let steps = [packet(&format!("30 <t> 22 08 <mqttws/response/me> 09 {data} 'm'"))];
    let broker = Broker::start(until_goodbye(asked("82 id 00 <mqttws/response/me> 00", steps)));
    let outcome = ask(&broker, &["-i", "me", "-m", "m", "-W", "0.3"]).run();
    fails(&outcome, 27, "mqttws: asking t: no answer within 0.3 s");
}

#[test]
fn what_is_no_answer_is_ignored() {
    let flags = ["-e", "r", "-m", "m", "-D", "publish", "correlation-data", "cc", "-v"];
    let steps = [
        packet("30 <t> 09 09 00 02 'cc' 08 <r> 'm'"),
        Step::Send(
            "31 <r> 05 09 00 02 'cc' 'kept'; 30 <r> 00 'none'; 30 <r> 05 09 00 02 'cd' 'wrong'; \
             30 <r> 05 09 00 02 'cc' 'right'; 30 <r> 05 09 00 02 'cc' 'second'",
        ),
    ];
    asks(&flags, steps).expect(0, "r right\n", "");
}

#[test]
fn an_answer_may_be_faster_than_the_acknowledgement() {
    let script = asked(
        "82 id 00 <r> 01",
        [
            packet("32 <t> id 04 08 <r> 'm'"),
            Step::Send("32 <r> 00 07 00 'a'"),
            packet("40 00 07"),
            Step::Tell,
        ],
    );
    let mut script: Vec<Step> = script;
    script.push(Step::Send("40 00 02"));
    let broker = Broker::start(until_session_end(script));
    ask(&broker, &["-q", "1", "-e", "r", "-m", "m"]).run().expect(0, "a\n", "");
}

#[test]
fn formats_are_those_of_sub() {
    for (flags, expected) in [
        (&["-F", "%t|%p|%D"][..], "r|a\x1b|xx\n"),
        (&["-N", "-v"], "r a\x1b"),
        (&["--hex"], "611b\n"),
        (&["--base64"], "YRs=\n"),
        (&["-F", "%x", "-N"], "611b"),
    ] {
        let steps = [
            packet("30 <t> 04 08 <r> 'm'"),
            Step::Send("30 <r> 05 09 00 02 'xx' 'a' 1b; 30 <r> 00 'b'"),
        ];
        asks(&[&["-e", "r", "-m", "m"], flags].concat(), steps).expect(0, expected, "");
    }
    let steps = [packet("30 <t> 04 08 <r> 'm'"), Step::Send("30 <r> 00 'a'")];
    let outcome = asks(&["-e", "r", "-m", "m", "--json"], steps);
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(
        stdout.ends_with(
            "\"topic\":\"r\",\"qos\":0,\"retain\":false,\"dup\":false,\"payload\":\"a\"}\n"
        ),
        "{outcome}"
    );
}

#[test]
fn before_mqtt_5_the_first_message_is_the_answer() {
    let steps = connected([
        packet("82 id <r> 00"),
        Step::Send("90 id 00"),
        packet("30 <t> '1'"),
        Step::Send("31 <r> 'kept'; 30 <r> 'one'"),
        packet("30 <t> '2'"),
        Step::Send("30 <r> 'two'"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let flags = ["pub", &broker.url(), "--request", "-V", "311", "-t", "t", "-e", "r", "-l"];
    Program::new(flags).stdin("1\n2\n").run().expect(0, "one\ntwo\n", "");

    let outcome = Program::new(["pub", "--request", "-V", "311", "-t", "t", "-m", "x"]).run();
    let line = "mqttws: --request: in MQTT 3.1.1 a message has no response topic: choose one, \
                and give it with -e";
    fails(&outcome, 2, line);
}

#[test]
fn as_many_as_asked_are_in_flight() {
    let data = "00 0a .. .. .. .. .. .. .. ..";
    let steps = [
        packet(&format!("30 <t> 11 08 <r> 09 {data} '-1' 'a'")),
        packet(&format!("30 <t> 11 08 <r> 09 {data} '-2' 'b'")),
    ];
    let broker = Broker::start(until_goodbye(asked("82 id 00 <r> 00", steps)));
    let outcome = ask(&broker, &["-e", "r", "-l", "-M", "2", "-W", "0.3"]).stdin("a\nb\n").run();
    let lines = "mqttws: asking t: request 1: no answer within 0.3 s\n\
                 mqttws: asking t: request 2: no answer within 0.3 s\n";
    outcome.expect(27, "", lines);
}

#[test]
fn refusals_are_told() {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend([packet("82 id 00 <r> 00"), Step::Send("90 id 00 87")]);
    let broker = Broker::start(until_goodbye(script));
    let outcome = ask(&broker, &["-e", "r", "-m", "x"]).run();
    fails(&outcome, 7, "mqttws: subscribing to r: refused: not authorized");

    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend([packet("82 id 00 <mqttws/response/me> 00"), Step::Send("90 id 00 87")]);
    let broker = Broker::start(until_goodbye(script));
    let outcome = ask(&broker, &["-i", "me", "-m", "x"]).run();
    let line = "mqttws: subscribing to mqttws/response/me: refused: not authorized; name one \
                that you may \
                subscribe to with -e";
    fails(&outcome, 7, line);

    let script =
        asked("82 id 00 <r> 01", [packet("32 <t> id 04 08 <r> 'm'"), Step::Send("40 id 87")]);
    let broker = Broker::start(until_session_end(script));
    let outcome = ask(&broker, &["-e", "r", "-m", "m", "-q", "1"]).run();
    fails(&outcome, 7, "mqttws: asking t: refused: not authorized");
}

#[test]
fn who_waits_does_not_wait_for_ever() {
    let script =
        vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00"), packet("82 *")];
    let broker = Broker::start(until_goodbye(script));
    let outcome = ask(&broker, &["-e", "r", "-m", "x", "-W", "300ms"]).run();
    fails(&outcome, 27, "mqttws: subscribing to r: no answer within 0.3 s");

    // Nor for the acknowledgement of a request whose answer is too late.
    let script = asked("82 id 00 <r> 01", [packet("32 <t> id 04 08 <r> 'm'")]);
    let broker = Broker::start(until_session_end(script));
    let outcome = ask(&broker, &["-e", "r", "-m", "m", "-q", "1", "-W", "0.3"]).run();
    fails(&outcome, 27, "mqttws: asking t: no answer within 0.3 s");

    let granted = asked("82 id 00 <r> 00", [packet("30 <t> *"), Step::Tell]);
    let silent = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 *"),
        Step::Tell,
    ];
    for (script, line) in [
        (granted, "mqttws: asking t: interrupted with 0 of 1 answer"),
        (silent, "mqttws: subscribing to r: interrupted"),
    ] {
        let broker = Broker::start(until_goodbye(script));
        let asking = ask(&broker, &["-e", "r", "-m", "m"]).spawn();
        broker.wait();
        asking.signal("INT");
        fails(&asking.finish(), 130, line);
    }
}

/// The first request without its answer, whichever that is; otherwise the first that was not read.
#[test]
fn an_interrupted_stream_of_requests_names_the_record_to_go_on_with() {
    for (answers, line) in [
        ("30 <r> 00 'a'", "1 of 2 answers; go on with number 2, which may arrive twice"),
        ("30 <r> 00 'a'; 30 <r> 00 'b'", "2 of 2 answers; go on with number 3"),
    ] {
        let steps = [Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")];
        let mut script: Vec<Step> = steps.into();
        script.extend([packet("82 id <r> 00"), Step::Send("90 id 00")]);
        script.extend([packet("30 <t> 'x'"), Step::Send("30 <r> 'a'"), packet("30 <t> 'y'")]);
        if answers.contains('b') {
            script.push(Step::Send("30 <r> 'b'"));
        }
        script.push(Step::Tell);
        let broker = Broker::start(until_goodbye(script));
        let flags = ["-V", "311", "--request", "-e", "r", "-t", "t", "-l"];
        let program = Program::new([&["pub", &broker.url()], &flags[..]].concat());
        let mut running = program.stdin("x\ny\n").stdin_held_open().spawn();
        broker.wait();
        running.wait_for_line(|line| line == if answers.contains('b') { "b\n" } else { "a\n" });
        running.signal("INT");
        let stdout = if answers.contains('b') { "a\nb\n" } else { "a\n" };
        let line = format!("mqttws: asking t: interrupted with {line}");
        fails_after(&running.finish(), stdout.as_bytes(), 130, &line);
    }
}

#[test]
fn who_could_answer_is_missed() {
    let script = asked(
        "82 id 00 <r> 01",
        [packet("32 <t> id 04 08 <r> 'm'"), Step::Send("40 id 10; 30 <r> 00 'after all'")],
    );
    let broker = Broker::start(until_session_end(script));
    let line = "mqttws: warning: asking t: nobody is subscribed to its topic\n";
    ask(&broker, &["-e", "r", "-m", "m", "-q", "1"]).run().expect(0, "after all\n", line);
}

#[test]
fn a_lost_connection_takes_only_what_is_sent_once() {
    let again = [
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <r> 00"),
        Step::Send("90 id 00 00"),
    ];
    let mut script = asked("82 id 00 <r> 00", [packet("30 <t> *")]);
    script.extend(again);
    let broker = Broker::start(script);
    let outcome =
        ask(&broker, &["-e", "r", "-m", "m", "--quiet", "--reconnect-delay", "0.1,0.1"]).run();
    let line = "mqttws: asking t: it or its answer may be lost with the connection; use -q 1";
    fails(&outcome, 8, line);

    let mut script = asked("82 id 00 <r> 01", [packet("32 <t> id 04 08 <r> 'm'")]);
    script.extend([
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 01 00 00"),
        packet("3a <t> id 04 08 <r> 'm'"),
        Step::Send("40 id; 32 <r> 00 01 00 'there'"),
        packet("40 00 01"),
    ]);
    let broker = Broker::start(until_session_end(script));
    let flags = ["-e", "r", "-m", "m", "-q", "1", "--quiet", "--reconnect-delay", "0.1,0.1"];
    ask(&broker, &flags).run().expect(0, "there\n", "");
}

#[test]
fn records_are_requests_and_bad_ones_are_told() {
    let data = "00 0a .. .. .. .. .. .. .. .. '-2'";
    let steps = [packet(&format!("30 <x> 11 09 {data} 08 <r> 'm'"))];
    let broker = Broker::start(until_goodbye(asked("82 id 00 <r> 00", steps)));
    let url = broker.url();
    let input =
        "no\n{\"topic\":\"x\",\"payload\":\"m\",\"properties\":{\"correlation-data\":\"old\"}}\n";
    let flags = ["pub", &url, "--request", "-e", "r", "--json", "-W", "0.3"];
    let lines = "mqttws: reading stdin: record 1: not JSON: expected ident at line 1 column 2\n\
                 mqttws: asking: request 2: no answer within 0.3 s\n";
    Program::new(flags).stdin(input).run().expect(27, "", lines);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let steps = [packet("30 <t> 04 08 <r> 'm'"), Step::Send("30 <r> 00 'a'")];
    let broker = Broker::start(until_goodbye(asked("82 id 00 <r> 00", steps)));
    ask(&broker, &["-e", "r", "-m", "m"]).stdout_closed().run().expect(0, "", "");
}

#[test]
fn requests_that_make_no_sense() {
    for line in [
        "pub -t t -m x -e r",
        "pub -t t -m x -v",
        "pub -t t -m x -F %p",
        "pub -t t -m x -N",
        "pub -t t -m x -R",
        "pub --request -t t -m x -r",
        "pub --request -t t -m x --repeat 2",
        "pub --request -t t",
        "pub --request -m x",
        "pub --request -m x --json",
        "pub --request -t t -m x -e a/+",
        "pub --request -t t -m x -W 0",
        "pub --request -t t -m x -F %Z",
        "pub --request -t t -m x --hex --base64",
        "pub --request -t t -m x -D publish response-topic y",
        "pub --request -t t -l -D publish correlation-data y",
        "pub --request -t t -m x --retain-handling sometimes",
        "pub -t t -m x --json",
    ] {
        let outcome = Program::new(line.split(' ')).run();
        let lines = outcome.stderr.split(|byte| *byte == b'\n').count();
        assert_eq!((outcome.code(), lines), (Some(2), 2), "{outcome}");
    }
}
