//! `--tree` on a terminal: the levels of topics, drawn over in place while messages come.

use bytes::{Bytes, BytesMut};

use super::bars::CharacterSet;
use super::drawn_lines::{DrawnLines, ScreenLine};
use super::screen::{self, Size};
use super::topic_table;
use crate::format::topic_counts::TopicCounts;

/// How much of the tree is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What the terminal has room for.
    Screen,
    /// All of it: the last lines are below it, and the first may scroll away.
    Whole,
}

/// The tree, and what the terminal shows of it.
#[derive(Debug)]
pub struct LiveTree {
    counts: TopicCounts,
    frame: DrawnLines,
    characters: CharacterSet,
    /// How many changes the terminal does not show.
    changes: u64,
}

impl LiveTree {
    /// Nothing has come; topics with more levels are counted together, by `depth` of them.
    pub fn new(depth: usize) -> Self {
        Self::with(depth, CharacterSet::of_terminal())
    }

    fn with(depth: usize, characters: CharacterSet) -> Self {
        Self { counts: TopicCounts::new(depth), frame: DrawnLines::new(), characters, changes: 0 }
    }

    /// The counts, to which a message is to be added.
    pub fn counts(&mut self) -> &mut TopicCounts {
        self.changes += 1;
        &mut self.counts
    }

    /// Whether a frame on a terminal of this size would show anything new.
    pub fn is_stale(&self, size: Size) -> bool {
        self.changes > 0 || self.frame.is_of_another(size)
    }

    /// See [`DrawnLines::write_all`].
    pub fn redraw_all(&mut self) {
        self.changes += u64::from(!self.frame.is_empty());
        self.frame.write_all();
    }

    /// See [`DrawnLines::forget`].
    pub fn redraw_below(&mut self) {
        self.changes += u64::from(!self.frame.is_empty());
        self.frame.forget();
    }

    /// The bytes that make a terminal of this size show the tree; the lines `above` scroll up and
    /// stay.
    pub fn frame(&mut self, size: Size, above: &[String], extent: Extent) -> Bytes {
        self.changes = 0;
        let lines = self.lines(size, extent);
        self.frame.draw(size, above, lines)
    }

    fn lines(&self, size: Size, extent: Extent) -> Vec<ScreenLine> {
        let mut text = BytesMut::new();
        let (tree, others) = (self.counts.tree(), self.counts.others());
        topic_table::tree(&tree, others, self.characters, Some(size.columns), &mut text);
        let text = String::from_utf8_lossy(&text);
        let count = text.lines().count();
        // The cursor needs a line of its own.
        let room = size.rows.saturating_sub(1).max(1);
        let shown = match extent {
            Extent::Screen if count > room => room - 1,
            Extent::Screen | Extent::Whole => count,
        };
        let mut lines: Vec<String> = text.lines().take(shown).map(str::to_owned).collect();
        if shown < count {
            lines.push(format!("+{} more", count - shown));
        }
        lines.into_iter().map(|line| screen_line(line, size)).collect()
    }
}

/// Wrapping is off while it is drawn: it takes no more columns than there are.
fn screen_line(text: String, size: Size) -> ScreenLine {
    let (_, columns, _) = screen::fit(&text, size.columns);
    ScreenLine { text, columns }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::format::topic_counts::{CountedMessage, MessageAge};

    const SIZE: Size = Size { rows: 5, columns: 20 };

    fn put(tree: &mut LiveTree, topic: &str) {
        let message = CountedMessage { bytes: 1, age: MessageAge::New, time: Duration::ZERO };
        tree.counts().add(topic, message);
    }

    /// What a terminal of an independent make shows after these bytes.
    fn shown(terminal: &mut vt100::Parser, frame: &[u8]) -> Vec<String> {
        terminal.process(frame);
        terminal.screen().rows(0, 20).filter(|row| !row.is_empty()).collect()
    }

    #[test]
    fn it_grows_in_place() {
        let mut terminal = vt100::Parser::new(5, 20, 100);
        let mut tree = LiveTree::with(32, CharacterSet::Unicode);
        put(&mut tree, "a/b");
        assert!(tree.is_stale(SIZE));
        let frame = tree.frame(SIZE, &[], Extent::Screen);
        assert_eq!(shown(&mut terminal, &frame), ["a", "└── b  1 message"]);
        assert!(!tree.is_stale(SIZE));
        put(&mut tree, "a/b");
        put(&mut tree, "a/c");
        let frame = tree.frame(SIZE, &["line".to_owned()], Extent::Screen);
        let expected = ["line", "a", "├── b  2 messages", "└── c  1 message"];
        assert_eq!(shown(&mut terminal, &frame), expected);
        tree.redraw_all();
        assert!(tree.is_stale(SIZE));
        assert!(tree.is_stale(Size { rows: 4, ..SIZE }));
    }

    #[test]
    fn what_has_no_room_is_counted_until_the_end() {
        let mut terminal = vt100::Parser::new(5, 20, 100);
        let mut tree = LiveTree::with(32, CharacterSet::Ascii);
        for topic in ["a", "b", "c", "d", "e"] {
            put(&mut tree, topic);
        }
        let frame = tree.frame(SIZE, &[], Extent::Screen);
        let expected = ["a  1 message", "b  1 message", "c  1 message", "+2 more"];
        assert_eq!(shown(&mut terminal, &frame), expected);
        let frame = tree.frame(SIZE, &[], Extent::Whole);
        let expected = ["b  1 message", "c  1 message", "d  1 message", "e  1 message"];
        assert_eq!(shown(&mut terminal, &frame), expected);
        let small = Size { rows: 1, columns: 1 };
        tree.frame(small, &[], Extent::Screen);
    }
}
