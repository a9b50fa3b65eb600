//! Room 3: the user's end. Where messages come from and how they are shown; it knows no socket and no
//! session.

pub mod account;
pub mod commands;
pub mod encoding;
pub mod file_blocks;
pub mod folder;
pub mod format;
pub mod input;
pub mod json;
pub mod lines;
mod margin;
pub mod moment;
mod mosquitto;
pub mod output;
pub mod progress;
pub mod reader;
pub mod record;
pub mod sanitise;
pub mod screen;
pub mod stage;
pub mod statistics;
pub mod template;
pub mod watch;
