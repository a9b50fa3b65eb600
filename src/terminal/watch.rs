//! `--watch`: one line for each topic, drawn over in place.

#[cfg(test)]
mod tests;
mod topics;

use bytes::{BufMut, Bytes, BytesMut};

use self::topics::{VisibleTopic, WatchedTopics};
use super::screen::{self, Size};
use crate::format::encoding::Encoding;
use crate::format::escape;
use crate::format::layout::TopicColour;
use crate::mqtt::topic::TopicName;

/// Hides the cursor, and turns wrapping off, only while a frame is drawn: if the program is killed,
/// the terminal is as before.
const BEGIN: &[u8] = b"\x1b[?25l\r";
const NO_WRAP: &[u8] = b"\x1b[?7l";
const END: &[u8] = b"\x1b[?7h\x1b[?25h";

/// Erases the rest of the line; everything below.
const ERASE_LINE: &[u8] = b"\x1b[K";
const ERASE_BELOW: &[u8] = b"\x1b[J";

/// The colours of topics, and of `(null)` and the count of hidden topics.
const TOPIC: &str = "\x1b[36m";
const ASIDE: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Stands where something was cut.
const CUT: &str = "\u{2026}";

/// Between a topic and its payload, in columns.
const GAP: usize = 2;

/// The view: what there is to show, and what the terminal shows.
#[derive(Debug)]
pub struct Watch {
    topics: WatchedTopics,
    colour: TopicColour,
    encoding: Option<Encoding>,
    /// What the terminal shows, from top to bottom; the cursor stands below.
    drawn: Vec<ScreenLine>,
    /// The size of the terminal when it was drawn.
    size: Size,
    /// Something has come since.
    dirty: bool,
}

/// A line with its escape sequences, and the columns it takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct ScreenLine {
    text: String,
    columns: usize,
}

impl Watch {
    /// Nothing has come yet.
    pub fn new(colour: TopicColour, encoding: Option<Encoding>) -> Self {
        let size = Size { rows: 0, columns: 0 };
        Self {
            topics: WatchedTopics::default(),
            colour,
            encoding,
            drawn: Vec::new(),
            size,
            dirty: false,
        }
    }

    /// A message has come.
    pub fn put(&mut self, topic: &TopicName, payload: &[u8]) {
        self.topics.put(topic.as_str(), payload);
        self.dirty = true;
    }

    /// Whether a frame on a terminal of this size would show anything new.
    pub fn is_stale(&self, size: Size) -> bool {
        self.dirty || (size != self.size && !self.drawn.is_empty())
    }

    /// Makes the next frame draw every line again: on Ctrl-C the terminal may drop output that it
    /// has not shown yet.
    pub fn redraw_all(&mut self) {
        self.dirty |= !self.drawn.is_empty();
        for line in &mut self.drawn {
            line.text.clear();
        }
    }

    /// Makes the next frame draw every line again, from where the cursor stands now: others have
    /// written to the terminal.
    pub fn redraw_below(&mut self) {
        self.dirty |= !self.drawn.is_empty();
        self.drawn.clear();
    }

    /// The bytes that make a terminal of this size show everything there is; the lines `above`
    /// scroll up and stay.
    pub fn frame(&mut self, size: Size, above: &[String]) -> Bytes {
        let mut out = BytesMut::from(BEGIN);
        self.go_up(size, &mut out);
        if !self.drawn.is_empty() && (size != self.size || !above.is_empty()) {
            out.put_slice(ERASE_BELOW);
            self.drawn.clear();
        }
        for line in above {
            out.put_slice(line.trim_end().as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(NO_WRAP);
        let lines = self.lines(size);
        for (at, line) in lines.iter().enumerate() {
            if self.drawn.get(at) != Some(line) {
                out.put_slice(line.text.as_bytes());
                out.put_slice(ERASE_LINE);
            }
            out.put_slice(b"\r\n");
        }
        out.put_slice(ERASE_BELOW);
        out.put_slice(END);
        (self.drawn, self.size, self.dirty) = (lines, size, false);
        out.freeze()
    }

    /// To the first line of what is drawn. A terminal that became narrower has wrapped it.
    fn go_up(&self, size: Size, out: &mut BytesMut) {
        let height: usize =
            self.drawn.iter().map(|line| line.columns.div_ceil(size.columns.max(1)).max(1)).sum();
        if height > 0 {
            out.put_slice(format!("\x1b[{height}A").as_bytes());
        }
    }

    /// The topics as lines: the cursor needs one of its own below them, and the last column stays
    /// free, so that erasing the rest of a line does not touch its end.
    fn lines(&self, size: Size) -> Vec<ScreenLine> {
        let columns = size.columns.saturating_sub(1);
        let room = size.rows.saturating_sub(1).max(1);
        let more = self.topics.len().saturating_sub(room);
        let shown = self.topics.newest(if more > 0 { room.saturating_sub(1).max(1) } else { room });
        let hidden = self.topics.len() - shown.len();
        let topics: Vec<(String, usize)> =
            shown.iter().map(|row| topic(row, columns / 2)).collect();
        let widest = topics.iter().map(|(_, columns)| *columns).max().unwrap_or(0);
        let mut lines: Vec<ScreenLine> = topics
            .iter()
            .zip(&shown)
            .map(|(topic, row)| self.line(topic, widest, row, columns))
            .collect();
        if hidden > 0 && lines.len() < room {
            let (text, columns) = cut(format!("+{hidden} more").as_bytes(), false, columns);
            lines.push(ScreenLine { text: self.coloured(ASIDE, &text), columns });
        }
        lines
    }

    fn line(
        &self,
        topic: &(String, usize),
        widest: usize,
        row: &VisibleTopic,
        columns: usize,
    ) -> ScreenLine {
        let (topic, taken) = topic;
        let start = widest + GAP;
        let (payload, width) = self.payload(row, columns.saturating_sub(start));
        let padding = " ".repeat(start - taken);
        ScreenLine {
            text: format!("{}{padding}{payload}", self.coloured(TOPIC, topic)),
            columns: start + width,
        }
    }

    fn payload(&self, row: &VisibleTopic, columns: usize) -> (String, usize) {
        match self.encoding {
            None if row.payload.is_empty() => {
                let (text, width) = cut(b"(null)", false, columns);
                (self.coloured(ASIDE, &text), width)
            }
            None => cut(row.payload, row.is_cut, columns),
            Some(encoding) => {
                let mut text = BytesMut::new();
                encoding.encode(row.payload, &mut text);
                cut(&text, row.is_cut, columns)
            }
        }
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        match self.colour {
            TopicColour::Cyan => format!("{colour}{text}{PLAIN}"),
            TopicColour::Plain => text.to_owned(),
        }
    }
}

/// The end of a topic that fits into so many columns, made harmless, and its width.
fn topic(row: &VisibleTopic, columns: usize) -> (String, usize) {
    let (ending, is_cut) = topics::ending(row.topic);
    let mut harmless = BytesMut::from(if is_cut { CUT } else { "" });
    escape::escape_line(ending.as_bytes(), &mut harmless);
    let harmless = String::from_utf8_lossy(&harmless);
    let (kept, taken, shortened) = screen::fit_end(&harmless, columns);
    if shortened && columns > 0 {
        (format!("{CUT}{kept}"), taken + 1)
    } else {
        (kept.to_owned(), taken)
    }
}

/// The beginning of a text that fits into so many columns, made harmless, and its width.
fn cut(text: &[u8], is_cut: bool, columns: usize) -> (String, usize) {
    let mut harmless = BytesMut::new();
    escape::escape_line(text, &mut harmless);
    if is_cut {
        harmless.put_slice(CUT.as_bytes());
    }
    let harmless = String::from_utf8_lossy(&harmless);
    let (kept, taken, shortened) = screen::fit(&harmless, columns);
    if shortened && columns > 0 {
        (format!("{kept}{CUT}"), taken + 1)
    } else {
        (kept.to_owned(), taken)
    }
}
