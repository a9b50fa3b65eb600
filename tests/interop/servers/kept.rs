//! A server that all tests share: started when the first of them needs it, and ended with the
//! process of the tests, however that ends.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::folder::Folder;

/// How long a server may take to start: RabbitMQ alone waits 6 s for the other nodes of a cluster
/// that it is not part of.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs a command, and kills it when the standard input of this script ends, which it does with the
/// process that holds the other end. `trap :` lets the script outlive a signal to its group: `read`
/// returns, and the server is ended. A folder that is named is removed. The server has a session of
/// its own, so that a signal from the terminal does not end it in its own slow order.
const GUARD: &str = "trap : TERM INT HUP\n\
                     log=$1 folder=$2; shift 2\n\
                     setsid \"$@\" </dev/null >\"$log\" 2>&1 &\n\
                     while read -r _; do :; done\n\
                     kill -KILL $!\n\
                     wait $!\n\
                     [ -z \"$folder\" ] || rm -rf \"$folder\"\n";

/// How a server is started.
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    /// What its log says when it takes connections.
    pub ready: &'static str,
}

/// The server, gone when this is dropped or the process ends.
pub struct Kept {
    guard: Child,
    /// Held open as long as the server is to run.
    stdin: Option<ChildStdin>,
}

impl Kept {
    /// Starts it in `folder`, where its log is, and waits until it is ready. With
    /// [`Remains::Nothing`] the folder goes with the server.
    pub fn start(start: &Start, folder: &Path, remains: Remains) -> Self {
        let log = folder.join("log");
        std::fs::write(&log, "").unwrap();
        let removed = match remains {
            Remains::Folder => Path::new(""),
            Remains::Nothing => folder,
        };
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args([&log, removed])
            .args(&start.words)
            .env("HOME", folder)
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = guard.stdin.take();
        let kept = Self { guard, stdin };
        kept.wait_until_ready(start, &log);
        kept
    }

    fn wait_until_ready(&self, start: &Start, log: &Path) {
        let deadline = Instant::now() + PATIENCE;
        let said = || String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
        while !said().contains(start.ready) {
            assert!(Instant::now() < deadline, "{:?} did not start:\n{}", start.words, said());
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.guard.wait().ok();
    }
}

/// What is left when a server has ended.
pub enum Remains {
    /// The folder with its data: it may be started again.
    Folder,
    Nothing,
}

/// A folder that outlives the tests and goes with the server: nothing is dropped when a process
/// ends.
pub fn lasting_folder() -> PathBuf {
    let folder = std::mem::ManuallyDrop::new(Folder::new());
    folder.path().to_owned()
}
