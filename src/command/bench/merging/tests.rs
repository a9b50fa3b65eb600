//! Parts that are put together again.

use super::*;
use crate::command::bench::stored::read;

/// A report of a run, as `--json` writes it.
const WHOLE: &str = include_str!("../../../../tests/cli/bench/report.json");

fn stored(change: impl FnOnce(&mut serde_json::Value)) -> StoredRun {
    let mut value: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
    change(&mut value);
    read(&value.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

fn part(number: usize, of: usize) -> (String, StoredRun) {
    let part = stored(|value| value["part"] = format!("{number}/{of}").into());
    (format!("{number}.json"), part)
}

#[test]
fn one_file_is_itself() {
    let one = stored(|_| {});
    let merged = merge(vec![("a.json".to_owned(), one.clone())]).unwrap();
    assert_eq!(format!("{merged:?}"), format!("{one:?}"));
}

#[test]
fn all_parts_are_the_whole_in_any_order() {
    let one = part(1, 3).1.results;
    let orders = [[1, 2, 3], [3, 1, 2], [2, 3, 1]];
    for order in orders {
        let whole = merge(order.iter().map(|number| part(*number, 3)).collect()).unwrap();
        let (all, sum) = (&whole.results, one.messages.sent * 3);
        assert_eq!((all.messages.sent, all.messages.window), (sum, one.messages.window));
        assert_eq!(all.verified.copies, one.verified.copies * 3);
        assert_eq!(all.latencies.delivery.count(), one.latencies.delivery.count() * 3);
        let p99 = |results: &crate::command::bench::results::Results| {
            results.latencies.delivery.quantile(0.99)
        };
        assert_eq!(p99(all), p99(&one));
        assert_eq!((all.series.len(), whole.part), (one.series.len(), RunPart::WHOLE));
        assert_eq!(all.series[0].sent, one.series[0].sent * 3);
    }
}

#[test]
fn seconds_are_those_of_the_clock_on_the_wall() {
    let late = stored(|value| {
        value["part"] = "2/2".into();
        let start = value["start"].as_str().unwrap().replace(":00.", ":02.");
        assert_ne!(value["start"], start.as_str(), "the start has other seconds");
        value["start"] = start.into();
    });
    let one = part(1, 2);
    let seconds = one.1.results.series.len();
    let whole = merge(vec![("b".to_owned(), late), one]).unwrap();
    assert_eq!(whole.results.series.len(), seconds + 2);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let refused = |parts: Vec<(String, StoredRun)>| merge(parts).unwrap_err();
    assert_eq!(refused(vec![part(1, 2)]), "part 2/2 is missing");
    assert_eq!(refused(vec![part(1, 2), part(1, 2)]), "1.json: part 1/2 was given before");
    let foreign = stored(|value| {
        value["part"] = "2/2".into();
        value["run"] = "00000001".into();
    });
    let why = refused(vec![part(1, 2), ("b".to_owned(), foreign)]);
    assert!(why.starts_with("b: part 2/2 of run 00000001, and 1.json is part 1/2 of"), "{why}");
    let other = stored(|value| {
        value["part"] = "2/2".into();
        value["plan"]["qos"] = 2.into();
    });
    let why = refused(vec![part(1, 2), ("b".to_owned(), other)]);
    assert!(why.starts_with("b: qos is 2, and "), "{why}");
}

#[test]
fn what_is_no_report_is_refused_in_one_line() {
    for (wrong, why) in [
        ("", "no JSON: "),
        ("[]", "it is no report"),
        ("{\"type\":\"bench\"}", "schema is missing"),
        ("{\"type\":\"bench\",\"schema\":2}", "schema: expected 1"),
    ] {
        let error = read(wrong).unwrap_err();
        assert!(error.starts_with(why) && !error.contains('\n'), "{error}");
    }
    let too_many = format!("[{}0]", "0,".repeat(4_000_000));
    assert!(read(&too_many).unwrap_err().starts_with("it is too large"));
}

/// Each member is replaced by values of each kind: it is read, or refused in one line.
#[test]
fn no_member_makes_it_panic() {
    let value: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
    let mut places = Vec::new();
    collect(&value, String::new(), &mut places);
    assert!(places.len() > 150, "{}", places.len());
    let hostile = [
        serde_json::Value::Null,
        true.into(),
        (-1).into(),
        0.into(),
        u64::MAX.into(),
        1e300.into(),
        0.5.into(),
        "".into(),
        "x\u{7}".into(),
        serde_json::json!([]),
        serde_json::json!([[1]]),
        serde_json::json!([[1, 1], [281_474_976_710_656_u64, 281_474_976_710_656_u64]]),
        serde_json::json!({}),
    ];
    for place in &places {
        for wrong in &hostile {
            let mut changed = value.clone();
            *changed.pointer_mut(place).unwrap() = wrong.clone();
            match read(&changed.to_string()) {
                Ok(run) => {
                    let _ = merge(vec![("a".to_owned(), run)]);
                }
                Err(error) => assert!(!error.contains('\n'), "{place}: {error}"),
            }
        }
    }
}

fn collect(value: &serde_json::Value, place: String, places: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                collect(member, format!("{place}/{name}"), places);
            }
        }
        serde_json::Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate().take(2) {
                collect(element, format!("{place}/{at}"), places);
            }
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}

/// A part of a run of one topic, whose readers are split; the first publishes.
fn split_part(number: usize, read: &str) -> (String, StoredRun) {
    let part = stored(|value| {
        value["part"] = format!("{number}/3").into();
        let written = r#"[{"sent": 100, "in_window": 80, "excused": [
            {"sequence": 7, "why": "unacknowledged", "in_window": false},
            {"sequence": 99, "why": "session-lost", "in_window": true}]}]"#;
        let written = if number == 1 { written } else { "[]" };
        let split = format!(
            r#"{{"topic": 0, "late": 0.0, "other_clock": 0, "written": {written}, "read": {read}}}"#
        );
        value["split"] = serde_json::from_str(&split).unwrap();
        if number > 1 {
            value["verified"]["lost"] = serde_json::Value::Null;
            value["verified"]["sent"] = serde_json::Value::Null;
            value["messages"]["expected"] = 0.into();
        }
    });
    (format!("{number}.json"), part)
}

const ALL: &str = r#"[{"stream": 0, "readers": 5, "next": 100, "distinct": 100, "missed": 0,
    "away": false, "holes": []}]"#;

/// 7 need not come, and did not; 10 and 11 are lost, and 99 need not have come.
const SOME: &str = r#"[{"stream": 0, "readers": 2, "next": 99, "distinct": 96, "missed": 0,
    "away": false, "holes": [[7, 8], [10, 12]]}]"#;

#[test]
fn what_was_published_in_another_part_is_decided_when_all_are_there() {
    let one = part(1, 1).1.results;
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let read = ["[]", ALL, SOME];
        let parts = order.iter().map(|number| split_part(*number, read[*number - 1]));
        let whole = merge(parts.collect()).unwrap();
        let verified = &whole.results.verified;
        // All 5 of the second part have 100, and both of the third 98 to get.
        assert_eq!(verified.copies, one.verified.copies + 5 * 100 + 2 * 98);
        assert_eq!((verified.lost, verified.undecided), (2 * 2, 2));
        assert_eq!(whole.results.messages.expected, one.messages.expected + 5 * 80 + 2 * 79);
        assert_eq!(whole.results.latencies.delivery.never(), 4);
        assert_eq!(verified.split, SplitTally::default());
    }
}

#[test]
fn a_part_that_has_ended_early_has_not_lost_what_came_later() {
    let early = |(file, mut part): (String, StoredRun)| {
        part.results.ending = LoadEnding::Interrupted(0, Duration::from_secs(1));
        (file, part)
    };
    let parts = vec![split_part(1, "[]"), early(split_part(2, ALL)), split_part(3, ALL)];
    let whole = merge(parts).unwrap();
    let why = "part 2/3: it ended early, and what came later counts as lost";
    assert_eq!(whole.invalid, [why]);
}

#[test]
fn what_no_part_has_published_is_refused() {
    let wrong_topic = |(file, mut part): (String, StoredRun)| {
        part.results.verified.split.topic = Some(5);
        (file, part)
    };
    let parts = || vec![split_part(1, "[]"), split_part(2, ALL)];
    let mut foreign = parts();
    foreign.push(wrong_topic(split_part(3, ALL)));
    let why = merge(foreign).unwrap_err();
    assert_eq!(why, "3.json: it has read topic 5, which no part has published");
    let mut stream = parts();
    stream.push(split_part(3, &ALL.replace("\"stream\": 0", "\"stream\": 9")));
    let why = merge(stream).unwrap_err();
    assert_eq!(why, "3.json: it has read stream 9 of topic 0, which no part has published");
    assert_eq!(merge(parts()).unwrap_err(), "part 3/3 is missing");
    let huge = ALL.replace(": 5,", ": 16777216,").replace("100", "281474976710656");
    let mut parts = parts();
    parts.push(split_part(3, &huge));
    assert!(merge(parts).is_ok());
}
