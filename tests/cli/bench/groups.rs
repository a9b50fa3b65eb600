//! Subscribers that share their subscriptions.

use super::{bench, numbers, object};
use crate::serve::serve_for_others as serve;
use crate::support::keeping_broker::{KeepingBroker, Quirk};
use crate::support::lines::fails;
use crate::support::program::Program;

const LOAD: [&str; 8] = ["--pub", "2", "--sub", "4", "-C", "100", "--drain", "0.5"];

#[test]
fn each_message_comes_once_to_a_group() {
    let (serve, url) = serve();
    for (groups, copies) in [(&["--share-groups"][..], 100), (&["--share-groups", "2"], 100)] {
        for qos in ["0", "1", "2"] {
            let outcome = bench(&url, &[&LOAD[..], &["-q", qos], groups].concat()).run();
            let object = object(&outcome);
            let verified = numbers(&object["verified"]);
            assert_eq!(verified, format!("sent {copies}"), "{outcome}");
            assert_eq!(object["groups"]["starved"], 0, "{outcome}");
            assert_eq!(outcome.code(), Some(0), "{outcome}");
        }
    }
    let flags = ["--share-groups", "2", "--sub-all"];
    let outcome = bench(&url, &[&LOAD[..], &flags].concat()).run();
    assert_eq!(numbers(&object(&outcome)["verified"]), "sent 200", "{outcome}");
    drop(serve);
}

#[test]
fn what_two_members_get_is_double() {
    let broker = KeepingBroker::start(Quirk::SharedWithAll);
    let flags = ["-V", "5", "-q", "1", "--share-groups", "1"];
    let outcome = bench(&broker.url(), &[&LOAD[..], &flags].concat()).run();
    assert_eq!(numbers(&object(&outcome)["verified"]), "duplicated 3, sent 100", "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_member_that_gets_nothing_is_starved() {
    let broker = KeepingBroker::start(Quirk::Starved);
    let flags = ["-V", "5", "-q", "1", "--share-groups", "2"];
    let outcome = bench(&broker.url(), &[&LOAD[..], &flags].concat()).run();
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "sent 100", "{outcome}");
    let groups = "groups 2, members 4, most 50, starved 2";
    assert_eq!(numbers(&object["groups"]), groups, "{outcome}");
}

#[test]
fn more_groups_than_subscribers_are_refused() {
    let why = "mqttws: --share-groups: 3 groups of 2 subscribers: each needs one";
    let flags = ["bench", "ws://127.0.0.1:1/mqtt", "--sub", "2", "--pub", "1"];
    fails(&Program::new([&flags[..], &["--share-groups", "3"]].concat()).run(), 2, why);
}
