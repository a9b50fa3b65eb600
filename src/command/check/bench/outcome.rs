//! Verdicts that many points share: what was observed, and whether a connection was refused.

use std::time::{Duration, Instant};

use super::{Bench, Conn};
use crate::command::check::finding::{End, Finding, Probed, Stop, Verdict};
use crate::command::check::journal::{Journal, Observation};
use crate::command::check::points::{self, Point};
use crate::mqtt::packet::PacketType;
use crate::mqtt::version::Version;

/// How long a Close frame is waited for before a PINGREQ is written, which a closed socket answers
/// by RST: that would destroy the Close.
pub const BEFORE_FENCE: Duration = Duration::from_millis(300);

/// How long a CONNACK is waited for by points that want to see none.
pub const BEFORE_CONNACK: Duration = Duration::from_secs(5);

/// The finding of an observed point.
pub fn of_observations(
    journal: &Journal,
    point: &'static str,
    version: Option<Version>,
    good: &str,
) -> Finding {
    let all: Vec<&Observation> = journal.observed(point, version).collect();
    let Some(worst) = all.iter().map(|one| one.verdict).max() else {
        return Finding::not_applicable("nothing of that kind was seen");
    };
    if worst == Verdict::Pass {
        return Finding::pass(good);
    }
    let bad: Vec<&&Observation> = all.iter().filter(|one| one.verdict == worst).collect();
    let more = match bad.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let observed = format!("{}{more}, during {}", bad[0].observed, bad[0].during);
    match worst {
        Verdict::Fail => Finding::fail(observed),
        Verdict::Warn => Finding::warn(observed),
        Verdict::Unknown => Finding::unknown(observed),
        Verdict::NotApplicable | Verdict::Pass => Finding::not_applicable(observed),
    }
}

impl Bench {
    /// TAKEN, after the named answers came: a fence, and then this was seen.
    pub fn taken(&mut self, conn: Conn, seen: &str) -> Probed {
        self.fence(conn)?;
        Ok(Finding::pass(seen))
    }

    /// REFUSED: the server ends the connection. If it does not, a fence tells whether it serves on.
    pub fn refused(&mut self, conn: Conn) -> Probed {
        let (patience, began) = (self.patience(), Instant::now());
        if let Some(end) = self.end_within(conn, BEFORE_FENCE)? {
            return Ok(self.refusal(conn, &end));
        }
        self.send_fence(conn);
        let answered = self.wait(conn, "PINGRESP", patience, |link| {
            link.mqtt.inbox.iter().position(super::mqtt::is_pingresp)
        });
        match answered {
            Ok(_) => Ok(Finding::fail("served on: a PINGREQ after it was answered")),
            Err(Stop::Ended { .. }) => {
                let end = self.link(conn).end.clone();
                Ok(self.refusal(conn, &end))
            }
            Err(Stop::Silent { .. }) => {
                let waited = began.elapsed().as_secs_f64();
                Ok(Finding::fail(format!("neither closed nor answered within {waited:.1} s"))
                    .in_doubt())
            }
            Err(stop) => Err(stop),
        }
    }

    /// Sends each of these packets on a connection of its own: each must be REFUSED. The words
    /// name the packet.
    pub fn each_refused(&mut self, packets: Vec<(&str, Vec<u8>)>) -> Probed {
        self.each(packets, Self::refused)
    }

    /// The same, with another judge of each: the first bad finding, or how all went.
    pub fn each(
        &mut self,
        packets: Vec<(&str, Vec<u8>)>,
        judge: fn(&mut Self, Conn) -> Probed,
    ) -> Probed {
        let mut ends: Vec<String> = Vec::new();
        for (what, bytes) in packets {
            let conn = self.on()?;
            self.send_bytes(conn, &bytes);
            let finding = judge(self, conn)?;
            self.close(conn);
            if finding.verdict != Verdict::Pass {
                let observed = format!("{what}: {}", finding.observed);
                return Ok(Finding { observed, ..finding });
            }
            if !ends.contains(&finding.observed) {
                ends.push(finding.observed);
            }
        }
        Ok(Finding::pass(ends.join("; ")))
    }

    /// REFUSED before CONNACK: there is no fence.
    pub fn refused_connect(&mut self, conn: Conn) -> Probed {
        let awaited = self.wait(conn, "CONNACK", BEFORE_CONNACK, |link| {
            (link.mqtt.is_welcome() || link.end.said.is_some()).then_some(link.mqtt.is_welcome())
        });
        match awaited {
            Ok(true) => Ok(Finding::fail("accepted: CONNACK 0 came")),
            Ok(false) | Err(Stop::Ended { .. }) => {
                // A CONNACK that refuses is followed by the end; refusal-then-close judges that.
                let patience = self.patience();
                let _ = self.end_within(conn, patience)?;
                let end = self.link(conn).end.clone();
                Ok(self.refusal(conn, &end))
            }
            Err(Stop::Silent { .. }) => {
                Ok(Finding::fail("hangs: neither CONNACK nor an end within 5 s").in_doubt())
            }
            Err(stop) => Err(stop),
        }
    }

    /// The end of a connection that had to be refused, noted for `error-close-frame` and
    /// `error-reason-code`.
    pub fn refusal(&mut self, conn: Conn, end: &End) -> Finding {
        let patience = self.patience().min(Duration::from_secs(1));
        // The frame may come a moment after the DISCONNECT.
        let _ = self.wait_end(conn, patience);
        let end =
            if self.link(conn).has_ended() { self.link(conn).end.clone() } else { end.clone() };
        let closed = end.close.as_ref().is_some_and(|close| close.code.is_some());
        let verdict = if closed { Verdict::Pass } else { Verdict::Warn };
        self.journal.observe("error-close-frame", None, verdict, end.to_string());
        self.journal.count("refusals", 1);
        if closed {
            self.journal.count("refusals_with_close", 1);
        }
        self.note_reason(conn, &end);
        self.asked.saw_unexpected_end = false;
        Finding::pass(end.to_string())
    }

    /// Whether a refusal after CONNACK says why, in MQTT 5. Frames that break RFC 6455 are refused
    /// by the WebSocket: MQTT has no part in that.
    fn note_reason(&mut self, conn: Conn, end: &End) {
        let during = self.journal.during;
        let is_of_frames = |point: &Point| point.name == during && point.group() == "framing-in";
        let link = self.link(conn);
        let is_meant = link.mqtt.is_welcome() && link.mqtt.version == Version::V5;
        if !is_meant || points::all().any(is_of_frames) {
            return;
        }
        let is_reasoned =
            matches!(end.said, Some((PacketType::Disconnect, code)) if code.is_error());
        self.journal.count("refusals_after_connack", 1);
        self.journal.count("refusals_with_reason", is_reasoned.into());
        let verdict = if is_reasoned { Verdict::Pass } else { Verdict::Warn };
        self.journal.observe("error-reason-code", Some(Version::V5), verdict, end.to_string());
    }

    /// How the server ended the connection within this time; `None` if it did not.
    pub fn end_within(&mut self, conn: Conn, time: Duration) -> Result<Option<End>, Stop> {
        match self.wait(conn, "end", time, |_| None::<()>) {
            Err(Stop::Ended { end, .. }) => {
                self.asked.saw_unexpected_end = false;
                Ok(Some(end))
            }
            Err(Stop::Silent { .. }) | Ok(()) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}
