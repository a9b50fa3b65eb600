//! `mqttws ping --json` and `--summary`: objects for programs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{self, is_like, is_line};
use crate::support::program::{Outcome, Program};
use crate::support::secure::Server;

/// The objects on standard output, one a line.
fn objects(outcome: &Outcome) -> Vec<Value> {
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let objects = text.lines().map(serde_json::from_str);
    objects.map(|object| object.unwrap_or_else(|error| panic!("{error}: {outcome}"))).collect()
}

/// The objects that the manual shows.
fn printed() -> [Value; 3] {
    let page = include_str!("../../src/cli/manual/monitoring.roff");
    let (_, rest) = page.split_once(".EX\n").expect("an example");
    let (sample, _) = rest.split_once(".EE\n").expect("its end");
    let sample = sample.replace("\\-", "-");
    let objects = serde_json::Deserializer::from_str(&sample).into_iter();
    let objects: Vec<Value> = objects.map(Result::unwrap).collect();
    objects.try_into().unwrap()
}

/// A value in which all numbers and texts are the same, because times and addresses differ.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        Value::Number(_) => 0.into(),
        Value::String(_) => "".into(),
        other => other.clone(),
    }
}

fn ping(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["ping", &url, "-V", "311", "--interval", "0"], arguments].concat())
}

const LATER: Duration = Duration::from_millis(50);

#[test]
fn each_probe_and_the_summary_is_an_object() {
    let steps = [packet("c0"), Step::Dally(LATER), Step::Send("d0"), packet("c0")];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let outcome = ping(&broker, &["-c", "2", "-W", "0.3", "--json"]).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let objects = objects(&outcome);
    let [first, second, summary] = &objects[..] else { panic!("{outcome}") };
    let [answered, lost, _] = printed();
    assert_eq!((shape(first), shape(second)), (shape(&answered), shape(&lost)));
    assert_eq!((&first["seq"], &first["answered"]), (&1.into(), &true.into()));
    assert!(first["round_trip_ms"].as_f64().unwrap() >= 50.0, "{outcome}");
    assert!(is_like(first["time"].as_str().unwrap(), "20*-*-*T*:*:*.*Z"), "{outcome}");
    assert_eq!((&second["seq"], &second["answered"]), (&2.into(), &false.into()));
    assert_eq!(second["round_trip_ms"], Value::Null);
    for (name, value) in [
        ("url", broker.url().into()),
        ("address", broker.url()[5..].trim_end_matches("/mqtt").into()),
        ("subprotocol", "mqtt".into()),
        ("mqtt", "3.1.1".into()),
        ("tls", Value::Null),
        ("server_keep_alive", Value::Null),
        ("sent", 2.into()),
        ("answered", 1.into()),
        ("lost", 1.into()),
        ("loss_percent", 50.0.into()),
    ] {
        assert_eq!(summary[name], value, "{name}: {outcome}");
    }
    let phases: Vec<&String> = summary["phases_ms"].as_object().unwrap().keys().collect();
    assert_eq!(phases, ["connack", "name", "tcp", "upgrade"]);
    assert!(summary["seconds"].as_f64().unwrap() >= 0.35, "{outcome}");
    let times = &summary["round_trip_ms"];
    assert_eq!(times["count"], 1);
    for figure in ["min", "avg", "p50", "p99", "max"] {
        assert_eq!(times[figure], first["round_trip_ms"], "{outcome}");
    }
}

#[test]
fn nothing_answered_has_no_times() {
    let broker = Broker::start(connected([packet("c0"), Step::Gone]));
    let outcome = ping(&broker, &["-c", "1", "-W", "0.3", "--json"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    assert!(is_line(&outcome.stderr, lines::PING_UNANSWERED), "{outcome}");
    let objects = objects(&outcome);
    assert_eq!((objects.len(), &objects[1]["round_trip_ms"]), (2, &Value::Null), "{outcome}");
}

#[test]
fn quiet_is_the_summary_alone_and_flood_is_as_fast_as_it_goes() {
    for (flags, count) in [(&["--json", "--quiet"][..], 1), (&["--json", "--flood"], 3)] {
        let steps = [packet("c0"), Step::Send("d0"), packet("c0"), Step::Send("d0")];
        let broker = Broker::start(until_goodbye(connected(steps)));
        let outcome = ping(&broker, &[flags, &["-c", "2"]].concat()).run();
        assert_eq!((outcome.code(), objects(&outcome).len()), (Some(0), count), "{outcome}");
    }
}

#[test]
fn an_interrupted_run_has_its_summary() {
    let steps = [packet("c0"), Step::Send("d0"), packet("c0"), Step::Tell];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let program = ping(&broker, &["--json", "-W", "60"]).spawn();
    broker.wait();
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let objects = objects(&outcome);
    assert_eq!((objects.len(), &objects[1]["sent"]), (2, &2.into()), "{outcome}");
}

#[test]
fn a_second_summary_goes_to_stderr() {
    let steps = || connected([packet("c0"), Step::Send("d0")]);
    let broker = Broker::start(until_goodbye(steps()));
    let outcome = ping(&broker, &["-c", "1", "--summary=json"]).run();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.lines().any(|line| is_like(line, "1 sent, 1 answered, *")), "{outcome}");
    let summary: Value = serde_json::from_slice(&outcome.stderr).unwrap();
    assert_eq!((&summary["sent"], &summary["answered"]), (&1.into(), &1.into()), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let broker = Broker::start(until_goodbye(steps()));
    let outcome = ping(&broker, &["-c", "1", "--summary"]).run();
    let line = "mqttws: 1 sent, 1 answered, 0% lost, time * ms; \
                round trip min/avg/p50/p99/max/stddev = */*/*/*/*/* ms";
    assert!(is_line(&outcome.stderr, line), "{outcome}");
}

/// A broker over TLS that demands a keep alive.
fn secure(server: Server) -> Broker {
    Broker::start(until_goodbye(vec![
        Step::Tls(Arc::new(server.config())),
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 03 13 00 1e"),
        packet("c0"),
        Step::Send("d0"),
    ]))
}

#[test]
fn the_certificate_and_the_keep_alive_of_the_server_are_told() {
    let authority = Authority::new();
    let folder = Folder::new();
    let file = folder.write("ca.pem", authority.pem());
    let certificate = || authority.certify(&["127.0.0.1"], FAR_AWAY);
    let run = |flags: &[&str]| {
        let broker = secure(Server::showing(&certificate()));
        let url = broker.url().replace("ws://", "wss://");
        Program::new([&["ping", &url, "--cafile", &file, "-c", "1"], flags].concat()).run()
    };
    let outcome = run(&[]);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let head = "PING wss://127.0.0.1:*/mqtt (127.0.0.1:*, TLSv1.3 TLS_*, certificate valid for \
                * days, subprotocol mqtt, MQTT 5, server keep alive 30 s): name * ms, tcp * ms, \
                tls * ms, upgrade * ms, connack * ms";
    assert!(is_like(text.lines().next().unwrap(), head), "{outcome}");
    let summary = objects(&run(&["--json"])).pop().unwrap();
    assert_eq!(shape(&summary), shape(&printed()[2]));
    assert_eq!((&summary["server_keep_alive"], &summary["mqtt"]), (&30.into(), &"5".into()));
    assert_eq!(summary["tls"]["version"], "TLSv1.3");
    let days = summary["tls"]["certificate_days"].as_i64().unwrap();
    assert!((10_000..100_000).contains(&days), "{summary}");
    let outcome = run(&["--crit", "60"]);
    let line = "PING OK - *, certificate valid for * days | * certificate_days=*\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stdout), line), "{outcome}");
    let outcome = run(&["--format", "prometheus"]);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    // 2200-01-01.
    let line = "mqttws_ping_certificate_not_after_timestamp_seconds{url=\"wss://*\"} 7258118400";
    assert!(text.lines().any(|sample| is_like(sample, line)), "{outcome}");
}

#[test]
fn an_expired_certificate_that_is_pinned_is_told() {
    let authority = Authority::new();
    let broker = secure(Server::showing(&authority.certify(&["127.0.0.1"], 2001)));
    let url = broker.url().replace("ws://", "wss://");
    let outcome = Program::new(["ping", &url, "--insecure", "-c", "1", "--json"]).run();
    let summary = objects(&outcome).pop().unwrap();
    let days = summary["tls"]["certificate_days"].as_i64().unwrap();
    assert!(days < -1000, "{outcome}");
}
