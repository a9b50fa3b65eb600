//! `--follow`: where redirects lead, and what is not told to whom.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::program::Program;

/// `mqttws pub` of one message at QoS 0 to `url`.
fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

/// An answer of 302 to the first request.
fn redirects(lines: &'static [&'static str], to: &str) -> Vec<Step> {
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    vec![Step::Request(lines), Step::Answer(String::leak(answer)), Step::Gone]
}

#[test]
fn redirects_are_followed_with_credentials_on_the_same_host() {
    let mut script = redirects(&["GET /mqtt HTTP/1.1"], "a/b?c");
    script.extend([
        Step::Reconnect,
        Step::Request(&["GET /a/b?c HTTP/1.1", "Authorization: Bearer b"]),
        Step::Accept,
    ]);
    script.extend(until_goodbye(vec![
        packet("10 <MQTT> 04 c2 00 2d <me> <u> <p>"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let broker = Broker::start(script);
    let flags = ["--follow", "--bearer", "b", "-u", "u", "-P", "p", "-i", "me"];
    publish(&broker.url(), &flags).run().expect(0, "", "");
}

#[test]
fn redirects_to_another_host_are_followed_without_credentials() {
    let mut script = vec![Step::RequestWithout("Authorization"), Step::Accept];
    script.extend(until_goodbye(vec![
        packet("10 <MQTT> 04 02 00 2d <me>"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let other = Broker::start(script);
    let first = Broker::start(redirects(&["Authorization: Basic YTpi"], &other.url()));
    let flags = ["--follow", "--basic-auth", "a:b", "-u", "u", "-P", "p", "-i", "me"];
    publish(&first.url(), &flags).run().expect(
        0,
        "",
        "mqttws: warning: redirected to 127.0.0.1: user name and password are not sent there\n",
    );
}

#[test]
fn redirects_that_lead_nowhere_are_told() {
    let follow = |script| {
        let broker = Broker::start(script);
        let url = broker.url();
        (publish(&url, &["--follow"]).run(), url.replace("/mqtt", ""))
    };
    let (outcome, host) = follow(
        redirects(&[], "/a")
            .into_iter()
            .chain([Step::Reconnect])
            .chain(redirects(&[], "/mqtt"))
            .collect(),
    );
    let words = format!("the server redirects in a circle: {host}/mqtt -> {host}/a -> {host}/mqtt");
    outcome.expect(5, "", &format!("mqttws: connecting to {host}/mqtt: {words}\n"));

    let mut script = redirects(&[], "/0");
    for number in 1..6 {
        script.push(Step::Reconnect);
        script.extend(redirects(&[], &format!("/{number}")));
    }
    let (outcome, host) = follow(script);
    let words = format!("more than 5 redirects, the last one to {host}/5");
    outcome.expect(5, "", &format!("mqttws: connecting to {host}/mqtt: {words}\n"));

    let mut script = redirects(&[], "/a");
    let gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    script.extend([Step::Reconnect, Step::Request(&[]), Step::Answer(gone), Step::Gone]);
    let (outcome, host) = follow(script);
    let words = format!(
        "redirected to {host}/a: the server answered HTTP 410 Gone; no WebSocket at this path: check the path"
    );
    outcome.expect(5, "", &format!("mqttws: connecting to {host}/mqtt: {words}\n"));

    let (outcome, host) = follow(redirects(&[], "mqtt://host"));
    let words = "the server redirects to mqtt://host, which is not a valid address: mqtt:// is MQTT without WebSockets, \
                 which mqttws does not speak: write ws://HOST[:PORT]/PATH with the broker's WebSocket port";
    outcome.expect(5, "", &format!("mqttws: connecting to {host}/mqtt: {words}\n"));
}
