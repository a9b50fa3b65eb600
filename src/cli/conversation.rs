//! What `pub` and `sub` have in common: where to connect, which session, and the properties of its
//! packets. It reads what [`Connection::resolve`] reads, and must never open a connection.

use anyhow::Result;
use clap::Args;

use super::connection::Connection;
use super::property::{GivenProperties, PropertyFlags};
use super::refused::Granted;
use super::session::Persistence;
use crate::client;

/// A session that messages travel in.
#[derive(Debug, Args)]
pub struct Conversation {
    /// Address and session.
    #[command(flatten)]
    pub connection: Connection,

    /// Which session.
    #[command(flatten)]
    persistence: Persistence,

    /// Flags without effect.
    #[command(flatten)]
    granted: Granted,

    /// Properties.
    #[command(flatten)]
    properties: PropertyFlags,
}

impl Conversation {
    /// What the flags, the environment and the defaults mean together, and the properties for the
    /// packets that the command itself sends.
    pub fn resolve(&self) -> Result<(client::Options, GivenProperties)> {
        let mut options = self.connection.resolve()?;
        self.persistence.apply(&self.connection, &mut options)?;
        let properties = self.properties.apply(&self.connection, &mut options)?;
        Ok((options, properties))
    }

    /// Whether progress may be shown; see [`Connection::shows_progress`].
    pub fn shows_progress(&self) -> bool {
        self.connection.shows_progress()
    }

    /// Whether warnings and progress are unwanted.
    pub fn is_quiet(&self) -> bool {
        self.connection.is_quiet()
    }
}
