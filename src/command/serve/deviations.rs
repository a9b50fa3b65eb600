//! `--deviate`: the deviations, and their list.

use std::fmt::Write;

use serde_json::json;

use crate::broker::deviation::{self, KnownDeviation};

/// What `--deviate` asks for.
#[derive(Debug)]
pub enum DeviationChoice {
    /// The list of all.
    List,
    /// These, in their order; none is the usual.
    These(Vec<KnownDeviation>),
}

impl DeviationChoice {
    /// Those that are faults in time, in the language of `--fault`.
    pub fn faults(&self) -> impl Iterator<Item = &'static str> {
        let these = match self {
            Self::List => &[][..],
            Self::These(these) => these,
        };
        these.iter().map(|deviation| deviation.fault).filter(|fault| !fault.is_empty())
    }
}

/// All deviations.
pub fn all_deviations() -> impl Iterator<Item = KnownDeviation> {
    deviation::all()
}

/// The deviation of this name.
pub fn find_deviation(name: &str) -> Option<KnownDeviation> {
    deviation::find(name)
}

/// The list for people: a paragraph for each.
pub fn text() -> String {
    let mut text = String::new();
    for KnownDeviation { name, sentence, servers, .. } in all_deviations() {
        let of = if servers.is_empty() { String::new() } else { format!(" ({servers})") };
        writeln!(text, "{name}\n    {sentence}{of}").expect("writing to a string");
    }
    text.trim_end().to_owned()
}

/// The list for programs: an object for each, in a line.
pub fn json() -> String {
    let line = |deviation: KnownDeviation| {
        let KnownDeviation { name, sentence, servers, fails, warns, .. } = deviation;
        let of = if servers.is_empty() { json!(null) } else { json!(servers) };
        let (name, sentence, fails, warns) =
            (json!(name), json!(sentence), json!(fails), json!(warns));
        let members = [
            ("name", name),
            ("deviation", sentence),
            ("servers", of),
            ("fail", fails),
            ("warn", warns),
        ];
        let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", members.join(","))
    };
    all_deviations().map(line).collect::<Vec<_>>().join("\n")
}
