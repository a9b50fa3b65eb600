//! What needs a terminal: its size and colours, the progress bar, the status line and the `--watch`
//! view.

mod margin;
pub mod progress;
pub mod screen;
pub mod status_line;
pub mod watch;
