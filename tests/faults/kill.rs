//! `mqttws sub` ended at any moment, by SIGKILL and by a reader that goes away: what its runs
//! printed is complete when put together.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use crate::broker::Mosquitto;
use crate::numbers::{all_arrived, feed, numbers, other_seeds, sequence};
use crate::process::Process;
use crate::program::{PATIENCE, Program};
use crate::{LONG, mosquitto};

const LAST: u32 = 8000;

/// For readers that go away: while a few lines are read, a thousand may be written.
const MANY: u32 = 12_000;

/// Comes behind all others.
const END: u32 = 1_000_000;

/// How long after its start a run may be killed, in milliseconds: before, in and after the
/// connection.
const START: u64 = 60;

/// The flags of a session that stays.
fn session<'a>(qos: &'a str, version: &'a str) -> [&'a str; 9] {
    ["-t", "t", "-q", qos, "-V", version, "-c", "-i", "sub"]
}

/// A broker with this session in it.
fn broker_with(session: &[&str]) -> Option<Mosquitto> {
    let broker = mosquitto()?;
    Program::new([&["sub", &broker.ws(), "-E"], session].concat()).run().expect(0, "", "");
    Some(broker)
}

/// Kills run after run, when it has printed some more numbers or when some time has passed.
fn kill_again_and_again(seed: u64, qos: &str, version: &str) {
    let seed = seed + other_seeds();
    println!("seed {seed}");
    let session = session(qos, version);
    let Some(broker) = broker_with(&session) else { return };
    let mut random = fastrand::Rng::with_seed(seed);
    let feeder =
        broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-l"]).stdin(sequence(LAST)).spawn();
    let run = || Program::new([&["sub", &broker.ws()], &session[..]].concat()).spawn();
    let (mut printed, mut latest, mut kills) = (Vec::new(), 0, 0);
    while kills < 20 && latest < LAST {
        let mut running = run();
        if random.u8(..3) == 0 {
            thread::sleep(Duration::from_millis(random.u64(..START)));
        } else {
            let wanted = LAST.min(latest + random.u32(1..150));
            running.wait_for_line(|line| {
                line.trim_end().parse().is_ok_and(|number: u32| number >= wanted)
            });
        }
        running.signal("KILL");
        printed.extend(numbers(&running.finish().stdout));
        latest = printed.iter().max().copied().unwrap_or(0);
        kills += 1;
    }
    println!("{kills} kills, the last after {latest}");
    feeder.finish_within(LONG).expect(0, "", "");
    printed.extend(the_rest(&broker, &session));
    all_arrived(&printed, LAST, "1");
    assert!(kills >= 4, "only {kills} kills");
}

/// What a last run prints, up to a mark at the end.
fn the_rest(broker: &Mosquitto, session: &[&str]) -> Vec<u32> {
    publish(broker, session[3], END);
    let mut last = Program::new([&["sub", &broker.ws()], session].concat()).spawn();
    last.wait_for_line(|line| line.trim_end().parse() == Ok(END));
    last.signal("INT");
    let outcome = last.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let mut printed = numbers(&outcome.stdout);
    assert_eq!(printed.pop(), Some(END), "the end comes last");
    printed
}

/// Publishes one number.
fn publish(broker: &Mosquitto, qos: &str, number: u32) {
    let flags = ["-t", "t", "-q", qos, "-m", &number.to_string()];
    broker.client("mosquitto_pub", &flags).run().expect(0, "", "");
}

#[test]
fn killed_at_qos_1() {
    kill_again_and_again(21, "1", "5");
}

#[test]
fn killed_at_qos_1_before_version_5() {
    kill_again_and_again(22, "1", "311");
}

#[test]
fn killed_at_qos_2() {
    kill_again_and_again(23, "2", "5");
}

#[test]
fn killed_at_qos_2_before_version_5() {
    kill_again_and_again(24, "2", "311");
}

/// A run whose reader goes away after so many lines; everything that was written until then.
/// Without one more message a program with nothing to write would not see that it is gone.
///
/// A socket stands for the pipe: after its reading end was shut the writer gets EPIPE as it does
/// from a closed pipe, but what was written before can still be looked at. `head` would throw it
/// away.
fn read_lines(arguments: &[&str], lines: usize, publish_one: impl FnOnce()) -> Vec<u8> {
    let (mut reader, writer) = UnixStream::pair().unwrap();
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut process = Process::start_with_stdout(arguments, OwnedFd::from(writer).into());
    let (mut read, mut buffer) = (Vec::new(), vec![0; 4096]);
    while numbers(&read).len() < lines {
        let length = match reader.read(&mut buffer) {
            // A read with a time-out ends so when the machine, or only the test, was stopped and
            // goes on: not even a signal handler is needed (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result.unwrap_or_else(|error| {
                panic!("{error:?} with {} of {lines} lines", numbers(&read).len())
            }),
        };
        assert!(length > 0, "it ended after {read:?}");
        read.extend_from_slice(&buffer[..length]);
    }
    reader.shutdown(Shutdown::Read).unwrap();
    reader.read_to_end(&mut read).unwrap();
    publish_one();
    assert_eq!(process.wait().0, Some(0), "a closed pipe is no failure");
    read
}

/// Lets readers go away one after the other.
fn close_again_and_again(qos: &str, version: &str) {
    let session = session(qos, version);
    let Some(broker) = broker_with(&session) else { return };
    feed(&broker, MANY, qos, LONG);
    let seed = 25 + other_seeds();
    println!("seed {seed}");
    let (url, mut random) = (broker.ws(), fastrand::Rng::with_seed(seed));
    let (mut printed, mut readers) = (Vec::new(), 0);
    while readers < 12 && printed.iter().max().is_none_or(|number| *number < MANY / 2) {
        let publish_one = || publish(&broker, qos, 0);
        let arguments = [&["sub", &url], &session[..]].concat();
        let written = read_lines(&arguments, random.usize(1..60), publish_one);
        printed.extend(numbers(&written));
        readers += 1;
    }
    println!("{readers} readers");
    assert!(readers > 0, "nobody has read");
    printed.extend(the_rest(&broker, &session));
    printed.retain(|number| *number > 0);
    all_arrived(&printed, MANY, "1");
}

#[test]
fn readers_that_go_away_at_qos_1() {
    close_again_and_again("1", "5");
    close_again_and_again("1", "311");
}

#[test]
fn readers_that_go_away_at_qos_2() {
    close_again_and_again("2", "5");
}
