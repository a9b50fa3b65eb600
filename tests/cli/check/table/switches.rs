//! The deviations of `serve --deviate`: each changes exactly the points that its list names.

use std::collections::BTreeSet;
use std::thread;

use super::{Verdicts, at_once, differing, verdicts_with};
use crate::support::program::{Program, Running};

/// Points that hardly anything changes.
const OTHERS: [&str; 4] = ["offer-mqtt", "qos0-round-trip", "second-connect", "suback-each"];

/// Deviations after which no other point can be asked.
const ALONE: [&str; 15] = [
    IDLE.0,
    "page-instead-of-upgrade",
    "redirected",
    "login-wanted",
    "bad-gateway",
    "http2-spoken",
    "suback-late",
    "silent-after-connack",
    "silent-after-subscribe",
    "silent-after-100-packets",
    "no-upgrade-header",
    "wrong-accept-key",
    "origin-wanted",
    "pingreq-unanswered",
    "keep-alive-not-enforced",
];

/// A deviation in time: the same in less time, as flags of `serve`. `SHORT_IDLE` asks for it.
const IDLE: (&str, [&str; 2]) = ("cut-after-60-s-idle", ["--fault", "cut-idle=1s"]);
const SHORT_IDLE: [&str; 2] = ["--idle-time", "2"];

/// Deviations of TLS.
const OVER_TLS: [&str; 3] = ["no-close-notify", "alpn-mqtt-only", "alpn-http11-only"];

/// A deviation as the list has it.
struct Listed {
    name: String,
    fails: Vec<String>,
    warns: Vec<String>,
}

impl Listed {
    /// What `--only` gets.
    fn scope(&self) -> String {
        let own = self.fails.iter().chain(&self.warns).map(String::as_str);
        let others = OTHERS.into_iter().filter(|_| !ALONE.contains(&self.name.as_str()));
        let points: BTreeSet<&str> = own.chain(others).collect();
        points.into_iter().collect::<Vec<_>>().join(",")
    }
}

fn listed() -> Vec<Listed> {
    let outcome = Program::new(["serve", "--deviate", "list", "--json"]).run();
    let text = String::from_utf8(outcome.stdout).unwrap();
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let points = |name: &str| {
            let points = row[name].as_array().unwrap().iter();
            points.map(|point| point.as_str().unwrap().to_owned()).collect()
        };
        let name = row["name"].as_str().unwrap().to_owned();
        Listed { name, fails: points("fail"), warns: points("warn") }
    };
    text.lines().map(row).collect()
}

/// What is not applicable is no deviation.
fn settled(verdicts: Verdicts) -> Verdicts {
    let settled = |(point, verdict): (String, String)| {
        (point, if verdict == "n.a." { "PASS".to_owned() } else { verdict })
    };
    verdicts.into_iter().map(settled).collect()
}

fn deviating(flags: &[&str]) -> (Running, String) {
    let mut running = Program::new([&["serve", "-p", "0"], flags].concat()).spawn();
    let url = running.wait_for_line(|line| line.contains("://127.0.0.1:"));
    (running, url)
}

fn words(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// The verdicts about a broker with this deviation, and the report.
fn found_with(row: &Listed) -> (Verdicts, String) {
    let flags = if row.name == IDLE.0 { IDLE.1 } else { ["--deviate", &row.name] };
    let (found, report) = if OVER_TLS.contains(&row.name.as_str()) {
        let (_serve, url) = deviating(&[&flags[..], &["--tls"]].concat());
        verdicts_with(&url, &row.scope(), &["--insecure"])
    } else {
        let (_serve, url) = deviating(&flags);
        verdicts_with(&url, &row.scope(), &SHORT_IDLE)
    };
    (settled(found), report)
}

/// The verdicts about a broker that keeps to the standards, each point alone.
fn found_without(points: BTreeSet<&str>) -> Verdicts {
    let (_serve, url) = deviating(&[]);
    let all = at_once(points, |point| settled(verdicts_with(&url, point, &SHORT_IDLE).0));
    all.into_iter().flatten().collect()
}

/// What differs from what the list says.
fn differs(row: &Listed, good: &Verdicts, (found, report): &(Verdicts, String)) -> Option<String> {
    let scope = row.scope();
    let points: Vec<&str> = scope.split(',').collect();
    let of_scope = |all: &Verdicts| -> Verdicts {
        let mut all = all.clone();
        all.retain(|point, _| points.contains(&point.as_str()));
        all
    };
    let (good, found) = (of_scope(good), of_scope(found));
    let differing = differing(&good, &found, &words(&row.fails), &words(&row.warns));
    let line = format!("{}: {}", row.name, differing.join("; "));
    (!differing.is_empty()).then(|| format!("{line}\n{report}"))
}

#[test]
fn each_deviation_changes_its_points() {
    let rows = listed();
    let scopes = rows.iter().map(Listed::scope).collect::<Vec<_>>().join(",");
    let (good, found) = thread::scope(|scope| {
        let good = scope.spawn(|| found_without(scopes.split(',').collect()));
        let found = at_once(&rows, found_with);
        (good.join().unwrap(), found)
    });
    let bad: Vec<_> = good.iter().filter(|(_, verdict)| *verdict != "PASS").collect();
    assert!(bad.is_empty(), "{bad:?}");
    let compared = rows.iter().zip(&found);
    let wrong: Vec<String> =
        compared.filter_map(|(row, found)| differs(row, &good, found)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
