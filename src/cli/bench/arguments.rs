//! The command line of `bench` in its reports, without secrets.

use std::ffi::OsString;

use crate::cli::property;

/// What the report must not show of the command line.
pub fn secrets(client: &crate::client::Options) -> Vec<String> {
    let headers = client.upgrade.headers.iter().map(|(_, value)| value.clone());
    client.session.secrets().into_iter().chain(headers).collect()
}

/// Flags whose value is a secret, or may hold one.
const SECRET_FLAGS: &str =
    "-P --pw --password --bearer --basic-auth -H --header --proxy --auth-data";

/// The words of the command line with secrets masked.
pub fn masked(words: impl Iterator<Item = OsString>, secrets: &[String]) -> Vec<String> {
    let is_secret = |word: &str| SECRET_FLAGS.split(' ').any(|flag| flag == word);
    let mut hides_next = false;
    let mut masked: Vec<String> = Vec::new();
    for word in property::joined(words.collect()) {
        let word = word.to_string_lossy().into_owned();
        if word.contains(property::JOINT) {
            // The words of a property.
            let words = property::masked_words(&word, "***").into_iter();
            masked.extend(words.map(|word| masked_word(word.to_owned(), secrets)));
            continue;
        }
        let hides = std::mem::replace(&mut hides_next, is_secret(&word));
        masked.push(if hides { "***".to_owned() } else { masked_word(word, secrets) });
    }
    if let Some(program) = masked.first_mut() {
        "mqttws".clone_into(program);
    }
    masked
}

fn masked_word(word: String, secrets: &[String]) -> String {
    let flag = word.split_once('=').map(|(flag, _)| flag);
    if let Some(flag) = flag.filter(|flag| SECRET_FLAGS.split(' ').any(|it| it == *flag)) {
        return format!("{flag}=***");
    }
    if word.len() > 2 && (word.starts_with("-P") || word.starts_with("-H")) {
        return format!("{}***", &word[..2]);
    }
    let word = without_query(without_user_info(word));
    secrets.iter().filter(|secret| !secret.is_empty()).fold(word, |word, secret| {
        if word.contains(secret.as_str()) && secret.len() > 2 {
            word.replace(secret.as_str(), "***")
        } else {
            word
        }
    })
}

/// A URL without the password before its host.
fn without_user_info(word: String) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user_info, _)) => format!("{scheme}://***{}", &rest[user_info.len()..]),
        None => word,
    }
}

/// A URL without its query, which may be signed.
fn without_query(word: String) -> String {
    match word.split_once('?') {
        Some((before, query)) if before.contains("://") && !query.is_empty() => {
            format!("{before}?...")
        }
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_command_line_are_masked() {
        let words = [
            "/usr/bin/mqttws",
            "bench",
            "ws://me:geheim@host/x@y?token=gEheim",
            "--url=wss://host/?X-Signature=gEheim",
            "--auth-data",
            "gEheim",
            "-P",
            "geheim",
            "-Pgeheim",
            "--pw=geheim",
            "-H",
            "Authorization: geheim",
            "-t",
            "a/geheim/%i",
            "--pub",
            "3",
        ];
        let properties = "-D connect user-property key geheimnis -D publish content-type a/b";
        let words = words.into_iter().chain(properties.split(' ')).map(OsString::from);
        let masked = masked(words, &["geheim".to_owned()]);
        let properties = "-D connect user-property key *** -D publish content-type a/b";
        assert!(masked.join(" ").ends_with(properties), "{masked:?}");
        assert!(!masked.join(" ").to_lowercase().contains("geheim"), "{masked:?}");
        assert_eq!(masked[0], "mqttws");
        assert_eq!(masked[2..4], ["ws://***@host/x@y?...", "--url=wss://host/?..."]);
        assert_eq!(masked[13], "a/***/%i");
    }
}
