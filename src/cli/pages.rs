//! `mqttws completions` and `mqttws man`: the files in `completions/` and `man/`, for
//! machines that have only the program.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

/// The shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

/// Print the completions for a shell, to be put where that shell looks for them.
///
/// bash: ~/.local/share/bash-completion/completions/mqttws. fish:
/// ~/.config/fish/completions/mqttws.fish. zsh: a file named _mqttws in a folder of $fpath.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct CompletionsFlags {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl CompletionsFlags {
    /// The script.
    pub fn text(&self) -> &'static str {
        match self.shell {
            Shell::Bash => include_str!("../../completions/mqttws.bash"),
            Shell::Zsh => include_str!("../../completions/_mqttws"),
            Shell::Fish => include_str!("../../completions/mqttws.fish"),
            Shell::Powershell => include_str!("../../completions/_mqttws.ps1"),
            Shell::Elvish => include_str!("../../completions/mqttws.elv"),
        }
    }
}

/// The pages of the manual by their file names.
const PAGES: [(&str, &str); 10] = [
    ("mqttws.1", include_str!("../../man/mqttws.1")),
    ("mqttws-pub.1", include_str!("../../man/mqttws-pub.1")),
    ("mqttws-sub.1", include_str!("../../man/mqttws-sub.1")),
    ("mqttws-ping.1", include_str!("../../man/mqttws-ping.1")),
    ("mqttws-check.1", include_str!("../../man/mqttws-check.1")),
    ("mqttws-bench.1", include_str!("../../man/mqttws-bench.1")),
    ("mqttws-serve.1", include_str!("../../man/mqttws-serve.1")),
    ("mqttws-examples.7", include_str!("../../man/mqttws-examples.7")),
    ("mqttws-brokers.7", include_str!("../../man/mqttws-brokers.7")),
    ("mqttws-cloud.7", include_str!("../../man/mqttws-cloud.7")),
];

/// Print a page of the manual, as the source that man(1) reads: mqttws man pub | man -l -
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct ManFlags {
    /// The page: a command, or one of the other pages
    #[arg(value_name = "PAGE", default_value = "mqttws", value_parser = page_names())]
    page: &'static str,
}

impl ManFlags {
    /// The page.
    pub fn text(&self) -> &'static str {
        self.page
    }
}

/// The name by which a page is asked for: `pub` is `mqttws-pub.1`.
fn name(file: &str) -> &str {
    let title = file.rsplit_once('.').map_or(file, |(title, _)| title);
    title.strip_prefix("mqttws-").unwrap_or(title)
}

/// The names of all pages; `mqttws-pub` is `pub`, too.
fn page_names() -> impl TypedValueParser<Value = &'static str> {
    let names = PAGES.iter().map(|(file, _)| {
        let (title, _) = file.rsplit_once('.').unwrap_or((file, ""));
        PossibleValue::new(name(file)).alias(title)
    });
    PossibleValuesParser::new(names).map(|page| {
        let title = page.strip_prefix("mqttws-").unwrap_or(&page);
        PAGES.iter().find(|(file, _)| name(file) == title).map_or("", |(_, text)| *text)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn all_pages_are_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
        let entries = std::fs::read_dir(folder).expect("reading the folder");
        let files: BTreeSet<String> = entries
            .map(|entry| entry.expect("reading the folder").file_name())
            .filter_map(|name| name.into_string().ok())
            .collect();
        let known: BTreeSet<String> = PAGES.iter().map(|(file, _)| (*file).to_owned()).collect();
        assert_eq!(files, known, "src/cli/pages.rs names all files in man/");
    }
}
