//! The report as text: the headlines first, then what deviates and what to do about it.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::finding::Verdict;
use super::super::journal::Evidence;
use super::super::points::{self, Point, Set};
use super::super::run::PointResult;
use super::headlines::Headline;
use super::{PointCounts, Report, ServerVerdict, sanitised};
use crate::terminal::screen;

/// How wide a line is where there is no terminal, and at most, in columns.
pub const WIDEST: usize = 80;

/// On a narrower terminal observations stand below the title of their headline, in columns.
const NARROW: usize = 60;

/// Text that is being written, in lines that fit.
struct Page {
    text: String,
    /// How wide a line may be, in columns.
    width: usize,
}

impl Page {
    fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    /// Adds a line as it is.
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Adds `text` after `indent` blanks, wrapped at blanks.
    fn wrapped(&mut self, indent: usize, text: &str) {
        self.hanging(&" ".repeat(indent), indent, text);
    }

    /// Adds `start` and `text`, wrapped at blanks, the later lines after `indent` blanks.
    fn hanging(&mut self, start: &str, indent: usize, text: &str) {
        let mut line = start.to_owned();
        let mut is_empty = true;
        let room = self.width.saturating_sub(indent).max(1);
        for word in text.split(' ').flat_map(|word| pieces(word, room)) {
            let width = line.width() + usize::from(!is_empty) + word.width();
            if !is_empty && width > self.width {
                self.line(line.trim_end());
                line = " ".repeat(indent);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(line.trim_end());
    }
}

/// How much of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// `--quiet`: the headlines and the verdict.
    Little,
    /// The deviations, too.
    Usual,
    /// `-v`: every point, and the evidence of all.
    Much,
}

/// Whether the deviations are in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviations {
    /// They are.
    Here,
    /// They were shown when they were found.
    Above,
}

/// The whole text, in lines of so many columns.
pub fn render(report: &Report, detail: Detail, shown: Deviations, width: usize) -> String {
    let mut out = Page::new(width);
    if detail != Detail::Little {
        head(report, &mut out);
        out.line("");
    }
    headlines(&report.headlines(), &mut out);
    if detail != Detail::Little {
        deviations(report, detail, shown, &mut out);
        unknown(report, &mut out);
        if detail == Detail::Much {
            passed(report, &mut out);
        }
        groups(report, &mut out);
        summary(report, &mut out);
    }
    verdict(report, &mut out);
    out.text
}

/// The pieces of a word that fit into so many columns.
fn pieces(mut word: &str, columns: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !word.is_empty() {
        let mut width = 0;
        let mut fits = |character: char| {
            width += character.width().unwrap_or(0);
            width <= columns
        };
        let first = word.chars().next().map_or(0, char::len_utf8);
        let taken: usize = word.chars().take_while(|c| fits(*c)).map(char::len_utf8).sum();
        let (piece, rest) = word.split_at(taken.max(first));
        pieces.push(piece);
        word = rest;
    }
    pieces
}

fn head(report: &Report, out: &mut Page) {
    out.hanging("", 2, &reached(report));
    out.hanging("  ", 4, &limits(report));
    if let Some(tls) = tls(report) {
        out.hanging("  ", 4, &tls);
    }
    let pings = fact(report, "server_pings").map_or("no WebSocket ping seen".to_owned(), |count| {
        format!("{count} WebSocket pings seen")
    });
    let most = fact(report, "packets_per_message_max")
        .map_or("none with packets seen".to_owned(), |most| format!("at most {most} packets each"));
    let seconds = report.course.time.as_secs_f64();
    let frames = format!("frames: {most}; {pings} in {seconds:.1} s");
    out.hanging("  ", 4, &frames);
}

/// A fact, harmless for a terminal.
fn fact(report: &Report, name: &str) -> Option<String> {
    report.server.facts.get(name).map(|fact| sanitised(&fact.to_string()))
}

/// What was checked, and what was agreed on.
fn reached(report: &Report) -> String {
    let mut line = report.server.url.clone();
    if let Some(address) = fact(report, "address") {
        let _ = write!(line, " ({address})");
    }
    if let Some(name) = fact(report, "subprotocol") {
        let _ = write!(line, ", subprotocol {name}");
    }
    if !report.server.versions.is_empty() {
        let names: Vec<String> = report.server.versions.iter().map(ToString::to_string).collect();
        let _ = write!(line, ", MQTT {}", names.join(" "));
    }
    line
}

fn limits(report: &Report) -> String {
    let server = fact(report, "server")
        .map_or("no Server header".to_owned(), |name| format!("Server: {name}"));
    let announced: Vec<String> = ANNOUNCED
        .iter()
        .filter_map(|(name, words)| Some(format!("{words} {}", fact(report, name)?)))
        .collect();
    match &announced[..] {
        [] => server,
        limits => format!("limits: {}; {server}", limits.join(", ")),
    }
}

fn tls(report: &Report) -> Option<String> {
    let version = fact(report, "tls_version")?;
    let cipher = fact(report, "tls_cipher").unwrap_or_default();
    let until = fact(report, "tls_not_after").unwrap_or_default();
    let until = until.split('T').next().filter(|day| !day.is_empty());
    let until = until.map_or_else(String::new, |day| format!(", certificate until {day}"));
    Some(format!("TLS: {version}, {cipher}{until}"))
}

/// The facts of CONNACK that the head shows.
const ANNOUNCED: [(&str, &str); 5] = [
    ("receive_maximum", "receive maximum"),
    ("topic_alias_maximum", "topic alias maximum"),
    ("maximum_packet_size", "maximum packet size"),
    ("maximum_qos", "maximum QoS"),
    ("server_keep_alive", "server keep alive"),
];

fn headlines(headlines: &[Headline], out: &mut Page) {
    for (number, headline) in headlines.iter().enumerate() {
        if number == 0 {
            out.line("The founding page (Eclipse Paho)");
        } else if number == 4 {
            out.line("MQTT over WebSocket (OASIS, section 6)");
        }
        let (verdict, title) = (headline.verdict.name(), headline.mark.title());
        let observed = sanitised(&headline.observed);
        if out.width < NARROW {
            out.line(&format!("  {verdict:<7} {title}"));
            out.wrapped(10, &observed);
        } else {
            let start = format!("  {verdict:<7} {title:<23} ");
            out.hanging(&start, start.len(), &observed);
        }
    }
}

/// The results of each point with this verdict, its versions together.
fn with(
    report: &Report,
    is_wanted: impl Fn(&PointResult) -> bool,
) -> Vec<(&'static Point, Vec<&PointResult>)> {
    let mut points = report.by_point();
    for (_, results) in &mut points {
        results.retain(|result| is_wanted(result));
    }
    points.retain(|(_, results)| !results.is_empty());
    points
}

fn deviations(report: &Report, detail: Detail, shown: Deviations, out: &mut Page) {
    let failed = with(report, PointResult::is_new_failure);
    let warned = with(report, |result| result.verdict == Verdict::Warn);
    let known = with(report, |result| result.verdict == Verdict::Fail && !result.is_new_failure());
    let count = failed.len() + warned.len() + known.len();
    if count > 0 {
        let plural = if count == 1 { "" } else { "s" };
        let place = if shown == Deviations::Above { ", told above" } else { "" };
        out.line(&format!("\n{count} deviation{plural}{place}"));
    }
    let told = [("FAIL", failed), ("WARN", warned), ("known", known)];
    for (word, points) in told.into_iter().filter(|_| shown == Deviations::Here) {
        for (point, results) in points {
            deviation_lines(word, point, &results, detail, out);
        }
    }
    for fixed in &report.fixed {
        out.hanging("  fixed ", 8, fixed);
    }
}

/// A deviation by itself; nothing if the result is none.
pub fn deviation(result: &PointResult, is_known: bool, detail: Detail, width: usize) -> String {
    let mut out = Page::new(width);
    let word = match result.verdict {
        Verdict::Fail if is_known => "known",
        Verdict::Fail | Verdict::Warn => result.verdict.name(),
        Verdict::Pass | Verdict::NotApplicable | Verdict::Unknown => return String::new(),
    };
    deviation_lines(word, result.point, &[result], detail, &mut out);
    out.text
}

fn deviation_lines(
    word: &str,
    point: &Point,
    results: &[&PointResult],
    detail: Detail,
    out: &mut Page,
) {
    point_lines(word, point, results, detail, out);
    // Results of one point come with the worst first.
    out.wrapped(8, &format!("to do: {}", results[0].remedy));
}

/// The same text with the words of verdicts in colour, where stdout wants colour. They stand at the
/// beginning of lines, after two blanks, where no text of a server can be.
pub fn painted(text: &str) -> String {
    if !screen::stdout_has_colour() {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(painted_line).collect()
}

fn painted_line(line: &str) -> String {
    for (word, colour) in [("PASS", 32), ("WARN", 33), ("FAIL", 31), ("unknown", 35)] {
        let rest = line.strip_prefix("  ").and_then(|line| line.strip_prefix(word));
        if let Some(rest) = rest.filter(|rest| rest.starts_with(' ')) {
            return format!("  \x1b[{colour}m{word}\x1b[0m{rest}");
        }
    }
    line.to_owned()
}

/// A point with what was seen, the same of several versions once.
fn point_lines(
    word: &str,
    point: &Point,
    results: &[&PointResult],
    detail: Detail,
    out: &mut Page,
) {
    let clauses = point.clauses.join(", ");
    let clauses = if clauses.is_empty() { String::new() } else { format!("; {clauses}") };
    let title = format!("{} ({}{clauses})", point.name, point.group());
    out.hanging(&format!("  {word:<5} "), 8, &title);
    for (observed, versions) in seen(results) {
        let versions = if versions.is_empty() {
            String::new()
        } else {
            format!(" (MQTT {})", versions.join(" and "))
        };
        out.wrapped(8, &format!("{}{versions}", sanitised(observed)));
    }
    if detail == Detail::Much {
        results.iter().flat_map(|result| &result.evidence).for_each(|line| evidence(line, out));
    }
}

/// What was seen, each with its versions.
fn seen<'a>(results: &[&'a PointResult]) -> Vec<(&'a str, Vec<String>)> {
    let mut seen: Vec<(&str, Vec<String>)> = Vec::new();
    for result in results {
        let version = result.version.map(|version| version.to_string());
        match seen.iter_mut().find(|(observed, _)| *observed == result.observed) {
            Some((_, versions)) => versions.extend(version),
            None => seen.push((&result.observed, version.into_iter().collect())),
        }
    }
    seen
}

/// One line of evidence.
pub fn evidence_line(line: &Evidence) -> String {
    let Evidence { at, direction, layer, note, bytes } = line;
    let (direction, layer) = (direction.name(), layer.name());
    let at = at.as_secs_f64();
    format!("{at:.3} {direction} {layer} {} {bytes}", sanitised(note)).trim_end().to_owned()
}

fn evidence(line: &Evidence, out: &mut Page) {
    out.line(&format!("          {}", evidence_line(line)));
}

fn unknown(report: &Report, out: &mut Page) {
    let points = with(report, |result| result.verdict == Verdict::Unknown);
    if !points.is_empty() {
        out.line(&format!("\n{} unknown", points.len()));
    }
    // The same reason once, with all its points.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (point, results) in points {
        let observed = results[0].observed.as_str();
        match reasons.iter_mut().find(|(reason, _)| *reason == observed) {
            Some((_, names)) => names.push(point.name),
            None => reasons.push((observed, vec![point.name])),
        }
    }
    for (reason, names) in reasons {
        out.hanging("  ", 4, &format!("{}: {}", names.join(", "), sanitised(reason)));
    }
}

fn passed(report: &Report, out: &mut Page) {
    out.line("");
    for verdict in [Verdict::Pass, Verdict::NotApplicable] {
        for (point, results) in with(report, |result| result.verdict == verdict) {
            point_lines(verdict.name(), point, &results, Detail::Much, out);
        }
    }
}

fn groups(report: &Report, out: &mut Page) {
    let (mut counts, mut without) = (Vec::new(), Vec::new());
    let points = report.by_point();
    for group in points::groups() {
        let of_group = || points.iter().filter(|(point, _)| point.group() == group.name);
        let applied =
            of_group().filter(|(_, results)| results[0].verdict != Verdict::NotApplicable);
        let all = applied.clone().count();
        let good = applied.filter(|(_, results)| results[0].verdict == Verdict::Pass).count();
        match (all, of_group().count()) {
            (0, 0) if group.points.iter().all(|point| point.set == Set::Full) => {
                without.push(format!("{}: only with --full", group.name));
            }
            (0, 0) => without.push(format!("{}: not asked", group.name)),
            (0, _) => without.push(format!("{}: n.a.", group.name)),
            (all, _) => counts.push(format!("{} {good}/{all}", group.name)),
        }
    }
    out.line("");
    let without =
        if without.is_empty() { String::new() } else { format!(" ({})", without.join("; ")) };
    out.hanging("", 0, &format!("{}{without}", counts.join(", ")));
}

fn summary(report: &Report, out: &mut Page) {
    let counts = report.counts();
    let known = match counts.known {
        0 => String::new(),
        known => format!(", {known} known"),
    };
    let line = format!(
        "{} points: {} PASS, {} WARN, {} FAIL{known}, {} n.a., {} unknown; {} connections, {} \
         bytes, {:.1} s",
        counts.all(),
        counts.pass,
        counts.warn,
        counts.fail,
        counts.not_applicable,
        counts.unknown,
        report.course.connections,
        report.course.traffic.0 + report.course.traffic.1,
        report.course.time.as_secs_f64()
    );
    out.hanging("", 0, &line);
}

fn verdict(report: &Report, out: &mut Page) {
    let (verdict, point) = report.verdict();
    let title = verdict.title();
    let scope = if report.selection.is_partial() { " (of the points asked for)" } else { "" };
    let point = point.and_then(super::super::points::find);
    let reason = reason(report, verdict, point);
    out.hanging("", 0, &format!("{title}{scope}{reason}"));
    let flaky = report.flaky();
    if !flaky.is_empty() {
        let names = flaky.join(", ");
        let words = "The server, or a proxy before it, does not always do the same";
        let more = "Look for that first: other deviations may follow from it.";
        out.hanging("", 0, &format!("{words} ({names}). {more}"));
    }
    let faults: Vec<&str> = report.faults().map(|result| result.point.name).collect();
    if !faults.is_empty() {
        let names = faults.join(", ");
        let words = "A fault in mqttws kept points from being decided; please report it";
        out.hanging("", 0, &format!("{words}: {names}."));
    }
}

/// Why the verdict is as it is.
fn reason(report: &Report, verdict: ServerVerdict, point: Option<&Point>) -> String {
    match (verdict, point) {
        (ServerVerdict::Interoperable, _) => match report.counts() {
            PointCounts { unknown: 1.., .. } => {
                ": every must that could be decided holds; see what is unknown.".to_owned()
            }
            PointCounts { warn: 1.., .. } => ": every must holds; see the warnings.".to_owned(),
            _ => ": every point that was asked holds.".to_owned(),
        },
        (ServerVerdict::Usable, Some(point)) => format!(
            ": a must is broken ({}). Our own defaults work; clients that need this do not: {}",
            point.name, point.why
        ),
        (ServerVerdict::NotUsable, Some(point)) => {
            let failed = report.of(point.name).find(|one| one.verdict == Verdict::Fail);
            let remedy = failed.map_or(point.remedy, |one| one.remedy);
            format!(": {} fails. To do: {remedy}", point.name)
        }
        (ServerVerdict::Undecided, Some(point)) => {
            let seen = report.of(point.name).find(|one| one.verdict == Verdict::Unknown);
            let why = seen.map_or_else(String::new, |one| sanitised(&one.observed));
            format!(": {} could not be decided: {why}", point.name)
        }
        (_, _) => report
            .failure
            .as_ref()
            .map_or_else(String::new, |(_, words)| format!(": {}", sanitised(words))),
    }
}
