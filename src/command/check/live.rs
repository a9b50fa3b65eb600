//! What a terminal shows during a run: a line for each group that has begun, the point that is
//! asked, and above them each deviation as soon as it is found.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::bench::CheckTarget;
use super::finding::Verdict;
use super::report::baseline::Baseline;
use super::report::text::{self, Detail};
use super::run::{self, PointResult, RunEvent};
use super::{Output, ReportFormat};
use crate::terminal::region::Region;
use crate::terminal::screen;

/// How often the lines are drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

/// How many characters the bar of a group has.
const BAR: usize = 20;

/// A narrower terminal shows no bars, in columns.
const WIDE: usize = 60;

/// How far a group is.
struct GroupProgress {
    name: &'static str,
    /// How many of its points are asked, each in each of its versions.
    total: usize,
    done: usize,
    failed: usize,
    warned: usize,
    time: Duration,
}

impl GroupProgress {
    fn line(&self, columns: usize, running: Duration) -> String {
        let Self { name, total, done, failed, warned, time } = self;
        let mut line = format!("{name:<12} ");
        if columns >= WIDE {
            let full = "=".repeat(BAR * done / total.max(&1));
            // Writing to a `String` cannot fail.
            let _ = write!(line, "[{full:<BAR$}] ");
        }
        let seconds = (*time + running).as_secs_f64();
        let _ = write!(line, "{:>7} {seconds:>5.1} s", format!("{done}/{total}"));
        for (count, word) in [(failed, "FAIL"), (warned, "WARN")] {
            if *count > 0 {
                let _ = write!(line, "  {count} {word}");
            }
        }
        cut(&line, columns)
    }
}

/// The beginning of a line that fits.
fn cut(line: &str, columns: usize) -> String {
    match screen::fit(line, columns) {
        (start, _, true) => format!("{start}…"),
        (start, _, false) => start.to_owned(),
    }
}

/// What the terminal shows.
pub struct LiveView {
    region: Region,
    groups: Vec<GroupProgress>,
    /// The point that is asked, its group, and since when.
    running: Option<(String, &'static str, Instant)>,
    baseline: Option<Baseline>,
    detail: Detail,
    /// Deviations that are not shown yet.
    found: String,
    /// When the lines are drawn next.
    next: Instant,
}

impl LiveView {
    /// A view of what is asked of this server; `None` where the text is not for a terminal.
    pub fn open(
        output: &Output,
        target: &CheckTarget,
        baseline: Option<&Baseline>,
    ) -> Option<Self> {
        if output.form != ReportFormat::Text || output.detail == Detail::Little {
            return None;
        }
        let region = Region::open()?;
        let progress = |(name, total)| GroupProgress {
            name,
            total,
            done: 0,
            failed: 0,
            warned: 0,
            time: Duration::ZERO,
        };
        Some(Self {
            region,
            groups: run::planned(target).into_iter().map(progress).collect(),
            running: None,
            baseline: baseline.cloned(),
            detail: output.detail,
            found: String::new(),
            next: Instant::now(),
        })
    }

    /// Something has happened.
    pub fn take(&mut self, event: RunEvent<'_>) {
        match event {
            RunEvent::Begins { point, version } => {
                let version = version.map_or_else(String::new, |one| format!(" (MQTT {one})"));
                let name = format!("{}{version}", point.name);
                self.running = Some((name, point.group(), Instant::now()));
            }
            RunEvent::Found(result) => self.count(result),
            RunEvent::Worsened(result) => self.tell(result),
            RunEvent::Waits => {}
        }
        self.update();
    }

    fn count(&mut self, result: &PointResult) {
        self.running = None;
        let name = result.point.group();
        if let Some(group) = self.groups.iter_mut().find(|group| group.name == name) {
            group.done += 1;
            group.time += result.time;
        }
        self.tell(result);
    }

    fn tell(&mut self, result: &PointResult) {
        let name = result.point.group();
        if let Some(group) = self.groups.iter_mut().find(|group| group.name == name) {
            group.failed += usize::from(result.verdict == Verdict::Fail);
            group.warned += usize::from(result.verdict == Verdict::Warn);
        }
        let is_known = self.baseline.as_ref().is_some_and(|baseline| baseline.holds(result));
        let width = Region::size().columns.min(text::WIDEST);
        self.found += &text::deviation(result, is_known, self.detail, width);
    }

    /// Shows what has changed, unless the terminal was stopped (Ctrl-S), which must not stop the
    /// run.
    fn update(&mut self) {
        let now = Instant::now();
        if (now < self.next && self.found.is_empty()) || !screen::stderr_is_ready() {
            return;
        }
        self.next = now + REDRAW;
        self.print_found();
        self.region.draw(&self.lines());
    }

    fn print_found(&mut self) {
        if !self.found.is_empty() {
            self.region.print_above(&text::painted(&self.found));
            self.found.clear();
        }
    }

    fn lines(&self) -> Vec<String> {
        let screen::Size { rows, columns } = Region::size();
        let mut lines = Vec::new();
        for group in &self.groups {
            let running = self.running.as_ref().filter(|(_, name, _)| *name == group.name);
            let time = running.map_or(Duration::ZERO, |(_, _, since)| since.elapsed());
            if group.done > 0 || running.is_some() {
                lines.push(group.line(columns, time));
            }
            if let Some((point, _, _)) = running {
                lines.push(cut(&format!("  {point}"), columns));
            }
        }
        // The last row is for the cursor.
        let surplus = lines.len().saturating_sub(rows.saturating_sub(1).max(1));
        lines.split_off(surplus)
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.print_found();
    }
}
