//! The form of the pages: mandoc and man find nothing to warn about, nothing is wider than 80
//! columns, and each page has its sections in the order that readers expect.

use std::fs;
use std::path::Path;

use crate::is_here;
use crate::page::plain;
use crate::program::Program;

/// What a page of section 1 has, in this order, where it has it.
const ORDER: [&str; 7] =
    ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "OPTIONS", "EXIT STATUS", "SEE ALSO"];

/// The pages, each with its path.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn mandoc_and_man_warn_about_nothing() {
    for (path, _) in pages() {
        if is_here("mandoc") {
            Program::of("mandoc", ["-T", "lint", "-W", "warning", &path]).run().expect(0, "", "");
        }
        if is_here("man") {
            let flags = ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", &path];
            let outcome = Program::of("man", flags).env("LC_ALL", "C.UTF-8").run();
            assert!(outcome.code() == Some(0) && outcome.stderr.is_empty(), "{outcome}");
        }
    }
}

#[test]
fn no_line_is_wider_than_80_columns() {
    if !is_here("mandoc") {
        return;
    }
    let mut wide = Vec::new();
    for (path, _) in pages() {
        let outcome = Program::of("mandoc", ["-T", "utf8", "-O", "width=78", &path]).run();
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let lines = text.lines().map(without_overstrikes);
        wide.extend(
            lines.filter(|line| line.chars().count() > 80).map(|line| (path.clone(), line)),
        );
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

/// A line without the characters that are printed again to make them bold.
fn without_overstrikes(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars() {
        match character {
            '\u{8}' => drop(shown.pop()),
            other => shown.push(other),
        }
    }
    shown
}

#[test]
fn the_sections_stand_in_order() {
    for (path, text) in pages().iter().filter(|(path, _)| path.ends_with(".1")) {
        let sections: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let known: Vec<&str> =
            sections.iter().copied().filter(|name| ORDER.contains(name)).collect();
        assert_eq!(known, ORDER, "{path}");
        let synopsis = text.split("\n.SH ").find(|part| part.starts_with("SYNOPSIS")).unwrap();
        let lines = synopsis.lines().count() - 3;
        assert!((3..=4).contains(&lines), "{path}: three or four lines between .nf and .fi");
        let title = text.lines().next().unwrap();
        assert!(title.starts_with(".TH ") && title.contains(" 2026-"), "{path}: a date");
    }
}

#[test]
fn commands_stand_in_examples() {
    for (path, text) in pages().iter().filter(|(path, _)| !path.ends_with("cloud.7")) {
        let filled = text.split("\n.nf\n").skip(1).map(|rest| rest.split("\n.fi").next().unwrap());
        for block in filled {
            let block = plain(block);
            let is_synopsis = block.lines().all(|line| line.starts_with("mqttws"));
            assert!(is_synopsis && text.contains("SYNOPSIS\n.nf"), "{path}: {block}");
        }
    }
}
