//! `mqttws sub --exec`: what commands learn of their messages, when those are acknowledged, what is
//! replied, and how it ends.

use std::fs::OpenOptions;
use std::io::Write;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// `mqttws sub -V 311 -q 1 -t t` and these flags.
fn subscribe(broker: &Broker, flags: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311", "-q", "1", "-t", "t"], flags].concat())
}

/// MQTT 3.1.1, a granted SUBSCRIBE, and then these steps.
fn granted<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let mut script = connected([packet("82 id <t> 01"), Step::Send("90 id 01")]);
    script.extend(steps);
    script
}

/// MQTT 5, a granted SUBSCRIBE, and then these steps.
fn granted_in_5<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend([packet("82 id 00 <t> 01"), Step::Send("90 id 00 01")]);
    script.extend(steps);
    script
}

fn ran<const N: usize>(flags: &[&str], steps: [Step; N]) -> Outcome {
    subscribe(&Broker::start(until_goodbye(granted(steps))), flags).run()
}

/// A pipe with a name: who reads it waits until somebody writes.
fn gate(folder: &Folder) -> String {
    let path = folder.path().join("gate").into_os_string().into_string().unwrap();
    Program::of("mkfifo", [&path]).run().expect(0, "", "");
    path
}

#[test]
fn a_command_reads_the_payload_and_knows_the_message() {
    let command =
        "cat; echo \" $MQTT_TOPIC $MQTT_QOS $MQTT_RETAIN $MQTT_DUP $MQTT_MID $MQTT_CONTENT_TYPE.\"";
    let steps = [Step::Send("33 <t/ü> 00 07 'one'; 30 <b> 'two'"), packet("40 00 07")];
    let outcome = ran(&["--exec", command, "-C", "2"], steps);
    outcome.expect(0, "one t/ü 1 1 0 7 .\ntwo b 0 0 0  .\n", "");
}

/// A function that bash has exported is a variable to all others.
#[test]
fn the_shell_can_be_chosen() {
    let steps = || granted([Step::Send("32 <t> 00 07 'one'"), packet("40 00 07")]);
    let run = |flags: &[&str]| {
        let broker = Broker::start(until_goodbye(steps()));
        let program = subscribe(&broker, &[flags, &["-C", "1"]].concat());
        program.env("BASH_FUNC_f%%", "() { read -r x; echo \"f got $x\"; }").run()
    };
    run(&["--exec", "f", "--shell", "bash"]).expect(0, "f got one\n", "");
    run(&["--exec", "cat; echo \" $0\"", "--shell", "/bin/sh"]).expect(0, "one /bin/sh\n", "");
}

#[test]
fn a_command_needs_no_shell() {
    let flags =
        ["--exec-argv", "printf", "--exec-argv", "%s|", "--exec-argv", "-x $HOME", "-C", "1"];
    let steps = [Step::Send("32 <t> 00 07 'one'"), packet("40 00 07")];
    ran(&flags, steps).expect(0, "-x $HOME|", "");
}

#[test]
fn a_program_that_is_not_there_is_a_failure() {
    let broker = Broker::start(until_goodbye(granted([Step::Send("32 <t> 00 07 'one'")])));
    let outcome = subscribe(&broker, &["--exec-argv", "no-such-program", "--quiet"]).run();
    let line = "mqttws: running the command for a message to t: it cannot be started: No such file or directory";
    fails(&outcome, 1, line);
    for (flags, line) in [
        (&["--shell", "bash"][..], "mqttws: --exec <CMD> is required; see mqttws help sub"),
        (
            &["--exec", "x", "--exec-argv", "y"],
            "mqttws: --exec <CMD> cannot be used with --exec-argv <WORD>*",
        ),
        (
            &["--exec-argv", ""],
            "mqttws: --exec-argv: the first one is the program, and it is empty",
        ),
        (
            &["--jobs", "2"],
            "mqttws: --exec <CMD> or --exec-argv <WORD> is required; see mqttws help sub",
        ),
    ] {
        fails(&Program::new([&["sub", "-t", "t"], flags].concat()).run(), 2, line);
    }
}

#[test]
fn properties_are_variables() {
    let command = "echo $MQTT_CONTENT_TYPE $MQTT_RESPONSE_TOPIC $MQTT_CORRELATION_DATA \"$MQTT_USER_TRACE_ID\" \
                   $MQTT_MESSAGE_EXPIRY_INTERVAL $MQTT_SUBSCRIPTION_IDENTIFIER $MQTT_PAYLOAD_FORMAT_INDICATOR";
    let steps = [Step::Send(
        "30 <t> 29 01 01 02 00 00 00 3c 03 <c> 08 <r> 09 00 02 00 ff 0b 05 26 <trace-id> <$(x) '>",
    )];
    let broker = Broker::start(until_session_end(granted_in_5(steps)));
    let flags =
        ["sub", &broker.url(), "-V", "5", "-q", "1", "-t", "t", "-C", "1", "--exec", command];
    let program = Program::new(flags).env("MQTT_USER_TRACE_ID", "old").env("MQTT_MID", "9");
    program.run().expect(0, "c r 00ff $(x) ' 60 5 1\n", "");
}

/// They are ours: a command needs none, and what it starts must not see them.
#[test]
fn a_command_does_not_get_the_credentials() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 30 <t> 'x'"),
    ]));
    let command = "echo $MQTTWS_USERNAME,$MQTTWS_PASSWORD,$MQTTWS_URL";
    let url = broker.url();
    let flags = ["sub", "-V", "311", "-q", "1", "-t", "t", "-C", "1", "--exec", command];
    let program = Program::new(flags).env("MQTTWS_URL", &url);
    let program = program.env("MQTTWS_USERNAME", "ann").env("MQTTWS_PASSWORD", "s3cret");
    program.run().expect(0, format!(",,{url}\n"), "");
}

#[test]
fn formats_are_what_a_command_reads() {
    let steps = || [Step::Send("30 <t> 'x'")];
    ran(&["--exec", "cat", "-C", "1", "-v"], steps()).expect(0, "t x", "");
    ran(&["--exec", "cat", "-C", "1", "-F", "%t=%p"], steps()).expect(0, "t=x\n", "");
    let outcome = ran(&["--exec", "cut -d, -f2", "-C", "1", "--json"], steps());
    outcome.expect(0, "\"topic\":\"t\"\n", "");
}

/// The keep alive goes on while a command runs, and its message is acknowledged when it has ended.
#[test]
fn a_message_is_acknowledged_when_its_command_has_ended() {
    let folder = Folder::new();
    let gate = gate(&folder);
    let steps = granted([
        Step::Send("32 <t> 00 07 'x'"),
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
        packet("40 00 07"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let command = format!("cat '{gate}'");
    let running = subscribe(&broker, &["--exec", &command, "-C", "1", "-k", "1"]).spawn();
    broker.wait();
    OpenOptions::new().write(true).open(&gate).unwrap().write_all(b"open\n").unwrap();
    running.finish().expect(0, "open\n", "");
}

#[test]
fn several_run_at_once_and_are_acknowledged_in_order() {
    let folder = Folder::new();
    let gate = gate(&folder);
    let command = format!("if [ $MQTT_TOPIC = a ]; then cat '{gate}'; else cat > '{gate}'; fi");
    let steps = [
        Step::Send("32 <a> 00 07 ''; 32 <b> 00 08 'from b'"),
        packet("40 00 07"),
        packet("40 00 08"),
    ];
    ran(&["--exec", &command, "-C", "2", "--jobs", "2"], steps).expect(0, "from b", "");
}

#[test]
fn a_failure_ends_it_and_leaves_the_message_with_the_broker() {
    let messages = "32 <a> 00 07 'exit 0'; 32 <b> 00 08 'exit 3'; 32 <c> 00 09 'echo c'";
    let steps = [Step::Send(messages), packet("40 00 07")];
    let outcome = ran(&["--exec", "eval $(cat)"], steps);
    fails(&outcome, 1, "mqttws: running the command for a message to b: it ended with exit code 3");

    let steps = [Step::Send(messages), packet("40 00 07"), packet("40 00 08"), packet("40 00 09")];
    let outcome = ran(&["--exec", "eval $(cat)", "--keep-going", "-C", "3"], steps);
    let line = "mqttws: running the command for a message to b: it ended with exit code 3\n";
    outcome.expect(1, "c\n", line);
}

#[test]
fn what_is_left_out_is_acknowledged_in_its_turn() {
    let steps = [
        Step::Send("32 <a> 00 07 'x'; 32 <b> 00 08 'y'; 32 <a> 00 09 'z'"),
        packet("40 00 07"),
        packet("40 00 08"),
        packet("40 00 09"),
        Step::Send("30 <c> 'end'"),
    ];
    ran(&["--exec", "cat", "-T", "a", "-C", "2"], steps).expect(0, "yend", "");
}

#[test]
fn replies_go_to_who_asked() {
    let steps = [
        Step::Send("30 <t> 08 08 <r> 09 00 01 'c' 'ask'; 32 <t> 00 07 04 08 <r> 'again'"),
        packet("30 <r> 04 09 00 01 'c' 're: ask'"),
        packet("32 <r> id 00 're: again'"),
        packet("40 00 07"),
        Step::Send("40 id"),
    ];
    let broker = Broker::start(until_session_end(granted_in_5(steps)));
    let flags = ["sub", &broker.url(), "-q", "1", "-t", "t", "-C", "2", "--reply", "--exec"];
    let command = "echo \"re: $(cat)\" | tr -d '\\n'";
    Program::new([&flags[..], &[command]].concat()).run().expect(0, "", "");
}

#[test]
fn replies_without_a_place_are_told() {
    let steps = [
        Step::Send("30 <t> 00 'nowhere'; 30 <t> 04 08 <r> 'x'; 32 <t> 00 07 04 08 <r> 'y'"),
        packet("30 <r> 00 'x'"),
        packet("32 <r> id 00 'y'"),
        packet("40 00 07"),
        Step::Send("40 id 87"),
    ];
    let broker = Broker::start(until_session_end(granted_in_5(steps)));
    let flags = ["sub", &broker.url(), "-q", "1", "-t", "t", "-C", "3", "--reply", "--exec", "cat"];
    let lines = "mqttws: warning: a message to t has no response topic: its answer is dropped\n\
                 mqttws: replying: refused: not authorized\n";
    Program::new(flags).run().expect(7, "", lines);
}

#[test]
fn an_interruption_is_passed_on() {
    let command = "trap 'echo told; exit 1' INT; echo started; sleep 1000 & wait";
    let broker =
        Broker::start(until_goodbye(granted([Step::Send("32 <t> 00 07 'x'; 32 <t> 00 08 'y'")])));
    let mut running = subscribe(&broker, &["--exec", command]).spawn();
    running.wait_for_line(|line| line == "started\n");
    running.signal("INT");
    running.finish().expect(0, "started\ntold\n", "");
}

/// Messages whose commands run or wait for their turn do not count: the broker sends them again.
#[test]
fn an_interruption_counts_the_commands_that_are_done() {
    let command = "line=$(cat); echo $line; test $line = a || exec sleep 1000";
    let messages = "32 <t> 00 07 'a'; 32 <t> 00 08 'b'; 32 <t> 00 09 'c'";
    let steps = [Step::Send(messages), packet("40 00 07")];
    let broker = Broker::start(until_goodbye(granted(steps)));
    let mut running = subscribe(&broker, &["--exec", command, "-C", "5"]).spawn();
    running.wait_for_line(|line| line == "b\n");
    running.signal("INT");
    let line = "mqttws: subscribed: interrupted with 1 of 5 messages\n";
    running.finish().expect(130, "a\nb\n", line);
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let command = "trap '' INT TERM; echo started; while :; do sleep 1000; done";
    let broker = Broker::start(until_goodbye(granted([Step::Send("32 <t> 00 07 'x'")])));
    let mut running = subscribe(&broker, &["--exec", command, "-C", "1"]).spawn();
    running.wait_for_line(|line| line == "started\n");
    running.signal("TERM");
    fails_with_output(&running.finish());
}

#[test]
fn no_command_outlives_the_time_that_there_is() {
    let script = until_goodbye(granted([Step::Send("32 <t> 00 07 'x'")]));
    let broker = Broker::start(script);
    let outcome = subscribe(&broker, &["--exec", "echo started; sleep 1000", "-W", "0.5"]).run();
    outcome.expect(27, "started\n", "mqttws: subscribed: timed out after 0.5 s with 0 messages\n");
}

/// Nor where no other message is wanted.
#[test]
fn the_last_command_does_not_outlive_the_time_that_there_is() {
    let script = until_goodbye(granted([Step::Send("32 <t> 00 07 'x'")]));
    let broker = Broker::start(script);
    let flags = ["--exec", "echo started; exec sleep 1000", "-C", "1", "-W", "0.5"];
    let line = "mqttws: subscribed: timed out after 0.5 s with 0 of 1 message\n";
    subscribe(&broker, &flags).run().expect(27, "started\n", line);
}

fn fails_with_output(outcome: &Outcome) {
    outcome.expect(143, "started\n", "mqttws: subscribed: interrupted with 0 of 1 message\n");
}

#[test]
fn commands_that_make_no_sense() {
    for line in [
        "sub -t t --jobs 2",
        "sub -t t --reply",
        "sub -t t --keep-going",
        "sub -t t --exec cat --jobs 0",
        "sub -t t --exec cat -o dir",
        "sub -t t --exec cat --reply -V 311",
    ] {
        let outcome = Program::new(line.split(' ')).run();
        let lines = outcome.stderr.split(|byte| *byte == b'\n').count();
        assert_eq!((outcome.code(), lines), (Some(2), 2), "{outcome}");
    }
}

/// A message whose connection was lost while its command ran comes again, and is acknowledged once.
#[test]
fn a_lost_connection_does_not_disturb_a_command() {
    let folder = Folder::new();
    let gates = ["0", "1"].map(|dup| {
        let path = folder.path().join(format!("gate{dup}")).into_os_string().into_string().unwrap();
        Program::of("mkfifo", [&path]).run().expect(0, "", "");
        path
    });
    let mut script =
        granted([Step::Send("32 <t> 00 07 'x'"), packet("c0"), Step::End, Step::Reconnect]);
    script.extend([
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 01 00"),
        Step::Send("3a <t> 00 07 'x'"),
        Step::Tell,
        packet("40 00 07"),
        Step::Send("30 <t> 'end'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let command =
        format!("if [ $MQTT_QOS = 1 ]; then cat '{}/gate'$MQTT_DUP; fi", folder.path().display());
    let flags = ["-c", "-i", "me", "--exec", &command, "-C", "3", "-k", "1", "--quiet"];
    let running =
        subscribe(&broker, &[&flags[..], &["--reconnect-delay", "0.01"]].concat()).spawn();
    broker.wait();
    for (gate, text) in gates.iter().zip(["first\n", "again\n"]) {
        OpenOptions::new().write(true).open(gate).unwrap().write_all(text.as_bytes()).unwrap();
    }
    running.finish().expect(0, "first\nagain\n", "");
}
