//! `--follow`: where redirects lead, and what is not told to whom.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::Program;
use crate::support::secure::{Server, fixed, fixed_path};

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

/// What a broker sees of a client that tells it nothing about itself.
fn takes_a_stranger(mut script: Vec<Step>) -> Vec<Step> {
    script.push(Step::Accept);
    script.extend([packet("10 <MQTT> 04 02 00 2d <me>"), Step::Send("20 00 00")]);
    script.push(packet("30 <t> 'x'"));
    until_goodbye(script)
}

/// Checks that a client with these flags tells the second server of a redirect nothing of `header`,
/// and says so.
fn withholds(flags: &[&str], header: &'static str, what: &str) {
    let other = Broker::start(takes_a_stranger(vec![Step::RequestWithout(header)]));
    let first = Broker::start(redirects(&[], &other.url()));
    let words = format!(
        "mqttws: warning: redirected to another server, 127.0.0.1:{}; withheld from it: {what}\n",
        other.port()
    );
    let flags = [&["--follow", "-i", "me"], flags].concat();
    publish(&first.url(), &flags).run().expect(0, "", &words);
}

#[test]
fn nothing_that_identifies_the_user_goes_to_another_host() {
    withholds(&["-u", "u", "-P", "p"], "Authorization", "user name and password");
    withholds(&["--basic-auth", "a:b"], "Authorization", "headers");
    withholds(&["--bearer", "b"], "Authorization", "headers");
    withholds(&["-H", "Cookie: a=b"], "Cookie", "headers");
    withholds(&["-H", "X-Lab: 1"], "X-Lab", "headers");
    withholds(&["--origin", "https://lab.example"], "Origin", "headers");
    let both = ["-u", "u", "-P", "p", "-H", "X-Lab: 1"];
    withholds(&both, "X-Lab", "user name and password, headers");
    // Not even the name of the program.
    let ours = &[concat!("User-Agent: mqttws/", env!("CARGO_PKG_VERSION"))];
    let other = Broker::start(takes_a_stranger(vec![Step::Request(ours)]));
    let first = Broker::start(redirects(&["User-Agent: mine"], &other.url()));
    let flags = ["--follow", "-i", "me", "--user-agent", "mine"];
    let outcome = publish(&first.url(), &flags).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn user_properties_and_tokens_of_connect_do_not_go_to_another_host() {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 02 00 2d 03 21 80 00 <me>")];
    script.extend([Step::Send("20 00 00 00"), packet("30 <t> 00 'x'")]);
    let other = Broker::start(until_goodbye(script));
    let first = Broker::start(redirects(&[], &other.url()));
    let flags = ["--follow", "-i", "me", "-V", "5", "-D", "connect", "user-property", "k", "v"];
    let method = ["--auth-method", "token", "--auth-data", "s3cret"];
    let words = format!(
        "mqttws: warning: redirected to another server, 127.0.0.1:{}; withheld from it: \
         user name and password, user properties of CONNECT\n",
        other.port()
    );
    let command = ["pub", &first.url(), "-t", "t", "-m", "x"];
    Program::new([&command[..], &flags, &method].concat()).run().expect(0, "", &words);
}

#[test]
fn a_client_certificate_and_a_server_name_do_not_go_to_another_host() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
    server.clients = Some(fixed("authority.pem"));
    let other = server.shunned();
    let first = Broker::start(redirects(&[], &format!("https://127.0.0.1:{}/", other.port())));
    let (file, key) = (folder.write("ca.pem", authority.pem()), fixed_path("client-ec.key"));
    let tls = ["--cafile", &file, "--cert", &fixed_path("client-ec.pem"), "--key", &key];
    let flags = ["--follow", "--sni", "elsewhere.example"];
    let outcome = publish(&first.url(), &[&tls[..], &flags].concat()).run();
    let url = format!("wss://127.0.0.1:{}/", other.port());
    let words = format!(
        "mqttws: warning: redirected to another server, 127.0.0.1:{}; withheld from it: client certificate\n\
         mqttws: connecting to {}: redirected to {url}: the server demands a client certificate; *\n",
        other.port(),
        first.url()
    );
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(4) && is_like(&stderr, &words), "{outcome}");
}

/// What comes after a redirect to a broker that is asked for through a proxy, or not.
fn takes_a_message(mut script: Vec<Step>) -> Vec<Step> {
    script.extend([Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")]);
    script.push(packet("30 <t> 'x'"));
    until_goodbye(script)
}

const ESTABLISHED: &str = "HTTP/1.1 200 OK\r\n\r\n";

#[test]
fn each_host_of_a_redirect_has_its_own_proxy() {
    // The first host is exempt, the second is not.
    let connect = || Step::Request(&["CONNECT broker.invalid:9001 HTTP/1.1"]);
    let proxy = Broker::start(takes_a_message(vec![connect(), Step::Answer(ESTABLISHED)]));
    let first = Broker::start(redirects(&[], "http://broker.invalid:9001/mqtt"));
    let variable = format!("http://127.0.0.1:{}", proxy.port());
    let program = publish(&first.url(), &["--follow"]).env("http_proxy", &variable);
    program.env("NO_PROXY", "127.0.0.1").run().expect(0, "", "");

    // The other way round.
    let second = Broker::start(takes_a_message(Vec::new()));
    let mut script = vec![connect(), Step::Answer(ESTABLISHED)];
    script.extend(redirects(&[], &second.url()));
    let proxy = Broker::start(script);
    let variable = format!("http://127.0.0.1:{}", proxy.port());
    let program = publish("ws://broker.invalid:9001/a", &["--follow"]).env("http_proxy", &variable);
    program.env("NO_PROXY", "127.0.0.1").run().expect(0, "", "");
}

#[test]
fn the_url_of_a_proxy_is_judged_when_a_redirect_leads_to_it() {
    let unused =
        |program: Program| program.env("ALL_PROXY", "gopher://x").env("NO_PROXY", "127.0.0.1");
    let broker = Broker::start(takes_a_message(Vec::new()));
    unused(publish(&broker.url(), &["--follow"])).run().expect(0, "", "");
    let first = Broker::start(redirects(&[], "http://broker.invalid:9001/mqtt"));
    let words = format!(
        "mqttws: connecting to {}: redirected to ws://broker.invalid:9001/mqtt: $ALL_PROXY: unknown scheme gopher://: \
         write http://, https://, socks5:// or socks5h://\n",
        first.url()
    );
    unused(publish(&first.url(), &["--follow"])).run().expect(3, "", &words);
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

/// The server that does not answer is named, whichever time is up.
#[test]
fn a_server_that_a_redirect_leads_to_is_named_when_the_time_is_up() {
    for flag in ["--connect-timeout", "-W"] {
        let silent = Broker::start(vec![Step::Request(&[]), Step::Gone]);
        let first = Broker::start(redirects(&[], &silent.url()));
        let outcome = publish(&first.url(), &["--follow", flag, "0.5"]).run();
        let pattern = format!(
            "mqttws: connecting to {}: redirected to {}: no WebSocket upgrade within 0.5 s; *",
            first.url(),
            silent.url()
        );
        fails(&outcome, 27, &pattern);
    }
}
