//! Regular expressions over bytes, as users write them.

mod case;

use std::fmt;
use std::str::FromStr;

use regex::bytes::Regex;

/// A regular expression of the crate regex.
///
/// `\w`, `\d`, `\s` and `(?i)` know the letters of Unicode; its properties (`\p{Greek}`) are not
/// built in: their names and tables are pointers that every start of the program would pay for.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Whether a part of `bytes` matches.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex.is_match(bytes)
    }
}

/// As it was given.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    /// What is wrong, as one sentence.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), regex: compiled(text)? })
    }
}

/// The expression itself, or what is wrong, as one sentence.
pub fn compiled(text: &str) -> Result<Regex, String> {
    Regex::new(&case::spelt_out(text)).map_err(|error| reason(&error))
}

fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "it is too long for a regular expression".to_owned();
    }
    // The last line of several says what is wrong; those before it draw the pattern.
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    in_our_words(last.strip_prefix("error: ").unwrap_or(last)).to_owned()
}

/// What the crate says, unless it is about something that we left out.
fn in_our_words(reason: &str) -> &str {
    if reason.starts_with("Unicode property") {
        return r"properties of Unicode (\p) are not built in: list the characters in [ ]";
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().expect(pattern).is_match(text.as_bytes())
    }

    #[test]
    fn letters_of_unicode() {
        for (pattern, text, expected) in [
            (r"^\w+$", "Größe", true),
            (r"^.....$", "Größe", true),
            (r"^gr[äöü]ß", "größe", true),
            (r"^gr[äöü]ß", "GRÖßE", false),
            (r"\bfin\b", "la fin.", true),
            (r"^\d$", "\u{664}", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_wrong() {
        for (pattern, expected) in [
            ("(a", "unclosed group"),
            ("(?i)(a", "unclosed group"),
            ("a{2,1}", "invalid repetition count range, the start must be <= the end"),
            ("(((a{1000}){1000}){1000})", "it is too long for a regular expression"),
        ] {
            assert_eq!(pattern.parse::<Pattern>().map(drop), Err(expected.to_owned()), "{pattern}");
        }
        // The tests of generated packets bring the tables that are left out of the program.
        let ours = r"properties of Unicode (\p) are not built in: list the characters in [ ]";
        assert_eq!(in_our_words("Unicode property not found"), ours);
        assert_eq!("(?i)ok".parse::<Pattern>().expect("a pattern").to_string(), "(?i)ok");
    }
}
