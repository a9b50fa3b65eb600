//! Connections that the run itself cuts: who is back, what waited, and what is left at the end.

use serde_json::Value;

use super::{bench, numbers, object};
use crate::support::keeping_broker::{KeepingBroker, Quirk};
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// Two publishers and four subscribers; these are cut half a second after the beginning.
fn run(broker: &KeepingBroker, flags: &[&str]) -> (Outcome, Value) {
    let common = ["-V", "5", "--pub", "2", "--sub", "4", "--rate", "200", "--for", "1.5s"];
    let common = [&common[..], &["--warmup", "0", "--drain", "1", "--seed", "7"]].concat();
    let tolerant = ["--tolerate", "overload"];
    let outcome = bench(&broker.url(), &[&common[..], &tolerant, flags].concat()).run();
    let object = object(&outcome);
    (outcome, object)
}

#[test]
fn sessions_that_are_kept_lose_nothing() {
    for (how, qos) in [("rst", "1"), ("fin", "2"), ("disconnect", "1")] {
        let broker = KeepingBroker::start(Quirk::None);
        let cut = format!("sub:100%@0.5s:{how}");
        let (outcome, object) = run(&broker, &["-q", qos, "-c", "-x", "60", "--cut", &cut]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let (cut, verified) = (&object["cuts"][0], &object["verified"]);
        assert_eq!((&cut["count"], &cut["session_present"]), (&4.into(), &4.into()), "{outcome}");
        assert_eq!(
            (&cut["who"], &cut["how"], &cut["at"]),
            (&"sub".into(), &how.into(), &0.5.into())
        );
        assert_eq!((&cut["back"]["count"], &cut["back"]["never"]), (&4.into(), &0.into()));
        for fault in ["lost", "missed", "reordered", "corrupted", "undecided", "foreign"] {
            assert_eq!(verified[fault], 0, "{fault}: {outcome}");
        }
        assert_eq!(verified["sent"], 600, "{outcome}");
        let log = broker.log();
        assert_eq!(verified["duplicated"], verified["duplicated_with_dup"], "{outcome}");
        assert!(verified["duplicated"].as_u64().unwrap() <= log.resent as u64, "{log:?} {outcome}");
        assert_eq!(log.present, 4, "{log:?}");
        assert_eq!(numbers(&object["connections"]["disconnected"]), "", "{outcome}");
        assert_eq!(object["plan"]["session_expiry"], 60, "{outcome}");
        assert_eq!(broker.left(), (0, 0), "{log:?}");
    }
}

#[test]
fn what_waited_and_was_lost_is_lost() {
    let broker = KeepingBroker::start(Quirk::WaitingLost(1));
    let flags = ["-q", "1", "-c", "--connect-rate", "4", "--cut", "sub:2@0.5s"];
    let (outcome, object) = run(&broker, &flags);
    let lost = object["verified"]["lost"].as_u64().unwrap();
    assert_eq!((lost, lost > 0), (broker.log().lost as u64, true), "{outcome}");
    assert_eq!(object["verified"]["missed"], 0, "{outcome}");
    assert_eq!(object["cuts"][0]["session_present"], 2, "{outcome}");
    assert!(object["cuts"][0]["waited"].as_u64().unwrap() >= 1, "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn a_session_that_the_server_forgot_promises_nothing() {
    let broker = KeepingBroker::start(Quirk::SessionsForgotten);
    let flags = ["-q", "1", "-c", "--connect-rate", "4", "--cut", "sub:100%@0.5s"];
    let (outcome, object) = run(&broker, &flags);
    let verified = &object["verified"];
    assert_eq!((&verified["lost"], &verified["duplicated"]), (&0.into(), &0.into()), "{outcome}");
    assert!(verified["missed"].as_u64().unwrap() > 0, "{outcome}");
    let cut = &object["cuts"][0];
    assert_eq!((&cut["session_present"], &cut["back"]["count"]), (&0.into(), &4.into()));
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn without_sessions_the_time_away_is_missed() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["-q", "0", "--connect-rate", "4", "--cut", "sub:100%@0.5s:fin"];
    let (outcome, object) = run(&broker, &flags);
    let verified = &object["verified"];
    assert_eq!((&verified["lost"], &verified["duplicated"]), (&0.into(), &0.into()), "{outcome}");
    assert!(verified["missed"].as_u64().unwrap() > 0, "{outcome}");
    assert_eq!((outcome.code(), broker.left()), (Some(0), (0, 0)), "{outcome}");
}

#[test]
fn publishers_that_come_back_send_what_was_not_acknowledged() {
    for (qos, kept) in [("1", &[][..]), ("1", &["-c"]), ("2", &["-c"])] {
        let broker = KeepingBroker::start(Quirk::None);
        let flags = [&["-q", qos, "--cut", "pub:100%@0.5s", "--cut", "pub:1@0.8s"], kept].concat();
        let (outcome, object) = run(&broker, &flags);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let (verified, messages) = (&object["verified"], &object["messages"]);
        assert_eq!((&verified["lost"], &verified["missed"]), (&0.into(), &0.into()), "{outcome}");
        assert_eq!((&messages["sent"], &messages["unsent"]), (&300.into(), &0.into()), "{outcome}");
        assert_eq!(
            (&messages["acknowledged"], &messages["unacknowledged"]),
            (&300.into(), &0.into())
        );
        let counts = [0, 1].map(|cut| object["cuts"][cut]["count"].as_u64().unwrap());
        assert_eq!(counts, [2, 1], "{outcome}");
        assert_eq!(broker.left(), (0, 0));
    }
}

#[test]
fn tries_that_fail_are_counted() {
    let broker = KeepingBroker::start(Quirk::ReturnsRefused(4, 2));
    let common = ["-V", "5", "--connect", "3", "--for", "2.5s", "--cut", "connect:2@0.2s"];
    let outcome = bench(&broker.url(), &common).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let object = object(&outcome);
    let cut = &object["cuts"][0];
    assert_eq!(object["connections"]["made"], 3, "{outcome}");
    assert_eq!(numbers(&cut["failed_tries"]), "http-503 2", "{outcome}");
    assert_eq!(cut["back"]["count"], 2, "{outcome}");
}

#[test]
fn the_report_has_the_lines_of_the_manual() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["-V", "5", "--pub", "1", "--sub", "10", "-q", "1", "-c", "-x", "300"];
    let load = ["--rate", "100", "--for", "2.5s", "--warmup", "0", "--drain", "1"];
    let rest = ["--cut", "sub:100%@0.5s", "--fail", "cut.p99>60s", "--max-lateness", "never"];
    let url = broker.url();
    let arguments = [&["bench", &url], &flags[..], &load, &rest].concat();
    let outcome = Program::new([&arguments[..], &["--tolerate", "overload"]].concat()).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let line = |begin: &str| {
        let line = text.lines().find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("{begin}: {outcome}")).to_owned()
    };
    assert!(line("bench ").ends_with(", open loop at 100/s, sessions kept 300 s"), "{outcome}");
    assert!(line("cut ").starts_with("cut        at 0.5 s: 10 subscribers by RST; back: p50 "));
    assert!(line("cut ").contains(", all after "), "{outcome}");
    line("           session present 10 of 10; ");
    line("  away from cut");
    assert!(line("fail  ").starts_with("fail       cut.p99>60s: no ("), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_signal_leaves_no_session() {
    for cut in ["sub:100%@0.1s", "sub:100%@50s"] {
        let broker = KeepingBroker::start(Quirk::None);
        let flags = ["-V", "5", "--pub", "2", "--sub", "20", "-q", "1", "-c", "--cut", cut];
        let load = ["--rate", "200", "--for", "60s", "--warmup", "0", "--connect-rate", "10"];
        let bench = bench(&broker.url(), &[&flags[..], &load].concat()).spawn();
        broker.wait_for_messages(30);
        bench.signal("INT");
        let outcome = bench.finish();
        assert_eq!(outcome.code(), Some(130), "{outcome}");
        assert_eq!(broker.left(), (0, 0), "{outcome}");
    }
}

#[test]
fn cuts_that_make_no_sense_are_refused() {
    let url = "ws://127.0.0.1:1/mqtt";
    for (flags, why) in [
        (
            &["--pub", "1", "--cut", "sub:1@1s"][..],
            "mqttws: --cut: there is no connection of --sub",
        ),
        (&["--sub", "2", "--cut", "sub:3@1s"], "mqttws: --cut: sub:3: --sub has 2"),
        (
            &["--cut", "sub:1@20s"],
            "mqttws: --cut: the window of --for has 10 s, and 20 s is not in it",
        ),
        (&["-V", "311", "-x", "60"], "mqttws: -x: only MQTT 5 has a session expiry"),
    ] {
        fails(&Program::new([&["bench", url], flags].concat()).run(), 2, why);
    }
}
