//! Numbered messages: what must arrive of them at each QoS, and random faults on their way.

use std::time::Duration;

use crate::broker::Mosquitto;
use crate::program::Outcome;
use crate::proxy::{Fault, Plan, Proxy};

/// The numbers from 1 to `last`, a line each: `seq 1 last`.
pub fn sequence(last: u32) -> String {
    let numbers: Vec<String> = (1..=last).map(|number| number.to_string()).collect();
    numbers.join("\n") + "\n"
}

/// The flags that pin a version; none for "".
pub fn pinned(version: &str) -> Vec<&str> {
    if version.is_empty() { Vec::new() } else { vec!["-V", version] }
}

/// How many lines `mosquitto_pub` is given at once: it loses the rest of more than 65,535.
const PORTION: usize = 50_000;

/// Has `mosquitto_pub` publish the numbers up to `last` to `t`.
pub fn feed(broker: &Mosquitto, last: u32, qos: &str, limit: Duration) {
    let lines: Vec<String> = (1..=last).map(|number| format!("{number}\n")).collect();
    for portion in lines.chunks(PORTION) {
        let publisher = broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-l"]);
        publisher.stdin(portion.concat()).spawn().finish_within(limit).expect(0, "", "");
    }
}

/// The numbers of an output, whole lines only: a killed program may have written half of one.
pub fn numbers(output: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(output);
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines
        .map(|line| line.trim_end().parse().unwrap_or_else(|_| panic!("not a number: {line:?}")))
        .collect()
}

/// Checks that all arrived: at QoS 2 once each and in order, at QoS 1 with their first arrivals in
/// order.
pub fn all_arrived(arrived: &[u32], last: u32, qos: &str) {
    let mut next = 1;
    for (at, &number) in arrived.iter().enumerate() {
        let is_again = qos == "1" && number < next;
        assert!(
            number == next || is_again,
            "{number} came where {next} was due (arrival {at} at QoS {qos})"
        );
        next += u32::from(number == next);
    }
    assert_eq!(next - 1, last, "so many of {last} arrived in all at QoS {qos}");
}

/// Checks that each loss and each recovery has its line, and that there were this many of them at
/// least.
pub fn tells_losses_and_recoveries(outcome: &Outcome, least: usize) {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let count = |words: &str| stderr.lines().filter(|line| line.contains(words)).count();
    let (losses, recoveries) = (count("trying again"), count("connected again"));
    // An endless `sub` may be interrupted while its connection is lost.
    let is_even =
        losses == recoveries || losses == recoveries + 1 && stderr.ends_with("trying again\n");
    assert!(is_even && recoveries >= least, "{losses} losses, {recoveries} recoveries:\n{outcome}");
    let other = stderr.lines().find(|line| !line.starts_with("mqttws: warning: "));
    assert_eq!(other, None, "neither loss nor recovery:\n{outcome}");
}

/// What is added to the seeds of the tests: `MQTTWS_SEED` when it is set.
pub fn other_seeds() -> u64 {
    std::env::var("MQTTWS_SEED").map_or(0, |seed| seed.parse().expect("MQTTWS_SEED is a number"))
}

/// How the connections of a storm end.
const FAULTS: [Fault; 5] = [Fault::Cut, Fault::Cut, Fault::Reset, Fault::Reset, Fault::HalfClose];

/// Random faults, so many of them, and then none: each after some bytes of the one direction or the
/// other.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Connections that break.
    pub faults: usize,
    /// The most bytes that get through to the broker before one breaks.
    pub up: u64,
    /// ... and to the client.
    pub down: u64,
    /// Of the random numbers.
    pub seed: u64,
}

impl Storm {
    /// The proxy that makes it, before this port. `pub` gives up when the server ends three
    /// connections in a row over the same message, but for resets, as this storm must not: every
    /// third fault is a reset.
    pub fn before(self, port: u16) -> Proxy {
        let seed = self.seed + other_seeds();
        println!("{self:?}, seed in fact {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        Proxy::start(port, move |number| {
            let kinds = if number % 3 == 2 { &[Fault::Reset][..] } else { &FAULTS };
            if number < self.faults { self.plan(&mut random, kinds) } else { Plan::default() }
        })
    }

    fn plan(self, random: &mut fastrand::Rng, kinds: &[Fault]) -> Plan {
        let mut plan = Plan::default();
        for path in [&mut plan.up, &mut plan.down] {
            if random.u8(..4) == 0 {
                path.pieces = (0..random.usize(1..5)).map(|_| random.usize(1..40)).collect();
            } else if random.u8(..8) == 0 {
                path.pieces = vec![1];
            }
        }
        for (path, most) in [(&mut plan.up, self.up), (&mut plan.down, self.down)] {
            let at = random.u64(..most);
            if random.u8(..4) == 0 {
                let stall = Fault::Stall(Duration::from_millis(random.u64(1..20)));
                path.faults.push((random.u64(..=at), stall));
            }
            path.faults.push((at, kinds[random.usize(..kinds.len())]));
        }
        plan
    }
}
