//! Rows about words that are neither flags nor their values: a topic, a message or an address
//! without the flag or the scheme that it needs.

use super::line::Line;
use super::{Fault, shown, with_scheme};

/// What a plain word looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WordKind {
    /// It has `://`.
    Url,
    /// It has a wildcard, or begins with `$`.
    Filter,
    /// A host with a port, or what can only be a host.
    Address,
    /// A name with dots, which may be a host.
    Host,
    /// Digits.
    Number,
    /// Levels with slashes.
    Topic,
    /// One word, which may be anything.
    Word,
}

fn look(word: &str) -> WordKind {
    let host = word.split(['/', ':']).next().unwrap_or_default();
    let port = word.split_once(':').map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let has_port =
        port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_literal = host.parse::<std::net::Ipv4Addr>().is_ok() || word.starts_with('[');
    let has_scheme = ["ws:", "wss:", "ws//", "wss//"].iter().any(|scheme| word.starts_with(scheme));
    match word {
        _ if word.contains("://") => WordKind::Url,
        _ if word.starts_with('$') || word.contains(['#', '+']) => WordKind::Filter,
        _ if word.contains(char::is_whitespace) => WordKind::Word,
        _ if has_scheme || has_port || is_literal || host == "localhost" => WordKind::Address,
        _ if word.bytes().all(|byte| byte.is_ascii_digit()) => WordKind::Number,
        _ if host.contains('.') && !host.starts_with('.') && !host.ends_with('.') => WordKind::Host,
        _ if word.contains('/') => WordKind::Topic,
        _ => WordKind::Word,
    }
}

/// `serve ./test.sh`, `serve 9001`.
pub(super) fn command_of_serve(line: &Line, fault: &Fault, _: &clap::Command) -> Option<String> {
    let is_about_it = line.verb == "serve" && *fault == Fault::Words;
    let plain = if is_about_it { line.plain() } else { Vec::new() };
    let first = *plain.first().filter(|_| !line.typed.iter().any(|word| word == "--"))?;
    let port = first.rsplit(':').next().unwrap_or_default().trim_end_matches('/');
    let port = port.split('/').next().unwrap_or_default();
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match look(first) {
        WordKind::Number | WordKind::Address | WordKind::Url if is_port => {
            return Some(format!(
                "serve listens on this machine, on the port of -p: write mqttws serve -p {port}"
            ));
        }
        WordKind::Url => {
            return Some("serve listens where -h and -p say, and takes no address".to_owned());
        }
        _ => {}
    }
    let at = line.typed.iter().position(|word| word == first)?;
    let words = |words: &[String]| -> String {
        words.iter().map(|word| format!(" {}", shown(word))).collect::<Vec<_>>().concat()
    };
    let (before, command) = line.typed.split_at(at);
    Some(format!("write: mqttws{} --{}", words(before), words(command)))
}

/// `-r 1`, `-v true`: a value for a flag that has none.
pub(super) fn value_of_a_switch(
    line: &Line,
    fault: &Fault,
    command: &clap::Command,
) -> Option<String> {
    const WORDS: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];
    let of = command.find_subcommand(&line.verb)?;
    let is_message = line.verb == "pub" && *fault == Fault::Words;
    let is_value = |word: &str| WORDS.contains(&word) || look(word) == WordKind::Number;
    let (id, word) = line.before_plain().find(|(_, word)| is_value(word) && !is_message)?;
    let arg = of.get_arguments().find(|arg| arg.get_id() == id)?;
    let is_switch = !arg.get_action().takes_values() && id != "disable_clean_session";
    is_switch.then(|| format!("{arg} has no value: leave {word} out"))
}

/// Words where only a URL can stand.
pub(super) fn places(line: &Line, fault: &Fault, command: &clap::Command) -> Option<String> {
    let of = command.find_subcommand(&line.verb)?;
    of.get_arguments().find(|arg| arg.get_id() == "url")?;
    let plain = line.plain();
    // What stands before an @, or is typed where a password is asked for, may be one.
    let may_be_secret = line.has(&["ask_password"])
        || plain.iter().any(|word| look(word) != WordKind::Url && word.contains('@'));
    if !matches!(fault, Fault::Words | Fault::Other) || may_be_secret {
        return None;
    }
    let urls = plain.iter().filter(|word| look(word) == WordKind::Url).count();
    let others: Vec<&str> = plain.into_iter().filter(|word| look(word) != WordKind::Url).collect();
    if others.is_empty() {
        return (urls > 1 && *fault == Fault::Words)
            .then(|| "one URL is enough: there are several".to_owned());
    }
    match line.verb.as_str() {
        "sub" => of_sub(line, &others, urls > 0),
        "pub" => of_pub(line, &others, urls > 0),
        _ => of_others(line, &others),
    }
}

/// The words of `sub` that are no URL.
fn of_sub(line: &Line, words: &[&str], has_url: bool) -> Option<String> {
    let first = *words.first()?;
    let has_topic = line.has(&["topic", "unsubscribe"]);
    if let Some(all) = line.after_value("topic").filter(|all| all[1..].iter().all(is_topic)) {
        return Some(format!(
            "each topic filter has a -t of its own{}: did you mean{}?",
            of_the_shell(&all),
            with_flag(&all)
        ));
    }
    if look(first) == WordKind::Number && line.has(&["disable_clean_session"]) {
        return Some(format!(
            "-c has no value (it keeps the session): -C {first} ends after {first} messages"
        ));
    }
    let (address, topics) = split_address(words, has_url);
    if let Some(url) = address {
        let topic = match &topics[..] {
            [] if has_topic => String::new(),
            [] => ", and a topic filter with -t".to_owned(),
            topics => format!(", and{}", with_flag(topics)),
        };
        return Some(format!("the URL has no scheme: write {url}{topic}"));
    }
    if has_topic && !has_url && look(first) == WordKind::Word {
        return None;
    }
    Some(format!(
        "{}: did you mean{}? a URL begins with ws:// or wss://",
        shown(first),
        with_flag(words)
    ))
}

/// The words of `pub` that are no URL.
fn of_pub(line: &Line, words: &[&str], has_url: bool) -> Option<String> {
    let first = *words.first()?;
    if let Some(all) = line.after_value("message").filter(|all| all[1..] == *words) {
        let text = shown(&all.join(" "));
        return Some(format!("a text with blanks stands in quotes: did you mean -m {text}?"));
    }
    let has_topic = line.has(&["topic", "json", "split"]);
    let has_input =
        line.has(&["message", "file", "stdin_file", "stdin_line", "null_message", "json"]);
    let (address, others) = split_address(words, has_url);
    let missing = missing(&others, has_topic, has_input);
    if let Some(url) = address {
        return Some(format!("the URL has no scheme: write {url}{missing}"));
    }
    let reads_lines = line.has(&["stdin_line"]);
    if has_topic && (reads_lines || line.has(&["stdin_file"])) && words.len() == 1 {
        let (flag, instead) = if reads_lines { ("-l", "-l < ") } else { ("-s", "-f ") };
        return Some(format!("{flag} reads stdin: did you mean {instead}{}?", shown(first)));
    }
    let is_needed = !(has_topic && has_input);
    is_needed.then(|| format!("{}: did you mean{missing}?", shown(first)))
}

/// The flags of `pub` that are missing, with these words as their values.
fn missing(words: &[&str], has_topic: bool, has_input: bool) -> String {
    let (topic, rest) = match words.split_first() {
        Some((first, rest)) if !has_topic => (Some(*first), rest),
        _ => (None, words),
    };
    let topic = match (topic, has_topic) {
        (Some(topic), _) => format!(" -t {}", shown(topic)),
        (None, false) => " -t TOPIC".to_owned(),
        (None, true) => String::new(),
    };
    let message = match rest {
        _ if has_input => String::new(),
        [] => " -m TEXT".to_owned(),
        rest => format!(" -m {}", shown(&rest.join(" "))),
    };
    topic + &message
}

/// The URL for the one word that is an address, and the other words. A lone name with dots is
/// taken for an address, too.
fn split_address<'a>(words: &[&'a str], has_url: bool) -> (Option<String>, Vec<&'a str>) {
    let is_address = |word: &str| match look(word) {
        WordKind::Address => true,
        WordKind::Host => words.len() == 1,
        _ => false,
    };
    let (addresses, others): (Vec<&str>, Vec<&str>) =
        words.iter().copied().partition(|word| is_address(word));
    match addresses[..] {
        [address] if !has_url => (with_scheme(address), others),
        _ => (None, words.to_vec()),
    }
}

/// The words of `ping` and its like that are no URL.
fn of_others(line: &Line, words: &[&str]) -> Option<String> {
    let first = *words.first()?;
    match look(first) {
        WordKind::Number if line.verb == "ping" => {
            Some(format!("{first}: did you mean -c {first}? a URL begins with ws:// or wss://"))
        }
        WordKind::Number => None,
        _ => Some(format!("the URL has no scheme: write {}", with_scheme(first)?)),
    }
}

/// A word that is more likely a topic than an address.
fn is_topic(word: &&str) -> bool {
    matches!(look(word), WordKind::Filter | WordKind::Topic | WordKind::Word)
}

/// Each word with `-t`.
fn with_flag(words: &[&str]) -> String {
    let topics = words.iter().filter(|word| look(word) != WordKind::Url).take(3);
    let mut flags = topics.map(|word| format!(" -t {}", shown(word))).collect::<Vec<_>>().concat();
    if words.len() > 3 {
        flags += " ...";
    }
    flags
}

/// Many words may be the names of files, in the place of an unquoted wildcard of the shell.
fn of_the_shell(words: &[&str]) -> &'static str {
    if words.len() > 3 {
        " (the shell expands an unquoted *, which is no wildcard of MQTT)"
    } else {
        ""
    }
}
