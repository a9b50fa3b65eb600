//! A broker in which one thing goes wrong: the report says exactly that, and nothing else.

use serde_json::Value;

use super::{bench, numbers, object};
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::program::{Outcome, Program};
use crate::support::refusing_broker::{Refusal, RefusingBroker};
use crate::support::secure::fixed_path;

/// A hundred messages of one publisher for one reader.
fn run(wrong: Wrong, qos: &str) -> (Option<i32>, String) {
    let broker = FaultyBroker::start(wrong);
    run_against(&broker, qos, &["--pub", "1", "--sub", "1"])
}

fn run_against(broker: &FaultyBroker, qos: &str, who: &[&str]) -> (Option<i32>, String) {
    let outcome = hundred(broker, qos, who);
    (outcome.code(), numbers(&object(&outcome)["verified"]))
}

/// A hundred messages of these.
fn hundred(broker: &FaultyBroker, qos: &str, who: &[&str]) -> Outcome {
    let flags = ["-V", "5", "-q", qos, "-C", "100", "--drain", "1", "--seed", "1"];
    let outcome = bench(&broker.url(), &[&flags, who].concat()).run();
    assert_eq!(outcome.stderr, b"", "{outcome}");
    outcome
}

/// A hundred messages of one publisher for one reader: whatever goes wrong, nothing comes wrong,
/// and no connection is lost.
#[track_caller]
fn hundred_are_good(wrong: Wrong, qos: &str) -> Value {
    let outcome = hundred(&FaultyBroker::start(wrong), qos, &["--pub", "1", "--sub", "1"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "sent 100", "{outcome}");
    assert_eq!(object["connections"]["disconnected"], serde_json::json!({}), "{outcome}");
    object
}

#[track_caller]
fn finds(wrong: Wrong, expected: [(i32, &str); 3]) {
    for (qos, (code, verified)) in ["0", "1", "2"].into_iter().zip(expected) {
        assert_eq!(run(wrong, qos), (Some(code), verified.to_owned()), "{wrong:?}, QoS {qos}");
    }
}

/// The same, where it goes wrong for one of two readers.
#[track_caller]
fn finds_at_each_reader(wrong: Wrong, expected: [(i32, &str); 3]) {
    for reader in [0, 1] {
        for (qos, (code, verified)) in ["0", "1", "2"].into_iter().zip(expected) {
            let broker = FaultyBroker::start_for(wrong, Some(reader));
            let found = run_against(&broker, qos, &["--pub", "1", "--sub", "2"]);
            let about = format!("{wrong:?}, QoS {qos}, reader {reader}");
            assert_eq!(found, (Some(code), verified.to_owned()), "{about}");
        }
    }
}

#[test]
fn a_good_broker_loses_nothing() {
    finds(Wrong::Nothing, [(0, "sent 100"), (0, "sent 100"), (0, "sent 100")]);
}

#[test]
fn what_is_lost_is_counted_wherever_it_was() {
    for number in [1, 17, 100] {
        let lost = "lost 1, sent 100";
        finds(Wrong::Lost(number), [(0, lost), (1, lost), (1, lost)]);
    }
}

#[test]
fn what_is_double_is_counted_with_and_without_dup() {
    let plain = "duplicated 1, sent 100";
    finds(Wrong::Doubled(17, 0), [(1, plain), (0, plain), (1, plain)]);
    let with_dup = "duplicated 1, duplicated_with_dup 1, sent 100";
    finds(Wrong::Doubled(100, 8), [(1, plain), (0, with_dup), (1, with_dup)]);
}

#[test]
fn what_comes_late_is_reordered() {
    let late = "reordered 1, sent 100";
    finds(Wrong::Late(17, 1), [(1, late), (1, late), (1, late)]);
    finds(Wrong::Late(17, 5), [(1, late), (1, late), (1, late)]);
}

#[test]
fn what_comes_far_too_late_is_undecided() {
    for qos in ["0", "1", "2"] {
        let broker = FaultyBroker::start(Wrong::Late(17, 2000));
        let flags = ["-V", "5", "-q", qos, "-C", "2500", "--drain", "1"];
        let flags = [&flags[..], &["--pub", "1", "--sub", "1"]].concat();
        let outcome = bench(&broker.url(), &flags).run();
        let verified = numbers(&object(&outcome)["verified"]);
        assert_eq!(verified, "lost 1, sent 2500, undecided 1", "{outcome}");
    }
}

#[test]
fn what_goes_wrong_for_one_reader_is_counted_once() {
    let lost = "lost 1, sent 200";
    finds_at_each_reader(Wrong::Lost(17), [(0, lost), (1, lost), (1, lost)]);
    let double = "duplicated 1, sent 200";
    finds_at_each_reader(Wrong::Doubled(17, 0), [(1, double), (0, double), (1, double)]);
    let late = "reordered 1, sent 200";
    finds_at_each_reader(Wrong::Late(17, 5), [(1, late), (1, late), (1, late)]);
    let changed = "corrupted 1, lost 1, sent 200";
    for wrong in [Wrong::Flipped(17, 200), Wrong::TopicFlipped(17), Wrong::Cut(17)] {
        finds_at_each_reader(wrong, [(1, changed), (1, changed), (1, changed)]);
    }
}

#[test]
fn what_is_changed_on_the_way_is_corrupted() {
    let corrupted = "corrupted 1, lost 1, sent 100";
    for wrong in [
        Wrong::Flipped(17, 2),
        Wrong::Flipped(17, 20),
        Wrong::Flipped(17, 31),
        Wrong::Flipped(17, 200),
        Wrong::TopicFlipped(17),
        Wrong::Cut(17),
    ] {
        finds(wrong, [(1, corrupted), (1, corrupted), (1, corrupted)]);
    }
}

#[test]
fn what_comes_to_the_wrong_reader_is_corrupted() {
    let broker = FaultyBroker::start(Wrong::ToEveryone(17));
    let who = ["--pub", "2", "--sub", "2"];
    let expected = (Some(1), "corrupted 1, sent 100".to_owned());
    assert_eq!(run_against(&broker, "1", &who), expected);
    for qos in ["0", "1", "2"] {
        let broker = FaultyBroker::start(Wrong::ToOthers(17));
        let expected = (Some(1), "corrupted 1, lost 1, sent 100".to_owned());
        assert_eq!(run_against(&broker, qos, &who), expected);
    }
}

#[test]
fn a_message_of_another_run_is_foreign() {
    let broker = FaultyBroker::start(Wrong::Nothing);
    let who = ["--pub", "1", "--sub", "1"];
    assert_eq!(run_against(&broker, "0", &who).0, Some(0));
    broker.change(Wrong::Foreign(17));
    let flags = ["-V", "5", "-C", "100", "--drain", "1", "--seed", "2"];
    let outcome = bench(&broker.url(), &[&flags[..], &who].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(numbers(&object(&outcome)["verified"]), "foreign 1, sent 100", "{outcome}");
}

#[test]
fn a_second_acknowledgement_changes_nothing() {
    for number in [1, 17, 100] {
        for qos in ["1", "2"] {
            let object = hundred_are_good(Wrong::AcknowledgedTwice(number), qos);
            assert_eq!(object["messages"]["acknowledged"], 100, "number {number}, QoS {qos}");
        }
    }
}

#[test]
fn a_server_that_takes_one_message_at_a_time_gets_one_at_a_time() {
    for qos in ["1", "2"] {
        let object = hundred_are_good(Wrong::ReceiveMaximum(1), qos);
        assert_eq!(object["server"]["receive_maximum"], 1, "QoS {qos}");
    }
}

#[test]
fn connections_that_are_all_cut_come_back() {
    let broker = FaultyBroker::start(Wrong::AllReset(500));
    let flags = ["-V", "5", "-q", "1", "--rate", "1000", "--warmup", "0", "--for", "4s"];
    let flags = [&flags[..], &["--drain", "0.5", "--pub", "2", "--sub", "2"]].concat();
    let outcome = bench(&broker.url(), &flags).run();
    let object = object(&outcome);
    let connections = &object["connections"];
    let lost = connections["disconnected"].as_object().unwrap().values();
    assert_eq!(lost.filter_map(Value::as_u64).sum::<u64>(), 4, "{outcome}");
    assert_eq!((&connections["made"], &connections["reconnected"]), (&4.into(), &4.into()));
    assert_eq!(
        (&object["verified"]["lost"], &object["messages"]["sent"]),
        (&0.into(), &4000.into())
    );
    assert_eq!(object["messages"]["acknowledged"], 4000, "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn what_is_refused_is_not_lost() {
    for (qos, code) in [("1", 0x97), ("2", 0x87)] {
        let broker = FaultyBroker::start(Wrong::Refused(17, code));
        let outcome = hundred(&broker, qos, &["--pub", "1", "--sub", "1"]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let object = object(&outcome);
        assert_eq!(numbers(&object["verified"]), "sent 99", "{outcome}");
        let messages = &object["messages"];
        assert_eq!((&messages["sent"], &messages["acknowledged"]), (&100.into(), &99.into()));
        let refused = format!("0x{code:02x} 1");
        assert_eq!(numbers(&messages["refused_by_code"]), refused, "{outcome}");
    }
}

#[test]
fn a_server_that_refuses_what_was_offered_has_not_held_the_rate() {
    let broker = FaultyBroker::start(Wrong::Refused(17, 0x97));
    let flags = ["-V", "5", "-q", "1", "--rate", "200", "--for", "0.2", "--warmup", "0"];
    let outcome = bench(&broker.url(), &flags).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let object = object(&outcome);
    // One of 40.
    assert_eq!((&object["messages"]["refused"], &object["overload"]), (&1.into(), &true.into()));
}

#[test]
fn what_is_never_acknowledged_is_in_doubt() {
    for qos in ["1", "2"] {
        let broker = FaultyBroker::start(Wrong::Unacknowledged(17));
        let outcome = hundred(&broker, qos, &["--pub", "1", "--sub", "1"]);
        let object = object(&outcome);
        let messages = &object["messages"];
        assert_eq!(numbers(&object["verified"]), "sent 100", "{outcome}");
        assert_eq!(
            (&messages["acknowledged"], &messages["unacknowledged"]),
            (&99.into(), &1.into()),
            "{outcome}"
        );
        assert_eq!(object["latency"]["ack"]["max"], "never", "{outcome}");
    }
}

#[test]
fn a_subscription_that_is_refused_fails_its_connection() {
    let broker = FaultyBroker::start(Wrong::Suback(0x87));
    let flags = ["-V", "5", "-C", "10", "--drain", "1", "--pub", "1", "--sub", "2"];
    let outcome = bench(&broker.url(), &flags).run();
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    let connections = &object(&outcome)["connections"];
    assert_eq!(numbers(&connections["failed"]), "suback-0x87 2", "{outcome}");
}

#[test]
fn a_lower_qos_that_is_granted_is_the_promise() {
    let broker = FaultyBroker::start(Wrong::Suback(0));
    let flags = ["-V", "5", "-q", "1", "-C", "10", "--drain", "1", "--pub", "1", "--sub", "1"];
    let program =
        Program::new([&["bench", &broker.url(), "--max-lateness", "never"], &flags[..]].concat());
    let outcome = program.run();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.contains("note       the server granted QoS 0 only\n"), "{outcome}");
}

/// A hundred connections, of which the last is refused.
fn refused_last(refusal: Refusal, more: &[&str]) -> String {
    // The first connection of all finds out what the server understands.
    let broker = RefusingBroker::start(101, refusal);
    let flags = ["-V", "5", "--connect", "100", "--connect-rate", "200", "--for", "0.1"];
    let outcome = bench(&broker.url(), &[&flags, more].concat()).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let object = object(&outcome);
    let connections = &object["connections"];
    assert_eq!((&connections["made"], &connections["wanted"]), (&99.into(), &100.into()));
    assert_eq!((&object["limit"], &object["valid"]), (&"server".into(), &true.into()), "{outcome}");
    numbers(&connections["failed"])
}

#[test]
fn a_connection_that_is_refused_is_counted_by_its_cause() {
    assert_eq!(refused_last(Refusal::Connack(0x97), &[]), "connack-0x97 1");
    assert_eq!(refused_last(Refusal::Http(403), &[]), "http-403 1");
    assert_eq!(refused_last(Refusal::Reset, &[]), "reset-upgrade 1");
    let authority = fixed_path("authority-P-256.pem");
    assert_eq!(refused_last(Refusal::Tls, &["--cafile", &authority]), "tls-failed 1");
    // A connection that waited to be accepted when the listener went away is reset.
    let refused = refused_last(Refusal::Tcp, &[]);
    assert!(["tcp-refused 1", "reset-tcp 1", "reset-upgrade 1"].contains(&&*refused), "{refused}");
}

#[test]
fn a_server_that_does_not_answer_one_connection_is_given_up() {
    let broker = RefusingBroker::start(11, Refusal::Silence);
    let flags = ["-V", "5", "--connect", "10", "--connect-timeout", "1", "--for", "0.1"];
    let outcome = bench(&broker.url(), &flags).run();
    let connections = &object(&outcome)["connections"];
    assert_eq!(numbers(&connections["failed"]), "timeout-upgrade 1", "{outcome}");
    assert_eq!((outcome.code(), &connections["made"]), (Some(1), &9.into()), "{outcome}");
}

#[test]
fn what_was_sent_to_a_reader_without_session_is_missed_and_not_lost() {
    let broker = FaultyBroker::start(Wrong::SubscribersReset(500));
    let flags = ["-V", "5", "-q", "1", "--rate", "1000", "--warmup", "0", "--for", "3s"];
    let flags = [&flags[..], &["--drain", "0.5", "--pub", "1", "--sub", "1"]].concat();
    let outcome = bench(&broker.url(), &flags).run();
    let object = object(&outcome);
    let (verified, connections) = (&object["verified"], &object["connections"]);
    assert_eq!(connections["reconnected"], 1, "{outcome}");
    assert_eq!((&verified["lost"], &verified["duplicated"]), (&0.into(), &0.into()), "{outcome}");
    assert!(verified["missed"].as_u64().unwrap() > 100, "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}
