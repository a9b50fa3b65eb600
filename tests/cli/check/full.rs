//! `serve` passes every point, over ws and over wss.

use std::time::Duration;

use super::secure_front;
use super::table::serve;
use crate::support::folder::Folder;
use crate::support::program::Program;

/// A whole run takes 75 s, most of it waiting.
const LONG: Duration = Duration::from_secs(300);

/// How many points pass in a whole run in which none is found wanting, and its verdict.
fn passed(url: &str, flags: &[&str]) -> (usize, String) {
    let arguments = [&["check", url, "--full", "--json", "--quiet"], flags].concat();
    let outcome = Program::new(arguments).spawn().finish_within(LONG);
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = report["points"].as_array().unwrap();
    let bad =
        points.iter().filter(|point| point["verdict"] != "PASS" && point["verdict"] != "n.a.");
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    assert_eq!((outcome.code(), bad.join("\n")), (Some(0), String::new()));
    let passed = points.iter().filter(|point| point["verdict"] == "PASS");
    let mut names: Vec<&str> = passed.map(|point| point["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    (names.len(), report["verdict"].as_str().unwrap().to_owned())
}

#[test]
fn serve_passes_every_point() {
    let (_serve, url) = serve();
    assert_eq!(passed(&url, &[]), (142, "interoperable".to_owned()));
}

#[test]
fn serve_passes_every_point_behind_tls() {
    let (_serve, url) = serve();
    let folder = Folder::new();
    let (secure, roots) = secure_front::faultless(&url, &folder);
    let (count, verdict) = passed(&secure, &["--cafile", &roots]);
    assert!(count >= 141, "{count}");
    assert_eq!(verdict, "interoperable");
}
