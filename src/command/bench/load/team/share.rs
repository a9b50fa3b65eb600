//! Which connections each of several loops has.

use crate::command::bench::plan::{Plan, Role, WriterPlace};

/// The share of one loop.
///
/// Readers, publishers and idle connections are dealt in turn, each from where those before ended
/// if they were fewer than loops: so a publisher and its reader are mostly in the same loop, and no
/// loop has nothing. All members of a group that shares subscriptions are in one.
#[derive(Debug, Clone, Copy)]
pub struct LoopShare {
    /// The number of the loop, from 0.
    pub number: usize,
    /// How many loops there are.
    pub of: usize,
    /// Which loop has the first publisher, and which the first idle connection.
    first: [usize; 2],
    /// Where the publishers are.
    writers: WriterPlace,
}

impl LoopShare {
    /// The share of one of `of` loops in the connections of a plan.
    pub fn new(plan: &Plan, number: usize, of: usize) -> Self {
        let after = |first: usize, count| if count < of { first + count } else { first };
        let publishers = after(0, plan.readers());
        let (first, writers) =
            ([publishers, after(publishers, plan.own_publishers())], plan.writers);
        Self { number, of, first, writers }
    }

    /// How many loops can have something to do.
    pub fn most(plan: &Plan) -> usize {
        plan.readers() + plan.own_publishers() + plan.idle
    }

    /// The loop that has a publisher.
    pub fn of_publisher(&self, publisher: usize) -> usize {
        (self.first[0] + publisher) % self.of
    }

    /// Whether it has a publisher.
    pub fn has_publisher(&self, publisher: usize) -> bool {
        self.writers.is_here() && self.of_publisher(publisher) == self.number
    }

    /// Whether it has a reader.
    pub fn has_reader(&self, reader: usize) -> bool {
        reader % self.of == self.number
    }

    /// Which of its readers a reader is, from 0.
    pub fn place_of_reader(&self, reader: usize) -> usize {
        reader / self.of
    }

    /// How many of so many readers it has.
    pub fn readers(&self, all: usize) -> usize {
        (all + self.of - 1 - self.number) / self.of
    }

    /// Whether it has a connection.
    pub fn has(&self, plan: &Plan, id: usize) -> bool {
        match plan.role(id) {
            Role::Subscriber(subscriber) => self.has_reader(plan.reader(subscriber)),
            Role::Publisher(publisher) => self.has_publisher(publisher),
            Role::Idle(idle) => (self.first[1] + idle) % self.of == self.number,
        }
    }
}

/// The connections of one loop, by their numbers.
#[derive(Debug, Clone, Copy)]
pub struct OwnIds(Option<(Plan, LoopShare)>);

impl OwnIds {
    /// Those of a loop.
    pub fn of(plan: Plan, share: LoopShare) -> Self {
        Self((share.of > 1).then_some((plan, share)))
    }

    /// Every one.
    #[cfg(test)]
    pub fn all() -> Self {
        Self(None)
    }

    /// Whether the loop has this one.
    pub fn has(&self, id: usize) -> bool {
        self.0.is_none_or(|(plan, share)| share.has(&plan, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::plan::{Audience, WriterPlace};

    #[test]
    fn every_connection_is_in_one_loop_and_no_loop_is_empty() {
        for (publishers, subscribers, idle, groups) in [
            (1, 1, 0, None),
            (100, 10, 0, None),
            (1, 1000, 0, None),
            (1000, 1, 3, None),
            (0, 0, 7, None),
            (5, 9, 2, Some(2)),
            (2, 1, 1, None),
        ] {
            let audience = Audience::Shared;
            let (writers, topics) = (WriterPlace::Here, 8);
            let plan = Plan { publishers, writers, subscribers, idle, topics, audience, groups };
            for of in 1..=LoopShare::most(&plan).min(9) {
                let shares: Vec<_> = (0..of).map(|n| LoopShare::new(&plan, n, of)).collect();
                let owners = |id| shares.iter().filter(|share| share.has(&plan, id)).count();
                assert!((0..plan.connections()).all(|id| owners(id) == 1), "{plan:?} {of}");
                for share in &shares {
                    let own = |id: &usize| share.has(&plan, *id);
                    assert!((0..plan.connections()).any(|id| own(&id)), "{plan:?} {of}");
                    let readers = (0..plan.readers()).filter(|reader| share.has_reader(*reader));
                    let places: Vec<usize> =
                        readers.map(|reader| share.place_of_reader(reader)).collect();
                    let count = share.readers(plan.readers());
                    assert_eq!(places, (0..count).collect::<Vec<_>>(), "{plan:?} {of}");
                }
            }
        }
    }

    #[test]
    fn pairs_and_groups_stay_together() {
        let (writers, audience) = (WriterPlace::Here, Audience::Shared);
        let (publishers, subscribers, idle, topics, groups) = (8, 8, 0, 8, None);
        let plan = Plan { publishers, writers, subscribers, idle, topics, audience, groups };
        let share = LoopShare::new(&plan, 1, 4);
        for number in 0..8 {
            assert_eq!(share.has(&plan, number), share.has(&plan, plan.publisher_id(number)));
        }
        let plan = Plan { groups: Some(3), ..plan };
        let share = LoopShare::new(&plan, 1, 2);
        let own: Vec<usize> = (0..8).filter(|id| share.has(&plan, *id)).collect();
        assert_eq!(own, [1, 4, 7]);
    }
}
