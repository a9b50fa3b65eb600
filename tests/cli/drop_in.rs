//! What scripts for mosquitto's clients rely on: their flags, their misuse, their names, their
//! files of flags.

use std::os::unix::fs::symlink;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// Every flag of `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr` 2.1 with a value; those of one
/// client only stand below.
const COMMON: &[&str] = &[
    "-A 127.0.0.1",
    "-c -i me",
    "--disable-clean-session -i me",
    "-d",
    "--debug",
    "-D connect receive-maximum 5",
    "--property disconnect reason-string bye",
    "-h localhost",
    "--host localhost",
    "-i me",
    "--id me",
    "-I prefix",
    "--id-prefix prefix",
    "-k 5",
    "--keepalive 65535",
    "-M 1",
    "--nodelay",
    "-P pw -u me",
    "--pw pw --username me",
    "--proxy socks5h://user:pass%3Aword@127.0.0.1:1",
    "-q 0",
    "--qos 2",
    "--quiet",
    "-V mqttv31",
    "-V 31",
    "-V mqttv311",
    "-V 311",
    "--protocol-version mqttv5",
    "-V 5",
    "--will-topic w --will-payload gone --will-qos 1 --will-retain",
    "--ws",
    "-x 10",
    "-x -1 -i me",
    "-x ∞ -i me",
];

/// Those that mean TLS.
const TLS: &[&str] = &[
    "--insecure",
    "--tls-use-os-certs",
    "--tls-alpn mqtt",
    "--tls-version tlsv1.2",
    "--tls-version tlsv1.3",
];

const PUB: &[&str] = &["-r", "--retain", "--repeat 2", "--repeat 2 --repeat-delay 0.1", "-W 1"];

const SUB: &[&str] = &[
    "-C 1",
    "-E",
    "-F %p",
    "-N",
    "--pretty",
    "-R",
    "--random-filter 0.1",
    "--remove-retained",
    "--retain-as-published",
    "--retain-handling always",
    "--retain-handling new",
    "--retain-handling never",
    "--retained-only",
    "-T a/#",
    "--filter-out a/#",
    "-U a/#",
    "--unsubscribe a/#",
    "-v",
    "--verbose",
    "-W 1",
];

const RR: &[&str] = &[
    "-e r",
    "-e r -F %p",
    "-e r -N",
    "-e r -F %j --pretty",
    "-e r -R",
    "-e r --retain-as-published",
    "-e r --retain-handling never",
    "-e r -v",
    "-e r -W 1",
    "-e r --latency",
];

/// What is refused, and a word of what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("-S", "-h"),
    ("--no-tls", "ws://"),
    ("--mptcp", "mptcpize"),
    ("--ciphers X", "TLS"),
    ("--psk aa", "certificate"),
    ("--psk-identity me", "certificate"),
    ("--keyform pem", "--key"),
    ("--tls-engine x", "--key"),
    ("--tls-engine-kpass-sha1 x", "--key"),
];

/// Runs it where nobody listens.
fn run(client: &str, line: &str) -> Outcome {
    let verb: &[&str] = match client {
        "pub" => &["pub", "-t", "t", "-m", "x", "-p", "1"],
        "sub" => &["sub", "-t", "t", "-p", "1"],
        _ => &["pub", "--request", "-t", "t", "-m", "x", "-p", "1"],
    };
    Program::new([verb, &line.split(' ').collect::<Vec<_>>()].concat()).run()
}

#[test]
fn every_flag_is_taken_or_says_what_to_use_instead() {
    for (client, own) in [("pub", PUB), ("sub", SUB), ("rr", RR)] {
        // Messages are given in one way only, and here by -m.
        let common = COMMON.iter().filter(|line| client != "rr" || !line.contains("31"));
        for line in common.chain(TLS).chain(own) {
            let outcome = run(client, line);
            assert_eq!(outcome.code(), Some(3), "{client} {line}: {outcome}");
        }
        for (line, instead) in REFUSED {
            let outcome = run(client, line);
            let told = String::from_utf8_lossy(&outcome.stderr).contains(instead);
            assert!(outcome.code() == Some(2) && told, "{client} {line}: {outcome}");
        }
    }
    assert_eq!(run("sub", "--message-rate").code(), Some(3));
}

/// What lacks its value.
const WITHOUT_VALUE: &[&str] =
    &["-A", "-h", "-i", "-I", "-k", "-L", "-M", "-o", "-p", "-P", "--proxy", "-q", "-t", "-u"];

/// The same.
const WITHOUT_MORE: &[&str] =
    &["--unix", "-V", "--will-payload", "--will-qos", "--will-topic", "-x", "-D", "-D connect"];

/// The same, of TLS.
const WITHOUT_FILE: &[&str] =
    &["--cafile", "--capath", "--cert", "--key", "--tls-alpn", "--tls-version", "--tls-keylog"];

/// What makes no sense to any of them.
const WRONG: &[&str] = &[
    "--will-payload payload",
    "--will-retain",
    "-i id -I prefix",
    "-I prefix -i id",
    "-k -1",
    "-k 65536",
    "-M 0",
    "-p -1",
    "-p 65536",
    "-q -1",
    "-q 3",
    "-L invalid://",
    "-L mqtt://localhost",
    "-V 0",
    "--will-topic w --will-qos -1",
    "--will-topic w --will-qos 3",
    "--will-topic +",
    "-x A",
    "-x -2",
    "-x 4294967296",
    "-c",
    "-V 5 -D connect receive-maximum",
    "-V 5 -D connect user-property key",
    "-V 5 -D invalid receive-maximum 1",
    "-V 5 -D connect invalid 1",
    "-V 5 -D connect will-delay-interval 1",
    "-V 5 -D connect subscription-identifier 1",
    "-V 5 -D connect request-problem-information -1",
    "-V 5 -D connect request-problem-information 256",
    "-V 5 -D connect receive-maximum -1",
    "-V 5 -D connect receive-maximum 65536",
    "-V 5 -D connect session-expiry-interval -1",
    "-V 5 -D connect session-expiry-interval 4294967296",
    "-V 5 -D publish subscription-identifier 1",
    "-V 5 -D subscribe subscription-identifier -1",
    "-V 5 -D subscribe subscription-identifier 4294967296",
    "-V 5 -D subscribe topic-alias 1",
    "-V 5 -D auth authentication-method 1",
    "-V 5 -D puback reason-string 1",
    "-V 311 -D publish content-type x",
    "--unknown",
];

/// ... and to one of them.
const WRONG_TO_PUB: &[&str] = &[
    "-f",
    "-m",
    "--repeat",
    "--repeat-delay",
    "-f file",
    "-l",
    "-n",
    "-s",
    "-l -n",
    "--repeat-delay -1",
    "-t topic/+",
    "-t topic/#",
    "-C 1",
    "-E",
    "-F %p",
    "-N",
    "--pretty",
    "-R",
    "--random-filter 1",
    "--remove-retained",
    "--retained-only",
    "-T a",
    "-U a",
    "-v",
    "-W 0",
    "-w",
    "-e r",
];

/// ... and to one of them.
const WRONG_TO_SUB: &[&str] = &[
    "-C",
    "-F",
    "-T",
    "-U",
    "-W",
    "-C 0",
    "-W 0",
    "-t ++",
    "-T ++",
    "-U ++",
    "-F %",
    "-F %0",
    "-F %-",
    "-F %1",
    "-F %.",
    "-F %.1",
    "-F %Z",
    "-F @",
    "-F \\",
    "-F \\Z",
    "--retain-handling invalid",
    "--random-filter",
    "-l",
    "-m x",
    "-n",
    "-r",
    "-s",
    "--repeat 2",
    "--repeat-delay 1",
    "-e r",
];

/// ... and to one of them.
const WRONG_TO_RR: &[&str] =
    &["-e", "-e topic/+", "-F %", "-F %Z", "-W 0", "--retain-handling invalid", "-r", "--repeat 2"];

/// What mosquitto's own tests want refused: a missing value, a value that makes no sense, a flag of
/// another client.
#[test]
fn misuse_is_refused_in_one_line() {
    let common = [WITHOUT_VALUE, WITHOUT_MORE, WITHOUT_FILE, WRONG].concat();
    for (client, own) in [("pub", WRONG_TO_PUB), ("sub", WRONG_TO_SUB), ("rr", WRONG_TO_RR)] {
        for line in common.iter().chain(own) {
            let outcome = run(client, line);
            let lines = outcome.stderr.split(|byte| *byte == b'\n').count();
            assert_eq!((outcome.code(), lines), (Some(2), 2), "{client} {line}: {outcome}");
            assert_eq!(outcome.stdout, b"", "{client} {line}");
        }
    }
}

#[test]
fn the_last_of_a_repeated_flag_counts_and_short_ones_are_bundled() {
    let broker =
        Broker::start(until_goodbye(connected([packet("33 <u> id 'b'"), Step::Send("40 id")])));
    let url = broker.url();
    let flags = ["pub", "-V5", "-rq1", "-L", &url, "-V", "mqttv311", "--topic=u", "-mx", "-mb"];
    Program::new(flags).run().expect(0, "", "");
}

/// `mqttws` under the name of a client of mosquitto.
fn under_the_name(folder: &Folder, name: &str) -> String {
    let path = folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_mqttws"), &path).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn under_the_names_of_mosquitto_it_is_its_clients() {
    let folder = Folder::new();
    let broker = Broker::start(until_goodbye(connected([packet("30 <a/b> 'x'")])));
    let url = format!("ws://127.0.0.1:{}/a/b", broker.port());
    let publish = under_the_name(&folder, "mosquitto_pub");
    Program::of(&publish, ["-L", &url, "-V", "311", "-m", "x"]).run().expect(0, "", "");

    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let port = broker.port().to_string();
    let subscribe = under_the_name(&folder, "mosquitto_sub");
    let flags = ["-h", "127.0.0.1", "-p", &port, "--ws", "-V", "311", "-t", "t", "-C", "1", "-v"];
    Program::of(&subscribe, flags).run().expect(0, "t x\n", "");

    let steps = [
        packet("82 id <r> 00"),
        Step::Send("90 id 00"),
        packet("30 <t> 'x'"),
        Step::Send("30 <r> 'a'"),
    ];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let port = broker.port().to_string();
    let ask = under_the_name(&folder, "mosquitto_rr");
    let flags = ["-p", &port, "-V", "311", "-t", "t", "-e", "r", "-m", "x"];
    Program::of(&ask, flags).run().expect(0, "a\n", "");

    for client in [&publish, &subscribe, &ask] {
        let outcome = Program::of(client, ["--version"]).run();
        assert!(outcome.code() == Some(0) && outcome.stdout.starts_with(b"mqttws "), "{outcome}");
        let outcome = Program::of(client, ["--help"]).run();
        assert!(outcome.code() == Some(0) && !outcome.stdout.is_empty(), "{outcome}");
    }
}

#[test]
fn flags_come_from_a_file() {
    let folder = Folder::new();
    let broker = Broker::start(until_goodbye(connected([
        packet("32 <t> id 'two  words'"),
        Step::Send("40 id"),
    ])));
    let text =
        format!("# A comment.\n-p {}\r\n-V mqttv311\n\n-q 1\n-t t\n-m two  words\n", broker.port());
    let file = folder.write("options", &text);
    Program::new(["pub", "-o", &file]).run().expect(0, "", "");

    // What is typed wins.
    let broker = Broker::start(until_goodbye(connected([packet("30 <u> '-x'")])));
    let url = broker.url();
    let file = folder.write("options", format!("-L {url}\n-V 311\n-q 1\n-t t\n-m -x\n"));
    Program::new(["pub", "-o", &file, "-t", "u", "-q", "0"]).run().expect(0, "", "");

    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let file = folder.write("options", format!("-L {}\n-V 311\n-t t\n-C 1\n-v\n", broker.url()));
    Program::new(["sub", "-o", &file]).run().expect(0, "t x\n", "");
}

#[test]
fn files_of_flags_have_a_usual_place_under_the_names_of_mosquitto() {
    let folder = Folder::new();
    let publish = under_the_name(&folder, "mosquitto_pub");
    for variable in ["XDG_CONFIG_HOME", "HOME"] {
        let broker = Broker::start(until_goodbye(connected([packet("30 <t> 'x'")])));
        let home = Folder::new();
        let place = if variable == "HOME" { ".config/mosquitto_pub" } else { "mosquitto_pub" };
        std::fs::create_dir_all(home.path().join(".config")).unwrap();
        home.write(place, format!("-p {}\n-t t\n-m x\n", broker.port()));
        let path = home.path().to_str().unwrap();
        Program::of(&publish, ["-V", "311"]).env(variable, path).run().expect(0, "", "");
        // To us they say nothing: their port is not one of WebSockets.
        let outcome =
            Program::new(["pub", "-p", "1", "-t", "t", "-m", "x"]).env(variable, path).run();
        assert_eq!(outcome.code(), Some(3), "{outcome}");
    }
}

#[test]
fn files_of_flags_that_make_no_sense() {
    let folder = Folder::new();
    let run = |flags: &[&str]| {
        let outcome =
            Program::new([&["pub", "-t", "t", "-m", "x", "-p", "1"], flags].concat()).run();
        (outcome.code(), String::from_utf8(outcome.stderr).unwrap())
    };
    let missing = "mqttws: reading /no-such-file: No such file or directory\n".to_owned();
    assert_eq!(run(&["-o", "/no-such-file"]), (Some(1), missing));
    let file = folder.write("binary", b"-t \xff\n");
    let line = format!("mqttws: -o {file}: expected text, a flag and its value on each line\n");
    assert_eq!(run(&["-o", &file]), (Some(2), line));
    let file = folder.write("options", "-q 1\n");
    let twice = "mqttws: -o: there can be only one file of flags\n".to_owned();
    assert_eq!(run(&["-o", &file, "-o", &file]), (Some(2), twice));
    assert_eq!(
        run(&[&format!("-o{file}")]),
        (Some(2), "mqttws: -o: expected two words of their own, -o FILE\n".to_owned())
    );
    let file = folder.write("options", "--no-such-flag\n");
    assert_eq!(run(&["-o", &file]).0, Some(2));
}
