//! What `mqttws sub` shows on a terminal: nothing that drives it, topics in colour, a note about
//! what cannot be shown, and a summary for who has seen enough.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::is_like;
use crate::support::program::Program;
use crate::support::terminal::{Ended, Session};

/// A broker that takes a subscription to `t`, sends this, and sees the goodbye.
fn sending(packets: &'static str) -> Broker {
    Broker::start(until_goodbye(subscribed([Step::Send(packets)])))
}

/// `mqttws sub -t t` with these flags and this environment on a terminal of 10 rows and 60 columns.
fn shown(packets: &'static str, flags: &[&str], environment: &[(&str, &str)]) -> Ended {
    let broker = sending(packets);
    let url = broker.url();
    let arguments = [&["sub", &url, "-V", "311", "-t", "t"], flags].concat();
    Session::start((10, 60), &arguments, environment, Vec::new()).finish()
}

fn contains(written: &[u8], text: &str) -> bool {
    written.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Every control character but those of the terminal's own line discipline, and of our colours.
fn controls(written: &[u8]) -> Vec<char> {
    let text = String::from_utf8(written.to_vec()).unwrap();
    let text = text.replace("\r\n", "").replace("\x1b[36m", "").replace("\x1b[0m", "");
    text.chars().filter(|c| c.is_control()).collect()
}

#[test]
fn a_hostile_broker_does_not_drive_the_terminal() {
    let hostile = "30 <t> 1b ']0;title' 07; 30 <t> 1b '[2J' 0d 08 7f 'x'; 30 <t> c2 9b '2J' c2 9d; \
                   30 <t> 'a\u{202e}b\u{200b}c\u{2066}d\u{61c}'; 30 <a\u{1b}[2J/\u{9b}m\u{202e}/\n/b> 'x'; \
                   30 <t> '日本 e\u{301}' 09 'y' 0a 'z'";
    let ended = shown(hostile, &["-C", "6", "-v"], &[]);
    let expected = [
        "mqttws: note: subscribed to t",
        r"t \x1b]0;title\x07",
        r"t \x1b[2J\x0d\x08\x7fx",
        r"t \x9b2J\x9d",
        r"t a\u{202e}b\u{200b}c\u{2066}d\u{61c}",
        r"a\x1b[2J/\x9bm\u{202e}/\n/b x",
        "t 日本 e\u{301}        y",
        "z",
    ];
    ended.expect(0, &expected);
    assert_eq!(controls(&ended.written), ['\t']);
}

#[test]
fn formats_and_records_do_not_drive_it_either() {
    let hostile = "30 <a\u{1b}[2J\u{9b}> 1b '[2J' 07 \u{202e}";
    let hostile = hostile.replace("07 \u{202e}", "07 '\u{202e}'");
    let hostile: &'static str = hostile.leak();
    let ended = shown(hostile, &["-C", "1", "-F", "%t|%p|%-40p"], &[]);
    assert_eq!((ended.code, controls(&ended.written)), (Some(0), Vec::new()));
    let ended = shown(hostile, &["-C", "1", "--json"], &[]);
    assert_eq!((ended.code, controls(&ended.written)), (Some(0), Vec::new()));
    assert!(contains(&ended.written, r"\u001b[2J\u0007\u202e"), "{}", ended.written.escape_ascii());
    let ended = shown(hostile, &["-C", "1", "-F", "%j"], &[]);
    assert_eq!((ended.code, controls(&ended.written)), (Some(0), Vec::new()));
}

/// User properties, response topics and content types on stdout, reason strings on stderr.
#[test]
fn properties_and_reasons_do_not_drive_it() {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <t> 00"),
        Step::Send("90 id 00 00"),
        Step::Send("30 <t> 14 26 <k\u{1b}c> <\u{9b}m> 03 <\u{7f}> 08 <r\u{1b}> 'x'"),
        Step::Send("e0 8b 08 1f <\u{1b}[2J\u{7}>"),
        Step::Gone,
    ];
    let broker = Broker::start(script);
    let arguments = ["sub", &broker.url(), "-t", "t", "-F", "%P|%C|%R|%p", "--no-reconnect"];
    let ended = Session::start((10, 60), &arguments, &[], Vec::new()).finish();
    assert_eq!(controls(&ended.written), Vec::<char>::new(), "{}", ended.written.escape_ascii());
    assert_eq!(ended.code, Some(6));
    assert_eq!(ended.screen[1], r"k\x1bc:\x9bm|\x7f|r\x1b|x");
    assert!(ended.screen.concat().contains(r"\u{1b}[2J\u{7}"), "{:?}", ended.screen);
}

/// With the QoS where it is less than was asked for; nothing of the refused ones, of which there is
/// a line anyway, and nothing again after a lost connection.
#[test]
fn subscriptions_are_told() {
    let script = connected([
        packet("82 id <a/#> 01 <b> 01 <c> 01"),
        Step::Send("90 id 01 00 80"),
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <a/#> 01 <b> 01 <c> 01"),
        Step::Send("90 id 01 00 80; 30 <a/b> 'x'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let filters = ["-q", "1", "-t", "a/#", "-t", "b", "-t", "c", "-C", "1"];
    let arguments =
        [&["sub", &broker.url(), "-V", "311", "--reconnect-delay", "0.01"], &filters[..]];
    let ended = Session::start((10, 100), &arguments.concat(), &[], Vec::new()).finish();
    let told = |row: &&String| row.contains("note: ");
    let notes: Vec<&String> = ended.screen.iter().filter(told).collect();
    let expected = [
        "mqttws: note: subscribed to a/#",
        "mqttws: note: subscribed to b with QoS 0: the broker did not grant QoS 1",
    ];
    assert_eq!((notes, ended.code), (expected.map(String::from).iter().collect(), Some(7)));
    shown("30 <t> 'x'", &["-C", "1", "--quiet"], &[]).expect(0, &["x"]);
}

#[test]
fn topics_have_a_colour_on_a_terminal_that_wants_it() {
    let coloured = "\x1b[36mt\x1b[0m x";
    for (flags, environment, expected) in [
        (&[][..], &[][..], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("NO_COLOR", "")], true),
        (&[], &[("TERM", "dumb")], false),
        (&["--color", "never"], &[], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
    ] {
        let ended = shown("30 <t> 'x'", &[&["-v", "-C", "1"], flags].concat(), environment);
        ended.expect(0, &["mqttws: note: subscribed to t", "t x"]);
        assert_eq!(contains(&ended.written, coloured), expected, "{flags:?} {environment:?}");
    }
}

#[test]
fn a_pipe_has_no_colour_unless_asked_for() {
    for (flags, expected) in [(&[][..], "t x\n"), (&["--color=always"], "\x1b[36mt\x1b[0m x\n")] {
        let broker = sending("30 <t> 'x'");
        let url = broker.url();
        let arguments = [&["sub", &url, "-V", "311", "-t", "t", "-v", "-C", "1"], flags].concat();
        Program::new(arguments).run().expect(0, expected, "");
    }
}

#[test]
fn a_binary_payload_is_noted_once() {
    let packets = "30 <t> 'text'; 30 <t> 00 ff; 30 <t> ff; 30 <t> 'end'";
    let ended = shown(packets, &["-C", "4"], &[]);
    assert_eq!(ended.code, Some(0));
    let mut rows = ended.screen;
    rows.remove(0);
    rows.sort();
    let note = "mqttws: note: binary payload (2 bytes); --hex or --base64 sh";
    // The two streams have no order; the note is wider than the terminal.
    assert_eq!(rows, [r"\0\xff", r"\xff", "end", note, "ows it", "text"].map(String::from));
    shown(packets, &["-C", "4", "--quiet"], &[]).expect(0, &["text", r"\0\xff", r"\xff", "end"]);
    let encoded = ["mqttws: note: subscribed to t", "74657874", "00ff", "ff", "656e64"];
    shown(packets, &["-C", "4", "--hex"], &[]).expect(0, &encoded);
}

#[test]
fn who_interrupts_is_told_how_much_it_was() {
    let summary = "mqttws: received 1 message, 1 byte in * s, * messages/s, * bytes/s";
    for (flags, row, told) in
        [(&["-v"][..], "t x", true), (&["-N"], "x^C", true), (&["--quiet"], "x", false)]
    {
        let broker = sending("30 <t> 'x'");
        let url = broker.url();
        let arguments = [&["sub", &url, "-V", "311", "-t", "t"], flags].concat();
        let mut session = Session::start((10, 100), &arguments, &[], Vec::new());
        session.wait_for("message", |rows| rows.len() == 1 + usize::from(told));
        session.press("\x03");
        let ended = session.finish();
        assert_eq!(ended.screen[usize::from(told)], row);
        assert_eq!(ended.code, Some(0));
        if told {
            assert!(
                is_like(&ended.screen[2], summary) && ended.screen.len() == 3,
                "{:?}",
                ended.screen
            );
        } else {
            assert!(!contains(&ended.written, "mqttws"), "{:?}", ended.screen);
        }
    }
}

#[test]
fn who_interrupts_a_pipe_is_not_told() {
    let broker = Broker::start(until_goodbye(connected([
        packet("82 id <t> 00"),
        Step::Send("90 id 00; 30 <t> 'x'"),
    ])));
    let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
    sub.wait_for_line(|line| line == "x\n");
    sub.signal("INT");
    sub.finish().expect(0, "x\n", "");
}
