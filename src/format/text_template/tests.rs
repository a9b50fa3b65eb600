//! Texts with fields: what is read, what is filled in, and what is wrong where.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;

use super::*;

fn parse(text: &str, longest: usize) -> Result<TextTemplate, TemplateFault> {
    let read = |file: &str| match file {
        "three" => Ok(b"a\nb\r\nc".to_vec()),
        "empty" => Ok(Vec::new()),
        _ => Err("No such file".to_owned()),
    };
    TextTemplate::parse(text, &TemplateSource { longest, read: &read })
}

/// The text of the message with this number, 2026-02-03T02:05:06.000700Z.
fn filled(text: &str, number: u64) -> String {
    let template = parse(text, 1000).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    let mut rng = fastrand::Rng::with_seed(7);
    let mut state = FillState::new(|| rng.u64(..));
    let mut out = BytesMut::new();
    let time = Duration::new(1_770_084_306, 700_000);
    template.fill(Values { number, time }, &mut state, &mut out);
    String::from_utf8(out.to_vec()).expect("text")
}

#[test]
fn fields_are_filled_in() {
    for (text, number, expected) in [
        ("", 1, ""),
        ("plain ü", 1, "plain ü"),
        ("{n}", u64::MAX, "18446744073709551615"),
        ("a{n%100}b", 1234, "a34b"),
        (r#"{{"n":{n}}}"#, 7, r#"{"n":7}"#),
        ("{{}}{{n}}", 7, "{}{n}"),
        ("{time}", 1, "2026-02-03T02:05:06.000700Z"),
        ("{unix_ms}", 1, "1770084306000"),
        ("{rand 5 5}{rand -3 -3}", 1, "5-3"),
        ("{rand 1.5 1.50}|{rand -0.25 -0.25}", 1, "1.50|-0.25"),
        ("{line three}", 1, "a"),
        ("{line three}{n}", 5, "b5"),
        ("{line three}", 6, "c"),
        ("{bytes 0}", 1, ""),
    ] {
        assert_eq!(filled(text, number), expected, "{text}");
    }
}

#[test]
fn random_fields_are_in_their_range() {
    let seen: BTreeSet<String> = (1..2).map(|_| filled(&"{rand -1 2} ".repeat(80), 1)).collect();
    let seen: BTreeSet<&str> = seen.iter().flat_map(|text| text.split_whitespace()).collect();
    assert_eq!(seen, BTreeSet::from(["-1", "0", "1", "2"]));
    let whole = filled("{rand -9223372036854775808 9223372036854775807}", 1);
    assert!(whole.parse::<i64>().is_ok(), "{whole}");
    let decimal = filled("{rand 20.0 25.00}", 1);
    let number: f64 = decimal.parse().expect("a number");
    assert!(decimal.len() == 5 && (20.0..=25.0).contains(&number), "{decimal}");
    let bytes = filled("{bytes 999}", 1);
    assert!(
        bytes.len() == 999
            && bytes.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    );
    let uuids = filled("{uuid} {uuid}", 1);
    let (first, second) = uuids.split_once(' ').expect("two");
    assert_ne!(first, second);
    for uuid in [first, second] {
        let form: String = uuid.chars().map(|c| if c == '-' { c } else { 'x' }).collect();
        assert_eq!(form, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "{uuid}");
        assert!(uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}

#[test]
fn faults_have_a_place() {
    for (text, at, words) in [
        ("a{foo}", 1, "{foo} is no field; there are {n}, "),
        ("ü{n", 2, "this field has no }; { itself is written {{"),
        ("a}b", 1, "a } that ends no field is written }}"),
        ("{}", 0, "{} is no field"),
        ("{ n }", 0, "{ n } is no field"),
        ("{n 5}", 0, "{n} takes no value"),
        ("{n%0}", 0, "{n%0}: expected a number above 0 after the %"),
        ("{n%x}", 0, "{n%x}: expected a number above 0 after the %"),
        ("{rand 1}", 0, "expected two numbers"),
        ("{rand 2 1}", 0, "expected two numbers"),
        ("{rand 0 1e3}", 0, "expected two numbers"),
        ("{rand 0 99999999999999999999}", 0, "expected two numbers"),
        ("{rand 0 +1}", 0, "expected two numbers"),
        ("{rand 0 1.0000000001}", 0, "expected numbers with at most 9 decimals"),
        ("{rand 0 9223372036854775807.5}", 0, "expected two numbers"),
        ("{bytes}", 0, "expected a number of bytes"),
        ("{bytes -1}", 0, "expected a number of bytes"),
        ("{bytes 1T}", 0, "expected a number of bytes"),
        ("{bytes 99999999999999G}", 0, "expected a number of bytes"),
        ("ab{bytes 1001}", 2, "it is longer than 1000 bytes"),
        ("{bytes 600}{bytes 600}", 11, "it is longer than 1000 bytes"),
        ("{line}", 0, "expected a file: {line FILE}"),
        ("{line nowhere}", 0, "reading nowhere: No such file"),
        ("{line empty}", 0, "reading empty: it has no line"),
    ] {
        let fault = parse(text, 1000).expect_err(text);
        assert!(fault.sentence.starts_with(words), "{text}: {fault:?}");
        assert_eq!(fault.at, at, "{text}");
    }
    assert!(parse("{time}", 10).is_ok_and(|template| template.shows_time()));
}

/// No text makes the reader fail in another way than by a fault, whose place is in the text.
#[test]
fn no_text_is_too_much() {
    let mut rng = fastrand::Rng::with_seed(11);
    println!("seed 11");
    let pieces = [
        "{",
        "}",
        "{n",
        "%",
        "rand",
        " ",
        "-",
        "9",
        ".",
        "bytes",
        "K",
        "line three",
        "ü",
        "{uuid}",
    ];
    for _ in 0..20_000 {
        let text: String = (0..rng.usize(..8)).map(|_| pieces[rng.usize(..pieces.len())]).collect();
        match parse(&text, 10_000) {
            Ok(_) => drop(filled_any(&text)),
            Err(fault) => assert!(text.is_char_boundary(fault.at), "{text}"),
        }
    }
}

fn filled_any(text: &str) -> usize {
    let template = parse(text, 10_000).expect("it was read before");
    let mut out = BytesMut::new();
    let mut state = FillState::new(|| u64::MAX);
    template.fill(Values { number: 0, time: Duration::MAX }, &mut state, &mut out);
    out.len()
}
