//! The report as JUnit XML, in the form that Jenkins and GitLab read.

use std::fmt::Write;

use super::super::finding::Verdict;
use super::super::points::groups;
use super::super::run::PointResult;
use super::{Report, case_name, text};

/// What a case counts as.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    seconds: f64,
}

/// The whole document.
pub fn render(report: &Report) -> String {
    let mut suites = String::new();
    let mut all = Tally::default();
    for group in groups() {
        let of_group = report.results.iter().filter(|result| result.point.group() == group.name);
        let cases: Vec<&PointResult> = of_group.collect();
        if cases.is_empty() {
            continue;
        }
        let mut tally = Tally::default();
        let mut text = String::new();
        for result in cases {
            case(result, group.name, &mut tally, &mut text);
        }
        let started = report.started.trim_end_matches('Z');
        let host = escaped(&report.host);
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            suites,
            " <testsuite name=\"{}\" {} timestamp=\"{started}\" hostname=\"{host}\">",
            group.name,
            attributes(tally)
        );
        suites.push_str(&text);
        suites.push_str(" </testsuite>\n");
        all = added(all, tally);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"mqttws check\" {}>\n{suites}</testsuites>\n",
        attributes(all)
    )
}

fn attributes(tally: Tally) -> String {
    let Tally { tests, failures, errors, skipped, seconds } = tally;
    format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{seconds:.3}\""
    )
}

fn added(one: Tally, other: Tally) -> Tally {
    Tally {
        tests: one.tests + other.tests,
        failures: one.failures + other.failures,
        errors: one.errors + other.errors,
        skipped: one.skipped + other.skipped,
        seconds: one.seconds + other.seconds,
    }
}

fn case(result: &PointResult, group: &str, tally: &mut Tally, out: &mut String) {
    tally.tests += 1;
    tally.seconds += result.time.as_secs_f64();
    let name = escaped(&case_name(result));
    let time = result.time.as_secs_f64();
    let observed = escaped(&result.observed);
    let start = format!(
        "  <testcase classname=\"mqttws.check.{group}\" name=\"{name}\" time=\"{time:.3}\""
    );
    let is_error = result.point.name == "still-alive" && result.verdict == Verdict::Fail;
    let inside = match result.verdict {
        _ if is_error => {
            tally.errors += 1;
            format!("<error type=\"error\" message=\"{observed}\">{}</error>", details(result))
        }
        Verdict::Pass => {
            let _ = writeln!(out, "{start}/>");
            return;
        }
        Verdict::Warn => format!("<system-out>WARN {observed}\n{}</system-out>", details(result)),
        Verdict::Fail if !result.known => {
            tally.failures += 1;
            let severity = result.point.severity.name();
            let details = details(result);
            format!("<failure type=\"{severity}\" message=\"{observed}\">{details}</failure>")
        }
        Verdict::Fail => {
            tally.skipped += 1;
            "<skipped message=\"known deviation\"/>".to_owned()
        }
        Verdict::NotApplicable | Verdict::Unknown => {
            tally.skipped += 1;
            format!("<skipped message=\"{}: {observed}\"/>", result.verdict.name())
        }
    };
    let _ = writeln!(out, "{start}>\n   {inside}\n  </testcase>");
}

/// Clauses, what to do, and the evidence.
fn details(result: &PointResult) -> String {
    let clauses = result.point.clauses.join(", ");
    let mut text = format!("{clauses}; to do: {}\n", result.point.remedy);
    for line in &result.evidence {
        text += &text::evidence_line(line);
        text.push('\n');
    }
    escaped(text.trim_end())
}

/// Text in XML 1.0, which has no control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
