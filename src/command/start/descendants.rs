//! The processes below this one: who they are, and their end by SIGKILL.

use std::fs;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpgid, getpid, kill_process, set_child_subreaper, wait,
};

/// So many processes may lie between a process and one that it has started.
const DEEPEST: usize = 1_000;

/// The processes that this one starts from now on, and what these start.
#[derive(Debug)]
pub struct Descendants {
    /// Children that are none: whoever became this program had started them.
    foreign: Vec<u32>,
}

impl Descendants {
    /// From now on the kernel makes every process below this one that loses its parent its child.
    pub fn adopt() -> Self {
        // Where it is forbidden, some of what is started may get away.
        let _ = set_child_subreaper(Some(getpid()));
        Self { foreign: children().collect() }
    }

    /// Kills each of them, until none is left that can be killed.
    pub fn kill(&self) {
        while self.kill_children() > 0 {
            // What loses its parent now becomes our child.
            if matches!(wait(WaitOptions::empty()), Err(error) if error != Errno::INTR) {
                return;
            }
        }
    }

    /// Sends a signal to each of them that is not in this process group.
    pub fn signal_outside(&self, group: Option<Pid>, signal: Signal) {
        let ours = processes().filter(|pid| is_descendant(*pid) && !self.foreign.contains(pid));
        for pid in ours.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            if group.is_none() || getpgid(Some(pid)).ok() != group {
                // It fails only if that process has just ended.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Kills our children; returns how many there were that could be killed.
    fn kill_children(&self) -> usize {
        let ours = children().filter(|pid| !self.foreign.contains(pid));
        let ours = ours.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        ours.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
    }
}

/// Whether a process was started by this one, or by one that it has started.
pub fn is_descendant(process: u32) -> bool {
    let ourselves = std::process::id();
    let mut above = Some(process);
    for _ in 0..DEEPEST {
        above = above.and_then(parent_of);
        if above.is_none_or(|pid| pid == ourselves) {
            break;
        }
    }
    above == Some(ourselves)
}

/// Our children.
fn children() -> impl Iterator<Item = u32> {
    let ourselves = std::process::id();
    processes().filter(move |pid| parent_of(*pid) == Some(ourselves))
}

/// All processes that we may know of.
pub fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok())
}

/// The parent of a process, if that is there.
pub fn parent_of(process: u32) -> Option<u32> {
    field_of(process, PARENT)
}

/// The process group of a process, if that is there; 0 is one that we cannot see.
pub fn group_of(process: u32) -> Option<u32> {
    field_of(process, GROUP)
}

/// Fields of a line of `/proc/PID/stat`, counted from the one after the name.
const PARENT: usize = 1;
const GROUP: usize = 2;

fn field_of(process: u32, field: usize) -> Option<u32> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    field_in(&stat, field)
}

/// Field 2 of the line is a name in parentheses, and may hold anything.
fn field_in(stat: &[u8], field: usize) -> Option<u32> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_whitespace().nth(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_field_4_and_its_group_field_5() {
        let stat = b"42 (a b) 3)) S 17 41 40 0";
        assert_eq!((field_in(stat, PARENT), field_in(stat, GROUP)), (Some(17), Some(41)));
        for wrong in [&b""[..], b"42", b"42 (a) S", b"42 (a) S x"] {
            assert_eq!(field_in(wrong, PARENT), None);
        }
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(parent_of(std::process::id()).map(i64::from), parent.map(i64::from));
    }
}
