//! Bars made of characters: the steps of connecting one below the other, each beginning where the
//! one before ended, and a histogram of times.

use std::time::Duration;

use crate::format::statistics::{TimeRange, milliseconds};

/// The columns before a bar are indented by so many.
const INDENT: usize = 2;

/// Between two columns of text.
const GAP: usize = 2;

/// A terminal with less room for bars shows none.
const SHORTEST_ROOM: usize = 8;

/// A wider terminal gets no longer bars than of this many columns.
const LONGEST_ROOM: usize = 100;

/// The characters that the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterSet {
    /// ASCII alone.
    Ascii,
    /// All of Unicode, in UTF-8.
    Unicode,
}

impl CharacterSet {
    /// Unicode if the locale says so (`LC_ALL`, `LC_CTYPE`, `LANG`: the first that is set and not
    /// empty counts) and the terminal is not dumb.
    pub fn of_terminal() -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        if super::screen::can_redraw() {
            Self::of_locale(&locale.unwrap_or_default())
        } else {
            Self::Ascii
        }
    }

    fn of_locale(locale: &str) -> Self {
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }

    /// A bar of so many columns.
    fn bar(self, columns: usize) -> String {
        match self {
            Self::Ascii => "=".repeat(columns),
            Self::Unicode => "\u{2588}".repeat(columns),
        }
    }
}

/// A row for each step, whose bar begins where the one before ended, and one for all.
pub fn waterfall(
    steps: &[(&'static str, Duration)],
    columns: usize,
    characters: CharacterSet,
) -> Vec<String> {
    let total = steps.iter().map(|(_, time)| *time).sum::<Duration>();
    let names = steps.iter().map(|(name, _)| *name).chain(["total"]);
    let times: Vec<String> =
        steps.iter().map(|(_, time)| *time).chain([total]).map(shown).collect();
    let (name_width, time_width) =
        (widest(names.clone()), widest(times.iter().map(String::as_str)));
    let room = room(columns, name_width + GAP + time_width);
    let bars = staggered(steps, total, room, characters).into_iter().chain([String::new()]);
    let rows = names.zip(&times).zip(bars);
    let rows = rows.map(|((name, time), bar)| {
        let row = format!(
            "{:INDENT$}{name:name_width$}{:GAP$}{time:>time_width$}{:GAP$}{bar}",
            "", "", ""
        );
        row.trim_end().to_owned()
    });
    rows.collect()
}

/// A bar for each step, which begins where the one before ended: no step that took time has none.
fn staggered(
    steps: &[(&'static str, Duration)],
    total: Duration,
    room: usize,
    characters: CharacterSet,
) -> Vec<String> {
    let mut before = Duration::ZERO;
    let bars = steps.iter().map(|(_, time)| {
        let begin = scaled(before, total, room);
        before += *time;
        let length = scaled(before, total, room).saturating_sub(begin);
        let length = if time.is_zero() { 0 } else { length.max(room.min(1)) };
        " ".repeat(begin.min(room.saturating_sub(length))) + &characters.bar(length)
    });
    bars.collect()
}

/// A row for each range of times: how long they are at most, how many there are, and a bar.
pub fn histogram(ranges: &[TimeRange], columns: usize, characters: CharacterSet) -> Vec<String> {
    let ends: Vec<String> = ranges.iter().map(|range| shown(range.end)).collect();
    let counts: Vec<String> = ranges.iter().map(|range| range.count.to_string()).collect();
    let (end_width, count_width) =
        (widest(ends.iter().map(String::as_str)), widest(counts.iter().map(String::as_str)));
    let room = room(columns, "<= ".len() + end_width + GAP + count_width);
    let most = ranges.iter().map(|range| range.count).max().unwrap_or(0);
    let rows = ranges.iter().zip(ends.iter().zip(&counts)).map(|(range, (end, count))| {
        let length = share(range.count, most, room);
        let bar = characters.bar(if range.count > 0 { length.max(room.min(1)) } else { 0 });
        let row = format!(
            "{:INDENT$}<= {end:>end_width$}{:GAP$}{count:>count_width$}{:GAP$}{bar}",
            "", "", ""
        );
        row.trim_end().to_owned()
    });
    rows.collect()
}

fn shown(time: Duration) -> String {
    format!("{:.3} ms", milliseconds(time))
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).max().unwrap_or(0)
}

/// The columns for bars beside so many of text; the last column of the terminal stays free.
fn room(columns: usize, text: usize) -> usize {
    let room = columns.saturating_sub(INDENT + text + GAP + 1);
    if room < SHORTEST_ROOM { 0 } else { room.min(LONGEST_ROOM) }
}

/// Where `time` of `total` is in so many columns.
fn scaled(time: Duration, total: Duration, columns: usize) -> usize {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    share(nanoseconds(time), nanoseconds(total), columns)
}

/// So much of `columns` as `part` is of `whole`, rounded.
fn share(part: u64, whole: u64, columns: usize) -> usize {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let columns = u128::try_from(columns).unwrap_or(0);
    let share = (part * columns + whole / 2).checked_div(whole).unwrap_or(0);
    usize::try_from(share).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(times: [u64; 4]) -> Vec<(&'static str, Duration)> {
        let names = ["name", "tcp", "upgrade", "connack"];
        names.into_iter().zip(times.map(Duration::from_micros)).collect()
    }

    #[test]
    fn each_step_begins_where_the_one_before_ended() {
        let rows = waterfall(&steps([0, 100, 300, 400]), 41, CharacterSet::Ascii);
        let expected = [
            "  name     0.000 ms",
            "  tcp      0.100 ms  ==",
            "  upgrade  0.300 ms    ========",
            "  connack  0.400 ms            =========",
            "  total    0.800 ms",
        ];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let ranges = [0, 1, 99, u64::MAX].map(|count| TimeRange { end: Duration::MAX, count });
        for columns in [0, 1, 20, 39, 40, 80, 160, 10_000] {
            for times in [[0; 4], [1, 0, 0, 0], [9_000_000, 1, 1, 1], [0, 0, 0, 1]] {
                let rows = waterfall(&steps(times), columns, CharacterSet::Unicode);
                let widest = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
                assert!(widest < columns.max(23), "{columns}: {rows:#?}");
            }
            let rows = histogram(&ranges, columns, CharacterSet::Ascii);
            assert!(rows.iter().all(|row| row.len() < columns.max(60)), "{columns}: {rows:#?}");
        }
    }

    #[test]
    fn a_histogram_shows_the_least_count() {
        let range = |end, count| TimeRange { end: Duration::from_micros(end), count };
        let ranges = [range(9, 1), range(120, 1000), range(1500, 0)];
        let expected = [
            "  <= 0.009 ms     1  =",
            "  <= 0.120 ms  1000  ===============",
            "  <= 1.500 ms     0",
        ];
        assert_eq!(histogram(&ranges, 37, CharacterSet::Ascii), expected);
        assert_eq!(histogram(&[], 37, CharacterSet::Ascii), [""; 0]);
    }

    #[test]
    fn the_locale_names_its_characters() {
        for (locale, expected) in [
            ("C", CharacterSet::Ascii),
            ("", CharacterSet::Ascii),
            ("de_DE.ISO-8859-1", CharacterSet::Ascii),
            ("C.UTF-8", CharacterSet::Unicode),
            ("en_US.utf8", CharacterSet::Unicode),
        ] {
            assert_eq!(CharacterSet::of_locale(locale), expected, "{locale}");
        }
    }
}
