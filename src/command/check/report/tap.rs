//! The report in the Test Anything Protocol, version 14.

use std::fmt::Write;

use super::super::finding::Verdict;
use super::super::run::{FindingOrigin, PointResult};
use super::{Report, case_name, sanitised};

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut out = "TAP version 14\n".to_owned();
    if let Some((_, words)) = &report.failure {
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "Bail out! {}", sanitised(words));
        return out;
    }
    let _ = writeln!(out, "1..{}", report.results.len());
    for (number, result) in (1..).zip(&report.results) {
        case(number, result, &mut out);
    }
    out
}

fn case(number: usize, result: &PointResult, out: &mut String) {
    let is_fault = result.origin == FindingOrigin::Fault;
    let ok = if result.verdict == Verdict::Fail || is_fault { "not ok" } else { "ok" };
    let name = format!("{}/{}", result.point.group(), case_name(result));
    let directive = match result.verdict {
        Verdict::Fail if !result.is_new_failure() => {
            concat!(" # TO", "DO known deviation").to_owned()
        }
        Verdict::NotApplicable | Verdict::Unknown if !is_fault => {
            let reason = sanitised(&result.observed);
            format!(" # SKIP {}: {reason}", result.verdict.name())
        }
        _ => String::new(),
    };
    let _ = writeln!(out, "{ok} {number} - {name}{directive}");
    if matches!(result.verdict, Verdict::Fail | Verdict::Warn) || is_fault {
        let _ = writeln!(out, "  ---\n  verdict: {}", result.verdict.name());
        for (key, value) in [
            ("clause", result.point.clauses.join(", ")),
            ("observed", result.observed.clone()),
            ("remedy", result.remedy.to_owned()),
        ] {
            let _ = writeln!(out, "  {key}: {}", quoted(&value));
        }
        out.push_str("  ...\n");
    }
}

/// A YAML string in double quotes.
fn quoted(text: &str) -> String {
    let text = sanitised(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}
