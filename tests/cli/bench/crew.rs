//! Who the connections are, where they come from and where they go, and what the machine allows.

use super::{bench, object};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;
use crate::support::refusing_broker::{Guest, Refusal, RefusingBroker};
use crate::support::secure::fixed_path;

/// Connects so many and leaves; who came, by client id.
fn guests(broker: &RefusingBroker, flags: &[&str]) -> Vec<Guest> {
    let outcome = bench(&broker.url(), &[&["-V", "5", "--for", "0.1"], flags].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let mut guests = broker.guests();
    guests.sort_by(|one, other| one.id.cmp(&other.id));
    guests
}

fn logins(guests: &[Guest]) -> Vec<String> {
    let login = |guest: &Guest| {
        let (name, password) = guest.login.clone().unwrap();
        format!("{} {name}:{password}", guest.id)
    };
    guests.iter().map(login).collect()
}

#[test]
fn users_are_dealt() {
    let folder = Folder::new();
    let file = folder.write("users", "one:geheim:1\n\ntwo:\nthree:x\n");
    let broker = RefusingBroker::kind();
    let flags = ["--connect", "4", "--users", &file, "-i", "dev-%c"];
    let expected = ["dev-0 one:geheim:1", "dev-1 two:", "dev-2 three:x", "dev-3 one:geheim:1"];
    assert_eq!(logins(&guests(&broker, &flags)), expected);
}

#[test]
fn names_and_passwords_may_have_the_number_of_the_connection() {
    let broker = RefusingBroker::kind();
    let flags = ["--connect", "2", "-u", "dev%c", "-P", "x%c%%", "-i", "%c"];
    assert_eq!(logins(&guests(&broker, &flags)), ["0 dev0:x0%%", "1 dev1:x1%%"]);
}

#[test]
fn a_file_of_users_must_have_names_and_passwords() {
    let folder = Folder::new();
    for (text, line) in [
        ("one:1\r\n\r\ntwo\r\n", ", line 3: expected NAME:PASSWORD"),
        ("# one:1 is no comment\ngeheim", ", line 2: expected NAME:PASSWORD"),
        ("\n\n", ": there is no line NAME:PASSWORD"),
    ] {
        let file = folder.write("users", text);
        let arguments = ["bench", "ws://127.0.0.1:1/mqtt", "--users", &file];
        fails(&Program::new(arguments).run(), 2, &format!("mqttws: --users: {file}{line}"));
    }
}

#[test]
fn local_addresses_are_dealt() {
    let broker = RefusingBroker::kind();
    let guests = guests(&broker, &["--connect", "4", "-i", "%c", "-A", "127.0.0.2,127.0.0.3"]);
    let from: Vec<String> = guests.iter().map(|guest| guest.from.to_string()).collect();
    assert_eq!(from, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"]);
    let arguments = ["sub", "ws://127.0.0.1:1/mqtt", "-A", "127.0.0.2,127.0.0.3", "-t", "a"];
    let why = "mqttws: --bind: expected an address of this machine";
    fails(&Program::new(arguments).run(), 2, why);
}

#[test]
fn servers_are_dealt() {
    let brokers = [RefusingBroker::kind(), RefusingBroker::kind()];
    let [one, other] = [brokers[0].url(), brokers[1].url()];
    let flags = ["--connect", "4", "-i", "%c", "-A", "127.0.0.2,127.0.0.3"];
    let arguments = ["bench", "-L", &one, "-L", &other, "-V", "5", "--for", "0.1"];
    let outcome = Program::new([&arguments[..], &flags].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let of = |broker: &RefusingBroker| {
        let mut guests: Vec<String> =
            broker.guests().iter().map(|guest| format!("{} {}", guest.id, guest.from)).collect();
        guests.sort();
        guests
    };
    // Each local address goes to each server.
    assert_eq!(of(&brokers[0]), ["0 127.0.0.2", "2 127.0.0.3"]);
    assert_eq!(of(&brokers[1]), ["1 127.0.0.2", "3 127.0.0.3"]);
}

#[test]
fn tls_sessions_are_continued_only_on_demand() {
    let broker = RefusingBroker::start(usize::MAX, Refusal::Tls);
    let authority = fixed_path("authority-P-256.pem");
    let flags = ["--connect", "20", "--connect-rate", "100", "--cafile", &authority, "-V", "5"];
    for (more, expected) in
        [(&["--for", "0.1"][..], false), (&["--for", "0.1", "--tls-resume"], true)]
    {
        let outcome = bench(&broker.url(), &[&flags[..], more].concat()).run();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let connections = &object(&outcome)["connections"];
        assert_eq!(connections["resumed"].as_u64().unwrap() > 0, expected, "{outcome}");
    }
}

#[test]
fn what_the_machine_does_not_allow_is_refused_before_the_run() {
    let flags = ["--connect", "70000", "--dry-run", "-A", "127.0.0.2,127.0.0.3,127.0.0.4"];
    let outcome = Program::new([&["bench", "ws://127.0.0.1:1/mqtt"], &flags[..]].concat()).run();
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    assert!(text.contains("\nports        70,000 of "), "{outcome}");
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_mqttws");
    let arguments = ["-c", script, program, "bench", "ws://127.0.0.1:1/mqtt", "--connect", "100"];
    let why = "mqttws: 100 connections need 140 file descriptors, the hard limit is 64: ulimit \
               -Hn, LimitNOFILE=";
    fails(&Program::of("sh", arguments).run(), 1, why);
}
