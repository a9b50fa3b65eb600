//! Signals and `-W` in every state of a connection: none is lost, and none waits for a server that
//! does nothing.

use std::time::Duration;

use super::states::{Deaf, Server, connecting, reconnecting, replacing};
use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{is_like, is_one_line};
use crate::support::program::{Outcome, Program, Running};

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

/// Longer than it takes to end, and shorter than the time after which a signal ends the process
/// whatever it is doing.
const SOON: Duration = Duration::from_millis(4500);

/// Time enough for nothing to end by itself.
const LONG: [&str; 4] = ["--connect-timeout", "60", "--reconnect-delay", "60"];

/// A command that connects to this place and would not end by itself, MQTT 3.1.1.
fn commands(url: &str) -> [Program; 3] {
    let version = ["-V", "311", "-i", "me"];
    let sub = [&["sub", url, "-t", "t", "-C", "2"], &version[..], &LONG].concat();
    let ping = [&["ping", url, "-c", "1"], &version[..], &LONG].concat();
    let publish = [&["pub", url, "-t", "t", "-q", "2", "-l"], &version[..], &LONG].concat();
    [Program::new(sub), Program::new(ping), Program::new(publish).stdin_held_open()]
}

/// Checks that a signal ends it at once, with one line.
fn obeys(running: Running, signal: &str, code: i32, state: &str, line: &str) {
    running.signal(signal);
    let outcome = running.finish_within(SOON);
    assert_eq!(outcome.code(), Some(code), "in the state {state}:\n{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        is_one_line(&outcome.stderr) && is_like(stderr.trim_end(), line),
        "{state}:\n{outcome}"
    );
}

const INTERRUPTED: &str = "mqttws: connecting to ws*://127.0.0.1:*/mqtt: interrupted";

#[test]
fn a_signal_while_the_server_does_not_answer_the_dial() {
    for (signal, code) in SIGNALS {
        let deaf = Deaf::new();
        for command in commands(&deaf.url()) {
            let running = command.spawn();
            deaf.wait();
            obeys(running, signal, code, "dial", INTERRUPTED);
        }
    }
}

#[test]
fn a_signal_while_the_proxy_does_not_answer() {
    for (signal, code) in SIGNALS {
        let proxy = Broker::start_watchful(vec![Step::Heard, Step::Tell, Step::Gone]);
        let proxy_url = format!("http://127.0.0.1:{}", proxy.port());
        let flags = ["sub", "ws://192.0.2.1/mqtt", "-t", "t", "--proxy", &proxy_url];
        let running = Program::new([&flags[..], &LONG].concat()).spawn();
        proxy.wait();
        obeys(
            running,
            signal,
            code,
            "proxy",
            "mqttws: connecting to ws://192.0.2.1/mqtt: interrupted",
        );
        proxy.finish_alone();
    }
}

#[test]
fn a_signal_while_the_first_connection_is_made() {
    for (signal, code) in SIGNALS {
        for number in 0..connecting().len() {
            for verb in 0..3 {
                let Server { name, url, broker } = connecting().swap_remove(number).server();
                let [sub, ping, publish] = commands(&url);
                let running = [sub, ping, publish].into_iter().nth(verb).unwrap().spawn();
                broker.wait();
                obeys(running, signal, code, name, INTERRUPTED);
                broker.finish_alone();
            }
        }
    }
}

/// After a version or a name that the server did not take, or a redirect, there is another
/// connection.
#[test]
fn a_signal_while_another_try_is_made() {
    let refused =
        || vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 01"), Step::Gone];
    let bad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let there = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    for (signal, code) in SIGNALS {
        let first_tries = [
            refused(),
            vec![Step::Request(&[]), Step::Answer(bad), Step::End],
            vec![Step::Request(&[]), Step::Answer(there), Step::End],
        ];
        for mut script in first_tries {
            script.extend([Step::Reconnect, Step::Request(&[]), Step::Tell, Step::Gone]);
            let broker = Broker::start_watchful(script);
            let command = ["sub", &broker.url(), "-t", "t", "--follow"];
            let running = Program::new([&command[..], &LONG].concat()).spawn();
            broker.wait();
            let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: *interrupted";
            obeys(running, signal, code, "another try", line);
            broker.finish_alone();
        }
    }
}

#[test]
fn a_signal_while_suback_is_awaited() {
    for (signal, code) in SIGNALS {
        let steps =
            [packet("82 id <t> 00"), Step::Tell, packet("e0"), Step::Close(1000), Step::End];
        let broker = Broker::start(connected(steps));
        let [sub, ..] = commands(&broker.url());
        let running = sub.spawn();
        broker.wait();
        let line = "mqttws: subscribing to t: interrupted";
        obeys(running, signal, code, "SUBACK", line);
    }
}

/// A `pub -q 2` of MQTT 3.1.1 wants a session that outlives the connection, and a new one.
fn wants_a_session(url: &str) -> Program {
    let flags = ["pub", url, "-V", "311", "-i", "me", "-t", "t", "-q", "2", "-l"];
    Program::new([&flags[..], &LONG].concat()).stdin_held_open()
}

fn signalled_while_replacing(number: usize) {
    for (signal, code) in SIGNALS {
        let Server { name, url, broker } = replacing().swap_remove(number).server();
        let running = wants_a_session(&url).spawn();
        broker.wait();
        obeys(running, signal, code, name, INTERRUPTED);
        broker.finish_alone();
    }
}

#[test]
fn a_signal_while_the_broker_does_not_end_the_connection_with_a_stale_session() {
    signalled_while_replacing(0);
}

#[test]
fn a_signal_while_the_connection_that_clears_a_stale_session_is_upgraded() {
    signalled_while_replacing(1);
}

#[test]
fn a_signal_while_the_connection_that_clears_a_stale_session_awaits_connack() {
    signalled_while_replacing(2);
}

#[test]
fn a_signal_while_the_broker_does_not_end_the_connection_that_cleared_a_stale_session() {
    signalled_while_replacing(3);
}

#[test]
fn a_signal_while_the_connection_after_a_stale_session_awaits_connack() {
    signalled_while_replacing(4);
}

/// What is told before the end when a connection was lost.
const LOSS: &str = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection; trying again";

/// Checks that a signal ends it in an outage, after the warning; its last line on standard error.
fn obeys_in_an_outage(running: Running, signal: &str, code: i32, line: &str) {
    running.signal(signal);
    let outcome = running.finish_within(SOON);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let is_told = is_like(&stderr, &[LOSS, "\n", line].concat());
    assert!(outcome.code() == Some(code) && is_told, "{outcome}");
}

#[test]
fn a_signal_before_the_next_try_to_connect_again() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(subscribed([Step::End]));
        let [sub, ..] = commands(&broker.url());
        let mut sub = sub.spawn();
        sub.wait_for_words("trying again\n");
        obeys_in_an_outage(
            sub,
            signal,
            code,
            "mqttws: subscribed: interrupted with 0 of 2 messages\n",
        );

        let broker = Broker::start(connected([Step::End]));
        let [.., publish] = commands(&broker.url());
        let mut publish = publish.spawn();
        publish.wait_for_words("trying again\n");
        let line = "mqttws: publishing: interrupted with 0 of 0 messages handed over; \
                    go on with number 1\n";
        obeys_in_an_outage(publish, signal, code, line);
    }
}

/// The same commands with a short delay before the next try.
fn soon_again(url: &str) -> Program {
    let flags = ["-V", "311", "--connect-timeout", "60", "--reconnect-delay", "0.01"];
    Program::new([&["sub", url, "-t", "t", "-C", "2"], &flags[..]].concat())
}

#[test]
fn a_signal_while_a_lost_connection_is_made_again() {
    for (signal, code) in SIGNALS {
        for state in reconnecting() {
            let Server { url, broker, .. } = state.server();
            let running = soon_again(&url).spawn();
            broker.wait();
            let line = "mqttws: subscribed: interrupted with 0 of 2 messages\n";
            obeys_in_an_outage(running, signal, code, line);
            broker.finish_alone();
        }
    }
}

/// All that was asked is done: what is given up is only the server's part of the end.
#[test]
fn a_signal_while_the_server_does_not_end_the_connection() {
    for (signal, _) in SIGNALS {
        let steps = [Step::Send("30 <t> 'x'"), packet("e0"), Step::Tell, Step::Gone];
        let broker = Broker::start(subscribed(steps));
        let sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "1"]).spawn();
        broker.wait();
        sub.signal(signal);
        sub.finish_within(SOON).expect(0, "x\n", "");

        let steps =
            [packet("32 <t> id 'x'"), Step::Send("40 id"), packet("e0"), Step::Tell, Step::Gone];
        let broker = Broker::start(connected(steps));
        let url = broker.url();
        let publish =
            Program::new(["pub", &url, "-V", "311", "-t", "t", "-q", "1", "-m", "x"]).spawn();
        broker.wait();
        publish.signal(signal);
        publish.finish_within(SOON).expect(0, "", "");
    }
}

/// Nor does `-W` make a failure of it.
#[test]
fn the_time_of_w_passes_while_the_server_does_not_end_the_connection() {
    let steps = [Step::Send("30 <t> 'x'"), packet("e0"), Step::Gone];
    let broker = Broker::start(subscribed(steps));
    let flags = ["-V", "311", "-t", "t", "-C", "1", "-W", "0.7"];
    let sub = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    sub.finish_within(SOON).expect(0, "x\n", "");
}

/// A `sub -q 2 --exec` whose command ends while the connection is lost and made again: `steps` lead
/// to the CONNECT of the new connection.
fn command_ends_during<const N: usize>(steps: [Step; N]) {
    let begin = [
        packet("82 id <t> 02"),
        Step::Send("90 id 02; 34 <t> 00 07 'x'"),
        Step::End,
        Step::Reconnect,
    ];
    let mut script = connected(begin);
    script.extend(steps);
    script.extend([Step::Send("20 01 00"), Step::Send("3c <t> 00 07 'x'"), packet("50 00 07")]);
    script.extend([Step::Send("62 00 07"), packet("70 00 07"), Step::Send("30 <t> 'y'")]);
    let broker = Broker::start(until_goodbye(script));
    let flags = ["-V", "311", "-i", "me", "-c", "-q", "2", "-t", "t", "-C", "2", "--quiet"];
    let exec = ["--exec", "sleep 0.4; cat; echo", "--reconnect-delay", "0.01"];
    let sub = Program::new([&["sub", &broker.url()], &flags[..], &exec].concat());
    sub.run().expect(0, "x\ny\n", "");
}

/// It is not run again for what the broker sends again, and its message is acknowledged.
#[test]
fn a_command_that_ends_while_a_lost_connection_is_made_again() {
    let far_away = || Step::Dally(Duration::from_millis(900));
    command_ends_during([Step::Request(&[]), far_away(), Step::Accept, packet("10 <MQTT> 04 *")]);
    command_ends_during([Step::Upgrade, packet("10 <MQTT> 04 *"), far_away()]);
}

/// `-W` passes in each of these, although `--connect-timeout` does not.
fn timed_out(outcome: &Outcome, state: &str, line: &str) {
    assert_eq!(outcome.code(), Some(27), "in the state {state}:\n{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let last = stderr.lines().last().unwrap_or_default();
    assert!(is_like(last, line), "in the state {state}, not like {line}:\n{outcome}");
}

/// `sub` and `pub --request` with `-W 0.5`.
fn impatient(url: &str) -> [Program; 2] {
    let flags = ["-V", "311", "-i", "me", "-W", "0.5", "-t", "t"];
    let sub = [&["sub", url, "-C", "2"], &flags[..], &LONG].concat();
    let request =
        [&["pub", url, "--request", "-e", "answers", "-m", "x"], &flags[..], &LONG].concat();
    [Program::new(sub), Program::new(request)]
}

const NOT_CONNECTED: &str = "mqttws: connecting to ws*://127.0.0.1:*/mqtt: no * within 0.5 s*";

#[test]
fn the_time_of_w_passes_while_the_server_does_not_answer_the_dial() {
    let deaf = Deaf::new();
    for command in impatient(&deaf.url()) {
        timed_out(&command.spawn().finish_within(SOON), "dial", NOT_CONNECTED);
    }
}

#[test]
fn the_time_of_w_passes_while_the_first_connection_is_made() {
    for number in 0..connecting().len() {
        for verb in 0..2 {
            let Server { name, url, broker } = connecting().swap_remove(number).server();
            let running = impatient(&url).into_iter().nth(verb).unwrap().spawn();
            timed_out(&running.finish_within(SOON), name, NOT_CONNECTED);
            broker.finish_alone();
        }
    }
}

/// A `sub -c` to a broker is not among those that replace a session; a new session that lasts is.
#[test]
fn the_time_of_w_passes_while_a_stale_session_is_replaced() {
    for number in 0..replacing().len() {
        let Server { name, url, broker } = replacing().swap_remove(number).server();
        let flags = ["-V", "311", "-i", "me", "-W", "0.5", "-t", "t", "-q", "2"];
        let request = ["pub", &url, "--request", "-e", "answers", "-m", "x"];
        let running = Program::new([&request, &flags[..], &LONG].concat()).spawn();
        timed_out(&running.finish_within(SOON), name, NOT_CONNECTED);
        broker.finish_alone();
    }
}

#[test]
fn the_time_of_w_passes_before_the_next_try_to_connect_again() {
    let broker = Broker::start(subscribed([Step::End]));
    let [sub, _] = impatient(&broker.url());
    let line = "mqttws: subscribed: timed out after 0.5 s with 0 of 2 messages";
    timed_out(&sub.spawn().finish_within(SOON), "outage", line);

    let broker = Broker::start(connected([packet("82 id <answers> 00"), Step::End]));
    let [_, request] = impatient(&broker.url());
    let line = "mqttws: subscribing to answers: no answer within 0.5 s";
    timed_out(&request.spawn().finish_within(SOON), "outage before SUBACK", line);

    let broker = Broker::start(connected([
        packet("82 id <answers> 00"),
        Step::Send("90 id 00"),
        packet("30 <t> 'x'"),
        Step::End,
    ]));
    let [_, request] = impatient(&broker.url());
    timed_out(&request.spawn().finish_within(SOON), "outage", "mqttws: asking t: *");

    let broker = Broker::start(connected([packet("c0"), Step::End]));
    let flags =
        ["ping", &broker.url(), "-V", "311", "-c", "1", "-W", "0.5", "--reconnect-delay", "60"];
    let outcome = Program::new(flags).spawn().finish_within(SOON);
    timed_out(&outcome, "outage", "mqttws: pinging ws://127.0.0.1:*/mqtt: no probe was answered");
}

/// The server takes the connection and does nothing more; the try must not outlast `-W`.
#[test]
fn the_time_of_w_passes_while_a_lost_connection_is_made_again() {
    for state in reconnecting() {
        let Server { name, url, broker } = state.server();
        let flags =
            ["-V", "311", "-W", "0.5", "--connect-timeout", "60", "--reconnect-delay", "0.01"];
        let sub = Program::new([&["sub", &url, "-t", "t", "-C", "2"], &flags[..]].concat());
        let line = "mqttws: subscribed: timed out after 0.5 s with 0 of 2 messages";
        timed_out(&sub.spawn().finish_within(SOON), name, line);
        broker.finish_alone();
    }
    let broker = Broker::start_watchful(connected([
        packet("c0"),
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 *"),
        Step::Gone,
    ]));
    let flags = ["-V", "311", "-c", "1", "-W", "0.5", "--connect-timeout", "60"];
    let ping =
        Program::new([&["ping", &broker.url(), "--reconnect-delay", "0.01"], &flags[..]].concat());
    let line = "mqttws: pinging ws://127.0.0.1:*/mqtt: no probe was answered";
    timed_out(&ping.spawn().finish_within(SOON), "CONNACK", line);
    broker.finish_alone();
}

/// `sub -W 0.5` whose connection is lost, and is not restored; `way` gives the address and its flags.
fn times_out_while_reconnecting(
    script: Vec<Step>,
    state: &str,
    way: impl Fn(&Broker) -> Vec<String>,
) {
    let broker = Broker::start_watchful(script);
    let flags = ["-V", "311", "-W", "0.5", "--connect-timeout", "60", "--reconnect-delay", "0.01"];
    let flags = flags.map(str::to_owned);
    let command = ["sub", "-t", "t", "-C", "2"].map(str::to_owned);
    let sub = Program::new([&command[..], &flags, &way(&broker)].concat());
    let line = "mqttws: subscribed: timed out after 0.5 s with 0 of 2 messages";
    timed_out(&sub.spawn().finish_within(SOON), state, line);
    broker.finish_alone();
}

#[test]
fn the_time_of_w_passes_after_a_redirect_of_a_reconnect() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n";
    let script = subscribed([
        Step::End,
        Step::Reconnect,
        Step::Request(&["GET /mqtt HTTP/1.1"]),
        Step::Answer(answer),
        Step::Gone,
        Step::Reconnect,
        Step::Request(&["GET /other HTTP/1.1"]),
        Step::Gone,
    ]);
    times_out_while_reconnecting(script, "redirect", |broker| {
        vec![broker.url(), "--follow".to_owned()]
    });
}

#[test]
fn the_time_of_w_passes_at_the_proxy_of_a_reconnect() {
    let mut script = vec![
        Step::Request(&["CONNECT 192.0.2.1:80 HTTP/1.1"]),
        Step::Answer("HTTP/1.1 200 Connection established\r\n\r\n"),
    ];
    script.extend(subscribed([
        Step::End,
        Step::Reconnect,
        Step::Request(&["CONNECT 192.0.2.1:80 HTTP/1.1"]),
        Step::Gone,
    ]));
    times_out_while_reconnecting(script, "proxy", |broker| {
        let proxy = format!("http://127.0.0.1:{}", broker.port());
        vec!["ws://192.0.2.1/mqtt".to_owned(), "--proxy".to_owned(), proxy]
    });
}
