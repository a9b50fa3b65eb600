//! Counts by topic as text: a table, or a tree. Topics cannot drive the terminal.

use std::cmp::Reverse;

use bytes::{BufMut, BytesMut};

use super::bars::CharacterSet;
use super::screen::{self, Size};
use crate::format::count::count;
use crate::format::escape;
use crate::format::topic_counts::{CountRow, TopicCount, TopicTree};

/// The columns of a table before the topic, and their widths.
const COLUMNS: [(&str, usize); 6] =
    [("MESSAGES", 9), ("BYTES", 12), ("MSG/S", 10), ("BYTES/S", 12), ("RETAINED", 8), ("LAST", 8)];

/// What stands for topics that are not told apart.
const OTHERS: &str = "(other topics)";

/// A table: a heading, and a line for each topic. Where it is to fit a terminal only the topics
/// with most messages have one, and long topics are cut. `time_of` gives the time of a last
/// message.
pub fn table(
    rows: &[CountRow<'_>],
    size: Option<Size>,
    time_of: impl Fn(&TopicCount) -> String,
    out: &mut BytesMut,
) {
    let heading = COLUMNS.map(|(name, width)| format!("{name:>width$}")).join(" ");
    put_line(out, &format!("{heading} TOPIC"));
    let room = size.map_or(usize::MAX, |size| size.rows.saturating_sub(3).max(1));
    let shown = shown(rows, room);
    for row in &shown {
        put_line(out, &line(row, size, time_of(&row.count)));
    }
    if shown.len() < rows.len() {
        put_line(out, &format!("+{} more", rows.len() - shown.len()));
    }
}

/// The lines that are shown where there is only so much room: those of most messages, in order.
fn shown<'a>(rows: &'a [CountRow<'a>], room: usize) -> Vec<&'a CountRow<'a>> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    if rows.len() > room {
        places.sort_by_key(|place| Reverse(rows[*place].count.messages));
        places.truncate(room);
        places.sort_unstable();
    }
    places.into_iter().map(|place| &rows[place]).collect()
}

fn line(row: &CountRow<'_>, size: Option<Size>, time: String) -> String {
    let TopicCount { messages, bytes, retained, .. } = row.count;
    let cells = [
        messages.to_string(),
        bytes.to_string(),
        format!("{:.1}", row.rate),
        format!("{:.0}", row.byte_rate),
        retained.to_string(),
        time,
    ];
    let cells = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:>width$} "));
    let mut line = cells.collect::<String>();
    let left = size.map(|size| size.columns.saturating_sub(line.len() + 1));
    line.push_str(&row.topic.map_or_else(|| OTHERS.to_owned(), |topic| harmless(topic, left)));
    line
}

/// A tree: a line for each level of a topic, with the number of messages where a topic ends.
pub fn tree(
    tree: &TopicTree,
    others: TopicCount,
    characters: CharacterSet,
    columns: Option<usize>,
    out: &mut BytesMut,
) {
    let drawing = Drawing { marks: Marks::of(characters), columns };
    for (level, node) in &tree.below {
        drawing.node(level, node, ("", ""), out);
    }
    if others.messages > 0 {
        put_line(out, &format!("{OTHERS}  {}", count(others.messages, "message")));
    }
}

/// What lines of a tree are drawn with.
struct Marks {
    branch: &'static str,
    last: &'static str,
    trunk: &'static str,
}

impl Marks {
    fn of(characters: CharacterSet) -> Self {
        match characters {
            CharacterSet::Ascii => Self { branch: "|-- ", last: "`-- ", trunk: "|   " },
            CharacterSet::Unicode => {
                Self { branch: "├── ", last: "└── ", trunk: "│   " }
            }
        }
    }
}

struct Drawing {
    marks: Marks,
    columns: Option<usize>,
}

impl Drawing {
    /// A level and what is below it; `lead` stands before the level, and before what is below it.
    /// There are no more levels than topics are told apart by.
    fn node(&self, level: &str, tree: &TopicTree, lead: (&str, &str), out: &mut BytesMut) {
        let told = match tree.count.messages {
            0 => String::new(),
            messages => format!("  {}", count(messages, "message")),
        };
        let taken = lead.0.chars().count() + told.len() + 1;
        let left = self.columns.map(|columns| columns.saturating_sub(taken));
        put_line(out, &format!("{}{}{told}", lead.0, harmless(level, left)));
        let last = tree.below.len().saturating_sub(1);
        for (at, (level, below)) in tree.below.iter().enumerate() {
            let is_last = at == last;
            let mark = if is_last { self.marks.last } else { self.marks.branch };
            let trunk = if is_last { "    " } else { self.marks.trunk };
            let (own, next) = (format!("{}{mark}", lead.1), format!("{}{trunk}", lead.1));
            self.node(level, below, (&own, &next), out);
        }
    }
}

/// A text of a topic on one line, as much as fits into so many columns; an empty level is shown.
fn harmless(text: &str, columns: Option<usize>) -> String {
    let mut out = BytesMut::new();
    escape::escape_line(if text.is_empty() { "\"\"" } else { text }.as_bytes(), &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let Some(columns) = columns else { return text };
    match screen::fit(&text, columns.max(8)) {
        (kept, _, true) => format!("{kept}\u{2026}"),
        (_, _, false) => text,
    }
}

fn put_line(out: &mut BytesMut, line: &str) {
    out.put_slice(line.trim_end().as_bytes());
    out.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::format::topic_counts::{CountedMessage, MessageAge, TopicCounts};

    fn counts(topics: &[&str]) -> TopicCounts {
        let mut counts = TopicCounts::new(32);
        for topic in topics {
            let message = CountedMessage { bytes: 2, age: MessageAge::New, time: Duration::ZERO };
            counts.add(topic, message);
        }
        counts
    }

    fn table_of(topics: &[&str], size: Option<Size>) -> String {
        let (counts, mut out) = (counts(topics), BytesMut::new());
        table(&counts.rows(Duration::from_secs(1)), size, |_| "12:34:56".to_owned(), &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    fn tree_of(topics: &[&str], characters: CharacterSet, columns: Option<usize>) -> String {
        let (counts, mut out) = (counts(topics), BytesMut::new());
        tree(&counts.tree(), counts.others(), characters, columns, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn a_line_for_each_topic() {
        let heading = " MESSAGES        BYTES      MSG/S      BYTES/S RETAINED     LAST TOPIC\n";
        let line = |count: u64, topic: &str| {
            let (bytes, rate) = (2 * count, format!("{count}.0"));
            format!("{count:>9} {bytes:>12} {rate:>10} {bytes:>12}        0 12:34:56 {topic}\n")
        };
        assert_eq!(table_of(&[], None), heading);
        let topics = ["b\x1b[2J\n", "a", "a"];
        let expected = format!("{heading}{}{}", line(2, "a"), line(1, "b\\x1b[2J\\n"));
        assert_eq!(table_of(&topics, None), expected);
        let small = Some(Size { rows: 4, columns: 75 });
        let expected = format!("{heading}{}+2 more\n", line(2, "abcdefgh…"));
        assert_eq!(table_of(&["Z", "abcdefghijkl", "abcdefghijkl", "b"], small), expected);
        table_of(&["a"], Some(Size { rows: 0, columns: 0 }));
    }

    #[test]
    fn levels_are_branches() {
        let topics = ["a/b", "a/b", "a/c/d", "\x1b[2J", "/x"];
        let expected = "\"\"\n└── x  1 message\n\\x1b[2J  1 message\na\n├── b  2 messages\n\
                        └── c\n    └── d  1 message\n";
        assert_eq!(tree_of(&topics, CharacterSet::Unicode, None), expected);
        let expected = "a\n|-- b  1 message\n|   `-- c  1 message\n`-- d  1 message\n";
        assert_eq!(tree_of(&["a/b", "a/b/c", "a/d"], CharacterSet::Ascii, Some(80)), expected);
        let deep = vec!["x"; 32].join("/");
        assert_eq!(tree_of(&[&deep], CharacterSet::Unicode, None).lines().count(), 32);
    }
}
