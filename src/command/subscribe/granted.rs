//! What a user at a terminal is told about subscriptions that were granted.

use crate::format::count::count;
use crate::mqtt::packet::Subscription;
use crate::mqtt::reason::ReasonCode;
use crate::terminal::screen;

/// So many filters are named, and the others counted.
const NAMED: usize = 4;

/// A longer filter is cut, in columns.
const LONGEST: usize = 60;

/// A sentence for the filters with the QoS that was asked for, and one for those of each lower QoS.
pub fn describe(asked: &[Subscription], codes: &[ReasonCode]) -> Vec<String> {
    let granted = || asked.iter().zip(codes).filter(|(_, code)| !code.is_error());
    let is_lower = |asked: &Subscription, code: ReasonCode| code.0 < asked.qos.bits();
    let as_asked: Vec<&Subscription> = granted()
        .filter(|(asked, code)| !is_lower(asked, **code))
        .map(|(asked, _)| asked)
        .collect();
    let mut sentences = Vec::new();
    if !as_asked.is_empty() {
        sentences.push(format!("subscribed to {}", names(&as_asked)));
    }
    for qos in (0..=1).rev() {
        let lower: Vec<&Subscription> = granted()
            .filter(|(asked, code)| code.0 == qos && is_lower(asked, **code))
            .map(|(asked, _)| asked)
            .collect();
        if let Some(first) = lower.first() {
            let wanted = first.qos;
            sentences.push(format!(
                "subscribed to {} with QoS {qos}: the broker did not grant QoS {wanted}",
                names(&lower)
            ));
        }
    }
    sentences
}

/// The first filters, and how many others there are.
fn names(subscriptions: &[&Subscription]) -> String {
    let name = |subscription: &&Subscription| {
        let (text, _, is_cut) = screen::fit(subscription.filter.as_str(), LONGEST);
        format!("{text}{}", if is_cut { "\u{2026}" } else { "" })
    };
    let mut names: Vec<String> = subscriptions.iter().take(NAMED).map(name).collect();
    if subscriptions.len() > NAMED {
        names.push(count((subscriptions.len() - NAMED) as u64, "other filter"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::qos::QoS;
    use crate::mqtt::topic::TopicFilter;

    fn asked(filters: &[(&str, QoS)]) -> Vec<Subscription> {
        let one = |(filter, qos): &(&str, QoS)| {
            Subscription::new(TopicFilter::new((*filter).to_owned()).expect("a filter"), *qos)
        };
        filters.iter().map(one).collect()
    }

    #[test]
    fn filters_are_told_with_the_qos_where_that_is_lower() {
        use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
        let filters =
            [("a", ExactlyOnce), ("b/#", ExactlyOnce), ("c", AtMostOnce), ("d", AtLeastOnce)];
        for (codes, expected) in [
            ([2, 2, 0, 1], &["subscribed to a, b/#, c and d"][..]),
            (
                [2, 1, 0, 0],
                &[
                    "subscribed to a and c",
                    "subscribed to b/# with QoS 1: the broker did not grant QoS 2",
                    "subscribed to d with QoS 0: the broker did not grant QoS 1",
                ],
            ),
            ([0x80, 0x80, 2, 0x87], &["subscribed to c"]),
            ([0x80; 4], &[]),
        ] {
            assert_eq!(describe(&asked(&filters), &codes.map(ReasonCode)), expected, "{codes:?}");
        }
    }

    #[test]
    fn many_filters_are_counted_and_long_ones_cut() {
        let many = ["a", "b", "c", "d", "e", "f"].map(|filter| (filter, QoS::AtMostOnce));
        let told = |count: usize| describe(&asked(&many[..count]), &vec![ReasonCode(0); count]);
        assert_eq!(told(5), ["subscribed to a, b, c, d and 1 other filter"]);
        assert_eq!(told(6), ["subscribed to a, b, c, d and 2 other filters"]);
        let long = "x".repeat(61);
        let told = describe(&asked(&[(&long, QoS::AtMostOnce)]), &[ReasonCode(0)]);
        assert_eq!(told, [format!("subscribed to {}\u{2026}", &long[..59])]);
    }
}
