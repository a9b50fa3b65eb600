//! `mqttws ping` on a terminal: the steps of connecting as a waterfall, a dot for each lost probe of
//! a flood, and a histogram at the end.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::lines::is_like;
use crate::support::terminal::{Ended, Session};

/// A broker that answers two probes, the second later than the first.
fn two_answers() -> Broker {
    let later = std::time::Duration::from_millis(60);
    Broker::start(until_goodbye(connected([
        packet("c0"),
        Step::Send("d0"),
        packet("c0"),
        Step::Dally(later),
        Step::Send("d0"),
    ])))
}

/// `mqttws ping -c 2` with these flags and this environment on a terminal of so many columns.
fn shown(columns: u16, flags: &[&str], environment: &[(&str, &str)]) -> Ended {
    let broker = two_answers();
    let url = broker.url();
    let arguments = ["ping", &url, "-V", "311", "-c", "2", "--interval", "0"];
    Session::start((30, columns), &[&arguments, flags].concat(), environment, Vec::new()).finish()
}

/// The rows that are like one of these patterns, in their order.
fn rows<'a>(ended: &'a Ended, patterns: &[&str]) -> Vec<&'a str> {
    let is_wanted = |row: &&str| patterns.iter().any(|pattern| is_like(row, pattern));
    ended.screen.iter().map(String::as_str).filter(is_wanted).collect()
}

const STEPS: [&str; 5] =
    ["  name* ms*", "  tcp* ms*", "  upgrade* ms*", "  connack* ms*", "  total* ms"];

/// The characters of the bars on the screen, without repetitions.
fn characters(ended: &Ended) -> Vec<char> {
    let rows = rows(ended, &[&STEPS[..], &["  <= *"]].concat());
    let mut bars: Vec<char> =
        rows.iter().flat_map(|row| row.chars()).filter(|c| *c == '=' || !c.is_ascii()).collect();
    bars.sort_unstable();
    bars.dedup();
    bars
}

#[test]
fn a_waterfall_and_a_histogram_fit_the_terminal() {
    for columns in [40, 80, 160] {
        let ended = shown(columns, &[], &[("LC_ALL", "C.UTF-8")]);
        assert_eq!((ended.code, ended.column), (Some(0), 0), "{:#?}", ended.screen);
        let steps = rows(&ended, &STEPS);
        assert_eq!(steps.len(), 5, "{:#?}", ended.screen);
        assert!(steps.iter().zip(STEPS).all(|(row, pattern)| is_like(row, pattern)), "{steps:#?}");
        // The second answer is many times later than the first.
        let ranges = rows(&ended, &["  <= * ms *"]);
        assert!((2..=8).contains(&ranges.len()), "{:#?}", ended.screen);
        let longest = ranges.iter().map(|row| row.matches('\u{2588}').count()).max();
        assert!(longest.is_some_and(|bar| bar >= 8), "{ranges:#?}");
        let widest = ended.screen.iter().map(|row| row.chars().count());
        assert!(widest.max() <= Some(columns.into()), "{:#?}", ended.screen);
        if columns == 160 {
            assert!(is_like(
                &ended.screen[0],
                "PING ws://127.0.0.1:*/mqtt (127.0.0.1:*, subprotocol mqtt, MQTT 3.1.1)"
            ));
            let last = ended.screen.last().unwrap();
            assert!(is_like(last, "  <= * ms  1*"), "{last}");
        }
    }
}

#[test]
fn the_characters_are_those_of_the_locale_and_there_are_no_others() {
    for (environment, expected) in [
        (&[("LC_ALL", "C.UTF-8")][..], '\u{2588}'),
        (&[("LANG", "en_US.UTF-8"), ("NO_COLOR", "1")], '\u{2588}'),
        (&[], '='),
        (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], '='),
        (&[("LC_ALL", "C.UTF-8"), ("TERM", "dumb")], '='),
    ] {
        let ended = shown(80, &[], environment);
        let controls = String::from_utf8(ended.written.clone()).unwrap();
        let controls = controls.replace("\r\n", "");
        assert!(
            !controls.contains(char::is_control),
            "{environment:?} {}",
            controls.escape_debug()
        );
        let bars: Vec<char> = characters(&ended)
            .into_iter()
            .filter(|c| expected != '\u{2588}' || *c != '=')
            .collect();
        assert_eq!(bars, [expected], "{environment:?} {:#?}", ended.screen);
    }
}

#[test]
fn a_narrow_terminal_has_no_bars() {
    let ended = shown(24, &[], &[]);
    let steps = rows(&ended, &STEPS);
    assert_eq!((ended.code, steps.len()), (Some(0), 5), "{:#?}", ended.screen);
    assert!(steps.iter().all(|row| row.ends_with(" ms")), "{steps:#?}");
}

#[test]
fn quiet_and_records_have_neither() {
    for flags in [&["--quiet"][..], &["--json"], &["--format", "nagios"]] {
        let ended = shown(160, flags, &[]);
        assert_eq!(ended.code, Some(0), "{:#?}", ended.screen);
        assert_eq!(rows(&ended, &["  *"]), [""; 0], "{flags:?} {:#?}", ended.screen);
    }
}

#[test]
fn one_answer_has_no_histogram() {
    let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
    let arguments = ["ping", &broker.url(), "-V", "311", "-c", "1"];
    let ended = Session::start((30, 80), &arguments, &[], Vec::new()).finish();
    assert_eq!((ended.code, rows(&ended, &["  <= *"]).len()), (Some(0), 0), "{:#?}", ended.screen);
}

#[test]
fn a_flood_has_a_dot_for_each_lost_probe() {
    let steps = connected([packet("c0"), Step::Send("d0"), packet("c0"), packet("c0")]);
    let broker = Broker::start(until_goodbye(steps));
    let url = broker.url();
    let arguments = ["ping", &url, "-V", "311", "--flood", "-c", "3", "-W", "0.2"];
    let ended = Session::start((30, 80), &arguments, &[], Vec::new()).finish();
    assert_eq!((ended.code, ended.column), (Some(0), 0), "{:#?}", ended.screen);
    let end = ["..", "--- ws://127.0.0.1:*/mqtt ---", "3 sent, 1 answered, 66% lost, time * ms"];
    let at = ended.screen.iter().position(|row| row == "..").expect("dots");
    let rows = &ended.screen[at..at + 3];
    assert!(rows.iter().zip(end).all(|(row, like)| is_like(row, like)), "{:#?}", ended.screen);
}

/// The `^\` of the terminal is written over, and so is `^C`.
#[test]
fn keys_leave_no_traces() {
    let steps = connected([packet("c0"), Step::Send("d0"), packet("c0"), Step::Send("d0")]);
    let broker = Broker::start(until_goodbye(steps));
    let url = broker.url();
    let arguments = ["ping", &url, "-V", "311", "--interval", "1"];
    let mut session = Session::start((30, 100), &arguments, &[], Vec::new());
    session.wait_for("answer", |rows| rows.iter().any(|row| row.contains("seq=1")));
    session.press("\x1c");
    session.wait_for("summary", |rows| rows.iter().any(|row| row.contains("sent, ")));
    session.wait_for("answer", |rows| rows.iter().any(|row| row.contains("seq=2")));
    session.press("\x03");
    let ended = session.finish();
    assert_eq!((ended.code, ended.column), (Some(0), 0), "{:#?}", ended.screen);
    assert!(!ended.screen.iter().any(|row| row.contains('^')), "{:#?}", ended.screen);
    let like = "mqttws: * sent, * answered, *% lost, time * ms; round trip min/avg*";
    assert_eq!(rows(&ended, &[like]).len(), 1, "{:#?}", ended.screen);
}
