//! Who may come in to `mqttws serve`: pages by their origin, machines by the name that they use.

use super::{serve_with, stop};
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};

/// A publish to this broker with these flags.
fn publish(url: &str, flags: &[&str]) -> Outcome {
    Program::new([&["pub", url, "-t", "t", "-q", "1", "-m", "x"], flags].concat()).run()
}

/// It is refused with this sentence.
fn is_refused(url: &str, flags: &[&str], sentence: &str) {
    let outcome = publish(url, flags);
    let line = format!(
        "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 403 Forbidden: \
         {sentence}; *\n"
    );
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(5) && is_like(&text, &line), "{outcome}");
}

#[test]
fn pages_of_other_origins_need_the_flag_that_the_refusal_names() {
    let (broker, url) = serve_with(&[]);
    for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173"] {
        publish(&url, &["--origin", origin]).expect(0, "", "");
    }
    let sentence = "start mqttws serve with --allow-origin https://app.example to let in pages of \
                    this origin";
    is_refused(&url, &["--origin", "https://app.example"], sentence);
    let sentence = "start mqttws serve with --allow-origin null to let in pages without an origin \
                    of their own: files, and sandboxed frames of any page";
    is_refused(&url, &["--origin", "null"], sentence);
    drop(broker);

    let flags = ["--allow-origin", "https://app.example", "--allow-origin=null"];
    let (broker, url) = serve_with(&flags);
    for origin in ["https://app.example", "null", "http://localhost"] {
        publish(&url, &["--origin", origin]).expect(0, "", "");
    }
    let sentence = "start mqttws serve with --allow-origin https://other.example *";
    is_refused(&url, &["--origin", "https://other.example"], sentence);
    drop(broker);
}

#[test]
fn what_is_no_origin_is_a_wrong_flag() {
    for (value, reason) in [
        ("app.example", "expected an origin such as https://app.example or *, or null; *"),
        ("https://app.example/", "expected an origin such as *"),
        ("*", "every page that a browser of this machine shows could use the broker: name the *"),
    ] {
        let outcome = Program::new(["serve", "--allow-origin", value]).run();
        let line = format!("mqttws: *'{value}' for '--allow-origin <ORIGIN>': {reason}");
        fails(&outcome, 2, &line);
    }
}

/// A page can make a name of its own lead to this machine (DNS rebinding).
#[test]
fn a_name_that_leads_here_is_refused() {
    let (broker, url) = serve_with(&[]);
    for host in ["localhost:8080", "192.168.0.7", "[::1]:1"] {
        publish(&url, &["-H", &format!("Host: {host}")]).expect(0, "", "");
    }
    let sentence = "start mqttws serve with --allow-remote to let in clients that call it \
                    evil.example, which is neither an address nor localhost (DNS rebinding)";
    is_refused(&url, &["-H", "Host: evil.example"], sentence);
    drop(broker);
}

#[test]
fn other_machines_come_with_a_flag_and_a_warning() {
    let mut program = Program::new(["serve", "-h", "0.0.0.0", "-p", "0", "--allow-remote"]).spawn();
    // The URL is for clients on this machine.
    let url = program.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    publish(&url, &["-H", "Host: broker.example"]).expect(0, "", "");
    is_refused(
        &url,
        &["--origin", "http://broker.example"],
        "start mqttws serve with --allow-origin *",
    );
    program.signal("TERM");
    let outcome = program.finish();
    let warnings = "mqttws: warning: --allow-remote: everybody who reaches this machine can connect: \
         name those who may with --user or --users\n\
         mqttws: warning: 127.0.0.1:* was refused with 403 Forbidden: start mqttws serve with \
         --allow-origin http://broker.example to let in pages of this origin\n";
    let is_so = is_like(&String::from_utf8_lossy(&outcome.stderr), warnings);
    assert!(outcome.code() == Some(0) && is_so, "{outcome}");
}

#[test]
fn a_broker_with_flags_ends_as_others_do() {
    let (broker, _) = serve_with(&["--allow-origin", "http://app.example:3000"]);
    stop(broker);
}
