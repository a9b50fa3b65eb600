//! Runs against `serve`: each kind of load, and how it ends.

use super::{bench, numbers, object};
use crate::serve::serve_for_others as serve;
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::program::Program;

#[test]
fn an_open_loop_sends_what_its_rate_says() {
    let (serve, url) = serve();
    for qos in ["0", "1", "2"] {
        let flags = ["-q", qos, "--rate", "500", "--for", "1s", "--warmup", "0.2"];
        let outcome = bench(&url, &[&flags[..], &["--pub", "3", "--sub", "2"]].concat()).run();
        let object = object(&outcome);
        let messages = &object["messages"];
        let expected: serde_json::Value = 500.into();
        assert_eq!((&messages["sent"], &messages["expected"]), (&expected, &expected), "{outcome}");
        assert_eq!(messages["unsent"], 0, "{outcome}");
        assert_eq!(numbers(&object["verified"]), "sent 600", "{outcome}");
        assert_eq!((outcome.code(), &object["valid"]), (Some(0), &true.into()), "{outcome}");
        assert_eq!(object["latency"]["delivery"]["count"], 500, "{outcome}");
    }
    drop(serve);
}

#[test]
fn every_kind_of_fan_is_verified() {
    let (serve, url) = serve();
    for (flags, copies) in [
        ("--pub 20 --sub 1", 200),
        ("--pub 1 --sub 20", 4000),
        ("--pub 3 --sub 5 --topics 7", 200),
        ("--pub 5 --sub 7 --topics 2", 720),
        ("--pub 2 --sub 3 --sub-all", 600),
    ] {
        let flags: Vec<&str> = flags.split(' ').collect();
        let outcome = bench(&url, &[&flags, &["-q", "1", "-C", "200"][..]].concat()).run();
        let verified = &object(&outcome)["verified"];
        assert_eq!(numbers(verified), format!("sent {copies}"), "{flags:?}: {outcome}");
        assert_eq!(outcome.code(), Some(0), "{outcome}");
    }
    drop(serve);
}

#[test]
fn payloads_have_the_sizes_that_were_asked_for() {
    let (serve, url) = serve();
    for size in ["32", "32..70000", "64:90,1K:9,64K:1", "300000"] {
        let flags = ["--pub", "2", "--sub", "2", "-q", "1", "-C", "100", "--size", size];
        let outcome = bench(&url, &flags).run();
        assert_eq!(numbers(&object(&outcome)["verified"]), "sent 100", "{size}: {outcome}");
        assert_eq!(outcome.code(), Some(0), "{outcome}");
    }
    drop(serve);
}

#[test]
fn without_readers_acknowledgements_are_measured() {
    let (serve, url) = serve();
    let outcome = bench(&url, &["--pub", "2", "-q", "1", "-C", "100"]).run();
    let object = object(&outcome);
    assert_eq!(object["latency"]["ack"]["count"], 100, "{outcome}");
    assert_eq!(object["latency"]["delivery"], serde_json::Value::Null, "{outcome}");
    assert_eq!((outcome.code(), &object["latency"]["kind"]), (Some(0), &"service".into()));
    drop(serve);
}

#[test]
fn connections_that_only_stand_are_held() {
    let (serve, url) = serve();
    let flags = ["--connect", "50", "--connect-rate", "none", "-k", "1", "--for", "1.5s"];
    let outcome = bench(&url, &flags).run();
    let object = object(&outcome);
    let connections = &object["connections"];
    assert_eq!((&connections["made"], &connections["online"]), (&50.into(), &50.into()));
    assert!(object["latency"]["ping"]["count"].as_u64().unwrap() >= 50, "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
}

#[test]
fn a_condition_that_is_true_fails_the_run() {
    let (serve, url) = serve();
    let flags = ["--pub", "1", "--sub", "1", "-C", "50", "--fail"];
    for (condition, code) in [
        ("lost>0", 0),
        ("connected<2", 0),
        ("connected<3", 1),
        ("p99>0ns,lost>0", 1),
        ("ack.p99>1s", 1),
        ("p50>3600s", 0),
    ] {
        let outcome = bench(&url, &[&flags[..], &[condition]].concat()).run();
        assert_eq!(outcome.code(), Some(code), "{condition}: {outcome}");
        let object = object(&outcome);
        assert_eq!(object["passed"], code == 0, "{outcome}");
        let first = &object["conditions"][0];
        let text = condition.split(',').next().unwrap();
        assert_eq!((&first["condition"], &first["implied"]), (&text.into(), &false.into()));
    }
    drop(serve);
}

#[test]
fn nobody_there_has_the_code_of_its_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("ws://127.0.0.1:{port}/mqtt");
    let outcome = bench(&url, &["--connect", "10"]).run();
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(3), &b""[..]), "{outcome}");
}

#[test]
fn a_signal_ends_it_with_a_report() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let broker = FaultyBroker::start(Wrong::Nothing);
        let flags = ["--pub", "1", "--sub", "1", "--rate", "100", "--for", "60s"];
        let url = broker.url();
        let arguments = [&["bench", &url, "--max-lateness", "never"], &flags[..]].concat();
        let mut bench = Program::new(arguments).spawn();
        broker.wait_for_message();
        bench.signal("QUIT");
        bench.wait_for_words("so far     after ");
        bench.signal(signal);
        let outcome = bench.finish();
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(text.starts_with("bench      run ") && text.contains("\nresult     "), "{outcome}");
        assert!(text.contains(" lost 0, duplicated 0, reordered 0, corrupted 0\n"), "{outcome}");
    }
}
