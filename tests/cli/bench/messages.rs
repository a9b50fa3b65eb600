//! What the messages hold, who subscribes to what, and how many may be unfinished.

use super::{bench, numbers, object};
use crate::serve::serve_for_others as serve;
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// A usage error, before anything is connected to.
#[track_caller]
fn is_refused(flags: &[&str], why: &str) {
    let address = ["bench", "ws://127.0.0.1:1/mqtt"];
    fails(&Program::new([&address, flags].concat()).run(), 2, &format!("mqttws: {why}"));
}

#[test]
fn what_each_must_receive_follows_from_its_filter() {
    let (serve, url) = serve();
    for (flags, copies) in [
        // Both subscribers get all topics.
        (&["--filter", "mqttws/bench/%r/#", "--topics", "3"][..], 200),
        // Each gets the topic of its number.
        (&["--filter", "mqttws/bench/%r/%c", "--topics", "2"], 100),
        // By the rule each topic has one of them.
        (&["--filter", "mqttws/bench/%r/%i", "--topics", "4"], 100),
        // Nobody gets the other topic.
        (&["--filter", "+/bench/%r/1", "--topics", "2"], 100),
        (&["--filter", "mqttws/bench/%r/+", "--topics", "2", "--share-groups", "2"], 200),
        (&["--filter", "mqttws/bench/%r/+", "--topics", "3", "--retained"], 206),
    ] {
        for qos in ["0", "2"] {
            let common = ["--pub", "2", "--sub", "2", "-C", "100", "-q", qos];
            let outcome = bench(&url, &[&common[..], flags].concat()).run();
            let verified = numbers(&object(&outcome)["verified"]);
            assert_eq!(verified, format!("sent {copies}"), "{flags:?} {outcome}");
            assert_eq!(outcome.code(), Some(0), "{outcome}");
        }
    }
    drop(serve);
}

#[test]
fn what_a_filter_does_not_match_is_not_awaited() {
    let broker = FaultyBroker::start(Wrong::Lost(3));
    // The third message is one of the topic that nobody gets.
    let flags = ["-V", "5", "--pub", "1", "--sub", "1", "--topics", "2", "-C", "10"];
    let flags = [&flags[..], &["-q", "1", "--filter", "mqttws/bench/%r/1"]].concat();
    let outcome = bench(&broker.url(), &flags).run();
    assert_eq!(numbers(&object(&outcome)["verified"]), "sent 5", "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_filter_that_proves_nothing_is_refused() {
    let broker = FaultyBroker::start(Wrong::Nothing);
    let refused = |flags: &[&str], why: &str| {
        let common = ["bench", &broker.url(), "--pub", "2", "--sub", "2"];
        fails(&Program::new([&common, flags].concat()).run(), 2, &format!("mqttws: {why}"));
    };
    refused(&["--filter", "other/#"], "--filter other/#: it matches none of the topics of -t");
    refused(&["--filter", "$share/x/#"], "--filter: $share is what --share-groups makes");
    let with_groups = ["--share-groups", "--filter", "mqttws/bench/%r/%c"];
    let same = "--filter: %c: the subscribers of a share group have the same filter";
    refused(&with_groups, same);
    assert_eq!(Program::new(["bench", "--filter", "#", "--sub-all"]).run().code(), Some(2));
}

#[test]
fn messages_have_properties() {
    let folder = Folder::new();
    let file = folder.path().join("record").display().to_string();
    let mut serve = Program::new(["serve", "-p", "0", "--record", &file]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    let flags = ["--pub", "1", "--sub", "1", "-C", "20", "-q", "1", "--sub-all"];
    let properties = ["-D", "publish", "content-type", "a/b", "-D", "publish", "user-property"];
    let more = ["key", "gehe~im", "-D", "connect", "user-property", "x", "y~z", "-D", "subscribe"];
    let last = ["user-property", "v", "w", "-D", "disconnect", "reason-string", "done"];
    let all = [&flags[..], &properties, &more, &last].concat();
    let outcome = bench(&url, &all).run();
    assert_eq!(numbers(&object(&outcome)["verified"]), "sent 20", "{outcome}");
    // What may be secret is not shown.
    let shown = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(!shown.contains("gehe~im") && !shown.contains("y~z"), "{outcome}");
    assert!(shown.contains(r#""-D","publish","user-property","key","***","-D""#), "{outcome}");
    drop(serve);
    let text = std::fs::read_to_string(&file).unwrap();
    let wanted = r#""properties":{"content-type":"a/b","user-property":[["key","gehe~im"]]}"#;
    assert_eq!(text.lines().filter(|line| line.contains(wanted)).count(), 20, "{text}");
}

#[test]
fn properties_that_bench_cannot_send_are_refused() {
    let will = "-D will: there is no will; --will gives each connection one";
    is_refused(&["-D", "will", "user-property", "a", "b"], will);
    let alias = "-D publish topic-alias: --topic-alias gives each topic its own";
    is_refused(&["-D", "publish", "topic-alias", "1"], alias);
    is_refused(
        &["-D", "unsubscribe", "user-property", "a", "b"],
        "-D unsubscribe: bench sends no UNSUBSCRIBE",
    );
    is_refused(
        &["-D", "connect", "session-expiry-interval", "5"],
        "-D connect session-expiry-interval: give -x",
    );
    let old = "-D: MQTT 3.1.1 has no properties, only MQTT 5 has";
    is_refused(&["-V", "311", "-D", "publish", "user-property", "a", "b"], old);
}

/// How many bytes a broker gets by a run whose topics are long.
fn bytes_received(flags: &[&str]) -> u64 {
    let (serve, url) = serve();
    let topic = format!("{}/%i", "long".repeat(1000));
    let common = ["-t", &topic, "--pub", "1", "--sub", "1", "--topics", "2", "-C", "100"];
    let outcome = bench(&url, &[&common[..], flags].concat()).run();
    assert_eq!(numbers(&object(&outcome)["verified"]), "sent 100", "{outcome}");
    let sub = ["sub", "-t", "$SYS/broker/bytes/received", "-C", "1", &url];
    let outcome = Program::new(sub).run();
    drop(serve);
    String::from_utf8(outcome.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_topic_is_sent_once_and_then_its_alias() {
    for qos in ["0", "1", "2"] {
        let whole = bytes_received(&["-q", qos]);
        let aliases = bytes_received(&["-q", qos, "--topic-alias"]);
        assert!(whole > 400_000 && aliases < 100_000, "{whole} {aliases}");
    }
}

/// What base64 stands for.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.bytes().position(|digit| digit == byte));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_usize, 0);
    for digit in digits {
        (bits, held) = (bits << 6 | digit, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn payloads_hold_the_bytes_of_a_file() {
    let folder = Folder::new();
    let (record, body) = (folder.path().join("record"), folder.write("body", "0123456789"));
    let record = record.display().to_string();
    let mut serve = Program::new(["serve", "-p", "0", "--record", &record]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    let flags = ["--pub", "1", "--sub", "1", "-C", "7", "--size", "62", "--body", &body];
    let outcome = bench(&url, &flags).run();
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "sent 7", "{outcome}");
    assert_eq!(object["plan"]["body"], body.as_str(), "{outcome}");
    drop(serve);
    let text = std::fs::read_to_string(&record).unwrap();
    assert_eq!(text.lines().count(), 7, "{text}");
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let payload = decoded(record["payload_base64"].as_str().unwrap());
        let body = String::from_utf8(payload[32..].to_vec()).unwrap();
        assert_eq!(body.len(), 30, "{line}");
        assert!("0123456789".repeat(4).contains(&body), "{body}");
    }
    let address = ["bench", "ws://127.0.0.1:1/mqtt", "--body"];
    let empty = folder.write("empty", "");
    let why = format!("mqttws: --body: {empty} is empty");
    fails(&Program::new([&address[..], &[&empty]].concat()).run(), 2, &why);
    let why = "mqttws: --body: /dev/zero has more than 16 MiB";
    fails(&Program::new([&address[..], &["/dev/zero"]].concat()).run(), 2, why);
}

#[test]
fn with_a_rate_a_full_window_makes_messages_wait() {
    let broker = FaultyBroker::start(Wrong::AllLost);
    let flags = ["-V", "5", "--pub", "1", "--sub", "1", "--rate", "1000", "--for", "0.5"];
    let more = ["--warmup", "0", "--drain", "0.1", "-M", "10"];
    let outcome = bench(&broker.url(), &[&flags[..], &more].concat()).run();
    let object = object(&outcome);
    let messages = &object["messages"];
    let counts =
        ["sent", "unsent", "expected", "emptied"].map(|name| messages[name].as_u64().unwrap());
    assert_eq!(counts, [10, 490, 10, 0], "{outcome}");
    assert_eq!(numbers(&object["verified"]), "lost 10, sent 10", "{outcome}");
    assert_eq!((&object["plan"]["inflight"], outcome.code()), (&10.into(), Some(1)), "{outcome}");
    // Without a limit all leave.
    let outcome = bench(&broker.url(), &[&flags[..], &more[..4]].concat()).run();
    let sent = super::object(&outcome)["messages"]["sent"].clone();
    assert_eq!(sent, 500, "{outcome}");
}

#[test]
fn a_message_that_arrives_finishes_those_before_it() {
    // Of ten messages nine never come; without more than those the window would be full.
    let broker = FaultyBroker::start(Wrong::AllLostBut(10));
    let flags = ["-V", "5", "--pub", "1", "--sub", "1", "-C", "200", "-M", "15"];
    let outcome = bench(&broker.url(), &[&flags[..], &["--drain", "0.1"]].concat()).run();
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "lost 180, sent 200", "{outcome}");
    assert_eq!(object["messages"]["emptied"], 0, "{outcome}");
}

#[test]
fn none_floods() {
    let broker = FaultyBroker::start(Wrong::AllLost);
    let flags = ["-V", "5", "--pub", "1", "--sub", "1", "-C", "3000", "--drain", "0.1"];
    let outcome = bench(&broker.url(), &[&flags[..], &["-M", "none"]].concat()).run();
    let object = object(&outcome);
    assert_eq!(numbers(&object["verified"]), "lost 3000, sent 3000", "{outcome}");
    let (emptied, inflight) = (&object["messages"]["emptied"], &object["plan"]["inflight"]);
    assert_eq!((emptied, inflight), (&0.into(), &serde_json::Value::Null), "{outcome}");
    let wrong = ["bench", "ws://127.0.0.1:1/mqtt", "-M", "never"];
    let outcome = Program::new(wrong).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.contains("expected a number from 1 to 65535, or none"), "{outcome}");
    assert_eq!(outcome.code(), Some(2), "{outcome}");
}

#[test]
fn without_verification_what_comes_is_only_counted() {
    let broker = FaultyBroker::start(Wrong::Lost(17));
    let flags = ["-V", "5", "-q", "1", "-C", "100", "--pub", "1", "--sub", "1", "--drain", "0.2"];
    for size in ["0", "10", "64"] {
        let more = ["--size", size, "--verify", "none"];
        let outcome = bench(&broker.url(), &[&flags[..], &more].concat()).run();
        let object = object(&outcome);
        // All are null but how many were to come.
        assert_eq!(numbers(&object["verified"]), "sent 100", "{outcome}");
        assert_eq!(object["verified"]["lost"], serde_json::Value::Null, "{outcome}");
        let delivery = &object["latency"]["delivery"];
        let has_times = size == "64";
        assert_eq!(delivery["count"].as_u64() == Some(99), has_times, "{outcome}");
        assert_eq!((&object["plan"]["verify"], outcome.code()), (&"none".into(), Some(0)));
        broker.change(Wrong::Lost(17));
    }
    // What nobody has looked at proves nothing.
    let more = ["--verify", "none", "--fail", "lost>0"];
    let outcome = Program::new([&["bench", &broker.url()], &flags[..], &more].concat()).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let line = "\nverified   nothing (--verify none): what came is counted, whatever it is\n";
    assert!(text.contains(line), "{outcome}");
    assert!(text.contains("\nfail       lost>0: yes (there are no data)\n"), "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn what_cannot_be_verified_needs_a_word() {
    is_refused(&["--size", "31"], "--size 31: at least 32 bytes, or --verify none");
    is_refused(&["--size", "16..64"], "--size 16: at least 32 bytes, or --verify none");
    let retained = "--verify none: --retained is about which messages come";
    is_refused(&["--verify", "none", "--retained"], retained);
    is_refused(
        &["--verify", "none", "--size", "8"],
        "--size: at QoS 0 nobody knows whose message of under 32 bytes has arrived: add -M none, *",
    );
}
