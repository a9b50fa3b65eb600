//! The manual pages of section 1: the sections in `manual/*.roff`, and between them the options,
//! the verbs and the points of `check` as the program has them.
//!
//! A line `.\" for: NAMES` in a section says which pages have what stands after it, up to the next
//! such line. The pages of section 7 are written by hand, in `man/`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use super::help::ABOUT_HELP;
use super::{deviations_page, points_page};

/// When the manual was last gone through.
const DATE: &str = "2026-11-30";

/// What a page is made of.
enum PagePart {
    /// A section, or several.
    Section(&'static str),
    /// The verbs.
    Verbs,
    /// The options, grouped as in the help.
    Options,
    /// The points of `check`.
    Points,
    /// The deviations of `serve`.
    DeviationTable,
}

use PagePart::{DeviationTable, Options, Points, Section, Verbs};

/// The sections of a file of `manual/`.
macro_rules! section {
    ($name:literal) => {
        Section(include_str!(concat!("manual/", $name, ".roff")))
    };
}

/// The pages; the verbs have one each, but for those that `mqttws(1)` says enough about.
const PAGES: [(&str, &[PagePart]); 7] = [
    (
        "mqttws",
        &[
            section!("description-mqttws"),
            Verbs,
            section!("examples-mqttws"),
            Options,
            section!("delivery"),
            section!("renewal"),
            section!("profiles"),
            section!("secrets"),
        ],
    ),
    (
        "pub",
        &[
            section!("description-pub"),
            section!("examples-pub"),
            Options,
            section!("templates"),
            section!("requests"),
            section!("records"),
            section!("properties"),
            section!("delivery"),
            section!("summary"),
            section!("terminal-pub"),
            section!("renewal"),
            section!("profiles"),
            section!("mosquitto"),
        ],
    ),
    (
        "sub",
        &[
            section!("description-sub"),
            section!("examples-sub"),
            Options,
            section!("tests-sub"),
            section!("formats"),
            section!("records"),
            section!("exec"),
            section!("mirror-sub"),
            section!("properties"),
            section!("delivery"),
            section!("summary"),
            section!("terminal-sub"),
            section!("differences"),
            section!("renewal"),
            section!("profiles"),
            section!("mosquitto"),
        ],
    ),
    (
        "ping",
        &[
            section!("description-ping"),
            section!("examples-ping"),
            Options,
            section!("monitoring"),
            section!("properties"),
            section!("renewal"),
            section!("profiles"),
        ],
    ),
    (
        "check",
        &[
            section!("description-check"),
            section!("examples-check"),
            Options,
            section!("terminal-check"),
            section!("profiles"),
            Points,
        ],
    ),
    (
        "bench",
        &[
            section!("description-bench"),
            section!("examples-bench"),
            Options,
            section!("report-bench"),
            section!("profiles"),
        ],
    ),
    (
        "serve",
        &[
            section!("description-serve"),
            section!("examples-serve"),
            Options,
            section!("command-serve"),
            DeviationTable,
            section!("faults"),
            section!("broker"),
        ],
    ),
];

/// What every page ends with.
const COMMON: &[PagePart] =
    &[section!("files"), section!("environment"), section!("exit-status"), section!("see-also")];

/// Adds the pages, each with its path.
pub fn write(program: &Command, files: &mut BTreeMap<PathBuf, String>) {
    for (name, parts) in PAGES {
        let (command, title) = match program.find_subcommand(name) {
            Some(verb) => (verb, format!("mqttws-{name}")),
            None => (program, name.to_owned()),
        };
        // The version stays out of it, or every release would touch all of them.
        let heading = format!(".TH {} 1 {DATE} mqttws \"mqttws manual\"\n", title.to_uppercase());
        let parts = parts.iter().chain(COMMON).map(|part| rendered(part, name, command));
        let text = heading + &parts.collect::<String>();
        files.insert(PathBuf::from(format!("man/{title}.1")), text);
    }
}

fn rendered(part: &PagePart, page: &str, command: &Command) -> String {
    match part {
        Section(text) => for_page(text, page),
        Verbs => verbs(command),
        Options => options(command),
        Points => points_page::section(),
        DeviationTable => deviations_page::section(),
    }
}

/// What of a section stands in a page; nothing where only its heading would.
fn for_page(text: &str, page: &str) -> String {
    let (mut is_meant, mut taken) = (true, String::new());
    for line in text.lines() {
        match line.strip_prefix(".\\\" for: ") {
            Some(pages) => is_meant = pages.split(' ').any(|name| name == page || name == "all"),
            // The heading begins a paragraph already.
            None if line == ".PP" && ends_in_heading(&taken) => {}
            None if is_meant => taken.extend([line, "\n"]),
            None => {}
        }
    }
    if taken.lines().all(is_heading) { String::new() } else { taken }
}

fn is_heading(line: &str) -> bool {
    line.starts_with(".SH ") || line.starts_with(".SS ")
}

fn ends_in_heading(text: &str) -> bool {
    text.lines().last().is_some_and(is_heading)
}

fn verbs(program: &Command) -> String {
    let mut text = ".SH COMMANDS\n".to_owned();
    for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        let has_page = PAGES.iter().any(|(page, _)| *page == name);
        let term = if has_page {
            format!("\\fBmqttws\\-{name}\\fR(1)")
        } else {
            format!("\\fBmqttws {name}\\fR")
        };
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let about = if name == "help" { ABOUT_HELP.to_owned() } else { about };
        write!(text, ".TP\n{term}\n{}.\n", prose(about.trim_end_matches('.')))
            .expect("writing to a string");
    }
    text
}

/// The options of a verb: a group for each heading of its help, in the order of the help.
fn options(command: &Command) -> String {
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let mut headings: Vec<&str> = Vec::new();
    for heading in shown.iter().map(|arg| heading(arg)) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let mut text = ".SH OPTIONS\n".to_owned();
    for group in headings {
        writeln!(text, ".SS {}", prose(group)).expect("writing to a string");
        text.extend(shown.iter().filter(|arg| heading(arg) == group).map(|arg| option(arg)));
    }
    text
}

fn heading(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or("Arguments")
}

/// One option: its names and value, and what the help says about it.
fn option(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut paragraphs: Vec<String> = help.split("\n\n").map(sentence).collect();
    if let Some(first) = paragraphs.first_mut() {
        first.push_str(&values(arg));
    }
    let paragraphs: Vec<String> = paragraphs.iter().map(|text| prose(text)).collect();
    format!(".TP\n{}\n{}\n", names(arg), paragraphs.join("\n.IP\n"))
}

fn names(arg: &Arg) -> String {
    let short = arg.get_short_and_visible_aliases().unwrap_or_default();
    let long = arg.get_long_and_visible_aliases().unwrap_or_default();
    let short = short.iter().map(|letter| format!("\\fB\\-{letter}\\fR"));
    let long = long.iter().map(|name| format!("\\fB\\-\\-{}\\fR", escaped(name)));
    let flags: Vec<String> = short.chain(long).collect();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
        && arg.get_num_args().is_none_or(|count| count.max_values() > 0);
    let value = arg.get_value_names().unwrap_or_default().join(" ");
    let value = format!("\\fI{}\\fR", escaped(&value));
    let may_be_left_out = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    match (flags.is_empty(), takes_value) {
        (true, _) => value,
        (false, false) => flags.join(", "),
        (false, true) if may_be_left_out && arg.is_require_equals_set() => {
            format!("{}[\\fB=\\fR{value}]", flags.join(", "))
        }
        (false, true) if may_be_left_out => format!("{} [{value}]", flags.join(", ")),
        (false, true) => format!("{} {value}", flags.join(", ")),
    }
}

/// The values that an option takes, where there are few of them, and what it is without being
/// given.
fn values(arg: &Arg) -> String {
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let possible = arg.get_possible_values();
    let listed = possible.iter().filter(|value| !value.is_hide_set());
    let listed: Vec<String> = listed.map(|value| format!("`{}`", value.get_name())).collect();
    let mut text = String::new();
    if takes_value && !listed.is_empty() && !arg.is_hide_possible_values_set() {
        write!(text, " One of {}.", listed.join(", ")).expect("writing to a string");
    }
    if let Some(default) = arg.get_default_values().first().filter(|_| takes_value) {
        write!(text, " Default: {}.", default.to_string_lossy()).expect("writing to a string");
    }
    text
}

/// A paragraph of the help, which has no full stop at its end, as sentences.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let (text, default) =
        match text.strip_suffix(']').and_then(|text| text.rsplit_once(" [default: ")) {
            Some((text, default)) => (text, format!(" Default: {default}.")),
            None => (text, String::new()),
        };
    let stop = if text.ends_with(['.', ':']) { "" } else { "." };
    format!("{text}{stop}{default}")
}

/// Text of the help as roff takes it: what stands in backticks is bold.
pub(super) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(number, part)| match number % 2 {
        0 => escaped(part),
        _ => format!("\\fB{}\\fR", escaped(part)),
    });
    let text: String = parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Text as roff takes it within a line.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[test]
fn a_section_is_filtered_by_page() {
    let text =
        ".SH FILES\n.\\\" for: pub sub\nours\n.\\\" for: serve\ntheirs\n.\\\" for: all\nlast\n";
    assert_eq!(for_page(text, "pub"), ".SH FILES\nours\nlast\n");
    assert_eq!(for_page(text, "ping"), ".SH FILES\nlast\n");
    assert_eq!(for_page(".SH FILES\n.\\\" for: pub\nours\n", "serve"), "");
}

#[test]
fn help_becomes_sentences_in_bold_and_roman() {
    assert_eq!(sentence("Port [default: 80]"), "Port. Default: 80.");
    assert_eq!(sentence("A whole one."), "A whole one.");
    assert_eq!(prose("with `--json`:\n  a \\t"), "with \\fB\\-\\-json\\fR: a \\et");
    assert_eq!(prose(".x"), "\\&.x");
}
