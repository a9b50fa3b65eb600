//! The error about a value that is a small language: the value, with a caret below the place.

use std::fmt;

use super::{one_line, readable, write};
use crate::exit::Exit;

/// How much of a value is shown before the place, and how much after it, in characters.
const LONGEST: usize = 60;

/// What is wrong with the value of a flag, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct CaretError {
    /// The flag.
    pub flag: &'static str,
    /// What is wrong.
    pub sentence: String,
    /// The whole value.
    pub value: String,
    /// The place in `value`, in bytes.
    pub at: usize,
    /// The exit code: the value is wrong, or the file that it names.
    pub exit: Exit,
}

impl fmt::Display for CaretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flag, self.sentence)
    }
}

impl std::error::Error for CaretError {}

impl CaretError {
    /// Prints the line, the value, and the caret.
    pub(super) fn print(&self) {
        write(&self.text());
    }

    fn text(&self) -> String {
        format!("mqttws: {}\n{}", readable(&self.to_string()), self.pointed())
    }

    /// The value in one line, or what of it is near the place, and the caret in the next; both end
    /// with a line feed.
    fn pointed(&self) -> String {
        let (before, after) = self.value.split_at_checked(self.at).unwrap_or((&self.value, ""));
        let (before, after) = (end_of(one_line(before)), start_of(one_line(after)));
        let width = console::measure_text_width(&before);
        format!("  {before}{after}\n  {:width$}^\n", "")
    }
}

/// The end of a text, after an ellipsis if it is a long one.
fn end_of(text: String) -> String {
    let rest = text.char_indices().rev().nth(LONGEST - 1).filter(|(at, _)| *at > 0);
    rest.map(|(at, _)| format!("\u{2026}{}", &text[at..])).unwrap_or(text)
}

/// The beginning of a text, with an ellipsis after it if it is a long one.
fn start_of(text: String) -> String {
    let rest = text.char_indices().nth(LONGEST);
    rest.map(|(at, _)| format!("{}\u{2026}", &text[..at])).unwrap_or(text)
}

#[test]
fn the_caret_stands_below_the_place() {
    let error = |value: &str, at| {
        let (sentence, value) = ("wrong".to_owned(), value.to_owned());
        CaretError { flag: "--x", sentence, value, at, exit: Exit::Usage }
    };
    assert_eq!(error("a b", 2).to_string(), "--x: wrong");
    assert_eq!(error("a b", 2).pointed(), "  a b\n    ^\n");
    assert_eq!(error("\u{fc}\u{65e5}\n=", 6).pointed(), "  \u{fc}\u{65e5}\\n=\n       ^\n");
    assert_eq!(error("a", 1).pointed(), "  a\n   ^\n");
    let sixty = "x".repeat(60);
    let (whole, longer) = (format!("{sixty}{sixty}"), format!("y{sixty}{sixty}z"));
    assert_eq!(error(&whole, 60).pointed(), format!("  {whole}\n  {:60}^\n", ""));
    let shown = format!("  \u{2026}{sixty}{sixty}\u{2026}\n  {:61}^\n", "");
    assert_eq!(error(&longer, 61).pointed(), shown);
}

#[test]
fn the_line_has_no_number_of_a_system_error() {
    let sentence = "reading x: No such file or directory (os error 2)".to_owned();
    let value = "{line x}".to_owned();
    let error = CaretError { flag: "-m", sentence, value, at: 0, exit: Exit::Local };
    let expected = "mqttws: -m: reading x: No such file or directory\n  {line x}\n  ^\n";
    assert_eq!(error.text(), expected);
}
