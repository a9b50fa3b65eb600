//! Why a point is not asked at all: the server is lost, the run has had its time, or the point does
//! not apply.

use std::time::Instant;

use super::tasks::Task;
use super::{RateLimit, Runner};
use crate::command::check::bench::Spoken;
use crate::command::check::finding::Finding;
use crate::command::check::points::{Need, Way};
use crate::transport::endpoint::Scheme;

impl Runner<'_> {
    /// Whether the run has had its time.
    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }

    /// Why nothing more can be asked of the server.
    pub(super) fn lost_server(&self) -> Option<String> {
        match (&self.dead, &self.limit) {
            (_, RateLimit::Reached(words)) => Some(words.clone()),
            (Some(dead), _) => Some(format!("the server no longer answers since {dead}")),
            (None, RateLimit::NotSeen | RateLimit::Rested) => None,
        }
    }

    /// The finding of a point that is not asked at all.
    pub(super) fn without_asking(&self, task: Task) -> Option<Finding> {
        let (bench, point) = (&*self.bench, task.point);
        if bench.interrupts.caught.is_some() {
            return Some(Finding::unknown("interrupted"));
        }
        if let Some(words) = self.lost_server().filter(|_| point.way != Way::Observed) {
            return Some(Finding::unknown(words));
        }
        if self.is_over() && point.way != Way::Observed {
            let longest = self.longest.as_secs_f64();
            return Some(Finding::unknown(format!(
                "not asked: {longest} s are over, the server is slow or silent; --only GROUP or a \
                 longer --timeout asks it"
            )));
        }
        if point.needs.contains(&Need::Tls) && bench.target.access.endpoint.scheme != Scheme::Wss {
            return Some(Finding::not_applicable("not wss"));
        }
        if point.needs.contains(&Need::Credentials)
            && bench.target.login.credentials.username.is_none()
        {
            return Some(Finding::not_applicable("no user name given"));
        }
        let is_about_versions = point.name.starts_with("connect-mqtt");
        match task.version.and_then(|version| bench.known.spoken(version)) {
            Some(Spoken::No(why)) if !is_about_versions => {
                Some(Finding::not_applicable(why.clone()))
            }
            _ => None,
        }
    }
}
