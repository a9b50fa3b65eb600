//! What a probe has found, and why a step of it could not go on.

use std::fmt;
use std::time::Duration;

use crate::mqtt::packet::PacketType;
use crate::mqtt::reason::ReasonCode;
use crate::websocket::frame::close_words;

/// The judgement about a point, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It does not apply.
    NotApplicable,
    /// As the clause asks.
    Pass,
    /// A should or a practice is broken, or a must is met in a way that hurts common clients.
    Warn,
    /// It could not be decided.
    Unknown,
    /// A must is broken.
    Fail,
}

impl Verdict {
    /// As the reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "n.a.",
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Unknown => "unknown",
            Self::Fail => "FAIL",
        }
    }
}

/// Whether another try may end otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It will not.
    None,
    /// It rests on silence, or on an end that could be a fault of the network.
    Network,
}

/// A verdict and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, in words. Text of the server in it is escaped by the reports.
    pub observed: String,
    /// Whether a failure is tried once more.
    pub doubt: Doubt,
    /// What to do, where what was seen tells more than the table knows.
    pub remedy: Option<&'static str>,
}

impl Finding {
    fn new(verdict: Verdict, observed: impl Into<String>) -> Self {
        Self { verdict, observed: observed.into(), doubt: Doubt::None, remedy: None }
    }

    /// As the clause asks.
    pub fn pass(observed: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, observed)
    }

    /// A must is broken. For a should or a practice the bench makes a warning of it.
    pub fn fail(observed: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, observed)
    }

    /// Something is broken that is no must, or common clients are hurt.
    pub fn warn(observed: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, observed)
    }

    /// It does not apply, and why.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::new(Verdict::NotApplicable, why)
    }

    /// It could not be decided, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, why)
    }

    /// The same, where one of several tries is meant.
    pub fn of_try(self, tried: &str) -> Self {
        Self { observed: format!("{tried}: {}", self.observed), ..self }
    }

    /// The same, with something else to do about it than for other failures of the point.
    pub fn with_remedy(self, remedy: &'static str) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// The same, resting on silence or on an end: it is tried once more.
    pub fn in_doubt(self) -> Self {
        Self { doubt: Doubt::Network, ..self }
    }
}

/// How the server ended the TCP stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The end of the stream.
    Fin,
    /// RST.
    Reset,
    /// TLS failed.
    BrokenTls,
}

/// A Close frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// Its code, if it has one.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: String,
}

/// How the server ended a connection: what it said, and what it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The reason code of a CONNACK that refuses, or of a DISCONNECT.
    pub said: Option<(PacketType, ReasonCode)>,
    /// The Close frame that came.
    pub close: Option<CloseFrame>,
    /// How the stream ended, if it did.
    pub stream: Option<StreamEnd>,
}

impl End {
    /// The server said that the client may not do what it did.
    fn is_forbidden(&self) -> bool {
        self.said == Some((PacketType::Disconnect, ReasonCode::NOT_AUTHORIZED))
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = self.code else { return f.write_str("Close without a code") };
        write!(f, "Close {code}")?;
        match close_words(code) {
            "" => {}
            words => write!(f, " ({words})")?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, " {:?}", self.reason) }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said.map(|(packet, code)| format!("{packet} 0x{:02x}", code.0));
        let stream = self.stream.map(|ending| {
            match (ending, &self.close) {
                (StreamEnd::Fin, None) => "FIN without a Close frame",
                (StreamEnd::Fin, Some(_)) => "FIN",
                (StreamEnd::Reset, _) => "RST",
                (StreamEnd::BrokenTls, _) => "broken TLS",
            }
            .to_owned()
        });
        let close = self.close.as_ref().map(ToString::to_string);
        let parts: Vec<String> = [said, close, stream].into_iter().flatten().collect();
        f.write_str(&parts.join(", then "))
    }
}

/// Why a step of a probe could not go on. [`Stop::finding`] makes the verdict that fits most
/// points; a probe that knows better looks at it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The server ended the connection while this was awaited.
    Ended {
        /// What was awaited.
        awaited: String,
        /// How it ended.
        end: End,
    },
    /// This did not come.
    Silent {
        /// What was awaited.
        awaited: String,
        /// For how long.
        after: Duration,
    },
    /// The server forbids what the probe needs: its answer.
    Forbidden(String),
    /// There is no connection to ask on: why.
    NoConnection(String),
    /// The probe has its verdict.
    Found(Finding),
    /// A signal came: the run ends.
    Interrupted,
}

impl Stop {
    /// The same, where one of several tries is meant.
    pub fn of_try(self, tried: &str) -> Self {
        let named = |awaited: String| format!("{awaited} ({tried})");
        match self {
            Self::Ended { awaited, end } => Self::Ended { awaited: named(awaited), end },
            Self::Silent { awaited, after } => Self::Silent { awaited: named(awaited), after },
            Self::Found(finding) => Self::Found(finding.of_try(tried)),
            other => other,
        }
    }

    /// The verdict that it means, where nothing else is said.
    pub fn finding(self) -> Finding {
        match self {
            Self::Ended { end, .. } if end.is_forbidden() => {
                Self::Forbidden(end.to_string()).finding()
            }
            Self::Ended { awaited, end } => {
                Finding::fail(format!("no {awaited}, the connection ended: {end}")).in_doubt()
            }
            Self::Silent { awaited, after } => {
                Finding::fail(format!("no {awaited} within {:.1} s", after.as_secs_f64()))
                    .in_doubt()
            }
            Self::Forbidden(answer) => Finding::unknown(format!(
                "not allowed for our topics ({answer}): give --topic-prefix, or -u and a password"
            )),
            Self::NoConnection(why) => Finding::unknown(format!("no connection: {why}")).in_doubt(),
            Self::Found(finding) => finding,
            Self::Interrupted => Finding::unknown("interrupted"),
        }
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

/// The result of a step.
pub type StepResult<T> = Result<T, Stop>;

/// The result of a probe.
pub type Probed = StepResult<Finding>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_its_order() {
        let mut end = End { stream: Some(StreamEnd::Fin), ..End::default() };
        assert_eq!(end.to_string(), "FIN without a Close frame");
        end.close = Some(CloseFrame { code: Some(1002), reason: "no\u{7}".to_owned() });
        end.said = Some((PacketType::Disconnect, ReasonCode::MALFORMED_PACKET));
        let words = r#"DISCONNECT 0x81, then Close 1002 (protocol error) "no\u{7}", then FIN"#;
        assert_eq!(end.to_string(), words);
    }

    #[test]
    fn silence_and_ends_are_in_doubt() {
        let silent = Stop::Silent { awaited: "PINGRESP".into(), after: Duration::from_secs(2) };
        let expected = Finding::fail("no PINGRESP within 2.0 s").in_doubt();
        assert_eq!(silent.finding(), expected);
        let said = Some((PacketType::Disconnect, ReasonCode::NOT_AUTHORIZED));
        let end = End { said, stream: Some(StreamEnd::Fin), close: None };
        let finding = Stop::Ended { awaited: "PUBACK".into(), end }.finding();
        assert_eq!((finding.verdict, finding.doubt), (Verdict::Unknown, Doubt::None));
        assert_eq!(Stop::from(Finding::pass("x")).finding().doubt, Doubt::None);
    }
}
