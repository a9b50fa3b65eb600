//! `completions/` and `man/` are written here and committed: the test rewrites what differs and
//! then fails, so that they cannot drift from the flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::{Cli, manual};

/// This page is written by hand; `tests/cli/cloud.rs` runs its recipes.
const CLOUD: &str = include_str!("../../man/mqttws-cloud.7");

#[test]
fn completions_and_manual_are_up_to_date() {
    let mut expected = BTreeMap::new();
    completions(&mut expected);
    let mut cli = Cli::command();
    cli.build();
    manual::write(&cli, &mut expected);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut changed = Vec::new();
    for (path, content) in &expected {
        let path = root.join(path);
        let present = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if present != *content {
            fs::create_dir_all(path.parent().expect("a file stands in a folder"))
                .expect("creating the folder");
            fs::write(&path, content).expect("writing the file");
            changed.push(path);
        }
    }
    for folder in ["completions", "man"] {
        for entry in fs::read_dir(root.join(folder)).expect("reading the folder") {
            let name = PathBuf::from(folder).join(entry.expect("reading the folder").file_name());
            assert!(
                expected.contains_key(&name) || name.extension().is_some_and(|end| end == "7"),
                "nothing generates {}: remove it",
                name.display()
            );
        }
    }
    assert!(
        changed.is_empty(),
        "these were out of date and are rewritten; commit them: {changed:?}"
    );
}

fn completions(files: &mut BTreeMap<PathBuf, String>) {
    for (name, text) in super::completions::files() {
        files.insert(Path::new("completions").join(name), text);
    }
}

/// Every flag that the page names, long or short, is one of `pub`, which has all that the recipes
/// need.
#[test]
fn the_page_about_clouds_names_flags_that_exist() {
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand("pub").expect("pub is a command");
    let exists = |flag: &str| {
        command.get_arguments().any(|argument| match flag.strip_prefix("--") {
            Some(long) => argument.get_long() == Some(long),
            None => argument.get_short().is_some_and(|short| flag == format!("-{short}")),
        })
    };
    let text = CLOUD.replace("\\fB", " ").replace("\\fR", " ").replace("\\-", "-");
    // The commands of others have flags of their own.
    let ours = text.lines().filter(|line| !line.starts_with("az "));
    let words =
        ours.flat_map(|line| line.split([' ', '(', ')', ',', '.', ';', ':'])).map(str::trim);
    let is_flag = |word: &&str| word.len() > 1 && word.starts_with('-');
    let flags: Vec<&str> = words.filter(is_flag).collect();
    let unknown: Vec<&&str> = flags.iter().filter(|flag| !exists(flag)).collect();
    assert!(unknown.is_empty(), "there is no {unknown:?}");
    assert!(flags.len() > 40, "the flags are found: {flags:?}");
}
