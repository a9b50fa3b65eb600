//! A message as text and text as a message: layouts, records, templates and encodings.

pub mod annotated;
pub mod count;
pub mod decoder;
pub mod encoding;
pub mod escape;
pub mod json;
pub mod json_path;
pub mod layout;
mod mosquitto;
pub mod pattern;
pub mod record;
pub mod statistics;
pub mod summary;
pub mod template;
#[cfg(test)]
mod tests;
pub mod text_template;
pub mod time;
pub mod topic_counts;
pub mod topic_map;
