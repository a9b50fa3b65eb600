//! The same results in each form of the report.

use super::super::finding::Verdict;
use super::super::journal::{Direction, Evidence, Fact, ProtocolLayer};
use super::super::points::{self, Set};
use super::super::run::FindingOrigin;
use super::*;
use unicode_width::UnicodeWidthStr;

mod xml;

fn result(name: &str, version: Option<Version>, verdict: Verdict, observed: &str) -> PointResult {
    let evidence = Evidence {
        at: Duration::from_millis(212),
        direction: Direction::In,
        layer: ProtocolLayer::Frame,
        note: "text\u{1b}[2J".to_owned(),
        bytes: "8101".to_owned(),
    };
    let point = points::find(name).unwrap();
    PointResult {
        point,
        remedy: point.remedy,
        version,
        verdict,
        origin: FindingOrigin::Probe,
        observed: observed.to_owned(),
        time: Duration::from_millis(41),
        tries: 1,
        novelty: Novelty::New,
        evidence: vec![evidence],
    }
}

fn report() -> Report {
    let (five, four) = (Some(Version::V5), Some(Version::V3_1_1));
    Report {
        server: CheckedServer {
            url: "ws://h:1/mqtt".to_owned(),
            host: "h".to_owned(),
            facts: [("address", Fact::Text("192.0.2.7:1".to_owned()))].into(),
            versions: vec![Version::V5, Version::V3_1_1],
        },
        course: RunCourse {
            started: "2026-11-29T16:00:00Z".to_owned(),
            time: Duration::from_millis(6100),
            connections: 23,
            traffic: (100, 200),
        },
        selection: PointSelection { set: Set::Default, only: Vec::new(), skip: Vec::new() },
        results: vec![
            result("offer-mqtt", None, Verdict::Pass, "answered mqtt"),
            result("text-frame", five, Verdict::Fail, "taken as data <\u{0}&\"\u{1b}[2J>"),
            result("qos0-round-trip", five, Verdict::Pass, "it came"),
            result("qos0-round-trip", four, Verdict::Pass, "it came"),
            result("subscription-id", five, Verdict::NotApplicable, "announced as absent"),
            result("mqtt-disconnect", five, Verdict::Warn, "FIN without a Close frame"),
            result("mqtt-disconnect", four, Verdict::Warn, "FIN without a Close frame"),
            result("latency-steps", five, Verdict::Unknown, "the times differ too much"),
        ],
        failure: None,
        signal: None,
        fixed: Vec::new(),
    }
}

#[test]
fn the_text_names_deviations_and_what_to_do() {
    let text = text::render(&report(), text::Detail::Usual, text::Deviations::Here, text::WIDEST);
    for part in [
        "ws://h:1/mqtt (192.0.2.7:1), MQTT 5 3.1.1\n",
        "  FAIL    binary frames only      taken as data <\\u{0}&\"\\u{1b}[2J>\n",
        "2 deviations\n  FAIL  text-frame (framing-in; MQTT-6.0.0-1)\n",
        "        to do: close with 1003 when the frame is not binary: mosquitto does from\n",
        "        FIN without a Close frame (MQTT 5 and 3.1.1)\n",
        "1 unknown\n  latency-steps: the times differ too much\n",
        "6 points: 2 PASS, 1 WARN, 1 FAIL, 1 n.a., 1 unknown; 23 connections",
        "USABLE, not interoperable: a must is broken (text-frame).",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains(['\u{1b}', '\0']));
    let little =
        text::render(&report(), text::Detail::Little, text::Deviations::Here, text::WIDEST);
    assert!(little.starts_with("The founding page") && !little.contains("deviation"), "{little}");
}

#[test]
fn the_text_fits_a_narrow_terminal() {
    let text = text::render(&report(), text::Detail::Usual, text::Deviations::Here, 40);
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 40).collect();
    assert!(wide.is_empty(), "{wide:?}");
    let headline =
        "  FAIL    binary frames only\n          taken as data\n          <\\u{0}&\"\\u{1b}[2J>\n";
    assert!(text.contains(headline), "{text}");
    // A word that is longer than a line is cut.
    let mut long = report();
    long.results[1].observed = "x".repeat(200);
    let text = text::render(&long, text::Detail::Usual, text::Deviations::Here, text::WIDEST);
    assert!(text.lines().all(|line| line.len() <= text::WIDEST), "{text}");
    let long = text.lines().filter(|line| line.contains("xxx")).map(str::trim);
    let told: usize = long.map(|line| line.matches('x').count()).sum();
    // Twice as a headline, once as the deviation.
    assert_eq!(told, 3 * 200, "{text}");
    // Characters that take two columns count twice.
    let mut wide = report();
    wide.results[1].observed = "日本 ".repeat(40);
    let text = text::render(&wide, text::Detail::Usual, text::Deviations::Here, text::WIDEST);
    let longest = text.lines().filter(|line| line.contains('日')).map(UnicodeWidthStr::width).max();
    assert!(longest.is_some_and(|longest| (76..=80).contains(&longest)), "{text}");
}

#[test]
fn the_json_has_its_keys_in_order() {
    let json = json::render(&report(), text::Detail::Usual);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.starts_with(r#"{"format":1,"mqttws":"#), "{json}");
    assert_eq!(value["points"].as_array().unwrap().len(), 8);
    assert_eq!(value["points"][1]["evidence"][0]["bytes"], "8101");
    assert!(value["points"][0].get("evidence").is_none());
    assert_eq!(value["counts"]["warn"], 1);
    assert_eq!((&value["verdict"], &value["exit"]), (&"usable".into(), &1.into()));
}

#[test]
fn the_others_count_each_version() {
    let junit = junit::render(&report());
    let numbers =
        r#"<testsuites name="mqttws check" tests="8" failures="1" errors="0" time="0.328">"#;
    assert!(junit.contains(numbers), "{junit}");
    assert!(junit.contains(r"message=&quot;") || !junit.contains(['\0', '\u{1b}']), "{junit}");
    let failure =
        r#"<failure type="must" message="taken as data &lt;\u{0}&amp;&quot;\u{1b}[2J&gt;">"#;
    assert!(junit.contains(failure), "{junit}");
    let tap = tap::render(&report());
    assert!(tap.starts_with("TAP version 14\n1..8\nok 1 - upgrade/offer-mqtt\n"), "{tap}");
    assert!(tap.contains("not ok 2 - framing-in/text-frame (MQTT 5)\n  ---\n"), "{tap}");
    assert!(
        tap.contains("ok 8 - limits/latency-steps (MQTT 5) # SKIP unknown: the times"),
        "{tap}"
    );
}

/// Text that a server may have sent.
fn hostile() -> String {
    "\u{0}\u{1b}]0;x\u{7}\u{9b}31m\r\n\t]]> --> # SKIP \\ \" ' & < \u{fffe}\u{fffd}".to_owned()
        + &"x".repeat(1 << 20)
}

fn hostile_report() -> Report {
    let mut report = report();
    for result in &mut report.results {
        result.observed = hostile();
        result.evidence[0].note = hostile();
    }
    report.results[5].novelty = Novelty::Known;
    report.results[5].verdict = Verdict::Fail;
    report.results.push(result("still-alive", None, Verdict::Fail, "gone"));
    report
}

#[test]
fn junit_is_strict_xml_of_the_elements_that_ci_systems_read() {
    let root = xml::parse(&junit::render(&hostile_report())).unwrap();
    let (mut cases, counts) = (0, ["tests", "failures", "errors", "skipped"]);
    assert_eq!(root.name, "testsuites");
    for suite in &root.children {
        assert_eq!(suite.name, "testsuite");
        for name in ["name", "time", "timestamp", "hostname"].iter().chain(&counts) {
            assert!(suite.attributes.contains_key(*name), "{name}");
        }
        for case in &suite.children {
            cases += 1;
            let attributes: Vec<&str> = case.attributes.keys().map(String::as_str).collect();
            assert_eq!((case.name.as_str(), &attributes[..]), ("testcase", &CASE[..]));
            let inside: Vec<&str> = case.children.iter().map(|one| one.name.as_str()).collect();
            let is_known =
                matches!(inside[..], [] | ["failure" | "error" | "skipped" | "system-out"]);
            assert!(is_known, "{inside:?}");
        }
    }
    assert_eq!(root.attributes["tests"], cases.to_string());
    let of = |name: &str| root.attributes[name].as_str();
    assert_eq!([of("tests"), of("failures"), of("errors")], ["9", "1", "1"]);
    assert!(!root.attributes.contains_key("skipped"));
    let skipped = root.children.iter().map(|suite| suite.attributes["skipped"].parse::<usize>());
    assert_eq!(skipped.sum::<Result<usize, _>>(), Ok(3));
    assert!(xml::parse("<a b='1' b='2'/>").is_err() && xml::parse("<a>&x;</a>").is_err());
    assert!(xml::parse("<a>\u{1}</a>").is_err() && xml::parse("<a><b></a></b>").is_err());
}

/// The attributes of a case.
const CASE: [&str; 3] = ["classname", "name", "time"];

#[test]
fn tap_is_read_back() {
    let text = tap::render(&hostile_report());
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("TAP version 14"), Some("1..9")));
    let (mut number, mut is_in_block) = (0, false);
    for line in lines {
        if is_in_block {
            is_in_block = line != "  ...";
            let pair = line.strip_prefix("  ").and_then(|line| line.split_once(": "));
            let is_quoted =
                pair.is_some_and(|(key, value)| key == "verdict" || serde_yaml_string(value));
            assert!(is_quoted || line == "  ...", "{line}");
            continue;
        }
        if line == "  ---" {
            is_in_block = true;
            continue;
        }
        number += 1;
        let rest = line.strip_prefix("not ").unwrap_or(line);
        assert!(rest.starts_with(&format!("ok {number} - ")), "{line}");
        // What stands before the first directive is ours.
        let described = rest.split(" # ").next().unwrap();
        assert!(!described.contains(['#', '\\']), "{line}");
    }
    assert_eq!((number, is_in_block), (9, false), "{text}");
    assert!(!text.contains(['\u{1b}', '\0', '\r', '\u{9b}']));
    assert!(text.len() < 64 * 1024, "{} bytes", text.len());
}

/// Whether this is a string in double quotes that ends with the line: of its escapes JSON knows
/// those that we write.
fn serde_yaml_string(value: &str) -> bool {
    serde_json::from_str::<String>(value).is_ok()
}

#[test]
fn hostile_text_is_harmless_in_every_form() {
    let report = hostile_report();
    let text = text::render(&report, text::Detail::Much, text::Deviations::Here, text::WIDEST);
    let json = json::render(&report, text::Detail::Much);
    for text in [text, json.clone(), junit::render(&report), tap::render(&report)] {
        let is_bad = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(is_bad), "{:?}", text.chars().find(|c| is_bad(*c)));
    }
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["points"][1]["observed"], hostile());
}

#[test]
fn the_judgement_follows_the_points() {
    let judged = |change: fn(&mut Report)| {
        let mut report = report();
        change(&mut report);
        (report.verdict(), u8::from(report.exit()))
    };
    let usable = (ServerVerdict::Usable, Some("text-frame"));
    assert_eq!(judged(|_| {}), (usable, 1));
    assert_eq!(judged(|report| report.results[1].novelty = Novelty::Known), (usable, 0));
    let good = judged(|report| report.results[1].verdict = Verdict::Pass);
    assert_eq!(good, ((ServerVerdict::Interoperable, None), 0));
    let unknown = judged(|report| report.results[1].verdict = Verdict::Unknown);
    assert_eq!(unknown, ((ServerVerdict::Undecided, Some("text-frame")), 1));
    let broken = judged(|report| report.results[3].verdict = Verdict::Fail);
    assert_eq!(broken, ((ServerVerdict::NotUsable, Some("qos0-round-trip")), 1));
    let interrupted = judged(|report| report.signal = Some(Signal::Interrupt));
    assert_eq!(interrupted.1, 130);
}

/// An undecided point is no point that holds.
#[test]
fn the_text_says_no_more_than_was_decided() {
    let mut report = report();
    report.results[1].verdict = Verdict::Pass;
    let last = |report: &Report| {
        let text = text::render(report, text::Detail::Usual, text::Deviations::Here, text::WIDEST);
        text.replace('\n', " ").split("INTEROPERABLE: ").nth(1).unwrap().trim().to_owned()
    };
    let decided = "every must that could be decided holds; see what is unknown.";
    assert_eq!(last(&report), decided);
    report.results[7].verdict = Verdict::Pass;
    assert_eq!(last(&report), "every must holds; see the warnings.");
    for warned in [5, 6] {
        report.results[warned].verdict = Verdict::Pass;
    }
    assert_eq!(last(&report), "every point that was asked holds.");
}
