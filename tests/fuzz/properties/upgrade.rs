//! Responses to the upgrade: however they are cut they mean the same, a verdict comes before memory
//! is full, and what is said about them is one line of bounded length once it is escaped.

use crate::format::escape::escape_line;
use crate::websocket::upgrade::{HEAD_LIMIT, NotHttp, Offer, Response, UpgradeError};
use bytes::BytesMut;

/// How much of a body is read.
const BODY_LIMIT: usize = 16 * 1024;

/// That of RFC 6455 §1.3, so that answers in the corpus can be right.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub fn check(data: &[u8]) {
    let [strict, data @ ..] = data else { return };
    let (key, subprotocols) = (KEY.to_owned(), vec!["mqtt".to_owned()]);
    let strict = strict % 2 == 1;
    let offer = Offer { key, subprotocols, strict, ..Offer::default() };
    let (mut whole, mut dripped) = (Response::default(), Response::default());
    let expected = whole.feed(data, &offer);
    let mut left = data.iter();
    let mut verdicts = left.by_ref().map(|byte| dripped.feed(&[*byte], &offer));
    let mut found = verdicts.find(|verdict| *verdict != Ok(None)).unwrap_or(Ok(None));
    if let Ok(Some(accepted)) = &mut found {
        accepted.leftover.extend_from_slice(left.as_slice());
    }
    let without = |error| without_chance(error, data);
    assert_eq!(found.map_err(without), expected.clone().map_err(without));
    if expected.is_ok() {
        assert_eq!((dripped.head(), dripped.beginning()), (whole.head(), whole.beginning()));
    }
    match expected {
        Ok(Some(accepted)) => accepted.warnings.iter().for_each(|warning| assert_harmless(warning)),
        Err(error) => assert_harmless(&error.to_string()),
        Ok(None) => {
            assert_bounded(dripped, data, &offer);
            assert_harmless(&whole.end().to_string());
        }
    }
}

/// Without what depends on how much had arrived: the name of what is no HTTP, and words far into a
/// body.
fn without_chance(error: UpgradeError, data: &[u8]) -> UpgradeError {
    match error {
        UpgradeError::NotHttp(_) => UpgradeError::NotHttp(NotHttp::Http2),
        UpgradeError::Status(mut refusal) if data.len() > BODY_LIMIT => {
            refusal.body = Default::default();
            UpgradeError::Status(refusal)
        }
        other => other,
    }
}

/// A server that never comes to an end is refused in time.
fn assert_bounded(mut answer: Response, data: &[u8], offer: &Offer) {
    let more: Vec<u8> = data.iter().copied().cycle().take(HEAD_LIMIT + 2 * BODY_LIMIT).collect();
    let verdict =
        more.chunks(1000).map(|piece| answer.feed(piece, offer)).find(|found| *found != Ok(None));
    assert!(data.is_empty() || verdict.is_some());
}

/// What `text` is as part of a line on stderr.
pub fn assert_harmless(text: &str) {
    let mut line = BytesMut::new();
    escape_line(text.as_bytes(), &mut line);
    assert!(line.len() < 16 * 1024 && !line.iter().any(u8::is_ascii_control), "{text:?}");
}
