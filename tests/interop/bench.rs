//! `mqttws bench` against mosquitto: nothing is lost, and nothing is accused that is not.

use serde_json::Value;

use crate::mosquitto;
use crate::program::Program;

/// The object of a run with these flags.
fn bench(url: &str, flags: &[&str]) -> Value {
    let common = ["bench", url, "--max-lateness", "never", "--tolerate", "overload", "--json"];
    let outcome = Program::new([&common, flags].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// Every count of the verification but that of the copies.
fn faults(object: &Value) -> u64 {
    let verified = object["verified"].as_object().unwrap().iter();
    verified.filter(|(name, _)| *name != "sent").filter_map(|(_, count)| count.as_u64()).sum()
}

#[test]
fn nothing_is_lost_at_any_qos_in_any_version() {
    let Some(broker) = mosquitto() else { return };
    for version in ["5", "311"] {
        for qos in ["0", "1", "2"] {
            let flags = ["-V", version, "-q", qos, "--pub", "3", "--sub", "4", "-C", "3000"];
            let object = bench(&broker.ws(), &flags);
            assert_eq!(faults(&object), 0, "{object}");
            assert_eq!(object["verified"]["sent"], 4000, "{object}");
        }
    }
}

#[test]
fn an_open_loop_over_tls_is_verified() {
    let Some(broker) = mosquitto() else { return };
    let flags = ["--cafile", &broker.authority, "-q", "1", "--rate", "500", "--for", "1s"];
    let flags = [&flags[..], &["--warmup", "0.2", "--pub", "5", "--sub", "5"]].concat();
    let object = bench(&broker.wss(), &flags);
    assert_eq!((faults(&object), &object["messages"]["sent"]), (0, &500.into()), "{object}");
    assert_eq!(object["server"]["scheme"], "wss", "{object}");
    assert_eq!(object["latency"]["tls"]["count"], 10, "{object}");
    assert_eq!(object["connections"]["resumed"], 0, "{object}");
}

#[test]
fn many_connections_are_made_and_held() {
    let Some(broker) = mosquitto() else { return };
    let object = bench(&broker.ws(), &["--connect", "1000", "--for", "0.5"]);
    assert_eq!(object["connections"]["made"], 1000, "{object}");
    assert_eq!(object["connections"]["online"], 1000, "{object}");
}

#[test]
fn sessions_that_are_kept_lose_nothing_when_all_are_cut() {
    let Some(broker) = mosquitto() else { return };
    for (version, who) in [("5", "sub"), ("311", "sub"), ("5", "pub")] {
        let cut = format!("{who}:100%@0.5s");
        let flags = ["-V", version, "-q", "1", "-c", "--pub", "4", "--sub", "20"];
        let load = ["--rate", "200", "--warmup", "0", "--for", "2s", "--cut", &cut];
        let object = bench(&broker.ws(), &[&flags[..], &load].concat());
        let (verified, cut) = (&object["verified"], &object["cuts"][0]);
        let count = if who == "sub" { 20 } else { 4 };
        assert_eq!((&verified["lost"], &verified["missed"]), (&0.into(), &0.into()), "{object}");
        assert_eq!((&cut["count"], &cut["session_present"]), (&count.into(), &count.into()));
        assert_eq!((&verified["reordered"], &verified["corrupted"]), (&0.into(), &0.into()));
        if who == "sub" {
            assert_eq!(verified["duplicated"], verified["duplicated_with_dup"], "{object}");
        } else {
            // What a publisher sends again is new to the broker, which sends it without DUP to the
            // five readers of its topic.
            assert_eq!(verified["duplicated"].as_u64().map(|count| count % 5), Some(0), "{object}");
        }
    }
}

#[test]
fn connections_that_stall_or_are_made_anew_disturb_no_others() {
    let Some(broker) = mosquitto() else { return };
    let flags = ["-q", "1", "--pub", "4", "--sub", "20", "--rate", "200", "--warmup", "0"];
    let times = ["--for", "2s", "--stall", "sub:10%@0.5s:0.5s"];
    let object = bench(&broker.ws(), &[&flags[..], &times].concat());
    assert_eq!((faults(&object), &object["stalls"][0]["count"]), (0, &2.into()), "{object}");
    let object = bench(&broker.ws(), &[&flags[..], &["--for", "2s", "--churn", "20"]].concat());
    let (verified, churn) = (&object["verified"], &object["churn"]);
    assert_eq!((&verified["lost"], &verified["corrupted"]), (&0.into(), &0.into()), "{object}");
    assert_eq!((&verified["reordered"], &churn["ended"]), (&0.into(), &churn["back"]["count"]));
}

#[test]
fn a_message_for_a_group_comes_to_one_of_its_members() {
    let Some(broker) = mosquitto() else { return };
    for qos in ["0", "1", "2"] {
        let flags = ["-q", qos, "--pub", "3", "--sub", "6", "--share-groups", "2", "-C", "3000"];
        let object = bench(&broker.ws(), &flags);
        assert_eq!((faults(&object), &object["verified"]["sent"]), (0, &3000.into()), "{object}");
        assert_eq!(object["groups"]["starved"], 0, "{object}");
    }
}

#[test]
fn what_is_retained_comes_and_wills_come_after_a_cut() {
    let Some(broker) = mosquitto() else { return };
    for version in ["5", "311"] {
        let flags = ["-V", version, "-q", "1", "--pub", "3", "--sub", "6", "--topics", "12"];
        let load = ["--retained", "-r", "--rate", "200", "--for", "1s", "--warmup", "0"];
        let object = bench(&broker.ws(), &[&flags[..], &load].concat());
        assert_eq!((faults(&object), &object["retained"]["received"]), (0, &12.into()), "{object}");
        let cut = ["--will", "--cut", "sub:50%@0.3s", "--for", "1s", "--warmup", "0"];
        let load = [&cut[..], &["--rate", "200"]].concat();
        let object = bench(&broker.ws(), &[&flags[..], &load].concat());
        let wills = &object["wills"];
        assert_eq!((&wills["expected"], &wills["received"]), (&3.into(), &3.into()), "{object}");
        assert_eq!(wills["unexpected"], 0, "{object}");
    }
}
