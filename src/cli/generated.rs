//! `completions/` and `man/` are written here and committed: the test rewrites what differs and
//! then fails, so that they cannot drift from the flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, points_page};

/// This page is written by hand; `tests/cli/cloud.rs` runs its recipes.
const CLOUD: &str = include_str!("../../man/mqttws-cloud.7");

/// The sections of a page after those that are made from the flags, in their order.
fn sections(command: &str) -> &'static [&'static str] {
    match command {
        "pub" => &[
            include_str!("manual/requests.roff"),
            include_str!("manual/records.roff"),
            include_str!("manual/properties.roff"),
            include_str!("manual/summary.roff"),
            include_str!("manual/terminal-pub.roff"),
            include_str!("manual/mosquitto.roff"),
        ],
        "sub" => &[
            include_str!("manual/formats.roff"),
            include_str!("manual/exec.roff"),
            include_str!("manual/records.roff"),
            include_str!("manual/properties.roff"),
            include_str!("manual/summary.roff"),
            include_str!("manual/terminal-sub.roff"),
            include_str!("manual/differences.roff"),
            include_str!("manual/mosquitto.roff"),
        ],
        "ping" => &[include_str!("manual/monitoring.roff"), include_str!("manual/properties.roff")],
        "mqttws" => &[include_str!("manual/delivery.roff")],
        _ => &[],
    }
}

/// The sections that every page has after its own.
const COMMON: [&str; 2] =
    [include_str!("manual/exit-status.roff"), include_str!("manual/environment.roff")];

/// What each command's page ends with.
const EXAMPLES: [(&str, &str); 5] = [
    ("pub", include_str!("manual/examples-pub.roff")),
    ("sub", include_str!("manual/examples-sub.roff")),
    ("ping", include_str!("manual/examples-ping.roff")),
    ("check", include_str!("manual/examples-check.roff")),
    ("serve", include_str!("manual/examples-serve.roff")),
];

#[test]
fn completions_and_manual_are_up_to_date() {
    let mut expected = BTreeMap::new();
    completions(&mut expected);
    manual(&mut expected);
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
                expected.contains_key(&name) || name == Path::new("man/mqttws-cloud.7"),
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
    let shells = [
        (Shell::Bash, "mqttws.bash"),
        (Shell::Zsh, "_mqttws"),
        (Shell::Fish, "mqttws.fish"),
        (Shell::PowerShell, "_mqttws.ps1"),
        (Shell::Elvish, "mqttws.elv"),
    ];
    for (shell, name) in shells {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "mqttws", &mut text);
        let text = String::from_utf8(text).expect("completions are text");
        files.insert(Path::new("completions").join(name), text);
    }
}

fn manual(files: &mut BTreeMap<PathBuf, String>) {
    let mut cli = Cli::command();
    cli.build();
    files.insert(
        PathBuf::from("man/mqttws.1"),
        page(&cli, "mqttws", &[sections("mqttws"), &COMMON].concat()),
    );
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let (_, examples) =
            EXAMPLES.iter().find(|(of, _)| *of == name).expect("every command has examples");
        let title = format!("mqttws-{name}");
        let points = if name == "check" { points_page::section() } else { String::new() };
        let own = [sections(name), &[&points]].concat();
        let text = page(command, &title, &[&own, &COMMON[..], &[*examples]].concat());
        files.insert(PathBuf::from(format!("man/{title}.1")), text);
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

/// One page; the version stays out of it, or every release would touch all of them.
fn page(command: &clap::Command, title: &str, extra: &[&str]) -> String {
    let command = command.clone().display_name(title.to_owned()).version(None::<&str>);
    let man = Man::new(command)
        .title(title.to_uppercase())
        .source("mqttws")
        .manual("mqttws manual")
        .date("");
    let mut page = Vec::new();
    let rendered = [Man::render_title, Man::render_name_section, Man::render_synopsis_section]
        .into_iter()
        .chain([Man::render_description_section, Man::render_options_section])
        .try_for_each(|section| section(&man, &mut page as &mut dyn std::io::Write));
    rendered.expect("writing to memory");
    if title == "mqttws" {
        man.render_subcommands_section(&mut page).expect("writing to memory");
    }
    let text = String::from_utf8(page).expect("a manual page is text");
    text + &extra.concat()
}
