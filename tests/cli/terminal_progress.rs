//! Bars and counts on stderr: only on a terminal, only after a second, gone at the end. The broker
//! that makes a message last for longer waits for a PINGREQ before it acknowledges.

use std::fs::File;
use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::Program;
use crate::support::terminal::{Redirect, Session};

/// A broker that acknowledges a message to `t` after two seconds of silence.
fn slow(message: &str, answer: &'static str) -> Broker {
    Broker::start(until_goodbye(connected([packet(message), packet("c0"), Step::Send(answer)])))
}

fn publish(broker: &Broker, flags: &[&str], redirects: Vec<Redirect>) -> Session {
    let url = broker.url();
    let arguments = [&["pub", &url, "-V", "311", "-k", "2", "-t", "t", "-q", "1"], flags].concat();
    Session::start((10, 70), &arguments, &[], redirects)
}

#[test]
fn a_large_file_has_a_bar() {
    let folder = Folder::new();
    let file = folder.write("large", "x".repeat(3 << 20));
    let broker = slow("32 <t> id *", "d0; 40 id");
    let mut session = publish(&broker, &["-f", &file], Vec::new());
    session.wait_for("bar", |rows| {
        rows.len() == 1 && is_like(&rows[0], "=* 3.00 MiB of 3.00 MiB, */s, *")
    });
    session.finish().expect(0, &[]);
}

#[test]
fn lines_of_a_file_have_a_bar() {
    let folder = Folder::new();
    let file = folder.write("lines", "one\n");
    let broker = slow("32 <t> id 'one'", "d0; 40 id");
    let mut session = publish(&broker, &["-l"], vec![Redirect::Stdin(file)]);
    session.wait_for("bar", |rows| {
        rows.len() == 1 && is_like(&rows[0], "* 0 B of 4 B, 0 B/s, stalled")
    });
    session.finish().expect(0, &[]);
}

#[test]
fn a_refused_line_does_not_tear_the_bar() {
    let folder = Folder::new();
    let file = folder.write("lines", "one\n");
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("32 <t> id 00 'one'"),
        packet("c0"),
        Step::Send("d0; 40 id 87 00"),
        packet("e0 *"),
        Step::Close(1000),
        Step::Gone,
    ];
    let broker = Broker::start(script);
    let arguments = ["pub", &broker.url(), "-k", "2", "-t", "t", "-q", "1", "-l"];
    let mut session = Session::start((10, 70), &arguments, &[], vec![Redirect::Stdin(file)]);
    session.wait_for("bar", |rows| rows.len() == 1 && rows[0].contains(" of 4 B"));
    session.finish().expect(7, &["mqttws: publishing to t: message 1 refused: not authorized"]);
}

#[test]
fn an_endless_stream_has_a_count() {
    let folder = Folder::new();
    let pipe = format!("{}/pipe", folder.path().display());
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let broker = Broker::start(until_goodbye(connected([packet("32 <t> id 'one'")])));
    let url = broker.url();
    let arguments = ["pub", &url, "-V", "311", "-t", "t", "-q", "1", "-l"];
    let mut session =
        Session::start((10, 120), &arguments, &[], vec![Redirect::Stdin(pipe.clone())]);
    let mut writer = File::options().write(true).open(&pipe).unwrap();
    std::io::Write::write_all(&mut writer, b"one\n").unwrap();
    session
        .wait_for("count", |rows| rows.len() == 1 && is_like(&rows[0], "* 0 messages, 0 B, 0/s"));
    session.press("\x03");
    let ended = session.finish();
    drop(writer);
    let lines = "mqttws: publishing: interrupted with 0 of 1 message handed over; \
                 go on with number 1, which may arrive twice\n\
                 mqttws: published 0 messages, 3 bytes in * s, 0.0 messages/s, * bytes/s";
    let written = ended.written.escape_ascii();
    assert!(is_like(&ended.screen.join("\n"), lines), "{:#?}\n{written}", ended.screen);
    assert_eq!((ended.code, ended.column), (Some(130), 0));
}

#[test]
fn sub_into_a_file_has_a_count() {
    let folder = Folder::new();
    let file = folder.write("out", "");
    let script = subscribed([Step::Send("30 <t> 'x'"), packet("c0"), Step::Send("d0; 30 <t> 'y'")]);
    let broker = Broker::start(until_goodbye(script));
    let arguments = ["sub", &broker.url(), "-V", "311", "-k", "2", "-t", "t", "-C", "2"];
    let redirect = Redirect::Stdout(File::create(&file).unwrap());
    let mut session = Session::start((10, 70), &arguments, &[], vec![redirect]);
    session.wait_for("count", |rows| rows.len() == 2 && is_like(&rows[1], "* 1 message, 1 B, */s"));
    session.finish().expect(0, &["mqttws: note: subscribed to t"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\ny\n");
}

/// What waits for its time is not handed over, although it was read at once.
#[test]
fn a_slow_stream_of_a_file_is_not_done_from_the_first_second() {
    let folder = Folder::new();
    let lines = folder.write("lines", "one\ntwo\n");
    let record =
        |time: &str| format!("{{\"time\":\"{time}\",\"topic\":\"t\",\"payload\":\"x\"}}\n");
    let records = [record("2026-01-01T00:00:00Z"), record("2026-01-01T00:05:00Z")].concat();
    let records = folder.write("records", records + "\n");
    for (flags, file, words) in [
        (&["-l", "--rate", "0.01"][..], &lines, "* 4 B of 8 B, */s, *"),
        (&["--json", "--replay", "2"], &records, "* 58 B of 117 B, */s, 2m left"),
    ] {
        let broker = Broker::start(until_goodbye(connected([packet("30 <t> *")])));
        let url = broker.url();
        let arguments = [&["pub", &url, "-V", "311", "-t", "t"], flags].concat();
        let redirect = vec![Redirect::Stdin(file.clone())];
        let mut session = Session::start((10, 100), &arguments, &[], redirect);
        session.wait_for(words, |rows| rows.len() == 1 && is_like(&rows[0], words));
        session.press("\x03");
        assert_eq!(session.finish().code, Some(130));
    }
}

/// A message that is published again and again has an end: its number of times.
#[test]
fn a_repeated_message_has_a_bar() {
    let folder = Folder::new();
    let file = folder.write("small", "x");
    for message in [&["-m", "x"][..], &["-n"], &["-f", &file], &["-s"]] {
        let broker = Broker::start(until_goodbye(connected([packet("30 <t> *")])));
        let url = broker.url();
        let repeated = ["-V", "311", "-t", "t", "--repeat", "4", "--repeat-delay", "100"];
        let arguments = [&["pub", &url], &repeated[..], message].concat();
        let redirect = vec![Redirect::Stdin(file.clone())];
        let mut session = Session::start((10, 100), &arguments, &[], redirect);
        let words = "* 1 of 4 messages, */s, *";
        session.wait_for(words, |rows| rows.len() == 1 && is_like(&rows[0], words));
        session.press("\x03");
        assert_eq!(session.finish().code, Some(130));
    }
}

/// A server that takes a second and a half to read.
#[test]
fn one_large_message_from_a_pipe_has_a_bar() {
    let folder = Folder::new();
    let payload = vec![b'x'; 40 << 20];
    let file = folder.write("large", &payload);
    let script = connected([Step::Dally(Duration::from_millis(1500)), Step::Payload(payload)]);
    let broker = Broker::start(until_goodbye(script));
    let arguments = ["pub", &broker.url(), "-V", "311", "-t", "t", "-s"];
    let redirect = vec![Redirect::Stdin(file)];
    let mut session = Session::start((10, 100), &arguments, &[], redirect);
    session.wait_for("bar", |rows| rows.len() == 1 && is_like(&rows[0], "* of 40.00 MiB, */s, *"));
    session.finish().expect(0, &[]);
}

/// Half of a message, as it is written to a file, and as a folder takes it.
#[test]
fn a_large_message_that_arrives_has_a_bar() {
    let folder = Folder::new();
    let inside = format!("{}/messages", folder.path().display());
    // A PUBLISH to t whose payload has 3 MiB.
    let begun = b"\x82\x08\x30\x83\x80\xc0\x01\x00\x01t".to_vec();
    let piece = [&b"\x82\x7f\0\0\0\0\0\x18\0\0"[..], &vec![b'x'; 3 << 19]].concat();
    for flags in [&[][..], &["-o", &inside]] {
        let script = subscribed([
            Step::Raw(begun.clone()),
            Step::Raw(piece.clone()),
            packet("c0"),
            Step::Raw(piece.clone()),
        ]);
        let broker = Broker::start(until_goodbye(script));
        let url = broker.url();
        let arguments = [&["sub", &url, "-V", "311", "-k", "2", "-t", "t", "-C", "1"], flags];
        let redirect = Redirect::Stdout(File::create(folder.write("out", "")).unwrap());
        let mut session = Session::start((10, 100), &arguments.concat(), &[], vec![redirect]);
        let words = "* 1.50 MiB of 3.00 MiB, */s, *";
        session.wait_for("bar", |rows| rows.len() == 2 && is_like(&rows[1], words));
        session.finish().expect(0, &["mqttws: note: subscribed to t"]);
    }
}

/// Ctrl-S stops the terminal, and not the keep alive.
#[test]
fn a_stopped_terminal_does_not_stop_the_connection() {
    let folder = Folder::new();
    let file = folder.write("out", "");
    let script = subscribed([
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
        packet("c0"),
        Step::Send("d0"),
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
        Step::Send("30 <t> 'x'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let arguments = ["sub", &broker.url(), "-V", "311", "-k", "2", "-t", "t", "-C", "1"];
    let redirect = Redirect::Stdout(File::create(&file).unwrap());
    let mut session = Session::start((10, 70), &arguments, &[], vec![redirect]);
    session
        .wait_for("count", |rows| rows.len() == 2 && is_like(&rows[1], "* 0 messages, 0 B, 0/s"));
    broker.wait();
    session.press("\x13");
    broker.wait();
    session.press("\x11");
    session.finish().expect(0, &["mqttws: note: subscribed to t"]);
}

/// A terminal that shows messages, quiet, the log, a dumb terminal, what is typed: no bar, whatever
/// the time.
#[test]
fn where_a_bar_would_disturb_there_is_none() {
    let folder = Folder::new();
    let file = folder.write("lines", "one\n");
    for (flags, environment) in [(&["--quiet"][..], &[][..]), (&[], &[("TERM", "dumb")])] {
        let broker = slow("32 <t> id 'one'", "d0; 40 id");
        let url = broker.url();
        let arguments =
            [&["pub", &url, "-V", "311", "-k", "2", "-t", "t", "-q", "1", "-l"], flags].concat();
        let session =
            Session::start((10, 70), &arguments, environment, vec![Redirect::Stdin(file.clone())]);
        let ended = session.finish();
        assert_eq!(
            (ended.code, ended.written.escape_ascii().to_string()),
            (Some(0), String::new())
        );
    }
    let broker = slow("32 <t> id 'one'", "d0; 40 id");
    let mut session = publish(&broker, &["-l"], Vec::new());
    session.press("one\n\x04");
    session.finish().expect(0, &["one"]);
    let broker =
        Broker::start(until_goodbye(subscribed([packet("c0"), Step::Send("d0; 30 <t> 'y'")])));
    let arguments = ["sub", &broker.url(), "-V", "311", "-k", "2", "-t", "t", "-C", "1"];
    let ended = Session::start((10, 70), &arguments, &[], Vec::new()).finish();
    assert_eq!(ended.written.escape_ascii().to_string(), r"mqttws: note: subscribed to t\r\ny\r\n");
}

#[test]
fn where_there_is_no_terminal_there_is_no_bar() {
    let broker = slow("32 <t> id 'one'", "d0; 40 id");
    let program =
        Program::new(["pub", &broker.url(), "-V", "311", "-k", "2", "-t", "t", "-q", "1", "-l"]);
    program.stdin("one\n").run().expect(0, "", "");
}
