//! Command lines as users type them by mistake: the line says what to type instead. All of these are
//! refused before anything is connected.

use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// Each command line, its words separated by `|`, and the line without the program's name and the
/// name of the help. `*` is anything.
fn refuses(rows: &[(&str, &str)]) {
    for (words, line) in rows {
        let outcome = Program::new(words.split('|')).run();
        let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let text = text.trim_end();
        let text = text.split("; see mqttws ").next().unwrap_or_default();
        let expected = format!("mqttws: {line}");
        assert_eq!((outcome.code(), text), (Some(2), expected.as_str()), "{words}");
    }
}

#[test]
fn an_address_without_a_scheme() {
    refuses(&[
        (
            "sub|localhost:1883",
            "the URL has no scheme: write ws://localhost:1883/mqtt (1883 is mostly the port of \
             MQTT without WebSockets), and a topic filter with -t",
        ),
        ("sub|localhost:9001|-t|x", "the URL has no scheme: write ws://localhost:9001/mqtt"),
        ("sub|-L|h:9001/a|-t|x", "the URL has no scheme: write ws://h:9001/a"),
        ("ping|broker.example:8443", "the URL has no scheme: write wss://broker.example:8443/mqtt"),
        ("ping|wss:/h", "the URL has no scheme: write wss://h/mqtt"),
        (
            "pub|localhost|lab/door|open",
            "the URL has no scheme: write ws://localhost/mqtt -t lab/door -m open",
        ),
        (
            "sub|ann:s3cret@h:1|-t|x",
            "the URL: no scheme: write ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH",
        ),
    ]);
}

#[test]
fn a_host_is_a_host() {
    refuses(&[
        ("sub|-t|t|-h|ws://x", "-h takes a host: write the URL alone, without -h"),
        ("sub|-t|t|-h|x:9001", "-h takes a host: write the port with -p: -h x -p 9001"),
        ("sub|-t|t|-h|[::1]:9001", "-h takes a host: write the port with -p: -h [::1] -p 9001"),
        (
            "sub|-t|t|-h|x/mqtt",
            "-h takes a host: write the URL alone, or the path with --path and the port with -p",
        ),
        (
            "sub|-t|t|-h|ann:s3cret@x",
            "-h takes a host: write user name and password with -u and -P",
        ),
        (
            "serve|-h|localhost:9001",
            "-h: expected an IP address, not localhost:9001; the port goes to -p",
        ),
    ]);
}

#[test]
fn characters_that_a_url_cannot_hold() {
    refuses(&[
        ("sub|-t|t|ws://u:pa/ss@h/", "the URL: / in a user name or password is written %2F"),
        ("sub|-t|t|ws://u:pa?ss@h/", "the URL: ? in a user name or password is written %3F"),
        ("sub|-t|t|ws://u:pa#ss@h/", "the URL: a WebSocket URL has no fragment: write # as %23"),
        (
            "sub|-t|t|ws://u:p%ss@h/",
            "the URL: the user information in the URL is not properly percent-encoded: % in a user \
             name or password is written %25",
        ),
        ("sub|-t|t|ws://h/a b", "the URL: a blank in a URL is written %20"),
        ("sub|-t|t|ws://h/a\tb", "the URL: a tab in a URL is written %09"),
        ("sub|-t|t|ws://h/\rb", "the URL: a line end in a URL is written %0D"),
        ("sub|-t|t|ws://h/\u{a0}b", "the URL: the character U+00A0 in a URL is written %C2%A0"),
        ("sub|-t|t| ws://h/", "the URL: a blank stands before or after it: leave it out"),
        ("sub|-t|t|ws://h/\r", "the URL: a line end stands before or after it: leave it out"),
        (
            "sub|-t|t|\u{feff}ws://h/",
            "the URL: a byte order mark stands before or after it: leave it out",
        ),
    ]);
}

#[test]
fn topics_and_messages_without_their_flags() {
    refuses(&[
        ("sub|lab/#", "'lab/#': did you mean -t 'lab/#'? a URL begins with ws:// or wss://"),
        (
            "sub|/lab/door",
            "/lab/door: did you mean -t /lab/door? a URL begins with ws:// or wss://",
        ),
        ("sub|-v|$SYS/#", "'$SYS/#': did you mean -t '$SYS/#'? a URL begins with ws:// or wss://"),
        ("sub|ws://h/|a/b", "a/b: did you mean -t a/b? a URL begins with ws:// or wss://"),
        ("sub|-t|a|b", "each topic filter has a -t of its own: did you mean -t a -t b?"),
        (
            "sub|-t|a|b|c|d",
            "each topic filter has a -t of its own (the shell expands an unquoted *, which is no \
             wildcard of MQTT): did you mean -t a -t b -t c ...?",
        ),
        ("pub|lab/door|open", "lab/door: did you mean -t lab/door -m open?"),
        ("pub|-t|lab/door|open", "open: did you mean -m open?"),
        ("pub|lab/door|-m|open", "lab/door: did you mean -t lab/door?"),
        ("pub|lab/door", "lab/door: did you mean -t lab/door -m TEXT?"),
        (
            "pub|-t|t|-m|hello|world",
            "a text with blanks stands in quotes: did you mean -m 'hello world'?",
        ),
        ("pub|-t|t|-l|file", "-l reads stdin: did you mean -l < file?"),
        ("pub|-t|t|-s|file", "-s reads stdin: did you mean -f file?"),
        ("sub|-t|x|ws://h/|ws://i/", "one URL is enough: there are several"),
        ("ping|5", "5: did you mean -c 5? a URL begins with ws:// or wss://"),
        ("sub|-t|x|-c|5", "-c has no value (it keeps the session): -C 5 ends after 5 messages"),
    ]);
}

/// A word that may be a password is not shown.
#[test]
fn what_may_be_a_secret_is_not_repeated() {
    for words in [
        "sub|-t|t|--ask-password|s3cret",
        "pub|-t|t|ann:s3cret@h",
        "sub|-t|t|-u|-P|s3cret",
        "ws://ann:s3cret@h/",
        "sub|-t|t|ws://h/|ws://ann:s3cret@h/",
    ] {
        let outcome = Program::new(words.split('|')).run();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(!String::from_utf8_lossy(&outcome.stderr).contains("s3cret"), "{outcome}");
    }
}

#[test]
fn names_of_commands_and_flags() {
    let similar = "a similar argument exists:";
    refuses(&[
        ("sbu", "unknown command 'sbu'; a similar command exists: sub"),
        ("help|pbu", "unknown command 'pbu'; a similar command exists: pub"),
        ("listen", "unknown command 'listen'; a similar command exists: sub"),
        ("broker", "unknown command 'broker'; a similar command exists: serve"),
        ("mqttws", "unknown command 'mqttws', which is the program: leave it out"),
        ("-t|x", "-t: the command comes first, its flags after it: mqttws sub -t ..."),
        ("-h|x|pub", "-h: the command comes first, its flags after it: mqttws pub -h ..."),
        ("sub|--version", "--version stands without a command: mqttws --version"),
        ("sub|--qso|1", &format!("unexpected argument '--qso' found; {similar} --qos")),
        ("sub|--user|a", &format!("unexpected argument '--user' found; {similar} --username")),
        ("sub|-Q", &format!("unexpected argument '-Q' found; {similar} -q")),
        ("pub|--msg|m", "unexpected argument '--msg' found; use --message"),
        ("sub|--msg|m", "unexpected argument '--msg' found"),
        ("sub|--ssl", "unexpected argument '--ssl' found; write a wss:// address"),
        ("sub|--cacert|f", "unexpected argument '--cacert' found; use --cafile"),
        ("ping|-n|3", "unexpected argument '-n' found; -c N ends after N probes"),
        ("sub|-topic|x", "-topic: a long name has two hyphens: --topic"),
        ("pub|-topic|a|-message|b", "-topic: a long name has two hyphens: --topic"),
        (
            "sub|\u{2013}t|x",
            "'\u{2013}t' begins with the typographic dash \u{2013}, as word processors make it: type -",
        ),
        (
            "sub|-t|\u{201c}lab/#\u{201d}",
            "'\u{201c}lab/#\u{201d}' begins with the typographic quote \u{201c}, as word processors \
             make it: type '",
        ),
    ]);
}

#[test]
fn values_that_are_missing_or_elsewhere() {
    let shell = "the shell takes an unquoted # for a comment: write '#'";
    refuses(&[
        ("sub|-t", &format!("--topic <FILTER> needs a value; {shell}")),
        ("sub|-t|x|--no-proxy", "--no-proxy <HOSTS> needs a value: '*' for all hosts"),
        ("pub|-f|-t|t", "--file <FILE> took the next word, -t, for its value: is that missing?"),
        (
            "sub|-D|content-type|x|-t|t",
            "-D content-type x: it takes COMMAND NAME VALUE, as in -D publish content-type text/plain",
        ),
        (
            "sub|-D|connect|-t|x",
            "-D connect: it takes COMMAND NAME VALUE, as in -D publish content-type text/plain",
        ),
        ("pub|-t|t|-m|m|-r|1", "--retain has no value: leave 1 out"),
        ("sub|-t|t|-v|true", "--verbose has no value: leave true out"),
        ("pub|-t|t|-r|1", "1: did you mean -m 1?"),
        ("sub|-t|x|--summary|json", "the value of --summary stands after =: --summary=json"),
        (
            "pub|-t|t|-f|-",
            "invalid value '-' for '--file <FILE>': stdin is published with -s; a file of this name \
             is ./-",
        ),
    ]);
}

#[test]
fn the_group_of_a_shared_subscription() {
    refuses(&[
        (
            "sub|-t|x|--share|a/b",
            "--share a/b: the name of a group has no / in it; the topic filter goes to -t",
        ),
        (
            "sub|-t|x|--share|a+",
            "--share a+: the name of a group has no + in it; the topic filter goes to -t",
        ),
        ("sub|-t|x|--share|", "--share: the name of the group is empty"),
        (
            "sub|-t|$share/a/b|--share|g",
            "--share: $share/a/b is a shared subscription already: leave --share out",
        ),
    ]);
}

#[test]
fn a_command_for_serve() {
    let port = "serve listens on this machine, on the port of -p: write mqttws serve -p 9001";
    refuses(&[
        ("serve|./test.sh", "write: mqttws serve -- ./test.sh"),
        ("serve|-p|1|sh|-c|a b", "write: mqttws serve -p 1 -- sh -c 'a b'"),
        ("serve|9001", port),
        ("serve|localhost:9001", port),
        ("serve|ws://localhost:9001/mqtt", port),
        // A flag that is not there is no reason to take what follows for a command.
        ("serve|--path|/", "unexpected argument '--path' found"),
        ("serve|--bogus|1", "unexpected argument '--bogus' found"),
        ("serve|-v|./test.sh", "unexpected argument '-v' found"),
        (
            "serve|-h|0.0.0.0|--|./x",
            "-h: serve listens on this machine only (127.0.0.1 or ::1), not on 0.0.0.0, \
             without --allow-remote",
        ),
    ]);
}

#[test]
fn a_session_without_end_needs_an_id() {
    let needs = "a session without end belongs to a client id: give one with -i";
    refuses(&[
        ("sub|-t|t|-x|never", &format!("-x: {needs}")),
        ("sub|-t|t|-x|-1", &format!("-x: {needs}")),
        ("sub|-t|t|-I|x|-x|4294967295", &format!("-x: {needs}")),
        (
            "sub|-t|t|-D|connect|session-expiry-interval|4294967295",
            &format!("-D connect session-expiry-interval: {needs}"),
        ),
        ("sub|-t|t|-c", "-c keeps the session of a client id: give one with -i"),
    ]);
}

/// A topic of 65,536 bytes does not fill the screen.
#[test]
fn a_long_value_is_not_shown_whole() {
    let long = "x".repeat(65_536);
    for verb in ["sub", "pub"] {
        let outcome = Program::new([verb, "-t", &long, "-q", "0"]).run();
        let line = "mqttws: invalid value 'xxx*...' for '--topic <*>': the topic has 65536 bytes, at \
                    most 65535 are possible; see mqttws help *";
        fails(&outcome, 2, line);
        assert!(outcome.stderr.len() < 400, "{outcome}");
    }
}

#[test]
fn a_file_with_another_kind_of_pem() {
    let folder = Folder::new();
    for (label, line) in [
        (
            "TRUSTED CERTIFICATE",
            ", but a TRUSTED CERTIFICATE; that form is OpenSSL's own; convert it: openssl x509 -in \
             FILE -out NEW",
        ),
        ("CERTIFICATE REQUEST", ", but a CERTIFICATE REQUEST"),
    ] {
        let pem = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let file = folder.write("other.pem", pem);
        let outcome =
            Program::new(["sub", "wss://127.0.0.1:9/", "-t", "t", "--cafile", &file]).run();
        let whole = format!(
            "mqttws: connecting to wss://127.0.0.1:9/: no certificate in CA file {file}{line}"
        );
        fails(&outcome, 1, &whole);
    }
}
