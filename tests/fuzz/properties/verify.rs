//! The verification of `bench`: whatever comes in whatever order, it says the same as a set of all
//! numbers does.

use std::collections::BTreeSet;

use super::choices::Choices;
use crate::command::bench::verify::{Arrived, Pair, WINDOW};

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (mut pair, mut came) = (Pair::default(), BTreeSet::new());
    let (mut next, mut has_left) = (0_u64, false);
    while !choices.is_empty() {
        let sequence = match choices.below(8) {
            0..4 => next,
            // A hole.
            4 => next + u64::from(choices.byte()),
            5 => next + (u64::from(choices.number()) << choices.below(16)),
            // What is late or double.
            6 => next.saturating_sub(u64::from(choices.number() >> choices.below(16))),
            _ => {
                pair.leave();
                has_left = true;
                continue;
            }
        };
        let expected = if sequence >= next {
            Arrived::First
        } else if next - sequence > WINDOW {
            Arrived::Undecided
        } else if came.contains(&sequence) {
            Arrived::Duplicate
        } else {
            Arrived::Reordered
        };
        assert_eq!(pair.observe(sequence), expected, "{sequence} after {next}");
        if expected != Arrived::Undecided {
            came.insert(sequence);
        }
        next = next.max(sequence + 1);
        for near in sequence.saturating_sub(2)..=sequence + 2 {
            let is_forgotten = near < next && next - near > WINDOW;
            assert_eq!(pair.has(near), is_forgotten || came.contains(&near), "{near} of {next}");
        }
    }
    for more in [0, 1, 1000] {
        let sent = next + more;
        let (lost, missed) = pair.tally().judge(sent);
        assert_eq!(lost + missed, sent - came.len() as u64, "of {sent}");
        assert!(has_left || missed == 0, "{missed} missed by a reader that never left");
    }
}
