//! A disk that is full, a folder that cannot be written to, a reader that has gone: one line, and
//! nothing is acknowledged that was not written.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::program::Program;

/// `mqttws sub -V 311 -q 1 -t t` and these flags, run by these words of a shell around it.
fn subscribe(broker: &Broker, before: &str, flags: &str, after: &str) -> Program {
    let program = env!("CARGO_BIN_EXE_mqttws");
    let url = broker.url();
    let line = format!("{before} '{program}' sub '{url}' -V 311 -q 1 -t t {flags} {after}");
    Program::of("sh", ["-c", &line])
}

fn granted<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let mut script = connected([packet("82 id <t> 01"), Step::Send("90 id 01")]);
    script.extend(steps);
    script
}

/// Whether this user may mount a disk of one page for a process and its children.
pub fn can_mount(folder: &str) -> bool {
    let line = format!("mount -t tmpfs -o size=4k none '{folder}'");
    let can = Program::of("unshare", ["-m", "sh", "-c", &line]).run().code() == Some(0);
    if !can {
        eprintln!("left out: this user may not mount a disk");
    }
    can
}

#[test]
fn no_half_of_a_file_is_left_on_a_full_disk() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    if !can_mount(&path) {
        return;
    }
    let script = granted([
        Step::Send("32 <t> 00 07 'fits'"),
        packet("40 00 07"),
        Step::Send("32 <t> 00 08 'is one too many'"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
    ]);
    let broker = Broker::start(script);
    let url = broker.url();
    let before = format!("unshare -m sh -c \"mount -t tmpfs -o size=4k none '{path}' && ");
    let after = format!("; code=\\$?; ls -A '{path}'; exit \\$code\"");
    let line = format!("mqttws: subscribed at {url}: writing to {path}: No space left on device\n");
    subscribe(&broker, &before, &format!("-o '{path}'"), &after).run().expect(
        1,
        "t-000001\n",
        &line,
    );
}

/// It is found out before anything is connected.
#[test]
fn a_folder_that_cannot_be_written_to_is_told_at_once() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    let program = env!("CARGO_BIN_EXE_mqttws");
    set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    // Permissions are nothing to the user that tests in a container often have.
    let is_root = Program::of("id", ["-u"]).run().stdout == b"0\n";
    let drop_rights: &[&str] =
        if is_root { &["setpriv", "--reuid=65534", "--clear-groups"] } else { &["env"] };
    let reaches =
        Program::of(drop_rights[0], [&drop_rights[1..], &["test", "-x", program]].concat()).run();
    if reaches.code() == Some(0) {
        let flags = [program, "sub", "-p", "1", "-t", "t", "-o", &path];
        let outcome = Program::of(drop_rights[0], [&drop_rights[1..], &flags].concat()).run();
        outcome.expect(1, "", &format!("mqttws: the folder {path}: Permission denied\n"));
    } else {
        eprintln!("left out: another user cannot reach {program}");
    }
    let outcome = Program::new(["sub", "-p", "1", "-t", "t", "-o", "/proc/messages"]).run();
    outcome.expect(1, "", "mqttws: the folder /proc/messages: No such file or directory\n");
}

#[test]
fn a_reader_that_has_seen_enough_leaves_the_rest_with_the_broker() {
    let steps = [
        Step::Send("32 <t> 00 07 'one'"),
        packet("40 00 07"),
        // `head` has its line, and ends: whatever else comes finds nobody.
    ];
    let broker = Broker::start(until_goodbye(granted(steps)));
    subscribe(&broker, "", "", "| head -n 1").run().expect(0, "one\n", "");
}
