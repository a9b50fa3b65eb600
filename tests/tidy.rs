//! Reads the source and fails where it breaks a rule of the house: which room may know which, where
//! the program may wait, ask the time and print text, and how a file and a function look.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room of the program, and what its files may name.
struct Room {
    name: &'static str,
    /// The other rooms that it may name, or places in them, separated by blanks.
    may_name: &'static str,
    /// What it must not name of the standard library and of other crates.
    must_not: &'static str,
}

/// The rooms, one row each: what lies in `src/` belongs to one of them.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    Room { name: "main", may_name: "cli command report", must_not: IO },
    Room {
        name: "cli",
        // It ends in one `Config` per verb, and whether stdout is a terminal is part of what the
        // flags mean.
        may_name: "command::Config command::publish::config command::subscribe::config \
                   command::bench::conditions command::bench::config command::bench::course \
                   command::bench::disturbances command::bench::part command::bench::payload \
                   command::bench::plan command::bench::schedule \
                   command::ping command::check::CheckConfig command::check::Detail \
                   command::check::Output command::check::RemoteServers \
                   command::check::ReportFormat command::check::ServerConfig \
                   command::check::select \
                   command::check::points command::mirror command::serve command::start \
                   terminal::screen \
                   client exit format mqtt report transport websocket",
        must_not: "tungstenite rustls std::thread std::net::TcpStream std::os::unix::net",
    },
    Room {
        // It alone may break the rules on the wire.
        name: "command::check",
        may_name: "client command exit format mqtt report signals stdio terminal transport \
                   websocket",
        must_not: "tungstenite rustls httparse clap std::net::TcpStream std::net::TcpListener \
                   std::os::unix::net",
    },
    Room {
        // It asks the system about itself.
        name: "command::bench",
        may_name: "client command exit format mqtt report stdio terminal",
        must_not: "tungstenite rustls httparse clap std::net::TcpStream std::net::TcpListener \
                   std::os::unix::net",
    },
    Room {
        // The process between `serve` and its command passes signals on.
        name: "command::start",
        may_name: "command exit signals",
        must_not: "clap std::net tungstenite rustls",
    },
    Room {
        // It runs a command, and waits for signals.
        name: "command::serve",
        may_name: "broker command exit format mqtt report signals stdio terminal",
        must_not: "tungstenite rustls httparse clap std::thread std::net::TcpStream \
                   std::net::TcpListener std::os::unix::net",
    },
    Room {
        // It may talk to a service manager.
        name: "command::ready",
        may_name: "exit report",
        must_not: "tungstenite rustls httparse clap std::thread std::net::TcpStream \
                   std::net::TcpListener",
    },
    Room {
        name: "command",
        may_name: "broker client exit format mqtt report stdio terminal",
        must_not: "tungstenite rustls httparse clap std::thread std::net::TcpStream \
                   std::net::TcpListener std::os::unix::net",
    },
    Room {
        name: "client",
        may_name: "mqtt signals transport websocket",
        must_not: "clap tungstenite rustls std::io::stdout std::io::stdin",
    },
    Room { name: "mqtt", may_name: "", must_not: PURE },
    Room { name: "websocket", may_name: "", must_not: PURE_BUT_FOR_TUNGSTENITE },
    Room { name: "format", may_name: "mqtt", must_not: PURE },
    Room {
        name: "transport",
        may_name: "websocket",
        must_not: "clap std::io::stdin std::io::stdout std::io::stderr",
    },
    Room {
        // It runs commands.
        name: "stdio",
        may_name: "format mqtt signals",
        must_not: "clap std::net std::os::unix::net tungstenite rustls",
    },
    Room {
        name: "terminal",
        may_name: "format mqtt",
        must_not: "clap std::net std::os::unix::net tungstenite rustls",
    },
    Room {
        name: "allocator",
        may_name: "",
        must_not: "clap std::net std::fs std::thread std::env std::process tungstenite rustls \
                   anyhow",
    },
    Room {
        name: "broker",
        may_name: "allocator mqtt websocket",
        must_not: "clap std::io::stdin std::io::stdout tungstenite",
    },
    Room {
        name: "report",
        may_name: "client exit format mqtt terminal transport websocket",
        must_not: "std::net std::fs std::thread std::env std::process tungstenite rustls",
    },
    Room {
        name: "exit",
        may_name: "client mqtt transport websocket",
        must_not: "std::net std::fs std::thread std::env std::io::stdin std::io::stdout \
                   std::io::stderr tungstenite rustls clap",
    },
    Room {
        name: "signals",
        may_name: "",
        must_not: "clap std::net std::env std::process tungstenite rustls anyhow",
    },
];

/// What parts of a room must not name beside that: paths separated by blanks; `room!` stands for a
/// macro, and what begins with a capital letter is forbidden wherever it is imported from.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "client::lifecycle",
        "Instant::now SystemTime std::net std::fs std::thread std::env std::process rustix \
         signal_hook",
    ),
    // `websocket::control` alone: tungstenite reads and writes memory there by `std::io`.
    ("websocket::client", "std::io tungstenite"),
    ("websocket::frame", "std::io tungstenite"),
    ("websocket::frame_log", "std::io tungstenite"),
    ("websocket::inbound", "std::io tungstenite"),
    ("websocket::outbound", "std::io tungstenite"),
    ("websocket::reader", "std::io"),
    ("websocket::upgrade", "std::io"),
    ("format", "mqtt::session"),
    ("stdio", "mqtt::session"),
    ("terminal", "mqtt::session"),
    ("broker::router", "std::io std::net std::fs std::thread std::env Instant::now"),
    ("broker::router", "rustls websocket"),
    // `command::bench` and `command::bench::machine` alone ask the system.
    ("command::bench::conditions", PURE_BENCH),
    ("command::bench::disturbances", PURE_BENCH),
    ("command::bench::judge", PURE_BENCH),
    ("command::bench::load", PURE_BENCH),
    ("command::bench::measure", PURE_BENCH),
    ("command::bench::payload", PURE_BENCH),
    ("command::bench::comparison", PURE_BENCH),
    ("command::bench::course", PURE_BENCH),
    ("command::bench::figures", PURE_BENCH),
    ("command::bench::merging", PURE_BENCH),
    ("command::bench::part", PURE_BENCH),
    ("command::bench::plan", PURE_BENCH),
    ("command::bench::report", PURE_BENCH),
    ("command::bench::schedule", PURE_BENCH),
    ("command::bench::steps", PURE_BENCH),
    ("command::bench::stored", PURE_BENCH),
    ("command::bench::verify", PURE_BENCH),
    // `command::check::guarded` alone: a probe that panics ends its thread.
    ("command::check::bench", "std::thread"),
    ("command::check::connection", "std::thread"),
    ("command::check::probes", "std::thread"),
    ("command::check::report", "std::thread"),
    ("command::check::run", "std::thread"),
    ("", "todo! unimplemented! dbg!"),
];

/// What only files below a place may name: the frames that break the rules are for `check` alone.
const PRIVATE: &[(&str, &str)] = &[("command::check::wire", "command::check")];

/// What the parts of `bench` must not name that decide.
const PURE_BENCH: &str = "std::io std::net std::fs std::thread std::process Instant::now \
                          SystemTime rustix signal_hook";

/// What no room without I/O and clock may name.
const PURE: &str = "std::io std::net std::fs std::thread std::env std::process Instant::now \
                    SystemTime Timestamp::now Zoned::now anyhow clap tungstenite rustls \
                    signal_hook fastrand";
const PURE_BUT_FOR_TUNGSTENITE: &str = "std::net std::fs std::thread std::env std::process \
                                        Instant::now SystemTime anyhow clap rustls signal_hook";
const IO: &str = "std::io std::net std::fs std::thread std::env tungstenite rustls clap anyhow";

/// What waits: methods by their name, functions by their path.
const WAITS: &[&str] = &[
    ".accept()",
    ".join()",
    ".recv()",
    ".recv_timeout(",
    ".wait_while(",
    ".wait_timeout_while(",
    ".wait_timeout(",
    "child.wait()",
    "thread::sleep",
    "thread::park",
    "rustix::event::poll",
    ".poll(&mut",
    "rustix::process::waitid",
];

/// The files that may wait, and what for. A connection is waited for by `Client::next` alone,
/// by the poller; the other places are threads that serve it, or programs of their own. What waits
/// by reading (stdin, a proxy's answer in the thread that dials, the signals of `serve`) is not
/// found here.
const WAITING: &[(&str, &str)] = &[
    ("command::check::guarded", "a thread that has panicked stays where it is"),
    ("command::check::run::collect", "the run, which is on a thread of its own"),
    ("client::credentials::process", "the end of a command, in its thread"),
    ("client::fleet", "all connections of a load"),
    ("transport::poll", "the poller of every loop"),
    ("transport::dial::race", "connecting to several addresses at once, in the thread that dials"),
    ("signals", "the thread that ends a process that hangs"),
    ("stdio::exec", "the next command, in the threads that run them"),
    ("stdio::exec::process", "the end of a command, in its thread"),
    (
        "command::start::single",
        "the end of a command, in its threads, and of one that was told to end",
    ),
    ("stdio::written", "the file that is being written when `sub` ends, for half a second"),
    ("stdio::stdout_reader", "the thread that watches the reader of stdout"),
    ("terminal::screen", "not at all: it asks whether stderr is ready"),
    ("broker", "the end of its own thread"),
    ("broker::event_loop", "all connections"),
    (
        "broker::event_loop::accept",
        "not at all: its listeners do not block, and it asks whether a client waits",
    ),
];

/// Where text may be printed.
const PRINTING: &[&str] = &["stdio", "terminal", "report", "main"];

/// What may lie in the repository beside files that begin with a dot.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "completions",
    "man",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "target",
];

const WIDEST_LINE: usize = 100;
const LONGEST_FUNCTION: usize = 60;

/// Source with comments and the insides of strings blanked, and with everything that is only for
/// tests gone; lines stay where they are.
fn code_of(source: &str) -> String {
    without_tests(&without_prose(source))
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

fn without_prose(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut left = source;
    while let Some(first) = left.chars().next() {
        let word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = prose(left).filter(|_| !(word && left.starts_with('r'))).unwrap_or(0);
        if length == 0 {
            code.push(first);
            left = &left[first.len_utf8()..];
        } else {
            code.push_str(&blank(&left[..length]));
            left = &left[length..];
        }
    }
    code
}

/// The length of the comment or literal that `text` begins with.
fn prose(text: &str) -> Option<usize> {
    let until = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(until(2, "*/"));
    }
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let is_string = raw[hashes..].starts_with('"');
        return is_string.then(|| until(hashes + 2, &format!("\"{}", "#".repeat(hashes))));
    }
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && !text.starts_with("'\\") && text.chars().nth(2) != Some('\'') {
        return None; // A lifetime.
    }
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    Some(text.len())
}

fn without_tests(code: &str) -> String {
    let mut code = code.to_owned();
    for mark in ["#[cfg(test)]", "#[test]"] {
        while let Some(at) = code.find(mark) {
            let item = &code[at..];
            let end = match item.find(['{', ';']) {
                Some(open) if item[open..].starts_with('{') => block_end(item, open),
                Some(semicolon) => semicolon + 1,
                None => item.len(),
            };
            let blanked = blank(&item[..end]);
            code.replace_range(at..at + end, &blanked);
        }
    }
    code
}

/// Where the block that opens at `open` has been closed.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Every path that is named in `code`, those of nested `use` in full, with its line.
fn paths(code: &str, module: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let (mut path, mut line, mut is_use) = (String::new(), 1, false);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '!');
    for c in code.chars().chain([' ']) {
        if is_name(c) {
            path.push(c);
            continue;
        }
        let named = std::mem::take(&mut path);
        let nested = prefixes.last().cloned().unwrap_or_default();
        match c {
            '{' if is_use => prefixes.push(format!("{nested}{named}")),
            _ if named.is_empty() => {}
            _ if named == "use" => is_use = true,
            _ => found.push((line, absolute(&format!("{nested}{named}"), module))),
        }
        match c {
            '}' if is_use => drop(prefixes.pop()),
            ';' => is_use = false,
            '\n' => line += 1,
            _ => {}
        }
    }
    found
}

/// A path without `crate`, `self` and `super`.
fn absolute(path: &str, module: &[String]) -> String {
    let mut place = module.to_vec();
    let mut left = path;
    let mut is_local = false;
    while let Some((first, rest)) = left.split_once("::") {
        match first {
            "crate" => place.clear(),
            "super" => drop(place.pop()),
            "self" => {}
            _ => break,
        }
        is_local = true;
        left = rest;
    }
    if !is_local {
        return if left.contains("::") { left.to_owned() } else { format!("::{left}") };
    }
    place.push(left.to_owned());
    place.join("::")
}

/// Whether `path` is `named`, lies below it, or ends in it where it is a name that is mostly
/// imported.
fn names(path: &str, named: &str) -> bool {
    let path = path.trim_end_matches(':');
    let is_anywhere = named.starts_with(char::is_uppercase);
    path == named
        || path.strip_prefix(named).is_some_and(|rest| rest.starts_with("::"))
        || (is_anywhere && format!("::{path}::").contains(&format!("::{named}::")))
        || (named.ends_with('!') && path.rsplit("::").next() == Some(named))
}

/// The complaints about one file of the program, `module` being where it hangs.
fn complaints(source: &str, module: &[String]) -> Vec<(usize, String)> {
    let code = code_of(source);
    let place = module.join("::");
    let mut found = Vec::new();
    let room = ROOMS.iter().find(|room| names(&place, room.name));
    if room.is_none() && !place.is_empty() {
        found.push((1, format!("{place} is in no room")));
    }
    let may_print = PRINTING.iter().any(|room| names(&place, room));
    for (line, path) in paths(&code, module) {
        let rules = FORBIDDEN
            .iter()
            .filter(|(place_of_rule, _)| place_of_rule.is_empty() || names(&place, place_of_rule))
            .map(|(_, names)| *names)
            .chain(room.map(|room| room.must_not))
            .flat_map(|names| names.split_whitespace());
        let private = PRIVATE.iter().filter(|(_, owner)| !names(&place, owner));
        let rules = rules.chain(private.map(|(secret, _)| *secret));
        let forbidden = rules.filter(|rule| names(&path, rule));
        found.extend(
            forbidden
                .chain(room.and_then(|room| other_room(&path, room)))
                .map(|rule| (line, format!("{place} must not name {rule}"))),
        );
        let is_printing =
            ["println!", "eprintln!", "print!", "eprint!"].iter().any(|rule| names(&path, rule));
        if is_printing && !may_print {
            found.push((line, format!("{place} must not print")));
        }
    }
    found.dedup();
    if !WAITING.iter().any(|(file, _)| place == *file) {
        found.extend(complaints_about_waiting(&code, &place));
    }
    found.extend(complaint_about_header(source));
    found.extend(complaints_about_lines(source, &code, WIDEST_LINE));
    found.extend(complaints_about_functions(&code, LONGEST_FUNCTION));
    found
}

/// The room that `path` leads to, if a file of `room` may not name it.
fn other_room(path: &str, room: &Room) -> Option<&'static str> {
    let first = path.split("::").next()?;
    let other = ROOMS.iter().find(|other| other.name == first && other.name != room.name)?;
    let is_allowed = room.may_name.split_whitespace().any(|allowed| names(path, allowed));
    (!is_allowed).then_some(other.name)
}

fn complaints_about_waiting(code: &str, place: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let methods = WAITS.iter().filter(|wait| !wait.contains("::"));
        let methods = methods.filter(|wait| line.contains(**wait));
        found.extend(methods.map(|wait| (number, format!("{place} must not wait: {wait}"))));
    }
    for (line, path) in paths(code, &[]) {
        let is_wait = |wait: &&&str| path == **wait || path.ends_with(&format!("::{wait}"));
        let functions = WAITS.iter().filter(is_wait);
        found.extend(functions.map(|wait| (line, format!("{place} must not wait: {wait}"))));
    }
    found
}

/// A header says what the file is for; what it must not know is the table's to say.
fn complaint_about_header(source: &str) -> Option<(usize, String)> {
    let header = source.lines().take_while(|line| line.starts_with("//!"));
    let words = header.flat_map(|line| line.split_whitespace()).filter(|word| *word != "//!");
    let text = words.collect::<Vec<_>>().join(" ");
    text.contains("must never").then(|| (1, "the header says what must never be".to_owned()))
}

fn complaints_about_lines(source: &str, code: &str, widest: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if !source.starts_with("//! ") {
        found.push((1, "the file does not open with what it is for (//!)".to_owned()));
    }
    for ((number, line), code) in (1..).zip(source.lines()).zip(code.lines()) {
        if line.chars().count() > widest {
            found.push((number, format!("wider than {widest} columns")));
        }
        if ["TODO", "FIXME"].iter().any(|word| line.contains(word)) {
            found.push((number, "something is left to do".to_owned()));
        }
        if code.contains(".unwrap()") {
            found.push((number, "unwrap() without the invariant as text".to_owned()));
        }
    }
    found
}

fn complaints_about_functions(code: &str, longest: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let Some(open) = signature_end(&code[at..]).filter(|_| is_word) else { continue };
        let end =
            if code[at + open..].starts_with('{') { block_end(&code[at..], open) } else { open };
        let lines = code[at..at + end].lines().count();
        if lines > longest {
            let start = 1 + code[..at].matches('\n').count();
            found.push((start, format!("a function of {lines} lines")));
        }
    }
    found
}

/// Where the body of a function begins, or its `;`: not that of an array type such as `[u8; 4]`.
fn signature_end(code: &str) -> Option<usize> {
    let mut brackets = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.saturating_sub(1),
            '{' | ';' if brackets == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// The module of a file below `src`.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let mut module: Vec<String> =
        path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    module.pop_if(|last| last == "mod");
    module
}

/// The modules that `source` declares for tests alone.
fn test_modules(source: &str, module: &[String]) -> Vec<String> {
    let code = without_prose(source);
    let items = code.split("#[cfg(test)]").skip(1).map(str::trim_start);
    let declarations =
        items.filter_map(|item| item.trim_start_matches("pub ").strip_prefix("mod "));
    let names =
        declarations.filter_map(|item| item.split_once([';', ' ', '{'])).map(|(name, _)| name);
    names.map(|name| [module, &[name.to_owned()]].concat().join("::")).collect()
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<(PathBuf, Vec<String>, String)> = files_under(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let file = path.strip_prefix(&root).unwrap();
            (file.to_owned(), module_of(file), fs::read_to_string(&path).unwrap())
        })
        .collect();
    let tests: BTreeSet<String> =
        files.iter().flat_map(|(_, module, source)| test_modules(source, module)).collect();
    let mut report = Vec::new();
    for (file, module, source) in &files {
        let is_test = (1..=module.len()).any(|length| tests.contains(&module[..length].join("::")));
        // Tests hold texts and bytes as they travel: their width is not ours to choose.
        let found = if is_test {
            complaints_about_lines(source, &blank(source), usize::MAX)
        } else {
            complaints(source, module)
        };
        for (line, complaint) in found {
            report.push(format!("src/{}:{line}: {complaint}", file.display()));
        }
    }
    assert!(files.len() > 10, "the source was found");
    for (place, _) in WAITING {
        let waits = |(_, module, source): &&(PathBuf, Vec<String>, String)| {
            module.join("::") == *place
                && !complaints_about_waiting(&code_of(source), place).is_empty()
        };
        assert!(files.iter().any(|file| waits(&file)), "{place} does not wait any more");
    }
    assert!(report.is_empty(), "\n{}", report.join("\n"));
}

#[test]
fn the_repository_holds_what_it_should() {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let others: Vec<String> =
        names.filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "not in the plan of the house: {others:?}");
}

/// What is wrong with `source` in the module `place`, the missing opening aside.
fn wrong(place: &str, source: &str) -> Vec<String> {
    let module: Vec<String> = place.split("::").map(str::to_owned).collect();
    complaints(&format!("//! It.\n{source}"), &module)
        .into_iter()
        .map(|(line, text)| format!("{line}: {text}"))
        .collect()
}

#[test]
fn forbidden_paths_are_found_however_they_are_written() {
    let expected = ["2: mqtt::topic must not name std::io"];
    assert_eq!(wrong("mqtt::topic", "use std::io;"), expected);
    assert_eq!(
        wrong("mqtt::topic", "use std::{collections::BTreeMap, io::{self as x}};"),
        expected
    );
    assert_eq!(wrong("mqtt::topic", "fn f() { std::io::stdout(); }"), expected);
    assert_eq!(
        wrong("mqtt::qos", "use crate::client::Event;"),
        ["2: mqtt::qos must not name client"]
    );
    assert_eq!(
        wrong("mqtt::packet::x", "use super::super::super::client;"),
        ["2: mqtt::packet::x must not name client"]
    );
    assert_eq!(
        wrong("mqtt::x", "\nlet now = Instant::now();"),
        ["3: mqtt::x must not name Instant::now"]
    );
    assert_eq!(
        wrong("broker::router::x", "time::Instant::now()"),
        ["2: broker::router::x must not name Instant::now"]
    );
    for clock in ["Timestamp::now()", "Zoned::now()", "std::time::SystemTime::now()"] {
        let [complaint] = &wrong("format::time", clock)[..] else { panic!("{clock} is not found") };
        assert!(complaint.starts_with("2: format::time must not name "), "{complaint}");
    }
    assert_eq!(
        wrong("format::x", "use jiff::Timestamp; use std::{fmt, io::Write};"),
        ["2: format::x must not name std::io"]
    );
    for wait in [
        "queue.recv()",
        "use std::thread; f(thread::sleep(x))",
        "use rustix::event::{PollFd, poll};",
    ] {
        let [complaint] = &wrong("client::x", wait)[..] else { panic!("{wait} is not found") };
        assert!(complaint.starts_with("2: client::x must not wait: "), "{complaint}");
        assert!(wrong("transport::poll", wait).is_empty(), "{wait}");
    }
    assert_eq!(wrong("client", "println!(\"x\")"), ["2: client must not print"]);
    assert_eq!(wrong("client", "todo!()"), ["2: client must not name todo!"]);
    assert_eq!(
        wrong("client", "let x = y.unwrap();"),
        ["2: unwrap() without the invariant as text"]
    );
    assert_eq!(wrong("client", "// TODO"), ["2: something is left to do"]);
}

#[test]
fn frames_that_break_the_rules_are_for_check_alone() {
    let source = "use crate::command::check::wire::Frame;";
    let complaint = |place: &str| format!("2: {place} must not name command::check::wire");
    assert_eq!(wrong("command::ping", source), [complaint("command::ping")]);
    assert!(wrong("broker::outbox", source).contains(&complaint("broker::outbox")));
    assert_eq!(wrong("command::check::probes::upgrade", source), [""; 0]);
}

#[test]
fn what_is_allowed_is_not_found() {
    assert!(
        wrong("mqtt::topic", "use std::time::{Duration, Instant}; use super::session; // std::io")
            .is_empty()
    );
    assert!(
        wrong(
            "mqtt::topic",
            "let text = \"std::io \\\" std::net\"; let c = '\"'; use_it::<'a>(client)"
        )
        .is_empty()
    );
    assert!(
        wrong("mqtt::topic", "#[cfg(test)]\nmod tests { use std::io; fn f() { x.unwrap(); } }")
            .is_empty()
    );
    assert!(wrong("broker::event_loop", "let now = Instant::now();").is_empty());
    assert!(wrong("terminal::screen", "println!()").is_empty());
    assert_eq!(test_modules("#[cfg(test)]\npub mod tests;", &["a".to_owned()]), ["a::tests"]);
}

#[test]
fn sizes_are_found() {
    let long = format!("fn f() {{\n{}}}", "x();\n".repeat(LONGEST_FUNCTION));
    assert_eq!(wrong("stdio", &long), ["2: a function of 62 lines"]);
    assert!(wrong("stdio", &long.replacen("x();\nx();\n", "", 1)).is_empty());
    let array = long.replace("fn f()", "fn f(x: [u8; 4]) -> [u8; 2]");
    assert_eq!(wrong("stdio", &array), ["2: a function of 62 lines"]);
    assert_eq!(wrong("stdio", &"é".repeat(WIDEST_LINE + 1)), ["2: wider than 100 columns"]);
    assert_eq!(complaints("use std::io;", &[]).len(), 1);
    let header = "//! One thing. It must\n//! never know another.\nuse x;";
    assert!(complaint_about_header(header).is_some());
    assert!(complaint_about_header("//! One thing.\n// It must never fail.").is_none());
}
