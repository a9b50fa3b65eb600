//! What is measured: the cases, by name. It must never know how a program is called.

use crate::flood::Pack;

const MIB: usize = 1024 * 1024;

/// What a program has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Publish one short message.
    Once,
    /// Publish lines of stdin.
    Lines,
    /// Publish messages that are filled in, beside lines that are as long.
    Template(TopicKind),
    /// Publish a file as one message.
    File,
    /// Write messages to stdout, each with a line feed.
    Subscribe(Pack),
    /// One request and answer after another.
    Ping,
}

/// The topics of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// One for all.
    Fixed,
    /// One for each.
    Varying,
}

/// Whom the programs talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Our counterpart.
    Sink,
    /// Debian's mosquitto.
    Mosquitto,
}

/// One line-up.
#[derive(Debug, Clone)]
pub struct Case {
    /// For `--case`.
    pub name: String,
    /// See [`Work`].
    pub work: Work,
    /// The payload of each message, in bytes.
    pub size: usize,
    /// 0, 1 or 2.
    pub qos: u8,
    /// How many messages the fastest are given.
    pub count: u64,
    /// Over TLS.
    pub tls: bool,
    /// See [`Against`].
    pub against: Against,
    /// Measured so many times as often as others: it is short.
    pub repeat: usize,
    /// Only the program itself and its limits: the question is how its cost grows.
    pub alone: bool,
    /// Part of `--quick`.
    pub quick: bool,
}

impl Case {
    fn new(name: impl Into<String>, work: Work) -> Self {
        let name = name.into();
        let (against, tls) = (Against::Sink, false);
        Self {
            name,
            work,
            size: 64,
            qos: 0,
            count: 1,
            tls,
            against,
            repeat: 1,
            alone: false,
            quick: false,
        }
    }

    /// Gives the fastest fewer messages, for quick runs.
    pub fn shorten(&mut self) {
        self.count = if self.count >= 1_000_000 { 400_000 } else { self.count };
    }
}

/// All cases, in the order of the table.
pub fn all() -> Vec<Case> {
    let mut cases = once();
    cases.extend(lines());
    cases.extend(templates());
    cases.extend(subscribe());
    cases.extend(files());
    let ping = Case { count: 2000, ..Case::new("ping", Work::Ping) };
    cases.push(Case { quick: true, ..ping.clone() });
    cases.push(Case { name: "ping-wss".into(), tls: true, ..ping.clone() });
    cases.push(Case { name: "ping-mosquitto".into(), against: Against::Mosquitto, ..ping });
    cases.extend(growth());
    cases
}

fn once() -> Vec<Case> {
    let once = Case { repeat: 4, size: 5, ..Case::new("once", Work::Once) };
    vec![
        Case { quick: true, ..once.clone() },
        Case { name: "once-wss".into(), tls: true, ..once.clone() },
        Case { name: "once-mosquitto".into(), against: Against::Mosquitto, repeat: 1, ..once },
    ]
}

fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, words, count) in [(64, "64", 1_000_000), (1024, "1k", 200_000)] {
        for qos in 0..=2 {
            let name = format!("line-{words}-q{qos}");
            cases.push(Case {
                size,
                qos,
                count,
                quick: size == 64,
                ..Case::new(name, Work::Lines)
            });
        }
    }
    let wss = |case: &Case| Case {
        name: format!("{}-wss", case.name),
        tls: true,
        quick: false,
        ..case.clone()
    };
    cases.extend([wss(&cases[0]), wss(&cases[1]), wss(&cases[3])]);
    for qos in 0..=2 {
        let case =
            Case { size: 64, qos, count: 100_000, against: Against::Mosquitto, ..cases[0].clone() };
        cases.push(Case { name: format!("line-64-q{qos}-mosquitto"), quick: qos == 0, ..case });
    }
    cases
}

/// The program against itself with `-l`: a quarter of that rate is what is demanded.
fn templates() -> Vec<Case> {
    let mut cases = Vec::new();
    for (topic, words) in [(TopicKind::Fixed, "fixed"), (TopicKind::Varying, "varying")] {
        for qos in 0..=1 {
            let case = Case::new(format!("template-{words}-q{qos}"), Work::Template(topic));
            // The number of a message has six or seven digits.
            cases.push(Case { size: 7, qos, count: 1_000_000, alone: true, quick: true, ..case });
        }
    }
    cases
}

fn subscribe() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes = [(64, "64", 1_000_000), (1024, "1k", 200_000), (64 * 1024, "64k", 5000)];
    for (size, words, count) in sizes {
        for (pack, packed) in [(Pack::Many, "many"), (Pack::One, "one")] {
            for qos in 0..=2 {
                // Where each message fills a frame, and for QoS 2, one kind of frame tells enough.
                if qos > 0 && (size > 1024 || pack == Pack::One) {
                    continue;
                }
                let case = Case::new(format!("sub-{words}-{packed}-q{qos}"), Work::Subscribe(pack));
                cases.push(Case { size, qos, count, quick: size == 64 && qos < 2, ..case });
            }
        }
    }
    let wss = |case: &Case| Case {
        name: format!("{}-wss", case.name),
        tls: true,
        quick: false,
        ..case.clone()
    };
    cases.extend([wss(&cases[0]), wss(&cases[4])]);
    cases
}

fn files() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, words) in [(64 * MIB, "64m"), (200 * MIB, "200m")] {
        let quick = size == 64 * MIB;
        cases.push(Case { size, quick, ..Case::new(format!("file-{words}"), Work::File) });
        for (pack, packed) in [(Pack::Many, "pieces"), (Pack::One, "whole")] {
            let case = Case::new(format!("sub-{words}-{packed}"), Work::Subscribe(pack));
            cases.push(Case { size, quick: quick && pack == Pack::Many, ..case });
        }
    }
    for name in ["file-200m", "sub-200m-pieces"] {
        let case = cases.iter().find(|case| case.name == name).cloned();
        cases.extend(case.map(|case| Case {
            name: format!("{name}-wss"),
            tls: true,
            quick: false,
            ..case
        }));
    }
    cases
}

fn growth() -> Vec<Case> {
    let mut cases = Vec::new();
    for (count, words) in [(100_000, "1e5"), (1_000_000, "1e6"), (10_000_000, "1e7")] {
        for (work, what, qos) in [
            (Work::Lines, "line-q0", 0),
            (Work::Lines, "line-q1", 1),
            (Work::Lines, "line-q2", 2),
            (Work::Subscribe(Pack::Many), "sub-q0", 0),
            (Work::Subscribe(Pack::Many), "sub-q1", 1),
            (Work::Subscribe(Pack::Many), "sub-q2", 2),
        ] {
            cases.push(Case {
                size: 16,
                qos,
                count,
                alone: true,
                ..Case::new(format!("grow-{what}-{words}"), work)
            });
        }
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}
