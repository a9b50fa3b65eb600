//! `--list`: the table of points.

use std::fmt::Write;

use super::super::points::{self, Need, Point};
use super::json::{Writer, array};

/// The table as text: a line for each point.
pub fn text() -> String {
    let mut out = String::new();
    for group in points::groups() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "{}", group.name);
        for point in &group.points {
            let Point { name, set, severity, versions, expected, .. } = point;
            let (set, severity, versions) = (set.name(), severity.name(), versions.name());
            let mut more = point.clauses.join(", ");
            more.extend(needs(point).map(|needs| format!("; needs {needs}")));
            let more = more.trim_start_matches("; ");
            let divider = if more.is_empty() { "" } else { "; " };
            let _ = writeln!(
                out,
                "  {name:<30} {set:<8} {severity:<9} {versions:<8} {expected}{divider}{more}"
            );
        }
    }
    out
}

fn needs(point: &Point) -> Option<String> {
    let names: Vec<&str> = point.needs.iter().map(|need| need.name()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The table as JSON: an array of objects.
pub fn json() -> String {
    let objects: Vec<String> = points::all()
        .map(|point| {
            let mut object = Writer::object();
            object.text("name", point.name).text("group", point.group());
            object.texts("clause", point.clauses.iter().copied());
            object.text("set", point.set.name()).text("severity", point.severity.name());
            object.text("versions", &point.versions.name());
            object.texts("needs", point.needs.iter().copied().map(Need::name));
            object.texts("marks", point.marks.iter().map(|mark| mark.name()));
            object.text("question", point.expected).text("why", point.why);
            object.text("remedy", point.remedy).end()
        })
        .collect();
    array(&objects)
}
