//! Parts of a run in which something is done to connections, put together again.

use serde_json::Value;

use super::object;
use crate::serve::serve_for_others as serve;
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// A busy machine is late, and so is what it delivers.
const PATIENT: [&str; 5] =
    ["--max-lateness", "never", "--tolerate", "overload,unsent,lost", "--quiet"];

const LOAD: [&str; 12] =
    ["--pub", "4", "--sub", "4", "--rate", "200", "--for", "1s", "--warmup", "0", "--drain", "0.3"];

const DONE: [&str; 11] = [
    "-q",
    "1",
    "-c",
    "--cut",
    "sub:3@0.3",
    "--stall",
    "pub:50%@0.2:0.1",
    "--churn",
    "20",
    "--retained",
    "--will",
];

fn stored(folder: &Folder, name: &str) -> (String, String) {
    let file = folder.write(name, "");
    let flag = format!("--json={file}");
    (file, flag)
}

#[test]
fn what_the_parts_have_done_to_connections_is_added() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let (one, to_one) = stored(&folder, "one.json");
    let (two, to_two) = stored(&folder, "two.json");
    let run = |part, file| {
        let common = ["bench", &url, "--run", "7a", "--part", part, file];
        Program::new([&common[..], &LOAD, &DONE, &PATIENT].concat()).spawn()
    };
    let parts = [run("1/2", &to_one), run("2/2", &to_two)];
    for part in parts {
        let outcome = part.finish();
        assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    }
    let counts = |file: &str| {
        let value: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        (value["cuts"][0]["count"].as_u64(), value["churn"]["rate"].as_f64())
    };
    // Numbers and rates are those of the whole.
    assert_eq!([counts(&one), counts(&two)], [(Some(2), Some(10.0)), (Some(1), Some(10.0))]);
    let merged = ["bench", "--merge", &two, &one, "--json", "--tolerate", "overload,unsent,lost"];
    let outcome = Program::new(merged).run();
    let object = object(&outcome);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let cut = &object["cuts"][0];
    let [count, back, present] = [&cut["count"], &cut["back"]["count"], &cut["session_present"]];
    assert_eq!((count, back, present), (&3.into(), &3.into(), &3.into()), "{outcome}");
    assert_eq!(object["cuts"].as_array().unwrap().len(), 1, "{outcome}");
    assert_eq!(object["stalls"][0]["count"], 2, "{outcome}");
    assert_eq!(object["churn"]["rate"], 20.0, "{outcome}");
    let retained = &object["retained"];
    let [expected, received] = [&retained["expected"], &retained["received"]];
    assert_eq!((expected, received), (&4.into(), &4.into()), "{outcome}");
    assert_eq!(object["wills"]["expected"], 3, "{outcome}");
    drop(serve);
}

#[test]
fn one_file_with_all_that_was_done_is_the_same_report() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let (file, to_file) = stored(&folder, "run.json");
    let fail = ["--fail", "cut.p99>3600s"];
    let common = ["bench", &url, &to_file];
    let run = Program::new([&common[..], &LOAD, &DONE, &PATIENT, &fail].concat()).run();
    let again = ["bench", "--merge", &file, "--tolerate", "overload,unsent,lost"];
    let merged = Program::new([&again[..], &fail].concat()).run();
    let [run_text, merged_text] = [&run, &merged].map(|it| String::from_utf8_lossy(&it.stdout));
    assert_eq!(merged_text, run_text);
    assert_eq!(merged.code(), run.code(), "{run}");
    drop(serve);
}

#[test]
fn what_no_part_can_have_is_refused() {
    let folder = Folder::new();
    let whole = std::fs::read_to_string("tests/cli/bench/report.json").unwrap();
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let part = |name: &str, number: &str, change: fn(&mut Value)| {
        let mut part = whole.clone();
        part["part"] = number.into();
        change(&mut part);
        folder.write(name, part.to_string())
    };
    let one = part("one.json", "1/2", |_| {});
    let steps = part("steps.json", "2/2", |value| value["steps"] = serde_json::json!([{}]));
    let why = format!("mqttws: --merge: {steps}: it has the steps of --ramp or --find-max, no *");
    fails(&Program::new(["bench", "--merge", &one, &steps]).run(), 2, &why);
    let stall = |at: f64| {
        serde_json::json!([{"at": at, "length": 1.0, "who": "sub", "count": 1, "others": null,
            "waited": 0, "last_waited": null, "disconnected": 0}])
    };
    let mut early = whole.clone();
    (early["part"], early["stalls"]) = ("1/2".into(), stall(1.0));
    let early = folder.write("early.json", early.to_string());
    let mut late = whole.clone();
    (late["part"], late["stalls"]) = ("2/2".into(), stall(2.0));
    let late = folder.write("late.json", late.to_string());
    let why = format!("mqttws: --merge: {late}: its --cut or --stall is not that of {early}");
    fails(&Program::new(["bench", "--merge", &early, &late]).run(), 2, &why);
}
