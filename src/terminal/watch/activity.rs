//! How lively a topic of `--watch` is: how long ago its last message came, how many came, how many
//! come in a second, and the course of its numbers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::terminal::bars::CharacterSet;

/// The rate forgets a message over about so many seconds.
const MEMORY: f64 = 10.0;

/// A rate is shown once a topic is known for so long.
const SHORTEST: Duration = Duration::from_secs(1);

/// How many numbers the course has.
const NUMBERS: usize = 16;

/// The heights of the course, from the lowest to the highest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', ',', '.', '-', '=', '+', '*', '#'];

/// What stands where something was cut.
pub fn cut_mark(characters: CharacterSet) -> &'static str {
    match characters {
        CharacterSet::Ascii => "~",
        CharacterSet::Unicode => "\u{2026}",
    }
}

/// A part of a line that says how lively its topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// The time since the last message.
    Age,
    /// The number of messages.
    Count,
    /// Messages a second.
    Rate,
    /// The course of the numbers.
    Course,
}

impl Cell {
    /// Those that a terminal of so many columns has room for, from left to right.
    pub fn fitting(columns: usize) -> &'static [Self] {
        match columns {
            120.. => &[Self::Age, Self::Count, Self::Rate, Self::Course],
            80.. => &[Self::Age, Self::Count, Self::Rate],
            64.. => &[Self::Age, Self::Count],
            _ => &[],
        }
    }

    /// Its columns.
    pub fn width(self) -> usize {
        match self {
            Self::Age => 4,
            Self::Count => 6,
            Self::Rate => 8,
            Self::Course => NUMBERS,
        }
    }
}

/// What is known of the messages of a topic.
#[derive(Debug)]
pub struct Activity {
    count: u64,
    first: Instant,
    last: Instant,
    /// The messages after the first, each as far as it is not forgotten.
    weight: f64,
    /// The newest payloads, if all of them are numbers.
    numbers: VecDeque<f64>,
}

impl Activity {
    /// No message has come yet.
    pub fn new(now: Instant) -> Self {
        Self { count: 0, first: now, last: now, weight: 0.0, numbers: VecDeque::new() }
    }

    /// A message has come.
    pub fn put(&mut self, payload: &[u8], now: Instant) {
        if self.count > 0 {
            self.weight = self.remembered(now) + 1.0;
        }
        self.count += 1;
        self.last = now;
        let Some(number) = number(payload) else {
            self.numbers.clear();
            return;
        };
        if self.numbers.len() == NUMBERS {
            self.numbers.pop_front();
        }
        self.numbers.push_back(number);
    }

    /// The text of a cell.
    pub fn cell(&self, cell: Cell, now: Instant, characters: CharacterSet) -> String {
        match cell {
            Cell::Age => age(now.saturating_duration_since(self.last)),
            Cell::Count => shortened(self.count),
            Cell::Rate => self.rate(now).map(per_time).unwrap_or_default(),
            Cell::Course => self.course(characters),
        }
    }

    fn remembered(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.last).as_secs_f64();
        self.weight * (-since / MEMORY).exp()
    }

    /// Messages a second.
    fn rate(&self, now: Instant) -> Option<f64> {
        let known = now.saturating_duration_since(self.first);
        let share = 1.0 - (-known.as_secs_f64() / MEMORY).exp();
        (self.count > 1 && known >= SHORTEST).then(|| self.remembered(now) / (MEMORY * share))
    }

    /// The numbers as heights, between the lowest and the highest of them.
    fn course(&self, characters: CharacterSet) -> String {
        if self.numbers.len() < 2 {
            return String::new();
        }
        let heights = match characters {
            CharacterSet::Ascii => ASCII,
            CharacterSet::Unicode => BLOCKS,
        };
        let lowest = self.numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let height = |number: &f64| {
            // Halves first: the distance of the largest numbers is no number any more.
            let share = (number / 2.0 - lowest / 2.0) / (highest / 2.0 - lowest / 2.0);
            let steps = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
            let at = steps.iter().filter(|step| share >= **step).count();
            // All of them are the same.
            if share.is_nan() { heights[3] } else { heights[at] }
        };
        self.numbers.iter().map(height).collect()
    }
}

/// A payload that is a number, and nothing else.
fn number(payload: &[u8]) -> Option<f64> {
    const LONGEST: usize = 40;
    let text = std::str::from_utf8(payload).ok().filter(|text| text.len() <= LONGEST)?;
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", (seconds / 86_400).min(999)),
    }
}

fn shortened(count: u64) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        1_000_000..1_000_000_000 => format!("{}.{}M", count / 1_000_000, count / 100_000 % 10),
        _ => format!("{}.{}G", count / 1_000_000_000, count / 100_000_000 % 10),
    }
}

fn per_time(rate: f64) -> String {
    match rate {
        1e6.. => format!("{:.1}M/s", rate / 1e6),
        1e4.. => format!("{:.0}k/s", rate / 1e3),
        9.95.. => format!("{rate:.0}/s"),
        0.095.. => format!("{rate:.1}/s"),
        0.001.. => format!("{:.1}/min", rate * 60.0),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells after these payloads, which came a second after each other, and one second more.
    fn cells(payloads: &[&str], characters: CharacterSet) -> [String; 4] {
        let start = Instant::now();
        let mut activity = Activity::new(start);
        let mut now = start;
        for payload in payloads {
            activity.put(payload.as_bytes(), now);
            now += Duration::from_secs(1);
        }
        [Cell::Age, Cell::Count, Cell::Rate, Cell::Course]
            .map(|cell| activity.cell(cell, now, characters))
    }

    #[test]
    fn messages_are_counted_and_their_rate_is_known() {
        let unicode = CharacterSet::Unicode;
        assert_eq!(cells(&["x"], unicode), ["1s", "1", "", ""]);
        assert_eq!(cells(&["x", "y", "z"], unicode)[..3], ["1s", "3", "0.7/s"]);
        let many = vec!["x"; 100];
        assert_eq!(cells(&many, unicode), ["1s", "100", "1.0/s", ""]);
    }

    #[test]
    fn numbers_have_a_course() {
        let course = |payloads: &[&str], characters| cells(payloads, characters)[3].clone();
        let unicode = CharacterSet::Unicode;
        assert_eq!(course(&["0", "1", "2", "3.5", "7"], unicode), "▁▂▃▅█");
        assert_eq!(course(&["0", "1", "2", "3.5", "7"], CharacterSet::Ascii), "_,.=#");
        assert_eq!(course(&["5", "5\n", " 5.0 "], unicode), "▄▄▄");
        assert_eq!(course(&["1", "on", "2", "3"], unicode), "▁█");
        assert_eq!(course(&["-1e308", "0", "1e308"], unicode), "▁▅█");
        assert_eq!(course(&["NaN", "inf", "1"], unicode), "");
        let many: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(course(&many, unicode).chars().count(), NUMBERS);
    }

    #[test]
    fn texts_fit_their_cells() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86_400, "1d"), (u32::MAX, "999d")]
        {
            let text = age(Duration::from_secs(seconds.into()));
            assert_eq!(text, expected);
            assert!(text.len() <= Cell::Age.width());
        }
        for (count, expected) in [
            (999_999, "999999"),
            (1_050_000, "1.0M"),
            (999_999_999, "999.9M"),
            (999_999_999_999, "999.9G"),
        ] {
            assert_eq!(shortened(count), expected);
        }
        for (rate, expected) in [
            (0.0, ""),
            (0.01, "0.6/min"),
            (0.5, "0.5/s"),
            (9.99, "10/s"),
            (123.4, "123/s"),
            (25_000.0, "25k/s"),
            (1.5e6, "1.5M/s"),
        ] {
            let text = per_time(rate);
            assert_eq!(text, expected);
            assert!(text.len() <= Cell::Rate.width());
        }
    }
}
