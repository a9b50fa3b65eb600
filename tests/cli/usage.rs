//! The command line itself: what is refused before anything is connected, and what is told on
//! request.

use crate::support::lines::fails;
use crate::support::program::Program;

/// Checks that the program refuses these arguments with this line, in which `*` is anything.
fn refuses(arguments: &[&str], pattern: &str) {
    fails(&Program::new(arguments).run(), 2, pattern);
}

#[test]
fn a_verb_is_needed() {
    refuses(
        &["publish-all"],
        "mqttws: unknown command 'publish-all'; a similar command exists: pub; see mqttws --help",
    );
    refuses(
        &["help", "me"],
        "mqttws: unknown command 'me': the commands are *pub, *sub, *ping*; see mqttws --help",
    );
}

#[test]
fn an_unknown_flag_is_named() {
    refuses(
        &["sub", "-t", "t", "-q", "-1"],
        "mqttws: invalid value '-1' for '--qos <QOS>': expected 0, 1 or 2; see mqttws help sub",
    );
    for verb in ["pub", "sub", "ping", "serve"] {
        refuses(
            &[verb, "--no-such-flag"],
            &format!("mqttws: unexpected argument '--no-such-flag' found; see mqttws help {verb}"),
        );
    }
    refuses(
        &["sub", "--qo"],
        "mqttws: unexpected argument '--qo' found; a similar argument exists: --qos; \
         see mqttws help sub",
    );
    refuses(
        &["pub", "-t", "t", "-n", "--no-tls"],
        "mqttws: --no-tls: use a ws:// address; see mqttws help pub",
    );
}

/// `-p SECRET` is a slip for `-P SECRET`.
#[test]
fn what_was_typed_for_a_port_is_not_shown() {
    let port = "mqttws: invalid value for '--port <PORT>': expected a number from";
    for value in ["s3cret", "0", "65536", "-1x"] {
        let given = format!("-p{value}");
        refuses(
            &["sub", "-t", "t", &given],
            &format!("{port} 1 to 65535; the flag for the password is -P; see mqttws help sub"),
        );
    }
    for value in ["s3cret", "65536"] {
        let line = format!("{port} 0 to 65535; see mqttws help serve");
        refuses(&["serve", "-p", value], &line);
    }
}

#[test]
fn a_value_is_there_or_not() {
    refuses(&["sub", "-t", "t", "-q"], "mqttws: --qos <QOS> needs a value; see mqttws help sub");
    refuses(
        &["sub", "-t", "t", "--quiet=3"],
        "mqttws: unexpected value '3' for '--quiet'; see mqttws help sub",
    );
    refuses(
        &["ping", "--via", "x"],
        "mqttws: invalid value 'x' for '--via <WHAT>': expected mqtt, websocket or publish; \
         see mqttws help ping",
    );
}

#[test]
fn pub_needs_a_topic_and_one_message() {
    refuses(&["pub", "-m", "x"], "mqttws: --topic <TOPIC> is required; see mqttws help pub");
    refuses(
        &["pub", "-t", "t"],
        "mqttws: --message <TEXT>, --file <FILE>, --stdin-file, --stdin-line, --null-message or \
         --json is required; see mqttws help pub",
    );
    refuses(
        &["pub", "-t", "t", "-m", "x", "-n"],
        "mqttws: --message <TEXT> cannot be used with --null-message; see mqttws help pub",
    );
    refuses(
        &["pub", "-t", "t", "-l", "-s", "-m", "x"],
        "mqttws: --stdin-line cannot be used with --stdin-file or --message <TEXT>; \
         see mqttws help pub",
    );
}

#[test]
fn pub_wants_a_topic_without_wildcards() {
    for (topic, why) in [
        ("a/+", "a message cannot be published to '+' or '#'"),
        ("a/#", "a message cannot be published to '+' or '#'"),
        ("", "the topic is empty"),
    ] {
        refuses(&["pub", "-t", topic, "-m", "x"], &invalid(topic, "topic <TOPIC>", why, "pub"));
    }
}

#[test]
fn sub_needs_filters_that_are_valid() {
    refuses(&["sub", "-v"], "mqttws: --topic <FILTER> is required; see mqttws help sub");
    for (filter, why) in [
        ("a/#/b", "'#' must stand alone after the last slash, as in 'a/#'"),
        ("a+", "'+' must stand alone between slashes, as in 'a/+/b'"),
        ("", "the topic is empty"),
    ] {
        refuses(&["sub", "-t", filter], &invalid(filter, "topic <FILTER>", why, "sub"));
    }
}

/// The line about a value that does not fit its flag.
fn invalid(value: &str, flag: &str, why: &str, verb: &str) -> String {
    format!("mqttws: invalid value '{value}' for '--{flag}': {why}; see mqttws help {verb}")
}

#[test]
fn numbers_have_their_ranges() {
    let at_least_1 = "expected a number, at least 1";
    let seconds = "expected whole seconds from 0 to 65535, such as 45, 90s or 5m";
    let above_0 = "expected a time above 0";
    let time = "expected a time such as 2, 0.5, 500ms, 2s, 5m or 1h";
    for (flags, name, why) in [
        (&["sub", "-t", "t", "-C", "0"][..], "count <N>", at_least_1),
        (&["sub", "-t", "t", "-k", "65536"], "keepalive <SECS>", seconds),
        (&["sub", "-t", "t", "-k", "0.5"], "keepalive <SECS>", seconds),
        (&["sub", "-t", "t", "--connect-timeout", "0"], "connect-timeout <SECS>", above_0),
        (&["ping", "-W", "0"], "timeout <SECS>", above_0),
        (&["sub", "-t", "t", "-C", "many"], "count <N>", at_least_1),
        (&["ping", "-c", "0"], "count <N>", at_least_1),
        (
            &["pub", "-t", "t", "-n", "--repeat", "x"],
            "repeat <N>",
            "expected a number; 0 has no end",
        ),
        (&["pub", "-t", "t", "-m", "x", "-q", "3"], "qos <QOS>", "expected 0, 1 or 2"),
        (&["sub", "-t", "t", "-W", "soon"], "timeout <SECS>", time),
        (&["sub", "-t", "t", "-V", "6"], "protocol-version <VERSION>", "expected 5, 311 or 31*"),
    ] {
        refuses(flags, &invalid(flags[flags.len() - 1], name, why, flags[0]));
    }
}

#[test]
fn other_schemes_get_an_explanation() {
    refuses(
        &["sub", "mqtt://127.0.0.1", "-t", "t"],
        "mqttws: the URL: mqtt:// is MQTT without WebSockets, which mqttws does not speak: write \
         ws://HOST[:PORT]/PATH with the broker's WebSocket port",
    );
    refuses(
        &["sub", "mqtts://127.0.0.1", "-t", "t"],
        "mqttws: the URL: mqtts:// is MQTT without WebSockets, which mqttws does not speak: write \
         wss://HOST[:PORT]/PATH with the broker's WebSocket port",
    );
    refuses(
        &["sub", "ftp://127.0.0.1", "-t", "t"],
        "mqttws: the URL: unknown scheme ftp://: write ws:// or wss://",
    );
    refuses(&["sub", "ws://", "-t", "t"], "mqttws: the URL: the URL names no host");
    refuses(
        &["sub", "ws://127.0.0.1:port/", "-t", "t"],
        "mqttws: the URL: the port is not a number from 1 to 65535",
    );
    refuses(
        &["sub", "ws://127.0.0.1/#part", "-t", "t"],
        "mqttws: the URL: a WebSocket URL has no fragment: write # as %23",
    );
}

#[test]
fn a_password_is_never_shown() {
    let outcome = Program::new(["sub", "mqtt://ann:s3cret@127.0.0.1", "-t", "t"]).run();
    fails(
        &outcome,
        2,
        "mqttws: the URL: mqtt:// is MQTT without WebSockets, which mqttws does not speak: write \
         ws://HOST[:PORT]/PATH with the broker's WebSocket port",
    );
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

/// A device has no end.
#[test]
fn no_file_of_settings_is_read_without_bound() {
    for flags in [
        &["--password-file", "/dev/zero", "-u", "me"][..],
        &["--bearer", "@/dev/zero"],
        &["--header", "Authorization: @/dev/zero"],
        &["--auth-method", "m", "--auth-data-file", "/dev/zero"],
        &["--config", "/dev/zero"],
        &["-o", "/dev/zero"],
        &["-L", "wss://localhost", "--cafile", "/dev/zero"],
    ] {
        let outcome = Program::new([&["pub", "-t", "t", "-m", "x"], flags].concat()).run();
        fails(&outcome, 1, "mqttws: *read* /dev/zero: it has more than 16777216 bytes");
    }
}
