//! What arrives later.

use std::collections::VecDeque;
use std::time::Instant;

/// Memory for so many things is kept for the next ones.
const KEPT: usize = 64;

/// Things in the order in which they arrive, each with its time and its weight in bytes.
#[derive(Debug)]
pub struct Held<T> {
    things: VecDeque<(Instant, T, usize)>,
    weight: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { things: VecDeque::new(), weight: 0 }
    }
}

impl<T> Held<T> {
    /// Adds a thing that arrives after all others, at this time.
    pub fn push(&mut self, at: Instant, thing: T, weight: usize) {
        self.things.push_back((at, thing, weight));
        self.weight += weight;
    }

    /// Takes the next thing that has arrived at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        self.due().filter(|at| *at <= now)?;
        self.pop_any()
    }

    /// Takes the next thing, arrived or not.
    pub fn pop_any(&mut self) -> Option<T> {
        let (_, thing, weight) = self.things.pop_front()?;
        self.weight -= weight;
        if self.things.is_empty() {
            // What was needed in a rush is not kept.
            self.things.shrink_to(KEPT);
        }
        Some(thing)
    }

    /// When the next one arrives.
    pub fn due(&self) -> Option<Instant> {
        self.things.front().map(|(at, ..)| *at)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// What all of them weigh, in bytes.
    pub fn weight(&self) -> usize {
        self.weight
    }
}
