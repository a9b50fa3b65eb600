//! Frames as a terminal would show them.

use super::*;
use crate::terminal::drawn_lines::{BEGIN, END, NO_WRAP};

const SIZE: Size = Size { rows: 5, columns: 20 };

/// A terminal of an independent make that was given some frames.
struct Shower(vt100::Parser);

impl Shower {
    fn new() -> Self {
        let mut parser = vt100::Parser::new(5, 20, 100);
        parser.process(b"before\r\n");
        Self(parser)
    }

    fn show(&mut self, frame: &[u8]) -> Vec<String> {
        self.0.process(frame);
        let mut rows: Vec<String> = self.0.screen().rows(0, 20).collect();
        rows.truncate(rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
        rows
    }
}

fn watch() -> Watch {
    styled(TopicColour::Plain, None)
}

fn styled(colour: TopicColour, encoding: Option<Encoding>) -> Watch {
    Watch::with(LineStyle { colour, encoding, characters: CharacterSet::Unicode })
}

/// The frame of a moment in which nothing is older than a second.
fn drawn(watch: &mut Watch, size: Size, above: &[String]) -> Bytes {
    watch.frame(size, above, Instant::now())
}

fn put(watch: &mut Watch, topic: &str, payload: &[u8]) {
    watch.put(&TopicName::new(topic.to_owned()).expect("a topic name"), payload, Instant::now());
}

#[test]
fn lines_are_drawn_over() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    put(&mut watch, "a", b"one");
    put(&mut watch, "b/c", b"two");
    assert!(watch.is_stale(SIZE, Instant::now()));
    assert_eq!(shower.show(&drawn(&mut watch, SIZE, &[])), ["before", "a    one", "b/c  two"]);
    assert!(!watch.is_stale(SIZE, Instant::now()));
    put(&mut watch, "a", b"1");
    let frame = drawn(&mut watch, SIZE, &[]);
    assert!(
        !frame.windows(3).any(|bytes| bytes == b"two"),
        "what is the same is not written again"
    );
    assert_eq!(shower.show(&frame), ["before", "a    1", "b/c  two"]);
    assert_eq!(shower.0.screen().cursor_position(), (3, 0));
    assert!(!shower.0.screen().hide_cursor());
}

#[test]
fn what_does_not_fit_is_cut() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    put(&mut watch, "a/topic/that/is/long", "日本語日本語".as_bytes());
    put(&mut watch, "t", b"0123456789");
    put(&mut watch, "u", b"");
    let rest = ["t          0123456…", "u          (null)"];
    let expected = ["before", "…/is/long  日本語…", rest[0], rest[1]];
    assert_eq!(shower.show(&drawn(&mut watch, SIZE, &[])), expected);
}

#[test]
fn what_is_too_much_is_counted() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    for topic in ["a", "b", "c", "d", "e", "f"] {
        put(&mut watch, topic, b"x");
    }
    assert_eq!(shower.show(&drawn(&mut watch, SIZE, &[])), ["d  x", "e  x", "f  x", "+3 more"]);
    put(&mut watch, "a", b"y");
    assert_eq!(shower.show(&drawn(&mut watch, SIZE, &[])), ["a  y", "e  x", "f  x", "+3 more"]);
}

#[test]
fn nothing_drives_the_terminal() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    put(&mut watch, "a\x1b[2J", b"\x1b]0;x\x07\n\r");
    put(&mut watch, "b", "\u{9b}2J\u{202e}".as_bytes());
    let wide = Size { rows: 5, columns: 60 };
    let frame = drawn(&mut watch, wide, &[]);
    let text =
        String::from_utf8(frame[BEGIN.len() + NO_WRAP.len()..frame.len() - END.len()].to_vec())
            .expect("text");
    let lines =
        "a\\x1b[2J  \\x1b]0;x\\x07\\n\\x0d\x1b[K\r\nb         \\x9b2J\\u{202e}\x1b[K\r\n\x1b[J";
    assert_eq!(text, lines);
    shower.show(&frame);
}

#[test]
fn lines_for_good_stand_above() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    put(&mut watch, "a", b"x");
    shower.show(&drawn(&mut watch, SIZE, &[]));
    let frame = drawn(&mut watch, SIZE, &["mqttws: wider than this\n".to_owned()]);
    assert_eq!(shower.show(&frame), ["before", "mqttws: wider than t", "his", "a  x"]);
    put(&mut watch, "a", b"y");
    assert_eq!(
        shower.show(&drawn(&mut watch, SIZE, &[])),
        ["before", "mqttws: wider than t", "his", "a  y"]
    );
}

#[test]
fn what_may_have_suffered_is_drawn_again() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    watch.redraw_all();
    assert!(!watch.is_stale(SIZE, Instant::now()), "nothing was drawn");
    put(&mut watch, "a", b"x");
    drawn(&mut watch, SIZE, &[]);
    shower.show(b"half of it\r\n");
    watch.redraw_all();
    assert!(watch.is_stale(SIZE, Instant::now()));
    assert_eq!(shower.show(&drawn(&mut watch, SIZE, &[])), ["before", "a  x"]);
}

#[test]
fn another_size_is_another_frame() {
    let (mut shower, mut watch) = (Shower::new(), watch());
    put(&mut watch, "a", b"0123456789012345");
    put(&mut watch, "b", b"y");
    assert_eq!(
        shower.show(&drawn(&mut watch, SIZE, &[])),
        ["before", "a  0123456789012345", "b  y"]
    );
    let narrow = Size { rows: 5, columns: 10 };
    assert!(watch.is_stale(narrow, Instant::now()));
    // As a terminal that wraps what no longer fits.
    let mut parser = vt100::Parser::new(5, 10, 100);
    parser.process(b"before\r\na  0123456789012345\r\nb  y\r\n");
    parser.process(&drawn(&mut watch, narrow, &[]));
    let rows: Vec<String> = parser.screen().rows(0, 10).collect();
    assert_eq!(rows, ["before", "a  01234…", "b  y", "", ""]);
}

#[test]
fn the_smallest_terminal_is_no_problem() {
    let mut watch = watch();
    put(&mut watch, "a", b"x");
    put(&mut watch, "b", b"x");
    for (rows, columns) in [(0, 0), (1, 1), (2, 2), (1, 200)] {
        assert!(!drawn(&mut watch, Size { rows, columns }, &[]).is_empty());
    }
}

#[test]
fn colours_and_encodings() {
    let mut watch = styled(TopicColour::Cyan, Some(Encoding::Hex));
    put(&mut watch, "a", b"\xff\x00");
    let frame = drawn(&mut watch, SIZE, &[]);
    assert!(frame.escape_ascii().to_string().contains(r"\x1b[36ma\x1b[0m  ff00\x1b"), "{frame:?}");
}

/// What a terminal with so many columns shows a second after each of these numbers.
fn lively(columns: u16, style: LineStyle) -> Vec<String> {
    let mut watch = Watch::with(style);
    let start = Instant::now();
    let size = Size { rows: 5, columns: columns.into() };
    for second in 0..3 {
        let now = start + Duration::from_secs(second);
        let topic = TopicName::new("lab/t".to_owned()).expect("a topic name");
        watch.put(&topic, second.to_string().as_bytes(), now);
    }
    let topic = TopicName::new("lab/door".to_owned()).expect("a topic name");
    watch.put(&topic, "x".repeat(200).as_bytes(), start);
    let now = start + Duration::from_secs(4);
    let mut parser = vt100::Parser::new(5, columns, 100);
    parser.process(&watch.frame(size, &[], now));
    assert!(!watch.is_stale(size, now));
    assert_eq!(watch.is_stale(size, now + TICK), columns > 40);
    let rows = parser.screen().rows(0, columns);
    rows.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
}

#[test]
fn wide_terminals_show_how_lively_a_topic_is() {
    let plain =
        LineStyle { colour: TopicColour::Plain, encoding: None, characters: CharacterSet::Unicode };
    let x = |number| "x".repeat(number);
    assert_eq!(
        lively(40, plain),
        ["lab/t     2".to_owned(), format!("lab/door  {}\u{2026}", x(28))]
    );
    assert_eq!(
        lively(80, plain),
        [
            format!("lab/t     2{:44}    2s       3     0.5/s", ""),
            format!("lab/door  {}\u{2026}    4s       1", x(44)),
        ]
    );
    assert_eq!(
        lively(160, plain),
        [
            format!("lab/t     2{:106}    2s       3     0.5/s  \u{2581}\u{2585}\u{2588}", ""),
            format!("lab/door  {}\u{2026}    4s       1", x(106)),
        ]
    );
    let ascii = LineStyle { characters: CharacterSet::Ascii, ..plain };
    let rows = lively(160, ascii);
    assert!(rows.concat().is_ascii() && rows[0].ends_with("  _=#"), "{rows:?}");
}
