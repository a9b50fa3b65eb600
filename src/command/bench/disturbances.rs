//! What the run does to its own connections while messages are sent: some are cut, some stop
//! reading for a while, some are ended and made anew all the time.

use std::time::Duration;

use super::plan::Plan;

/// What is done to connections.
#[derive(Debug, Clone, Default)]
pub struct Disturbances {
    /// Connections that are cut (`--cut`), in the order of their times.
    pub cuts: Vec<CutPlan>,
    /// How many of them come back a second; `None` is all at once.
    pub comeback_rate: Option<f64>,
    /// Connections that stop reading for a while (`--stall`), in the order of their times.
    pub stalls: Vec<StallPlan>,
    /// How many connections a second are ended and made anew.
    pub churn: Option<f64>,
    /// Whether they have wills.
    pub wills: WillUse,
}

impl Disturbances {
    /// Whether connections are cut.
    pub fn has_cuts(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Whether each copy that comes has to be looked at.
    pub fn concern_copies(&self) -> bool {
        self.has_cuts() || !self.stalls.is_empty()
    }
}

/// Whether the connections have wills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WillUse {
    /// They have none.
    #[default]
    None,
    /// Each has one, and one more connection sees them (`--will`).
    Each,
}

/// Connections that stop reading at the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StallPlan {
    /// Which connections.
    pub who: CrowdPart,
    /// When, from the beginning of the window.
    pub at: Duration,
    /// For how long.
    pub length: Duration,
}

/// Connections that are cut at the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutPlan {
    /// Which connections.
    pub who: CrowdPart,
    /// When, from the beginning of the window.
    pub at: Duration,
    /// How.
    pub how: CutKind,
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutKind {
    /// TCP is reset.
    Reset,
    /// TCP is ended, without DISCONNECT and Close.
    Fin,
    /// In order: DISCONNECT, Close.
    Disconnect,
}

impl CutKind {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reset => "rst",
            Self::Fin => "fin",
            Self::Disconnect => "disconnect",
        }
    }
}

/// A part of the connections of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrowdPart {
    /// Of which kind.
    pub kind: CrowdKind,
    /// How many of them.
    pub share: CrowdShare,
}

/// A kind of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrowdKind {
    /// Those that subscribe.
    Subscribers,
    /// Those that publish.
    Publishers,
    /// Those that only stand.
    Idle,
}

impl CrowdKind {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subscribers => "sub",
            Self::Publishers => "pub",
            Self::Idle => "connect",
        }
    }

    /// The noun for one of them.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Subscribers => "subscriber",
            Self::Publishers => "publisher",
            Self::Idle => "idle connection",
        }
    }
}

/// How many connections of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CrowdShare {
    /// So many.
    Count(usize),
    /// This share in percent, rounded up.
    Percent(f64),
}

impl CrowdPart {
    /// How many connections of this kind there are in the plan.
    pub fn available(&self, plan: &Plan) -> usize {
        match self.kind {
            CrowdKind::Subscribers => plan.subscribers,
            CrowdKind::Publishers => plan.own_publishers(),
            CrowdKind::Idle => plan.idle,
        }
    }

    /// The connections: spread evenly over all of this kind.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "there are at most a million connections of a kind"
    )]
    pub fn ids(&self, plan: &Plan) -> Vec<usize> {
        let all = self.available(plan);
        let count = match self.share {
            CrowdShare::Count(count) => count.min(all),
            CrowdShare::Percent(percent) => (all as f64 * percent / 100.0 - 1e-9).ceil() as usize,
        };
        let first = match self.kind {
            CrowdKind::Subscribers => 0,
            CrowdKind::Publishers => plan.publisher_id(0),
            CrowdKind::Idle => plan.first_idle(),
        };
        (0..count).map(|at| first + at * all / count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::plan::{Audience, WriterPlace};

    const PLAN: Plan = Plan {
        publishers: 3,
        writers: WriterPlace::Here,
        subscribers: 10,
        idle: 2,
        topics: 3,
        audience: Audience::Shared,
        groups: None,
    };

    fn ids(kind: CrowdKind, share: CrowdShare) -> Vec<usize> {
        CrowdPart { kind, share }.ids(&PLAN)
    }

    #[test]
    fn a_part_is_spread_over_its_kind() {
        use CrowdKind::{Idle, Publishers, Subscribers};
        use CrowdShare::{Count, Percent};
        assert_eq!(ids(Subscribers, Percent(100.0)), (0..10).collect::<Vec<_>>());
        assert_eq!(ids(Subscribers, Percent(20.0)), [0, 5]);
        assert_eq!(ids(Subscribers, Percent(0.1)), [0]);
        assert_eq!(ids(Publishers, Count(2)), [10, 11]);
        assert_eq!(ids(Publishers, Count(3)), [10, 11, 12]);
        assert_eq!(ids(Idle, Percent(50.0)), [13]);
    }
}
