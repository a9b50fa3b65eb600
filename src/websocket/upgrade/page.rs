//! What the body of a refusal says: a line for people, and the whole text to look for known
//! phrases in.

use std::borrow::Cow;

use super::shortened;

/// The form of a text body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A page.
    Html,
    /// An answer of a service in XML.
    Xml,
    /// Lines of text, or JSON.
    Lines,
}

impl BodyForm {
    /// The form of a text whose kind is said to be `kind` (Content-Type), which may be missing or
    /// the server's usual one for everything.
    pub fn of(text: &str, kind: &str) -> Self {
        if kind.contains("json") {
            Self::Lines
        } else if kind.contains("html") || begins_as_page(text) {
            Self::Html
        } else if kind.contains("xml") || text.starts_with("<?xml") {
            Self::Xml
        } else {
            Self::Lines
        }
    }
}

/// Whether a text begins as an HTML page does: with one of the tags that browsers look for
/// (<https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type>).
fn begins_as_page(text: &str) -> bool {
    const TAGS: [&str; 17] = [
        "!doctype html",
        "html",
        "head",
        "script",
        "iframe",
        "h1",
        "div",
        "font",
        "table",
        "a",
        "style",
        "title",
        "b",
        "body",
        "br",
        "p",
        "!--",
    ];
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let Some(tag) = text.strip_prefix('<') else { return false };
    TAGS.iter().any(|name| {
        let (Some(start), rest) = (tag.get(..name.len()), tag.get(name.len()..)) else {
            return false;
        };
        let ends = |rest: &str| *name == "!--" || rest.starts_with([' ', '>', '\t', '\r', '\n']);
        start.eq_ignore_ascii_case(name) && rest.is_some_and(ends)
    })
}

/// The part of a body that is for people: the title of an HTML page, the text of XML, or the first
/// line that is not empty. A text that only repeats status and reason has none.
pub fn words(body: &str, form: BodyForm, status: u16, reason: &str) -> Option<String> {
    let line: Cow<'_, str> = match form {
        BodyForm::Html => title(body)?.into(),
        BodyForm::Xml => single_blanks(&without_markup(body)).into(),
        BodyForm::Lines => body.lines().find(|line| !line.trim().is_empty())?.into(),
    };
    let words = shortened(line.trim(), 200);
    (!words.is_empty() && !repeats(&words, status, reason)).then_some(words)
}

fn title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = lower[start..].find("</title>")? + start;
    page[start..end].lines().find(|line| !line.trim().is_empty())
}

/// Words with which titles introduce a status.
const INTRODUCTIONS: [&str; 4] = ["http", "error", "status", "code"];

/// Whether the words say no more than the status and its reason, as "404 Not Found" and "HTTP
/// Status 404 - Not Found" do.
fn repeats(words: &str, status: u16, reason: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let status = status.to_string();
    // "502 Proxy Error": one of these words may belong to the reason.
    let says_more = |word: &String| *word != status && !INTRODUCTIONS.contains(&word.as_str());
    let (mut left, mut reason) = (split(words), split(reason));
    left.retain(says_more);
    reason.retain(says_more);
    left.is_empty() || left == reason
}

/// The text of a body in lower case, without markup and with single blanks.
pub fn plain_text(body: &str, form: BodyForm) -> String {
    match form {
        BodyForm::Html | BodyForm::Xml => single_blanks(&without_markup(body)),
        BodyForm::Lines => single_blanks(body),
    }
    .to_lowercase()
}

fn single_blanks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    plain
}

/// The named characters that pages use in sentences.
const ENTITIES: [(&str, &str); 7] = [
    ("&nbsp;", " "),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
];

fn without_markup(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else {
            rest = "";
            break;
        };
        // A tag within a word, such as `<b>`, does not end it; a line break does.
        let tag = rest[start + 1..start + end].trim_start_matches('/').to_ascii_lowercase();
        let is_inline = matches!(tag.as_str(), "a" | "b" | "i" | "em" | "strong" | "code" | "tt");
        if !is_inline {
            text.push(' ');
        }
        rest = &rest[start + end + 1..];
    }
    text.push_str(rest);
    for (name, character) in ENTITIES {
        text = text.replace(name, character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_not_said_twice() {
        for (words, status, reason) in [
            ("404 Not Found", 404, "Not Found"),
            ("404: not found", 404, "Not Found"),
            ("HTTP Status 404 \u{2013} Not Found", 404, "Not Found"),
            ("Error 502 (Bad Gateway)", 502, "Bad Gateway"),
            ("502 Proxy Error", 502, "Proxy Error"),
            ("Error", 500, "Internal Server Error"),
            ("Internal Server Error", 500, "Internal Server Error"),
            ("403", 403, ""),
        ] {
            assert!(repeats(words, status, reason), "{words}");
        }
        for (words, status, reason) in [
            ("404 page not found", 404, "Not Found"),
            ("400 The plain HTTP request was sent to HTTPS port", 400, "Bad Request"),
            ("Bad Gateway: no upstream", 502, "Bad Gateway"),
            ("403 Forbidden", 404, "Not Found"),
        ] {
            assert!(!repeats(words, status, reason), "{words}");
        }
    }

    #[test]
    fn a_phrase_is_found_across_lines_and_tags() {
        let page = "<html><title>400 Bad Request</title>\n<p>Reason: You're <b>speaking</b> plain \
                    HTTP\n to an SSL-enabled server port.<br />\n&nbsp;Instead</p><p unclosed";
        assert_eq!(
            plain_text(page, BodyForm::Html),
            "400 bad request reason: you're speaking plain http to an ssl-enabled server port. \
             instead"
        );
        assert_eq!(plain_text("A\n  <b>\tC", BodyForm::Lines), "a <b> c");
    }
}
