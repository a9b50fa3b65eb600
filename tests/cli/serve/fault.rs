//! `mqttws serve --fault`: what goes wrong on purpose, as the clients of a user see it.

use std::fs;
use std::time::Duration;

use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program, Running};

const MQTTWS: &str = env!("CARGO_BIN_EXE_mqttws");

/// A broker with these faults and a log of JSON, and its URL.
fn serve(faults: &str) -> (Running, String) {
    let words = ["serve", "-p", "0", "--log", "json", "--fault", faults];
    let mut running = Program::new(words).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://"));
    (running, url)
}

/// What the log of a broker that has ended tells of faults, from the name of the fault on.
fn faults(outcome: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines = text.lines().filter(|line| line.contains(r#""event":"fault""#));
    lines.map(|line| line[line.find(r#""fault":"#).unwrap()..].to_owned()).collect()
}

/// Ends the broker, and returns what it tells of faults.
fn stop(serve: Running) -> Vec<String> {
    serve.signal("INT");
    let outcome = serve.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    faults(&outcome)
}

/// A subscriber that has subscribed.
fn subscriber(url: &str, qos: &str, more: &[&str]) -> Running {
    let words = [&["sub", url, "-t", "a", "-q", qos, "-d"], more].concat();
    let mut running = Program::new(words).spawn();
    running.wait_for_words("received SUBACK");
    running
}

fn publish(url: &str, qos: &str, message: &str) {
    let words = ["pub", url, "-t", "a", "-q", qos, "-m", message];
    Program::new(words).run().expect(0, "", "");
}

#[test]
fn a_caret_shows_what_is_wrong() {
    for (text, stderr) in [
        (
            "drop=0.01,delay=fast",
            "mqttws: --fault: delay: expected a time such as 2, 0.5, 500ms, 2s, 5m or 1h\n  \
             drop=0.01,delay=fast\n                  ^\n",
        ),
        (
            "dup=0.1, loss=1",
            "mqttws: --fault: there is no 'loss': expected drop, dup, delay, stall, rate, \
             cut-after, cut-idle, refuse or seed\n  dup=0.1, loss=1\n           ^\n",
        ),
        (
            "out/pubak:drop=1",
            "mqttws: --fault: 'pubak' is neither in, nor out, nor the name of a packet\n  \
             out/pubak:drop=1\n      ^\n",
        ),
        (
            "ü\n=1",
            "mqttws: --fault: there is no 'ü\\n': expected drop, dup, delay, stall, rate, \
             cut-after, cut-idle, refuse or seed\n  ü\\n=1\n  ^\n",
        ),
    ] {
        Program::new(["serve", "-p", "0", "--fault", text]).run().expect(2, "", stderr);
    }
}

#[test]
fn the_seed_is_told_where_it_matters() {
    let run = |faults: &str| {
        let outcome = Program::new(["serve", "--fault", faults, "--", "true"]).run();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        String::from_utf8(outcome.stderr).unwrap()
    };
    for faults in ["drop=0.5", "dup=0.01", "delay=1ms-2ms", "refuse=1,in/publish:drop=0.9"] {
        assert!(is_like(&run(faults), "mqttws: --fault: seed=*\n"), "{faults}");
    }
    for faults in ["drop=0.5,seed=7", "drop=1,dup=0", "delay=1ms", "refuse=1", "stall=1s@5"] {
        assert_eq!(run(faults), "", "{faults}");
    }
}

#[test]
fn the_log_for_people_has_a_line_for_each_fault() {
    let publish = [MQTTWS, "pub", "-i", "me", "-t", "a", "-m", "x"];
    let faults = "publish:drop=1,disconnect:delay=10ms";
    let words = [&["serve", "-d", "--fault", faults, "--"], &publish[..]].concat();
    let outcome = Program::new(words).run();
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("Fault")).collect();
    let [drop, delay] = lines[..] else { panic!("{outcome}") };
    let expected = "*: Fault drop: PUBLISH from me (d0, q0, r0, m0, 'a', ... (1 bytes))";
    assert!(is_like(drop, expected), "{drop}");
    assert!(is_like(delay, "*: Fault delay=10ms: DISCONNECT from me*"), "{delay}");
    assert!(!text.contains("Received PUBLISH"), "{text}");
}

#[test]
fn a_message_that_is_dropped() {
    let (serve, url) = serve("in/publish:drop=1");
    publish(&url, "0", "x");
    let expected = r#""fault":"drop","direction":"in","packet":"PUBLISH","topic":"a","qos":0,"#;
    let faults = stop(serve);
    assert!(faults.len() == 1 && faults[0].starts_with(expected), "{faults:?}");
}

#[test]
fn a_message_that_comes_twice_at_each_qos() {
    for (qos, count, output) in
        [("0", "4", "x\nx\nend\nend\n"), ("1", "4", "x\nx\nend\nend\n"), ("2", "2", "x\nend\n")]
    {
        let (serve, url) = serve("in/publish:dup=1");
        let subscriber = subscriber(&url, qos, &["-C", count]);
        publish(&url, qos, "x");
        publish(&url, qos, "end");
        let outcome = subscriber.finish();
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), output.as_bytes()));
        let faults = stop(serve);
        assert!(faults.len() == 2 && faults[0].starts_with(r#""fault":"dup""#), "{faults:?}");
    }
}

#[test]
fn what_is_delayed_arrives_at_each_qos() {
    for qos in ["0", "1", "2"] {
        let (serve, url) = serve("delay=20ms-60ms,seed=7");
        let subscriber = subscriber(&url, qos, &["-C", "1"]);
        publish(&url, qos, "x");
        let outcome = subscriber.finish();
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"x\n"[..]), "{outcome}");
        // SUBSCRIBE and its answer, the message and its delivery.
        assert!(outcome.took >= Duration::from_millis(80), "{outcome}");
        let faults = stop(serve);
        assert!(faults.iter().all(|line| line.starts_with(r#""fault":"delay","#)), "{faults:?}");
        assert!(faults.iter().all(|line| line.contains(r#""seconds":0.0"#)), "{faults:?}");
    }
}

#[test]
fn a_stall_holds_the_answer_up() {
    let (serve, url) = serve("out:stall=300ms@1");
    let words = ["ping", &url, "-c", "2", "--interval", "0.01"];
    let outcome = Program::new(words).run();
    assert!(outcome.code() == Some(0) && outcome.took >= Duration::from_millis(300), "{outcome}");
    let expected = r#""fault":"stall","direction":"out","seconds":0.3,"packet":"PINGRESP"}"#;
    assert_eq!(stop(serve), [expected]);
}

#[test]
fn connections_that_are_refused() {
    let (serve, url) = serve("refuse=1");
    let outcome = Program::new(["pub", &url, "-t", "a", "-m", "x"]).run();
    assert_eq!(outcome.code(), Some(5), "{outcome}");
    publish(&url, "1", "x");
    assert_eq!(stop(serve), [r#""fault":"refuse"}"#]);
}

/// Over TLS, too, where a record holds more than may pass.
#[test]
fn what_is_slow_comes_late_and_whole() {
    let message = "x".repeat(20_000);
    for flags in [&[][..], &["--tls"]] {
        for (faults, shortest) in [
            ("out:rate=40KiB", Duration::from_millis(300)),
            ("in:rate=40KiB", Duration::from_millis(300)),
            ("cut-after=50KiB", Duration::ZERO),
        ] {
            let script = "mqttws pub -t a -r -q 1 -f \"$0\" && mqttws sub -t a -C 1";
            let folder = Folder::new();
            let path = folder.write("message", &message);
            let command = ["--", "sh", "-c", script, &path];
            let words = [&["serve", "--fault", faults], flags, &command].concat();
            let outcome = Program::new(words).run();
            assert_eq!((outcome.code(), outcome.stderr.len()), (Some(0), 0), "{outcome}");
            assert!(outcome.stdout.strip_suffix(b"\n") == Some(message.as_bytes()));
            assert!(outcome.took >= shortest, "{faults}: {:?}", outcome.took);
        }
    }
}

#[test]
fn a_silent_connection_ends_without_a_word() {
    let (serve, url) = serve("cut-idle=200ms");
    let words = ["sub", &url, "-t", "a", "-k", "0", "--no-reconnect"];
    let outcome = Program::new(words).run();
    let line = "mqttws: *the server closed the connection*";
    assert!(outcome.code() == Some(8), "{outcome}");
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), line), "{outcome}");
    assert_eq!(stop(serve), [r#""fault":"cut-idle","seconds":0.2}"#]);
}

/// Exactly once stays exactly once.
#[test]
fn qos_2_through_cuts_delays_and_packets_that_come_twice() {
    let (serve, url) = serve("dup=0.2,delay=1ms-5ms,cut-after=8KiB,seed=7");
    let lines: Vec<String> = (0..24).map(|number| format!("{number:0>500}\n")).collect();
    let lines = lines.concat();
    let session = ["-i", "me", "-c", "-C", "24", "--quiet"];
    let subscriber = subscriber(&url, "2", &session);
    let words = ["pub", &url, "-t", "a", "-q", "2", "-l", "--quiet"];
    let outcome = Program::new(words).stdin(lines.as_str()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let outcome = subscriber.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stdout == lines.as_bytes(), "{outcome}");
    let faults = stop(serve);
    for fault in ["dup", "delay", "cut-after"] {
        let name = format!("\"fault\":\"{fault}\"");
        assert!(faults.iter().any(|line| line.starts_with(&name)), "{fault}: {faults:?}");
    }
}

#[test]
fn the_same_seed_does_the_same_again() {
    let lines: String = (0..100).map(|number| "x".repeat(number) + "\n").collect();
    let run = |seed: u32| {
        let (serve, url) = serve(&format!("publish:drop=0.3,publish:dup=0.3,seed={seed}"));
        let words = ["pub", &url, "-t", "a", "-l"];
        Program::new(words).stdin(lines.as_str()).run().expect(0, "", "");
        stop(serve)
    };
    let first = run(7);
    assert!((20..80).contains(&first.len()), "{first:?}");
    assert_eq!(run(7), first);
    assert_ne!(run(8), first);
}

#[test]
fn it_ends_while_packets_are_held() {
    for (faults, qos) in [("in/disconnect:delay=1h", "1"), ("out/puback:stall=1h", "0")] {
        for signal in ["INT", "TERM"] {
            let (serve, url) = serve(faults);
            let words = ["pub", &url, "-t", "a", "-m", "x", "-q", qos, "--quiet"];
            assert_eq!(Program::new(words).run().code(), Some(0));
            serve.signal(signal);
            assert_eq!(serve.finish().code(), Some(0));
        }
    }
}

/// A subscriber that is sent nothing for an hour costs what any slow one does.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_while_messages_are_held() {
    let folder = Folder::new();
    let path = folder.path().join("megabyte");
    fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
    let mut serve = Program::new(["serve", "-p", "0", "--fault", "out/publish:delay=1h"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    let _subscriber = subscriber(&url, "0", &[]);
    let file = path.to_str().unwrap();
    let words = ["pub", &url, "-t", "a", "-f", file, "--repeat", "200", "--quiet"];
    assert_eq!(Program::new(words).run().code(), Some(0));
    let status = fs::read_to_string(format!("/proc/{}/status", serve.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < 150_000, "{kibibytes} KiB for 200 MiB");
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}
