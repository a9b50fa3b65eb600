//! Which of several names was meant by one that does not exist.

/// A longer word is not meant for a name, in bytes.
const LONGEST: usize = 40;

/// The name that is most similar to this one, if one is similar enough: it differs in one letter,
/// or in two if it is long, counting two letters in the wrong order as one; or one is the beginning
/// of the other.
pub fn similar<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = Some(typed.to_lowercase()).filter(|typed| typed.len() <= LONGEST)?;
    let allowed = if typed.chars().count() < 6 { 1 } else { 2 };
    let scored = names.filter_map(|name| {
        let begins = typed.len().min(name.len()) >= 2
            && (name.starts_with(&typed) || (name.len() >= 3 && typed.starts_with(name)));
        let score = distance(&typed, name).min(if begins { 1 } else { usize::MAX });
        (score <= allowed).then_some((score, !begins, name))
    });
    scored.min_by_key(|(score, other, name)| (*score, *other, name.len())).map(|(.., name)| name)
}

/// How many letters must be added, left out, replaced, or exchanged with the next one, to make one
/// word of the other (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let rows = [("", "", 0), ("", "ab", 2), ("sub", "sbu", 1), ("qso", "qos", 1)];
        for (one, other, expected) in rows.into_iter().chain([("kitten", "sitting", 3)]) {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected));
        }
    }

    #[test]
    fn a_name_is_similar_or_not() {
        let names = ["pub", "sub", "ping", "serve", "qos", "json", "retain", "retained-only"];
        let names = [&names[..], &["user-agent", "username", "to"]].concat();
        for (typed, expected) in [
            ("sbu", Some("sub")),
            ("subscribe", Some("sub")),
            ("pbu", Some("pub")),
            ("PUB", Some("pub")),
            ("qso", Some("qos")),
            ("qo", Some("qos")),
            ("server", Some("serve")),
            ("retian", Some("retain")),
            ("retained", Some("retain")),
            ("user", Some("username")),
            ("foo", None),
            ("s", None),
            ("broker", None),
        ] {
            assert_eq!(similar(typed, names.iter().copied()), expected, "{typed}");
        }
    }
}
