//! The words of a command line that was refused: flags with their values, and plain words.

use std::ffi::OsString;

/// A command line after the program's name, as far as it can be understood.
#[derive(Debug)]
pub struct Line {
    /// All words as they were typed, without the program.
    pub typed: Vec<String>,
    /// The command: the first word.
    pub verb: String,
    /// The words after the command.
    words: Vec<Word>,
}

/// A word after the command.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A flag that the command has, by its identifier, and its value.
    Flag { id: String, value: Option<String> },
    /// A word that is neither a flag nor the value of one.
    Plain(String),
    /// A flag that the command does not have.
    Unknown,
}

impl Line {
    /// Reads the words as this command line would; the first one is the program.
    pub fn read(words: &[OsString], command: &clap::Command) -> Self {
        let typed: Vec<String> =
            words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let verb = typed.first().cloned().unwrap_or_default();
        let words = match command.find_subcommand(&verb) {
            Some(of) => classified(&typed[1..], of),
            None => Vec::new(),
        };
        Self { typed, verb, words }
    }

    /// Whether one of the flags with these identifiers is given.
    pub fn has(&self, ids: &[&str]) -> bool {
        self.words
            .iter()
            .any(|word| matches!(word, Word::Flag { id, .. } if ids.contains(&id.as_str())))
    }

    /// The flags that have a value, by their identifiers, each with its value.
    pub fn flags_with_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.words.iter().filter_map(|word| match word {
            Word::Flag { id, value: Some(value) } => Some((id.as_str(), value.as_str())),
            _ => None,
        })
    }

    /// The values of a flag.
    pub fn values(&self, of: &str) -> Vec<&str> {
        self.flags_with_values().filter(|(id, _)| *id == of).map(|(_, value)| value).collect()
    }

    /// The words that are neither flags nor values.
    pub fn plain(&self) -> Vec<&str> {
        self.words
            .iter()
            .filter_map(|word| match word {
                Word::Plain(plain) => Some(plain.as_str()),
                Word::Flag { .. } | Word::Unknown => None,
            })
            .collect()
    }

    /// The flags without a value that stand right before a plain word, each with that word.
    pub fn before_plain(&self) -> impl Iterator<Item = (&str, &str)> {
        self.words.windows(2).filter_map(|pair| match pair {
            [Word::Flag { id, value: None }, Word::Plain(plain)] => {
                Some((id.as_str(), plain.as_str()))
            }
            _ => None,
        })
    }

    /// The plain words that stand right after the value of a flag, and that value before them.
    pub fn after_value(&self, of: &str) -> Option<Vec<&str>> {
        let at = self
            .words
            .iter()
            .position(|word| matches!(word, Word::Flag { id, value: Some(_) } if id == of))?;
        let Word::Flag { value: Some(value), .. } = &self.words[at] else { return None };
        let plain = self.words[at + 1..].iter().map_while(|word| match word {
            Word::Plain(plain) => Some(plain.as_str()),
            Word::Flag { .. } | Word::Unknown => None,
        });
        let all: Vec<&str> = std::iter::once(value.as_str()).chain(plain).collect();
        (all.len() > 1).then_some(all)
    }
}

/// The words after a command.
fn classified(typed: &[String], command: &clap::Command) -> Vec<Word> {
    let mut words = Vec::new();
    let mut left = typed.iter();
    while let Some(word) = left.next() {
        if word == "--" {
            // A command has words of its own.
            if !command.get_arguments().any(clap::Arg::is_last_set) {
                words.extend(left.map(|word| Word::Plain(word.clone())));
            }
            break;
        }
        match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            None => words.push(Word::Plain(word.clone())),
            Some(rest) => match rest.strip_prefix('-') {
                Some(long) => words.push(long_flag(long, command, &mut left)),
                None => short_flags(rest, command, &mut left, &mut words),
            },
        }
    }
    words
}

fn long_flag<'a>(
    word: &str,
    command: &clap::Command,
    left: &mut impl Iterator<Item = &'a String>,
) -> Word {
    let (name, given) = word.split_once('=').map_or((word, None), |(name, of)| (name, Some(of)));
    let Some(arg) = command.get_arguments().find(|arg| names(arg).contains(&name)) else {
        return Word::Unknown;
    };
    let value = match given {
        Some(given) => Some(given.to_owned()),
        None if needs_value(arg) => left.next().cloned(),
        None => None,
    };
    Word::Flag { id: arg.get_id().to_string(), value }
}

fn short_flags<'a>(
    shorts: &str,
    command: &clap::Command,
    left: &mut impl Iterator<Item = &'a String>,
    words: &mut Vec<Word>,
) {
    for (at, short) in shorts.char_indices() {
        let found = command.get_arguments().find(|arg| arg.get_short() == Some(short));
        let Some(arg) = found else { return words.push(Word::Unknown) };
        let id = arg.get_id().to_string();
        if !needs_value(arg) {
            words.push(Word::Flag { id, value: None });
            continue;
        }
        let rest = &shorts[at + short.len_utf8()..];
        let value = match rest {
            "" => left.next().cloned(),
            rest => Some(rest.strip_prefix('=').unwrap_or(rest).to_owned()),
        };
        return words.push(Word::Flag { id, value });
    }
}

/// The long names of an argument.
pub fn names(arg: &clap::Arg) -> Vec<&str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).collect()
}

/// Whether the next word is the value of the flag.
fn needs_value(arg: &clap::Arg) -> bool {
    let is_optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    arg.get_action().takes_values() && !is_optional
}
