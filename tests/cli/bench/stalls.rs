//! Connections that do not read for a while, and connections that are made anew all the time.

use super::{bench, numbers, object};
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::keeping_broker::{KeepingBroker, Quirk};
use crate::support::lines::fails;
use crate::support::program::Program;

#[test]
fn what_the_others_saw_is_told_apart() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["-V", "5", "-q", "1", "--pub", "2", "--sub", "4", "--rate", "200"];
    let times = ["--for", "1.5s", "--warmup", "0", "--drain", "5"];
    let times = [&times[..], &["--tolerate", "overload,unsent"]].concat();
    let stall = ["--stall", "sub:1@0.3s:0.6s"];
    let outcome = bench(&broker.url(), &[&flags[..], &times, &stall].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "sent 600", "{outcome}");
    let stall = &object["stalls"][0];
    assert_eq!((&stall["who"], &stall["count"]), (&"sub".into(), &1.into()), "{outcome}");
    assert_eq!((&stall["at"], &stall["length"]), (&0.3.into(), &0.6.into()), "{outcome}");
    assert_eq!(stall["disconnected"], 0, "{outcome}");
    assert!(stall["waited"].as_u64().unwrap() > 0, "{outcome}");
    // Its copies alone are late, by up to 0.6 s.
    let longest = object["latency"]["delivery"]["max"].as_u64().unwrap();
    assert!(longest > 300_000_000, "{outcome}");
    assert!(stall["others"]["count"].as_u64().unwrap() > 0, "{outcome}");
}

#[test]
fn who_is_disconnected_meanwhile_is_counted() {
    let broker = FaultyBroker::start(Wrong::SubscribersReset(100));
    let flags = ["-V", "5", "--pub", "1", "--sub", "1", "--rate", "200", "--for", "2s"];
    let times = ["--warmup", "0", "--drain", "0.5", "--stall", "sub:1@0.1s:1s"];
    let outcome = bench(&broker.url(), &[&flags[..], &times].concat()).run();
    let object = object(&outcome);
    assert_eq!(object["stalls"][0]["disconnected"], 1, "{outcome}");
}

#[test]
fn connections_are_made_anew_all_the_time() {
    for kept in [&[][..], &["-c"]] {
        let broker = KeepingBroker::start(Quirk::None);
        let flags = ["-V", "5", "-q", "1", "--pub", "2", "--sub", "4", "--rate", "200"];
        let times = ["--for", "1.5s", "--warmup", "0", "--drain", "5"];
        let times = [&times[..], &["--tolerate", "overload,unsent"]].concat();
        let flags = [&flags[..], &times, &["--churn", "20"], kept].concat();
        let outcome = bench(&broker.url(), &flags).run();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let object = object(&outcome);
        let (churn, verified) = (&object["churn"], &object["verified"]);
        let ended = churn["ended"].as_u64().unwrap();
        // The first connection, each that was made anew, and those at the end.
        let clean = if kept.is_empty() { 0 } else { 6 };
        assert_eq!(broker.log().disconnects as u64, 1 + ended + 6 + clean, "{outcome}");
        assert!((15..=30).contains(&ended), "{outcome}");
        assert_eq!(churn["back"]["count"].as_u64(), Some(ended), "{outcome}");
        assert_eq!(numbers(&churn["failed_tries"]), "", "{outcome}");
        let present = if kept.is_empty() { 0 } else { ended };
        assert_eq!(churn["session_present"].as_u64(), Some(present), "{outcome}");
        for fault in ["lost", "reordered", "corrupted", "undecided", "foreign"] {
            assert_eq!(verified[fault], 0, "{fault}: {outcome}");
        }
        assert_eq!(numbers(&object["connections"]["disconnected"]), "", "{outcome}");
        assert_eq!(broker.left(), (0, 0), "{outcome}");
    }
}

#[test]
fn the_lines_say_it_in_words() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["-V", "5", "--connect", "10", "--for", "1s", "--churn", "10"];
    let stall = ["--stall", "connect:10%@0.2s:0.3s", "--max-lateness", "never"];
    let url = broker.url();
    let outcome = Program::new([&["bench", &url], &flags[..], &stall].concat()).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let line = "\nstall      at 0.2 s: 1 idle connection did not read for 0.3 s; there was nothing";
    assert!(text.contains(line), "{outcome}");
    assert!(text.contains(" connections ended and made anew, 10/s; back: p50 "), "{outcome}");
}

#[test]
fn stalls_that_make_no_sense_are_refused() {
    let bench = |flag: &str| {
        let flags = ["bench", "ws://127.0.0.1:1/mqtt", "--stall", flag];
        Program::new(flags).run()
    };
    fails(&bench("connect:1@1s:1s"), 2, "mqttws: --stall: there is no connection of --connect");
    let why = "mqttws: --stall: the window of --for has 10 s, and 10 s is not in it";
    fails(&bench("sub:1@10s:1s"), 2, why);
    assert_eq!(bench("sub:1@1s").code(), Some(2));
}
