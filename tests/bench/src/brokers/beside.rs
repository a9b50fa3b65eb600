//! What clients that do not read cost those beside them, as a ratio: one publisher and one subscriber
//! alone, and the same beside them, by turns, each time with a broker of its own.

use std::time::Duration;

use super::fleet::{Fleet, Reading, Role, Seen, Version};
use super::{Entrant, Extent, Failure, float, median, publish_mixed};

/// Less than this part of the rate alone is too little.
const LEAST: f64 = 0.95;

/// So many times each.
const TURNS: usize = 5;

/// Messages of one publisher to one subscriber beside others.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// How many there are beside.
    pub count: usize,
    pub kind: Kind,
    pub qos: u8,
    pub extent: Extent,
    /// The messages take turns in so many topics.
    pub topics: u64,
}

/// What those beside do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They have the same subscription, and read nothing.
    Alike,
    /// `#`, `+`, MQTT 3.1.1 and 5, all QoS, and each a subscription identifier of its own.
    Mixed,
    /// Their sessions outlive the connections.
    Persistent,
    /// They share a subscription.
    Shared,
    /// They read for a second, and then stop.
    Stopping,
    /// They read 10 KiB a second.
    Slow,
}

impl Beside {
    /// What the client with this number does.
    fn role(self, number: usize) -> Role {
        let filter = |filter: &str| Some(if self.topics > 1 { format!("t/{filter}") } else { filter.to_owned() });
        let all = if self.topics > 1 { "#" } else { "t" };
        let role = Role { filter: filter(all), qos: self.qos, reading: Reading::Nothing, version: Version::V3 };
        match self.kind {
            Kind::Alike => role,
            Kind::Mixed => {
                let identifier = u8::try_from(number % 100 + 1).unwrap_or(1);
                let version = if number % 3 == 0 { Version::V3 } else { Version::V5(Some(identifier)) };
                let filter = [role.filter, Some("#".to_owned()), filter("+")][number % 3].clone();
                let filter = if self.topics == 1 && number % 3 == 2 { Some("+".to_owned()) } else { filter };
                let qos = [self.qos, 0, 1, 2][number % 4];
                Role { filter, version, qos, ..role }
            }
            Kind::Persistent => Role { version: Version::Persistent, ..role },
            Kind::Shared => Role { filter: Some(format!("$share/g/{}", role.filter.unwrap_or_default())), ..role },
            Kind::Stopping => Role { reading: Reading::For(Duration::from_secs(1)), ..role },
            Kind::Slow => Role { reading: Reading::Slowly, ..role },
        }
    }

    /// The ratios of the rates, and of the broker's CPU time a message; and the most memory, in MiB.
    pub fn measure(self, start: impl Fn() -> Result<Entrant, Failure>) -> Result<Comparison, Failure> {
        let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (count, runs) in [0, self.count].into_iter().zip(&mut runs) {
                runs.push(self.run(&start()?, count)?);
            }
        }
        let medians = |of: fn(&Run) -> f64| runs.each_ref().map(|runs| median(&runs.iter().map(of).collect::<Vec<_>>()));
        let ([alone, beside], [cpu_alone, cpu]) = (medians(|run| run.rate), medians(|run| run.cpu));
        let memory = runs[1].iter().map(|run| run.memory).fold(0.0, f64::max);
        Ok(Comparison { rate: beside / alone, alone, cpu: cpu / cpu_alone, memory })
    }

    fn run(self, broker: &Entrant, count: usize) -> Result<Run, Failure> {
        let mut fleet = Fleet::new(broker.port())?;
        for number in 0..count {
            fleet.connect(1, &self.role(number))?;
        }
        let filter = if self.topics > 1 { "t/#" } else { "t" };
        let reader = Role { filter: Some(filter.to_owned()), qos: self.qos, ..Role::default() };
        fleet.connect(1, &reader)?;
        let publisher = fleet.connect(1, &Role::default())?;
        if self.kind == Kind::Stopping {
            publish_mixed(&mut fleet, publisher, self.qos, self.topics, Extent::Time(Duration::from_secs(1)))?;
        }
        let (before, cpu) = (fleet.seen, broker.cpu()?);
        let rate = publish_mixed(&mut fleet, publisher, self.qos, self.topics, self.extent)?;
        let messages = float(messages_since(fleet.seen, before));
        Ok(Run { rate, cpu: (broker.cpu()? - cpu) / messages, memory: broker.memory()? / 1024.0 })
    }
}

fn messages_since(now: Seen, before: Seen) -> u64 {
    (now.messages - before.messages).max(1)
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Messages a second that arrive.
    rate: f64,
    /// The broker's CPU time for each, in seconds.
    cpu: f64,
    /// Its resident memory, in MiB.
    memory: f64,
}

/// Beside others, compared with alone.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    rate: f64,
    /// The rate alone.
    alone: f64,
    cpu: f64,
    memory: f64,
}

impl Comparison {
    /// Whether the others cost something.
    pub fn is_too_low(self) -> bool {
        self.rate < LEAST
    }

    pub fn describe(self) -> String {
        let Self { rate, alone, cpu, memory } = self;
        let verdict = if self.is_too_low() { " TOO LOW" } else { "" };
        format!("{rate:.3}{verdict} of {alone:.0}/s, CPU {cpu:.2}, {memory:.0} MiB")
    }
}
