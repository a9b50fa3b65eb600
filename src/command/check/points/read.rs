//! Reads the table of points out of the files beside this one. A static table of Rust values would
//! hold 1,800 pointers, which the dynamic linker would write at the start of every command.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

use super::{Harm, Mark, Need, Point, PointGroup, Set, Severity, Versions, Way};
use crate::mqtt::version::Version;

/// The name of each group, and its points, from the network up.
const FILES: [(&str, &str); 13] = [
    ("reach", include_str!("reach.toml")),
    ("tls", include_str!("tls.toml")),
    ("upgrade", include_str!("upgrade.toml")),
    ("framing-in", include_str!("framing_in.toml")),
    ("framing-out", include_str!("framing_out.toml")),
    ("connect", include_str!("connect.toml")),
    ("publish", include_str!("publish.toml")),
    ("subscribe", include_str!("subscribe.toml")),
    ("session", include_str!("session.toml")),
    ("properties", include_str!("properties.toml")),
    ("flow-control", include_str!("flow_control.toml")),
    ("ending", include_str!("ending.toml")),
    ("limits", include_str!("limits.toml")),
];

/// The files are part of the program, and a test reads them.
const TESTED: &str = "the files of points are as the test found them";

/// All groups.
pub fn groups() -> Vec<PointGroup> {
    FILES.iter().map(|(name, text)| PointGroup { name, points: points(text) }).collect()
}

fn points(text: &'static str) -> Vec<Point> {
    let document = DeTable::parse(text).expect(TESTED);
    let rows = document.get_ref().get("point").and_then(|rows| rows.get_ref().as_array());
    rows.expect(TESTED).iter().map(|row| point(row.get_ref().as_table().expect(TESTED))).collect()
}

fn point(row: &DeTable<'static>) -> Point {
    Point {
        name: text(row, "name").expect(TESTED),
        clauses: texts(row, "clauses"),
        marks: texts(row, "marks")
            .into_iter()
            .map(|text| named(&Mark::ALL, Mark::name, text))
            .collect(),
        set: text(row, "set").map_or(Set::Default, |text| named(&[Set::Full], Set::name, text)),
        way: text(row, "way").map_or(Way::Alone, |text| named(&Way::ALL, Way::name, text)),
        severity: text(row, "severity")
            .map_or(Severity::Must, |text| named(&Severity::ALL, Severity::name, text)),
        versions: versions(row),
        needs: texts(row, "needs")
            .into_iter()
            .map(|text| named(&Need::ALL, Need::name, text))
            .collect(),
        harm: text(row, "harm")
            .map_or(Harm::None, |text| named(&[Harm::Possible], |_| "possible", text)),
        expected: text(row, "expected").expect(TESTED),
        why: text(row, "why").expect(TESTED),
        remedy: text(row, "remedy").expect(TESTED),
    }
}

/// The value of this name.
fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> T {
    all.iter().copied().find(|value| name(*value) == text).expect(TESTED)
}

/// `newest`, `all`, or a list of versions.
fn versions(row: &DeTable<'static>) -> Versions {
    match row.get("versions").map(toml::Spanned::get_ref) {
        None => Versions::Newest,
        Some(DeValue::Array(_)) => {
            let all = [Version::V5, Version::V3_1_1, Version::V3_1];
            let of = |text| all.into_iter().find(|version| version.to_string() == text);
            let only = texts(row, "versions").into_iter().map(|text| of(text).expect(TESTED));
            Versions::Only(only.collect())
        }
        Some(_) => {
            assert_eq!(text(row, "versions"), Some("all"), "{TESTED}");
            Versions::All
        }
    }
}

fn text(row: &DeTable<'static>, key: &str) -> Option<&'static str> {
    row.get(key).map(|value| borrowed(value.get_ref()))
}

fn texts(row: &DeTable<'static>, key: &str) -> Vec<&'static str> {
    let Some(value) = row.get(key) else { return Vec::new() };
    let values = value.get_ref().as_array().expect(TESTED);
    values.iter().map(|value| borrowed(value.get_ref())).collect()
}

/// A text as it stands in the file: without escapes, so that nothing has to be copied.
fn borrowed(value: &DeValue<'static>) -> &'static str {
    match value {
        DeValue::String(Cow::Borrowed(text)) => text,
        _ => panic!("{TESTED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_known() {
        const KEYS: &str =
            "name clauses marks set way severity versions needs harm expected why remedy";
        for (_, text) in FILES {
            let document = DeTable::parse(text).unwrap();
            let rows = document.get_ref().get("point").unwrap().get_ref().as_array().unwrap();
            let keys = rows.iter().flat_map(|row| row.get_ref().as_table().unwrap().keys());
            let unknown = keys
                .map(toml::Spanned::get_ref)
                .find(|key| !KEYS.split(' ').any(|known| known == *key));
            assert_eq!(unknown, None);
        }
    }
}
