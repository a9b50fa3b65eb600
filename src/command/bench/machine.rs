//! What the system says about this machine and this process.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use rustix::time::{ClockId, clock_gettime};

/// This machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// How many cores we may use.
    pub cores: usize,
    /// The model of the processor, if it is known.
    pub model: Option<String>,
    /// The kernel, if it is known.
    pub kernel: Option<String>,
    /// How many processes wanted to run in the last minute, about.
    pub load: Option<f64>,
}

impl Machine {
    /// What the system says now.
    pub fn look() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.and_then(|rest| Some(rest.split_once(':')?.1.trim().to_owned()));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let load = fs::read_to_string("/proc/loadavg").ok();
        let load = load.and_then(|text| text.split(' ').next()?.parse().ok());
        Self { cores, model, kernel: kernel.map(|kernel| kernel.trim().to_owned()), load }
    }
}

/// Load average above this share of the cores: a loop waits for others now and then.
const BUSY_BEFORE: f64 = 0.5;

/// What may make the figures of a run those of something else than the server, said before it.
#[expect(clippy::cast_precision_loss, reason = "there are few cores")]
pub fn warnings(machine: &Machine, build: BuildKind, governor: Option<&str>) -> Vec<String> {
    let mut warnings = Vec::new();
    if build == BuildKind::Debug {
        let text = "this is a debug build, many times slower: measure with cargo build --release";
        warnings.push(text.to_owned());
    }
    let busy = machine.load.filter(|load| *load > machine.cores as f64 * BUSY_BEFORE);
    if let Some(load) = busy {
        let cores = super::words::plural(machine.cores, "core");
        warnings.push(format!(
            "this machine is busy before the start (load {load:.1}, {cores}): figures may be its \
             own; end other programs, or wait"
        ));
    }
    if governor == Some("powersave") {
        let text = "the processor may run slowly (scaling_governor is powersave): set performance";
        warnings.push(text.to_owned());
    }
    warnings
}

/// How this program was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildKind {
    /// Without optimization.
    Debug,
    /// With optimization.
    Release,
}

impl BuildKind {
    /// That of this program.
    pub const OWN: Self = if cfg!(debug_assertions) { Self::Debug } else { Self::Release };
}

/// How the frequency of the first core is chosen, if the system says so.
pub fn governor() -> Option<String> {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The CPU time of this thread.
pub fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic() -> u64 {
    let time = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    super::clock::number(time)
}

/// The time since 1970.
pub fn since_1970() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Realtime)).unwrap_or_default()
}

/// Which `CLOCK_MONOTONIC` that is: two machines, and two containers with clocks of their own,
/// have different ones.
pub fn clock_identity() -> u16 {
    let mut hasher = DefaultHasher::new();
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().hash(&mut hasher);
    let space = fs::read_link("/proc/self/ns/time");
    space.map(|space| space.display().to_string()).unwrap_or_default().hash(&mut hasher);
    let [.., high, low] = hasher.finish().to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// The time of all cores since the start of the system: busy, stolen by a hypervisor, all; in
/// units of its own.
pub fn machine_cpu() -> Option<[u64; 3]> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, idle, wait, hard, soft, steal, ..] = numbers[..] else { return None };
    let busy = user + nice + system + hard + soft;
    Some([busy, steal, busy + steal + idle + wait])
}

/// The memory of this process, now and at its peak, in bytes.
pub fn memory() -> (u64, u64) {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The memory that can be used, in bytes, if that is known.
pub fn memory_of_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Allows so many open files; the hard limit if that is lower. `None` is no limit.
pub fn raise_descriptors(wanted: u64) -> Result<(), Option<u64>> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(limit.maximum);
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    rustix::process::setrlimit(Resource::Nofile, raised).map_err(|_| limit.maximum)
}

/// How many files may be open at most; `None` is without limit.
pub fn most_descriptors() -> Option<u64> {
    rustix::process::getrlimit(Resource::Nofile).maximum
}

/// How many ports one address has for connections that begin here.
pub fn local_ports() -> Option<u64> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse::<u64>().ok());
    let (first, last) = (numbers.next()?, numbers.next()?);
    last.checked_sub(first).map(|count| count + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falsifies_figures_is_said_before() {
        let machine = |load| Machine { cores: 2, load, ..Machine::default() };
        let quiet = machine(Some(1.0));
        assert_eq!(warnings(&quiet, BuildKind::Release, Some("performance")), [""; 0]);
        assert_eq!(warnings(&machine(None), BuildKind::Release, None), [""; 0]);
        let all = warnings(&machine(Some(1.01)), BuildKind::Debug, Some("powersave"));
        let begins = ["this is a debug build", "this machine is busy", "the processor may run"];
        assert_eq!(all.len(), begins.len());
        assert!(all.iter().zip(begins).all(|(one, begin)| one.starts_with(begin)), "{all:?}");
        assert!(all[1].contains("(load 1.0, 2 cores)"), "{all:?}");
    }
}
