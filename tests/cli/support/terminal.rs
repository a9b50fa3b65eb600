//! Runs the program on a pseudo-terminal, types at it, and looks at the screen as a person does:
//! through a terminal emulator of an independent make. It must never know what the program is meant
//! to do.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{self, OpenptFlags};
use rustix::termios::{self, LocalModes, OptionalActions, Winsize};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is not the terminal.
pub enum Redirect {
    /// Standard input is the file, or the pipe, of this name.
    Stdin(String),
    /// Standard output is this file.
    Stdout(File),
    /// Standard error is this file.
    Stderr(File),
}

/// A program on a terminal; killed when the test ends without having waited for it.
pub struct Session {
    child: Child,
    master: File,
    bytes: Receiver<Vec<u8>>,
    /// Everything that was written to the terminal.
    pub written: Vec<u8>,
    parser: vt100::Parser,
}

impl Session {
    /// `mqttws` with `arguments` as the foreground of a terminal of so many rows and columns;
    /// `environment` comes beside `PATH` and `TERM`.
    pub fn start(
        size: (u16, u16),
        arguments: &[&str],
        environment: &[(&str, &str)],
        redirects: Vec<Redirect>,
    ) -> Self {
        let words = [&[env!("CARGO_BIN_EXE_mqttws")], arguments].concat();
        Self::start_program(size, &words, environment, redirects)
    }

    /// An interactive shell with job control, whose prompt is `$`; mqttws is on its `PATH`.
    pub fn shell(size: (u16, u16)) -> Self {
        let folder = std::path::Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let words = ["bash", "--norc", "--noprofile", "-i"];
        let environment = [("PS1", "$ "), ("PATH", &path), ("HOME", "/nonexistent")];
        Self::start_program(size, &words, &environment, Vec::new())
    }

    fn start_program(
        size: (u16, u16),
        words: &[&str],
        environment: &[(&str, &str)],
        redirects: Vec<Redirect>,
    ) -> Self {
        let (master, slave) = open(size);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", "exec \"$@\" <\"${INPUT:-/dev/tty}\"", "sh"]);
        command
            .args(words)
            .env_clear()
            .env("PATH", path)
            .env("TERM", "xterm")
            .envs(environment.iter().copied());
        // The terminal is what setsid finds as its standard input; the shell opens what comes in
        // its place.
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        for redirect in redirects {
            match redirect {
                Redirect::Stdin(path) => drop(command.env("INPUT", path)),
                Redirect::Stdout(file) => drop(command.stdout(file)),
                Redirect::Stderr(file) => drop(command.stderr(file)),
            }
        }
        let child = command.spawn().expect("setsid is part of util-linux");
        drop((command, slave));
        let (sender, bytes) = mpsc::channel();
        let mut reader = master.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // When the last program has closed the terminal reading is an error, which is its end.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let parser = vt100::Parser::new(size.0, size.1, 1000);
        Self { child, master, bytes, written: Vec::new(), parser }
    }

    /// Types this.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Sends the program a signal by name (`STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success(), "{kill}: {status}");
    }

    /// Gives the terminal another size, of which the program is told.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        termios::tcsetwinsize(&self.master, winsize(rows, columns)).unwrap();
        self.parser.screen_mut().set_size(rows, columns);
    }

    /// The lines of the screen, without the spaces at their ends and the empty ones at its end.
    pub fn screen(&self) -> Vec<String> {
        let screen = self.parser.screen();
        let rows = screen.rows(0, screen.size().1);
        let mut rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.truncate(rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
        rows
    }

    /// Waits until the screen is like this.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.screen()) {
            let came = self.take(deadline);
            assert!(came || wanted(&self.screen()), "no {what}:\n{}", self.shown());
        }
    }

    /// Waits until the screen is exactly this.
    pub fn wait_for_screen(&mut self, expected: &[&str]) {
        self.wait_for(&format!("screen {expected:#?}"), |rows| rows == expected);
    }

    /// Waits for the end: its exit code, and the screen that it leaves.
    pub fn finish(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.take(deadline) {}
        let status = self.wait(deadline);
        let screen = self.parser.screen();
        assert!(!screen.hide_cursor(), "the cursor is hidden at the end:\n{}", self.shown());
        Ended {
            code: status.code(),
            screen: self.screen(),
            column: screen.cursor_position().1,
            written: std::mem::take(&mut self.written),
        }
    }

    /// Its outputs have ended, so this turns once or twice; it is there to bound the wait.
    fn wait(&mut self, deadline: Instant) -> ExitStatus {
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() >= deadline => panic!("it had not ended:\n{}", self.shown()),
                None => thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    /// Takes what is written next; false at the end, or when the time is up.
    fn take(&mut self, deadline: Instant) -> bool {
        match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.parser.process(&bytes);
                self.written.extend(bytes);
                true
            }
            Err(_) => false,
        }
    }

    fn shown(&self) -> String {
        let latest = self.written.len().saturating_sub(2000);
        format!("{}\n--- {}", self.screen().join("\n"), self.written[latest..].escape_ascii())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How a program on a terminal ended.
pub struct Ended {
    /// The exit code.
    pub code: Option<i32>,
    /// What stands on the screen.
    pub screen: Vec<String>,
    /// Where the next program would begin to write.
    pub column: u16,
    /// Everything that was written to the terminal.
    pub written: Vec<u8>,
}

impl Ended {
    /// Compares the exit code and the screen; the cursor stands at the beginning of a line.
    pub fn expect(&self, code: i32, screen: &[&str]) {
        assert!(
            self.code == Some(code) && self.screen == screen && self.column == 0,
            "expected {code}, {screen:#?}\nbut got {:?}, column {}, {:#?}\n--- {}",
            self.code,
            self.column,
            self.screen,
            self.written.escape_ascii()
        );
    }
}

fn open((rows, columns): (u16, u16)) -> (File, OwnedFd) {
    let master =
        pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    pty::grantpt(&master).unwrap();
    pty::unlockpt(&master).unwrap();
    termios::tcsetwinsize(&master, winsize(rows, columns)).unwrap();
    let name = pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    // It becomes the controlling terminal of the program's session, not of the test.
    let slave = rustix::fs::open(
        name,
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    // Ctrl-C would make the kernel throw away what is on its way to the screen, and with it the
    // answer of a program that is quick.
    let mut modes = termios::tcgetattr(&slave).unwrap();
    modes.local_modes |= LocalModes::NOFLSH;
    termios::tcsetattr(&slave, OptionalActions::Now, &modes).unwrap();
    (master.into(), slave)
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
