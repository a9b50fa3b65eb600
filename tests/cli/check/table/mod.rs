//! The table of mutations: a front before `serve` deviates in one thing, and exactly the points of
//! that row change.

mod connect;
mod ending;
mod flow_control;
mod framing_in;
mod framing_out;
mod limits;
mod mqtt;
mod properties;
mod publish;
mod reach;
mod rewrite;
mod session;
mod subscribe;
mod tls;
mod upgrade;

use std::collections::BTreeMap;

use super::front::{self, Deviation, Faithful};
use crate::support::program::{Program, Running};

/// One deviation.
pub struct Row {
    /// In kebab-case: a switch of `serve` may have it later.
    pub name: &'static str,
    /// The deviation.
    pub deviation: fn() -> Box<dyn Deviation>,
    /// What `--only` gets: all that may change, and what should not.
    pub scope: &'static str,
    /// The points that become FAIL.
    pub fails: &'static [&'static str],
    /// The points that become WARN.
    pub warns: &'static [&'static str],
}

/// Verdicts by the name of the point: the worst of its versions.
type Verdicts = BTreeMap<String, String>;

/// A broker of our own, and its URL.
pub fn serve() -> (Running, String) {
    let mut running = Program::new(["serve", "-p", "0"]).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

/// The verdicts of these points.
pub fn verdicts(url: &str, scope: &str) -> (Verdicts, String) {
    verdicts_with(url, scope, &[])
}

/// The same with more flags.
pub fn verdicts_with(url: &str, scope: &str, flags: &[&str]) -> (Verdicts, String) {
    let arguments = ["check", url, "--only", scope, "--json", "--quiet"];
    let outcome = Program::new([&arguments, flags].concat()).run();
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {outcome}");
    });
    let order = ["n.a.", "PASS", "WARN", "unknown", "FAIL"];
    let rank = |verdict: &str| order.iter().position(|one| *one == verdict).unwrap();
    let mut verdicts = Verdicts::new();
    for point in report["points"].as_array().unwrap() {
        let (name, verdict) = (point["name"].as_str().unwrap(), point["verdict"].as_str().unwrap());
        let worst = verdicts.entry(name.to_owned()).or_insert_with(|| verdict.to_owned());
        if rank(verdict) > rank(worst) {
            verdict.clone_into(worst);
        }
    }
    (verdicts, text)
}

/// Plays each row, and compares with the front that does nothing.
pub fn play(rows: &[Row]) {
    let (_serve, url) = serve();
    let faithful = front::start(&url, || Box::new(Faithful));
    let mut baselines: BTreeMap<&str, Verdicts> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows {
        let good = baselines.entry(row.scope).or_insert_with(|| verdicts(&faithful, row.scope).0);
        let bad: Vec<_> = good.iter().filter(|(_, verdict)| *verdict == "FAIL").collect();
        assert!(bad.is_empty(), "serve itself fails {bad:?}");
        let deviation = row.deviation;
        let (found, report) = verdicts(&front::start(&url, deviation), row.scope);
        let differing = differing(good, &found, row.fails, row.warns);
        if !differing.is_empty() {
            wrong.push(format!("{}: {}\n{report}", row.name, differing.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What differs from the good verdicts with these failures and warnings.
pub fn differing(good: &Verdicts, found: &Verdicts, fails: &[&str], warns: &[&str]) -> Vec<String> {
    let mut expected = good.clone();
    for (points, verdict) in [(fails, "FAIL"), (warns, "WARN")] {
        for point in points {
            expected.insert((*point).to_owned(), verdict.to_owned());
        }
    }
    let differs = |name: &&String| expected.get(*name) != found.get(*name);
    let words = |name: &String| {
        let (expected, found) = (expected.get(name), found.get(name));
        format!("{name}: {expected:?} expected, {found:?} found")
    };
    expected.keys().filter(differs).map(words).collect()
}
