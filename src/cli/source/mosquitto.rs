//! The program in the place of mosquitto's clients: under one of their names it takes their command
//! line; under any name it reads flags from a file of theirs (`-o FILE`), and says what to use
//! instead of flags that it does not have.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::error::{ContextKind, ContextValue, ErrorKind as ClapErrorKind};
use clap::{ArgAction, Args};

use super::words::{self, values};
use crate::exit::Usage;
use crate::transport::file;

/// Mosquitto's clients, and the verbs in their place.
const CLIENTS: [(&str, &[&str]); 3] = [
    ("mosquitto_pub", &["pub"]),
    ("mosquitto_sub", &["sub"]),
    ("mosquitto_rr", &["pub", "--request"]),
];

/// The largest file of flags, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The path of a broker that `-L` names: to mosquitto the path of the URL is a topic.
const PATH: &str = "/mqtt";

/// The command line in our own words.
pub fn translated(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let client = arguments.first().and_then(|name| {
        let name = Path::new(name).file_name()?;
        CLIENTS.iter().find(|(client, _)| OsStr::new(client) == name)
    });
    match client {
        None => with_options(arguments, None),
        // The version is that of the program.
        Some(_) if arguments.get(1).is_some_and(|first| first == "--version") => Ok(arguments),
        Some((name, verb)) => {
            let words = verb.iter().map(OsString::from);
            let rest = with_topics_of_urls(&arguments);
            with_options(
                arguments[..1].iter().cloned().chain(words).chain(rest).collect(),
                usual_place(name),
            )
        }
    }
}

/// `$XDG_CONFIG_HOME/mosquitto_pub` and its like.
fn usual_place(name: &str) -> Option<PathBuf> {
    Some(super::config_folder()?.join(name))
}

/// To mosquitto the path of a URL is a topic.
fn with_topics_of_urls(arguments: &[OsString]) -> Vec<OsString> {
    let mut translated = Vec::with_capacity(arguments.len());
    let mut is_url = false;
    for (argument, is_value) in arguments.iter().zip(values(arguments)).skip(1) {
        let parts = argument.to_str().filter(|_| is_url).and_then(|url| {
            let (scheme, rest) = url.split_once("://")?;
            let (server, topic) = rest.split_once('/')?;
            Some((format!("{scheme}://{server}{PATH}"), topic.to_owned()))
        });
        is_url = !is_value && (argument == "-L" || argument == "--url");
        match parts {
            Some((url, topic)) => translated.extend([url.into(), "-t".into(), topic.into()]),
            None => translated.push(argument.clone()),
        }
    }
    translated
}

/// The flags of a file stand before those that were typed, which win.
fn with_options(mut arguments: Vec<OsString>, usual: Option<PathBuf>) -> Result<Vec<OsString>> {
    let verb = arguments.get(1).and_then(|verb| verb.to_str()).unwrap_or_default().to_owned();
    if verb != "pub" && verb != "sub" {
        return Ok(arguments);
    }
    let named = take_file(&mut arguments, &verb)?;
    let text = match (&named, usual) {
        (Some(path), _) => read(path)?,
        (None, Some(path)) if path.is_file() => read(&path)?,
        _ => return Ok(arguments),
    };
    let flags = text.lines().filter_map(flag).map(OsString::from);
    let flags: Vec<OsString> = match verb.as_str() {
        "pub" => flags.filter(|flag| !is_replaced(flag, &arguments)).collect(),
        _ => flags.collect(),
    };
    arguments.splice(2..2, flags);
    Ok(arguments)
}

/// Whether this flag of a file is one that can be repeated and that is typed: `pub` then publishes
/// to the topics that are typed, and the files.
fn is_replaced(flag: &OsStr, typed: &[OsString]) -> bool {
    let is_typed = |short, long| {
        let mut words = typed.iter().zip(values(typed));
        words.any(|(word, is_value)| !is_value && words::holds(word, short, long))
    };
    [('t', "topic"), ('f', "file")]
        .iter()
        .any(|(short, long)| words::holds(flag, *short, long) && is_typed(*short, long))
}

/// Takes `-o FILE` off the command line. With `sub` only the name of a file counts: anything else
/// is the folder for its output.
fn take_file(arguments: &mut Vec<OsString>, verb: &str) -> Result<Option<PathBuf>> {
    let mut found = None;
    let mut at = 2;
    let mut values = values(arguments);
    while at + 1 < arguments.len() && (values[at] || arguments[at] != "--") {
        let value = PathBuf::from(&arguments[at + 1]);
        if values[at] || arguments[at] != "-o" || (verb == "sub" && !value.is_file()) {
            at += 1;
            continue;
        }
        ensure!(found.is_none(), Usage::new("-o: there can be only one file of flags"));
        found = Some(value);
        arguments.drain(at..at + 2);
        values.drain(at..at + 2);
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    let what = || format!("reading {}", path.display());
    let length = fs::metadata(path).with_context(what)?.len();
    ensure!(
        length <= LONGEST,
        Usage::new(format!("-o {}: it has more than {LONGEST} bytes", path.display()))
    );
    match file::read_text(path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            bail!(Usage::new(format!(
                "-o {}: expected text, a flag and its value on each line",
                path.display()
            )))
        }
        text => text.with_context(what),
    }
}

/// A flag and, after the first blank, its value; other blanks are the value's own.
fn flag(line: &str) -> Option<String> {
    let line = line.trim_start_matches(' ');
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    Some(match line.split_once(' ') {
        Some((flag, value)) if !value.is_empty() => format!("{flag}={value}"),
        Some((flag, _)) => flag.to_owned(),
        None => line.to_owned(),
    })
}

/// Flags of mosquitto's clients for what this program always does.
#[derive(Debug, Args)]
pub struct NoEffect {
    /// Packets are never held back
    #[arg(long, hide = true, action = ArgAction::SetTrue)]
    nodelay: (),

    /// WebSockets are all that we speak
    #[arg(long, hide = true, action = ArgAction::SetTrue)]
    ws: (),
}

/// Flags of mosquitto's clients that clap does not know, each with what to use instead; those of
/// TLS are in `tls.rs`.
const UNSUPPORTED: [(&str, &str); 3] = [
    (
        "-S",
        "WebSocket addresses are not looked up in SRV records: name the host with -h, or \
         give a URL",
    ),
    ("--no-tls", "use a ws:// address"),
    (
        "--mptcp",
        "connections are plain TCP; where the system can, `mptcpize run mqttws` makes \
         them multipath",
    ),
];

/// What to say about an unknown flag that is one of mosquitto's.
pub fn instead(error: &clap::Error) -> Option<String> {
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else { return None };
    let name = flag.split('=').next().unwrap_or_default();
    let (known, instead) = UNSUPPORTED
        .iter()
        .find(|(known, _)| *known == name && error.kind() == ClapErrorKind::UnknownArgument)?;
    Some(format!("{known}: {instead}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn names_of_mosquitto_are_verbs() {
        for (line, expected) in [
            ("/usr/bin/mosquitto_pub -t t -m x", "/usr/bin/mosquitto_pub pub -t t -m x"),
            ("mosquitto_rr -e r", "mosquitto_rr pub --request -e r"),
            ("mosquitto_sub --version", "mosquitto_sub --version"),
            ("mosquitto_sub", "mosquitto_sub sub"),
            ("mqttws ping -o x", "mqttws ping -o x"),
            ("mqttws", "mqttws"),
            (
                "mosquitto_sub -L wss://u:p@h:1/a/b# -v",
                "mosquitto_sub sub -L wss://u:p@h:1/mqtt -t a/b# -v",
            ),
            ("mosquitto_sub -L ws://h -m ws://h/x", "mosquitto_sub sub -L ws://h -m ws://h/x"),
            ("mqttws sub -L ws://h/x", "mqttws sub -L ws://h/x"),
        ] {
            assert_eq!(
                translated(words(line)).expect("no file is read"),
                words(expected),
                "{line}"
            );
        }
    }

    #[test]
    fn lines_are_flags() {
        for (line, expected) in [
            ("-p 1883", Some("-p=1883")),
            ("-m two  words ", Some("-m=two  words ")),
            ("  --retain", Some("--retain")),
            ("-r ", Some("-r")),
            ("-D publish user-property a b", Some("-D=publish user-property a b")),
            ("# -r", None),
            ("", None),
            ("   ", None),
        ] {
            assert_eq!(flag(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_says_what_can() {
        for (known, instead) in UNSUPPORTED {
            let line = ["mqttws", "sub", "-t", "t", known];
            let error = Cli::command().try_get_matches_from(line).expect_err("no such flag");
            assert_eq!(super::instead(&error), Some(format!("{known}: {instead}")));
        }
    }
}
