//! `serve` passes every point, over ws and over wss.

use std::time::Duration;

use super::secure_front::{self, Faults};
use super::table::serve;
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::program::Program;
use crate::support::secure::Server;

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
    assert_eq!(passed(&url, &[]), (141, "interoperable".to_owned()));
}

#[test]
fn serve_passes_every_point_behind_tls() {
    let (_serve, url) = serve();
    let (authority, folder) = (Authority::new(), Folder::new());
    let roots = folder.write("roots.pem", authority.pem());
    let config = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY)).config();
    let secure = secure_front::start(&url, config, Faults::default());
    let (count, verdict) = passed(&secure, &["--cafile", &roots]);
    assert!(count >= 141, "{count}");
    assert_eq!(verdict, "interoperable");
}
