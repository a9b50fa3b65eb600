//! `mqttws sub --watch`: one line per topic, drawn over in place.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::Program;
use crate::support::terminal::{Redirect, Session};

fn watch(broker: &Broker, size: (u16, u16), flags: &[&str], redirects: Vec<Redirect>) -> Session {
    let url = broker.url();
    let arguments =
        [&["sub", &url, "-V", "311", "-t", "t", "--watch", "--color=never"], flags].concat();
    Session::start(size, &arguments, &[("LC_ALL", "C.UTF-8")], redirects)
}

/// Rows of 80 or 100 columns without the cells at the end of the topics' lines, which tell time and
/// numbers.
fn without_cells(rows: &[String], columns: usize) -> Vec<String> {
    let cut = |row: &String| {
        if row.starts_with("mqttws: ") {
            return row.clone();
        }
        row.chars().take(columns - 25).collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(cut).collect()
}

#[test]
fn a_line_per_topic_is_drawn_over() {
    let script = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 30 <a> 'one'; 32 <b/c> 00 07 'two'"),
        // The frame is on the terminal.
        packet("40 00 07"),
        Step::Send("30 <a> '1'; 32 <d> 00 08"),
        packet("40 00 08"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let mut session = watch(&broker, (10, 80), &["-q", "1"], Vec::new());
    let frame = ["mqttws: note: subscribed to t", "a    1", "b/c  two", "d    (null)"];
    session.wait_for("frame", |rows| without_cells(rows, 80) == frame);
    session.press("\x03");
    let ended = session.finish();
    assert_eq!(without_cells(&ended.screen[..4], 80), frame);
    let summary = "mqttws: received 4 messages, 7 bytes in * s, * messages/s, * bytes/s";
    assert!(is_like(&ended.screen[4], summary));
    assert_eq!((ended.screen.len(), ended.column, ended.code), (5, 0, Some(0)));
}

#[test]
fn the_last_frame_shows_the_last_message() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send(
        "30 <a> '1'; 30 <a> '2'; 30 <a> '3'; 30 <b> ff; 30 <a> '4'",
    )])));
    watch(&broker, (10, 60), &["-C", "5", "--hex", "--quiet"], Vec::new())
        .finish()
        .expect(0, &["a  34", "b  ff"]);
}

#[test]
fn what_the_terminal_has_no_room_for_is_cut_and_counted() {
    let packets = "30 <a> 'x'; 30 <b> 'x'; 30 <c> 'x'; 30 <d> '日本語日本語日本語'; 30 <e\u{1b}[2J> '\u{202e}' 0a";
    let broker = Broker::start(until_goodbye(subscribed([Step::Send(packets)])));
    let ended = watch(&broker, (4, 24), &["-C", "5", "--quiet"], Vec::new()).finish();
    ended.expect(0, &["d         日本語日本語…", r"e\x1b[2J  \u{202e}\n", "+3 more"]);
}

#[test]
fn another_size_is_drawn_anew() {
    let broker =
        Broker::start(until_goodbye(subscribed([Step::Send("30 <a> '0123456789'; 30 <b> 'x'")])));
    let mut session = watch(&broker, (10, 40), &[], Vec::new());
    session.wait_for_screen(&["mqttws: note: subscribed to t", "a  0123456789", "b  x"]);
    session.resize(10, 8);
    session.wait_for("narrow frame", |rows| rows.ends_with(&["a  012…".into(), "b  x".into()]));
    session.press("\x03");
    assert_eq!(session.finish().code, Some(0));
}

#[test]
fn lines_on_stderr_do_not_tear_it() {
    let script = subscribed([
        Step::Send("30 <a> 'x'"),
        Step::Tell,
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00; 30 <a> 'y'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let mut session = watch(&broker, (10, 100), &["--reconnect-delay", "10ms"], Vec::new());
    session.wait_for("second message", |rows| {
        without_cells(rows, 100).last().is_some_and(|row| row == "a  y")
    });
    session.press("\x03");
    let ended = session.finish();
    assert!(
        is_like(&ended.screen[1], "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost*"),
        "{:#?}",
        ended.screen
    );
    assert_eq!(
        ended.screen.iter().filter(|row| row.starts_with("a  ")).count(),
        1,
        "{:#?}",
        ended.screen
    );
    let lines = ended.screen.iter().filter(|row| row.starts_with("mqttws: ")).count();
    assert_eq!(lines, 4, "subscribed, lost, mended, summary: {:#?}", ended.screen);
}

#[test]
fn an_error_leaves_the_terminal_in_order() {
    let broker = Broker::start(subscribed([Step::Send("30 <a> 'x'"), Step::End]));
    let ended = watch(&broker, (10, 100), &["--no-reconnect"], Vec::new()).finish();
    let rows = without_cells(&ended.screen, 100);
    assert_eq!((ended.code, ended.column, rows[1].as_str()), (Some(8), 0, "a  x"));
    assert!(ended.screen[2].starts_with("mqttws: subscribed at "), "{:#?}", ended.screen);
}

/// Promise 3 of design.md §4: the keep alive goes on, and the latest is shown when the terminal
/// goes on.
#[test]
fn a_stopped_terminal_does_not_stop_the_connection() {
    let script = subscribed([
        Step::Send("30 <a> '1'"),
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
        Step::Send("30 <a> '2'; 30 <b> '2'"),
        packet("c0"),
        Step::Send("d0; 30 <a> '3'; 30 <c> '3'"),
        packet("c0"),
        Step::Send("d0"),
        Step::Tell,
        Step::Send("30 <a> '4'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let mut session = watch(&broker, (10, 40), &["-k", "2", "-C", "6"], Vec::new());
    session.wait_for_screen(&["mqttws: note: subscribed to t", "a  1"]);
    session.press("\x13");
    broker.wait();
    broker.wait();
    session.press("\x11");
    session.finish().expect(0, &["mqttws: note: subscribed to t", "a  4", "b  2", "c  3"]);
}

#[test]
fn what_is_said_at_the_end_stands_below() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <a> 'x'")])));
    let ended = watch(&broker, (10, 100), &["-C", "2", "-W", "1"], Vec::new()).finish();
    let rows = without_cells(&ended.screen, 100);
    let timed_out = "mqttws: subscribed: timed out after 1 s with 1 of 2 messages";
    assert_eq!(rows, ["mqttws: note: subscribed to t", "a  x", timed_out]);
    assert_eq!(ended.code, Some(27));
}

#[test]
fn without_a_terminal_it_makes_no_sense() {
    let line = "mqttws: --watch needs a terminal on stdout that can be redrawn; use -v\n";
    Program::new(["sub", "-t", "t", "-w"]).run().expect(2, "", line);
    let ended =
        Session::start((5, 100), &["sub", "-t", "t", "-w"], &[("TERM", "dumb")], Vec::new())
            .finish();
    ended.expect(2, &[line.trim_end()]);
}

/// stderr that is no terminal gets its lines when they come.
#[test]
fn lines_go_where_stderr_goes() {
    let folder = Folder::new();
    let log = folder.write("log", "");
    let broker = Broker::start(subscribed([Step::Send("30 <a> ff"), Step::End]));
    let redirect = Redirect::Stderr(std::fs::File::create(&log).unwrap());
    let ended = watch(&broker, (10, 100), &["--no-reconnect"], vec![redirect]).finish();
    let rows = without_cells(&ended.screen, 100);
    assert_eq!((ended.code, rows), (Some(8), vec![r"a  \xff".to_owned()]));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        is_like(&text, "mqttws: note: binary payload (1 byte)*\nmqttws: subscribed at *\n"),
        "{text}"
    );
}

/// Ctrl-Z and fg: the shell has written below the frame, and the next one stands below that.
#[test]
fn a_program_that_goes_on_draws_below_the_cursor() {
    let script = subscribed([
        Step::Send("30 <a> 'x'; 30 <b> 'y'"),
        Step::Tell,
        packet("c0"),
        Step::Send("d0; 30 <a> 'z'"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let mut session = watch(&broker, (12, 40), &["--quiet", "-k", "2"], Vec::new());
    session.wait_for_screen(&["a  x", "b  y"]);
    session.signal("STOP");
    session.press("stopped; fg\n");
    session.wait_for_screen(&["a  x", "b  y", "stopped; fg"]);
    session.signal("CONT");
    session.wait_for("frame", |rows| rows.len() == 5);
    session.wait_for_screen(&["a  x", "b  y", "stopped; fg", "a  z", "b  y"]);
    session.press("\x03");
    session.finish().expect(0, &["a  x", "b  y", "stopped; fg", "a  z", "b  y"]);
}

/// Numbers in terminals of three widths, and in one that shows only ASCII.
#[test]
fn a_wide_terminal_shows_how_lively_a_topic_is() {
    let packets = "30 <a> '0'; 30 <a> '1'; 30 <a> '7'";
    for (columns, locale, pattern) in [
        (40, "C.UTF-8", "a  7"),
        (80, "C.UTF-8", "a  7 * *s       3*"),
        (160, "C.UTF-8", "a  7 * *s       3*  \u{2581}\u{2582}\u{2588}"),
        (160, "C", "a  7 * *s       3*  _,#"),
    ] {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send(packets)])));
        let url = broker.url();
        let arguments = ["sub", &url, "-V", "311", "-t", "t", "--watch", "-C", "3", "--quiet"];
        let environment = [("LC_ALL", locale), ("NO_COLOR", "1")];
        let mut session = Session::start((10, columns), &arguments, &environment, Vec::new());
        session.wait_for("frame", |rows| rows.iter().any(|row| row.starts_with("a  7")));
        let ended = session.finish();
        assert!(is_like(&ended.screen[0], pattern), "{columns} {locale}: {:#?}", ended.screen);
        assert_eq!((ended.screen.len(), ended.code), (1, Some(0)));
        assert!(!ended.written.windows(3).any(|bytes| bytes == b"\x1b[3"), "no colours");
    }
}
