//! A run of `mqttws bench`, and what it says of itself.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::Failure;

/// A run that has begun.
pub struct Running(Child);

/// Begins a run with these arguments; the program may be wrapped by other words.
pub fn begin(words: &[&str], url: &str, flags: &str) -> Result<Running, Failure> {
    let (program, before) = words.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    command.args(before).args(["bench", url, "-V", "5", "--json"]);
    command.args(flags.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(Running(command.spawn()?))
}

impl Running {
    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub fn finish(self) -> Result<Outcome, Failure> {
        let output = self.0.wait_with_output()?;
        let object = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok(Outcome { output, object })
    }
}

/// What a run has left.
pub struct Outcome {
    output: Output,
    /// The object that it printed.
    pub object: Value,
}

impl Outcome {
    /// Its exit code.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What it said on stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
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

    /// Why it proves nothing.
    pub fn why(&self) -> String {
        let all = self.at("/invalid_because").as_array().into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
    }
}
