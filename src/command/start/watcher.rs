//! The commands of `--exec`, `--credentials-command` and `--url-command` end with mqttws, also
//! where that is killed, or ended by a second signal. A process of mqttws is told of each of their
//! process groups, and kills those that run when mqttws is gone.

use std::any::Any;
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

#[cfg(target_os = "linux")]
use super::descendants::{group_of, parent_of, processes};
use super::{StartRole, is_started_by_us, ourselves};
use crate::exit::Exit;
use crate::signals::{GroupGuard, SignalWatch};

/// Tells the process that watches of groups; it is started with the first of them.
#[derive(Debug, Clone, Default)]
pub struct GroupWatch(Arc<Mutex<WatchState>>);

#[derive(Debug, Default)]
enum WatchState {
    /// There was no group yet.
    #[default]
    Before,
    /// It runs, and reads this.
    Running(ChildStdin),
    /// There is none.
    Missing,
}

/// A group that is watched until this is dropped.
#[derive(Debug)]
struct WatchedGroup {
    watch: GroupWatch,
    group: Pid,
}

impl GroupWatch {
    /// What tells it of groups.
    pub fn guard(self) -> GroupGuard {
        GroupGuard::new(move |group| self.watch(group))
    }

    /// From now on this group ends with us, until what is returned is dropped: before its leader is
    /// waited for, so that its number stands for nothing else. `None` comes before the start of its
    /// leader, so that the process that watches is there when that runs.
    fn watch(&self, group: Option<Pid>) -> Box<dyn Any + Send> {
        self.prepare();
        let Some(group) = group else { return Box::new(()) };
        self.tell('+', group);
        Box::new(WatchedGroup { watch: self.clone(), group })
    }

    fn prepare(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, WatchState::Before) {
            *state = start().map_or(WatchState::Missing, WatchState::Running);
        }
    }

    fn tell(&self, sign: char, group: Pid) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let WatchState::Running(pipe) = &mut *state {
            // Where it was killed nobody watches.
            let _ = pipe.write_all(format!("{sign}{}\n", group.as_raw_nonzero()).as_bytes());
        }
    }
}

impl Drop for WatchedGroup {
    fn drop(&mut self) {
        self.watch.tell('-', self.group);
    }
}

/// Starts the process that watches, in a process group of its own: keys of the terminal are not for
/// it.
fn start() -> Option<ChildStdin> {
    if !is_started_by_us() {
        return None;
    }
    let mut command = ourselves(StartRole::Watcher);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn().ok()?.stdin
}

/// Reads which groups run until mqttws is gone, and kills those that are left.
pub fn run() -> Result<Exit> {
    // It outlives what ends mqttws.
    let _signals = SignalWatch::begin().context("watching for signals")?;
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines() {
        note(&line.context("reading from mqttws")?, &mut groups);
    }
    kill(&groups);
    Ok(Exit::Done)
}

fn note(line: &str, groups: &mut BTreeSet<i32>) {
    let number = |text: &str| text.parse().ok().filter(|group| *group > 1);
    if let Some(group) = line.strip_prefix('+').and_then(number) {
        groups.insert(group);
    } else if let Some(group) = line.strip_prefix('-').and_then(number) {
        groups.remove(&group);
    }
}

/// Kills these groups, and what has left them while its parent runs.
fn kill(groups: &BTreeSet<i32>) {
    let below = below(groups);
    for group in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    for process in below.iter().filter_map(|process| Pid::from_raw(*process)) {
        let _ = kill_process(process, Signal::KILL);
    }
}

/// The processes of these groups, and those that they have started.
#[cfg(target_os = "linux")]
fn below(groups: &BTreeSet<i32>) -> BTreeSet<i32> {
    let number = |process: u32| i32::try_from(process).ok();
    let is_in = |process: &u32| {
        group_of(*process).and_then(number).is_some_and(|group| groups.contains(&group))
    };
    let family: Vec<(i32, Option<i32>)> = processes()
        .filter_map(|process| Some((number(process)?, parent_of(process).and_then(number))))
        .collect();
    let mut found: BTreeSet<i32> = processes().filter(is_in).filter_map(number).collect();
    loop {
        let is_child = |parent: Option<i32>| parent.is_some_and(|parent| found.contains(&parent));
        let more: Vec<i32> = family
            .iter()
            .filter(|(process, parent)| is_child(*parent) && !found.contains(process))
            .map(|(process, _)| *process)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(not(target_os = "linux"))]
fn below(_: &BTreeSet<i32>) -> BTreeSet<i32> {
    BTreeSet::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_and_go() {
        let mut groups = BTreeSet::new();
        for line in ["+12", "+7", "-12", "-3", "", "+", "+x", "+0", "+1", "+-5", "12"] {
            note(line, &mut groups);
        }
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), [7]);
    }
}
