//! What the broker retains, and the wills of the connections.

use super::{bench, numbers, object};
use crate::support::keeping_broker::{KeepingBroker, Quirk};
use crate::support::program::Program;

const LOAD: [&str; 10] = ["-V", "5", "--pub", "2", "--sub", "4", "--topics", "6", "--drain", "0.5"];

#[test]
fn each_retained_message_comes_once_to_each_reader() {
    for (quirk, expected, code) in [
        (Quirk::None, ["expected 6, received 6", "sent 106"], 0),
        (Quirk::RetainedLost, ["expected 6, received 5", "lost 1, sent 106"], 1),
        (
            Quirk::RetainedTwice,
            ["duplicated 1, expected 6, received 6", "duplicated 1, sent 106"],
            0,
        ),
    ] {
        let broker = KeepingBroker::start(quirk);
        let flags = ["--retained", "-q", "1", "-C", "100"];
        let outcome = bench(&broker.url(), &[&LOAD[..], &flags].concat()).run();
        let object = object(&outcome);
        let retained = numbers(&object["retained"]);
        assert!(retained.starts_with(expected[0]) || retained.contains(expected[0]), "{outcome}");
        assert_eq!(numbers(&object["verified"]), expected[1], "{quirk:?} {outcome}");
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        assert_eq!(object["retained"]["times"]["count"], object["retained"]["received"]);
        assert_eq!(broker.left(), (0, 0), "{quirk:?} {outcome}");
    }
}

#[test]
fn what_was_retained_is_removed_whenever_it_ends() {
    for (flag, messages) in [("-r", 20), ("--retained", 3), ("--retained", 20)] {
        let broker = KeepingBroker::start(Quirk::None);
        let flags = ["--rate", "100", "--for", "60s", "--warmup", "0", flag];
        let bench = bench(&broker.url(), &[&LOAD[..], &flags].concat()).spawn();
        broker.wait_for_messages(messages);
        bench.signal("INT");
        let outcome = bench.finish();
        assert_eq!(outcome.code(), Some(130), "{outcome}");
        assert_eq!(broker.left(), (0, 0), "{flag}: {outcome}");
    }
}

#[test]
fn readers_that_subscribe_again_may_get_what_is_retained_again() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["-r", "--retained", "-q", "1", "--rate", "200", "--for", "1.5s", "--warmup", "0"];
    let cut = ["--cut", "sub:100%@0.5s:disconnect", "--tolerate", "overload"];
    let outcome = bench(&broker.url(), &[&LOAD[..], &flags, &cut].concat()).run();
    let verified = &object(&outcome)["verified"];
    assert_eq!((&verified["lost"], &verified["duplicated"]), (&0.into(), &0.into()), "{outcome}");
    assert_eq!((outcome.code(), broker.left()), (Some(0), (0, 0)), "{outcome}");
}

#[test]
fn wills_come_after_a_cut_and_only_then() {
    for (quirk, how, expected) in [
        (Quirk::None, "rst", "expected 4, received 4"),
        (Quirk::None, "fin", "expected 4, received 4"),
        (Quirk::None, "disconnect", ""),
        (Quirk::WillsLost, "rst", "expected 4"),
        (Quirk::WillsAlways, "rst", "expected 4, received 4, unexpected 6"),
        (Quirk::WillsAlways, "disconnect", "unexpected 10"),
    ] {
        let broker = KeepingBroker::start(quirk);
        let cut = format!("sub:100%@0.2s:{how}");
        let flags = ["--will", "--cut", &cut, "--rate", "100", "--for", "1s", "--warmup", "0"];
        let tolerate = ["--tolerate", "overload"];
        let outcome = bench(&broker.url(), &[&LOAD[..], &flags, &tolerate].concat()).run();
        let wills = numbers(&object(&outcome)["wills"]);
        assert_eq!(wills, expected, "{quirk:?} {how} {outcome}");
        assert_eq!(outcome.code(), Some(0), "{outcome}");
    }
}

#[test]
fn the_lines_say_it_in_words() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = ["--retained", "--will", "-C", "50", "-q", "1"];
    let url = broker.url();
    let outcome = Program::new([&["bench", &url], &LOAD[..], &flags].concat()).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("\nretained   6 of 6 copies came, all after "), "{outcome}");
    assert!(text.contains("\nwills      0 of 0 came; 0 that should not come\n"), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}
