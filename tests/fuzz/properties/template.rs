//! Formats of `-F`: any text is understood or refused, and what is understood makes text of any
//! message, without a control character where it goes to a terminal.

use crate::format::escape::{ControlCharacters, is_harmless};
use crate::format::json::Style;
use crate::format::template::Template;
use crate::format::time::LocalTime;
use crate::mqtt::packet::{Decoder, Packet, Publish};
use crate::mqtt::version::Version;
use bytes::{Bytes, BytesMut};
use jiff::{Timestamp, tz::TimeZone};

pub fn check(data: &[u8]) {
    let [length, data @ ..] = data else { return };
    let (format, wire) = data.split_at(usize::from(*length).min(data.len()));
    let format = String::from_utf8_lossy(format);
    let publish = message(wire);
    let time = LocalTime::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    for style in [Style::Compact, Style::Pretty] {
        let Ok(template) = Template::parse(&format, style, ControlCharacters::Unchanged) else {
            return;
        };
        let mut raw = BytesMut::new();
        let fits = template.render(&publish, Some(&time), &mut raw);
        let safe = Template::parse(&format, style, ControlCharacters::Escaped)
            .expect("it was understood before");
        let mut shown = BytesMut::new();
        assert_eq!(safe.render(&publish, Some(&time), &mut shown), fits);
        // Escapes and times are the user's own words.
        if format.chars().all(|c| is_harmless(c) && c != '\\' && c != '@') {
            let shown = std::str::from_utf8(&shown).expect("what is shown is text");
            assert!(shown.chars().all(is_harmless), "{shown:?}");
        }
    }
}

/// A PUBLISH that these bytes are, or else one that has them as its payload.
fn message(wire: &[u8]) -> Publish {
    let payload = Bytes::copy_from_slice(wire);
    let mut decoder = Decoder::new(Version::V5, 1 << 20);
    decoder.feed(payload.clone());
    match decoder.next() {
        Ok(Some(Packet::Publish(publish))) => publish,
        _ => Publish { payload, ..Publish::default() },
    }
}
