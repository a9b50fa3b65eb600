//! Conditions of `bench`: any text is read or refused in one line, and what was read is read again
//! from what it is written as.

use crate::command::bench::conditions::{Condition, Tolerated};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for text in text.split(',') {
        if let Err(why) = text.parse::<Tolerated>() {
            assert!(why.starts_with(text), "{why}");
        }
        let Ok(condition) = text.parse::<Condition>() else { continue };
        let again: Condition = condition.text().parse().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(again.text(), condition.text());
        assert_eq!(again.is_of_baseline(), condition.is_of_baseline());
    }
}
