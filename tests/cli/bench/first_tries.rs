//! What someone tries first who knows other tools, and what contradicts itself: one line says what
//! to do.

use super::{bench, object};
use crate::serve::{serve_for_others as serve, serve_with};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

const NOBODY: &str = "ws://127.0.0.1:1/mqtt";

#[test]
fn what_cannot_be_meant_is_refused_in_a_line_that_helps() {
    let see = "; see mqttws help bench";
    for (flags, why) in [
        (
            "--pub 0 --sub 0",
            "--pub, --sub, --connect: there is no connection: give one of them 1 at least",
        ),
        (
            "--rate 0",
            "invalid value '0' for '--rate <RATE>': expected messages a second, such as 500, 20k or 1.5M, up to 10M; see*",
        ),
        (
            "--arrival poisson",
            &format!(
                "--rate <RATE>, --ramp <[connect=]FROM:TO:STEP> or --find-max is required{see}"
            ),
        ),
        ("--find-max -C 5", &format!("--find-max cannot be used with --count <N>{see}")),
        (
            "--filter x/# --sub-all",
            &format!("--filter <PATTERN> cannot be used with --sub-all{see}"),
        ),
        (
            "--seed x",
            &format!(
                "invalid value 'x' for '--seed <N>': expected a whole number from 0 to 18446744073709551615{see}"
            ),
        ),
        (
            "--max-lateness x",
            &format!(
                "invalid value 'x' for '--max-lateness <TIME>': expected a time such as 500us, 5ms or 0.5s, or never{see}"
            ),
        ),
        ("--follow", "--follow: not with bench, which decides it itself"),
        ("-I x", "--id-prefix: not with bench, which decides it itself"),
        ("--reconnect-tries 3", "--reconnect-tries: not with bench, which decides it itself"),
        (
            "--proxy http://127.0.0.1:1",
            "bench measures a server, and no proxy on the way to it: give --no-proxy '*'",
        ),
        ("--merge a --pub 3", &format!("--merge <FILE>... cannot be used with --pub <N>{see}")),
        ("--merge a --for 3", &format!("--merge <FILE>... cannot be used with --for <TIME>{see}")),
    ] {
        let arguments = ["bench", "-L", "ws://10.0.0.1:1/mqtt"].into_iter().chain(flags.split(' '));
        let outcome = Program::new(arguments).run();
        fails(&outcome, 2, &format!("mqttws: {why}"));
    }
    let empty = ["bench", NOBODY, "--fail", ""];
    let why = "mqttws: invalid value '' for '--fail <LIST>': expected METRIC OP VALUE, such as *";
    fails(&Program::new(empty).run(), 2, why);
}

#[test]
fn a_file_beside_json_is_no_address() {
    let why = "mqttws: the value of --json stands after =: --json=out.json*";
    for words in ["bench --json out.json", "bench ws://127.0.0.1:1/mqtt --json out.json"] {
        fails(&Program::new(words.split(' ')).run(), 2, why);
    }
}

#[test]
fn users_of_a_file_and_a_user_are_one_too_many() {
    let folder = Folder::new();
    let file = folder.write("users", "one:1\n");
    let arguments = ["bench", NOBODY, "--users", &file, "-u", "me"];
    let why = "mqttws: --users <FILE> cannot be used with --username <NAME>; see mqttws help bench";
    fails(&Program::new(arguments).run(), 2, why);
    // What a profile says of all commands is not meant then.
    let profiles =
        folder.write("config.toml", "[profile.default]\nusername = \"me\"\npw = \"x\"\n");
    std::fs::set_permissions(&profiles, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let arguments = ["bench", NOBODY, "--users", &file, "--config", &profiles, "--dry-run"];
    let outcome = Program::new(arguments).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_server_far_away_is_not_even_connected_to() {
    // Documentation addresses (RFC 5737): nobody is there.
    let why = "mqttws: 192.0.2.1 is beyond this machine and private networks: a load for it needs \
               --allow-remote";
    fails(&Program::new(["bench", "ws://192.0.2.1/mqtt"]).run(), 2, why);
}

#[test]
fn a_plan_that_the_machine_cannot_do_is_printed_and_refused() {
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_mqttws");
    let arguments = ["-c", script, program, "bench", NOBODY, "--connect", "100", "--dry-run"];
    let outcome = Program::of("sh", arguments).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.starts_with("connections  100: ") && !text.contains("topic"), "{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.starts_with("mqttws: 100 connections need 140 file descriptors"), "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn what_the_server_has_said_it_does_not_take_is_not_sent() {
    let (serve, url) = serve_with(&["--limit", "packet=1000", "--limit", "max-qos=1"]);
    for (flags, why) in [
        (
            "--size 64..2K",
            "--size 64..2048: the packet has * bytes, but the broker accepts at most 1000",
        ),
        ("-q 2", "-q 2: the broker accepts QoS 1 at most"),
    ] {
        let arguments = ["bench", &url].into_iter().chain(flags.split(' '));
        fails(&Program::new(arguments).run(), 2, &format!("mqttws: {why}"));
    }
    let outcome = bench(&url, &["--size", "900", "-q", "1", "-C", "10"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
    let (serve, url) = serve_with(&["--limit", "retain=no"]);
    let outcome = Program::new(["bench", &url, "--retained", "-C", "10"]).run();
    let why = "mqttws: -r, --retained: the broker does not support retained messages";
    fails(&outcome, 2, why);
    drop(serve);
}

#[test]
fn subscriptions_that_the_server_has_denied_are_not_asked_for() {
    let (serve, url) = serve_with(&["--limit", "shared=no", "--limit", "wildcards=no"]);
    for (flags, why) in [
        ("--pub 1 --sub 2 --share-groups", "the broker does not support shared subscriptions"),
        ("--filter mqttws/#", "the broker does not support wildcards in subscriptions"),
    ] {
        let arguments = ["bench", &url].into_iter().chain(flags.split(' '));
        let why = format!("mqttws: subscribing to *: refused: {why}");
        fails(&Program::new(arguments).run(), 7, &why);
    }
    drop(serve);
}

#[test]
fn what_is_in_flight_is_what_the_server_allows() {
    let (serve, url) = serve_with(&["--limit", "receive-maximum=7"]);
    let in_flight = |flags: &str| {
        let flags: Vec<&str> = flags.split(' ').collect();
        let outcome = bench(&url, &flags).run();
        object(&outcome)["plan"]["inflight"].clone()
    };
    for (flags, expected) in [
        ("-q 1 -C 20", 7.into()),
        ("-q 1 -C 20 -M 5", 5.into()),
        ("-q 1 -C 20 -M none", 7.into()),
        ("-q 2 -C 20 -V 311", 20.into()),
        ("-q 1 -C 20 -V 311", 1000.into()),
        ("-q 1 --rate 100 -C 20", 7.into()),
        ("-C 20", 1000.into()),
        ("-C 20 -M 65535", 65535.into()),
        ("-C 20 -M none", serde_json::Value::Null),
        ("--rate 100 -C 20", serde_json::Value::Null),
    ] {
        assert_eq!(in_flight(flags), expected, "{flags}");
    }
    let outcome = Program::new(["bench", &url, "-q", "1", "-C", "20", "--quiet"]).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("closed loop, 7 in flight each\n"), "{outcome}");
    assert!(text.contains("MQTT 5, receive maximum 7\n"), "{outcome}");
    drop(serve);
}

#[test]
fn what_falsifies_the_figures_is_said_before() {
    let (serve, url) = serve();
    let outcome = Program::new(["bench", &url, "-C", "5"]).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let is_debug = cfg!(debug_assertions);
    assert_eq!(stderr.contains("mqttws: warning: this is a debug build, "), is_debug, "{outcome}");
    let quiet = Program::new(["bench", &url, "-C", "5", "--quiet"]).run();
    assert_eq!((quiet.code(), &quiet.stderr[..]), (Some(0), &b""[..]), "{quiet}");
    drop(serve);
}
