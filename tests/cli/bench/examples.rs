//! The worked examples of the specification with small figures: the report has their form, line by
//! line, down to the column in which each text begins.

use regex::Regex;

use crate::serve::{serve_for_others as serve, serve_with};
use crate::support::keeping_broker::{KeepingBroker, Quirk};
use crate::support::program::{Outcome, Program};

/// What the specification shows of each, from a line with its number on.
const EXAMPLES: &str = include_str!("examples.txt");

/// Lines that depend on the machine and on what went wrong, of which only the name is compared.
const NAMED: [&str; 2] = ["limit", "overload"];

/// A line without its figures: each is `N`, and so are its unit and the spaces before it.
fn form(line: &str) -> String {
    let replaced = [
        (r"run [0-9a-f]{8}:", "run N:"),
        (r"\[::1\]|[0-9]+([.,:][0-9]+)*", "N"),
        (r"\bnever\b", "N ms"),
        (r"under N %", "N %"),
        (r"N (ms|s)\b", "N T"),
        (r"N (MiB|KiB)", "N M"),
        (r"N (core|loop)s\b", "N $1"),
        (r"on (this|another) machine", "on M"),
        // However it refuses.
        (r"failed +N: [^;]+;", "failed N: CAUSE;"),
        // What only goes wrong at times.
        (r" \(QoS N allows it; all with DUP\)", ""),
        (r"; N failed tries \(.*\)", ""),
        (r"; pN as before after N T", ""),
        (r"not held: .*", "not held"),
        // Figures end in the same column, whatever their length.
        (r" +N", " N"),
        (r"N +", "N "),
        (r"T {5,}p", "T p"),
    ];
    replaced.iter().fold(line.to_owned(), |line, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&line, *with).into_owned()
    })
}

/// The name of a line, as wide as names are.
fn name(line: &str) -> &str {
    line.get(..11).map_or(line, |name| name.trim_end())
}

/// The forms of the lines, but for those of these names.
fn forms(text: &str, but: &[&str]) -> Vec<String> {
    let text = text.replace(LATE, "");
    let lines = text.lines().filter(|line| !but.contains(&name(line)));
    let shown =
        |line: &str| if NAMED.contains(&name(line)) { name(line).to_owned() } else { form(line) };
    lines.map(shown).collect()
}

/// Compares a report with an example, but for lines of these names in the one and the other.
#[track_caller]
fn has_form(number: u8, outcome: &Outcome, not_here: &[&str], only_here: &[&str]) {
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let example = example(number);
    assert_eq!(forms(&text, only_here), forms(&example, not_here), "{outcome}");
    // Of the line of the connections the times stand in a column of their own.
    let column = |text: &str| text.lines().find(|line| name(line) == "connect")?.find("p50");
    assert_eq!(column(&text), column(&example), "{outcome}");
}

/// What the specification shows.
fn example(number: u8) -> String {
    let example = EXAMPLES.split(&format!("# {number}\n")).nth(1).unwrap();
    // What came after the window came after it by chance.
    example.split("# ").next().unwrap().replace(LATE, "")
}

const LATE: &str = "; the others came after the window";

/// What a busy machine must not change.
const PATIENT: [&str; 3] = ["--max-lateness", "never", "--quiet"];

fn run(url: &str, flags: &str) -> Outcome {
    let flags: Vec<&str> = flags.split(' ').collect();
    Program::new([&["bench", url], &flags[..], &PATIENT].concat()).run()
}

#[test]
fn a_rate_that_is_held() {
    let (serve, url) = serve();
    let flags = "--pub 4 --sub 2 --rate 200 -q 1 --for 1s --warmup 0.2 --fail p99>20000ms";
    let outcome = run(&url, &format!("{flags} --tolerate overload,unsent"));
    has_form(1, &outcome, &[], &["overload", "note"]);
    drop(serve);
}

#[test]
fn as_fast_as_it_goes() {
    let (serve, url) = serve();
    let outcome = run(&url, "--pub 2 --sub 2 -q 1 --size 64 --for 1s --warmup 0.2");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("closed loop, 1,000 in flight each\n"), "{outcome}");
    has_form(2, &outcome, &[], &[]);
    drop(serve);
}

#[test]
fn more_connections_than_the_server_takes() {
    let (serve, url) = serve_with(&["--tls", "--limit", "connections=110"]);
    let flags =
        "--insecure --connect 120 --connect-rate 500 -k 2 --for 2.5s --tolerate disconnected";
    let outcome = run(&url, flags);
    // A listen queue that is full would need a server of its own.
    has_form(3, &outcome, &["hint"], &["hint", "lost"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    drop(serve);
}

#[test]
fn a_rate_at_which_it_breaks() {
    let (serve, url) = serve();
    let flags = "--pub 2 --sub 2 --ramp 50:400:x2 --for 0.5s --fail sent_rate>300";
    let outcome = run(&url, &format!("{flags} --tolerate overload,unsent"));
    has_form(4, &outcome, &["overload"], &["overload"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
}

#[test]
fn all_come_back_at_once() {
    let broker = KeepingBroker::start(Quirk::None);
    let flags = "-V 5 --pub 2 --sub 10 --rate 100 -q 1 -c -x 300 --for 3s --warmup 0.2 --drain 1";
    let rest = "--cut sub:100%@0.5s --tolerate overload,unsent";
    let outcome = run(&broker.url(), &format!("{flags} {rest}"));
    has_form(5, &outcome, &[], &["overload", "note"]);
}
