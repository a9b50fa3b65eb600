//! Commands that end well, badly, never, or not until they are told to.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::format::escape::ControlCharacters;
use crate::format::layout::{Content, TopicColour};
use crate::mqtt::topic::TopicName;

const PATIENCE: Duration = Duration::from_secs(30);

/// Commands, and what wakes the caller.
struct Stage {
    commands: Commands,
    woken: Receiver<()>,
}

fn stage(command: &str, jobs: usize) -> Stage {
    stage_that(command, jobs, OnFailure::KeepGoing)
}

fn stage_that(command: &str, jobs: usize, on_failure: OnFailure) -> Stage {
    let (wake, woken) = mpsc::channel();
    let words = ["sh", "-c", command].map(OsString::from).to_vec();
    let guard = GroupGuard::new(|_| Box::new(()));
    let settings = Settings { words, jobs, stdout: CommandStdout::Captured, on_failure, guard };
    let content = Content::Payload { verbose: false, encoding: None };
    let layout = Layout {
        content,
        end: None,
        control_characters: ControlCharacters::Unchanged,
        colour: TopicColour::Plain,
    };
    let wake = move || wake.send(()).expect("the test waits");
    Stage { commands: Commands::start(&settings, layout, wake).expect("threads"), woken }
}

impl Stage {
    fn put(&mut self, number: u64, payload: impl Into<Bytes>) {
        let publish = Publish {
            topic: TopicName::new("a/b").ok(),
            payload: payload.into(),
            ..Publish::default()
        };
        self.commands.put(number, &publish).expect("payloads fit");
    }

    fn ended(&mut self) -> (u64, CommandOutcome) {
        self.woken.recv_timeout(PATIENCE).expect("a command ends");
        let ended = self.commands.ended().expect("that is what woke us");
        self.commands.done(ended.number);
        (ended.number, ended.outcome)
    }
}

fn done(text: &'static str) -> CommandOutcome {
    CommandOutcome::Done(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_command_reads_the_payload_and_knows_the_message() {
    let mut stage = stage("echo $MQTT_TOPIC; cat; echo $MQTT_MID", 1);
    stage.put(1, &b"x\0y"[..]);
    assert_eq!(stage.ended(), (1, done("a/b\nx\0y\n")));
    assert!(stage.commands.is_idle());
}

#[test]
fn ends_are_told_as_they_are() {
    let mut stage = stage("eval \"$(cat)\"", 1);
    let inputs =
        ["exit 3", "kill -9 $$", "no-such-command 2>&-", "head -c 16777217 /dev/zero", "true"];
    for (number, input) in (1..).zip(inputs) {
        stage.put(number, input);
    }
    let failed = |text: &str| CommandOutcome::Failed(text.to_owned());
    assert_eq!(stage.ended(), (1, failed("it ended with exit code 3")));
    assert_eq!(stage.ended(), (2, failed("signal 9 ended it")));
    assert_eq!(stage.ended(), (3, failed("it ended with exit code 127")));
    assert_eq!(stage.ended(), (4, failed("it writes more than 16777216 bytes")));
    assert_eq!(stage.ended(), (5, done("")));
}

/// Not even for as long as it takes the caller to hear of the failure.
#[test]
fn nothing_is_started_after_a_failure() {
    let mut stage = stage_that("eval \"$(cat)\"", 1, OnFailure::Stop);
    for (number, input) in [(1, "true"), (2, "exit 3"), (3, "true"), (4, "true")] {
        stage.put(number, input);
    }
    let outcomes: Vec<CommandOutcome> = (1..=4).map(|_| stage.ended().1).collect();
    let failed = CommandOutcome::Failed("it ended with exit code 3".to_owned());
    assert_eq!(outcomes, [done(""), failed, CommandOutcome::Dropped, CommandOutcome::Dropped]);
}

#[test]
fn a_command_need_not_read() {
    let mut stage = stage("true", 1);
    stage.put(1, vec![b'x'; 10_000_000]);
    assert_eq!(stage.ended(), (1, done("")));
}

#[test]
fn done_is_what_everything_before_it_is() {
    // Those with a file wait until it is there.
    let folder = std::env::temp_dir().join(format!("mqttws-commands-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let gate = folder.join("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().expect("mkfifo");
    assert!(made.success());
    let mut stage = stage("read gate; if [ \"$gate\" ]; then cat \"$gate\"; fi", 2);
    stage.put(1, format!("{}\n", gate.display()));
    stage.put(2, "\n");
    stage.commands.skip(3);
    assert!(!stage.commands.is_full());
    stage.commands.skip(4);
    assert!(stage.commands.is_full());
    assert_eq!(stage.ended(), (2, done("")));
    assert_eq!(stage.commands.done_up_to(), None);
    std::fs::write(&gate, "open").expect("a reader");
    assert_eq!(stage.ended(), (1, done("open")));
    assert_eq!(stage.commands.done_up_to(), Some(4));
    assert_eq!(stage.commands.done_up_to(), None);
    std::fs::remove_dir_all(folder).expect("ours to remove");
}

#[test]
fn signals_reach_what_runs_and_what_it_has_started() {
    let mut stage = stage("trap 'echo told; exit 0' TERM; echo; sleep 1000 & wait", 1);
    stage.put(1, "");
    stage.put(2, "");
    // Until the trap is set the signal would end it, which is as well.
    stage.commands.signal(15);
    let (number, outcome) = stage.ended();
    assert_eq!(number, 1);
    assert!(matches!(outcome, CommandOutcome::Dropped | CommandOutcome::Done(_)), "{outcome:?}");
    assert_eq!(stage.ended(), (2, CommandOutcome::Dropped));
}

#[test]
fn what_does_not_listen_is_killed() {
    let mut stage = stage("trap '' TERM INT; sleep 1000", 1);
    stage.put(1, "");
    stage.commands.signal(2);
    stage.commands.kill();
    assert_eq!(stage.ended(), (1, CommandOutcome::Dropped));
}
