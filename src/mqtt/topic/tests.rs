//! Topics: what is valid, and what matches what.

use super::*;

#[test]
fn a_filter_matches_its_topics() {
    let filter = TopicFilter::new("a/#").unwrap();
    assert!(filter.matches(&TopicName::new("a").unwrap()));
}
