//! Which points are asked: `--full`, `--only` and `--skip`.

use super::points::{self, Mark, Point, Set, Way};

/// What the flags choose. The patterns were checked by [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointSelection {
    /// Which points are asked where none is named: all with `--full`.
    pub set: Set,
    /// `--only`: names, groups, marks, wildcards.
    pub only: Vec<String>,
    /// `--skip`: the same.
    pub skip: Vec<String>,
}

impl PointSelection {
    /// Whether this point is asked.
    pub fn holds(&self, point: &Point) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, point));
        let is_in_set = point.set == Set::Default || self.set == Set::Full;
        let is_chosen = if self.only.is_empty() {
            is_in_set
        } else {
            named(&self.only) || is_in_set && point.way == Way::Observed
        };
        is_chosen && !named(&self.skip)
    }

    /// Where a point comes in the order of what the user names, as far as the order is free.
    pub fn rank(&self, point: &Point) -> usize {
        self.only.iter().position(|pattern| fits(pattern, point)).unwrap_or(self.only.len())
    }

    /// Whether points of the full set are asked, which may do harm to a faulty server.
    pub fn asks_full(&self) -> bool {
        points::all().any(|point| point.set == Set::Full && self.holds(point))
    }

    /// Whether all steps of the points are asked: with `--full`, and where points are chosen.
    pub fn is_thorough(&self) -> bool {
        self.set == Set::Full || !self.only.is_empty()
    }

    /// Whether a point is asked in all of its versions: with `--full`, and where it is named.
    pub fn is_thorough_at(&self, point: &Point) -> bool {
        self.set == Set::Full || self.only.iter().any(|name| name == point.name)
    }

    /// Whether the points are those of the default set, or fewer of them.
    pub fn is_default(&self) -> bool {
        self.set == Set::Default && self.only.is_empty()
    }

    /// Whether the user chose among the points.
    pub fn is_partial(&self) -> bool {
        !self.only.is_empty() || !self.skip.is_empty()
    }
}

/// Whether a pattern names this point: by its name, its group, a mark, with `*` for any characters.
fn fits(pattern: &str, point: &Point) -> bool {
    matches(pattern, point.name)
        || matches(pattern, point.group())
        || point.marks.iter().any(|mark| mark.name() == pattern)
}

/// Whether the pattern, in which `*` stands for any characters, is this whole text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| matches(rest, &text[at..]))),
    }
}

/// A pattern as it is typed, or what is wrong with it, with the nearest name.
pub fn check(pattern: &str) -> Result<String, String> {
    let groups = points::groups().iter().map(|group| group.name);
    let marks = Mark::ALL.into_iter().map(Mark::name);
    let names: Vec<&str> =
        points::all().map(|point| point.name).chain(groups).chain(marks).collect();
    if names.iter().any(|name| matches(pattern, name)) {
        return Ok(pattern.to_owned());
    }
    let nearest = names.into_iter().min_by_key(|name| distance(pattern, name)).unwrap_or_default();
    Err(format!("there is no point {pattern:?}; did you mean {nearest}? --list shows all"))
}

/// How many characters must be changed, added or removed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in other.bytes().enumerate() {
            let changed = before + usize::from(a != b);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(set: Set, only: &[&str], skip: &[&str]) -> Vec<&'static str> {
        let owned = |patterns: &[&str]| patterns.iter().map(|&one| one.to_owned()).collect();
        let selection = PointSelection { set, only: owned(only), skip: owned(skip) };
        let asked = points::all().filter(|point| point.way != Way::Observed);
        asked.filter(|point| selection.holds(point)).map(|point| point.name).collect()
    }

    #[test]
    fn points_are_chosen_by_name_group_mark_and_wildcard() {
        assert_eq!(chosen(Set::Default, &["ping", "F4"], &[]), ["path-mqtt", "ping"]);
        assert_eq!(chosen(Set::Default, &["text-*"], &["text-frame"]), ["text-frame-first"]);
        assert_eq!(chosen(Set::Default, &["flow-control"], &["*-in"]).len(), 2);
        assert_eq!(chosen(Set::Full, &[], &[]).len() + 23, 156);
        assert!(!chosen(Set::Default, &[], &[]).contains(&"slow-reader"));
    }

    #[test]
    fn points_are_asked_in_the_order_in_which_they_are_named() {
        let only = ["ping", "upgrade"].map(str::to_owned).to_vec();
        let selection = PointSelection { set: Set::Default, only, skip: Vec::new() };
        let rank = |name| selection.rank(points::find(name).unwrap());
        assert_eq!([rank("ping"), rank("offer-mqtt"), rank("accept-key")], [0, 1, 1]);
        assert_eq!(rank("clock"), 2);
    }

    #[test]
    fn unknown_names_have_a_nearest_one() {
        assert_eq!(check("offer-*"), Ok("offer-*".to_owned()));
        let error = check("offer-mqt").unwrap_err();
        assert_eq!(
            error,
            "there is no point \"offer-mqt\"; did you mean offer-mqtt? --list shows all"
        );
        assert!(check("x*").is_err());
        assert_eq!((distance("kitten", "sitting"), distance("", "abc")), (3, 3));
    }
}
