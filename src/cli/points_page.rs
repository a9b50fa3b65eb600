//! The section of mqttws-check(1) about the points: the table that the program has, and a paragraph
//! for each from `manual/check-points.txt`.

use std::collections::BTreeMap;

use crate::command::check::points::{self, Point};

/// What the manual says of each point beside the table.
const PARAGRAPHS: &str = include_str!("manual/check-points.txt");

/// How long a paragraph may be.
const LONGEST: usize = 500;

/// The paragraphs with the names of their points, in the order of the file.
fn paragraphs() -> Vec<(&'static str, String)> {
    let blocks = PARAGRAPHS.split("\n\n").skip(1);
    let parts = blocks.map(|block| block.trim().split_once('\n').expect("a name and its text"));
    parts.map(|(name, text)| (name, text.replace('\n', " "))).collect()
}

/// What each point asks, why a user should care, and what to change.
pub fn section() -> String {
    let paragraphs: BTreeMap<&str, String> = paragraphs().into_iter().collect();
    let mut text = include_str!("manual/points.roff").to_owned();
    for group in points::groups() {
        text.extend([".SS ", &escaped(group.name), "\n"]);
        for point in &group.points {
            text += &entry(point, paragraphs.get(point.name).map_or("", String::as_str));
        }
    }
    text
}

/// One point; a sentence a line.
fn entry(point: &Point, paragraph: &str) -> String {
    let needs = point.needs.iter().map(|need| need.name());
    let clauses = point.clauses.iter().copied().filter(|clause| *clause != "practice");
    let facts: Vec<&str> = [point.severity.name(), point.set.name()]
        .into_iter()
        .chain(point.marks.iter().map(|mark| mark.name()))
        .chain(needs)
        .chain(clauses)
        .collect();
    let (name, facts) = (escaped(point.name), escaped(&facts.join(", ")));
    let Point { expected, why, remedy, .. } = point;
    let words = format!("Holds if {expected}. {why} {paragraph} To do: {remedy}.");
    let lines = escaped(&words).replace(". ", ".\n");
    format!(".TP\n\\fB{name}\\fR ({facts})\n{lines}\n")
}

/// Text as roff takes it within a line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[test]
fn each_point_has_its_paragraph_and_no_other() {
    let written: Vec<&str> = paragraphs().iter().map(|(name, _)| *name).collect();
    let points: Vec<&str> = points::all().map(|point| point.name).collect();
    assert_eq!(written, points);
    assert!(paragraphs().iter().all(|(_, text)| text.ends_with('.') && text.len() <= LONGEST));
}
