//! Lines on the terminal that are drawn over in place, below text that scrolls up and stays.

use bytes::{BufMut, Bytes, BytesMut};

use super::screen::Size;

/// Hides the cursor, and turns wrapping off, only while a frame is drawn: if the program is killed,
/// the terminal is as before.
pub(super) const BEGIN: &[u8] = b"\x1b[?25l\r";
pub(super) const NO_WRAP: &[u8] = b"\x1b[?7l";
pub(super) const END: &[u8] = b"\x1b[?7h\x1b[?25h";

/// Erases the rest of the line; everything below.
const ERASE_LINE: &[u8] = b"\x1b[K";
const ERASE_BELOW: &[u8] = b"\x1b[J";

/// A line with its escape sequences, and the columns it takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScreenLine {
    /// The line.
    pub text: String,
    /// How many columns it takes.
    pub columns: usize,
}

/// What the terminal shows.
#[derive(Debug)]
pub struct DrawnLines {
    /// The lines, from top to bottom; the cursor stands below.
    drawn: Vec<ScreenLine>,
    /// The size of the terminal when they were drawn.
    size: Size,
}

impl DrawnLines {
    /// None of our lines is drawn.
    pub fn new() -> Self {
        Self { drawn: Vec::new(), size: Size { rows: 0, columns: 0 } }
    }

    /// Whether none of our lines is drawn.
    pub fn is_empty(&self) -> bool {
        self.drawn.is_empty()
    }

    /// Whether lines were drawn for a terminal of another size.
    pub fn is_of_another(&self, size: Size) -> bool {
        !self.drawn.is_empty() && size != self.size
    }

    /// Makes the next frame write every line again, in its place.
    pub fn write_all(&mut self) {
        for line in &mut self.drawn {
            line.text.clear();
        }
    }

    /// Makes the next frame begin where the cursor stands now.
    pub fn forget(&mut self) {
        self.drawn.clear();
    }

    /// The bytes that make a terminal of this size show these lines; the lines `above` scroll up
    /// and stay.
    pub fn draw(&mut self, size: Size, above: &[String], lines: Vec<ScreenLine>) -> Bytes {
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
        for (at, line) in lines.iter().enumerate() {
            if self.drawn.get(at) != Some(line) {
                out.put_slice(line.text.as_bytes());
                out.put_slice(ERASE_LINE);
            }
            out.put_slice(b"\r\n");
        }
        out.put_slice(ERASE_BELOW);
        out.put_slice(END);
        (self.drawn, self.size) = (lines, size);
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
}
