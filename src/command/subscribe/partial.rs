//! A message that is written as it comes, and what is said when its end never comes. It must never
//! know where it is written.

use anyhow::{Error, Result};

use super::Subscriber;
use crate::client;
use crate::exit::Exit;
use crate::mqtt::session::{self, Delivery};
use crate::report;

/// See the module.
#[derive(Debug)]
pub struct Partial {
    /// The message, without a payload.
    pub delivery: Delivery,
    /// Of its payload, in bytes.
    pub length: usize,
    written: usize,
    /// It is written, not only waited for.
    pub is_wanted: bool,
}

impl Partial {
    /// Nothing came yet.
    pub fn new(delivery: Delivery, length: usize, is_wanted: bool) -> Self {
        Self { delivery, length, written: 0, is_wanted }
    }

    /// So many bytes came; whether they are to be written.
    pub fn add(&mut self, count: usize) -> bool {
        self.written += if self.is_wanted { count } else { 0 };
        self.is_wanted
    }

    /// How much of it was written, in bytes.
    pub fn written(&self) -> u64 {
        self.written as u64
    }

    /// The connection was lost, and the rest does not come.
    pub fn lost(&self) -> client::Error {
        let (topic, written, length) = (self.topic().to_owned(), self.written, self.length);
        client::Error::MessageTorn { topic, written, length }
    }

    /// This has ended us in the middle of it; perhaps (unless `is_sure`) before the output had
    /// taken what it was given.
    pub fn told(&self, result: Result<Exit>, is_sure: bool) -> Result<Exit> {
        let Self { written, length, .. } = self;
        let topic = self.topic();
        match result {
            Ok(exit) => {
                let at_most = if is_sure { "" } else { "at most " };
                report::failure(&format!(
                    "subscribed: ended in the middle of a message to {topic}: {at_most}{written} of {length} \
                     bytes were written"
                ));
                Ok(exit)
            }
            Err(error) if is_loss(&error) => Err(self.lost().into()),
            Err(error) => Err(error.context(format!(
                "in the middle of a message to {topic}, of which {written} of {length} bytes were written"
            ))),
        }
    }

    fn topic(&self) -> &str {
        self.delivery.publish.topic_or_empty()
    }
}

impl Subscriber<'_> {
    /// A part of a large message.
    pub(super) fn part(&mut self, event: session::Event) -> Result<Option<Exit>> {
        match event {
            session::Event::MessageBegins { delivery, length } => {
                let end = self.intake.begin(delivery, length);
                if !self.intake.is_amidst() {
                    self.client.ignore();
                }
                Ok(end)
            }
            session::Event::Piece(piece) => {
                self.intake.piece(piece);
                Ok(None)
            }
            session::Event::MessageEnds => Ok(self.intake.end()),
            session::Event::MessageCut => self.intake.torn().map_or(Ok(None), Err),
            _ => Ok(None),
        }
    }
}

/// Whether nobody is to blame but the network.
fn is_loss(error: &Error) -> bool {
    use client::Error::{Lost, Silent};
    let error = error.downcast_ref::<client::Error>();
    error.is_some_and(|error| matches!(error, Lost(_) | Silent(_)) && error.is_mendable())
}
