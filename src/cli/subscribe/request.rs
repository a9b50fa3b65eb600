//! What `sub` asks the broker for, and which of the messages that come it takes.

use anyhow::Result;
use bytestring::ByteString;

use super::SubscribeFlags;
use super::flags::SubscriptionFlags;
use super::output::OutputFlags;
use crate::cli::property::GivenProperties;
use crate::cli::value;
use crate::command::subscribe::config::{Filter, RetainedFilter, SubscribeRequest};
use crate::exit::Usage;
use crate::mqtt::packet::{RetainHandling, Subscription};
use crate::mqtt::property::Place;
use crate::mqtt::topic::TopicFilter;

impl SubscribeFlags {
    /// Refuses filters with characters that no topic should hold.
    pub(super) fn check_topics(&self) -> Result<(), Usage> {
        let SubscriptionFlags { topic, filter_out, unsubscribe, .. } = &self.messages;
        let share = &self.delivery.share;
        let session = &self.conversation.connection.session;
        for (flag, filters) in [("-t", topic), ("-T", filter_out), ("-U", unsubscribe)] {
            filters.iter().try_for_each(|filter| session.check_topic(flag, filter.as_str()))?;
        }
        session.check_topic("--share", share.as_deref().unwrap_or_default())
    }

    pub(super) fn subscriptions(&self, properties: &GivenProperties) -> Result<SubscribeRequest> {
        let retain_handling = match self.messages.retain_handling {
            Some(handling) => handling,
            None if self.messages.retained.0 == RetainedFilter::LeftOut => RetainHandling::Never,
            None => RetainHandling::Always,
        };
        let subscription = |filter: &TopicFilter| {
            Ok(Subscription {
                no_local: self.messages.no_local,
                retain_as_published: self.messages.retain_as_published,
                retain_handling,
                ..Subscription::new(self.shared(filter)?, self.delivery.qos)
            })
        };
        Ok(SubscribeRequest {
            subscribe: self.messages.topic.iter().map(subscription).collect::<Result<_>>()?,
            subscribe_properties: properties.of(Place::Subscribe),
            unsubscribe: self.messages.unsubscribe.clone(),
            unsubscribe_properties: properties.of(Place::Unsubscribe),
        })
    }

    /// The filter as it is sent: that of a group begins with `$share/GROUP/` (MQTT 5 §4.8.2).
    pub(super) fn shared(&self, filter: &TopicFilter) -> Result<TopicFilter, Usage> {
        let Some(group) = &self.delivery.share else { return Ok(filter.clone()) };
        if group.is_empty() {
            return Err(Usage::new("--share: the name of the group is empty"));
        }
        if let Some(wrong) = group.chars().find(|c| "/+#\0".contains(*c)) {
            return Err(Usage::new(format!(
                "--share {}: the name of a group has no {} in it; the topic filter goes to -t",
                value::elided(group),
                wrong.escape_default()
            )));
        }
        if filter.share().is_some() {
            return Err(Usage::new(format!(
                "--share: {} is a shared subscription already: leave --share out",
                value::elided(filter.as_str())
            )));
        }
        let shared = TopicFilter::new(ByteString::from(format!("$share/{group}/{filter}")));
        shared.map_err(|error| Usage::new(format!("--share: {error}")))
    }

    pub(super) fn filter(self) -> Filter {
        let OutputFlags { heading, format, json, .. } = &self.output;
        let shows_topics =
            heading.verbose || self.display.watch || format.is_some() || json.is_some();
        let shows_topics = shows_topics || self.watching.counts();
        Filter {
            skips_removals: self.messages.remove_retained && !shows_topics,
            retained: self.messages.retained.0,
            probability: self.messages.random_filter.map(|percent| percent / 100.0),
            except: self.messages.filter_out,
        }
    }
}
