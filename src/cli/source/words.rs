//! The words of a command line that are values: a value may look like a flag (`-m -D`, `-t -o`) and
//! is not taken for one.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The flags of `pub` and `sub`, and the long ones of `ping`, without a value in the next word. All
/// others have one.
const WITHOUT_VALUE: [&str; 69] = [
    "--abort",
    "--allow-control-characters",
    "--allow-loops",
    "--ask-password",
    "--base64",
    "--changed",
    "--debug",
    "--disable-clean-session",
    "--disconnect-with-will",
    "--exit-after-subscribe",
    "--expect-none",
    "--flood",
    "--follow",
    "--frame-per-packet",
    "--help",
    "--hex",
    "--hexdump",
    "--insecure",
    "--ipv4",
    "--ipv6",
    "--json",
    "--keep-going",
    "--latency",
    "--message-rate",
    "--no-local",
    "--no-reconnect",
    "--nodelay",
    "--null",
    "--null-message",
    "--pretty",
    "--print-config",
    "--quiet",
    "--remove-retained",
    "--replay",
    "--reply",
    "--request",
    "--retain",
    "--retain-as-published",
    "--retained-only",
    "--show-others",
    "--stdin-file",
    "--stdin-line",
    "--strict",
    "--strict-input",
    "--summary",
    "--system-roots",
    "--template",
    "--tls-use-os-certs",
    "--time",
    "--topic-alias",
    "--tree",
    "--verbose",
    "--watch",
    "--will-retain",
    "--ws",
    "-0",
    "-4",
    "-6",
    "-E",
    "-N",
    "-R",
    "-c",
    "-d",
    "-l",
    "-n",
    "-r",
    "-s",
    "-v",
    "-w",
];

/// For each word, whether it is the value of the flag before it. The words of `-D` are those before
/// or after they were joined.
pub fn values(words: &[OsString]) -> Vec<bool> {
    let mut values = vec![false; words.len()];
    let mut at = first(words);
    while at < words.len() && words[at] != "--" {
        if takes_next(&words[at]) && at + 1 < words.len() {
            values[at + 1] = true;
            at += 1;
        }
        at += 1;
    }
    values
}

/// Where the flags begin: after the program, and after the verb.
fn first(words: &[OsString]) -> usize {
    let name = words.first().and_then(|name| Path::new(name).file_name());
    let is_client = name.is_some_and(|name| name.to_string_lossy().starts_with("mosquitto_"));
    if is_client { 1 } else { 2 }
}

/// Whether the next word is the value of the flags in this one.
pub fn takes_next(word: &OsStr) -> bool {
    let Some(word) = word.to_str() else { return false };
    match word.strip_prefix('-') {
        None | Some("" | "-") => false,
        Some(long) if long.starts_with('-') => {
            !word.contains('=') && !WITHOUT_VALUE.contains(&word)
        }
        Some(shorts) => {
            // The rest of the word is the value of the first flag that has one.
            let mut shorts = shorts.chars();
            let has_value = |short: char| !WITHOUT_VALUE.contains(&format!("-{short}").as_str());
            shorts.find(|short| has_value(*short)).is_some() && shorts.as_str().is_empty()
        }
    }
}

/// Whether this word of a command line, which is no value, holds this flag.
pub fn holds(word: &OsStr, short: char, long: &str) -> bool {
    let Some(word) = word.to_str() else { return false };
    let Some(shorts) = word.strip_prefix('-') else { return false };
    if let Some(name) = shorts.strip_prefix('-') {
        return name.split('=').next() == Some(long);
    }
    let has_value = |other: char| !WITHOUT_VALUE.contains(&format!("-{other}").as_str());
    let flags = shorts.char_indices().find(|(_, one)| *one == short || has_value(*one));
    flags.is_some_and(|(_, one)| one == short)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// The names of an argument as they are typed.
    fn names(arg: &clap::Arg) -> Vec<String> {
        let shorts = arg.get_short_and_visible_aliases().unwrap_or_default();
        let longs = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
        let longs = longs.map(|long| format!("--{long}"));
        shorts.into_iter().map(|short| format!("-{short}")).chain(longs).collect()
    }

    #[test]
    fn all_flags_without_a_value_are_known() {
        let mut command = Cli::command();
        command.build();
        let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
        for verb in ["pub", "sub"] {
            let verb = command.find_subcommand(verb).expect("the verb");
            for arg in verb.get_arguments().filter(|arg| !arg.is_positional()) {
                let is_optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
                let has_value = arg.get_action().takes_values() && !is_optional;
                if has_value { &mut with } else { &mut without }.extend(names(arg));
                assert_eq!(arg.is_allow_hyphen_values_set(), has_value, "{arg}");
            }
        }
        assert_eq!(with.intersection(&without).count(), 0);
        let ping = command.find_subcommand("ping").expect("the verb").get_arguments();
        let switches = ping.filter(|arg| !arg.get_action().takes_values());
        without.extend(switches.filter_map(|arg| Some(format!("--{}", arg.get_long()?))));
        let known: BTreeSet<String> = WITHOUT_VALUE.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known, without);
    }

    #[test]
    fn a_flag_is_found_in_its_forms() {
        for (word, expected) in [
            ("-t", true),
            ("-tx", true),
            ("-rt", true),
            ("-mt", false),
            ("--topic", true),
            ("--topic=a", true),
            ("--topic-alias", false),
            ("t", false),
            ("-", false),
        ] {
            assert_eq!(holds(OsStr::new(word), 't', "topic"), expected, "{word}");
        }
    }

    #[test]
    fn values_are_told_from_flags() {
        for (line, expected) in [
            ("mqttws pub -t -o -m -D", "-o -D"),
            ("mqttws pub -rt -o -m-D -o x", "-o x"),
            ("mosquitto_pub -t -D -L -L --topic=-o -r -o f", "-D -L f"),
            ("mqttws sub -v -t a -- -t b", "a"),
            ("mqttws sub -t", ""),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let values = values(&words).into_iter().zip(&words).filter(|(is, _)| *is);
            let found: Vec<&str> = values.filter_map(|(_, word)| word.to_str()).collect();
            assert_eq!(found.join(" "), expected, "{line}");
        }
    }
}
