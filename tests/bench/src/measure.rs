//! Runs one program and measures it: wall time, CPU time and peak memory, exact for short processes
//! too.
//!
//! The numbers are the kernel's for "all children that have ended": so each program is run by a
//! process of ours that has no other child. A child begins as a copy of its parent, which has about
//! 2 MiB: no peak below that can be seen.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Failure, core};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What it reads; nothing if empty.
    pub stdin: String,
    /// How many bytes it will write to stdout, a pipe; if 0, stdout is kept in [`Job::output`].
    pub bytes: u64,
    /// It does not end by itself: it is ended when it has written all its bytes.
    pub endless: bool,
    /// It stays on the first core, see [`core`].
    pub one_core: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// A file for results, and one with `.out` behind for stdout.
    pub results: String,
}

/// What it took.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// From start to end.
    pub wall: f64,
    /// User and system, in seconds.
    pub cpu: f64,
    /// Peak resident memory, in KiB.
    pub memory: u64,
    /// What it wrote to stdout, in bytes.
    pub bytes: u64,
    /// It ended as it should.
    pub succeeded: bool,
    /// Its stdout, where that was kept.
    pub output: String,
}

impl Job {
    /// Runs it, by way of a process of its own.
    pub fn run(&self) -> Result<Cost, Failure> {
        let (endless, seconds) = (self.endless.to_string(), self.timeout.as_secs().to_string());
        let (bytes, one_core) = (self.bytes.to_string(), self.one_core.to_string());
        let status = Command::new(std::env::current_exe()?)
            .args(["measure", &self.results, &self.stdin, &bytes, &endless, &one_core, &seconds])
            .args(&self.argv)
            .stdin(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("could not measure {}", self.argv[0]).into());
        }
        let text = fs::read_to_string(&self.results)?;
        let mut fields = text.split(' ');
        let mut next = || fields.next().ok_or("a result is missing");
        Ok(Cost {
            wall: next()?.parse()?,
            cpu: next()?.parse()?,
            memory: next()?.parse()?,
            bytes: next()?.parse()?,
            succeeded: next()? == "true",
            output: if self.bytes == 0 { fs::read_to_string(self.output())? } else { String::new() },
        })
    }

    fn output(&self) -> String {
        format!("{}.out", self.results)
    }
}

/// The process that [`Job::run`] starts.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let [results, stdin, bytes, endless, one_core, seconds, argv @ ..] = arguments else {
        return Err("measure: too few arguments".into());
    };
    let job = Job {
        argv: argv.to_vec(),
        stdin: stdin.clone(),
        bytes: bytes.parse()?,
        endless: endless.parse()?,
        one_core: one_core.parse()?,
        timeout: Duration::from_secs(seconds.parse()?),
        results: results.clone(),
    };
    if job.one_core {
        core::stay_on_first()?;
    }
    let began = Instant::now();
    let child = start(&job)?;
    let (status, bytes, enough) = watch(child, &job)?;
    let wall = enough.filter(|_| job.endless).unwrap_or_else(Instant::now) - began;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let duration = |time: nix::sys::time::TimeVal| -> Result<Duration, Failure> {
        Ok(Duration::from_micros(u64::try_from(time.tv_sec())? * 1_000_000 + u64::try_from(time.tv_usec())?))
    };
    let cpu = (duration(usage.user_time())? + duration(usage.system_time())?).as_secs_f64();
    let succeeded = status.success() || (job.endless && enough.is_some());
    Ok(fs::write(results, format!("{} {cpu} {} {bytes} {succeeded}", wall.as_secs_f64(), usage.max_rss()))?)
}

fn start(job: &Job) -> Result<Child, Failure> {
    let stdin = if job.stdin.is_empty() { Stdio::null() } else { File::open(&job.stdin)?.into() };
    let stdout = if job.bytes > 0 { Stdio::piped() } else { File::create(job.output())?.into() };
    Ok(Command::new(&job.argv[0]).args(&job.argv[1..]).stdin(stdin).stdout(stdout).spawn()?)
}

/// Waits for the end; how much was written, and when everything was.
fn watch(mut child: Child, job: &Job) -> Result<(ExitStatus, u64, Option<Instant>), Failure> {
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let (done, ended) = mpsc::channel::<()>();
    let timeout = job.timeout;
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            // It may have ended this very moment.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let drain = child.stdout.take().map(|mut pipe| {
        let (wanted, endless) = (job.bytes, job.endless);
        thread::spawn(move || {
            let (mut bytes, mut enough, mut buffer) = (0, None, vec![0; 256 * 1024]);
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                bytes += count as u64;
                if bytes >= wanted && enough.is_none() {
                    enough = Some(Instant::now());
                    if endless {
                        let _ = kill(pid, Signal::SIGKILL);
                    }
                }
            }
            (bytes, enough)
        })
    });
    let status = child.wait()?;
    drop(done);
    // Neither can panic, and both have ended with the child.
    let _ = watchdog.join();
    let (bytes, enough) = drain.and_then(|drain| drain.join().ok()).unwrap_or((0, None));
    Ok((status, bytes, enough))
}
