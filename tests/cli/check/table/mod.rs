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
mod switches;
mod tls;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

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

/// How many runs go on at the same time: most of them wait, but each has to be in time.
const TOGETHER: usize = 16;

/// How long one may take: some points wait for half a minute, and are asked twice.
const LONGEST: Duration = Duration::from_secs(120);

/// How many more may begin.
static FREE: (Mutex<usize>, Condvar) = (Mutex::new(TOGETHER), Condvar::new());

/// One of the runs that go on at the same time.
struct Turn;

impl Turn {
    fn await_one() -> Self {
        let (free, given_back) = &FREE;
        let mut free = given_back.wait_while(free.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.0.lock().unwrap() += 1;
        FREE.1.notify_one();
    }
}

/// The verdicts of these points.
pub fn verdicts(url: &str, scope: &str) -> (Verdicts, String) {
    verdicts_with(url, scope, &[])
}

/// The same with more flags.
pub fn verdicts_with(url: &str, scope: &str, flags: &[&str]) -> (Verdicts, String) {
    let arguments = ["check", url, "--only", scope, "--json", "--quiet"];
    let _turn = Turn::await_one();
    let program = Program::new([&arguments, flags].concat());
    let outcome = program.spawn().finish_within(LONGEST);
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

/// Plays all rows at the same time, and compares with the front that does nothing. Each has a
/// broker of its own: what others do to it could be seen.
pub fn play(rows: &[Row]) {
    let scopes: BTreeSet<&str> = rows.iter().map(|row| row.scope).collect();
    let good: BTreeMap<&str, Verdicts> =
        at_once(scopes, |scope| (scope, behind(|| Box::new(Faithful), scope).0))
            .into_iter()
            .collect();
    for verdicts in good.values() {
        let bad: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict == "FAIL").collect();
        assert!(bad.is_empty(), "serve itself fails {bad:?}");
    }
    let wrong = at_once(rows, |row| {
        let (found, report) = behind(row.deviation, row.scope);
        let differing = differing(&good[row.scope], &found, row.fails, row.warns);
        (!differing.is_empty()).then(|| format!("{}: {}\n{report}", row.name, differing.join("\n")))
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The verdicts of these points behind this deviation.
fn behind(deviation: fn() -> Box<dyn Deviation>, scope: &str) -> (Verdicts, String) {
    let (_serve, url) = serve();
    verdicts(&front::start(&url, deviation), scope)
}

/// What this makes of each, all at the same time.
pub fn at_once<T: Send, R: Send>(
    all: impl IntoIterator<Item = T>,
    make: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    thread::scope(|scope| {
        let make = &make;
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || make(one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
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

/// The sources of the table, with those in its folders.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| {
        if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }
    };
    entries.map(text).collect()
}

/// A point that no deviation changes may be one that cannot fail: each is named in a list of points
/// that change, or beside its verdict.
#[test]
fn every_point_is_changed_by_a_deviation() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/check/table");
    let source = sources(&table);
    let outcome = Program::new(["check", "--list", "--json"]).run();
    let list: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let is_changed = |name: &str| {
        let quoted = format!("\"{name}\"");
        let mut places = source.match_indices(&quoted).map(|(at, _)| source[..at].trim_end());
        places.any(|before| before.ends_with(['[', ',', '(']))
    };
    let names = list.as_array().unwrap().iter().map(|point| point["name"].as_str().unwrap());
    let unchanged: Vec<&str> = names.filter(|name| !is_changed(name)).collect();
    assert_eq!(unchanged, Vec::<&str>::new());
}
