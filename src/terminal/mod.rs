//! Room 3: the user's end. Where messages come from and how they are shown; it knows no socket and no
//! session.

pub mod format;
pub mod input;
pub mod output;
pub mod progress;
pub mod sanitise;
pub mod statistics;
