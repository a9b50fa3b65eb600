//! Reports of `mqttws check` that a person has read once, as files in `reports/`, and later reports
//! compared with them.
//!
//! A file has a line for each point: its verdict, name and versions, and what was seen, in which
//! `*` stands for what differs from run to run. Below each deviation stands why it is right. `any`
//! instead of a verdict: this point is not compared, and why.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::folder::Folder;
use super::program::{Outcome, Program};

/// How long a report may take: nothing in it waits for more than 75 s, but on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

/// The indent of the reasons.
const INDENT: &str = "    ";

/// What stands for whatever differs from run to run.
const ANY: &str = "*";

/// Checks the server at `url`, which is reached with the flags `login`, and compares the report
/// with that stored as `name`.
pub fn compare(name: &str, url: &str, login: &[&str], flags: &[&str]) {
    // Many servers load what they need with the first client, which is no fault of theirs.
    let ping = ["ping", url, "-c", "1", "--connect-timeout", "30"];
    let outcome = Program::new([&ping, login].concat()).spawn().finish_within(PATIENCE);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let folder = Folder::new();
    let stored = StoredReport::read(&path_of(name));
    let baseline = folder.write("baseline.json", stored.baseline(url));
    let report = folder.path().join("report.json").display().to_string();
    let files = ["--baseline", &baseline, &format!("--json={report}")];
    let words = [&["check", url], &files[..], login, flags].concat();
    let outcome = Program::new(words).spawn().finish_within(PATIENCE);
    let read = std::fs::read_to_string(&report);
    let read = read.unwrap_or_else(|error| panic!("no report: {error}\n{outcome}"));
    stored.expect(name, &lines_of(&serde_json::from_str(&read).unwrap()), &outcome);
}

/// Where a report is stored.
fn path_of(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/reports");
    folder.join(format!("{name}.txt"))
}

/// A report that was read by a person.
struct StoredReport {
    /// What stands before the first point.
    head: String,
    lines: Vec<ReportLine>,
}

/// A line about a point, and the reason below it, if there is one.
struct ReportLine {
    text: String,
    reason: String,
}

impl ReportLine {
    fn verdict(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.words_before_the_colon().next().unwrap_or_default()
    }

    /// The name of the point and the versions.
    fn words_before_the_colon(&self) -> impl Iterator<Item = &str> {
        let (known, _) = self.text.split_once(": ").unwrap_or((&self.text, ""));
        known.split(' ').skip(1)
    }

    /// The line up to the words that say how a connection ended: where a server sends Close and RST
    /// at once, a busy machine sees the one or the other.
    fn without_end(&self) -> &str {
        let end = ["FIN", "RST", "Close 1"].iter().filter_map(|word| self.text.find(word)).min();
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Whether a person has to say why it is right.
    fn is_deviation(&self) -> bool {
        !matches!(self.verdict(), "PASS" | "n.a.")
    }
}

impl StoredReport {
    /// The file; an empty one if there is none.
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut stored = Self { head: String::new(), lines: Vec::new() };
        for line in text.lines() {
            match stored.lines.last_mut() {
                Some(last) if line.starts_with(INDENT) => last.reason.extend([line, "\n"]),
                None if line.starts_with('#') || line.is_empty() => {
                    stored.head.extend([line, "\n"]);
                }
                _ => stored.lines.push(ReportLine { text: line.to_owned(), reason: String::new() }),
            }
        }
        stored
    }

    /// What failed then, as `--baseline` reads it.
    fn baseline(&self, url: &str) -> String {
        let failed = self.lines.iter().filter(|entry| matches!(entry.verdict(), "FAIL" | "any"));
        let mut points = Vec::new();
        for entry in failed {
            let mut versions: Vec<&str> = entry.words_before_the_colon().skip(1).collect();
            if versions.is_empty() || entry.verdict() == "any" {
                versions = vec!["", "5", "3.1.1", "3.1"];
            }
            for version in versions {
                points.push(json!({"name": entry.name(), "version": version, "verdict": "FAIL"}));
            }
        }
        json!({"format": 1, "url": url, "points": points}).to_string()
    }

    /// The names of the points that are not compared.
    fn uncompared(&self) -> BTreeSet<&str> {
        let lines = self.lines.iter().filter(|line| line.verdict() == "any");
        lines.map(ReportLine::name).collect()
    }

    /// Compares a new report with this one; that its failures are known to `--baseline`, too.
    fn expect(&self, name: &str, lines: &[String], outcome: &Outcome) {
        let new: Vec<ReportLine> = lines.iter().map(|line| self.with_reason(line)).collect();
        let uncompared = self.uncompared();
        let compared = |lines: &[ReportLine]| -> BTreeSet<String> {
            let kept = lines.iter().filter(|line| !uncompared.contains(line.name()));
            kept.map(|line| line.without_end().to_owned()).collect()
        };
        let (was, is) = (compared(&self.lines), compared(&new));
        let gone = was.difference(&is).map(|line| format!("was: {line}\n"));
        let come = is.difference(&was).map(|line| format!("now: {line}\n"));
        let difference: String = gone.chain(come).collect();
        if difference.is_empty() && outcome.code() == Some(0) {
            return;
        }
        let file = self.write(name, &new);
        panic!(
            "the report differs from tests/interop/reports/{name}.txt:\n{difference}\nIf it is \
             right, copy {file} there, and write down why.\n{}{outcome}",
            String::from_utf8_lossy(&outcome.stdout)
        );
    }

    /// This line with the reason that is stored for it.
    fn with_reason(&self, line: &str) -> ReportLine {
        let mut entry = ReportLine { text: line.to_owned(), reason: String::new() };
        let known = self.lines.iter().find(|known| known.without_end() == entry.without_end());
        match known {
            Some(known) => entry.reason.clone_from(&known.reason),
            None if entry.is_deviation() => entry.reason = format!("{INDENT}TODO\n"),
            None => {}
        }
        entry
    }

    /// Writes what may be stored instead, and returns its path.
    fn write(&self, name: &str, new: &[ReportLine]) -> String {
        let uncompared = self.uncompared();
        let is_uncompared = |line: &&ReportLine| uncompared.contains(line.name());
        let kept = self.lines.iter().filter(is_uncompared);
        let mut text = self.head.clone();
        for line in kept.chain(new.iter().filter(|line| !is_uncompared(line))) {
            write!(text, "{}\n{}", line.text, line.reason).unwrap();
        }
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }
}

/// A report as lines; versions in which the same was seen share one.
fn lines_of(report: &Value) -> Vec<String> {
    let url = report["url"].as_str().unwrap();
    let place = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let mut lines: Vec<[String; 3]> = Vec::new();
    for point in report["points"].as_array().unwrap() {
        let text = |key: &str| point[key].as_str().unwrap_or_default().to_owned();
        let known = format!("{} {}", text("verdict"), text("name"));
        let words = masked(&text("name"), &text("observed").replace(place, ANY));
        let version = point["version"].as_str().map_or(String::new(), |it| format!(" {it}"));
        match lines.last_mut() {
            Some([last, versions, seen]) if *last == known && *seen == words => {
                *versions += &version;
            }
            _ => lines.push([known, version, words]),
        }
    }
    lines
        .into_iter()
        .map(|[known, versions, words]| format!("{known}{versions}: {words}"))
        .collect()
}

/// What was seen, with [`ANY`] for times, identifiers, and numbers that differ from run to run.
fn masked(name: &str, words: &str) -> String {
    let words = match name {
        // How many came to each member of a group.
        "shared-once" => words.split(';').next().unwrap_or_default(),
        // Whether all came in time depends on the machine.
        "slow-reader" => words.split(" packets came").next().unwrap_or_default(),
        _ => words,
    };
    let words = without_ends(words);
    let tokens: Vec<&str> = words.split(' ').collect();
    let kept = (0..tokens.len()).filter(|at| !is_hex(tokens[*at]));
    kept.map(|at| masked_token(&tokens, at)).collect::<Vec<_>>().join(" ")
}

/// What was seen of several tries, each once, without the end of the stream after a Close frame:
/// which one comes, and whether in time to be told, depends on who is faster.
fn without_ends(words: &str) -> String {
    let mut seen = Vec::new();
    for try_of in words.split("; ") {
        let said = try_of.trim_end_matches(", then FIN").trim_end_matches(", then RST");
        if !seen.contains(&said) {
            seen.push(said);
        }
    }
    seen.join("; ")
}

/// The token without the signs around it.
fn core(token: &str) -> &str {
    token.trim_matches(['(', ')', ',', ';', ':'])
}

/// Bytes in brackets: they hold topics and identifiers of this run.
fn is_hex(token: &str) -> bool {
    let digits = core(token);
    let is_digit = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
    token.starts_with('(') && digits.len() >= 8 && digits.chars().all(is_digit)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.parse::<f64>().is_ok() && !word.starts_with(['-', '+'])
}

/// The token at this place, with what differs from run to run replaced.
fn masked_token(tokens: &[&str], at: usize) -> String {
    let token = tokens[at];
    let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |token| core(token));
    let [before, first] = [1, 2].map(|back| word(at.checked_sub(back)));
    let [after, last] = [1, 2].map(|on| word(Some(at + on)));
    let it = core(token);
    let is_time = matches!(after, "s" | "ms");
    let is_share = after == "of" && is_number(last) || before == "of" && is_number(first);
    let is_count = at > 0 && tokens[at - 1] == "(and";
    // 0 is no identifier, and is named for that.
    let is_id = it != "0" && (before == "identifier" || before == "of" && first == "instead");
    let is_measured = is_time || is_share || is_count || is_id;
    if is_number(it) && is_measured || is_identifier(it) {
        return token.replace(it, ANY);
    }
    if it.contains("mqttws") { token.replace(it, &masked_path(it)) } else { token.to_owned() }
}

/// Something that a server has made up.
fn is_identifier(word: &str) -> bool {
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_plain && word.len() >= 16 && has(char::is_ascii_digit)
}

/// A topic or a path without the name of the run and the number of the point.
fn masked_path(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let is_of_run = |at: usize| {
        is_number(segments[at])
            || at >= 2 && segments[at - 2..at] == ["mqttws", "check"]
            || segments[at] != "$SYS" && segments.get(at + 1) == Some(&"mqttws-check")
    };
    let mask = |at: usize| if is_of_run(at) { ANY } else { segments[at] };
    (0..segments.len()).map(mask).collect::<Vec<_>>().join("/")
}

#[test]
fn every_deviation_that_is_stored_has_its_reason() {
    for file in std::fs::read_dir(path_of("x").parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        let stored = StoredReport::read(&path);
        assert!(stored.lines.len() >= 60 && !stored.head.is_empty(), "{}", path.display());
        for entry in &stored.lines {
            let has_reason = !entry.reason.is_empty() && !entry.reason.contains("TODO");
            assert!(has_reason == entry.is_deviation(), "{}: {}", path.display(), entry.text);
        }
    }
}

#[test]
fn only_the_end_of_a_connection_is_not_compared() {
    let line = |text: &str| ReportLine { text: text.to_owned(), reason: String::new() };
    let fin = line("PASS reserved-opcode 3.1.1: opcode 0xb: FIN without a Close frame");
    for close in ["Close 1002 (protocol error)", "RST without a Close frame"] {
        let close = line(&format!("PASS reserved-opcode 3.1.1: opcode 0xb: {close}"));
        assert_eq!(close.without_end(), fin.without_end());
    }
    for other in ["PASS reserved-opcode 3.1.1: opcode 0xc: FIN", "FAIL reserved-opcode 3.1.1: FIN"]
    {
        assert_ne!(line(other).without_end(), fin.without_end());
    }
    let whole = line("WARN path-unknown: 101 without a subprotocol");
    assert_eq!(whole.without_end(), whole.text);
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let cases = [
        ("3 of 105 refusals came with a Close frame", "* of * refusals came with a Close frame"),
        ("a Ping of 126 bytes, MQTT 3.1.1: QoS 0", "a Ping of 126 bytes, MQTT 3.1.1: QoS 0"),
        ("ended after 15.1 s: Close 1000, then RST", "ended after * s: Close 1000"),
        ("Close 1002, then FIN; Close 1002, then RST", "Close 1002"),
        ("assigned 18390578712776423141 and 93624614900863660", "assigned * and *"),
        ("to mqttws/check/BJw667Oj/a/68, (312e00266d) here", "to mqttws/check/*/a/*, here"),
        ("/XIwMxlc0/mqttws-check: 404 Not Found", "/*/mqttws-check: 404 Not Found"),
        ("packet identifier 0, to $SYS/mqttws-check", "packet identifier 0, to $SYS/mqttws-check"),
        (
            "the identifier 1 instead of 2 (and 14 more)",
            "the identifier * instead of * (and * more)",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(masked("ping", words), expected);
    }
}
