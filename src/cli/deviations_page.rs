//! The section of mqttws-serve(1) about deviations, from their table.

use std::fmt::Write;

use crate::command::serve::all_deviations;

/// The section.
pub fn section() -> String {
    let mut text = ".SH DEVIATIONS\nWith \\fB\\-\\-deviate\\fR the broker does what these servers do. \
                    The points of \\fBmqttws\\-check\\fR(1) that\nfail, or warn, are named after it.\n"
        .to_owned();
    for deviation in all_deviations() {
        let mut about = format!("{}.", capital(deviation.sentence));
        if !deviation.servers.is_empty() {
            write!(about, " Servers: {}.", deviation.servers).expect("writing to a string");
        }
        for (verb, points) in [("Fails", deviation.fails), ("Warns", deviation.warns)] {
            if !points.is_empty() {
                write!(about, " {verb}: {}.", points.join(", ")).expect("writing to a string");
            }
        }
        let (name, about) = (super::manual::escaped(deviation.name), super::manual::prose(&about));
        write!(text, ".TP\n\\fB{name}\\fR\n{about}\n").expect("writing to a string");
    }
    text
}

/// The sentence with a capital letter, unless it begins with a name.
fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
