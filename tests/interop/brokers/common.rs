//! What is tried on every server.

use super::{Retained, Server, USER};
use crate::folder::Folder;
use crate::program::{Outcome, Program, Running};
use crate::{delicate_payloads, long_payload};

/// A topic that no other test uses.
fn fresh_topic() -> String {
    format!("mqttws/{:016x}", fastrand::u64(..))
}

/// A subscriber whose subscription stands.
struct Subscriber {
    running: Running,
    /// What it has written by then.
    stdout: &'static str,
    /// Whether standard error holds the log of its packets.
    is_logged: bool,
}

impl Subscriber {
    /// Subscribes to `topic`; `-C` among the arguments has to count the retained message of
    /// another topic, asked for last, whose coming says that the subscription stands.
    fn start(server: &Server, topic: &str, count: usize, arguments: &[&str]) -> Self {
        match server.retained {
            Retained::AsAsked => Self::start_with_marker(server, topic, count, arguments),
            Retained::ToOthers => Self::start_with_log(server, topic, count, arguments),
        }
    }

    fn start_with_marker(server: &Server, topic: &str, count: usize, arguments: &[&str]) -> Self {
        let marker = format!("{topic}/ready");
        let retain = ["-t", &marker, "-r", "-q", "1", "-m", "ready\n"];
        server.newest("pub", &retain).run().expect(0, "", "");
        let count = (count + 1).to_string();
        let flags = ["-t", topic, "-t", &marker, "-N", "-C", &count];
        let mut running = server.newest("sub", &[&flags, arguments].concat()).spawn();
        running.wait_for_line(|line| line == "ready\n");
        Self { running, stdout: "ready\n", is_logged: false }
    }

    fn start_with_log(server: &Server, topic: &str, count: usize, arguments: &[&str]) -> Self {
        let count = count.to_string();
        let flags = ["-t", topic, "-N", "-C", &count, "-R", "-d"];
        let mut running = server.newest("sub", &[&flags, arguments].concat()).spawn();
        running.wait_for_words("received SUBACK");
        Self { running, stdout: "", is_logged: true }
    }

    /// Waits for its end, and compares what it wrote.
    fn receives(self, payloads: &[u8]) {
        let outcome = self.running.finish();
        let stdout = [self.stdout.as_bytes(), payloads].concat();
        if self.is_logged {
            assert!(outcome.code() == Some(0) && outcome.stdout == stdout, "{outcome}");
        } else {
            outcome.expect(0, stdout, "");
        }
    }
}

/// Publishes what is easily damaged, and 1 MiB, and reads it back; `warning` is what `pub` says
/// of this QoS.
pub fn carries(server: &Server, qos: &str, warning: &str) {
    let folder = Folder::new();
    let mut payloads = delicate_payloads();
    payloads.push(long_payload(1 << 20));
    let topic = fresh_topic();
    let subscriber = Subscriber::start(server, &topic, payloads.len(), &["-q", qos]);
    for payload in &payloads {
        let file = folder.write("payload", payload);
        let publish = server.newest("pub", &["-t", &topic, "-q", qos, "-f", &file]);
        publish.run().expect(0, "", warning);
    }
    subscriber.receives(&payloads.concat());
}

/// Retains a message, replaces it, and removes it.
pub fn retains(server: &Server) {
    let topic = fresh_topic();
    let publish = |arguments: &[&str]| {
        let flags = [&["-t", &topic, "-r", "-q", "1"], arguments].concat();
        server.newest("pub", &flags).run().expect(0, "", "");
    };
    publish(&["-m", "first"]);
    publish(&["-m", "second"]);
    let read = ["-t", &topic, "-q", "1", "-C", "1", "-F", "%r %t %p"];
    server.newest("sub", &read).run().expect(0, format!("1 {topic} second\n"), "");
    publish(&["-n"]);
    let subscriber = Subscriber::start(server, &topic, 1, &[]);
    server.newest("pub", &["-t", &topic, "-m", "live"]).run().expect(0, "", "");
    subscriber.receives(b"live");
}

/// Messages wait for a client that is away, and come once.
pub fn keeps_a_session(server: &Server, qos: &str) {
    let topic = fresh_topic();
    let id = topic.replace('/', "");
    let session = ["-i", &id, "-c", "-q", qos, "-t", &topic];
    let subscribe = |more: &[&str]| server.newest("sub", &[&session, more].concat());
    subscribe(&["-E"]).run().expect(0, "", "");
    let publish = server.newest("pub", &["-t", &topic, "-q", qos, "-l"]);
    publish.stdin(crate::sequence(50)).run().expect(0, "", "");
    subscribe(&["-C", "50"]).run().expect(0, crate::sequence(50), "");
    server.newest("pub", &["-t", &topic, "-q", qos, "-m", "last"]).run().expect(0, "", "");
    subscribe(&["-C", "1"]).run().expect(0, "last\n", "");
    // It is gone when a clean one has begun.
    server.newest("sub", &["-i", &id, "-t", &topic, "-E"]).run().expect(0, "", "");
}

/// Without `-V` the newest version that the server speaks is found, and told when it is not 5.
pub fn falls_back(server: &Server) {
    let warning = server.no_mqtt_5.map(|reason| {
        format!(
            "mqttws: warning: connected with MQTT 3.1.1 and subprotocol mqtt; the first try \
             failed: {reason}; -V 311 leaves that try out\n"
        )
    });
    let topic = fresh_topic();
    let flags = ["-t", &topic, "-q", "1", "-m", "x", "--connect-timeout", "3"];
    server.program("pub", &flags).run().expect(0, "", &warning.unwrap_or_default());
}

/// A wrong password, without `-V` and with it, and none at all.
pub fn refuses(server: &Server, words: &str) {
    let line = format!("mqttws: connecting to {}: {words}\n", server.url);
    let newest = ["-V", server.newest];
    for flags in
        [&["-u", USER, "-P", "wrong"][..], &["-u", USER, "-P", "wrong", newest[0], newest[1]]]
    {
        let own = ["pub", &server.url, "-t", "t", "-m", "x", "--connect-timeout", "9"];
        Program::new([&own, flags].concat()).run().expect(6, "", &line);
    }
}

/// A publish to a path that the server does not serve.
pub fn wrong_path(server: &Server) -> Program {
    let (address, _) = server.url.rsplit_once('/').unwrap();
    let url = format!("{address}/nowhere");
    let flags = ["-V", server.newest, "-t", "t", "-q", "1", "-m", "x"];
    Program::new([&["pub", &url, "-u", USER, "-P", super::PASSWORD], &flags[..]].concat())
}

/// The server answers this to a path that it does not serve.
pub fn is_not_found(server: &Server, answer: &str) {
    let (address, _) = server.url.rsplit_once('/').unwrap();
    let line = format!(
        "mqttws: connecting to {address}/nowhere: the server answered HTTP {answer}; no WebSocket \
         at this path: try /mqtt, /ws or /\n"
    );
    wrong_path(server).run().expect(5, "", &line);
}

/// Before MQTT 5 `$share/g/x` may be a filter like any other.
pub fn does_not_share(server: &Server) {
    let topic = fresh_topic();
    let warning = format!(
        "mqttws: warning: MQTT 3.1.1 has no shared subscriptions: some brokers take \
         $share/g/{topic} for a plain filter, which no message matches; use MQTT 5 where the broker \
         speaks it\n"
    );
    let subscribe = server.newest("sub", &["--share", "g", "-t", &topic, "-E"]);
    subscribe.run().expect(0, "", &warning);
}

/// Compares standard error with these pieces; a number of seconds stands between them, as in
/// "connected again after 0.2 s, session resumed".
pub fn expect_with_times(outcome: &Outcome, code: i32, pieces: &[&str]) {
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let mut rest = said.as_str();
    for piece in pieces {
        let Some(after) = rest.strip_prefix(piece) else { panic!("not {piece:?}\n{outcome}") };
        let is_time = |line: &&str| line.ends_with(" s, session resumed\n");
        let time = after.split_inclusive('\n').next().filter(is_time);
        rest = &after[time.map_or(0, str::len)..];
    }
    let is_all = rest.is_empty() && outcome.stdout.is_empty() && outcome.code() == Some(code);
    assert!(is_all, "{outcome}");
}
