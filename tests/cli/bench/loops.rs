//! Several loops (`--loops`): the report is that of one.

use serde_json::{Value, json};

use super::{bench, numbers, object};
use crate::serve::serve_for_others as serve;
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};
use crate::support::refusing_broker::{Refusal, RefusingBroker};

fn in_loops(url: &str, loops: &str, flags: &str) -> (Outcome, Value) {
    let flags: Vec<&str> = flags.split(' ').collect();
    let outcome = bench(url, &[&["--loops", loops], &flags[..]].concat()).run();
    let object = object(&outcome);
    (outcome, object)
}

/// What must not depend on the number of loops.
fn counts(object: &Value) -> String {
    let names = ["sent", "acknowledged", "unacknowledged", "unsent", "expected"];
    let messages = &object["messages"];
    let messages: Vec<String> =
        names.iter().map(|name| format!("{name} {}", messages[*name])).collect();
    let delivery = &object["latency"]["delivery"];
    let (count, acks) = (&delivery["count"], &object["latency"]["ack"]["count"]);
    format!("{}; {}; {count}; {acks}", numbers(&object["verified"]), messages.join(", "))
}

#[test]
fn what_goes_wrong_is_counted_alike_in_any_number_of_loops() {
    for wrong in [
        Wrong::Lost(1),
        Wrong::Lost(100),
        Wrong::Doubled(17, 8),
        Wrong::Late(17, 5),
        Wrong::Flipped(17, 200),
        Wrong::ToOthers(17),
        Wrong::Refused(17, 0x97),
        Wrong::Unacknowledged(17),
    ] {
        for qos in ["0", "1", "2"] {
            let flags = format!("-V 5 -q {qos} -C 100 --drain 0.3 --seed 1 --pub 2 --sub 2");
            let found = ["1", "2", "4"].map(|loops| {
                let broker = FaultyBroker::start(wrong);
                let (outcome, object) = in_loops(&broker.url(), loops, &flags);
                assert_eq!(outcome.stderr, b"", "{outcome}");
                assert_eq!(
                    object["generator"]["loops"].as_array().unwrap().len().to_string(),
                    loops,
                    "{outcome}"
                );
                (outcome.code(), counts(&object))
            });
            assert_eq!(found[0], found[1], "{wrong:?}, QoS {qos}");
            assert_eq!(found[0], found[2], "{wrong:?}, QoS {qos}");
        }
    }
}

#[test]
fn every_kind_of_fan_is_verified_in_any_number_of_loops() {
    let (serve, url) = serve();
    for (flags, copies) in [
        ("--pub 20 --sub 1", 200),
        ("--pub 1 --sub 20", 4000),
        ("--pub 3 --sub 5 --topics 7", 200),
        ("--pub 5 --sub 7 --topics 2", 720),
        ("--pub 2 --sub 3 --sub-all", 600),
        ("--pub 3 --sub 6 --share-groups 2", 200),
        ("--pub 1 --sub 1 -M 1", 200),
    ] {
        for (loops, qos) in [("2", "0"), ("4", "1"), ("3", "2")] {
            let flags = format!("{flags} -q {qos} -C 200");
            let (outcome, object) = in_loops(&url, loops, &flags);
            let verified = numbers(&object["verified"]);
            assert_eq!(verified, format!("sent {copies}"), "{loops} loops, {flags}: {outcome}");
            assert_eq!(outcome.code(), Some(0), "{outcome}");
        }
    }
    drop(serve);
}

#[test]
fn an_open_loop_in_several_sends_what_its_rate_says() {
    let (serve, url) = serve();
    for arrival in ["even", "poisson"] {
        let flags = format!(
            "-q 1 --rate 500 --arrival {arrival} --for 1s --warmup 0.2 --pub 4 --sub 3 --seed 7 \
             --tolerate overload,unsent"
        );
        let found = ["1", "2", "4"].map(|loops| {
            let (outcome, object) = in_loops(&url, loops, &flags);
            assert_eq!(outcome.code(), Some(0), "{outcome}");
            let seconds = object["series"].as_array().unwrap();
            let sent = seconds.iter().filter_map(|second| second["sent"].as_u64());
            assert!(sent.sum::<u64>() <= 600, "{outcome}");
            counts(&object)
        });
        assert_eq!(found[0], found[1], "{arrival}");
        assert_eq!(found[0], found[2], "{arrival}");
    }
    drop(serve);
}

#[test]
fn there_are_never_more_loops_than_connections() {
    let (serve, url) = serve();
    for (flags, loops) in [("--pub 1 --sub 1 -C 10", 2), ("--connect 3 --for 0.1", 3)] {
        let (outcome, object) = in_loops(&url, "64", flags);
        let found = object["generator"]["loops"].as_array().unwrap().len();
        assert_eq!((outcome.code(), found), (Some(0), loops), "{outcome}");
    }
    let flags = ["bench", &url, "--pub", "1", "--sub", "1", "-C", "10", "--loops", "2"];
    let outcome = Program::new(flags).run();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.contains("; 2 loops; the server is on this machine\n"), "{outcome}");
    for wrong in ["0", "257", "-1", "x"] {
        let outcome = Program::new(["bench", &url, "--loops", wrong]).run();
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(2), &b""[..]), "{outcome}");
    }
    drop(serve);
}

#[test]
fn retained_messages_wills_and_cuts_concern_all_loops() {
    let (serve, url) = serve();
    let flags = "--pub 3 --sub 3 --retained --will -r -q 1 -c -x 60 --rate 300 --for 2s --warmup 0 \
                 --cut sub:100%@0.5s --cut pub:2@1s --tolerate overload";
    let (outcome, object) = in_loops(&url, "3", flags);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(object["verified"]["lost"], 0, "{outcome}");
    assert_eq!(object["messages"]["sent"], 600, "{outcome}");
    let cuts = object["cuts"].as_array().unwrap();
    let count: Vec<&Value> = cuts.iter().map(|cut| &cut["count"]).collect();
    assert_eq!(count, [&json!(3), &json!(2)], "{outcome}");
    let present: Vec<&Value> = cuts.iter().map(|cut| &cut["session_present"]).collect();
    assert_eq!(present, [&json!(3), &json!(2)], "{outcome}");
    let wills = &object["wills"];
    assert_eq!((&wills["expected"], &wills["received"]), (&json!(5), &json!(5)), "{outcome}");
    assert_eq!(wills["unexpected"], 0, "{outcome}");
    let retained = &object["retained"];
    assert_eq!((&retained["expected"], &retained["received"]), (&json!(3), &json!(3)));
    drop(serve);
}

#[test]
fn a_stall_and_churn_concern_all_loops() {
    let (serve, url) = serve();
    let flags = "--pub 4 --sub 4 -q 1 -c -x 60 --rate 400 --for 2s --warmup 0 --churn 10 \
                 --stall sub:50%@0.5s:0.5s --tolerate overload";
    let (outcome, object) = in_loops(&url, "2", flags);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(object["verified"]["lost"], 0, "{outcome}");
    assert_eq!(object["stalls"][0]["count"], 2, "{outcome}");
    let ended = object["churn"]["ended"].as_u64().unwrap();
    assert!((10..=20).contains(&ended), "{outcome}");
    drop(serve);
}

#[test]
fn steps_are_decided_for_all_loops() {
    let (serve, url) = serve();
    let flags = "--pub 2 --sub 2 --ramp 100:1600:x2 --for 0.5 --fail sent_rate>300 \
                 --tolerate overload,unsent";
    let (outcome, object) = in_loops(&url, "2", flags);
    let steps: Vec<&Value> =
        object["steps"].as_array().unwrap().iter().map(|step| &step["held"]).collect();
    assert_eq!(steps, [&json!(true), &json!(true), &json!(false)], "{outcome}");
    assert_eq!(object["messages"]["sent"], 100, "{outcome}");
    assert_eq!(numbers(&object["verified"]), "sent 300", "{outcome}");
    assert_eq!(object["connections"]["made"], 4, "{outcome}");
    assert_eq!(object["connections"]["wanted"], 4, "{outcome}");
    drop(serve);
}

#[test]
fn a_condition_that_is_true_ends_all_loops() {
    let broker = FaultyBroker::start(Wrong::Doubled(17, 0));
    let flags = "--rate 100 --for 1h --warmup 0 --fail-fast -V 5 --drain 0.3 --pub 2 --sub 2";
    let (outcome, object) = in_loops(&broker.url(), "3", flags);
    assert_eq!((outcome.code(), &object["failed_fast"]), (Some(1), &json!(true)), "{outcome}");
    assert_eq!(object["verified"]["duplicated"], 1, "{outcome}");
    assert_eq!(object["verified"]["lost"], 0, "{outcome}");
}

#[test]
fn a_signal_ends_all_loops_wherever_they_are() {
    let (serve, url) = serve();
    for (flags, until) in [
        ("--pub 2 --sub 2 -q 1 -r -c -x 60 --rate 500 --for 1h --warmup 0", "interval   1 s"),
        ("--pub 2 --sub 2 --for 1h --warmup 0", "interval   1 s"),
        ("--connect 5 --for 1h", "interval   1 s"),
    ] {
        let words: Vec<&str> = flags.split(' ').collect();
        let common = ["bench", &url, "--max-lateness", "never", "--report", "1s", "--loops", "3"];
        let mut bench = Program::new([&common, &words[..]].concat()).spawn();
        bench.wait_for_line(|line| line.starts_with(until));
        bench.signal("INT");
        let outcome = bench.finish();
        assert_eq!(outcome.code(), Some(130), "{flags}: {outcome}");
        let text = String::from_utf8_lossy(&outcome.stdout);
        let is_told = text.contains("interrupted after ") || flags.starts_with("--connect");
        assert!(is_told, "{outcome}");
        assert!(!text.contains("corrupted 1") && !text.contains("lost 1"), "{outcome}");
    }
    drop(serve);
}

#[test]
fn connections_that_are_all_cut_come_back_in_every_loop() {
    let broker = FaultyBroker::start(Wrong::AllReset(500));
    let flags = "-V 5 -q 1 --rate 1000 --warmup 0 --for 4s --drain 0.5 --pub 2 --sub 2";
    let (outcome, object) = in_loops(&broker.url(), "4", flags);
    let connections = &object["connections"];
    let lost = connections["disconnected"].as_object().unwrap().values();
    assert_eq!(lost.filter_map(Value::as_u64).sum::<u64>(), 4, "{outcome}");
    assert_eq!((&connections["made"], &connections["reconnected"]), (&json!(4), &json!(4)));
    assert_eq!(object["verified"]["lost"], 0, "{outcome}");
    assert_eq!(object["messages"]["sent"], 4000, "{outcome}");
    assert_eq!(object["messages"]["acknowledged"], 4000, "{outcome}");
}

#[test]
fn a_connection_that_is_refused_is_counted_in_whatever_loop() {
    // The first connection of all finds out what the server understands.
    let broker = RefusingBroker::start(101, Refusal::Connack(0x97));
    let flags = "-V 5 --connect 100 --connect-rate 200 --for 0.1";
    let (outcome, object) = in_loops(&broker.url(), "4", flags);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let connections = &object["connections"];
    assert_eq!((&connections["made"], &connections["wanted"]), (&json!(99), &json!(100)));
    assert_eq!(numbers(&connections["failed"]), "connack-0x97 1", "{outcome}");
}

#[test]
fn loops_need_descriptors_of_their_own() {
    let script = "ulimit -n 60 && exec \"$0\" \"$@\"";
    let flags = ["bench", "ws://127.0.0.1:1", "--connect", "10", "--loops", "8"];
    let words = [&["-c", script, env!("CARGO_BIN_EXE_mqttws")][..], &flags].concat();
    let outcome = Program::of("sh", words).run();
    let why = "mqttws: 10 connections need 71 file descriptors, the hard limit is 60: ulimit -Hn, \
               LimitNOFILE=";
    fails(&outcome, 1, why);
}
