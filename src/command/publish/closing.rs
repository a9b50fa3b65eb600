//! Closing the connection of a publisher: what the broker still says of messages is counted.

use std::time::Instant;

use anyhow::Result;

use super::tally::Tally;
use crate::client::Client;
use crate::command::{await_closed, close_after, is_over};
use crate::exit::Exit;

/// Whether a connection has ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    InOrder,
    /// It was lost, or given up because there is no more time for it.
    Lost,
}

/// Closes the connection: in order, or as [`close_after`] does. After `limit` there is no more time
/// for it. What the broker still says of messages is counted.
pub fn close(
    client: &mut Client,
    result: Result<Exit>,
    limit: Option<Instant>,
    tally: &mut Tally,
) -> Result<(Exit, Ending)> {
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            close_after(client, None, &error);
            return Err(error);
        }
    };
    if exit == Exit::TimedOut {
        client.shorten_close();
    }
    client.close();
    match await_closed(client, limit, |event| tally.count(event)) {
        Ok(()) => Ok((exit, Ending::InOrder)),
        // At an interrupt, or when a given time is up, the line says how much is missing.
        Err(_) if matches!(exit, Exit::Signal(_) | Exit::TimedOut) => Ok((exit, Ending::Lost)),
        Err(_) if is_over(limit) => Ok((Exit::TimedOut, Ending::Lost)),
        // Every message was acknowledged before.
        Err(error) if error.is_loss() && tally.is_acknowledged(client.session()) => {
            Ok((exit, Ending::Lost))
        }
        Err(error) => Err(error.into()),
    }
}
