//! SIGINT and SIGTERM: the broker gets a DISCONNECT, and the exit code says whether anything was
//! left to do.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::ioctl_fionread;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{self, is_like};
use crate::support::program::{Program, Running};

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

#[test]
fn an_endless_sub_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        sub.finish().expect(0, "x\n", "");
    }
}

#[test]
fn a_sub_that_waits_for_a_count_is_not_done() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub =
            Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "2"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        let outcome = sub.finish();
        assert_eq!(
            (outcome.code(), outcome.stdout.as_slice()),
            (Some(code), b"x\n".as_slice()),
            "{outcome}"
        );
    }
}

/// A file of retained messages that ends where it was interrupted is no backup.
#[test]
fn a_sub_that_would_have_ended_by_itself_is_not_done() {
    let silence = ["--idle", "--for", "-W"].map(|flag| [flag, "60"]);
    for flags in silence {
        for (signal, code) in SIGNALS {
            let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
            let start = ["sub", &broker.url(), "-V", "311", "-t", "t"];
            let mut sub = Program::new([&start[..], &flags].concat()).spawn();
            sub.wait_for_line(|line| line == "x\n");
            sub.signal(signal);
            let line = "mqttws: subscribed: interrupted with 1 message\n";
            sub.finish().expect(code, "x\n", line);
        }
    }
}

#[test]
fn a_sub_without_an_answer_is_not_done() {
    for flags in [&[][..], &["-E"], &["--idle", "60"], &["-C", "1"], &["--expect-none", "-W", "9"]]
    {
        for (signal, code) in SIGNALS {
            let steps = connected([packet("82 id <t> 00"), Step::Tell]);
            let broker = Broker::start(until_goodbye(steps));
            let start = ["sub", &broker.url(), "-V", "311", "-t", "t"];
            let sub = Program::new([&start[..], flags].concat()).spawn();
            broker.wait();
            sub.signal(signal);
            sub.finish().expect(code, "", "mqttws: subscribing to t: interrupted\n");
        }
    }
}

/// A session that was kept brings its messages at once.
#[test]
fn an_endless_sub_that_has_got_messages_before_the_answer_is_done() {
    for (signal, _) in SIGNALS {
        let steps = connected([packet("82 id <t> 00"), Step::Send("30 <t> 'x'")]);
        let broker = Broker::start(until_goodbye(steps));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        sub.finish().expect(0, "x\n", "");
    }
}

#[test]
fn an_endless_ping_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
        let mut ping =
            Program::new(["ping", &broker.url(), "-V", "311", "--interval", "60"]).spawn();
        ping.wait_for_line(|line| is_like(line.trim_end(), lines::PING_PROBE));
        ping.signal(signal);
        let outcome = ping.finish();
        assert_eq!(
            (outcome.code(), outcome.stderr.as_slice()),
            (Some(0), b"".as_slice()),
            "{outcome}"
        );
    }
}

/// The statistics are printed all the same, as ping(8) does.
#[test]
fn a_ping_that_is_to_count_is_not_done() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
        let flags = ["-V", "311", "--interval", "60", "-c", "3"];
        let mut ping = Program::new([&["ping", &broker.url()], &flags[..]].concat()).spawn();
        ping.wait_for_line(|line| is_like(line.trim_end(), lines::PING_PROBE));
        ping.signal(signal);
        let outcome = ping.finish();
        let stdout = String::from_utf8_lossy(&outcome.stdout);
        assert!(stdout.contains("1 sent, 1 answered, 0% lost"), "{outcome}");
        let line = "mqttws: pinging ws://*/mqtt: interrupted after 1 of 3 probes\n";
        let text = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.code() == Some(code) && is_like(&text, line), "{outcome}");
    }
}

#[test]
fn a_pub_that_waits_for_its_input_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Send("40 id"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-l"]);
        let running = program.stdin("one\n").stdin_held_open().spawn();
        broker.wait();
        running.signal(signal);
        let line = "mqttws: publishing: interrupted with 1 of 1 message handed over; \
                    go on with number 2\n";
        running.finish().expect(code, "", line);
    }
}

/// The first of two is not acknowledged.
#[test]
fn an_interrupted_pub_names_the_record_to_go_on_with() {
    let steps = connected([packet("32 <t> 00 01 'one'"), packet("32 <t> 00 02 'two'"), Step::Tell]);
    let broker = Broker::start(until_goodbye(steps));
    let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-l"]);
    let running = program.stdin("one\ntwo\n").stdin_held_open().spawn();
    broker.wait();
    running.signal("INT");
    let line = "mqttws: publishing: interrupted with 0 of 2 messages handed over; \
                go on with number 1; numbers 1 to 2 may arrive twice\n";
    running.finish().expect(130, "", line);
}

/// What came after the record that is named arrives twice, whether it was acknowledged or not; what
/// was not sent does not.
#[test]
fn an_interrupted_pub_tells_what_arrives_twice() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(connected([
            packet("32 <t> 00 01 'one'"),
            packet("32 <t> 00 02 'two'"),
            packet("32 <t> 00 03 'three'"),
            Step::Send("40 00 01; 40 00 03"),
            Step::Tell,
        ]));
        let flags = ["-V", "311", "-t", "t", "-q", "1", "-l", "-d", "-M", "3"];
        let program = Program::new([&["pub", &broker.url()], &flags[..]].concat());
        let mut running = program.stdin("one\ntwo\nthree\n").stdin_held_open().spawn();
        broker.wait();
        running.wait_for_words("received PUBACK (Mid: 3");
        running.signal(signal);
        let line = "mqttws: publishing: interrupted with 2 of 3 messages handed over; \
                    go on with number 2; numbers 2 to 3 may arrive twice\n";
        let outcome = running.finish();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(outcome.code() == Some(code) && stderr.ends_with(line), "{outcome}");
    }
}

/// What was received and is not yet in the folder does not count.
#[test]
fn an_interrupted_sub_counts_what_it_has_written() {
    let folder = Folder::new();
    let inside = format!("{}/messages", folder.path().display());
    let frames = b"\x82\x06\x30\x04\x00\x01tx".repeat(20_000);
    let broker = Broker::start(until_goodbye(subscribed([Step::Raw(frames), Step::Tell])));
    let flags = ["-V", "311", "-t", "t", "-C", "100000", "-o", &inside];
    let running = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    broker.wait();
    running.signal("INT");
    let outcome = running.finish();
    let written = std::fs::read_dir(&inside).unwrap().count();
    let line = format!("mqttws: subscribed: interrupted with {written} of 100000 messages\n");
    outcome.expect(130, "", &line);
}

#[test]
fn a_pub_that_waits_for_an_acknowledgement_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program =
            Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-m", "one"]);
        let running = program.spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!(
            (outcome.code(), outcome.stdout.as_slice()),
            (Some(code), b"".as_slice()),
            "{outcome}"
        );
    }
}

#[test]
fn a_connection_that_is_being_made_is_given_up() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(vec![Step::Request(&[]), Step::Tell, Step::Gone]);
        let running = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!(
            (outcome.code(), outcome.stdout.as_slice()),
            (Some(code), b"".as_slice()),
            "{outcome}"
        );
    }
}

/// A named pipe that takes nothing any more.
struct FullPipe {
    folder: Folder,
    pipe: File,
    holds: u64,
}

impl FullPipe {
    fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        let mut pipe =
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path).unwrap();
        while pipe.write(&[b'x'; 4096]).is_ok() {}
        let holds = ioctl_fionread(&pipe).unwrap();
        Self { folder, pipe, holds }
    }

    /// mqttws as a command of the shell, with its output `number` (1 or 2) in the pipe.
    fn program(&self, arguments: &str, number: u8) -> Program {
        let (program, path) = (env!("CARGO_BIN_EXE_mqttws"), self.folder.path().join("pipe"));
        let command = format!("exec {program} {arguments} {number}> {}", path.display());
        Program::of("sh", ["-c", &command])
    }

    /// Makes room for some lines, and waits until they have come, but for the last one or two.
    fn wait_for_lines(&mut self) {
        self.pipe.read_exact(&mut [0; 4096]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while ioctl_fionread(&self.pipe).unwrap() + 100 < self.holds {
            assert!(Instant::now() < deadline, "the pipe is not full again");
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

/// One that writes to the pipe, line by line, and has come to a standstill.
fn stuck_ping(url: &str, pipe: &mut FullPipe) -> Running {
    let running = pipe.program(&format!("ping {url} --interval 0.001"), 1).spawn();
    pipe.wait_for_lines();
    running
}

fn serve() -> (Running, String) {
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    (serve, url)
}

fn is_obeyed(running: Running) {
    running.signal("TERM");
    let outcome = running.finish_within(Duration::from_secs(8));
    assert_eq!(outcome.code(), Some(143), "{outcome}");
}

#[test]
fn a_signal_is_obeyed_although_nobody_reads_the_output() {
    let ((_serve, url), mut pipe) = (serve(), FullPipe::new());
    is_obeyed(stuck_ping(&url, &mut pipe));
}

#[test]
fn a_second_signal_is_obeyed_at_once() {
    let ((_serve, url), mut pipe) = (serve(), FullPipe::new());
    let running = stuck_ping(&url, &mut pipe);
    running.signal("INT");
    running.signal("TERM");
    let outcome = running.finish_within(Duration::from_secs(4));
    // On a busy machine both are there before the first is handled, and the later goes first.
    assert!(matches!(outcome.code(), Some(130 | 143)), "{outcome}");
}

/// These are as short as a run can be.
#[test]
fn a_signal_is_obeyed_although_nobody_reads_what_was_refused() {
    let refused =
        [Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 05"), Step::Tell, Step::Gone];
    let connected = [Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    let denied = [packet("32 <t> id 00 'x'"), Step::Send("40 id 87"), Step::Tell, Step::Gone];
    let denied = connected.into_iter().chain(denied).collect();
    for (script, flags) in [(refused.into(), "-V 311"), (denied, "-V 5 -q 1")] {
        let (pipe, broker) = (FullPipe::new(), Broker::start(script));
        let running = pipe.program(&format!("pub {} {flags} -t t -m x", broker.url()), 2).spawn();
        broker.wait();
        is_obeyed(running);
    }
}

/// At QoS 0, to a server that keeps up, there is always something to send, and never anything to
/// wait for.
#[test]
fn a_pub_without_end_is_interrupted() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(connected([packet("30 <t> 'x'"), Step::Tell, Step::Gone]));
        let url = broker.url();
        let arguments =
            ["pub", &url, "-V", "311", "-t", "t", "-m", "x", "--repeat", "1000000000000"];
        let running = Program::new(arguments).spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish_within(Duration::from_secs(4));
        assert_eq!(outcome.code(), Some(code), "{outcome}");
    }
}

/// The time of `-W` counts, too, when every message has come and none can be written.
#[test]
fn the_time_that_there_is_ends_although_nobody_reads_the_output() {
    let script = until_goodbye(subscribed([Step::Send("30 <t> 'x'")]));
    let (pipe, broker) = (FullPipe::new(), Broker::start(script));
    let arguments = format!("sub {} -V 311 -t t -C 1 -W 0.5", broker.url());
    let line = "mqttws: subscribed: timed out after 0.5 s with 0 of 1 message\n";
    pipe.program(&arguments, 1).run().expect(27, "", line);
}

/// What has come is written before `--idle` and `--for` end it, however late it is read.
#[test]
fn a_slow_reader_loses_nothing_at_the_end() {
    for flags in ["--idle 0.2", "--for 0.3"] {
        let script = until_goodbye(subscribed([Step::Send("30 <t> 'one'; 30 <t> 'two'")]));
        let (mut pipe, broker) = (FullPipe::new(), Broker::start(script));
        let arguments = format!("sub {} -V 311 -t t {flags}", broker.url());
        let running = pipe.program(&arguments, 1).spawn();
        // A reader that comes after the time is over, and after what an interrupt would allow.
        thread::sleep(Duration::from_secs(1));
        let mut written = vec![0; usize::try_from(pipe.holds).unwrap()];
        pipe.pipe.read_exact(&mut written).unwrap();
        running.finish().expect(0, "", "");
        let mut lines = [0; 8];
        pipe.pipe.read_exact(&mut lines).unwrap();
        assert_eq!(&lines, b"one\ntwo\n", "{flags}");
    }
}
