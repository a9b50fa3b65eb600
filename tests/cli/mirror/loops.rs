//! The same broker at both ends of a mirror, and other command lines that are wrong.

use super::*;
use crate::support::lines::is_line;

#[test]
fn a_loop_is_a_usage_error() {
    let line = "mqttws: --to is the address of the same broker, and messages would come back by \
                -t: publish them with --map to topics that no -t matches\n";
    let loops: [&[&str]; 4] = [
        &[],
        &["--map", "in/(.*)=in/x/$1"],
        &["--map", "in/(.*)=$1"],
        &["--map", "in/(.*)=out/$1", "--map", "in/x=in/y", "-V", "311"],
    ];
    for flags in loops {
        let words = ["sub", "ws://localhost:7/", "-t", "in/#", "--to", "ws://[::1]:7/"];
        Program::new([&words[..], flags].concat()).run().expect(2, "", line);
    }
    let names = ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "LOCALHOST", "localhost."];
    for name in names {
        let to = format!("ws://u:p@{name}:7/?x");
        Program::new(["sub", "ws://[::1]:7/", "-t", "in/#", "--to", &to]).run().expect(2, "", line);
    }
    let words = ["sub", "-L", "ws://a/", "-L", "ws://b/", "-t", "in/#", "--to", "ws://b/"];
    Program::new(words).run().expect(2, "", line);
    let (from, to) = ("wss://[2001:db8::1]/", "wss://[2001:DB8:0::1]:443/");
    Program::new(["sub", from, "-t", "in/#", "--to", to]).run().expect(2, "", line);
}

/// What no rule matches keeps its topic, and would come back.
#[test]
fn at_the_same_broker_nothing_comes_back() {
    let (broker, url) = serve(&[]);
    let words = ["sub", &url, "-t", "in/#", "--to", &url, "--map", "in/(.*)=out/$1", "-C", "1"];
    let mut mirror = Program::new([&words[..], &["--ready-fd", "1"]].concat()).spawn();
    mirror.wait_for_line(|line| line == "\n");
    for topic in ["in", "in/a"] {
        Program::new(["pub", &url, "-t", topic, "-m", "x", "-r", "-q", "1"])
            .run()
            .expect(0, "", "");
    }
    let lines = "mqttws: warning: messages to in are not passed on: they would come back, since \
                 both brokers have the same address\nmqttws: mirrored 1 message, 1 byte\n";
    mirror.finish().expect(0, "\n", lines);
    let words = ["sub", &url, "-t", "out/#", "--retained-only", "-C", "1", "-v"];
    Program::new(words).run().expect(0, "out/a x\n", "");
    broker.signal("TERM");
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |flags: &[&str], line: &str| {
        let words = ["sub", "ws://a.invalid/", "-t", "t"];
        let outcome = Program::new([&words[..], flags].concat()).run();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(is_line(&outcome.stderr, &format!("mqttws: {line}")), "{outcome}");
    };
    let to = ["--to", "ws://b.invalid/"];
    wrong(&["--to", "b"], "--to: no scheme: write ws://HOST[:PORT]/PATH or wss://HOST[:PORT]/PATH");
    wrong(&["--map", "a=b"], "--to <URL> is required*");
    wrong(&[&to[..], &["-v"]].concat(), "--to <URL> cannot be used with --verbose*");
    wrong(&[&to[..], &["--map", "a"]].concat(), "*expected REGEX=TEXT, as in in/(.*)=out/$1*");
    wrong(&[&to[..], &["--map", "(=a"]].concat(), "*before the =: unclosed group*");
    wrong(
        &[&to[..], &["--map", "a=$1"]].concat(),
        "*$1: the regular expression has no such group*",
    );
    wrong(
        &[&to[..], &["--to-profile", "b", "--config", "/dev/null"]].concat(),
        "--to-profile: no profile b in /dev/null; there are: none",
    );
}
