//! The error about a value that is a small language: the value, with a caret below the place.

use std::fmt;

use super::{one_line, readable, write};

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

    /// The value in one line, and the caret in the next; both end with a line feed.
    fn pointed(&self) -> String {
        let before = self.value.get(..self.at).unwrap_or(&self.value);
        let width = console::measure_text_width(&one_line(before));
        format!("  {}\n  {:width$}^\n", one_line(&self.value), "")
    }
}

#[test]
fn the_caret_stands_below_the_place() {
    let error = |value: &str, at| {
        let (sentence, value) = ("wrong".to_owned(), value.to_owned());
        CaretError { flag: "--x", sentence, value, at }
    };
    assert_eq!(error("a b", 2).to_string(), "--x: wrong");
    assert_eq!(error("a b", 2).pointed(), "  a b\n    ^\n");
    assert_eq!(error("\u{fc}\u{65e5}\n=", 6).pointed(), "  \u{fc}\u{65e5}\\n=\n       ^\n");
    assert_eq!(error("a", 1).pointed(), "  a\n   ^\n");
}

#[test]
fn the_line_has_no_number_of_a_system_error() {
    let sentence = "reading x: No such file or directory (os error 2)".to_owned();
    let error = CaretError { flag: "-m", sentence, value: "{line x}".to_owned(), at: 0 };
    let expected = "mqttws: -m: reading x: No such file or directory\n  {line x}\n  ^\n";
    assert_eq!(error.text(), expected);
}
