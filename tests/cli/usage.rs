//! The command line itself: what is refused before anything is connected, and what is told on request.

use crate::support::lines::{self, fails};
use crate::support::program::Program;

/// Checks that the program refuses these arguments with a line like `pattern`.
fn refuses(arguments: &[&str], pattern: &str) {
    fails(&Program::new(arguments).run(), 2, pattern);
}

#[test]
fn a_verb_is_needed() {
    refuses(&[], lines::ANY);
    refuses(&["publish-all"], "mqttws: *publish-all*");
}

#[test]
fn an_unknown_flag_is_named() {
    refuses(&["pub", "--no-such-flag"], "mqttws: *--no-such-flag*");
    refuses(&["sub", "--no-such-flag"], "mqttws: *--no-such-flag*");
    refuses(&["ping", "--no-such-flag"], "mqttws: *--no-such-flag*");
    refuses(&["serve", "--no-such-flag"], "mqttws: *--no-such-flag*");
}

#[test]
fn pub_needs_a_topic_and_one_message() {
    refuses(&["pub", "-m", "x"], "mqttws: *topic*");
    refuses(&["pub", "-t", "t"], "mqttws: *");
    refuses(&["pub", "-t", "t", "-m", "x", "-n"], "mqttws: *");
    refuses(&["pub", "-t", "t", "-l", "-s"], "mqttws: *");
}

#[test]
fn pub_wants_a_topic_without_wildcards() {
    refuses(&["pub", "-t", "a/+", "-m", "x"], "mqttws: *a/+*");
    refuses(&["pub", "-t", "a/#", "-m", "x"], "mqttws: *a/#*");
    refuses(&["pub", "-t", "", "-m", "x"], "mqttws: *topic*");
}

#[test]
fn sub_needs_filters_that_are_valid() {
    refuses(&["sub"], "mqttws: *topic*");
    refuses(&["sub", "-t", "a/#/b"], "mqttws: *a/#/b*");
    refuses(&["sub", "-t", "a+"], "mqttws: *a+*");
    refuses(&["sub", "-t", ""], "mqttws: *topic*");
}

#[test]
fn numbers_have_their_ranges() {
    refuses(&["pub", "-t", "t", "-m", "x", "-q", "3"], "mqttws: *3*");
    refuses(&["sub", "-t", "t", "-q", "-1"], "mqttws: *");
    refuses(&["sub", "-t", "t", "-C", "many"], "mqttws: *many*");
    refuses(&["sub", "-t", "t", "-W", "soon"], "mqttws: *soon*");
    refuses(&["sub", "-t", "t", "-k", "65536"], "mqttws: *65536*");
    refuses(&["sub", "-t", "t", "-p", "65536"], "mqttws: *65536*");
    refuses(&["sub", "-t", "t", "-V", "6"], "mqttws: *6*");
    refuses(&["sub", "-t", "t", "--connect-timeout", "-1"], "mqttws: *");
}

#[test]
fn other_schemes_get_an_explanation() {
    refuses(&["sub", "mqtt://127.0.0.1", "-t", "t"], "mqttws: *mqtt://*ws://*");
    refuses(&["sub", "mqtts://127.0.0.1", "-t", "t"], "mqttws: *mqtts://*wss://*");
    refuses(&["sub", "ftp://127.0.0.1", "-t", "t"], "mqttws: *ftp*");
    refuses(&["sub", "ws://", "-t", "t"], "mqttws: *");
    refuses(&["sub", "ws://127.0.0.1:port/", "-t", "t"], "mqttws: *port*");
    refuses(&["sub", "ws://127.0.0.1/#part", "-t", "t"], "mqttws: *#*");
}

#[test]
fn a_password_is_never_shown() {
    let outcome = Program::new(["sub", "mqtt://ann:s3cret@127.0.0.1", "-t", "t"]).run();
    fails(&outcome, 2, lines::ANY);
    assert!(!String::from_utf8_lossy(&outcome.stderr).contains("s3cret"), "{outcome}");
}

#[test]
fn help_and_version_are_told_on_standard_output() {
    for arguments in
        [&["--help"][..], &["help", "pub"], &["pub", "--help"], &["sub", "--help"], &["--version"]]
    {
        let outcome = Program::new(arguments).run();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        assert!(!outcome.stdout.is_empty() && outcome.stderr.is_empty(), "{outcome}");
    }
    let version = Program::new(["--version"]).run();
    version.expect(0, format!("mqttws {}\n", env!("CARGO_PKG_VERSION")), "");
}
