//! The examples of MONITORING in mqttws-ping(1), run as they stand there; only the address, and
//! where a folder of the system is meant, that folder are replaced.

use std::fs;
use std::path::Path;

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// The lines of the first example after this heading, as a reader of the page sees them.
fn example(heading: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/mqttws-ping.1");
    let page = fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once(&format!(".SS {heading}\n")).expect("the heading");
    let (_, example) = after.split_once(".EX\n").expect("an example");
    let (example, _) = example.split_once(".EE\n").expect("its end");
    let shown = example.replace("\\-", "-").replace("\\e", "\\");
    shown.lines().map(str::to_owned).collect()
}

/// The end of the line of the example that contains `start`.
fn command(heading: &str, start: &str) -> String {
    let lines = example(heading);
    let line = lines.iter().find_map(|line| line.split_once(start));
    line.unwrap_or_else(|| panic!("no {start}: {lines:#?}")).1.trim_start().to_owned()
}

/// A broker that answers so many PINGREQs, in the version that clients ask for first.
fn answering(probes: usize) -> Broker {
    let mut steps = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    for _ in 0..probes {
        steps.extend([packet("c0"), Step::Send("d0")]);
    }
    Broker::start(until_goodbye(steps))
}

/// Runs it in a shell that finds `mqttws`.
fn run(script: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap().display();
    let script = format!("PATH={folder}:$PATH\n{script}\n");
    Program::of("sh", ["-c", &script]).run()
}

const NOBODY: &str = "ws://127.0.0.1:1/mqtt";

#[test]
fn a_health_check_of_a_container() {
    let check = command("A container's health check", "CMD");
    for (url, code) in [(answering(1).url(), 0), (NOBODY.to_owned(), 1)] {
        let outcome = run(&check.replace("ws://localhost:8080/mqtt", &url));
        assert_eq!(outcome.code(), Some(code), "{outcome}");
    }
}

#[test]
fn a_nagios_plugin() {
    let heading = "A Nagios plugin";
    let line = command(heading, "command_line");
    let arguments = command(heading, "check_command");
    let arguments: Vec<&str> = arguments.split('!').skip(1).collect();
    let broker = answering(5);
    let url = broker.url();
    let run_at = |url: &str, crit: &str| {
        assert_eq!(arguments[0], "wss://broker.example/mqtt");
        let words = [url, "60s", crit].into_iter().zip(["$ARG1$", "$ARG2$", "$ARG3$"]);
        run(&words.fold(line.clone(), |line, (word, name)| line.replace(name, word)))
    };
    let outcome = run_at(&url, "90s");
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(
        is_like(&text, "PING OK - p99 * ms, 5 of 5 probes answered by * | p99=*\n"),
        "{outcome}"
    );
    assert_eq!(run_at(NOBODY, "90s").code(), Some(2));
    assert_eq!(run_at(NOBODY, arguments[2]).code(), Some(3), "60 s are above {}", arguments[2]);
}

#[test]
fn a_textfile_of_node_exporter() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    let script = example("A textfile of node_exporter").join("\n");
    let script = script.replace("/var/lib/node_exporter/textfile_collector", &path);
    for (url, up) in [(answering(5).url(), "1"), (NOBODY.to_owned(), "0")] {
        let outcome = run(&script.replace("wss://broker.example/mqtt", &url));
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let text = fs::read_to_string(folder.path().join("mqttws.prom")).unwrap();
        let sample = format!("mqttws_ping_up{{url=\"{url}\"}} {up}");
        assert!(text.lines().any(|line| line == sample), "{text}");
    }
}

#[test]
fn a_readiness_probe() {
    let script = example("The readiness probe of a script").join("\n");
    let connect = [Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    let mut steps: Vec<Step> =
        connect.into_iter().chain([packet("c0"), Step::Send("d0")]).collect();
    steps = until_goodbye(steps);
    steps.extend([Step::Reconnect, Step::Upgrade, packet("10 <MQTT> 05 *")]);
    steps.extend([Step::Send("20 00 00 00"), packet("30 <lamps/1> 00 'on'")]);
    let broker = Broker::start(until_goodbye(steps));
    let outcome = run(&script.replace("ws://localhost:8080/mqtt", &broker.url()));
    outcome.expect(0, "", "");
    let script = script.replace("ws://localhost:8080/mqtt", NOBODY).replace("60", "0.1");
    let outcome = run(&script);
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(1), &b""[..]), "{outcome}");
}
