//! A run of `mqttws bench`, and what it says of itself.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use serde_json::Value;

use crate::Failure;

/// A run that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(3);

/// A run that has begun.
pub struct Running(Child);

/// Begins a run with these arguments, in MQTT 5; the program may be wrapped by other words.
pub fn begin(words: &[&str], url: &str, flags: &str) -> Result<Running, Failure> {
    begin_as(words, url, "5", flags)
}

/// The same in this version of MQTT.
pub fn begin_as(words: &[&str], url: &str, version: &str, flags: &str) -> Result<Running, Failure> {
    let (program, before) = words.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    command.args(before).args(["bench", url, "-V", version, "--json"]);
    command.args(flags.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(Running(command.spawn()?))
}

impl Running {
    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end, which is bound to come.
    pub fn finish(self) -> Result<Outcome, Failure> {
        let pid = Pid::from_raw(i32::try_from(self.id())?);
        let (done, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // It may have ended this very moment.
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        let output = self.0.wait_with_output()?;
        drop(done);
        let object = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok(Outcome { output: Some(output), object })
    }
}

/// What a run has left.
pub struct Outcome {
    output: Option<Output>,
    /// The object that it printed.
    pub object: Value,
}

impl Outcome {
    /// A run of which only the object is known.
    pub fn of(object: &str) -> Result<Self, Failure> {
        Ok(Self { output: None, object: serde_json::from_str(object)? })
    }

    /// Its exit code.
    pub fn code(&self) -> Option<i32> {
        self.output.as_ref()?.status.code()
    }

    /// What it said on stderr.
    pub fn stderr(&self) -> String {
        let stderr = self.output.as_ref().map(|output| output.stderr.as_slice());
        String::from_utf8_lossy(stderr.unwrap_or_default()).into_owned()
    }

    /// A value by its path, such as `/latency/delivery/p99`.
    pub fn at(&self, path: &str) -> &Value {
        self.object.pointer(path).unwrap_or(&Value::Null)
    }

    /// A number by its path; infinite for `never`.
    pub fn number(&self, path: &str) -> f64 {
        match self.at(path) {
            Value::String(_) => f64::INFINITY,
            value => value.as_f64().unwrap_or(f64::NAN),
        }
    }

    /// Whether it says that it proves something.
    pub fn is_valid(&self) -> bool {
        self.at("/valid") == &Value::Bool(true)
    }

    /// What it says set the limit.
    pub fn limit(&self) -> &str {
        self.at("/limit").as_str().unwrap_or_default()
    }

    /// A share of a time in its histogram, in nanoseconds: infinite if so much never came.
    pub fn quantile(&self, path: &str, share: f64) -> f64 {
        let buckets = self.at(&format!("{path}/histogram")).as_array();
        let all = self.number(&format!("{path}/count"));
        let mut counted = 0.0;
        let found = buckets.into_iter().flatten().find_map(|bucket| {
            counted += bucket[1].as_f64()?;
            (counted >= all * share - 1e-6).then(|| bucket[0].as_f64())?
        });
        found.unwrap_or(f64::INFINITY)
    }

    /// What the generator and the machine had to do meanwhile, in words.
    pub fn circumstances(&self) -> String {
        let percent = |path: &str| (self.number(path) * 100.0).round();
        let micros = |path: &str| (self.number(path) / 1e3).round();
        format!(
            "machine {} % busy, {} % stolen; loop {} % CPU; lateness p99 {} max {} us, turns p99 \
             {} max {} us",
            percent("/machine/busy"),
            percent("/machine/steal"),
            percent("/generator/loops/0/cpu"),
            micros("/generator/lateness/p99"),
            micros("/generator/lateness/max"),
            micros("/generator/turn/p99"),
            micros("/generator/turn/max"),
        )
    }

    /// Whether others had so much of the machine that no figure can be trusted.
    pub fn was_disturbed(&self) -> bool {
        self.number("/machine/busy") > 0.9 || self.number("/machine/steal") > 0.02
    }

    /// Why it proves nothing.
    pub fn why(&self) -> String {
        let all = self.at("/invalid_because").as_array().into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
    }
}
