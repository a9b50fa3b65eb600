//! Several addresses of one cluster: which is tried when, what each of them is told, and servers
//! that name another one.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// A port at which nothing listens.
const CLOSED: &str = "ws://127.0.0.1:9/mqtt";

/// `mqttws sub` of one message of `t` at these addresses.
fn subscribe(urls: &[&str], flags: &[&str]) -> Program {
    let addresses = urls.iter().flat_map(|url| ["-L", *url]);
    let own = ["sub", "-i", "me", "-t", "t", "-C", "1", "--reconnect-delay", "0.01"];
    Program::new(own.into_iter().chain(addresses).chain(flags.iter().copied()))
}

fn expect_like(outcome: &Outcome, code: i32, stdout: &str, stderr: &str) {
    let said = String::from_utf8_lossy(&outcome.stderr);
    let is_as_expected = outcome.code() == Some(code) && outcome.stdout == stdout.as_bytes();
    assert!(is_as_expected && is_like(&said, stderr), "expected {code}\n{stderr}\n{outcome}");
}

/// What a broker sees up to the granted SUBSCRIBE, this being the rest of CONNECT.
fn subscribed(connect: &str) -> Vec<Step> {
    vec![
        Step::Upgrade,
        packet(&format!("10 <MQTT> 04 {connect}")),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00"),
    ]
}

fn and<const N: usize>(mut steps: Vec<Step>, more: [Step; N]) -> Vec<Step> {
    steps.extend(more);
    steps
}

#[test]
fn the_next_address_is_tried_when_one_cannot_be_reached() {
    let message = until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")]));
    let broker = Broker::start(message);
    let outcome = subscribe(&[CLOSED, &broker.url()], &["-V", "311"]).run();
    let words = "mqttws: warning: ws://127.0.0.1:9/mqtt: connection refused; \
                 trying ws://127.0.0.1:*/mqtt\n";
    expect_like(&outcome, 0, "x\n", words);
}

#[test]
fn the_next_address_is_tried_when_one_is_not_ready() {
    let unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let first = Broker::start(vec![Step::Request(&[]), Step::Answer(unready), Step::Gone]);
    let message = until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")]));
    let second = Broker::start(message);
    let outcome = subscribe(&[&first.url(), &second.url()], &["-V", "311", "--quiet"]).run();
    outcome.expect(0, "x\n", "");
}

#[test]
fn each_address_has_its_share_of_the_time() {
    let mute = Broker::start(vec![Step::Request(&[]), Step::Gone]);
    let message = until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")]));
    let broker = Broker::start(message);
    let flags = ["-V", "311", "--connect-timeout", "2"];
    let outcome = subscribe(&[&mute.url(), &broker.url()], &flags).run();
    let words = "mqttws: warning: ws://127.0.0.1:*/mqtt: no WebSocket upgrade within 1 s; \
                 trying ws://127.0.0.1:*/mqtt\n";
    expect_like(&outcome, 0, "x\n", words);
}

#[test]
fn the_error_is_that_of_the_address_that_came_furthest() {
    let unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let first = Broker::start(vec![Step::Request(&[]), Step::Answer(unready), Step::Gone]);
    let outcome = subscribe(&[&first.url(), CLOSED], &["--quiet"]).run();
    let words = format!(
        "mqttws: connecting to {}: the server answered HTTP 503 Service Unavailable; *\n",
        first.url()
    );
    expect_like(&outcome, 5, "", &words);
    // A refusal is about us: no other address is asked.
    let refused = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 05"),
        Step::Gone,
    ]);
    let outcome = subscribe(&[&refused.url(), CLOSED], &["-V", "311"]).run();
    expect_like(
        &outcome,
        6,
        "",
        "mqttws: connecting to *: the broker refused: not authorized; *\n",
    );
}

/// It has ended the try, however far another address came before.
#[test]
fn a_refusal_about_us_is_the_error_whatever_came_before() {
    let answer = |text: &'static str| {
        Broker::start(vec![Step::Request(&[]), Step::Answer(text), Step::Gone])
    };
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let busy =
        Broker::start(vec![Step::Upgrade, packet("10 *"), Step::Send("20 00 03"), Step::Gone]);
    for first in [answer(unready), busy] {
        let second = answer(unauthorized);
        let flags = ["-V", "311", "--quiet"];
        let outcome = subscribe(&[&first.url(), &second.url()], &flags).run();
        let words = format!(
            "mqttws: connecting to {}: the server answered HTTP 401 Unauthorized; *\n",
            second.url()
        );
        expect_like(&outcome, 5, "", &words);
    }
}

#[test]
fn a_loss_leads_to_the_next_address_in_turn() {
    let second = Broker::start(until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")])));
    let first = Broker::start(and(subscribed("*"), [Step::End]));
    let outcome = subscribe(&[&first.url(), &second.url()], &["-V", "311"]).run();
    let words = format!(
        "mqttws: warning: {}: connection lost: the server closed the connection; trying again\n\
         mqttws: warning: connected again to {} after * s, new session\n",
        first.url(),
        second.url()
    );
    expect_like(&outcome, 0, "x\n", &words);
}

#[test]
fn a_loss_leads_to_the_next_address_of_a_name() {
    let first = Broker::start(and(subscribed("*"), [Step::End]));
    let message = until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")]));
    let _second = Broker::start_beside(&first, [127, 0, 0, 2], message);
    let (url, port) = (format!("ws://lab.example:{}/mqtt", first.port()), first.port());
    let pin = format!("lab.example:{port}:127.0.0.1,127.0.0.2");
    subscribe(&[&url], &["-V", "311", "--quiet", "--resolve", &pin]).run().expect(0, "x\n", "");
}

/// A URL whose name has the addresses of these two brokers, and the flag that says so.
fn name_of(first: &Broker) -> (String, String) {
    let port = first.port();
    let pin = format!("lab.example:{port}:127.0.0.1,127.0.0.2");
    (format!("ws://lab.example:{port}/mqtt"), pin)
}

#[test]
fn another_address_of_a_name_is_tried_when_one_fails_after_tcp() {
    let unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let answers = [
        vec![Step::Request(&[]), Step::Answer(unready), Step::Gone],
        vec![Step::Request(&[]), Step::End],
        vec![Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 03"), Step::Gone],
    ];
    for answer in answers {
        let first = Broker::start(answer);
        let message = until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")]));
        let _second = Broker::start_beside(&first, [127, 0, 0, 2], message);
        let (url, pin) = name_of(&first);
        let flags = ["-V", "311", "--subprotocol", "mqtt", "--resolve", &pin];
        subscribe(&[&url], &flags).run().expect(0, "x\n", "");
    }
}

#[test]
fn a_refusal_about_us_is_not_tried_at_another_address_of_a_name() {
    let first = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 05"),
        Step::Gone,
    ]);
    let (url, pin) = name_of(&first);
    let outcome = subscribe(&[&url], &["-V", "311", "--resolve", &pin]).run();
    let words = "mqttws: connecting to *: the broker refused: not authorized; *\n";
    expect_like(&outcome, 6, "", words);
}

/// What takes TCP and is no server of MQTT is left at once, too, and the user is told.
#[test]
fn the_next_address_is_tried_when_one_is_no_server_of_mqtt() {
    let missing = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    let busy = "20 00 89 00";
    let answers = [
        (vec![Step::Request(&[]), Step::Answer(missing), Step::Gone], "HTTP 410 Gone"),
        (vec![Step::Upgrade, packet("10 *"), Step::Send(busy), Step::Gone], "server busy"),
    ];
    for (answer, reason) in answers {
        let first = Broker::start(answer);
        let second = Broker::start(until_goodbye(vec![
            Step::Upgrade,
            packet("10 <MQTT> 05 *"),
            Step::Send("20 00 00 00"),
            packet("82 id 00 <t> 00"),
            Step::Send("90 id 00 00"),
            Step::Send("30 <t> 00 'x'"),
        ]));
        let outcome = subscribe(&[&first.url(), &second.url()], &["-V", "5"]).run();
        let words =
            format!("mqttws: warning: {}: *{reason}*; trying {}\n", first.url(), second.url());
        expect_like(&outcome, 0, "x\n", &words);
    }
}

#[test]
fn user_and_password_of_a_url_are_for_that_url_alone() {
    let url = |broker: &Broker, user: &str| broker.url().replace("ws://", &format!("ws://{user}"));
    let third = Broker::start(until_goodbye(and(
        subscribed("c2 00 2d <me> <c> <r>"),
        [Step::Send("30 <t> 'x'")],
    )));
    let second = Broker::start(and(subscribed("02 00 2d <me>"), [Step::End]));
    let first = Broker::start(and(subscribed("c2 00 2d <me> <a> <p>"), [Step::End]));
    let urls = [url(&first, "a:p@"), second.url(), url(&third, "c:r@")];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    subscribe(&urls, &["-V", "311", "--quiet"]).run().expect(0, "x\n", "");
    // Those of the flags are for all of them.
    let second = Broker::start(until_goodbye(and(
        subscribed("c2 00 2d <me> <u> <q>"),
        [Step::Send("30 <t> 'x'")],
    )));
    let first = Broker::start(and(subscribed("c2 00 2d <me> <u> <q>"), [Step::End]));
    let flags = ["-V", "311", "--quiet", "-u", "u", "-P", "q"];
    subscribe(&[&first.url(), &second.url()], &flags).run().expect(0, "x\n", "");
}

#[test]
fn wait_tries_them_all() {
    let outcome = subscribe(&[CLOSED, "ws://127.0.0.1:8/mqtt"], &["--wait", "0.3"]).run();
    let words = "mqttws: warning: ws://127.0.0.1:9/mqtt: connection refused; \
                 trying ws://127.0.0.1:8/mqtt\n\
                 mqttws: warning: waiting for ws://127.0.0.1:9/mqtt: connection refused\n\
                 mqttws: connecting to ws://127.0.0.1:9/mqtt: connection refused; *\n";
    expect_like(&outcome, 3, "", words);
}

#[test]
fn a_profile_has_several_addresses() {
    let folder = crate::support::folder::Folder::new();
    let broker = Broker::start(until_goodbye(and(subscribed("*"), [Step::Send("30 <t> 'x'")])));
    let text = format!("[profile.lab]\nurl = [\"{CLOSED}\", \"{}\"]\n", broker.url());
    let file = folder.write("config.toml", text);
    let flags = ["-V", "311", "--config", &file, "--profile", "lab", "--quiet"];
    subscribe(&[], &flags).run().expect(0, "x\n", "");
}

/// A CONNACK that names another server.
fn sends_on(connack: &'static str) -> Broker {
    Broker::start(vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack), Step::Gone])
}

/// A property with the Server Reference of this broker.
fn reference(broker: &Broker) -> String {
    let server = format!("127.0.0.1:{}", broker.port());
    let length = server.len();
    format!("{:02x} 1c <{server}>", length + 3)
}

#[test]
fn a_server_that_connack_names_is_followed_without_credentials() {
    let second = Broker::start(until_goodbye(vec![
        Step::RequestWithout("Authorization"),
        Step::Accept,
        packet("10 <MQTT> 05 02 00 2d 03 21 80 00 <me>"),
        Step::Send("20 00 00 00"),
        packet("30 <t> 00 'x'"),
    ]));
    let first = sends_on(String::leak(format!("20 00 9c {}", reference(&second))));
    let (url, port) = (first.url().replace("ws://", "ws://u:p@"), second.port());
    let command = ["pub", &url, "-V", "5", "-i", "me", "-t", "t", "-m", "x"];
    let words = format!(
        "mqttws: warning: redirected to another server, 127.0.0.1:{port}; withheld from it: \
         user name and password, headers\n"
    );
    let flags = ["--follow", "--bearer", "b"];
    Program::new([&command[..], &flags].concat()).run().expect(0, "", &words);
}

#[test]
fn a_server_that_is_named_is_not_asked_without_follow() {
    let first = sends_on("20 00 9d 08 1c <other>");
    let command = ["pub", &first.url(), "-V", "5", "-t", "t", "-m", "x"];
    let words = format!(
        "mqttws: connecting to {}: the broker refused: server moved: it sends its clients to \
         other; give that address, or --follow, which goes there by itself\n",
        first.url()
    );
    Program::new(command).run().expect(6, "", &words);
    let first = sends_on("20 00 9c 00");
    let command = ["pub", &first.url(), "-V", "5", "-t", "t", "-m", "x", "--follow"];
    let words = format!(
        "mqttws: connecting to {}: the broker refused: use another server; it does not say which: \
         ask its operator\n",
        first.url()
    );
    Program::new(command).run().expect(6, "", &words);
}

#[test]
fn a_server_that_disconnect_names_is_followed() {
    let subscribe_5 = |clean_start: &str| {
        let connect = packet(&format!("10 <MQTT> 05 {clean_start} 00 2d 03 21 80 00 <me>"));
        let granted =
            [Step::Send("20 00 00 00"), packet("82 id 00 <t> 00"), Step::Send("90 id 00 00")];
        and(vec![Step::Upgrade, connect], granted)
    };
    let second =
        Broker::start(until_goodbye(and(subscribe_5("00"), [Step::Send("30 <t> 00 'x'")])));
    let leaves = String::leak(format!("e0 9c {}", reference(&second)));
    let first = Broker::start(and(subscribe_5("02"), [Step::Send(leaves), Step::Gone]));
    let outcome = subscribe(&[&first.url()], &["-V", "5", "--follow"]).run();
    let port = second.port();
    let words = format!(
        "mqttws: warning: {0}: the broker disconnected us: use another server: it sends its clients to \
         127.0.0.1:{port}; going on at ws://127.0.0.1:{port}/mqtt\n\
         mqttws: warning: connected again to ws://127.0.0.1:{port}/mqtt after * s, new session\n",
        first.url()
    );
    expect_like(&outcome, 0, "x\n", &words);
}

#[test]
fn all_servers_that_are_named_are_tried() {
    let busy = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 88 00"),
        Step::Gone,
    ]);
    let last = Broker::start(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("30 <t> 00 'x'"),
    ]));
    let servers = format!("127.0.0.1:9 127.0.0.1:{} 127.0.0.1:{}", busy.port(), last.port());
    let connack = format!("20 00 9c {:02x} 1c <{servers}>", servers.len() + 3);
    let first = sends_on(String::leak(connack));
    let command = ["pub", &first.url(), "-V", "5", "-t", "t", "-m", "x", "--follow"];
    let words = format!(
        "mqttws: warning: ws://127.0.0.1:9/mqtt: *connection refused; trying {0}\n\
         mqttws: warning: {0}: *server unavailable*; trying {1}\n",
        busy.url(),
        last.url()
    );
    expect_like(&Program::new(command).run(), 0, "", &words);
}

#[test]
fn servers_that_name_each_other_end_it() {
    // The second names the first: its port is known only when both listen.
    let first = Broker::start(vec![
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 9c 03 1c 00 00"),
        Step::Gone,
    ]);
    let second = sends_on(String::leak(format!("20 00 9c {}", reference(&first))));
    let command = ["pub", &second.url(), "-V", "5", "-t", "t", "-m", "x", "--follow", "--quiet"];
    let outcome = Program::new(command).run();
    assert_eq!(outcome.code(), Some(5), "{outcome}");
}
