//! What the topics of a run are called, and who each connection is; also where it is one part of
//! several.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::config::{FleetPlan, LoadPlan};
use super::disturbances::WillUse;
use super::part::RunPart;
use super::payload::{HEAD, Payloads, Stamp};
use super::plan::{Plan, Role};
use crate::exit::Usage;
use crate::mqtt::packet::Will;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{self, Lifetime};
use crate::mqtt::topic::TopicName;

/// What names follow from.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The number of the run.
    pub run: u32,
    /// Which part of it this is.
    pub part: RunPart,
    /// The plan of the whole.
    pub whole: Plan,
    /// The plan of this part.
    pub plan: Plan,
}

impl Names {
    /// The topics of a run, from the pattern of `-t`.
    pub fn topics(&self, pattern: &str) -> Result<Vec<TopicName>> {
        let plan = &self.plan;
        let mut topics = Vec::with_capacity(plan.topics);
        for number in 0..plan.topics {
            let number = self.part.topic_of(number, &self.whole);
            let publishers = self.whole.publishers;
            let publisher = if publishers == 0 { 0 } else { number % publishers };
            let name = expanded("-t", pattern, self.run, number, publisher)?;
            let topic = TopicName::new(name.clone())
                .map_err(|error| Usage::new(format!("-t: {name}: {error}")))?;
            topics.push(topic);
        }
        let mut names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
        names.sort_unstable();
        if let Some(name) = names.windows(2).find_map(same) {
            let why = format!("-t: two of {} topics are {name}: %i is missing", plan.topics);
            return Err(Usage::new(why).into());
        }
        Ok(topics)
    }

    /// What the topics of wills begin with, if there are any: the levels of `-t` before the last,
    /// unless they differ from topic to topic.
    pub fn wills(&self, load: &LoadPlan) -> Result<Option<String>> {
        if load.disturbances.wills == WillUse::None {
            return Ok(None);
        }
        let usual = "mqttws/bench/%r";
        let levels = load.topic.rsplit_once('/').map_or(usual, |(levels, _)| levels);
        let is_common = !levels.contains("%i") && !levels.contains("%c");
        let levels = expanded("-t", if is_common { levels } else { usual }, self.run, 0, 0)?;
        let part = if self.part.of > 1 { format!("{}/", self.part.number) } else { String::new() };
        Ok(Some(format!("{levels}/will/{part}")))
    }

    /// Gives its client id to the connection that watches the others.
    pub fn watch(&self, config: &mut session::Config) {
        config.client_id = format!("b{:08x}w{}", self.run, self.part.number).into();
        config.lifetime = Lifetime::Connection;
    }

    /// The client id of a connection: at most 23 characters. One that stands in several parts has
    /// several.
    pub fn client_id(&self, id: usize) -> ByteString {
        let (letter, number) = match self.plan.role(id) {
            Role::Subscriber(number) => ('s', self.part.subscriber(number, &self.whole)),
            Role::Publisher(number) => ('p', self.part.publisher(number, &self.whole)),
            Role::Idle(number) => ('c', self.part.topic(number)),
        };
        let run = self.run;
        if self.part.of == 1 {
            return format!("b{run:08x}{letter}{number}").into();
        }
        format!("b{run:08x}{letter}{number}-{}", self.part.number).into()
    }

    /// The number in the payloads: each part takes those of the others for foreign, unless they
    /// share a topic.
    pub fn payloads(&self) -> u32 {
        let part = u32::try_from(self.part.writer(&self.whole).number - 1).unwrap_or_default();
        self.run.wrapping_add(part.wrapping_mul(0x51_7c_c1_b7))
    }
}

/// The will of a connection.
pub fn will(prefix: &str, id: usize, payloads: &Payloads, properties: &Properties) -> Option<Will> {
    let mut payload = BytesMut::new();
    payloads.put(Stamp::of_will(id), HEAD, &mut payload);
    Some(Will {
        topic: TopicName::new(format!("{prefix}{id}")).ok()?,
        payload: payload.freeze(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: properties.clone(),
    })
}

/// The name that two neighbours share.
fn same<'a>(pair: &[&'a str]) -> Option<&'a str> {
    match pair {
        [one, other] if one == other => Some(one),
        _ => None,
    }
}

/// The pattern of this flag with its numbers.
pub fn expanded(
    flag: &str,
    pattern: &str,
    run: u32,
    topic: usize,
    connection: usize,
) -> Result<String> {
    let mut name = String::with_capacity(pattern.len() + 8);
    let mut left = pattern.chars();
    while let Some(c) = left.next() {
        if c != '%' {
            name.push(c);
            continue;
        }
        match left.next() {
            Some('i') => name.push_str(&topic.to_string()),
            Some('c') => name.push_str(&connection.to_string()),
            // Writing to a `String` cannot fail.
            Some('r') => drop(write!(name, "{run:08x}")),
            Some('%') => name.push('%'),
            _ => {
                let known = "%i (topic), %c (connection), %r (run) or %%";
                return Err(Usage::new(format!("{flag}: expected {known} after %")).into());
            }
        }
    }
    Ok(name)
}

/// What stands for the number of the connection in a client id, a user name and a password.
const NUMBER: &str = "%c";

impl FleetPlan {
    /// Refuses a client id that several connections would share.
    pub fn check(&self, connections: usize) -> Result<()> {
        let is_shared = self.client_id.as_ref().is_some_and(|id| !id.contains(NUMBER));
        let why = "-i: %c is missing: each connection needs a client id of its own";
        ensure!(connections <= 1 || !is_shared, Usage::new(why));
        Ok(())
    }

    /// Gives a connection its client id, user name and password.
    pub fn identify(&self, config: &mut session::Config, names: &Names, id: usize) {
        // Another part has other connections.
        let number = names.part.topic(id).to_string();
        config.client_id = match &self.client_id {
            Some(pattern) => pattern.replace(NUMBER, &number).into(),
            None => names.client_id(id),
        };
        self.log_in(config, id);
    }

    /// Gives a connection its user name and password.
    pub fn log_in(&self, config: &mut session::Config, id: usize) {
        let credentials = &mut config.login.credentials;
        if let Some(user) = self.users.get(id % self.users.len().max(1)) {
            *credentials = user.clone();
            return;
        }
        let number = id.to_string();
        if let Some(name) = credentials.username.as_mut().filter(|name| name.contains(NUMBER)) {
            *name = name.replace(NUMBER, &number).into();
        }
        let password = credentials.password.as_ref();
        let text = password.and_then(|bytes| std::str::from_utf8(bytes).ok());
        if let Some(text) = text.filter(|text| text.contains(NUMBER)) {
            credentials.password = Some(Bytes::from(text.replace(NUMBER, &number)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::plan::{Audience, WriterPlace};

    #[test]
    fn topics_follow_the_pattern() {
        assert_eq!(expanded("-t", "a/%r/%i/%c/%%", 0x1a, 3, 7).unwrap(), "a/0000001a/3/7/%");
        assert!(expanded("-t", "a/%x", 0, 0, 0).is_err() && expanded("-t", "a%", 0, 0, 0).is_err());
    }

    #[test]
    fn client_ids_are_short() {
        let plan = Plan {
            publishers: 1_000_000,
            writers: WriterPlace::Here,
            subscribers: 1_000_000,
            idle: 1_000_000,
            topics: 256,
            audience: Audience::Shared,
            groups: None,
        };
        let names = Names { run: u32::MAX, part: RunPart::WHOLE, whole: plan, plan };
        let ids = [0, 1_000_000, 2_999_999].map(|id| names.client_id(id));
        assert_eq!(ids[0], "bffffffffs0");
        assert_eq!(ids[1], "bffffffffp0");
        let part = Names { part: RunPart { number: 256, of: 256 }, ..names };
        assert_eq!(part.client_id(0), "bffffffffs255-256");
        assert!(ids.iter().all(|id| id.len() <= 23) && part.client_id(2_999_999).len() <= 23);
    }
}
