//! Mirrors in both directions, and in a ring: in MQTT 5 each message comes to each broker once.

use super::*;

/// Brokers, each with a reader of `x/#` that writes after so many seconds without a message.
struct Place {
    broker: Running,
    url: String,
    reader: Running,
}

impl Place {
    fn new() -> Self {
        let (broker, url) = serve(&[]);
        let flags = ["-t", "x/#", "-q", "2", "--idle", "2", "--ready-fd", "2", "-v"];
        let mut reader = Program::new([&["sub", &url], &flags[..]].concat()).spawn();
        reader.wait_for_words("\n");
        Self { broker, url, reader }
    }

    /// A mirror from here to there.
    fn mirror(&self, target: &Self, flags: &[&str]) -> Running {
        let words = ["sub", &self.url, "-t", "x/#", "--to", &target.url, "--ready-fd", "1"];
        let mut mirror = Program::new([&words[..], flags].concat()).spawn();
        mirror.wait_for_line(|line| line == "\n");
        mirror
    }

    fn publish(&self, topic: &str, flags: &[&str]) {
        let words = ["pub", &self.url, "-t", topic, "-m", "m", "-q", "2"];
        Program::new([&words[..], flags].concat()).run().expect(0, "", "");
    }

    /// What came here, in an order of its own.
    fn came(self) -> Vec<String> {
        let text = String::from_utf8(self.reader.finish().stdout.clone()).unwrap();
        self.broker.signal("TERM");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn end(mirror: Running) -> String {
    mirror.signal("INT");
    let outcome = mirror.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    String::from_utf8(outcome.stderr.clone()).unwrap()
}

const ALL: [&str; 4] = ["x/a m", "x/b m", "x/kept m", "x/zero m"];

#[test]
fn two_mirrors_in_both_directions_bring_nothing_back() {
    let (a, b) = (Place::new(), Place::new());
    let mirrors = [a.mirror(&b, &[]), b.mirror(&a, &[])];
    a.publish("x/a", &[]);
    a.publish("x/kept", &["-r"]);
    a.publish("x/zero", &["-q", "0"]);
    b.publish("x/b", &[]);
    assert_eq!(a.came(), ALL);
    assert_eq!(b.came(), ALL);
    for mirror in mirrors {
        let stderr = end(mirror);
        assert!(stderr.contains(" are not passed on: other mirrors have brought them"), "{stderr}");
    }
}

#[test]
fn a_ring_of_three_ends_where_it_began() {
    let (a, b, c) = (Place::new(), Place::new(), Place::new());
    let mirrors = [a.mirror(&b, &[]), b.mirror(&c, &[]), c.mirror(&a, &[])];
    a.publish("x/a", &[]);
    a.publish("x/kept", &["-r"]);
    b.publish("x/zero", &["-q", "0"]);
    c.publish("x/b", &[]);
    for place in [a, b, c] {
        assert_eq!(place.came(), ALL);
    }
    for mirror in mirrors {
        end(mirror);
    }
}

/// Nothing in MQTT 3.1.1 tells a message that comes back from a new one.
#[test]
fn before_mqtt_5_a_loop_is_told_by_how_often_a_message_comes() {
    let (a, b) = (Place::new(), Place::new());
    let mut mirrors = [a.mirror(&b, &["-V", "311"]), b.mirror(&a, &["-V", "311"])];
    a.publish("x/a", &[]);
    mirrors[0].wait_for_words("if another mirror brings it back, use --map at both; see MIRROR in");
    for mirror in mirrors {
        end(mirror);
    }
}
