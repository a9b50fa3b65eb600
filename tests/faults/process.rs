//! A `mqttws` whose pipes the test holds in its own hands, and what the kernel says about it.

use std::io::Read;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::wait_until;

/// The process; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Option<ChildStdout>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts it; its standard error is the test's.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with_stdout(arguments, Stdio::piped())
    }

    /// The same with a standard output of the test's own.
    pub fn start_with_stdout(arguments: &[&str], stdout: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqttws"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .spawn()
            .unwrap();
        Self { stdin: child.stdin.take(), stdout: child.stdout.take(), child }
    }

    /// Its standard input.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("it is taken once")
    }

    /// Its standard output.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.stdout.take().expect("it is taken once")
    }

    /// The most memory that it ever had, in KiB; none when it has ended.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Sends it SIGINT.
    pub fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Waits for its end; its exit code, and how long that took in seconds.
    pub fn wait(&mut self) -> (Option<i32>, f32) {
        let (began, mut status) = (Instant::now(), None);
        wait_until("the end of mqttws", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.and_then(|status| status.code()), began.elapsed().as_secs_f32())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Reads these bytes and nothing else.
    pub fn reads(&mut self, expected: &str) {
        let mut read = vec![0; expected.len()];
        self.stdout.as_mut().expect("it is not taken").read_exact(&mut read).unwrap();
        let shown =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned();
        assert!(
            read == expected.as_bytes(),
            "{:?} where {:?} was due",
            shown(&read),
            shown(expected.as_bytes())
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
