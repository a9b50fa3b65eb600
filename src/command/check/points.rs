//! The table of all points: what `check` asks, which clause that touches, how much it weighs, and
//! what to change. The man page, `--list` and the reports are made from it.

mod read;

use std::sync::OnceLock;

use crate::mqtt::version::Version;

/// How much a point weighs. Only a must can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A clause says MUST.
    Must,
    /// A clause says SHOULD.
    Should,
    /// No clause says so: common clients depend on it.
    Practice,
}

/// When a point is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Always.
    Default,
    /// With `--full`, or when it is named by `--only`.
    Full,
}

/// How a point is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On connections of its own.
    Alone,
    /// By ordinary traffic, on a connection that it shares with its like.
    Shared,
    /// Not at all: the bench notes it on the connections of the others.
    Observed,
}

/// The versions that a point is asked in.
#[derive(Debug, PartialEq, Eq)]
pub enum Versions {
    /// Once, in the newest that the server takes.
    Newest,
    /// In each that the server takes.
    All,
    /// In these.
    Only(Vec<Version>),
}

/// What a point needs beside a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A second connection at the same time.
    TwoConnections,
    /// Retained messages.
    Retained,
    /// Publishing and subscribing below the prefix is allowed.
    Topics,
    /// User name and password.
    Credentials,
    /// `wss`.
    Tls,
}

/// Whether what a point sends may harm a faulty server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Legal traffic.
    None,
    /// Broken bytes: afterwards the server is asked whether it is still there.
    Possible,
}

/// The eight headlines: F of the founding page, O of OASIS (MQTT 5 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// WebSocket as in RFC 6455.
    F1,
    /// Binary frames only.
    F2,
    /// The subprotocol `mqttv3.1`.
    F3,
    /// The path `mqtt`.
    F4,
    /// `[MQTT-6.0.0-1]`
    O1,
    /// `[MQTT-6.0.0-2]`
    O2,
    /// `[MQTT-6.0.0-3]`
    O3,
    /// `[MQTT-6.0.0-4]`
    O4,
}

impl Mark {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] =
        [Self::F1, Self::F2, Self::F3, Self::F4, Self::O1, Self::O2, Self::O3, Self::O4];

    /// As it is typed and printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::F2 => "F2",
            Self::F3 => "F3",
            Self::F4 => "F4",
            Self::O1 => "O1",
            Self::O2 => "O2",
            Self::O3 => "O3",
            Self::O4 => "O4",
        }
    }

    /// What it asks for, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::F1 => "RFC 6455",
            Self::F2 => "binary frames only",
            Self::F3 => "subprotocol mqttv3.1",
            Self::F4 => "path mqtt",
            Self::O1 => "MQTT-6.0.0-1 other data",
            Self::O2 => "MQTT-6.0.0-2 alignment",
            Self::O3 => "MQTT-6.0.0-3 a list",
            Self::O4 => "MQTT-6.0.0-4 the name",
        }
    }
}

/// One question with a certain answer from outside. A name is for ever: scripts, baselines and
/// histories hold it.
#[derive(Debug)]
pub struct Point {
    /// Unique, in kebab-case.
    pub name: &'static str,
    /// The clauses that it touches.
    pub clauses: Vec<&'static str>,
    /// The headlines that it counts for.
    pub marks: Vec<Mark>,
    /// When it is asked.
    pub set: Set,
    /// How it is asked.
    pub way: Way,
    /// How much it weighs.
    pub severity: Severity,
    /// The versions that it is asked in.
    pub versions: Versions,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Whether it may harm a faulty server.
    pub harm: Harm,
    /// What a good server does, as a statement.
    pub expected: &'static str,
    /// Why a user should care.
    pub why: &'static str,
    /// What to change, and where.
    pub remedy: &'static str,
}

/// Points that belong together.
#[derive(Debug)]
pub struct PointGroup {
    /// In kebab-case.
    pub name: &'static str,
    /// In the order in which they are shown.
    pub points: Vec<Point>,
}

/// All groups, from the network up.
pub fn groups() -> &'static [PointGroup] {
    static GROUPS: OnceLock<Vec<PointGroup>> = OnceLock::new();
    GROUPS.get_or_init(read::groups)
}

/// Every point, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Point> {
    groups().iter().flat_map(|group| &group.points)
}

/// The point of this name.
pub fn find(name: &str) -> Option<&'static Point> {
    all().find(|point| point.name == name)
}

impl Point {
    /// The name of its group.
    pub fn group(&self) -> &'static str {
        let holds = |group: &&PointGroup| group.points.iter().any(|point| point.name == self.name);
        groups().iter().find(holds).map_or("", |group| group.name)
    }

    /// Whether MQTT is spoken when it is asked.
    pub fn speaks_mqtt(&self) -> bool {
        !matches!(self.group(), "reach" | "tls" | "upgrade")
    }
}

impl Way {
    /// All of them.
    const ALL: [Self; 3] = [Self::Alone, Self::Shared, Self::Observed];

    /// As the table has it.
    fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Shared => "shared",
            Self::Observed => "observed",
        }
    }
}

impl Severity {
    /// All of them.
    const ALL: [Self; 3] = [Self::Must, Self::Should, Self::Practice];

    /// As the reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Practice => "practice",
        }
    }
}

impl Set {
    /// As the reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Full => "full",
        }
    }
}

impl Need {
    /// All of them.
    const ALL: [Self; 5] =
        [Self::TwoConnections, Self::Retained, Self::Topics, Self::Credentials, Self::Tls];

    /// As `--list` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoConnections => "two-connections",
            Self::Retained => "retained",
            Self::Topics => "topics",
            Self::Credentials => "credentials",
            Self::Tls => "tls",
        }
    }
}

impl Versions {
    /// As `--list` writes it.
    pub fn name(&self) -> String {
        match self {
            Self::Newest => "newest".to_owned(),
            Self::All => "all".to_owned(),
            Self::Only(versions) => {
                versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let names: BTreeSet<&str> = all().map(|point| point.name).collect();
        assert_eq!((names.len(), all().count()), (156, 156));
        let groups: BTreeSet<&str> = groups().iter().map(|group| group.name).collect();
        assert!(names.is_disjoint(&groups), "--only takes both");
        for name in names {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(plain), "{name}");
        }
    }

    #[test]
    fn every_headline_has_its_points() {
        let of = |mark| -> Vec<&str> {
            all().filter(|point| point.marks.contains(&mark)).map(|point| point.name).collect()
        };
        assert_eq!(of(Mark::F2), ["text-frame", "text-frame-first", "binary-only"]);
        assert_eq!(of(Mark::F3), ["offer-mqttv31"]);
        assert_eq!(of(Mark::F4), ["path-mqtt"]);
        assert_eq!(of(Mark::O1), of(Mark::F2));
        assert_eq!(of(Mark::O3), ["offer-list", "offer-list-forms", "offer-unknown-first"]);
        assert_eq!(of(Mark::O4), ["offer-mqtt"]);
        assert_eq!(of(Mark::O2).len(), 4);
        assert!(all().all(|point| !point.expected.is_empty() && !point.remedy.is_empty()));
    }
}
