//! `mqttws ping` for monitoring systems: thresholds, the line of a plugin with its exit codes, and
//! the metrics of Prometheus.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{is_like, is_line};
use crate::support::program::{Outcome, Program};

/// A broker that answers so many PINGREQs, each after this time.
fn answering(probes: usize, after: Duration) -> Broker {
    let mut steps = connected([]);
    for _ in 0..probes {
        steps.extend([packet("c0"), Step::Dally(after), Step::Send("d0")]);
    }
    Broker::start(until_goodbye(steps))
}

/// `mqttws ping URL -V 311 --interval 0` and `arguments`.
fn ping(url: &str, arguments: &[&str]) -> Outcome {
    Program::new([&["ping", url, "-V", "311", "--interval", "0"], arguments].concat()).run()
}

/// Checks the exit code, that nothing is said on stderr, and the one line on stdout.
fn says(outcome: &Outcome, code: i32, pattern: &str) {
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(code), &b""[..]), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout);
    let is_right = text.strip_suffix('\n').is_some_and(|line| is_like(line, pattern));
    assert!(is_right && !text.trim_end().contains('\n'), "not like {pattern}:\n{outcome}");
}

const AT_ONCE: Duration = Duration::ZERO;
const LATER: Duration = Duration::from_millis(50);

#[test]
fn thresholds_are_compared() {
    let data = "min=*ms;;;0 avg=*ms;;;0 p50=*ms;;;0 max=*ms;;;0 loss=0%;;;0;100 connect=*ms;;;0";
    for (after, flags, code, state) in [
        (AT_ONCE, ["--warn", "60", "--crit", "120"], 0, "OK"),
        (LATER, ["--warn", "10ms", "--crit", "120"], 1, "WARNING"),
        (LATER, ["--warn", "5ms", "--crit", "10ms"], 2, "CRITICAL"),
        (LATER, ["--warn", "10ms", "--crit", "10ms"], 2, "CRITICAL"),
    ] {
        let broker = answering(2, after);
        let outcome = ping(&broker.url(), &[&flags[..], &["-c", "2"]].concat());
        let pattern = format!(
            "PING {state} - p99 * ms, 2 of 2 probes answered by ws://127.0.0.1:*/mqtt | \
             p99=*ms;*.000;*.000;0 {data}"
        );
        says(&outcome, code, &pattern);
    }
}

#[test]
fn one_threshold_is_enough_and_any_figure_can_be_compared() {
    let line = |figure: &str, limits: &str| {
        format!("PING * - {figure} * ms, 1 of 1 probe answered by * | {figure}=*ms;{limits};0 *")
    };
    for (flags, code, pattern) in [
        (&["--crit", "60"][..], 0, line("p99", ";60000.000")),
        (&["--crit", "10ms"], 2, line("p99", ";10.000")),
        (&["--warn", "10ms", "--on", "min"], 1, line("min", "10.000;")),
        (&["--warn", "60s", "--on", "avg"], 0, line("avg", "60000.000;")),
        (&["--warn", "60s", "--on", "p99.9"], 0, line("p99.9", "60000.000;")),
        (&["--warn", "60s", "--on", "max"], 0, line("max", "60000.000;")),
    ] {
        let broker = answering(1, LATER);
        says(&ping(&broker.url(), &[flags, &["-c", "1"]].concat()), code, &pattern);
    }
}

/// The figure is not known where it is that of a probe without an answer.
#[test]
fn a_probe_without_an_answer_is_longer_than_any_threshold() {
    let script = || connected([packet("c0"), Step::Send("d0"), packet("c0"), Step::Gone]);
    let flags = ["-c", "2", "-W", "0.3", "--warn", "60", "--crit", "120"];
    let broker = Broker::start(script());
    says(
        &ping(&broker.url(), &flags),
        2,
        "PING CRITICAL - p99 is without an answer, 1 of 2 probes answered by ws://*/mqtt | \
         p99=U;60000.000;120000.000;0 min=*ms;;;0 avg=* p50=* max=* loss=50%;;;0;100 connect=*",
    );
    let broker = Broker::start(script());
    says(
        &ping(&broker.url(), &[&flags[..], &["--on", "p50"]].concat()),
        0,
        "PING OK - p50 * ms, 1 of 2 probes answered by * | p50=*ms;60000.000;120000.000;0 *",
    );
}

#[test]
fn five_probes_are_sent_unless_another_number_is_given() {
    for flags in [&["--crit", "60"][..], &["--crit", "60", "-w", "60"], &["--format", "nagios"]] {
        let broker = answering(5, AT_ONCE);
        says(&ping(&broker.url(), flags), 0, "PING OK - * ms, 5 of 5 probes answered by *");
    }
}

const THRESHOLDS: [&str; 4] = ["--warn", "1", "--crit", "2"];

#[test]
fn no_connection_is_critical() {
    // A port that nobody listens at.
    let outcome = ping("ws://127.0.0.1:1/mqtt", &THRESHOLDS);
    says(
        &outcome,
        2,
        "PING CRITICAL - connecting to ws://127.0.0.1:1/mqtt: connection refused; nothing listens \
         at this port: check it, or start `mqttws serve`",
    );
    let refused = vec![Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 05"), Step::Gone];
    let broker = Broker::start(refused);
    says(&ping(&broker.url(), &THRESHOLDS), 2, "PING CRITICAL - connecting to *: not authorized*");
    let broker = Broker::start(vec![Step::Request(&[]), Step::Answer("HTTP/1.1 404 a|b\r\n\r\n")]);
    says(&ping(&broker.url(), &THRESHOLDS), 2, "PING CRITICAL - connecting to *HTTP 404 a/b*");
}

#[test]
fn a_connection_that_is_lost_is_critical() {
    let steps = connected([packet("c0"), Step::Send("d0"), packet("c0"), Step::End]);
    let broker = Broker::start(steps);
    let outcome = ping(&broker.url(), &[&THRESHOLDS[..], &["--no-reconnect"]].concat());
    says(
        &outcome,
        2,
        "PING CRITICAL - pinging ws://*/mqtt: connection lost: the server closed the connection | \
         p99=U;1000.000;2000.000;0 min=* loss=50%;;;0;100 connect=*ms;;;0",
    );
}

#[test]
fn silence_is_critical() {
    let broker = Broker::start(connected([packet("c0"), Step::Gone]));
    says(
        &ping(&broker.url(), &[&THRESHOLDS[..], &["-c", "1", "-W", "0.3"]].concat()),
        2,
        "PING CRITICAL - pinging ws://*/mqtt: no probe was answered | \
         p99=U;1000.000;2000.000;0 loss=100%;;;0;100 connect=*ms;;;0",
    );
    // Before there is a connection the deadline counts as well.
    let broker = Broker::start(vec![Step::Request(&[]), Step::Gone]);
    says(
        &ping(&broker.url(), &[&THRESHOLDS[..], &["-w", "0.3"]].concat()),
        2,
        "PING CRITICAL - connecting to ws://*/mqtt: no WebSocket upgrade within 0.3 s; *",
    );
}

#[test]
fn a_subscription_that_is_refused_says_nothing_about_the_time() {
    let steps = connected([packet("82 id <mqttws/ping/me> 00"), Step::Send("90 id 80")]);
    let broker = Broker::start(until_goodbye(steps));
    let outcome =
        ping(&broker.url(), &[&THRESHOLDS[..], &["-i", "me", "--via", "publish"]].concat());
    says(
        &outcome,
        3,
        "PING UNKNOWN - subscribing to mqttws/ping/me: refused: unspecified error | *",
    );
}

#[test]
fn an_interrupted_check_is_unknown() {
    let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Tell])));
    let url = broker.url();
    let program = ["ping", &url, "-V", "311", "--crit", "60"];
    let program = Program::new(program).spawn();
    broker.wait();
    program.signal("TERM");
    let pattern = "PING UNKNOWN - pinging ws://*/mqtt: interrupted after 1 of 5 probes | *";
    let outcome = program.finish();
    // None was answered either, which is less than the signal.
    says(&outcome, 3, pattern);
}

/// The usage line is on stderr as everywhere, and on stdout, where a monitoring system looks.
#[test]
fn a_wrong_command_line_is_unknown() {
    for (flags, why) in [
        (&["--warn", "5", "--crit", "2"][..], "--warn 5 s is above --crit 2 s: nothing would *"),
        (&["--warn=x"], "*--warn*expected a time*"),
        (&["--crit", "2", "--frob"], "*--frob*"),
        (&["--crit", "2", "--on", "p101"], "*expected min, avg, max, or a percentile*"),
        (&["--crit", "2", "--password-file", "/no-such-file"], "*/no-such-file*"),
    ] {
        let outcome = Program::new([&["ping", "ws://127.0.0.1:1"], flags].concat()).run();
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(is_like(stdout.trim_end(), &format!("PING UNKNOWN - {why}")), "{outcome}");
        assert!(is_line(&outcome.stderr, &format!("mqttws: {why}")), "{outcome}");
    }
    // Without thresholds it is an ordinary command.
    Program::new(["ping", "ws://127.0.0.1:1", "--on", "p99"]).run().expect(
        2,
        "",
        "mqttws: --on needs --warn or --crit\n",
    );
    let outcome = Program::new(["ping", "--crit", "1", "--help"]).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
}

#[test]
fn thresholds_of_a_profile_make_it_a_plugin_too() {
    let folder = Folder::new();
    let config = folder.write("config.toml", "[profile.m]\nwarn = '5'\ncrit = '2'\n");
    let arguments = ["ping", "ws://127.0.0.1:1", "--config", &config, "--profile", "m"];
    let outcome = Program::new(arguments).run();
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stdout.starts_with(b"PING UNKNOWN - --warn 5 s is above "), "{outcome}");
    let outcome = Program::new([&arguments[..], &["--crit", "9"]].concat()).run();
    says(&outcome, 2, "PING CRITICAL - connecting to *: connection refused; *");
}

#[test]
fn an_output_that_cannot_be_written_is_unknown() {
    let broker = answering(1, AT_ONCE);
    let command = format!(
        "{} ping {} -V 311 -c 1 --crit 60 >/dev/full",
        env!("CARGO_BIN_EXE_mqttws"),
        broker.url()
    );
    let outcome = Program::of("sh", ["-c", &command]).run();
    let line = "mqttws: writing to stdout: No space left on device\n";
    outcome.expect(3, "", line);
}

#[test]
fn a_connection_that_failed_counts_before_an_output_that_did() {
    let program = env!("CARGO_BIN_EXE_mqttws");
    let command = format!("{program} ping ws://127.0.0.1:1/mqtt --format prometheus >/dev/full");
    let outcome = Program::of("sh", ["-c", &command]).run();
    let lines = "mqttws: writing to stdout: No space left on device\n\
                 mqttws: connecting to ws://127.0.0.1:1/mqtt: connection refused; *";
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), lines), "{outcome}");
}

/// The form alone does not change the exit codes.
#[test]
fn the_line_without_thresholds_has_the_usual_exit_codes() {
    let broker = answering(1, AT_ONCE);
    let outcome = ping(&broker.url(), &["-c", "1", "--format", "nagios"]);
    says(&outcome, 0, "PING OK - avg * ms, 1 of 1 probe answered by * | avg=*ms;;;0 min=*");
    let outcome = ping("ws://127.0.0.1:1/mqtt", &["--format", "nagios"]);
    says(&outcome, 3, "PING CRITICAL - connecting to *");
}

/// The samples of a text in Prometheus's format, after a strict look at its lines.
fn samples(text: &str) -> Vec<(String, f64)> {
    let mut heads = Vec::new();
    let mut samples = Vec::new();
    assert!(text.ends_with('\n'), "{text}");
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["#", "HELP", name, _, ..] => heads.push(name),
            ["#", "TYPE", name, "gauge"] => assert_eq!(heads.last(), Some(&name), "{text}"),
            [name, value] => {
                let metric = name.split('{').next();
                assert_eq!(heads.last().copied(), metric, "{text}");
                assert!(name.contains("{url=\"ws://127.0.0.1:") && name.ends_with("\"}"), "{text}");
                samples.push((name.to_owned(), value.parse().unwrap()));
            }
            _ => panic!("{line}\n{text}"),
        }
    }
    let names = heads.len();
    heads.dedup();
    assert_eq!(heads.len(), names, "{text}");
    samples
}

#[test]
fn metrics_are_as_the_textfile_collector_reads_them() {
    let broker = answering(2, LATER);
    let outcome = ping(&broker.url(), &["-c", "2", "--format", "prometheus"]);
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let samples = samples(&String::from_utf8_lossy(&outcome.stdout));
    let url = format!("url=\"{}\"", broker.url());
    let value = |name: &str, labels: &str| {
        let name = format!("mqttws_ping_{name}{{{url}{labels}}}");
        let sample = samples.iter().find(|(sample, _)| *sample == name);
        sample.unwrap_or_else(|| panic!("no {name}: {samples:?}")).1
    };
    let counts = ["up", "probes_sent", "probes_answered"].map(|name| value(name, "").to_string());
    assert_eq!(counts, ["1", "2", "2"]);
    for statistic in ["min", "avg", "p50", "p99", "max"] {
        let time = value("round_trip_seconds", &format!(",statistic=\"{statistic}\""));
        assert!((0.05..60.0).contains(&time), "{statistic}: {time}");
    }
    value("round_trip_seconds", ",statistic=\"stddev\"");
    for phase in ["name", "tcp", "upgrade", "connack"] {
        value("connect_phase_seconds", &format!(",phase=\"{phase}\""));
    }
    assert_eq!(samples.len(), 13);
}

#[test]
fn metrics_tell_that_there_is_no_connection() {
    let outcome = ping("ws://127.0.0.1:1/mqtt", &["--format", "prometheus"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        is_line(&outcome.stderr, "mqttws: connecting to *: connection refused; *"),
        "{outcome}"
    );
    let text = String::from_utf8_lossy(&outcome.stdout);
    let values: Vec<f64> = samples(&text).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [0.0, 0.0, 0.0], "{outcome}");
    // With thresholds the exit code is that of a plugin, and the metrics stay.
    let outcome = ping("ws://127.0.0.1:1/mqtt", &["--format", "prometheus", "--crit", "1"]);
    assert_eq!((outcome.code(), outcome.stdout.is_empty()), (Some(2), false), "{outcome}");
}
