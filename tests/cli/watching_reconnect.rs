//! `sub` that tells of messages rather than writes them all, over a connection that is lost: what
//! was counted and remembered stays.

use crate::support::broker::{Broker, Step, packet, subscribed, until_goodbye};
use crate::support::lines::is_like;
use crate::support::program::Program;

/// A broker that sends these packets, ends the connection, and sends others over the next one.
fn cut_between(before: &'static str, after: &'static str) -> Broker {
    Broker::start(until_goodbye(subscribed([
        Step::Send(before),
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00"),
        Step::Send(after),
    ])))
}

fn subscribe(broker: &Broker, flags: &[&str]) -> Program {
    let own = ["sub", &broker.url(), "-V", "311", "-t", "t", "--reconnect-delay", "0.01"];
    Program::new([&own, flags].concat())
}

/// What is retained comes again when the subscription is made again: only other payloads are
/// written.
#[test]
fn what_was_written_before_a_loss_is_remembered() {
    let before = "31 <a> '1'; 31 <b> 'x'; 30 <c> ''";
    let after = "31 <a> '1'; 31 <b> 'y'; 30 <c> ''; 30 <d> 'new'; 30 <a> '2'";
    let broker = cut_between(before, after);
    let flags = ["--changed", "-v", "-C", "6", "--quiet"];
    let written = "a 1\nb x\nc (null)\nb y\nd new\na 2\n";
    subscribe(&broker, &flags).run().expect(0, written, "");
}

#[test]
fn a_report_counts_over_a_loss() {
    let broker = cut_between("31 <a> '1'; 30 <b> 'xy'", "31 <a> '1'; 30 <a> '345'");
    let outcome = subscribe(&broker, &["--report", "60", "--json", "-C", "4", "--quiet"]).run();
    let written = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let pattern = concat!(
        r#"{"byte_rate":*,"bytes":5,"last":"*","messages":3,"rate":*,"retained":2,"#,
        r#""time":"*","topic":"a"}"#,
        "\n",
        r#"{"byte_rate":*,"bytes":2,"last":"*","messages":1,"rate":*,"retained":0,"#,
        r#""time":"*","topic":"b"}"#,
        "\n",
    );
    assert!(outcome.code() == Some(0) && is_like(&written, pattern), "{outcome}");
    let broker = cut_between("31 <a/b> '1'", "31 <a/b> '1'; 30 <a/c> ''");
    let flags = ["--tree", "-C", "3", "--quiet"];
    let tree = "a\n|-- b  2 messages\n`-- c  1 message\n";
    subscribe(&broker, &flags).env("LC_ALL", "C").run().expect(0, tree, "");
}

/// Reports and rates go on while there is no connection.
#[test]
fn reports_and_rates_go_on_while_the_broker_is_away() {
    let steps = subscribed([Step::Send("30 <t> 'abc'"), Step::Tell, Step::End]);
    let broker = Broker::start(steps);
    let url = broker.url();
    let own = ["sub", &url, "-V", "311", "-t", "t", "--reconnect-delay", "60"];
    let flags = ["--report", "0.05", "--json", "--message-rate=0.05"];
    let mut running = Program::new([&own[..], &flags].concat()).spawn();
    broker.wait();
    running.wait_for_words("; trying again\n");
    for _ in 0..3 {
        running.wait_for_line(|line| line.contains(r#""messages":1,"rate":0.0,"#));
    }
    running.wait_for_words("mqttws: 0.0 messages/s, 0 bytes/s\n");
    running.signal("INT");
    let outcome = running.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn the_rate_counts_what_comes_after_a_loss() {
    let broker = cut_between("30 <t> 'abc'", "30 <t> 'defg'; 30 <t> 'hi'");
    let outcome = subscribe(&broker, &["--message-rate", "-C", "3"]).run();
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let pattern = "mqttws: warning: *: connection lost: *; trying again\n\
                   mqttws: warning: connected again after * s, new session\n\
                   mqttws: * messages/s, * bytes/s\n";
    assert!(outcome.code() == Some(0) && is_like(&said, pattern), "{outcome}");
    assert_eq!(outcome.stdout, b"abc\ndefg\nhi\n");
}
