//! `mqttws serve` on a terminal: a line for the person, Ctrl-C and Ctrl-Z.

use crate::support::terminal::Session;

const SIZE: (u16, u16) = (12, 120);

#[test]
fn a_person_is_told_what_to_do_next() {
    let mut session = Session::start(SIZE, &["serve", "-p", "0"], &[], Vec::new());
    session.wait_for("line", |rows| rows.len() == 2);
    let rows = session.screen();
    let url = rows[0].clone();
    let told = format!("mqttws: listening; try mqttws sub {url} -t '#'; Ctrl-C ends the broker");
    assert_eq!(rows, [url.as_str(), told.as_str()]);
    session.press("\x03");
    let ended = session.finish();
    assert_eq!((ended.code, &ended.screen[..2]), (Some(0), &[url, told][..]), "{:?}", ended.screen);
}

/// The terminal interrupts the whole process group, so the command gets Ctrl-C once.
#[test]
fn a_command_is_interrupted_once() {
    let script = "n=0; trap 'n=$((n+1)); echo interrupt $n' INT; stty -echo; echo ready; \
                  while read line || test -z \"$line\"; do test \"$line\" != end || exit 6; done";
    let words = ["serve", "--", "sh", "-c", script];
    let mut session = Session::start(SIZE, &words, &[], Vec::new());
    session.wait_for_screen(&["ready"]);
    session.press("\x03");
    session.wait_for_screen(&["ready", "interrupt 1"]);
    session.press("\x03");
    session.wait_for_screen(&["ready", "interrupt 1", "interrupt 2"]);
    session.press("end\n");
    session.finish().expect(6, &["ready", "interrupt 1", "interrupt 2"]);
}

/// The job of a shell: it stops with its command, and goes on with it; both have the terminal.
#[test]
fn it_can_be_stopped_and_goes_on() {
    let mut session = Session::shell(SIZE);
    session.wait_for("prompt", |rows| rows.last().is_some_and(|row| row == "$"));
    let script = "trap \"echo back\" CONT; echo ready; until read line; do :; done; \
                  mqttws ping -c 1 >/dev/null; echo $? $line";
    session.press(&format!("mqttws serve -- sh -c '{script}'\r"));
    let has = |words: &'static str| move |rows: &[String]| rows.iter().any(|row| row == words);
    session.wait_for("command", has("ready"));
    session.press("\x1a");
    // What is typed before the prompt is there may be lost.
    session.wait_for("stop", |rows| {
        rows.iter().any(|row| row.contains("Stopped")) && rows.last().is_some_and(|row| row == "$")
    });
    session.press("fg\r");
    session.wait_for("its going on", has("back"));
    session.press("word\n");
    session.wait_for("end", has("0 word"));
    session.press("exit 3\r");
    assert_eq!(session.finish().code, Some(3));
}
