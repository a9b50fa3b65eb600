//! The subscriptions of the caller, to make them again in a new session.

use crate::mqtt::packet::Subscription;
use crate::mqtt::property::Properties;
use crate::mqtt::topic::TopicFilter;

/// The subscriptions of each SUBSCRIBE, without the filters that were unsubscribed since.
#[derive(Debug, Default)]
pub struct SubscriptionList(Vec<(Vec<Subscription>, Properties)>);

impl SubscriptionList {
    /// Adds the subscriptions of a SUBSCRIBE.
    pub fn add(&mut self, subscriptions: Vec<Subscription>, properties: Properties) {
        self.0.push((subscriptions, properties));
    }

    /// Whether there are no subscriptions.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the filters of an UNSUBSCRIBE.
    pub fn remove(&mut self, filters: &[TopicFilter]) {
        for (subscriptions, _) in &mut self.0 {
            subscriptions.retain(|subscription| !filters.contains(&subscription.filter));
        }
        self.0.retain(|(subscriptions, _)| !subscriptions.is_empty());
    }

    /// Takes all subscriptions, to send them again.
    pub fn take(&mut self) -> Vec<(Vec<Subscription>, Properties)> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::qos::QoS;

    #[test]
    fn an_unsubscribed_filter_is_left_out() {
        let filter = |text: &'static str| TopicFilter::new(text).unwrap();
        let subscription = |text| Subscription::new(filter(text), QoS::AtMostOnce);
        let mut subscriptions = SubscriptionList::default();
        subscriptions.add(vec![subscription("a"), subscription("b")], Properties::default());
        subscriptions.add(vec![subscription("a")], Properties::default());
        subscriptions.remove(&[filter("a"), filter("c")]);
        assert_eq!(subscriptions.take(), [(vec![subscription("b")], Properties::default())]);
        assert_eq!(subscriptions.take(), []);
    }
}
