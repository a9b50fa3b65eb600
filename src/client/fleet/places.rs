//! The connections of a fleet by their numbers. Where several fleets share a load each has some of
//! them, under the numbers that they have in all.

use std::ops::{Index, IndexMut};

use super::connection::FleetConnection;

/// Of so many connections each keeps its buffers, of up to 200 KiB together: those of more would be
/// most of the memory that a run takes after a moment in which much has come at once.
const KEEPING: usize = 4;

/// The connections, and the places of those that another fleet has.
#[derive(Debug, Default)]
pub struct Places {
    /// A connection is far larger than a pointer, and most places may be empty.
    places: Vec<Option<Box<FleetConnection>>>,
    present: usize,
}

impl Places {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are so many connections that they keep no memory that they do not need.
    pub fn is_large(&self) -> bool {
        self.present > KEEPING
    }

    /// Adds a connection with the next number.
    pub fn push(&mut self, connection: FleetConnection) {
        self.places.push(Some(Box::new(connection)));
        self.present += 1;
    }

    /// Another fleet has the next number.
    pub fn leave_out(&mut self) {
        self.places.push(None);
    }
}

/// What every number stands for that a fleet is told.
const OWN: &str = "a fleet is asked for its own connections only";

impl Index<usize> for Places {
    type Output = FleetConnection;

    fn index(&self, number: usize) -> &FleetConnection {
        self.places[number].as_deref().expect(OWN)
    }
}

impl IndexMut<usize> for Places {
    fn index_mut(&mut self, number: usize) -> &mut FleetConnection {
        self.places[number].as_deref_mut().expect(OWN)
    }
}
