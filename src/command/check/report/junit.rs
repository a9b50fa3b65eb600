//! The report as JUnit XML, in the form that Jenkins and GitLab read.

use std::fmt::Write;

use super::super::finding::Verdict;
use super::super::points::groups;
use super::super::run::{FindingOrigin, PointResult};
use super::{Report, case_name, sanitised, text};

/// What a case counts as.
#[derive(Debug, Clone, Copy, Default)]
struct CaseCounts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    seconds: f64,
}

/// The whole document.
pub fn render(report: &Report) -> String {
    let mut suites = String::new();
    let mut all = CaseCounts::default();
    for group in groups() {
        let of_group = report.results.iter().filter(|result| result.point.group() == group.name);
        let cases: Vec<&PointResult> = of_group.collect();
        if !cases.is_empty() {
            let counts = suite(report, group.name, &cases, &mut suites);
            all = added(all, counts);
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"mqttws check\" {}>\n{suites}</testsuites>\n",
        attributes(all)
    )
}

/// The suite of a group.
fn suite(report: &Report, group: &str, cases: &[&PointResult], out: &mut String) -> CaseCounts {
    let mut counts = CaseCounts::default();
    let mut text = String::new();
    for result in cases {
        case(result, group, &mut counts, &mut text);
    }
    let started = report.course.started.trim_end_matches('Z');
    let host = escaped(&report.server.host);
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        out,
        " <testsuite name=\"{group}\" {} skipped=\"{}\" timestamp=\"{started}\" \
         hostname=\"{host}\">\n{text} </testsuite>",
        attributes(counts),
        counts.skipped
    );
    counts
}

/// The attributes of both `testsuites` and `testsuite`: the schema of JUnit allows `skipped` in the
/// second alone.
fn attributes(counts: CaseCounts) -> String {
    let CaseCounts { tests, failures, errors, seconds, .. } = counts;
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\"")
}

fn added(one: CaseCounts, other: CaseCounts) -> CaseCounts {
    CaseCounts {
        tests: one.tests + other.tests,
        failures: one.failures + other.failures,
        errors: one.errors + other.errors,
        skipped: one.skipped + other.skipped,
        seconds: one.seconds + other.seconds,
    }
}

fn case(result: &PointResult, group: &str, counts: &mut CaseCounts, out: &mut String) {
    counts.tests += 1;
    counts.seconds += result.time.as_secs_f64();
    let name = escaped(&case_name(result));
    let time = result.time.as_secs_f64();
    let start = format!(
        "  <testcase classname=\"mqttws.check.{group}\" name=\"{name}\" time=\"{time:.3}\""
    );
    // Writing to a `String` cannot fail.
    let _ = match inside(result, counts) {
        None => writeln!(out, "{start}/>"),
        Some(inside) => writeln!(out, "{start}>\n   {inside}\n  </testcase>"),
    };
}

/// What stands in a case, if anything does.
fn inside(result: &PointResult, counts: &mut CaseCounts) -> Option<String> {
    let (observed, details) = (escaped(&sanitised(&result.observed)), details(result));
    let is_of_server = result.point.name == "still-alive" && result.verdict == Verdict::Fail;
    let is_error = is_of_server || result.origin == FindingOrigin::Fault;
    Some(match result.verdict {
        _ if is_error => {
            counts.errors += 1;
            format!("<error type=\"error\" message=\"{observed}\">{details}</error>")
        }
        Verdict::Pass => return None,
        Verdict::Warn => format!("<system-out>WARN {observed}\n{details}</system-out>"),
        Verdict::Fail if result.is_new_failure() => {
            counts.failures += 1;
            let severity = result.point.severity.name();
            format!("<failure type=\"{severity}\" message=\"{observed}\">{details}</failure>")
        }
        Verdict::Fail => {
            counts.skipped += 1;
            "<skipped message=\"known deviation\"/>".to_owned()
        }
        Verdict::NotApplicable | Verdict::Unknown => {
            counts.skipped += 1;
            format!("<skipped message=\"{}: {observed}\"/>", result.verdict.name())
        }
    })
}

/// Clauses, what to do, and the evidence.
fn details(result: &PointResult) -> String {
    let mut text = result.point.clauses.join(", ");
    if !text.is_empty() {
        text.push_str("; ");
    }
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "to do: {}", result.remedy);
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
