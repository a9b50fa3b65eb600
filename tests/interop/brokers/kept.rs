//! A server that all tests share: started when the first of them needs it, and ended with the
//! process of the tests, however that ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::folder::Folder;

/// How long a server may take to start: RabbitMQ alone waits 6 s for the other nodes of a cluster
/// that it is not part of.
const PATIENCE: Duration = Duration::from_secs(240);

/// Kills the process `$1` and removes the folder `$2`, if one is named, when its standard input
/// ends, which it does with the process that holds the other end. `trap :` lets it outlive a signal
/// to its group for so long: `read` returns.
const GUARD: &str = "trap : TERM INT HUP\n\
                     while read -r _; do :; done\n\
                     kill -KILL \"$1\"\n\
                     [ -z \"$2\" ] || rm -rf \"$2\" || { sleep 1; rm -rf \"$2\"; }\n";

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
    server: Child,
    guard: Child,
    /// Held open as long as the server is to run.
    held: Option<ChildStdin>,
}

impl Kept {
    /// Starts it in `folder`, where its log is, and waits until it is ready. With
    /// [`Remains::Nothing`] the folder goes with the server.
    pub fn start(start: &Start, folder: &Path, remains: Remains) -> Self {
        let log = folder.join("log");
        let (output, errors) =
            (File::create(&log).unwrap(), File::options().append(true).open(&log));
        let server = Command::new(&start.words[0])
            .args(&start.words[1..])
            .env("HOME", folder)
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors.unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {:?}, which tests/run installs: {error}", start.words)
            });
        let removed = match remains {
            Remains::Folder => Path::new(""),
            Remains::Nothing => folder,
        };
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &server.id().to_string()])
            .arg(removed)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = guard.stdin.take();
        let mut kept = Self { server, guard, held };
        kept.wait_until_ready(start, &log);
        kept
    }

    fn wait_until_ready(&mut self, start: &Start, log: &Path) {
        let deadline = Instant::now() + PATIENCE;
        let said = || String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
        while !said().contains(start.ready) {
            let runs = matches!(self.server.try_wait(), Ok(None));
            let in_time = Instant::now() < deadline;
            assert!(runs && in_time, "{:?} did not start:\n{}", start.words, said());
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Kept {
    /// The guard kills it: before it is waited for, nobody else has its number.
    fn drop(&mut self) {
        drop(self.held.take());
        self.guard.wait().ok();
        self.server.wait().ok();
    }
}

/// What is left when a server has ended.
#[derive(Clone, Copy)]
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
