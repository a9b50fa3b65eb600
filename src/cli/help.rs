//! Help that is written by hand: the commands, and for each of them the flags that are used most.
//! Nothing is done for it in a run that does not ask for it.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::source::print_config::Origins;
use crate::report::HelpText;

/// The commands, and what to try first.
const OVERVIEW: &str = include_str!("help/mqttws.txt");

/// The program and its version, as a line.
pub const VERSION: &str = concat!("mqttws ", env!("CARGO_PKG_VERSION"), "\n");

/// What `mqttws help` does; clap adds it with words of its own.
#[cfg(test)]
pub const ABOUT_HELP: &str = "Print all flags of a command";

/// The short form of the help of a command, if there is one: `mqttws help COMMAND` prints all.
pub fn short(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "pub" => include_str!("help/pub.txt"),
        "sub" => include_str!("help/sub.txt"),
        "ping" => include_str!("help/ping.txt"),
        "check" => include_str!("help/check.txt"),
        "bench" => include_str!("help/bench.txt"),
        "serve" => include_str!("help/serve.txt"),
        _ => return None,
    })
}

/// What to print where no command is given.
pub fn without_command(arguments: &[OsString]) -> Option<HelpText> {
    let [_, rest @ ..] = arguments else { return Some(HelpText::Missing(OVERVIEW)) };
    let word = match rest {
        [] => return Some(HelpText::Missing(OVERVIEW)),
        [word] => word.to_str()?,
        [word, about] if word == "help" && (about == "help" || about == "--help") => "help",
        _ => return None,
    };
    match word {
        "-h" | "--help" | "help" => Some(HelpText::Wanted(OVERVIEW)),
        "-V" | "--version" | "version" => Some(HelpText::Wanted(VERSION)),
        _ => None,
    }
}

/// `mqttws help COMMAND --help` is `mqttws help COMMAND`.
pub fn without_repetition(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.len() == 4 && arguments[1] == "help" && arguments[3] == "--help" {
        arguments.truncate(3);
    }
    arguments
}

/// What to print instead of what clap says about these arguments: the short form where help is
/// asked for, and where a command that needs a topic is given nothing at all.
pub fn instead(error: &clap::Error, arguments: &[OsString], origins: &Origins) -> Option<HelpText> {
    let verb = arguments.get(1)?.to_str()?;
    let adds_topic = || origins.added.iter().any(|(id, _)| id == "topic");
    let is_alone = arguments.len() == 2 + origins.added.len();
    match error.kind() {
        ErrorKind::DisplayHelp => short(verb).map(HelpText::Wanted),
        ErrorKind::MissingRequiredArgument if is_alone && !adds_topic() => {
            short(verb).map(HelpText::Missing)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// The short forms, each with its command.
    fn texts() -> [(&'static str, &'static str); 6] {
        ["pub", "sub", "ping", "check", "bench", "serve"]
            .map(|verb| (verb, short(verb).expect("it has a short form")))
    }

    #[test]
    fn the_short_form_fits_a_screen() {
        for (verb, text) in [&texts()[..], &[("mqttws", OVERVIEW)]].concat() {
            assert!(text.lines().count() <= 60, "{verb}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80 && line == line.trim_end(), "{verb}: {line}");
            }
        }
        for (verb, text) in texts() {
            assert!(text.ends_with(&format!("\nmqttws help {verb}: all\n")), "{verb}");
            let flags = text.lines().filter(|line| line.trim_start().starts_with('-'));
            assert!(flags.count() <= 20, "{verb}");
            assert!(text.contains("\nExample: ") && text.starts_with("Usage: mqttws "), "{verb}");
        }
    }

    #[test]
    fn the_short_form_names_flags_that_exist() {
        let mut cli = Cli::command();
        cli.build();
        for (verb, text) in texts() {
            let command = cli.find_subcommand(verb).expect("the verb");
            let flags = text.lines().filter(|line| line.trim_start().starts_with('-'));
            for line in flags {
                let names = line.trim_start().split("  ").next().unwrap_or_default();
                let mut names = names.split([' ', ',', '=', '[']).filter(|n| n.starts_with('-'));
                let is_shown = names.all(|name| {
                    command.get_arguments().filter(|arg| !arg.is_hide_set()).any(|arg| {
                        let long = arg.get_long().map(|long| format!("--{long}"));
                        let short = arg.get_short().map(|short| format!("-{short}"));
                        [long, short].into_iter().flatten().any(|known| known == name)
                    })
                });
                assert!(is_shown, "{verb}: {line}");
            }
        }
    }

    #[test]
    fn the_whole_help_has_80_columns_and_its_groups_in_order() {
        const ORDER: [&str; 23] = [
            "Messages",
            "Requests",
            "Points",
            "Probes",
            "Load",
            "Disturbances",
            "Judgement",
            "Broker",
            "Files",
            "Tests of clients",
            "Access",
            "Output",
            "Several processes or machines",
            "Commands",
            "Mirror",
            "Tests",
            "When to stop",
            "Delivery",
            "MQTT",
            "Where to connect",
            "TLS",
            "General",
            "Options",
        ];
        let mut cli = Cli::command();
        cli.build();
        for (verb, _) in texts() {
            let command = cli.find_subcommand_mut(verb).expect("the verb");
            for argument in command.get_arguments() {
                let mut texts =
                    [argument.get_help(), argument.get_long_help()].into_iter().flatten();
                let holds_end = texts.any(|text| text.to_string().contains("{n}"));
                assert!(!holds_end, "{verb}: clap makes a line break of {{n}}: {argument}");
            }
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{verb}: {line}");
            }
            let is_heading = |line: &&str| line.ends_with(':') && !line.starts_with(' ');
            let headings: Vec<&str> = help
                .lines()
                .filter(is_heading)
                .map(|line| line.trim_end_matches(':'))
                .filter(|heading| *heading != "Arguments")
                .collect();
            let places: Vec<_> =
                headings.iter().map(|one| ORDER.iter().position(|other| other == one)).collect();
            assert!(places.is_sorted() && !places.contains(&None), "{verb}: {headings:?}");
        }
    }

    #[test]
    fn the_overview_names_all_commands() {
        let cli = Cli::command();
        let mut commands: BTreeSet<&str> =
            cli.get_subcommands().map(clap::Command::get_name).collect();
        commands.insert("help");
        let is_row = |line: &&str| line.starts_with("  ") && !line.starts_with("  mqttws");
        let rows = OVERVIEW.lines().filter(is_row);
        let shown: BTreeSet<&str> = rows.filter_map(|row| row.split_whitespace().next()).collect();
        assert_eq!(shown, commands);
    }
}
