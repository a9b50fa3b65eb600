//! The terminal itself: whether there is one, how large it is, and whether it wants colour.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use console::Term;
use unicode_width::UnicodeWidthChar;

use crate::format::layout::TopicColour;

/// A size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Characters of a line.
    pub columns: usize,
}

/// Whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr is a terminal.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether stdin is a terminal.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether the terminal can overwrite what it shows: not if `$TERM` is `dumb`.
pub fn can_redraw() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether a bar may be drawn on stderr.
pub fn has_room_for_bar() -> bool {
    stderr_is_terminal() && can_redraw()
}

/// Whether stderr takes more without making us wait: a terminal that was stopped (Ctrl-S) does not.
pub fn stderr_is_ready() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stderr = io::stderr();
    let mut asked = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Whether stdout is a file or a device: what goes into a pipe may still end on the terminal.
pub fn stdout_is_file() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    let file = io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type());
    !stdout_is_terminal() && kind.is_ok_and(|kind| !kind.is_fifo() && !kind.is_socket())
}

/// The colour of topics on stdout: none if it is not a terminal, or if `$NO_COLOR` is set
/// (<https://no-color.org>).
pub fn stdout_colour() -> TopicColour {
    if stdout_has_colour() { TopicColour::Cyan } else { TopicColour::Plain }
}

/// Whether stdout is a terminal that may be written on in colour.
pub fn stdout_has_colour() -> bool {
    let no_color = std::env::var_os("NO_COLOR");
    stdout_is_terminal() && can_redraw() && allows_colour(no_color.as_deref())
}

fn allows_colour(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

/// The size of the terminal that stdout is; one that does not know is taken for 80 by 24.
pub fn size() -> Size {
    let known = Term::stdout().size_checked().filter(|(rows, columns)| *rows > 0 && *columns > 0);
    let (rows, columns) = known.unwrap_or((24, 80));
    Size { rows: rows.into(), columns: columns.into() }
}

/// Puts what follows at the beginning of a line: over the `^C` that the terminal shows, or below
/// what stands before it there.
pub fn begin_line(below: bool) {
    if stderr_is_terminal() {
        // If stderr is closed, the error cannot be reported.
        let _ = io::stderr().lock().write_all(if below { b"\n" } else { b"\r" });
    }
}

/// The beginning of a text without control characters that fits into so many columns, its width,
/// and whether anything was cut off; then a column is left for `…`.
pub fn fit(text: &str, columns: usize) -> (&str, usize, bool) {
    let mut taken = 0;
    // Where the text is cut if it turns out to be too long: one column is for the ellipsis.
    let mut cut = (0, 0);
    for (at, character) in text.char_indices() {
        let width = character.width().unwrap_or(0);
        if taken + width > columns {
            return (&text[..cut.0], cut.1, true);
        }
        taken += width;
        if taken < columns {
            cut = (at + character.len_utf8(), taken);
        }
    }
    (text, taken, false)
}

/// The same for the end of a text, with a column left for `…` before it; a combining character
/// stays with its base.
pub fn fit_end(text: &str, columns: usize) -> (&str, usize, bool) {
    let mut taken = 0;
    let mut cut = (text.len(), 0);
    for (at, character) in text.char_indices().rev() {
        let width = character.width().unwrap_or(0);
        if taken + width > columns {
            return (&text[cut.0..], cut.1, true);
        }
        taken += width;
        if taken < columns && width > 0 {
            cut = (at, taken);
        }
    }
    (text, taken, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_refused_by_a_variable_that_is_not_empty() {
        for (no_color, allowed) in [(None, true), (Some(""), true), (Some("1"), false)] {
            assert_eq!(allows_colour(no_color.map(OsStr::new)), allowed, "{no_color:?}");
        }
    }

    #[test]
    fn wide_and_combining_characters_take_their_columns() {
        for (text, columns, expected) in [
            ("abc", 3, ("abc", 3, false)),
            ("abcd", 3, ("ab", 2, true)),
            ("日本語", 6, ("日本語", 6, false)),
            ("日本語", 5, ("日本", 4, true)),
            ("日本語", 4, ("日", 2, true)),
            ("日本", 1, ("", 0, true)),
            ("e\u{301}e\u{301}", 2, ("e\u{301}e\u{301}", 2, false)),
            ("e\u{301}e\u{301}e", 2, ("e\u{301}", 1, true)),
            ("", 0, ("", 0, false)),
            ("a", 0, ("", 0, true)),
        ] {
            assert_eq!(fit(text, columns), expected, "{text} in {columns}");
        }
    }

    #[test]
    fn the_end_of_a_text() {
        for (text, columns, expected) in [
            ("abc", 3, ("abc", 3, false)),
            ("abcd", 3, ("cd", 2, true)),
            ("日本語", 5, ("本語", 4, true)),
            ("日本語", 4, ("語", 2, true)),
            ("日本", 1, ("", 0, true)),
            ("ae\u{301}e\u{301}", 2, ("e\u{301}", 1, true)),
            ("e\u{301}e\u{301}", 2, ("e\u{301}e\u{301}", 2, false)),
            ("", 0, ("", 0, false)),
        ] {
            assert_eq!(fit_end(text, columns), expected, "{text} in {columns}");
        }
    }
}
