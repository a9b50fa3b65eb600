//! What was done to connections on purpose, and what followed.

use std::time::Duration;

use super::histogram::{causes, times};
use super::value::StoredMember;
use crate::command::bench::disturbances::{
    CrowdKind, CrowdPart, CrowdShare, CutKind, CutPlan, StallPlan,
};
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{
    ChurnResults, CutResults, DisturbanceResults, GroupResults, RetainedResults, StallResults,
    WillResults,
};

/// How many cuts, and how many stalls, there are at most.
const MOST: usize = 1000;

/// All of it.
pub fn disturbances(whole: &StoredMember<'_>) -> Result<DisturbanceResults, String> {
    let cuts = all(whole, "cuts", cut)?;
    let mut back = LatencyTimes::default();
    for cut in &cuts {
        back.merge(&cut.back);
    }
    Ok(DisturbanceResults {
        cuts,
        back,
        away: times(&whole.get("latency")?, "away_from_cuts")?,
        stalls: all(whole, "stalls", stall)?,
        churn: whole.read("churn", churn)?.unwrap_or_default(),
        retained: whole.read("retained", retained)?,
        wills: whole.read("wills", wills)?,
        // They were added later.
        sessions_left: left(whole, "connections", "sessions_left")?,
        retained_left: left(whole, "messages", "retained_left")?,
    })
}

/// What was left at the server.
fn left(whole: &StoredMember<'_>, object: &str, name: &str) -> Result<u64, String> {
    Ok(whole.get(object)?.read(name, StoredMember::count)?.unwrap_or_default())
}

/// How many connections a second were made anew.
pub fn churn_rate(whole: &StoredMember<'_>) -> Result<Option<f64>, String> {
    whole.read("churn", |churn| churn.get("rate")?.real())
}

/// What the groups got that share subscriptions.
pub fn groups(groups: &StoredMember<'_>) -> Result<GroupResults, String> {
    let count = |name: &str| groups.get(name)?.count();
    Ok(GroupResults {
        groups: count("groups")?,
        members: count("members")?,
        least: count("least")?,
        most: count("most")?,
        starved: count("starved")?,
    })
}

fn all<T>(
    whole: &StoredMember<'_>,
    name: &str,
    read: impl Fn(&StoredMember<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let member = whole.get(name)?;
    let elements = member.elements()?;
    if elements.len() > MOST {
        return Err(member.wrong(&format!("at most {MOST} elements")));
    }
    elements.iter().map(read).collect()
}

/// Which connections; so many they were.
fn who(of: &StoredMember<'_>) -> Result<CrowdPart, String> {
    let who = of.get("who")?;
    let kind = match who.text()? {
        "sub" => CrowdKind::Subscribers,
        "pub" => CrowdKind::Publishers,
        "connect" => CrowdKind::Idle,
        _ => return Err(who.wrong("sub, pub or connect")),
    };
    Ok(CrowdPart { kind, share: CrowdShare::Count(of.get("count")?.up_to(1 << 30)?) })
}

fn time(of: &StoredMember<'_>, name: &str) -> Result<Option<Duration>, String> {
    of.read(name, StoredMember::time)
}

fn cut(cut: &StoredMember<'_>) -> Result<CutResults, String> {
    let how = cut.get("how")?;
    let how = match how.text()? {
        "rst" => CutKind::Reset,
        "fin" => CutKind::Fin,
        "disconnect" => CutKind::Disconnect,
        _ => return Err(how.wrong("rst, fin or disconnect")),
    };
    Ok(CutResults {
        plan: CutPlan { who: who(cut)?, at: cut.get("at")?.time()?, how },
        count: cut.get("count")?.count()?,
        back: times(cut, "back")?,
        all_back: time(cut, "all_back")?,
        failed: causes(&cut.get("failed_tries")?)?,
        session_present: cut.get("session_present")?.count()?,
        waited: cut.get("waited")?.count()?,
        last_waited: time(cut, "last_waited")?,
        settled: time(cut, "p99_as_before")?,
    })
}

fn stall(stall: &StoredMember<'_>) -> Result<StallResults, String> {
    let (at, length) = (stall.get("at")?.time()?, stall.get("length")?.time()?);
    Ok(StallResults {
        plan: StallPlan { who: who(stall)?, at, length },
        count: stall.get("count")?.count()?,
        others: times(stall, "others")?,
        waited: stall.get("waited")?.count()?,
        last_waited: time(stall, "last_waited")?,
        disconnected: stall.get("disconnected")?.count()?,
    })
}

fn churn(churn: &StoredMember<'_>) -> Result<ChurnResults, String> {
    Ok(ChurnResults {
        ended: churn.get("ended")?.count()?,
        back: times(churn, "back")?,
        failed: causes(&churn.get("failed_tries")?)?,
        session_present: churn.get("session_present")?.count()?,
    })
}

fn retained(retained: &StoredMember<'_>) -> Result<RetainedResults, String> {
    Ok(RetainedResults {
        expected: retained.get("expected")?.count()?,
        received: retained.get("received")?.count()?,
        duplicated: retained.get("duplicated")?.count()?,
        times: times(retained, "times")?,
        complete: time(retained, "complete")?,
    })
}

fn wills(wills: &StoredMember<'_>) -> Result<WillResults, String> {
    Ok(WillResults {
        expected: wills.get("expected")?.count()?,
        received: wills.get("received")?.count()?,
        unexpected: wills.get("unexpected")?.count()?,
        delay: times(wills, "delay")?,
    })
}
