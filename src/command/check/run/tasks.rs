//! Which points are asked, in which versions, and in which order.

use crate::command::check::bench::CheckTarget;
use crate::command::check::points::{self, Harm, Point, Versions, Way};
use crate::command::check::probes::{self, PointProbe};
use crate::mqtt::version::Version;

/// The points that the default set asks in MQTT 5 and in 3.1.1.
const IN_BOTH: [&str; 4] =
    ["qos0-round-trip", "qos1-round-trip", "qos2-round-trip", "mqtt-disconnect"];

/// The point that is asked last: it ends the whole process of some servers.
const LAST: &str = "length-top-bit";

/// The point that ends the shared connection of its version.
const ENDS_SHARED: &str = "mqtt-disconnect";

/// One point to ask, in one version if it is asked in each.
#[derive(Clone, Copy)]
pub struct Task {
    /// The point.
    pub point: &'static Point,
    /// The version; `None` stands for the newest that is spoken.
    pub version: Option<Version>,
    /// How it is asked.
    pub probe: PointProbe,
}

impl Task {
    /// Whether it is the same point in the same version.
    fn is_of(&self, other: &Self) -> bool {
        self.point.name == other.point.name && self.version == other.version
    }
}

/// What is asked, in the order of `--only`, or else of the table.
pub fn all(target: &CheckTarget) -> Vec<Task> {
    let mut tasks = Vec::new();
    for point in points::all().filter(|point| target.selection.holds(point)) {
        let Some(probe) = probes::find(point.name) else { continue };
        for version in versions(target, point) {
            tasks.push(Task { point, version, probe });
        }
    }
    tasks.sort_by_key(|task| target.selection.rank(task.point));
    tasks
}

/// What is asked of that where these tasks are done.
pub fn left(target: &CheckTarget, done: &[Task]) -> Vec<Task> {
    let mut tasks = all(target);
    tasks.retain(|task| !done.iter().any(|one| one.is_of(task)));
    tasks
}

/// Panics where a test has named this point. Debug builds alone have this.
#[cfg(debug_assertions)]
pub fn panic_if_a_test_asks(point: &Point) {
    let names = std::env::var("MQTTWS_CHECK_PANICS_AT").unwrap_or_default();
    assert!(!names.split(',').any(|name| name == point.name), "a test asks for it");
}

/// The versions that a point is asked in.
fn versions(target: &CheckTarget, point: &Point) -> Vec<Option<Version>> {
    let tried = target.versions().into_iter();
    let is_thorough = target.selection.is_thorough_at(point);
    match &point.versions {
        // Of several, the default set asks in the newest.
        Versions::Only(only) if only.len() == 1 || is_thorough => {
            tried.filter(|version| only.contains(version)).map(Some).collect()
        }
        Versions::All if is_thorough => tried.map(Some).collect(),
        Versions::All if IN_BOTH.contains(&point.name) => {
            tried.filter(|version| *version >= Version::V3_1_1).map(Some).collect()
        }
        Versions::Newest | Versions::All | Versions::Only(_) => vec![None],
    }
}

/// Tasks by the time when they are asked.
pub struct Schedule {
    /// Points that wait: begun first, and read after all that are asked.
    pub waiting: Vec<Task>,
    /// On the shared connection of their version.
    pub shared: Vec<Task>,
    /// On connections of their own, the harmful ones last.
    pub alone: Vec<Task>,
    /// Judged at the end from what was noted.
    pub observed: Vec<Task>,
}

impl Schedule {
    /// The order of these tasks.
    pub fn new(tasks: Vec<Task>) -> Self {
        let (waiting, tasks) = parted(tasks, |task| matches!(task.probe, PointProbe::Wait { .. }));
        let (observed, tasks) = parted(tasks, |task| task.point.way == Way::Observed);
        let (mut shared, mut alone) = parted(tasks, |task| task.point.way == Way::Shared);
        shared.sort_by_key(|task| task.point.name == ENDS_SHARED);
        alone.sort_by_key(|task| (task.point.name == LAST, task.point.harm == Harm::Possible));
        Self { waiting, shared, alone, observed }
    }
}

/// The tasks for which `is_first` holds, and the others.
fn parted(tasks: Vec<Task>, is_first: fn(&Task) -> bool) -> (Vec<Task>, Vec<Task>) {
    tasks.into_iter().partition(is_first)
}
