//! `--watch`: one line for each topic, drawn over in place.

mod activity;
#[cfg(test)]
mod tests;
mod topics;

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use self::activity::{Cell, cut_mark};
use self::topics::{VisibleTopic, WatchedTopics};
use super::bars::CharacterSet;
use super::drawn_lines::{DrawnLines, ScreenLine};
use super::screen::{self, Size};
use crate::format::encoding::Encoding;
use crate::format::escape;
use crate::format::layout::TopicColour;
use crate::mqtt::topic::TopicName;

/// The colours of topics, and of `(null)` and the count of hidden topics.
const TOPIC: &str = "\x1b[36m";
const ASIDE: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Between a topic and its payload, and before each cell, in columns.
const GAP: usize = 2;

/// How often ages and rates are drawn again, where nothing comes.
const TICK: Duration = Duration::from_secs(1);

/// How lines are written.
#[derive(Debug, Clone, Copy)]
struct LineStyle {
    colour: TopicColour,
    encoding: Option<Encoding>,
    characters: CharacterSet,
}

/// The view: what there is to show, and what the terminal shows.
#[derive(Debug)]
pub struct Watch {
    topics: WatchedTopics,
    style: LineStyle,
    frame: DrawnLines,
    /// When it was drawn.
    drawn_at: Option<Instant>,
    /// Something has come since.
    dirty: bool,
}

impl Watch {
    /// Nothing has come yet.
    pub fn new(colour: TopicColour, encoding: Option<Encoding>) -> Self {
        let characters = CharacterSet::of_terminal();
        Self::with(LineStyle { colour, encoding, characters })
    }

    fn with(style: LineStyle) -> Self {
        Self {
            topics: WatchedTopics::default(),
            style,
            frame: DrawnLines::new(),
            drawn_at: None,
            dirty: false,
        }
    }

    /// A message has come.
    pub fn put(&mut self, topic: &TopicName, payload: &[u8], now: Instant) {
        self.topics.put(topic.as_str(), payload, now);
        self.dirty = true;
    }

    /// Whether a frame on a terminal of this size would show anything new.
    pub fn is_stale(&self, size: Size, now: Instant) -> bool {
        let is_old = self.drawn_at.is_some_and(|at| now.saturating_duration_since(at) >= TICK);
        let ticks = is_old && !Cell::fitting(size.columns).is_empty();
        self.dirty || self.frame.is_of_another(size) || (ticks && !self.frame.is_empty())
    }

    /// Makes the next frame draw every line again: on Ctrl-C the terminal may drop output that it
    /// has not shown yet.
    pub fn redraw_all(&mut self) {
        self.dirty |= !self.frame.is_empty();
        self.frame.write_all();
    }

    /// Makes the next frame draw every line again, from where the cursor stands now: others have
    /// written to the terminal.
    pub fn redraw_below(&mut self) {
        self.dirty |= !self.frame.is_empty();
        self.frame.forget();
    }

    /// The bytes that make a terminal of this size show everything there is now; the lines `above`
    /// scroll up and stay.
    pub fn frame(&mut self, size: Size, above: &[String], now: Instant) -> Bytes {
        let lines = self.lines(size, now);
        (self.dirty, self.drawn_at) = (false, Some(now));
        self.frame.draw(size, above, lines)
    }

    /// The topics as lines: the cursor needs one of its own below them, and the last column stays
    /// free, so that erasing the rest of a line does not touch its end.
    fn lines(&self, size: Size, now: Instant) -> Vec<ScreenLine> {
        let columns = size.columns.saturating_sub(1);
        let room = size.rows.saturating_sub(1).max(1);
        let more = self.topics.len().saturating_sub(room);
        let shown = self.topics.newest(if more > 0 { room.saturating_sub(1).max(1) } else { room });
        let hidden = self.topics.len() - shown.len();
        let topics: Vec<(String, usize)> =
            shown.iter().map(|row| self.style.topic(row, columns / 2)).collect();
        let widest = topics.iter().map(|(_, columns)| *columns).max().unwrap_or(0);
        let place =
            LinePlace { payload: widest + GAP, columns, cells: Cell::fitting(size.columns) };
        let rows = topics.iter().zip(&shown);
        let mut lines: Vec<ScreenLine> =
            rows.map(|(topic, row)| self.style.line(topic, place, row, now)).collect();
        if hidden > 0 && lines.len() < room {
            let text = format!("+{hidden} more");
            let (text, columns) = self.style.cut(text.as_bytes(), Completeness::Yes, columns);
            lines.push(ScreenLine { text: self.style.coloured(ASIDE, &text), columns });
        }
        lines
    }
}

/// Where the parts of a line stand.
#[derive(Debug, Clone, Copy)]
struct LinePlace {
    /// The column of the payload.
    payload: usize,
    /// How many columns there are.
    columns: usize,
    /// What stands at the end.
    cells: &'static [Cell],
}

/// Whether a text is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Yes,
    No,
}

impl LineStyle {
    fn line(
        self,
        topic: &(String, usize),
        place: LinePlace,
        row: &VisibleTopic,
        now: Instant,
    ) -> ScreenLine {
        let (topic, taken) = topic;
        let cells = self.cells(place.cells, row, now);
        let width: usize = place.cells.iter().map(|cell| GAP + cell.width()).sum();
        let room = place.columns.saturating_sub(place.payload + width);
        let (payload, columns) = self.payload(row, room);
        let padding = " ".repeat(place.payload - taken);
        let text = format!("{}{padding}{payload}", self.coloured(TOPIC, topic));
        let kept = cells.trim_end();
        if kept.is_empty() {
            return ScreenLine { text, columns: place.payload + columns };
        }
        let padding = " ".repeat(room.saturating_sub(columns));
        let blanks = cells.len() - kept.len();
        let columns = place.payload + room + width - blanks;
        ScreenLine { text: format!("{text}{padding}{}", self.coloured(ASIDE, kept)), columns }
    }

    /// The cells of a line.
    fn cells(self, cells: &[Cell], row: &VisibleTopic, now: Instant) -> String {
        let gap = " ".repeat(GAP);
        let text = |cell: &Cell| {
            let (text, width) = (row.activity.cell(*cell, now, self.characters), cell.width());
            match cell {
                Cell::Course => format!("{gap}{text:width$}"),
                Cell::Age | Cell::Count | Cell::Rate => format!("{gap}{text:>width$}"),
            }
        };
        cells.iter().map(text).collect()
    }

    fn payload(self, row: &VisibleTopic, columns: usize) -> (String, usize) {
        let whole = if row.is_cut { Completeness::No } else { Completeness::Yes };
        match self.encoding {
            None if row.payload.is_empty() => {
                let (text, width) = self.cut(b"(null)", Completeness::Yes, columns);
                (self.coloured(ASIDE, &text), width)
            }
            None => self.cut(row.payload, whole, columns),
            Some(encoding) => {
                let mut text = BytesMut::new();
                encoding.encode(row.payload, &mut text);
                self.cut(&text, whole, columns)
            }
        }
    }

    fn coloured(self, colour: &str, text: &str) -> String {
        match self.colour {
            TopicColour::Cyan => format!("{colour}{text}{PLAIN}"),
            TopicColour::Plain => text.to_owned(),
        }
    }

    /// The end of a topic that fits into so many columns, made harmless, and its width.
    fn topic(self, row: &VisibleTopic, columns: usize) -> (String, usize) {
        let cut = cut_mark(self.characters);
        let (ending, is_cut) = topics::ending(row.topic);
        let mut harmless = BytesMut::from(if is_cut { cut } else { "" });
        escape::escape_line(ending.as_bytes(), &mut harmless);
        let harmless = String::from_utf8_lossy(&harmless);
        let (kept, taken, shortened) = screen::fit_end(&harmless, columns);
        if shortened && columns > 0 {
            (format!("{cut}{kept}"), taken + 1)
        } else {
            (kept.to_owned(), taken)
        }
    }

    /// The beginning of a text that fits into so many columns, made harmless, and its width.
    fn cut(self, text: &[u8], whole: Completeness, columns: usize) -> (String, usize) {
        let cut = cut_mark(self.characters);
        let mut harmless = BytesMut::new();
        escape::escape_line(text, &mut harmless);
        if whole == Completeness::No {
            harmless.put_slice(cut.as_bytes());
        }
        let harmless = String::from_utf8_lossy(&harmless);
        let (kept, taken, shortened) = screen::fit(&harmless, columns);
        if shortened && columns > 0 {
            (format!("{kept}{cut}"), taken + 1)
        } else {
            (kept.to_owned(), taken)
        }
    }
}
