//! What the broker does, on stderr: as `mosquitto -v` has it, or as JSON.

pub(super) mod clients;
mod json;
#[cfg(test)]
mod tests;
mod text;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;

use crate::broker::event::{BrokerEvent, Observer};
use crate::report;
use crate::stdio;
use clients::Clients;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// An object for each event.
    Json,
}

/// Writes each event to stderr.
pub fn observer(form: LogForm) -> Observer {
    let clients = Mutex::new(Clients::default());
    Arc::new(move |event: &BrokerEvent<'_>| {
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.begin(event);
        match form {
            LogForm::Text => {
                for line in text::lines(event, &clients) {
                    report::trace(&line);
                }
            }
            LogForm::Json => {
                let mut time = BytesMut::new();
                stdio::local_time().rfc_3339(&mut time);
                let time = String::from_utf8_lossy(&time);
                report::machine_summary(&json::object(event, &clients, &time));
            }
        }
        clients.end(event);
    })
}
