//! A signal at any moment: the run ends with its report or a line, and leaves nothing at the broker.

use std::fs;

use serde_json::Value;

use crate::serve::serve_for_others as serve;
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// The load: it retains messages, and its sessions are kept.
const LOAD: &str = "--pub 2 --sub 2 --rate 200 -q 1 -r --retained -c -x 60 --for 1h --warmup 0.2";

/// The program, sent SIGTERM at these times, in seconds from its start, by a shell: it would let
/// its children ignore SIGINT.
fn terminated(words: &[&str], moments: &[f64]) -> Outcome {
    let mut before = 0.0;
    let steps = moments.iter().map(|at| {
        let wait = at - std::mem::replace(&mut before, *at);
        format!("sleep {wait:.4}; kill $id; ")
    });
    let script = format!("\"$0\" \"$@\" & id=$!; {}wait $id", steps.collect::<String>());
    Program::of("sh", [&["-c", &script, env!("CARGO_BIN_EXE_mqttws")][..], words].concat()).run()
}

/// The program, sent SIGINT so many seconds after its start.
fn interrupted(words: &[&str], at: f64) -> Outcome {
    let (at, program) = (format!("{at:.4}"), env!("CARGO_BIN_EXE_mqttws"));
    let timeout = ["--preserve-status", "-s", "INT", &at, program];
    Program::of("timeout", [&timeout[..], words].concat()).run()
}

/// What a client finds at the broker.
fn ask(words: &[&str]) -> Outcome {
    Program::new(words).run()
}

#[test]
fn a_signal_at_any_moment_leaves_nothing_behind() {
    let (broker, url) = serve();
    ask(&["pub", &url, "-t", "x", "-m", "here", "-r", "-q", "1"]).expect(0, "", "");
    let folder = Folder::new();
    let file = folder.path().join("report.json").display().to_string();
    let mut random = fastrand::Rng::with_seed(1729);
    for number in 0..12 {
        let at = random.f64() * if number % 2 == 0 { 0.1 } else { 1.2 };
        let again = at + random.f64() * 0.2;
        let moments = if number % 3 == 0 { vec![at, again] } else { vec![at] };
        let run = format!("{:08x}", number + 0x5151);
        let json = format!("--json={file}");
        let common = ["bench", &url, "-V", "5", "--run", &run, &json, "--max-lateness", "never"];
        let words: Vec<&str> = common.into_iter().chain(LOAD.split(' ')).collect();
        let outcome = terminated(&words, &moments);
        let told = format!("{number}: at {moments:?}: {outcome}");
        assert_eq!(outcome.code(), Some(143), "{told}");
        if let Ok(text) = fs::read_to_string(&file) {
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{told}: {text}");
        }
        assert!(fs::read_dir(folder.path()).unwrap().count() <= 1, "{told}");
        let filter = format!("mqttws/bench/{run}/#");
        let retained = ask(&["sub", &url, "-t", &filter, "-W", "0.5"]);
        assert!(retained.stdout.is_empty(), "{told}: {retained}");
        for role in ["s0", "s1", "p0", "p1"] {
            let id = format!("b{run}{role}");
            let flags = ["sub", &url, "-V", "5", "-c", "-x", "0", "-i", &id, "-t", "x"];
            let session = ask(&[&flags[..], &["-d", "-C", "1"]].concat()).to_string();
            assert!(session.contains("received CONNACK (0)"), "{told}: {session}");
            assert!(!session.contains("session present"), "{told}: {session}");
        }
    }
    drop(broker);
}

#[test]
fn a_signal_is_noticed_wherever_a_run_is() {
    let (broker, url) = serve();
    // Between the first connection and the load, and between two runs, nobody looks for it.
    for (runs, length, step) in [("1", "1h", 0.02), ("100", "0.1", 0.09)] {
        let words = ["bench", &url, "-V", "5", "--runs", runs, "--for", length, "--rate", "100"];
        let words = [&words[..], &["--warmup", "0", "--max-lateness", "never"]].concat();
        for number in 1..=8 {
            let outcome = interrupted(&words, f64::from(number) * step);
            let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
            assert_eq!(outcome.code(), Some(130), "{number}: {outcome}");
            // Before it watches signals one ends it as it ends any program.
            assert!(text.is_empty() || text.contains("interrupted after "), "{number}: {outcome}");
        }
    }
    drop(broker);
}
