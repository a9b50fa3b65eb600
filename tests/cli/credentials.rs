//! Credentials that change while the program runs: files that are read anew, commands that print
//! them, refusals after which other ones are tried, and connections that are renewed in time.

use std::fs;

use crate::support::broker::{Broker, Step, packet, until, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program, Running};

/// `mqttws sub` of `t` in MQTT 3.1.1 that reconnects at once.
fn subscribe(url: &str, flags: &[&str]) -> Program {
    let command = ["sub", url, "-V", "311", "-i", "me", "-t", "t", "--reconnect-delay", "0.2"];
    Program::new([&command[..], flags].concat())
}

/// The upgrade, CONNECT with this password, and SUBSCRIBE.
fn takes(password: &str) -> Vec<Step> {
    vec![
        Step::Upgrade,
        packet(&format!("10 <MQTT> 04 c2 00 2d <me> <u> <{password}>")),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00"),
    ]
}

/// The end of a connection, and then `steps` on the next one.
fn again(steps: Vec<Step>) -> Vec<Step> {
    [Step::End, Step::Reconnect].into_iter().chain(steps).collect()
}

/// One message, and the end.
fn a_message() -> Vec<Step> {
    until_goodbye(vec![Step::Send("30 <t> 'x'")])
}

fn script(parts: Vec<Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

/// A command that counts its runs, and prints this with `N` being their number.
fn counting(folder: &Folder, prints: &str) -> String {
    let (count, text) = (folder.write("count", "0"), prints.replace('N', "'$n'"));
    format!("n=$(($(cat {count}) + 1)); printf $n > {count}; printf '{text}'")
}

fn expect_like(outcome: &Outcome, code: i32, stdout: &str, stderr: &str) {
    let said = String::from_utf8_lossy(&outcome.stderr);
    let is_as_expected = outcome.code() == Some(code) && outcome.stdout == stdout.as_bytes();
    assert!(is_as_expected && is_like(&said, stderr), "expected {code}\n{stderr}\n{outcome}");
}

/// Ends as soon as the program looks for other credentials, by writing them.
fn rotate(mut running: Running, path: &str, next: &str) -> Outcome {
    running.wait_for_words("; looking for other credentials\n");
    fs::write(format!("{path}.new"), next).unwrap();
    fs::rename(format!("{path}.new"), path).unwrap();
    running.finish()
}

#[test]
fn a_password_file_is_read_anew_and_a_refusal_waits_for_another() {
    for refusal in ["20 00 04", "20 00 05"] {
        let folder = Folder::new();
        let file = folder.write("password", "one\n");
        let refused = vec![
            Step::Upgrade,
            packet("10 <MQTT> 04 c2 00 2d <me> <u> <one>"),
            Step::Send(refusal),
            Step::Gone,
            Step::Reconnect,
        ];
        let parts = vec![takes("one"), again(refused), takes("two"), a_message()];
        let broker = Broker::start(script(parts));
        let flags = ["-u", "u", "--password-file", &file, "-C", "1"];
        let outcome = rotate(subscribe(&broker.url(), &flags).spawn(), &file, "two\n");
        let words = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection; trying again\n\
                     mqttws: warning: ws://127.0.0.1:*/mqtt: the broker refused: *; looking for other credentials\n\
                     mqttws: warning: connected again after * s, new session\n";
        expect_like(&outcome, 0, "x\n", words);
    }
}

#[test]
fn credentials_that_do_not_change_are_refused_once() {
    let folder = Folder::new();
    let file = folder.write("password", "one\n");
    let refused = vec![Step::Upgrade, packet("10 *"), Step::Send("20 00 05"), Step::Gone];
    let broker = Broker::start_watchful(script(vec![takes("one"), again(refused)]));
    let flags = ["-u", "u", "--password-file", &file, "--quiet"];
    let outcome = subscribe(&broker.url(), &flags).run();
    let words = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the broker refused: not authorized; check -u and -P\n";
    expect_like(&outcome, 6, "", words);
    broker.finish_alone();
    // Those of the command line cannot change.
    let refused = vec![Step::Upgrade, packet("10 *"), Step::Send("20 00 05"), Step::Gone];
    let broker = Broker::start_watchful(script(vec![takes("one"), again(refused)]));
    let flags = ["-u", "u", "-P", "one", "--quiet"];
    expect_like(&subscribe(&broker.url(), &flags).run(), 6, "", words);
    broker.finish_alone();
}

#[test]
fn a_token_file_is_read_anew_after_401_and_403() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let folder = Folder::new();
        let file = folder.write("token", "one\n");
        let answer = String::leak(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let connect = |token: &'static [&'static str]| {
            vec![
                Step::Request(token),
                Step::Accept,
                packet("10 <MQTT> 04 02 00 2d <me>"),
                Step::Send("20 00 00"),
                packet("82 id <t> 00"),
                Step::Send("90 id 00"),
            ]
        };
        let refused = vec![
            Step::Request(&["Authorization: Bearer one"]),
            Step::Answer(answer),
            Step::Gone,
            Step::Reconnect,
        ];
        let parts = vec![
            connect(&["Authorization: Bearer one"]),
            again(refused),
            connect(&["Authorization: Bearer two"]),
            a_message(),
        ];
        let broker = Broker::start(script(parts));
        let flags = ["--bearer", &format!("@{file}"), "-C", "1"];
        let outcome = rotate(subscribe(&broker.url(), &flags).spawn(), &file, "two\n");
        assert_eq!(outcome.code(), Some(0), "{outcome}");
    }
}

#[test]
fn a_file_that_is_gone_for_a_while_is_waited_for() {
    let folder = Folder::new();
    let file = folder.write("password", "one\n");
    let broker = Broker::start(script(vec![
        takes("one"),
        vec![Step::Tell],
        again(takes("two")),
        a_message(),
    ]));
    fs::remove_file(&file).err();
    let file = folder.write("password", "one\n");
    let flags = ["-u", "u", "--password-file", &file, "-C", "1"];
    let mut running = subscribe(&broker.url(), &flags).spawn();
    broker.wait();
    // It may have been read again before it is gone: then it is refused as what it is.
    fs::remove_file(&file).unwrap();
    running.wait_for_words("trying again\n");
    folder.write("password", "two\n");
    assert_eq!(running.finish().stdout, b"x\n");
}

#[test]
fn a_secret_that_can_be_read_only_once_is_kept() {
    let broker = Broker::start(script(vec![takes("one"), again(takes("one")), a_message()]));
    let flags = ["-u", "u", "--password-file", "/dev/stdin", "-C", "1", "--quiet"];
    subscribe(&broker.url(), &flags).stdin("one\n").run().expect(0, "x\n", "");
}

#[test]
fn a_command_is_run_for_each_connection() {
    for prints in ["username=u\\npassword=pN\\n", r#"{"username": "u", "password": "pN"}"#] {
        let folder = Folder::new();
        let command = counting(&folder, prints);
        let broker = Broker::start(script(vec![takes("p1"), again(takes("p2")), a_message()]));
        let flags = ["--credentials-command", &command, "-C", "1", "--quiet"];
        subscribe(&broker.url(), &flags).run().expect(0, "x\n", "");
    }
}

#[test]
fn a_command_gives_headers() {
    let prints = r#"{"bearer": "tN", "headers": {"X-Lab": "N"}}"#;
    let folder = Folder::new();
    let command = counting(&folder, prints);
    let connect = |lines| vec![Step::Request(lines), Step::Accept, packet("10 *")];
    let mut first = connect(&["Authorization: Bearer t1", "X-Lab: 1", "X-Own: a"]);
    first.extend([Step::Send("20 00 00"), packet("82 id <t> 00"), Step::Send("90 id 00")]);
    let mut second = connect(&["Authorization: Bearer t2", "X-Lab: 2", "X-Own: a"]);
    second.extend([Step::Send("20 00 00"), packet("82 id <t> 00"), Step::Send("90 id 00")]);
    let broker = Broker::start(script(vec![first, again(second), a_message()]));
    let flags = ["--credentials-command", &command, "-H", "X-Own: a", "-H", "x-lab: 0", "-C", "1"];
    subscribe(&broker.url(), &[&flags[..], &["--quiet"]].concat()).run().expect(0, "x\n", "");
}

#[test]
fn a_command_that_fails_at_first_is_an_error() {
    let fails = |command: &str, flags: &[&str], code: i32, words: &str| {
        let given = [&["--credentials-command", command], flags].concat();
        subscribe("ws://127.0.0.1:9/mqtt", &given).run().expect(code, "", words);
    };
    fails(
        "echo no token >&2; exit 3",
        &[],
        1,
        "no token\nmqttws: --credentials-command: it ended with exit code 3\n",
    );
    fails(
        "exit 3",
        &["--wait", "60"],
        1,
        "mqttws: --credentials-command: it ended with exit code 3\n",
    );
    fails("true", &[], 1, "mqttws: --credentials-command: it has printed nothing\n");
    fails(
        "echo s3cret",
        &[],
        1,
        "mqttws: --credentials-command: line 1 of its output is none of NAME=VALUE with username, password, \
         bearer, header, expires_in\n",
    );
    fails("yes", &[], 1, "mqttws: --credentials-command: it prints more than 65536 bytes\n");
    fails(
        "echo password=p",
        &[],
        1,
        "mqttws: before MQTT 5 a password needs a user name: print one, too, or give -V 5\n",
    );
    fails(
        "exec sleep 60",
        &["--connect-timeout", "0.3"],
        27,
        "mqttws: no credentials within 0.3 s (--credentials-command has not ended)\n",
    );
    fails(
        "true",
        &["-P", "p"],
        2,
        "mqttws: --credentials-command <CMD> cannot be used with --pw <PASSWORD>; see mqttws help sub\n",
    );
}

#[test]
fn a_command_that_fails_later_is_a_warning() {
    let folder = Folder::new();
    let command = counting(&folder, "username=u\\npassword=pN\\n") + "; [ $n != 2 ]";
    let broker = Broker::start(script(vec![takes("p1"), again(takes("p3")), a_message()]));
    let outcome = subscribe(&broker.url(), &["--credentials-command", &command, "-C", "1"]).run();
    let words = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection; trying again\n\
                 mqttws: warning: ws://127.0.0.1:*/mqtt: --credentials-command: it ended with exit code 1; trying again\n\
                 mqttws: warning: connected again after * s, new session\n";
    expect_like(&outcome, 0, "x\n", words);
}

#[test]
fn a_command_does_not_take_stdin_and_ends_with_the_program() {
    let folder = Folder::new();
    let pid = folder.path().join("pid");
    let command = format!("cat; echo $$ > {}; echo started >&2; exec sleep 60", pid.display());
    let flags = ["--credentials-command", &command, "--connect-timeout", "50"];
    let mut running = subscribe("ws://127.0.0.1:9/mqtt", &flags).stdin_held_open().spawn();
    running.wait_for_words("started\n");
    running.signal("TERM");
    let outcome = running.finish();
    assert_eq!(outcome.code(), Some(143), "{outcome}");
    let pid = fs::read_to_string(pid).unwrap();
    let is_gone = format!("until ! kill -0 {} 2>/dev/null; do sleep 0.01; done", pid.trim());
    Program::of("sh", ["-c", &is_gone]).run().expect(0, "", "");
}

#[test]
fn secrets_of_a_command_are_shown_to_nobody_and_stay_at_their_server() {
    let folder = Folder::new();
    let command = counting(&folder, "username=u\\npassword=s3cret\\nbearer=s3cret\\n");
    let other = Broker::start(script(vec![
        vec![Step::RequestWithout("Authorization"), Step::Accept],
        vec![packet("10 <MQTT> 04 02 00 2d <me>"), Step::Send("20 00 00")],
        vec![packet("82 id <t> 00"), Step::Send("90 id 00")],
        a_message(),
    ]));
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", other.url());
    let first = Broker::start(vec![
        Step::Request(&["Authorization: Bearer s3cret"]),
        Step::Answer(String::leak(answer)),
        Step::Gone,
    ]);
    let flags = ["--credentials-command", &command, "-C", "1", "--follow", "-dd"];
    let outcome = subscribe(&first.url(), &flags).run();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(0) && !said.contains("s3cret"), "{outcome}");
    assert!(said.contains("withheld from it: user name and password, headers"), "{outcome}");
}

#[test]
fn a_url_command_names_the_server_of_each_connection() {
    let folder = Folder::new();
    let connect = |line: &'static [&'static str], connect: &str| {
        let steps =
            vec![Step::Request(line), Step::Accept, packet(connect), Step::Send("20 00 00")];
        steps
            .into_iter()
            .chain([packet("82 id <t> 00"), Step::Send("90 id 00")])
            .collect::<Vec<_>>()
    };
    let broker = Broker::start(script(vec![
        connect(&["GET /mqtt?token=1 HTTP/1.1"], "10 <MQTT> 04 c2 00 2d <me> <u1> <p>"),
        again(connect(&["GET /mqtt?token=2 HTTP/1.1"], "10 <MQTT> 04 c2 00 2d <me> <u2> <p>")),
        a_message(),
    ]));
    let url = broker.url().replace("ws://", "ws://uN:p@") + "?token=N";
    let flags = ["sub", "-V", "311", "-i", "me", "-t", "t", "--reconnect-delay", "0.01", "-C", "1"];
    let command = counting(&folder, &(url + "\\n"));
    let outcome = Program::new([&flags[..], &["-d", "--url-command", &command]].concat()).run();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"x\n"[..]), "{outcome}");
    assert!(
        said.contains(":*/mqtt?...: connection lost")
            || said.contains("/mqtt?...: connection lost")
    );
    assert!(!said.contains("token="), "{outcome}");
}

#[test]
fn the_error_names_the_server_that_a_url_command_has_printed() {
    let command = ["pub", "--url-command", "echo ws://127.0.0.1:9/a?token=1", "-t", "t", "-m", "x"];
    let words = "mqttws: connecting to ws://127.0.0.1:9/a?...: connection refused; nothing listens at this port: check it, \
                 or start `mqttws serve`\n";
    Program::new(command).run().expect(3, "", words);
    let command = ["pub", "--url-command", "echo mqtt://h", "-t", "t", "-m", "x"];
    let words = "mqttws: --url-command: its URL: mqtt:// is MQTT without WebSockets, which mqttws does not speak: \
                 write ws://HOST[:PORT]/PATH with the broker's WebSocket port\n";
    Program::new(command).run().expect(1, "", words);
}

#[test]
fn who_is_told_of_the_server_is_told_of_the_one_that_was_printed() {
    let script = "echo $MQTTWS_URL
        mqttws sub --url-command \"echo $MQTTWS_URL\" -t t -C 1 -W 20 -- \
            sh -c 'echo $MQTTWS_URL; mqttws pub -t t -m x' 2>&1
        mqttws ping --url-command \"echo $MQTTWS_URL\" -c 1 | sed -n 's/^--- //p'";
    let outcome = Program::new(["serve", "-p", "0", "--", "sh", "-c", script]).run();
    let printed = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let url = printed.lines().next().unwrap_or_default().to_owned();
    outcome.expect(0, format!("{url}\n{url}\nx\n{url} ---\n"), "");
}

/// MQTT 5 with a session that is kept.
fn connect_5(password: &str, connack: &'static str) -> Vec<Step> {
    let connect = format!("10 <MQTT> 05 .. 00 2d 08 11 ff ff ff ff 21 80 00 <me> <u> <{password}>");
    vec![Step::Upgrade, packet(&connect), Step::Send(connack)]
}

#[test]
fn a_connection_is_renewed_before_its_credentials_end() {
    let folder = Folder::new();
    let command = counting(&folder, "username=u\\npassword=pN\\nexpires_in=0.4\\n");
    let first = vec![
        packet("82 id 00 <t> 01"),
        Step::Send("90 id 00 01; 32 <t> 00 01 00 'a'"),
        packet("40 00 01"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
        Step::Reconnect,
    ];
    let second = vec![Step::Send("32 <t> 00 02 00 'b'"), packet("40 00 02")];
    let broker = Broker::start(until(
        script(vec![connect_5("p1", "20 00 00 00"), first, connect_5("p2", "20 01 00 00"), second]),
        "e0",
    ));
    let flags = ["-V", "5", "-i", "me", "-c", "-q", "1", "-t", "t", "-C", "2"];
    let url = broker.url();
    let command = [&["sub", &url, "--credentials-command", &command], &flags[..]].concat();
    Program::new(command).run().expect(0, "a\nb\n", "");
}

#[test]
fn what_is_in_flight_is_acknowledged_before_a_renewal() {
    let folder = Folder::new();
    let command = counting(&folder, "username=u\\npassword=pN\\nexpires_in=0.4\\n");
    let connect = |password: &str| {
        let connect = format!("10 <MQTT> 04 c0 00 2d <me> <u> <{password}>");
        vec![Step::Upgrade, packet(&connect), Step::Send("20 01 00")]
    };
    let slow = vec![
        packet("32 <t> 00 01 'a'"),
        Step::Dally(std::time::Duration::from_millis(600)),
        Step::Send("40 00 01"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
        Step::Reconnect,
    ];
    let next = vec![packet("32 <t> 00 02 'b'"), Step::Send("40 00 02")];
    let broker =
        Broker::start(until_goodbye(script(vec![connect("p1"), slow, connect("p2"), next])));
    let flags = ["-V", "311", "-i", "me", "-c", "-q", "1", "-t", "t", "-l", "-M", "1"];
    let url = broker.url();
    let command = [&["pub", &url, "--credentials-command", &command], &flags[..]].concat();
    Program::new(command).stdin("a\nb\n").run().expect(0, "", "");
}

/// A subscriber and a publisher whose tokens last a fraction of a second, at our own broker.
fn nothing_is_lost_or_doubled(qos: &str, version: &str) {
    let script = format!(
        "mqttws sub -i s -c -q {qos} -V {version} -t t -E --quiet --credentials-command 'echo username=u'
         seq 1 1500 | mqttws pub -i p -c -q {qos} -V {version} -t t -l --rate 1000 --quiet \
             --credentials-command 'echo username=u; echo expires_in=0.2' &
         mqttws sub -i s -c -q {qos} -V {version} -t t -C 1500 -W 30 --quiet \
             --credentials-command 'echo username=u; echo expires_in=0.3' > out
         echo $?
         wait $!
         echo $?
         seq 1 1500 | cmp - out
         test -s count && echo renewed"
    );
    let folder = Folder::new();
    let script = format!("cd {}\n{}", folder.path().display(), script)
        .replace("username=u;", "username=u; printf x >> count;");
    Program::new(["serve", "-p", "0", "--", "sh", "-c", &script]).run().expect(
        0,
        "0\n0\nrenewed\n",
        "",
    );
}

#[test]
fn renewals_lose_and_double_nothing_at_qos_1() {
    nothing_is_lost_or_doubled("1", "5");
    nothing_is_lost_or_doubled("1", "311");
}

#[test]
fn renewals_lose_and_double_nothing_at_qos_2() {
    nothing_is_lost_or_doubled("2", "5");
    nothing_is_lost_or_doubled("2", "311");
}

/// The time of `--idle` goes on over connections that are renewed before it is over.
#[test]
fn silence_lasts_over_renewals() {
    let command = "echo username=u; echo expires_in=0.3";
    let words = ["serve", "-p", "0", "--", "mqttws", "sub", "-t", "t", "--idle", "1", "-W", "20"];
    let more = ["--quiet", "--credentials-command", command];
    Program::new([&words[..], &more].concat()).run().expect(0, "", "");
    let kept = ["-q", "1", "-c", "-i", "s"];
    Program::new([&words[..], &more, &kept].concat()).run().expect(0, "", "");
}

#[test]
fn check_and_bench_take_no_commands() {
    for (flag, value) in [("--credentials-command", "true"), ("--url-command", "true")] {
        let words = format!("mqttws: {flag}: check decides this itself\n");
        Program::new(["check", flag, value]).run().expect(2, "", &words);
        let words = format!("mqttws: {flag}: bench has one address and one login\n");
        Program::new(["bench", flag, value]).run().expect(2, "", &words);
    }
}
