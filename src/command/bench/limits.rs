//! What a run needs of this machine: memory, file descriptors and ports; checked before it begins.

use anyhow::Result;

use super::config::LoadPlan;
use super::plan::Plan;
use super::{machine, verify, words};
use crate::mqtt::topic::TopicName;

/// Descriptors that are needed beside those of the connections.
const OTHER_DESCRIPTORS: u64 = 40;

/// What the program takes without connections, about, in bytes.
const BASE_BYTES: u64 = 10 * 1024 * 1024;

/// What a connection takes, about, in bytes: without and with TLS.
const CONNECTION_BYTES: [u64; 2] = [16 * 1024, 40 * 1024];

/// Memory for all connections and pairs, in bytes.
fn memory_needed(plan: &Plan, ends: Ends) -> u64 {
    let pairs = plan.pairs() as u64 * size_of::<verify::Pair>() as u64;
    let [without_tls, with_tls] = CONNECTION_BYTES;
    let each = if ends.secure > 0 { with_tls } else { without_tls };
    BASE_BYTES + plan.connections() as u64 * each + pairs
}

/// Descriptors of a loop after the first.
const LOOP_DESCRIPTORS: u64 = 3;

fn descriptors_needed(plan: &Plan, ends: Ends) -> u64 {
    let loops = ends.loops.saturating_sub(1) * LOOP_DESCRIPTORS;
    plan.connections() as u64 + OTHER_DESCRIPTORS + loops
}

/// For how many seconds a port cannot be used again that we have closed first.
const TIME_WAIT: f64 = 60.0;

/// Ports for all connections, and for those of `--churn` that have ended.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is a small number"
)]
fn ports_needed(load: &LoadPlan) -> u64 {
    let ended = load.disturbances.churn.map_or(0, |rate| (rate * TIME_WAIT).ceil() as u64);
    load.plan.connections() as u64 + ended
}

/// Where the connections come from and go to.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// How many local addresses were given.
    pub local: u64,
    /// How many servers there are.
    pub servers: u64,
    /// How many loops there are at most.
    pub loops: u64,
    /// How many of them speak TLS.
    pub secure: u64,
}

impl Ends {
    /// For how many connections there are local ports, if the system says how many an address has.
    fn ports(self) -> Option<u64> {
        // A port that is bound to an address is taken, whatever the server.
        let ends = if self.local > 0 { self.local } else { self.servers };
        machine::local_ports().map(|ports| ports * ends)
    }
}

/// Prints what would be done (`--dry-run`).
pub fn print_plan(load: &LoadPlan, topics: &[TopicName], ends: Ends) -> Result<()> {
    let plan = &load.plan;
    let number = |number: usize| words::thousands(number as u64);
    let mut lines = vec![format!(
        "connections  {}: {} publish, {} subscribe, {} idle",
        number(plan.connections()),
        number(plan.own_publishers()),
        number(plan.subscribers),
        number(plan.idle)
    )];
    if let Some(first) = topics.first().filter(|_| plan.publishers + plan.subscribers > 0) {
        lines.push(format!("topics       {}", number(topics.len())));
        lines.push(format!("first topic  {}", first.as_str()));
        lines.push(format!("streams      {}", number(plan.streams())));
        lines.push(format!("pairs        {} of a reader and a stream", number(plan.pairs())));
    }
    lines.push(format!("memory       about {}", words::memory(memory_needed(plan, ends))));
    let of = |all: Option<u64>| {
        all.map(|all| format!(" of {}", words::thousands(all))).unwrap_or_default()
    };
    let descriptors = words::thousands(descriptors_needed(plan, ends));
    lines.push(format!("descriptors  {descriptors}{}", of(machine::most_descriptors())));
    let ports = words::thousands(ports_needed(load));
    lines.push(format!("ports        {ports}{}", of(ends.ports())));
    super::super::print(&lines.join("\n")).map(drop)
}

/// Refuses what this machine cannot do.
pub fn check_limits(load: &LoadPlan, ends: Ends) -> Result<()> {
    let plan = &load.plan;
    let (wanted, connections) = (descriptors_needed(plan, ends), plan.connections() as u64);
    let ports_needed = ports_needed(load);
    let need = |number| words::thousands(number);
    if let Err(limit) = machine::raise_descriptors(wanted) {
        let limit = limit.map_or_else(|| "unknown".to_owned(), words::thousands);
        anyhow::bail!(
            "{} connections need {} file descriptors, the hard limit is {limit}: ulimit -Hn, \
             LimitNOFILE=",
            need(connections),
            need(wanted)
        );
    }
    if let Some(ports) = ends.ports().filter(|ports| *ports < ports_needed) {
        anyhow::bail!(
            "{} connections need {} local ports, there are {} (ip_local_port_range): add --bind \
             127.0.0.2,127.0.0.3, or another server address",
            need(connections),
            need(ports_needed),
            need(ports)
        );
    }
    let memory = memory_needed(plan, ends);
    if let Some(all) = machine::memory_of_machine().filter(|all| memory > all / 4) {
        anyhow::bail!(
            "the plan needs about {}, over a quarter of the memory ({}): take fewer connections, \
             or topics",
            words::memory(memory),
            words::memory(all)
        );
    }
    Ok(())
}
