//! The command line itself: what is refused before anything is connected, and what is told on
//! request.

use crate::support::lines::fails;
use crate::support::program::Program;

/// A topic to publish to that holds a wildcard.
const WILDCARD: &str =
    "mqttws: *: a message cannot be published to '+' or '#'; see mqttws help pub";

/// Checks that the program refuses these arguments with a line like `pattern`.
fn refuses(arguments: &[&str], pattern: &str) {
    fails(&Program::new(arguments).run(), 2, pattern);
}

#[test]
fn a_verb_is_needed() {
    refuses(&[], "mqttws: a command is missing: *; see mqttws --help");
    refuses(&["publish-all"], "mqttws: unrecognized subcommand 'publish-all'; *see mqttws --help");
}

#[test]
fn an_unknown_flag_is_named() {
    refuses(
        &["pub", "--no-such-flag"],
        "mqttws: unexpected argument '--no-such-flag' found; *see mqttws help pub",
    );
    refuses(
        &["sub", "--no-such-flag"],
        "mqttws: unexpected argument '--no-such-flag' found; *see mqttws help sub",
    );
    refuses(
        &["ping", "--no-such-flag"],
        "mqttws: unexpected argument '--no-such-flag' found; *see mqttws help ping",
    );
    refuses(
        &["serve", "--no-such-flag"],
        "mqttws: unexpected argument '--no-such-flag' found; *see mqttws help serve",
    );
}

#[test]
fn pub_needs_a_topic_and_one_message() {
    refuses(&["pub", "-m", "x"], "mqttws: *required*--topic <TOPIC>; see mqttws help pub");
    refuses(&["pub", "-t", "t"], "mqttws: *required*--message <TEXT>|--file*; see mqttws help pub");
    refuses(
        &["pub", "-t", "t", "-m", "x", "-n"],
        "mqttws: *'--message <TEXT>' cannot be used with '--null-message'*",
    );
    refuses(
        &["pub", "-t", "t", "-l", "-s"],
        "mqttws: *'--stdin-line' cannot be used with '--stdin-file'*",
    );
}

#[test]
fn pub_wants_a_topic_without_wildcards() {
    refuses(&["pub", "-t", "a/+", "-m", "x"], WILDCARD);
    refuses(&["pub", "-t", "a/#", "-m", "x"], WILDCARD);
    refuses(&["pub", "-t", "", "-m", "x"], "mqttws: *: the topic is empty; see mqttws help pub");
}

#[test]
fn sub_needs_filters_that_are_valid() {
    refuses(&["sub"], "mqttws: *required*--topic <FILTER>; see mqttws help sub");
    refuses(
        &["sub", "-t", "a/#/b"],
        "mqttws: *'a/#/b'*: '#' must stand alone after the last slash, as in 'a/#'*",
    );
    refuses(
        &["sub", "-t", "a+"],
        "mqttws: *'a+'*: '+' must stand alone between slashes, as in 'a/+/b'*",
    );
    refuses(&["sub", "-t", ""], "mqttws: *: the topic is empty; see mqttws help sub");
}

#[test]
fn numbers_have_their_ranges() {
    for flags in [
        &["sub", "-t", "t", "-C", "0"][..],
        &["ping", "-c", "0"],
        &["pub", "-t", "t", "-n", "--repeat", "x"],
    ] {
        refuses(
            flags,
            "mqttws: invalid value '*' for '--* <N>': expected a number, at least 1; see mqttws help *",
        );
    }
    refuses(
        &["pub", "-t", "t", "-m", "x", "-q", "3"],
        "mqttws: *'3' for '--qos <QOS>': expected 0, 1 or 2*",
    );
    refuses(&["sub", "-t", "t", "-q", "-1"], "mqttws: *");
    refuses(&["sub", "-t", "t", "-C", "many"], "mqttws: *'many' for '--count <N>'*");
    refuses(
        &["sub", "-t", "t", "-W", "soon"],
        "mqttws: *'soon' for '--timeout <SECS>': expected a time such as *",
    );
    refuses(&["sub", "-t", "t", "-k", "65536"], "mqttws: *: 65536 is not in *..=65535*");
    refuses(&["sub", "-t", "t", "-p", "65536"], "mqttws: *: 65536 is not in *..=65535*");
    refuses(&["sub", "-t", "t", "-V", "6"], "mqttws: *'6'*: expected 5, 311 or 31*");
    refuses(&["sub", "-t", "t", "--connect-timeout", "-1"], "mqttws: *");
}

#[test]
fn other_schemes_get_an_explanation() {
    refuses(
        &["sub", "mqtt://127.0.0.1", "-t", "t"],
        "mqttws: *mqtt:// is MQTT without WebSockets*ws://HOST*",
    );
    refuses(
        &["sub", "mqtts://127.0.0.1", "-t", "t"],
        "mqttws: *mqtts:// is MQTT without WebSockets*wss://HOST*",
    );
    refuses(
        &["sub", "ftp://127.0.0.1", "-t", "t"],
        "mqttws: *unknown scheme ftp://: write ws:// or wss://",
    );
    refuses(&["sub", "ws://", "-t", "t"], "mqttws: *the URL names no host");
    refuses(
        &["sub", "ws://127.0.0.1:port/", "-t", "t"],
        "mqttws: *the port is not a number from 1 to 65535",
    );
    refuses(
        &["sub", "ws://127.0.0.1/#part", "-t", "t"],
        "mqttws: *has no fragment: write # as %23",
    );
}

#[test]
fn a_password_is_never_shown() {
    let outcome = Program::new(["sub", "mqtt://ann:s3cret@127.0.0.1", "-t", "t"]).run();
    fails(&outcome, 2, "mqttws: *");
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
