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

/// When parts of a run may begin that begin to connect now.
fn soon(seconds: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{:.3}", (now + std::time::Duration::from_secs(seconds)).as_secs_f64())
}

/// The reports of so many parts of a run with these flags.
fn run_parts(url: &str, of: usize, flags: &[&str], folder: &Folder) -> Vec<String> {
    let start = soon(3);
    let files: Vec<(String, String)> =
        (1..=of).map(|part| stored(folder, &format!("{part}.json"))).collect();
    let parts = files.iter().enumerate().map(|(number, (_, to_file))| {
        let part = format!("{}/{of}", number + 1);
        let own = ["bench", url, "--run", "7b", "--start-at", &start, "--part", &part, to_file];
        Program::new([&own[..], &PATIENT, flags].concat()).spawn()
    });
    for part in parts.collect::<Vec<_>>() {
        let outcome = part.finish();
        assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    }
    files.into_iter().map(|(file, _)| file).collect()
}

#[test]
fn with_fewer_topics_than_parts_the_readers_are_split() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let fan_out = ["--pub", "1", "--sub", "5", "--rate", "100", "--for", "1s", "--warmup", "0.2"];
    let files = run_parts(&url, 3, &[&fan_out[..], &["-q", "1", "--drain", "1"]].concat(), &folder);
    let read = |file: &String| -> Value {
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let parts: Vec<Value> = files.iter().map(read).collect();
    let of = |name: &str, member: &str| {
        parts.iter().map(|part| part[name][member].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("plan", "publishers"), [1, 0, 0]);
    assert_eq!(of("plan", "subscribers"), [2, 2, 1]);
    assert_eq!(of("messages", "sent"), [100, 0, 0]);
    assert_eq!(of("verified", "lost"), [Value::from(0), Value::Null, Value::Null]);
    let windows = of("messages", "window");
    let is_whole = |window: &Value| (0.999..1.5).contains(&window.as_f64().unwrap());
    assert!(windows.iter().all(is_whole), "{windows:?}");
    let merge = [&["bench", "--merge"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()];
    let tolerate = ["--json", "--tolerate", "overload,unsent,lost"];
    let outcome = Program::new([&merge.concat()[..], &tolerate].concat()).run();
    let whole = object(&outcome);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let verified = &whole["verified"];
    assert_eq!((&verified["sent"], &verified["lost"]), (&600.into(), &0.into()), "{outcome}");
    assert_eq!(whole["messages"]["expected"], 500, "{outcome}");
    // All are on this machine, and have its clock.
    let delivery = &whole["latency"]["delivery"];
    assert!(delivery["count"].as_u64().unwrap() >= 490, "{outcome}");
    assert_eq!((&whole["plan"]["subscribers"], &whole["split"]), (&5.into(), &Value::Null));
    for (given, why) in [
        (&files[1..], "mqttws: --merge: part 1/3 is missing".to_owned()),
        (&files[..2], "mqttws: --merge: part 3/3 is missing".to_owned()),
    ] {
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        fails(&Program::new([&["bench", "--merge"][..], &given].concat()).run(), 2, &why);
    }
    drop(serve);
}

#[test]
fn a_run_of_so_many_messages_is_split_and_merged_whatever_their_number_is() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let flags = ["--pub", "3", "--sub", "4", "--topics", "2", "-q", "1", "-C", "101"];
    let files = run_parts(&url, 3, &[&flags[..], &["--drain", "1", "-M", "5"]].concat(), &folder);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let outcome = Program::new([&["bench", "--json", "--merge"][..], &files].concat()).run();
    let whole = object(&outcome);
    assert_eq!((&whole["messages"]["sent"], outcome.code()), (&101.into(), Some(0)), "{outcome}");
    // Each topic has two subscribers.
    assert_eq!((&whole["verified"]["sent"], &whole["verified"]["lost"]), (&202.into(), &0.into()));
    assert_eq!(whole["plan"]["count"], 101, "{outcome}");
    drop(serve);
}

#[test]
fn what_split_readers_need_is_asked_for() {
    let part = ["bench", "ws://127.0.0.1:1/mqtt", "--run", "7", "--part", "2/3", "--sub", "5"];
    let why = "mqttws: --part 2/3: with fewer topics (1) than parts the readers of a topic are in \
               several: give --start-at, when all of them will have subscribed";
    fails(&Program::new([&part[..], &["--pub", "1"]].concat()).run(), 2, why);
    let start = soon(3600);
    let retained = ["--pub", "1", "--start-at", &start, "--retained"];
    let why =
        "mqttws: --part: with fewer topics than parts nothing can be retained (-r, --retained)";
    fails(&Program::new([&part[..], &retained].concat()).run(), 2, why);
    let alone = ["bench", "ws://127.0.0.1:1/mqtt", "--run", "7", "--part", "3/3", "--pub", "4"];
    let why = "mqttws: --part 3/3: no connection is left for this part";
    fails(&Program::new([&alone[..], &["--topics", "2"]].concat()).run(), 2, why);
}
