//! Everything that needs a terminal: its size and colours, the progress bar, other bars, the line
//! of a load, the lines above a bar or a frame, and the `--watch` view.

pub mod bars;
pub mod continued;
mod drawn_lines;
pub mod live_tree;
pub mod load_line;
pub mod progress;
pub mod region;
pub mod screen;
pub mod status_line;
pub mod topic_table;
pub mod watch;
