//! Rows about the names of commands and flags.

use super::line::{self, Line};
use super::similar::similar;
use super::{Fault, shown};

/// Words of other programs for our commands.
const COMMANDS: [(&[&str], &str); 4] = [
    (&["listen", "receive", "recv", "consume", "watch", "mosquitto_sub"], "sub"),
    (&["send", "emit", "produce", "post", "request", "mosquitto_pub", "mosquitto_rr"], "pub"),
    (&["broker", "daemon", "mosquitto"], "serve"),
    (&["conn", "connect", "test", "latency"], "ping"),
];

/// Words of other programs for our flags, and what to say.
const FLAGS: [(&[&str], &str); 22] = [
    (&["--msg", "--payload", "--data", "--body", "--text", "--content"], "--message"),
    (&["--filter", "--topic-filter", "--channel", "--subscribe"], "--topic"),
    (&["--broker", "--server", "--address", "--hostname", "--hosts"], "--host"),
    (&["--uri", "--endpoint", "--connect"], "--url"),
    (&["--ws-path", "--websocket-path", "--wspath"], "--path"),
    (&["--passwd", "--pass"], "--pw"),
    (&["--cacert", "--ca-certificate", "--tls-ca", "--root-ca", "--cacerts"], "--cafile"),
    (&["--no-verify", "--no-check-certificate", "--skip-verify", "--tls-insecure"], "--insecure"),
    (&["--reject-unauthorized", "--no-reject-unauthorized"], "--insecure"),
    (&["--location", "--redirect", "--redirects"], "--follow"),
    (&["--noproxy"], "--no-proxy"),
    (&["--will-message"], "--will-payload"),
    (&["--mqtt-version", "--mqttversion", "--mqtt5", "--v5"], "--protocol-version"),
    (&["--limit", "--max", "--num", "--number", "--messages"], "--count"),
    (&["--out", "--output", "--outdir"], "--output-dir"),
    (&["--persistent", "--no-clean"], "--disable-clean-session"),
    (&["--expiry", "--session-expiry"], "--session-expiry-interval"),
    (&["--color", "--colour"], "--color"),
    (&["--tls", "--ssl", "--secure", "--use-tls", "--wss", "--https"], "write a wss:// address"),
    (
        &["--clean", "--clean-session", "--clean-start"],
        "leave it out: a session begins clean without --disable-clean-session",
    ),
    (
        &["--websocket", "--websockets", "--protocol", "--transport"],
        "leave it out: MQTT over WebSockets is all that mqttws speaks",
    ),
    (&["--man", "--usage", "-?", "/?"], "--help"),
];

/// A long name after one hyphen: clap takes it for a short flag with a value.
pub(super) fn single_dash(line: &Line, _: &Fault, command: &clap::Command) -> Option<String> {
    let of = command.find_subcommand(&line.verb)?;
    let messages = [line.values("message"), line.values("will_payload")].concat();
    let mut words = line.typed[1..].iter().take_while(|word| *word != "--");
    let word = words.find(|word| {
        let name = word.strip_prefix('-').unwrap_or_default();
        let name = name.split('=').next().unwrap_or_default();
        name.len() > 1 && !messages.contains(&word.as_str()) && longs(of).any(|long| long == name)
    })?;
    Some(format!("{word}: a long name has two hyphens: -{word}"))
}

/// Flags stand after the command.
pub(super) fn flags_before_the_command(
    line: &Line,
    _: &Fault,
    command: &clap::Command,
) -> Option<String> {
    let first = line.typed.first().filter(|first| first.starts_with('-') && *first != "--")?;
    match first.as_str() {
        "--help" | "--version" => None,
        "-?" if line.typed.len() == 1 => {
            Some(format!("{first}: help is --help; after a command -h is the host"))
        }
        "-v" if line.typed.len() == 1 => Some(format!("{first}: the version is --version")),
        _ => {
            let verbs = commands(command);
            let verb = line.typed.iter().find(|word| verbs.contains(&word.as_str()));
            let example = verb.map_or("sub", String::as_str);
            Some(format!(
                "{}: the command comes first, its flags after it: mqttws {example} {} ...",
                shown(first),
                shown(first)
            ))
        }
    }
}

/// A command that does not exist.
pub(super) fn command(_: &Line, fault: &Fault, command: &clap::Command) -> Option<String> {
    let Fault::Command(typed) = fault else { return None };
    let verbs = commands(command);
    // `mqttws help pub sub`
    if verbs.iter().any(|verb| verb == typed) {
        return Some(format!("help is for one command at a time: leave out {typed}"));
    }
    let lower = typed.to_lowercase();
    let other = COMMANDS.iter().find(|(words, _)| words.contains(&lower.as_str()));
    let meant = other.map(|(_, verb)| *verb).filter(|verb| verbs.contains(verb));
    let rest = match meant.or_else(|| similar(typed, verbs.iter().copied())) {
        Some(verb) => format!("; a similar command exists: {verb}"),
        None if lower == "mqttws" => ", which is the program: leave it out".to_owned(),
        None if typed.contains("://") => {
            format!(": the command comes first: mqttws sub {} ...", address(typed))
        }
        None => match verbs.split_last() {
            Some((last, others)) => format!(": the commands are {} and {last}", others.join(", ")),
            None => String::new(),
        },
    };
    let typed = if typed.contains("://") { address(typed).to_owned() } else { shorter(typed) };
    Some(format!("unknown command '{typed}'{rest}"))
}

/// A URL that may hold a password.
fn address(typed: &str) -> &str {
    if typed.contains('@') || typed.contains('?') { "URL" } else { typed }
}

/// `mqttws sub --version`.
pub(super) fn version_of_a_command(_: &Line, fault: &Fault, _: &clap::Command) -> Option<String> {
    (*fault == Fault::Flag("--version".to_owned()))
        .then(|| "--version stands without a command: mqttws --version".to_owned())
}

/// A flag that the command does not have.
pub(super) fn flag(line: &Line, fault: &Fault, command: &clap::Command) -> Option<String> {
    let Fault::Flag(typed) = fault else { return None };
    let of = command.find_subcommand(&line.verb)?;
    let name = typed.split('=').next().unwrap_or_default();
    let said = FLAGS.iter().find(|(words, _)| words.contains(&name)).map(|(_, said)| *said);
    let said = said.filter(|said| {
        said.strip_prefix("--").is_none_or(|long| longs(of).any(|other| other == long))
    });
    let rest = match (said, name.strip_prefix("--")) {
        (Some(said), _) if said.starts_with("--") => format!("use {said}"),
        (Some(said), _) => said.to_owned(),
        (None, Some(long)) => {
            format!("a similar argument exists: --{}", similar(long, longs(of))?)
        }
        (None, None) => short(&line.verb, name, of)?,
    };
    Some(format!("unexpected argument '{}' found; {rest}", shorter(name)))
}

/// A short flag that the command does not have.
fn short(verb: &str, typed: &str, of: &clap::Command) -> Option<String> {
    match (verb, typed) {
        ("sub", "-n") => return Some("-C N ends after N messages".to_owned()),
        ("ping", "-n" | "-C") => return Some("-c N ends after N probes".to_owned()),
        ("ping", "-t") => {
            return Some("ping has no topic: --via publish uses one of its own".to_owned());
        }
        ("sub", "-m") => return Some("messages are published with mqttws pub".to_owned()),
        _ => {}
    }
    let letter = typed.strip_prefix('-')?.chars().next()?;
    let is_other_case = |short: &char| short.eq_ignore_ascii_case(&letter);
    let other = of.get_arguments().filter_map(clap::Arg::get_short).find(is_other_case)?;
    Some(format!("a similar argument exists: -{other}"))
}

/// The long names of a command's flags, but for those that are hidden.
pub(super) fn longs(command: &clap::Command) -> impl Iterator<Item = &str> {
    command.get_arguments().filter(|arg| !arg.is_hide_set()).flat_map(line::names)
}

/// The names of the commands.
fn commands(command: &clap::Command) -> Vec<&str> {
    let all = command.get_subcommands().filter(|of| !of.is_hide_set());
    all.map(clap::Command::get_name).filter(|name| *name != "help").collect()
}

/// A name, shortened if it is long.
fn shorter(name: &str) -> String {
    match name.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}
