//! The README: what it shows is what the program prints, its tour works, and the files and flags
//! that it names are there.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::broker::Mosquitto;
use crate::examples::Place;
use crate::{file, is_here};

/// The fenced blocks of a kind, without their fences.
fn blocks(kind: &str) -> Vec<String> {
    let text = file("README.md");
    let fence = format!("\n```{kind}\n");
    let blocks = text.split(&fence).skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// A command and what it prints.
fn session(block: &String) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((command, printed))) if command.ends_with('\\') => {
                assert!(printed.is_empty());
                command.extend(["\n", line]);
            }
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => panic!("a command comes first: {block}"),
        }
    }
    commands
}

/// Text in which each number is as good as any other, because times and ports differ.
pub fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        let is_digit = character.is_ascii_digit();
        match (is_digit, text.ends_with('#')) {
            (true, true) => {}
            (true, false) => text.push('#'),
            (false, _) => text.push(character),
        }
    }
    text
}

#[test]
fn what_is_shown_is_what_is_printed() {
    if !is_here("mosquitto") {
        return;
    }
    let locked = Mosquitto::start_with("allow_anonymous false\n");
    let place = Place::with_second(locked.ws_port());
    for (command, printed) in blocks("console").iter().flat_map(session) {
        // The world of the test is behind a proxy.
        let text = place.shell(&command);
        let text = text.replace(&format!(" through http://{}", place.proxy), "");
        let text = without(&text, ", proxy ", ',');
        let shown: Vec<String> = text.lines().map(without_numbers).collect();
        let expected: Vec<String> = printed.iter().map(|line| without_numbers(line)).collect();
        assert!(shown == expected, "$ {command}\n{text}\ninstead of\n{}", printed.join("\n"));
    }
}

/// What is drawn on a terminal, without its bars, and each kind of line of a histogram once.
fn drawn(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        let line = without_numbers(&line.replace(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉'], ""));
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

/// What `sub --watch` finds when it begins: the messages of a session.
const WATCHED: &str = "mqttws sub -t 'lab/#' -q 1 -c -i reader -E\n\
    for value in 18.0 18.4 19.1 19.0 20.2 21.7; do\n\
    mqttws pub -t lab/temperature -m $value -q 1; done\n\
    mqttws pub -t lab/door -m open -q 1\n\
    mqttws pub -t lab/state -m '{\"ok\":true}' -q 1\n";

/// Text without the control sequences of a terminal.
fn without_controls(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_end = |c: char| c.is_ascii_alphabetic();
    parts.fold(first, |text, part| text + part.split_once(is_end).map_or("", |(_, rest)| rest))
}

#[test]
fn what_is_drawn_is_what_a_terminal_gets() {
    let place = Place::new();
    for (command, printed) in blocks("terminal").iter().flat_map(session) {
        let is_watch = command.contains("--watch");
        let columns = if is_watch { 120 } else { 80 };
        let more = if is_watch { " -q 1 -c -i reader -C 8" } else { "" };
        place.shell(if is_watch { WATCHED } else { ":" });
        let inner = format!("stty cols {columns} rows 24; {command}{more}").replace('\'', "'\\''");
        let text = place.shell(&format!(
            "NO_COLOR=1 TERM=xterm LC_ALL=C.UTF-8 script -qec '{inner}' /dev/null"
        ));
        let text = text.replace(&format!(" through http://{}", place.proxy), "");
        let mut shown = drawn(&without_controls(&text));
        shown.retain(|line| !line.starts_with("proxy "));
        if is_watch {
            // The last frame; the note of the subscription stands before it.
            shown.retain(|line| !line.is_empty());
            shown.drain(..shown.len().saturating_sub(printed.len()));
        }
        assert_eq!(shown, drawn(&printed.join("\n")), "$ {command}\n{text}");
    }
}

/// Parts of what is printed, with dots where there is more.
#[test]
fn what_is_shown_of_check_is_what_it_prints() {
    let (text, command) = (file("README.md"), "$ mqttws check ws://broker.example/mqtt\n");
    let (_, shown) = text.split_once(command).expect("the README shows it");
    let (shown, _) = shown.split_once("\n```").expect("the block ends");
    let Some(printed) = crate::proxies::check_without_upgrade() else { return };
    let printed: Vec<String> = printed.lines().map(without_numbers).collect();
    let (mut rest, mut is_next) = (&printed[..], false);
    for line in shown.lines().map(without_numbers) {
        if line == "..." {
            is_next = false;
            continue;
        }
        let at = rest.iter().position(|other| *other == line);
        let at = at.unwrap_or_else(|| panic!("{line:?} is not in {printed:#?}"));
        assert!(!is_next || at == 0, "{line:?} comes later in {printed:#?}");
        (rest, is_next) = (&rest[at + 1..], true);
    }
}

#[test]
fn it_is_set_up_as_it_says() {
    let blocks = blocks("sh");
    let [first, tests] = &blocks[..] else { panic!("there are two commands: {blocks:?}") };
    let command = first.strip_prefix("cargo run --release -- ").expect("it is built first");
    let printed = Place::new().shell(&format!("unset all_proxy\nmqttws {command}"));
    let shown = "demo/greeting hello over WebSockets";
    assert!(printed.lines().any(|line| line == shown), "{printed}");
    assert!(file("README.md").contains(&format!("`{shown}`")));
    assert_eq!(tests, "tests/run");
}

/// Text without what stands from these words up to the end that follows.
fn without(text: &str, words: &str, end: char) -> String {
    let mut parts = text.split(words);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        left.push_str(part.find(end).map_or("", |end| &part[end..]));
    }
    left
}

#[test]
fn the_tour_works() {
    let [tour] = &blocks("sh tour")[..] else { panic!("there is one tour") };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let tour = tour.replace("8123", &port.to_string());
    let place = Place::new();
    let printed =
        place.shell(&format!("unset all_proxy\nbash -euc '{}'", tour.replace('\'', "'\\''")));
    let lines: Vec<&str> = printed.lines().skip_while(|line| !line.starts_with("lab/")).collect();
    assert_eq!(lines, ["lab/door open", "\"open\"", "do it"], "{printed}");
}

#[test]
fn the_scripts_work() {
    let [script] = &blocks("sh script")[..] else { panic!("there is one") };
    let printed = Place::new().shell(&format!(
        "set -e\nprintf '#!/bin/sh\\nmqttws ping -c 1 --quiet\\n' > test.sh; chmod +x test.sh\n\
         mqttws pub -t lab/door -m open -r\n{script}\nmqttws sub wss://b.example/mqtt -t lab/door -C 1"
    ));
    let opened = printed.lines().filter(|line| *line == "open").count();
    assert!(opened == 3 && printed.ends_with("\nopen\n"), "{printed}");
}

#[test]
fn the_files_that_are_named_are_there() {
    let text = file("README.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        ["src/", "tests/", "man/", "completions/", ".packaging/"]
            .iter()
            .any(|folder| word.starts_with(folder))
    };
    let paths: Vec<&str> = words.filter(is_path).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        let path = path.split(' ').next().unwrap();
        assert!(root.join(path).exists(), "there is no {path}");
    }
}

#[test]
fn it_is_not_too_long() {
    assert!(file("README.md").lines().count() <= 250);
}
