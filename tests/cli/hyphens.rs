//! Values that begin with `-`, as mosquitto's clients take them.

use std::fs;

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::program::Program;

/// A broker that takes these bytes of a CONNECT and this PUBLISH.
fn taking(connect: &str, publish: &str) -> Broker {
    let steps = vec![Step::Upgrade, packet(connect), Step::Send("20 00 00"), packet(publish)];
    Broker::start(until_goodbye(steps))
}

#[test]
fn the_values_of_all_flags_may_begin_with_a_hyphen() {
    let connect = "10 <MQTT> 04 c6 00 2d <-i> <-w> <-will> <-u> <-P>";
    let flags = [
        "-t",
        "-x",
        "-m",
        "-5",
        "-u",
        "-u",
        "-P",
        "-P",
        "-i",
        "-i",
        "--will-topic",
        "-w",
        "--will-payload",
        "-will",
        "-V",
        "311",
        "-H",
        "-X: -y",
    ];
    let broker = taking(connect, "30 <-x> '-5'");
    Program::new([&["pub", &broker.url()][..], &flags].concat()).run().expect(0, "", "");
    // Long names, and words that are flags themselves.
    let connect = "10 <MQTT> 04 c6 00 2d <-D> <-L> <-o> <--> <--url>";
    let flags = [
        "--topic",
        "--topic",
        "--message",
        "--help",
        "--username",
        "--",
        "--pw",
        "--url",
        "--id",
        "-D",
        "--will-topic",
        "-L",
        "--will-payload",
        "-o",
        "-V",
        "311",
    ];
    let broker = taking(connect, "30 <--topic> '--help'");
    Program::new([&["pub", &broker.url()][..], &flags].concat()).run().expect(0, "", "");
}

#[test]
fn the_same_under_the_names_of_mosquitto() {
    let folder = Folder::new();
    let client = folder.path().join("mosquitto_pub").display().to_string();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mqttws"), &client).unwrap();
    let broker = taking("10 <MQTT> 04 c2 00 3c <me> <-L> <-D>", "30 <-o> '-5'");
    let flags =
        ["-t", "-o", "-m", "-5", "-u", "-L", "-P", "-D", "-V", "311", "-i", "me", "-k", "60"];
    let port = broker.port().to_string();
    let flags = [&flags[..], &["-h", "127.0.0.1", "-p", &port]].concat();
    let program = Program::of(&client, flags).env("HOME", "/nowhere");
    program.run().expect(0, "", "");
    // A file of flags.
    let broker = taking("10 <MQTT> 04 02 00 2d <me>", "30 <-t> '-o'");
    let file = folder.path().join("flags");
    fs::write(&file, "-t -t\n-V 311\n-i me\n").unwrap();
    let file = file.display().to_string();
    Program::new(["pub", &broker.url(), "-m", "-o", "-o", &file]).run().expect(0, "", "");
}

#[test]
fn no_tip_names_a_way_that_does_not_work() {
    for arguments in [
        &["pub", "-t", "t", "-m", "x", "-5"][..],
        &["pub", "-t", "t", "--nonsense"],
        &["sub", "-t", "t", "-C", "-5"],
        &["pub", "-t", "t", "-m", "x", "-q", "-1"],
        &["ping", "-c", "-5"],
        &["serve", "-5"],
    ] {
        let outcome = Program::new(arguments).run();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(outcome.code() == Some(2) && !stderr.contains("-- "), "{outcome}");
    }
}
