//! What a stored report holds several times: a histogram, and how often each cause came.

use std::collections::BTreeMap;

use super::value::StoredMember;
use crate::client::fleet::Cause;
use crate::command::bench::measure::{LatencyTimes, TimesSummary};

/// How many causes there are at most.
const MOST_CAUSES: usize = 100;

/// How often each cause came.
pub fn causes(member: &StoredMember<'_>) -> Result<BTreeMap<Cause, u64>, String> {
    let members = member.members()?;
    if members.len() > MOST_CAUSES {
        return Err(member.wrong("fewer causes"));
    }
    let causes = members.into_iter().map(|(name, count)| {
        let cause = name.parse().map_err(|()| count.wrong("a cause that bench knows"))?;
        Ok((cause, count.count()?))
    });
    causes.collect()
}

/// Times; none where it is null.
pub fn times(of: &StoredMember<'_>, name: &str) -> Result<LatencyTimes, String> {
    let Some(member) = of.maybe(name)? else { return Ok(LatencyTimes::default()) };
    let buckets = member.get("histogram")?.elements()?.into_iter().map(|bucket| {
        match &bucket.elements()?[..] {
            [low, count] => Ok((low.count()?, count.count()?)),
            _ => Err(bucket.wrong("a value and its count")),
        }
    });
    let summary = TimesSummary {
        never: member.get("never")?.count()?,
        sum: member.get("sum")?.long()?.into(),
        shortest: member.read("min", StoredMember::count)?.unwrap_or(0),
        longest: member.read("longest", StoredMember::count)?.unwrap_or(0),
    };
    let times = LatencyTimes::of_buckets(&buckets.collect::<Result<Vec<_>, String>>()?, summary);
    let times = times.ok_or_else(|| member.wrong("a histogram that fits min and longest"))?;
    if times.count() != member.get("count")?.count()? {
        return Err(member.wrong("as many times in the histogram as count says"));
    }
    Ok(times)
}
