//! The line about a command line that clap does not accept.

use std::error::Error as _;
use std::fmt;
use std::io::{self, Write as _};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Help in place of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpText {
    /// It was asked for: it goes to stdout.
    Wanted(&'static str),
    /// Something is missing: it goes to stderr.
    Missing(&'static str),
}

impl fmt::Display for HelpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Wanted(text) | Self::Missing(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for HelpText {}

/// A command line that clap does not accept, or a request for help.
#[derive(Debug)]
pub struct Misuse {
    error: clap::Error,
    verb: Option<String>,
    instead: Option<String>,
}

impl Misuse {
    /// `verb` is the command that was typed, if there is such a command; `instead` replaces the
    /// sentence about clap's error.
    pub fn new(error: clap::Error, verb: Option<&str>, instead: Option<String>) -> Self {
        Self { error, verb: verb.map(str::to_owned), instead }
    }

    /// The error of clap.
    pub fn error(&self) -> &clap::Error {
        &self.error
    }

    /// The sentence about it, without a place to read more.
    pub fn sentence(&self) -> String {
        self.instead.clone().unwrap_or_else(|| sentence(&self.error))
    }

    /// Whether the sentence about it is the usual one, and it is no request for help.
    pub fn is_plain_error(&self) -> bool {
        self.error.use_stderr() && self.instead.is_none()
    }

    /// The same with another sentence.
    pub fn saying(self, instead: String) -> Self {
        Self { instead: Some(instead), ..self }
    }

    /// Prints help or the version, which clap returns as errors; `None` if the error is neither.
    pub fn print_help(&self) -> Option<io::Result<()>> {
        let print = || self.error.print().and_then(|()| io::stdout().flush());
        (!self.error.use_stderr()).then(print)
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.sentence();
        f.write_str(&sentence)?;
        // It may say already where help is.
        if sentence.ends_with("help is --help") {
            return Ok(());
        }
        match &self.verb {
            Some(verb) => write!(f, "; see mqttws help {verb}"),
            None => f.write_str("; see mqttws --help"),
        }
    }
}

impl std::error::Error for Misuse {}

/// The sentence about clap's error.
fn sentence(error: &clap::Error) -> String {
    let context = |kind| error.get(kind).map(text).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::UnknownArgument => {
            format!("unexpected argument '{}' found", shortened(&argument))
        }
        ErrorKind::InvalidSubcommand => {
            format!("unknown command '{}'", shortened(&context(ContextKind::InvalidSubcommand)))
        }
        ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(missing)) => {
                let missing: Vec<String> = missing.iter().map(|one| flags(one)).collect();
                format!("{} is required", missing.join(" and "))
            }
            _ => format!("{} is required", flags(&argument)),
        },
        ErrorKind::ArgumentConflict => {
            let others = match error.get(ContextKind::PriorArg) {
                Some(ContextValue::Strings(others)) => {
                    alternatives(&others.iter().map(|one| flags(one)).collect::<Vec<_>>())
                }
                Some(other) => flags(&text(other)),
                None => String::new(),
            };
            format!("{} cannot be used with {others}", flags(&argument))
        }
        _ => value_sentence(error, &argument),
    }
}

/// What clap found wrong with the value of an argument, in one sentence.
fn value_sentence(error: &clap::Error, argument: &str) -> String {
    let value = error.get(ContextKind::InvalidValue).map(text).unwrap_or_default();
    let value = shortened(&value);
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value"),
        ErrorKind::InvalidValue => {
            let expected = error.get(ContextKind::ValidValue).map(text).unwrap_or_default();
            format!("invalid value '{value}' for '{argument}': expected {expected}")
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(|why| format!(": {why}")).unwrap_or_default();
            if argument.starts_with("--port ") {
                // A password, perhaps: -p is the port, and -P the password.
                return format!("invalid value for '{argument}'{why}");
            }
            format!("invalid value '{value}' for '{argument}'{why}")
        }
        ErrorKind::TooManyValues => format!("unexpected value '{value}' for '{argument}'"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{argument} needs more values")
        }
        kind => kind.to_string(),
    }
}

/// A value as far as it is shown: a topic may have megabytes.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 100;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

/// A flag, or a group of them, as clap writes it, in words: `<--rate <RATE>|--find-max...>` is
/// `--rate <RATE> or --find-max`.
fn flags(argument: &str) -> String {
    let group = argument.strip_prefix("<--").and_then(|rest| rest.strip_suffix('>'));
    let all = match group.filter(|_| argument.contains("|--")) {
        Some(rest) => rest.split("|--").map(|flag| format!("--{flag}")).collect(),
        None => vec![argument.to_owned()],
    };
    // Clap marks what may be given several times; that a switch may be does not matter.
    let plain = all.into_iter().map(|flag: String| match flag.strip_suffix("...") {
        Some(switch) if !switch.contains('<') => switch.to_owned(),
        _ => flag,
    });
    alternatives(&plain.collect::<Vec<_>>())
}

/// `a, b or c`.
fn alternatives(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

fn text(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => alternatives(texts),
        other => other.to_string(),
    }
}
