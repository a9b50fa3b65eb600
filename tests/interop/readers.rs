//! The reports of `check` as others read them: `prove` of Perl, `jq`, and a strict XML parser with
//! the rules of the schema by which Jenkins validates JUnit (junit-10.xsd of its xUnit plugin).

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::folder::Folder;
use super::is_here;
use super::program::{Outcome, Program};

/// How long a run of `check` may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends with 1 at the first element, attribute or number that is not as the schema and the counts
/// say. Of the schema's rules one is not kept: `testsuites` counts what is skipped.
const JUNIT: &str = r#"
import sys
from xml.etree import ElementTree

counts = {"name", "tests", "failures", "errors", "skipped", "time"}
words = {"type", "message"}
allowed = {
    "testsuites": (counts, {"testsuite"}),
    "testsuite": (counts | {"timestamp", "hostname"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped", "system-out"}),
    "failure": (words, set()), "error": (words, set()), "skipped": (words, set()),
    "system-out": (set(), set()),
}

def check(element):
    attributes, children = allowed[element.tag]
    assert set(element.attrib) <= attributes, (element.tag, element.attrib)
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        check(child)

def counted(element):
    cases = list(element.iter("testcase"))
    have = lambda tag: str(sum(case.find(tag) is not None for case in cases))
    assert element.get("tests") == str(len(cases)), element.attrib
    for count, tag in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]:
        assert element.get(count) == have(tag), (count, element.attrib)

root = ElementTree.parse(sys.argv[1]).getroot()
assert root.tag == "testsuites"
check(root)
for element in [root, *root]:
    counted(element)
    float(element.get("time"))
print(root.get("tests"))
"#;

/// An answer with everything that ends a text, a line, a string or a section somewhere.
const HOSTILE: &[u8] = b"HTTP/1.1 400 ]]>&<\"'\\ \x01\x1b[31m\xff\xfe \xe2\x80\xae# SKIP ... --- \
                         # TODO\r\nServer: ]]><!-- ' \x07\xef\xbf\xbe\r\nContent-Length: 0\r\n\r\n";

/// Answers every request so.
fn hostile_server() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Whoever asks may have gone.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(HOSTILE);
            });
        }
    });
    format!("ws://127.0.0.1:{port}/mqtt")
}

/// Runs `check` with a report in each form, in this folder.
fn check(url: &str, flags: &[&str], folder: &Folder) -> Outcome {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let json = format!("--json={}", path("report.json"));
    let junit = path("report.xml");
    let forms = ["check", url, &json, "--junit", &junit, "--tap"];
    let outcome = Program::new([&forms, flags].concat()).spawn().finish_within(PATIENCE);
    // `prove` of Perl 5.36 knows version 13, in which nothing that is used here is different.
    let tap = String::from_utf8(outcome.stdout.clone()).unwrap();
    let tap = tap.replacen("TAP version 14\n", "TAP version 13\n", 1);
    fs::write(path("report.tap"), tap).unwrap();
    outcome
}

/// Runs a reader on one of the reports; what it prints.
fn read(folder: &Folder, program: &str, arguments: &[&str], name: &str) -> Outcome {
    let path = folder.path().join(name).display().to_string();
    Program::of(program, [arguments, &[&path]].concat()).run()
}

/// How many cases the JUnit file and the array of the JSON report have.
fn cases(folder: &Folder) -> (String, String) {
    let printed = |outcome: &Outcome| {
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        String::from_utf8_lossy(&outcome.stdout).trim().to_owned()
    };
    let junit = printed(&read(folder, "python3", &["-c", JUNIT], "report.xml"));
    let json = printed(&read(folder, "jq", &[".points | length"], "report.json"));
    (junit, json)
}

/// Whether the readers are to be tested with.
fn are_here() -> bool {
    ["prove", "jq", "python3"].iter().all(|program| is_here(program))
}

#[test]
fn reports_of_a_server_with_deviations_are_read() {
    if !are_here() {
        return;
    }
    let folder = Folder::new();
    let mut serve = Program::new(["serve", "-p", "0", "--deviate", "text-taken"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    let only = "upgrade,text-frame,mqtt-disconnect,qos1-round-trip,tls";
    let outcome = check(&url, &["--only", only], &folder);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let (junit, json) = cases(&folder);
    assert_eq!(junit, json);
    let proved = read(&folder, "prove", &["--exec", "cat"], "report.tap");
    let said = String::from_utf8_lossy(&proved.stdout).into_owned();
    assert!(said.contains(&format!("Tests: {junit} Failed: 1)")), "{proved}");
    assert!(!said.contains("Parse errors"), "{proved}");
}

#[test]
fn reports_with_hostile_text_are_read() {
    if !are_here() {
        return;
    }
    let folder = Folder::new();
    let outcome = check(&hostile_server(), &[], &folder);
    assert_eq!(outcome.code(), Some(5), "{outcome}");
    let (junit, json) = cases(&folder);
    assert_eq!(junit, json);
    let proved = read(&folder, "prove", &["--exec", "cat"], "report.tap");
    let said = String::from_utf8_lossy(&proved.stderr).into_owned();
    assert!(said.contains("Further testing stopped: the upgrade was answered by"), "{proved}");
}
