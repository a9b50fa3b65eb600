//! `mqttws sub --to` between two mosquittos, killed at random.

use crate::broker::Mosquitto;
use crate::program::{Program, Running};
use crate::without_mosquitto;

/// Without a limit of the queue, or mosquitto itself drops messages.
const SETTINGS: &str = "persistence false\nmax_queued_messages 0\n";

/// A mirror that has subscribed.
fn mirror(source: &Mosquitto, target: &Mosquitto, qos: &str, version: &str) -> Running {
    let (from, to) = (source.ws(), target.ws());
    let words = ["sub", &from, "-t", "in/#", "-q", qos, "-c", "-i", "mirror", "-V", version];
    let flags = ["--to", &to, "--map", "in/(.*)=out/$1", "--quiet", "--ready-fd", "1"];
    let mut mirror = Program::new([&words[..], &flags].concat()).spawn();
    mirror.wait_for_line(|line| line == "\n");
    mirror
}

/// When the messages are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PublishTime {
    /// While no mirror runs.
    Before,
    Meanwhile,
}

#[test]
fn nothing_is_lost_and_at_qos_2_nothing_doubled() {
    if without_mosquitto() {
        return;
    }
    let rows = [
        ("2", "5", 1, PublishTime::Meanwhile),
        ("2", "311", 2, PublishTime::Meanwhile),
        ("1", "5", 3, PublishTime::Meanwhile),
        ("2", "5", 4, PublishTime::Before),
        ("2", "311", 5, PublishTime::Before),
    ];
    for (qos, version, seed, time) in rows {
        println!("QoS {qos}, MQTT {version}, seed {seed}, {time:?}");
        let mut random = fastrand::Rng::with_seed(seed);
        let source = Mosquitto::start_with(SETTINGS);
        let target = Mosquitto::start_with(SETTINGS);
        let (count, to) = (2000, target.ws());
        let words = ["sub", &to, "-t", "out/#", "-q", qos, "-i", "reader", "-c"];
        let mut reader = Program::new([&words[..], &["--ready-fd", "2"]].concat()).spawn();
        reader.wait_for_words("\n");
        let mut running = mirror(&source, &target, qos, version);
        let lines: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let lines = lines.join("\n");
        let from = source.ws();
        let publish = Program::new(["pub", &from, "-t", "in/x", "-l", "-q", qos]).stdin(lines);
        if time == PublishTime::Before {
            // Its session remains, and the messages are queued.
            running.signal("INT");
            running.finish().expect(0, "\n", "");
            publish.run().expect(0, "", "");
            running = mirror(&source, &target, qos, version);
        } else {
            publish.run().expect(0, "", "");
        }
        let mut kills: Vec<u64> = (0..5).map(|_| random.u64(0..count)).collect();
        kills.sort_unstable();
        for kill in kills {
            reader.wait_for_line(|line| {
                line.trim().parse::<u64>().is_ok_and(|number| number >= kill)
            });
            running.signal("KILL");
            running.finish();
            running = mirror(&source, &target, qos, version);
        }
        reader.wait_for_line(|line| line.trim().parse() == Ok(count - 1));
        running.signal("INT");
        running.finish().expect(0, "\n", "");
        reader.signal("INT");
        let outcome = reader.finish();
        let text = String::from_utf8(outcome.stdout.clone()).unwrap();
        let came: Vec<u64> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
        let mut first = came.clone();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first, (0..count).collect::<Vec<_>>(), "lost");
        assert!(qos == "1" || came.len() == first.len(), "doubled: {} came", came.len());
        assert!(qos == "1" || came.is_sorted(), "in another order");
    }
}
