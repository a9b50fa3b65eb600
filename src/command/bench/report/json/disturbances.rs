//! Members for what was done to connections on purpose, and what came of it.

use super::object::{Object, array, counts, seconds, times};
use crate::command::bench::config::SessionKeeping;
use crate::command::bench::results::{
    ChurnResults, CutResults, GroupResults, RetainedResults, StallResults, WillResults,
};

/// The member `stalls`.
pub fn stalls(stalls: &[StallResults]) -> String {
    array(stalls.iter().map(|stall| {
        Object::new()
            .raw("at", seconds(stall.plan.at))
            .raw("length", seconds(stall.plan.length))
            .text("who", stall.plan.who.kind.word())
            .raw("count", stall.count)
            .raw("others", times(&stall.others))
            .raw("waited", stall.waited)
            .maybe("last_waited", stall.last_waited.map(seconds))
            .raw("disconnected", stall.disconnected)
            .end()
    }))
}

/// The member `groups`.
pub fn groups(groups: &GroupResults) -> String {
    Object::new()
        .raw("groups", groups.groups)
        .raw("members", groups.members)
        .raw("least", groups.least)
        .raw("most", groups.most)
        .raw("starved", groups.starved)
        .end()
}

/// The member `churn`.
pub fn churn(rate: Option<f64>, churn: &ChurnResults) -> Option<String> {
    let object = Object::new()
        .raw("rate", rate?)
        .raw("ended", churn.ended)
        .raw("back", times(&churn.back))
        .raw("failed_tries", counts(&churn.failed))
        .raw("session_present", churn.session_present);
    Some(object.end())
}

/// The member `cuts`.
pub fn cuts(cuts: &[CutResults]) -> String {
    array(cuts.iter().map(|cut| {
        Object::new()
            .raw("at", seconds(cut.plan.at))
            .text("who", cut.plan.who.kind.word())
            .text("how", cut.plan.how.word())
            .raw("count", cut.count)
            .raw("back", times(&cut.back))
            .maybe("all_back", cut.all_back.map(seconds))
            .raw("failed_tries", counts(&cut.failed))
            .raw("session_present", cut.session_present)
            .raw("waited", cut.waited)
            .maybe("last_waited", cut.last_waited.map(seconds))
            .maybe("p99_as_before", cut.settled.map(seconds))
            .end()
    }))
}

/// For how many seconds sessions are kept; 0 is not at all.
pub fn expiry(sessions: SessionKeeping) -> u32 {
    match sessions {
        SessionKeeping::Connection => 0,
        SessionKeeping::Kept(expiry) => expiry,
    }
}

/// The member `retained`.
pub fn retained(retained: &RetainedResults) -> String {
    Object::new()
        .raw("expected", retained.expected)
        .raw("received", retained.received)
        .raw("duplicated", retained.duplicated)
        .maybe("complete", retained.complete.map(seconds))
        .raw("times", times(&retained.times))
        .end()
}

/// The member `wills`.
pub fn wills(wills: &WillResults) -> String {
    Object::new()
        .raw("expected", wills.expected)
        .raw("received", wills.received)
        .raw("unexpected", wills.unexpected)
        .raw("delay", times(&wills.delay))
        .end()
}
