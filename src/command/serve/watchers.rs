//! What watches the broker while it runs: the log, the recorder and the expectations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::Config;
use super::expect::Expectations;
use super::log;
use super::recorder::Recorder;
use super::traffic::ClientTraffic;
use crate::broker::event::{BrokerEvent, Observer};
use crate::exit::Exit;
use crate::report;

/// All of them; the broker's thread tells them of its events.
#[derive(Clone)]
pub struct Watchers {
    log: Option<Observer>,
    /// `None` if nobody wants to know what clients send.
    listeners: Option<Arc<Mutex<Listeners>>>,
}

/// The recorder and the expectations, which are told of what clients send.
#[derive(Debug)]
struct Listeners {
    traffic: ClientTraffic,
    recorder: Option<Recorder>,
    expectations: Expectations,
}

impl Watchers {
    /// Opens what is written to.
    pub fn start(config: &Config) -> Result<Self> {
        let recorder = config.files.record.as_deref().map(Recorder::start).transpose()?;
        let is_wanted = recorder.is_some() || !config.expected.is_empty();
        let listeners = is_wanted.then(|| {
            let expectations = Expectations::new(&config.expected);
            Arc::new(Mutex::new(Listeners {
                traffic: ClientTraffic::default(),
                recorder,
                expectations,
            }))
        });
        Ok(Self { log: config.log.map(log::observer), listeners })
    }

    /// What the broker calls; `None` if nothing watches it.
    pub fn observer(&self) -> Option<Observer> {
        let Some(listeners) = self.listeners.clone() else { return self.log.clone() };
        let log = self.log.clone();
        Some(Arc::new(move |event: &BrokerEvent<'_>| {
            if let Some(log) = &log {
                log(event);
            }
            lock(&listeners).hear(event);
        }))
    }

    /// Says what was expected and has not come; the exit code of that, and of a record that is not
    /// complete.
    pub fn verdict(&mut self) -> Exit {
        let Some(listeners) = &self.listeners else { return Exit::Done };
        let listeners = lock(listeners);
        let missing = listeners.expectations.missing();
        for line in &missing {
            report::line(line);
        }
        let is_complete = listeners.recorder.as_ref().is_none_or(Recorder::is_complete);
        if is_complete && missing.is_empty() { Exit::Done } else { Exit::Local }
    }
}

impl Listeners {
    fn hear(&mut self, event: &BrokerEvent<'_>) {
        let Self { traffic, recorder, expectations } = self;
        traffic.observe(event, |seen| {
            if let Some(recorder) = recorder {
                recorder.record(seen);
            }
            expectations.see(seen);
        });
    }
}

fn lock(listeners: &Mutex<Listeners>) -> MutexGuard<'_, Listeners> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}
