//! What the other side says after our DISCONNECT counts, and it has time to say it as long as it
//! goes on; what it never read is a loss.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{fails, fails_after, is_like};
use crate::support::program::Program;

/// More than the sockets of both ends hold.
const LARGE: usize = 16 << 20;

/// MQTT 5 up to CONNACK, and then these steps.
fn connected_in_5<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend(steps);
    script
}

/// A DISCONNECT of the server with a reason, after ours.
fn disconnected_afterwards(disconnect: &'static str, line: &str) {
    let steps =
        connected_in_5([packet("30 <t> 00 'x'"), packet("e0"), Step::Send(disconnect), Step::Gone]);
    let broker = Broker::start(steps);
    let publish = Program::new(["pub", &broker.url(), "-V", "5", "-t", "t", "-m", "x"]);
    fails(&publish.run(), 6, line);
}

#[test]
fn a_disconnect_with_a_reason_says_that_the_message_was_not_taken() {
    disconnected_afterwards(
        "e0 87",
        "mqttws: publishing to t: the broker disconnected us: not authorized; the broker's rules \
         forbid it to this user or client id",
    );
    disconnected_afterwards(
        "e0 95 00",
        "mqttws: publishing to t: the broker disconnected us: packet too large; send smaller \
         messages, or raise the broker's limit",
    );
    disconnected_afterwards(
        "e0 97 07 1f <full>",
        "mqttws: publishing to t: the broker disconnected us: quota exceeded (full)*",
    );
}

/// It comes with the Close frame, and after it nothing.
#[test]
fn a_disconnect_with_a_reason_after_the_answer_to_our_close() {
    let end = [packet("e0"), Step::Send("e0 87"), Step::Close(1000), Step::End];
    let mut script = connected_in_5([packet("30 <t> 00 'x'")]);
    script.extend(end);
    let broker = Broker::start(script);
    let publish = Program::new(["pub", &broker.url(), "-V", "5", "-t", "t", "-m", "x"]);
    assert_eq!(publish.run().code(), Some(6));
}

/// Nothing is wrong with an answer that ends in order.
#[test]
fn a_disconnect_without_an_error_is_a_clean_end() {
    let steps =
        connected_in_5([packet("30 <t> 00 'x'"), packet("e0"), Step::Send("e0"), Step::Gone]);
    let broker = Broker::start(steps);
    let publish = Program::new(["pub", &broker.url(), "-V", "5", "-t", "t", "-m", "x"]);
    publish.run().expect(0, "", "");
}

/// Nor with one that ends without Close, or by a reset with nothing of ours unread.
#[test]
fn an_end_without_close_is_a_clean_end() {
    for end in [Step::End, Step::Abort] {
        let steps = connected([packet("30 <t> 'x'"), packet("e0"), Step::Close(1000), end]);
        let broker = Broker::start(steps);
        let publish = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-m", "x"]);
        publish.run().expect(0, "", "");
    }
}

/// The signal came before the acknowledgement, and the acknowledgement before the end.
#[test]
fn an_acknowledgement_after_disconnect_counts() {
    let steps =
        [packet("32 <t> id 'x'"), Step::Tell, packet("e0"), Step::Send("40 id"), Step::Close(1000)];
    let broker = Broker::start(connected(steps));
    let publish = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-l"]);
    let running = publish.stdin("x\n").stdin_held_open().spawn();
    broker.wait();
    running.signal("INT");
    let line = "mqttws: publishing: interrupted with 1 of 1 message handed over; \
                go on with number 2\n";
    running.finish().expect(130, "", line);
}

/// One of QoS 2 that is received only: the broker has it, and the PUBREL that is missing cannot
/// follow any more, so it is not handed over.
#[test]
fn a_pubrec_after_disconnect_is_not_enough() {
    let steps =
        [packet("34 <t> id 'x'"), Step::Tell, packet("e0"), Step::Send("50 id"), Step::Close(1000)];
    let broker = Broker::start(connected(steps));
    let publish = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "2", "-l"]);
    let running = publish.stdin("x\n").stdin_held_open().spawn();
    broker.wait();
    running.signal("INT");
    let line = "mqttws: publishing: interrupted with 0 of 1 message handed over; \
                go on with number 1, which may arrive twice\n";
    running.finish().expect(130, "", line);
}

/// What was written at QoS 0 before a connection was lost is not simply handed over.
#[test]
fn an_interrupted_publisher_tells_that_messages_may_be_missing() {
    let mut script = connected([packet("30 <t> 'x'"), Step::Abort, Step::Reconnect]);
    script.extend(connected([Step::Frame(0x89, b"p"), Step::Pong(b"p"), Step::Tell]));
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-l", "--quiet", "--reconnect-delay", "0.01"];
    let publish = Program::new([&["pub", &broker.url()], &flags[..]].concat());
    let running = publish.stdin("x\n").stdin_held_open().spawn();
    broker.wait();
    running.signal("INT");
    let line = "mqttws: publishing: interrupted with 1 of 1 message handed over; of those \
                of QoS 0 some may be missing: the connection was lost meanwhile\n";
    running.finish().expect(130, "", line);
    broker.finish();
}

/// The same while there is no connection; and the end of the input then is no success.
#[test]
fn messages_may_be_missing_in_an_outage() {
    for is_interrupted in [true, false] {
        let broker = Broker::start(connected([packet("30 <t> 'x'"), Step::End]));
        let flags = ["-V", "311", "-t", "t", "-l"];
        let publish = Program::new([&["pub", &broker.url()], &flags[..]].concat());
        let mut running = publish.stdin("x\n").stdin_held_open().spawn();
        running.wait_for_words("trying again\n");
        let lost =
            "mqttws: warning: *: connection lost: the server closed the connection; trying again\n";
        let missing = "of QoS 0 *may be missing: the connection was lost meanwhile\n";
        let (code, line) = if is_interrupted {
            running.signal("INT");
            (130, "mqttws: publishing: interrupted with 1 of 1 message handed over; of those ")
        } else {
            running.end_stdin();
            (8, "mqttws: publishing: messages ")
        };
        let outcome = running.finish();
        let text = String::from_utf8_lossy(&outcome.stderr);
        let expected = format!("{lost}{line}{missing}");
        assert!(outcome.code() == Some(code) && is_like(&text, &expected), "{outcome}");
    }
}

/// `sub -q 2` of a session that remains.
fn kept(broker: &Broker, flags: &[&str]) -> Program {
    let url = broker.url();
    let command = ["sub", &url, "-V", "311", "-i", "s", "-c", "-t", "t", "-q", "2", "--quiet"];
    Program::new([&command[..], flags].concat())
}

/// A message that is acknowledged by PUBREC, and then these steps.
fn received(steps: Vec<Step>) -> Vec<Step> {
    let mut script = connected([
        packet("82 id <t> 02"),
        Step::Send("90 id 02; 34 <t> 00 01 'x'"),
        packet("50 00 01"),
    ]);
    script.extend(steps);
    script
}

/// PUBREL is answered before DISCONNECT.
fn released() -> Vec<Step> {
    let end = [Step::Send("62 00 01"), packet("70 00 01"), packet("e0"), Step::Close(1000)];
    end.into_iter().chain([Step::Gone]).collect()
}

/// Another connection, on which the broker says whether it has the session.
fn again(connack: &'static str, steps: Vec<Step>) -> Vec<Step> {
    let mut script =
        vec![Step::Reconnect, Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send(connack)];
    script.extend(steps);
    script
}

/// The message comes again, and is not printed again.
fn again_from_publish() -> Vec<Step> {
    let steps = vec![Step::Send("3c <t> 00 01 'x'"), packet("50 00 01")];
    again("20 01 00", steps.into_iter().chain(released()).collect())
}

/// A broker that is behind has our PUBRECs to read before it comes to the end: DISCONNECT waits for
/// its PUBRELs, and what else it sends meanwhile is left to the next run.
#[test]
fn disconnect_waits_for_pubrel() {
    let late = "30 <t> 'late'; 32 <t> 00 07 'late'; 34 <t> 00 08 'late'";
    let pause = Step::Dally(Duration::from_millis(1500));
    let steps = vec![pause, Step::Send(late)].into_iter().chain(released());
    let broker = Broker::start(received(steps.collect()));
    kept(&broker, &["-C", "1"]).run().expect(0, "x\n", "");
    broker.finish();
}

/// A large message that comes meanwhile is left, too, and one that was received is finished.
#[test]
fn what_comes_before_pubrel_is_not_taken() {
    let mut large = vec![0x82, 127, 0, 0, 0, 0, 0, 0x30, 0, 10, 0x34, 0x85, 0x80, 0xc0, 0x01];
    large.extend([0, 1, b't', 0, 9]);
    large.resize(10 + 0x30_000a, b'y');
    let steps = [Step::Raw(large), Step::Send("3c <t> 00 01 'x'"), packet("50 00 01")];
    let broker = Broker::start(received(steps.into_iter().chain(released()).collect()));
    kept(&broker, &["-C", "1"]).run().expect(0, "x\n", "");
    broker.finish();
}

/// The connection is cut before the broker has understood PUBREC: it is made again, and the
/// messages are finished there.
#[test]
fn a_connection_that_is_cut_before_pubrel_is_made_again() {
    let lost = || {
        let granted = vec![packet("82 id <t> 02"), Step::Send("90 id 02"), packet("e0")];
        again("20 00 00", granted.into_iter().chain([Step::Close(1000), Step::Gone]).collect())
    };
    let ways = [again_from_publish, || again("20 01 00", released()), lost];
    for cut in [|| Step::End, || Step::Abort] {
        for way in ways {
            let steps = vec![cut()].into_iter().chain(way());
            let broker = Broker::start(received(steps.collect()));
            let sub = kept(&broker, &["-C", "1", "--reconnect-delay", "0.01"]);
            sub.run().expect(0, "x\n", "");
            broker.finish();
        }
    }
}

/// A signal is no reason to be sent it all again: neither while the broker is silent for longer
/// than usual, nor during an outage.
#[test]
fn a_broker_that_owes_pubrels_is_waited_for_after_a_signal() {
    let silent = || vec![Step::Dally(Duration::from_secs(2))].into_iter().chain(released());
    let cut = || vec![Step::Abort].into_iter().chain(again_from_publish());
    for signal in ["INT", "TERM", "HUP"] {
        for steps in [silent().collect::<Vec<_>>(), cut().collect()] {
            let script = received([Step::Tell].into_iter().chain(steps).collect());
            let broker = Broker::start(script);
            let sub = kept(&broker, &["--reconnect-delay", "0.3,0.3"]).spawn();
            broker.wait();
            sub.signal(signal);
            sub.finish().expect(0, "x\n", "");
            broker.finish();
        }
    }
}

/// If they do not come, the next run may print messages again: that is no success.
#[test]
fn a_broker_that_owes_pubrels_for_ever_is_told() {
    let line = "mqttws: finishing QoS 2: the broker has sent no PUBREL for a message that was \
                received: it may send it again\n";
    let end = || vec![packet("e0"), Step::Close(1000), Step::Gone];
    let broker = Broker::start(received(end()));
    let sub = kept(&broker, &["-C", "1", "--connect-timeout", "1"]);
    sub.run().expect(8, "x\n", line);
    broker.finish();

    let broker = Broker::start(received([Step::Tell].into_iter().chain(end()).collect()));
    let sub = kept(&broker, &[]).spawn();
    broker.wait();
    sub.signal("INT");
    sub.finish().expect(8, "x\n", line);

    let broker = Broker::start(received(end()));
    kept(&broker, &["-C", "2", "-W", "1"]).run().expect(27, "x\n", &format!("{LATE}{line}"));
}

/// What `-W` says before.
const LATE: &str = "mqttws: subscribed: timed out after 1 s with 1 of 2 messages\n";

/// Nor is it if the broker is gone.
#[test]
fn a_broker_that_is_gone_before_pubrel_is_told() {
    let broker = Broker::start(received(vec![Step::Abort]));
    let sub = kept(&broker, &["-C", "1", "--reconnect-delay", "0.01", "--reconnect-tries", "1"]);
    let line = "mqttws: finishing QoS 2: connection lost, and 1 try to connect again failed: *";
    fails_after(&sub.run(), b"x\n", 8, line);
}

/// Not for longer than `--connect-timeout`, and not when it does nothing.
#[test]
fn a_broker_that_goes_on_for_ever_is_left() {
    let mut script = subscribed([Step::Send("30 <t> 'x'"), packet("e0")]);
    script.push(Step::Flood(b"\x82\x05\x30\x03\x00\x01t".repeat(10 << 20)));
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-C", "1", "--connect-timeout", "2"];
    let sub = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    sub.finish_within(Duration::from_secs(20)).expect(0, "x\n", "");
}

/// A signal shortens it: an interrupted `sub` ends by itself, before the time after which a signal
/// ends the process whatever it is doing, and with 0.
#[test]
fn a_broker_that_goes_on_for_ever_is_left_after_a_signal() {
    let mut script = subscribed([Step::Tell, packet("e0")]);
    script.push(Step::Flood(b"\x82\x05\x30\x03\x00\x01t".repeat(10 << 20)));
    let broker = Broker::start(script);
    let sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
    broker.wait();
    sub.signal("INT");
    sub.finish_within(Duration::from_secs(20)).expect(0, "", "");
}

/// A server that resets while the message waits in our buffers for the most part.
fn unread<const N: usize>(steps: [Step; N]) -> Broker {
    // Meanwhile all of it is handed over, and the program waits for its end.
    let mut script = connected([Step::Heard, Step::Dally(Duration::from_millis(700)), Step::Abort]);
    script.extend(steps);
    Broker::start(script)
}

#[test]
fn what_waits_in_our_own_buffers_at_a_reset_is_lost() {
    let folder = Folder::new();
    let file = folder.write("large", vec![b'x'; LARGE]);
    let lines = "0123456789abcde\n".repeat(LARGE / 16);
    let flags = ["-V", "311", "-t", "t", "--no-reconnect"];
    let rows: [(&[&str], Vec<u8>); 3] =
        [(&["-f", &file], Vec::new()), (&["-s"], vec![b'x'; LARGE]), (&["-l"], lines.into())];
    for (more, input) in rows {
        let broker = unread([]);
        let url = broker.url();
        let command = [&["pub", &url], &flags[..], more].concat();
        let outcome = Program::new(command).stdin(input).run();
        let line = "mqttws: publishing to t at ws*://*/mqtt: connection lost: *";
        fails(&outcome, 8, line);
    }
}

/// Unless `--no-reconnect` is given, a message that was not wholly written is sent again.
#[test]
fn a_large_message_that_was_cut_is_sent_again() {
    let payload: Vec<u8> = (0..=250).cycle().take(LARGE).collect();
    let folder = Folder::new();
    let file = folder.write("large", &payload);
    let again = [
        Step::Reconnect,
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 00"),
        Step::Payload(payload),
    ];
    let mut script = connected([Step::Heard, Step::Abort]);
    script.extend(until_goodbye(again.into()));
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-f", &file, "--quiet", "--reconnect-delay", "0.01"];
    Program::new([&["pub", &broker.url()], &flags[..]].concat()).run().expect(0, "", "");
}

/// A finished `pub -q 2` of MQTT 3.1.1 ends its session by one more connection. A server that has
/// gone quiet by then is given a second, not `--connect-timeout`.
fn clears_its_session_at<const N: usize>(steps: [Step; N]) {
    let mut script = connected([
        packet("34 <t> id 'x'"),
        Step::Send("50 id"),
        packet("62 id"),
        Step::Send("70 id"),
        packet("e0"),
        Step::Close(1000),
        Step::End,
        Step::Reconnect,
    ]);
    script.extend(steps);
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "-q", "2", "-m", "x", "--connect-timeout", "60"];
    let publish = Program::new([&["pub", &broker.url()], &flags[..]].concat()).spawn();
    publish.finish_within(Duration::from_secs(10)).expect(0, "", "");
}

#[test]
fn a_quiet_server_does_not_hold_a_finished_pub_at_the_upgrade() {
    clears_its_session_at([Step::Request(&[]), Step::Gone]);
}

#[test]
fn a_quiet_server_does_not_hold_a_finished_pub_at_connack() {
    clears_its_session_at([Step::Upgrade, packet("10 <MQTT> 04 02 *"), Step::Gone]);
}

#[test]
fn a_quiet_server_does_not_hold_a_finished_pub_at_its_end() {
    clears_its_session_at([
        Step::Upgrade,
        packet("10 <MQTT> 04 02 *"),
        Step::Send("20 00 00"),
        packet("e0"),
        Step::Gone,
    ]);
}

#[test]
fn a_finished_pub_ends_its_session_at_a_server_that_answers() {
    clears_its_session_at([
        Step::Upgrade,
        packet("10 <MQTT> 04 02 *"),
        Step::Send("20 00 00"),
        packet("e0"),
        Step::Close(1000),
        Step::End,
    ]);
}
