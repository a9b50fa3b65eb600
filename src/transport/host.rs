//! Host names: those with letters beyond ASCII become the form in which they are looked up.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// The name in ASCII (UTS 46, as browsers and curl have it); `None` if it is not valid. A name in
/// ASCII stays as it is.
pub fn ascii(name: &str) -> Option<Cow<'_, str>> {
    if name.is_ascii() {
        return Some(Cow::Borrowed(name));
    }
    // The caller judges the characters of ASCII: `_` is used in names, too.
    let converted = Uts46::new().to_ascii(
        name.as_bytes(),
        AsciiDenyList::EMPTY,
        Hyphens::Allow,
        DnsLength::VerifyAllowRootDot,
    );
    converted.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_is_looked_up() {
        let rows = [
            ("example.org", Some("example.org")),
            ("Host_1", Some("Host_1")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("BÜCHER.Example", Some("xn--bcher-kva.example")),
            // Composed and not, with a full stop of Chinese, with an underscore.
            ("bu\u{308}cher.example", Some("xn--bcher-kva.example")),
            ("bücher。example.", Some("xn--bcher-kva.example.")),
            ("_mqtt.bücher.example", Some("_mqtt.xn--bcher-kva.example")),
            ("straße.example", Some("xn--strae-oqa.example")),
            ("日本語.jp", Some("xn--wgv71a119e.jp")),
            ("１２７.0.0.1", Some("127.0.0.1")),
            ("b\u{202e}cher.example", None),
            ("ü..example", None),
            ("ü\u{fffd}", None),
        ];
        for (name, expected) in rows {
            assert_eq!(ascii(name).as_deref(), expected, "{name}");
        }
        assert_eq!(ascii(&"ü".repeat(64)), None);
    }
}
