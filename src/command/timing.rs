//! `--latency`: a message says in a user property when `pub` published it, and `sub` how long it
//! took. It must never know how messages travel.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use bytes::BytesMut;
use bytestring::ByteString;

use crate::client::Options;
use crate::exit::Usage;
use crate::format::statistics::Statistics;
use crate::format::time::{self, Moment};
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Property, Value};
use crate::mqtt::version::Version;
use crate::report;

/// The name of the user property; its value is RFC 3339 in UTC with microseconds, as the `time` of
/// a record.
const NAME: &str = "time";

/// Before MQTT 5 there are no properties.
pub fn require_version_5(options: &mut Options) -> Result<()> {
    ensure!(
        options.versions.contains(&Version::V5),
        Usage::new("--latency: only MQTT 5 has the user properties that it needs")
    );
    options.require_version_5("--latency");
    Ok(())
}

/// The message is published now; what it said of another time is replaced.
pub fn stamp(publish: &mut Publish) {
    let mut now = BytesMut::new();
    Moment::now().rfc_3339(&mut now);
    let is_time =
        |property: &Property| matches!(property.value(), Value::Pair(name, _) if name == NAME);
    publish.properties.0.retain(|property| !is_time(property));
    // What rfc_3339 writes is ASCII.
    if let Ok(now) = ByteString::try_from(now.freeze()) {
        publish.properties.0.push(Property::user(ByteString::from_static(NAME), now));
    }
}

/// How long messages took, as far as they say when they were published.
#[derive(Debug, Default)]
pub struct Latency {
    times: Statistics,
    /// Messages that came before they were published.
    early: u64,
}

impl Latency {
    /// The message is here now. One that the broker had kept says how old it is, and not how fast
    /// it came.
    pub fn add(&mut self, publish: &Publish) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut properties = publish.properties.user_properties();
        let published =
            properties.find(|(name, _)| *name == NAME).and_then(|(_, time)| time::since_1970(time));
        if let Some(published) = published.filter(|_| !publish.retain) {
            self.took(published, now);
        }
    }

    fn took(&mut self, published: Duration, now: Duration) {
        match now.checked_sub(published) {
            Some(took) => self.times.add(took),
            None => self.early += 1,
        }
    }

    /// The times that were measured.
    pub fn times(&self) -> &Statistics {
        &self.times
    }

    /// Why there are fewer than messages.
    pub fn explain(&self) {
        if self.early > 0 {
            let early = self.early;
            report::warn(&format!(
                "latency: {early} messages came before they were published: the clocks differ"
            ));
        } else if self.times.is_empty() {
            report::warn(
                "latency: no message says when it was published; `mqttws pub --latency` lets it",
            );
        }
    }
}
