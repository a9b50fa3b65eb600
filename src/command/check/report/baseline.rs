//! `--baseline`: what failed in a former report is known, and does not count.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::finding::Verdict;
use super::super::run::{Novelty, PointResult};
use super::Report;

/// The failures of a former report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The address that was checked.
    pub url: String,
    /// Name and version of each point that failed.
    failed: BTreeSet<(String, String)>,
}

impl Baseline {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || {
            let text = std::fs::read_to_string(path)?;
            Self::parse(&text)
        };
        read().with_context(|| format!("reading the baseline {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(text).context("it is not JSON")?;
        let is_known = report["format"] == 1 && report["points"].is_array();
        ensure!(is_known, "it is no report of `mqttws check --json` with \"format\":1");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let points = report["points"].as_array().into_iter().flatten();
        let failed = points.filter(|point| point["verdict"] == "FAIL");
        let failed = failed.map(|point| (text(&point["name"]), text(&point["version"])));
        Ok(Self { url: text(&report["url"]), failed: failed.collect() })
    }

    /// Whether this point failed in the former report.
    pub fn holds(&self, result: &PointResult) -> bool {
        self.failed.contains(&key(result))
    }

    /// Marks the known failures of a report, and lists those that are none any more.
    pub fn apply(&self, report: &mut Report) {
        let mut fixed = self.failed.clone();
        for result in &mut report.results {
            match result.verdict {
                Verdict::Fail if self.holds(result) => result.novelty = Novelty::Known,
                Verdict::Pass | Verdict::Warn => continue,
                Verdict::Fail | Verdict::NotApplicable | Verdict::Unknown => {}
            }
            fixed.remove(&key(result));
        }
        let asked = |name: &str| report.results.iter().any(|result| result.point.name == name);
        let fixed = fixed.into_iter().filter(|(name, _)| asked(name));
        let words = |(name, version): (String, String)| {
            if version.is_empty() { name } else { format!("{name} (MQTT {version})") }
        };
        report.fixed = fixed.map(words).collect();
    }
}

/// Name and version of a result, as the report has them.
fn key(result: &PointResult) -> (String, String) {
    let version = result.version.map_or_else(String::new, |version| version.to_string());
    (result.point.name.to_owned(), version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_are_baselines() {
        for text in ["", "{}", r#"{"format":2,"points":[]}"#, "[1]"] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
        let text = r#"{"format":1,"url":"ws://h/","points":[
            {"name":"ping","version":"5","verdict":"FAIL"},{"name":"clock","verdict":"PASS"}]}"#;
        let baseline = Baseline::parse(text).unwrap();
        assert_eq!(baseline.failed, [("ping".to_owned(), "5".to_owned())].into());
    }
}
