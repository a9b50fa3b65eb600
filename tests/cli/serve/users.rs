//! Users of `mqttws serve`, and what they may do.

use super::serve_with;
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// Written by `mosquitto_passwd` 2.0.11; the password is `s3cret:ü`.
const HASHES: &str = "\
ann:$6$fEBtpkmT+qpVQCoi$h4ysgarN1128YXWxtR8v1HeykqEYJk3GHKJmiFyAZidP0RmLGdT0KUDxtj\
Q08wkXkqRbNnBJl4MkO1+/vpj/2A==
bob:$7$101$64tl7jT3ceyXEZ/2$CRb3JHIdYXZvX+5HLNc93P9jl26vo0NRP3Zeg2MAM7iEVuoN983Y8aZtX\
CUpenjfJGf291BbnIfORBIv/skaYQ==
carol:plain
";

fn publish(url: &str, flags: &[&str]) -> Outcome {
    Program::new([&["pub", url, "-t", "t", "-q", "1", "-m", "x"], flags].concat()).run()
}

#[test]
fn users_of_the_command_line_and_of_a_file() {
    let folder = Folder::new();
    let file = folder.write("users", HASHES);
    let (broker, url) = serve_with(&["--user", "dave:a:b", "--users", &file]);
    for version in ["31", "311", "5"] {
        for (name, password) in
            [("ann", "s3cret:ü"), ("bob", "s3cret:ü"), ("carol", "plain"), ("dave", "a:b")]
        {
            publish(&url, &["-V", version, "-u", name, "-P", password]).expect(0, "", "");
            let outcome = publish(&url, &["-V", version, "-u", name, "-P", "wrong"]);
            let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker \
                        refused: bad user name or password*; check -u and -P";
            fails(&outcome, 6, line);
        }
        let outcome = publish(&url, &["-V", version]);
        let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused: \
                    not authorized*; *";
        fails(&outcome, 6, line);
    }
    drop(broker);
}

/// As editors of other systems write it: a byte order mark, and lines that end in CR LF.
#[test]
fn files_may_be_written_by_any_editor() {
    let folder = Folder::new();
    let users = folder.write("users", "\u{feff}ann:one\r\nbob:two\r\n");
    let acl = folder.write("acl", "\u{feff}user ann\r\ntopic t\r\n");
    let (broker, url) = serve_with(&["--users", &users, "--acl", &acl]);
    publish(&url, &["-u", "ann", "-P", "one"]).expect(0, "", "");
    assert_eq!(publish(&url, &["-u", "bob", "-P", "two"]).code(), Some(7));
    assert_eq!(publish(&url, &["-u", "bob", "-P", "two\r"]).code(), Some(6));
    drop(broker);
}

/// It is what a client of the command needs.
#[test]
fn the_command_logs_in_as_the_first_user() {
    let text = "mqttws pub -t t -m x -q 1 && echo $MQTTWS_USERNAME $MQTTWS_PASSWORD";
    let flags = ["--user", "ann:s3:cret", "--user", "bob:x", "--", "sh", "-c", text];
    let program = Program::new([&["serve"], &flags[..]].concat());
    let program = program.env("MQTTWS_USERNAME", "mallory").env("MQTTWS_PASSWORD", "theirs");
    program.run().expect(0, "ann s3:cret\n", "");
}

/// Files that this machine's own `mosquitto_passwd` writes, if it has one.
#[test]
fn files_of_mosquitto_passwd() {
    let folder = Folder::new();
    let file = folder.path().join("users").display().to_string();
    let words = |more: &[&str]| {
        let flags = [&["-b"], more, &[&file, "ann", "s3cret"]].concat();
        std::process::Command::new("mosquitto_passwd").args(flags).output()
    };
    for (form, begin) in [("sha512", "ann:$6$"), ("sha512-pbkdf2", "ann:$7$")] {
        match words(&["-c", "-H", form]) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            made => assert!(made.unwrap().status.success()),
        }
        assert!(std::fs::read_to_string(&file).unwrap().starts_with(begin));
        let (broker, url) = serve_with(&["--users", &file]);
        publish(&url, &["-u", "ann", "-P", "s3cret"]).expect(0, "", "");
        assert_eq!(publish(&url, &["-u", "ann", "-P", "secret"]).code(), Some(6));
        drop(broker);
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line() {
    let folder = Folder::new();
    for (flag, text, problem) in [
        ("--users", "ann", "line 1: expected NAME:PASSWORD"),
        ("--users", "ann:x\n\nann:y\n", "line 3: the user ann is named twice"),
        (
            "--users",
            "# ours\nann:$2b$12$x\n",
            "line 2: a hash $2b$ is not supported: only plain passwords, and the hashes $6$ and \
             $7$ of mosquitto_passwd",
        ),
        (
            "--acl",
            "topic read\tx y\nusers ann",
            "line 2: expected user, topic or pattern, not users",
        ),
        // A file of passwords: none of them is told.
        ("--acl", "ann:s3cret", "line 1: expected user, topic or pattern"),
        ("--acl", "pattern rw x", "line 1: expected read, write, readwrite or deny before the *"),
    ] {
        let file = folder.write("file", text);
        let outcome = Program::new(["serve", flag, &file]).run();
        fails(&outcome, 2, &format!("mqttws: {file}, {problem}"));
        let outcome = Program::new(["serve", flag, "/no-such-file"]).run();
        fails(&outcome, 1, "mqttws: reading /no-such-file: No such file or directory");
    }
    let outcome = Program::new(["serve", "--user", "ann:x", "--user", "ann:y"]).run();
    fails(&outcome, 2, "mqttws: --user: the user ann is named twice");
    let outcome = Program::new(["serve", "--user", "ann"]).run();
    fails(&outcome, 2, "mqttws: *: expected NAME:PASSWORD*");
}

#[test]
fn who_may_read_and_write_which_topics() {
    let folder = Folder::new();
    let acl = "topic read public/#\nuser ann\ntopic lab/#\ntopic deny lab/secret\n";
    let acl = folder.write("acl", acl);
    let users = ["--user", "ann:x", "--user", "bob:x"];
    let (broker, url) = serve_with(&[&users[..], &["--acl", &acl]].concat());
    let publish = |name: &str, topic: &str| {
        let flags = ["-u", name, "-P", "x", "-t", topic, "-q", "1", "-r", "-m", "x"];
        Program::new([&["pub", url.as_str()], &flags[..]].concat()).run()
    };
    publish("ann", "lab/a").expect(0, "", "");
    for (name, topic) in [("ann", "lab/secret"), ("ann", "public/a"), ("bob", "lab/a")] {
        let line = "mqttws: publishing to *: message refused: not authorized*; choose another *";
        fails(&publish(name, topic), 7, line);
    }
    let subscribe = |name: &str, topic: &str| {
        let flags = ["-u", name, "-P", "x", "-t", topic, "-W", "5", "-C", "1"];
        Program::new([&["sub", url.as_str()], &flags[..]].concat()).run()
    };
    subscribe("ann", "#").expect(0, "x\n", "");
    assert_eq!(subscribe("bob", "lab/#").code(), Some(7));
    drop(broker);
}
