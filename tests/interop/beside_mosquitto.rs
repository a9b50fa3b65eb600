//! `mqttws sub` and Debian's `mosquitto_sub` on one broker: what they print for the same flags is
//! the same, byte for byte. These tests must never know a format.

use crate::broker::Mosquitto;
use crate::mosquitto;
use crate::program::{Program, Running};

/// Both, subscribed with the same flags: ours first.
fn both(broker: &Mosquitto, flags: &[&str]) -> [Running; 2] {
    let ours =
        Program::new([&["sub", &broker.ws(), "-i", "ours", "-V", "5"], flags].concat()).spawn();
    broker.wait_for_subscription("ours");
    let theirs =
        broker.client("mosquitto_sub", &[&["-i", "theirs", "-V", "5"], flags].concat()).spawn();
    broker.wait_for_subscription("theirs");
    [ours, theirs]
}

/// What both printed, as it must be the same; neither says anything else.
fn same([ours, theirs]: [Running; 2]) -> Vec<u8> {
    let (ours, theirs) = (ours.finish(), theirs.finish());
    assert_eq!((ours.code(), theirs.code()), (Some(0), Some(0)), "{ours}\n{theirs}");
    assert!(ours.stdout == theirs.stdout, "{ours}\n{theirs}");
    assert!(ours.stderr.is_empty(), "{ours}");
    ours.stdout
}

fn publish(broker: &Mosquitto, flags: &[&str]) {
    broker.client("mosquitto_pub", &[&["-V", "5"], flags].concat()).run().expect(0, "", "");
}

/// Two user properties of one name.
const USER_PROPERTIES: &[&str] =
    &["-D", "publish", "user-property", "a", "b", "-D", "publish", "user-property", "a", "c"];

/// A message with everything else that a client can give it.
const EVERYTHING: &[&str] = &[
    "-q",
    "1",
    "-D",
    "publish",
    "content-type",
    "text/x",
    "-D",
    "publish",
    "correlation-data",
    "zz",
    "-D",
    "publish",
    "response-topic",
    "r/s",
    "-D",
    "publish",
    "message-expiry-interval",
    "77",
    "-D",
    "publish",
    "payload-format-indicator",
    "1",
];

/// Everything of 2.0.11 that does not tell the time, but for hexadecimal digits with a width: 2.0
/// shows half of the payload there.
const FORMATS: &[&str] = &[
    "%A|%5A|%05A|%-5A|",
    "%C|%9C|%-9C|%09C|%.2C|%9.2C|",
    "%D|%5D|",
    "%E|%5E|%05E|%-5E|",
    "%F|%3F|%03F|%-3F|",
    "%l|%5l|%05l|%-5l|",
    "%m|%5m|%05m|%-5m|",
    "%P|%9P|",
    "%p|%3p|%9p|%-9p|%09p|%012p|%.3p|%3.2p|%-09p|",
    "%q|%3q|%r|%3r|",
    "%R|%9R|%-9R|%.1R|%9.1R|",
    "%S|%5S|%05S|%-5S|",
    "%t|%9t|%-9t|%09t|%.2t|%9.2t|%-9.2t|",
    "%x|%X|",
    "%%|%5%|@@|\\\\",
    "\\0\\a\\e\\n\\r\\t\\v|",
    "@a@A@b@B@h@n@t@%@E@O@Q@f@i@J@K@L@o@q@v@+|",
    "@C@d@D@e@F@g@G@j@m@u@U@V@w@W@x@y@Y@z@Z",
    "grün %t",
];

#[test]
fn every_escape_prints_the_same() {
    let Some(broker) = mosquitto() else { return };
    for format in FORMATS {
        let running = both(&broker, &["-t", "le/#", "-q", "1", "-C", "8", "-F", format]);
        for payload in ["abcdef", "", "{\"a\" : [1, 2.50]}", "grün"] {
            let input = if payload.is_empty() { &["-n"][..] } else { &["-m", payload] };
            for message in [&[EVERYTHING, USER_PROPERTIES].concat()[..], &[]] {
                publish(&broker, &[&["-t", "le/vel"], input, message].concat());
            }
        }
        same(running);
    }
}

/// The point in time is masked: both are near, and not the same.
fn without_time(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed).into_owned();
    match text.find("\"tst\":") {
        Some(at) => {
            let time = text[at..].find(',').map_or(text.len(), |end| at + end);
            let masked: String =
                text[at..time].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            format!("{}{masked}{}", &text[..at], &text[time..])
        }
        None => text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect(),
    }
}

#[test]
fn json_is_the_same_but_for_its_time() {
    let Some(broker) = mosquitto() else { return };
    let payloads = [
        r#"{"b" : [1,2.5,1e30,-0,0.1,3.141592653589793,12345678901234567890,1E-7,{},[]],"a":null,"b":true}"#,
        r#""a\u00fc\u0001\/\"\\""#,
        "17",
    ];
    for payload in payloads {
        for message in [EVERYTHING, &[]] {
            for flags in [
                &["-F", "%J"][..],
                &["-F", "%j"],
                &["-F", "%J", "--pretty"],
                &["-F", "%q|%j", "--pretty"],
            ] {
                let running = both(&broker, &[&["-t", "t", "-q", "1", "-C", "1"], flags].concat());
                publish(&broker, &[&["-t", "t", "-m", payload], message].concat());
                let [ours, theirs] = running.map(|running| without_time(&running.finish().stdout));
                assert_eq!(ours, theirs);
            }
        }
    }
}

#[test]
fn times_have_the_same_shape() {
    let Some(broker) = mosquitto() else { return };
    for format in ["%I", "%30I|%-30I|%.4I", "%U", "@c|@H@I@k@l@M@N@p@P@r@R@s@S@T@X"] {
        let running = both(&broker, &["-t", "t", "-C", "1", "-F", format]);
        publish(&broker, &["-t", "t", "-m", "x"]);
        let [ours, theirs] = running.map(|running| without_time(&running.finish().stdout));
        assert_eq!(ours, theirs, "{format}");
    }
}

#[test]
fn layouts_are_the_same() {
    let Some(broker) = mosquitto() else { return };
    for flags in
        [&["-v"][..], &[], &["-N"], &["-v", "-N"], &["-F", "%p", "-N"], &["-v", "-F", "%p"]]
    {
        let running = both(&broker, &[&["-t", "t/#", "-C", "3"], flags].concat());
        for (topic, payload) in [("t/a", "one"), ("t/ü", "two \x1b[2J"), ("t/c", "three")] {
            publish(&broker, &["-t", topic, "-m", payload]);
        }
        same(running);
    }
    let running = both(&broker, &["-t", "t", "-C", "1", "-v"]);
    publish(&broker, &["-t", "t", "-n"]);
    assert_eq!(same(running), b"t (null)\n");
}

#[test]
fn filters_leave_out_the_same() {
    let Some(broker) = mosquitto() else { return };
    for flags in
        [&["-T", "t/a"][..], &["-T", "t/+/x", "-T", "#/b"][..2], &["-T", "+/b", "-T", "t/c/#"]]
    {
        let running = both(&broker, &[&["-t", "t/#", "-v", "-C", "2"], flags].concat());
        for topic in ["t/a", "t/b/x", "t/b", "t/c/x", "t/d", "t/e"] {
            publish(&broker, &["-t", topic, "-m", topic]);
        }
        same(running);
    }
}

/// Retained messages at these topics.
fn retain(broker: &Mosquitto, topics: &[&str]) {
    for topic in topics {
        publish(broker, &["-t", topic, "-m", topic, "-r", "-q", "1"]);
    }
}

#[test]
fn retained_messages_are_chosen_the_same() {
    let Some(broker) = mosquitto() else { return };
    retain(&broker, &["t/a", "t/b"]);
    for (flags, count) in
        [(&["-R"][..], "1"), (&[], "3"), (&["--retained-only"], "2"), (&["--retained-only"], "9")]
    {
        let running = both(&broker, &[&["-t", "t/#", "-v", "-C", count], flags].concat());
        publish(&broker, &["-t", "t/live", "-m", "live"]);
        same(running);
    }
}

#[test]
fn retained_messages_are_removed_the_same() {
    let Some(broker) = mosquitto() else { return };
    let flags = [
        "-t",
        "t/#",
        "-v",
        "-W",
        "5",
        "--retained-only",
        "--remove-retained",
        "-T",
        "t/spared",
        "-C",
        "2",
    ];
    let run = |program: Program| {
        retain(&broker, &["t/a", "t/b", "t/spared"]);
        let outcome = program.run();
        let left = ["-t", "t/#", "-v", "--retained-only", "-C", "1"];
        let left = broker.client("mosquitto_sub", &left).run();
        (outcome.stdout, left.stdout)
    };
    let ours = run(Program::new([&["sub", &broker.ws()], &flags[..]].concat()));
    let theirs = run(broker.client("mosquitto_sub", &flags));
    assert_eq!(ours, theirs);
    assert_eq!(ours, (b"t/a t/a\nt/b t/b\n".to_vec(), b"t/spared t/spared\n".to_vec()));
}

#[test]
fn leaving_after_the_answer_is_the_same() {
    let Some(broker) = mosquitto() else { return };
    same(both(&broker, &["-t", "t", "-E"]));
    let kept = ["-c", "-q", "1", "-t", "t/#", "-E"];
    same(both(&broker, &kept));
    let running = both(&broker, &["-c", "-q", "1", "-t", "u", "-U", "t/#", "-v", "-C", "1"]);
    publish(&broker, &["-t", "t/x", "-m", "given back", "-q", "1"]);
    publish(&broker, &["-t", "u", "-m", "kept", "-q", "1"]);
    assert_eq!(same(running), b"u kept\n");
}

/// `sub --json | pub --json` from mosquitto to our own broker, and what arrives there is what was
/// sent.
#[test]
fn a_mirror_is_exact() {
    let Some(broker) = mosquitto() else { return };
    let mut serve = Program::new(["serve", "-p", "0"]).stdin_held_open().spawn();
    let line = serve.wait_for_line(|line| line.contains("ws://"));
    let target =
        line.split(' ').find(|word| word.starts_with("ws://")).expect("an address").to_owned();
    let flags = ["-q", "2", "-t", "m/#", "--json", "-C"];
    let count = "5";
    let source =
        Program::new([&["sub", &broker.ws(), "-i", "source"], &flags[..], &[count]].concat())
            .spawn();
    broker.wait_for_subscription("source");
    let everything =
        [&["-t", "m/all", "-m", "grün \u{202e}\x01"], EVERYTHING, USER_PROPERTIES].concat();
    publish(&broker, &everything);
    publish(&broker, &["-t", "m/empty", "-n", "-q", "2"]);
    publish(&broker, &["-t", "m/kept", "-m", "kept", "-r", "-q", "1"]);
    for payload in [b"\xff\0\xc0\n".to_vec(), (0..=255).collect()] {
        let publisher = broker.client("mosquitto_pub", &["-t", "m/binary", "-s", "-q", "1"]);
        publisher.stdin(payload).run().expect(0, "", "");
    }
    let records = source.finish();
    assert_eq!(records.code(), Some(0), "{records}");
    let format = "%t|%q|%r|%x|%C|%D|%F|%R|%P";
    let expected = "m/all|1|0|6772c3bc6e20e280ae01|text/x|zz|1|r/s|a:b a:c\n\
                    m/empty|2|0||||||\n\
                    m/kept|1|0|6b657074|||||\n\
                    m/binary|1|0|ff00c00a|||||\n";
    let kept = ["sub", &target, "-c", "-i", "target", "-q", "2", "-t", "m/#"];
    Program::new([&kept[..], &["-E"]].concat()).run().expect(0, "", "");
    Program::new(["pub", &target, "--json"]).stdin(records.stdout).run().expect(0, "", "");
    let sink = Program::new([&kept[..], &["-F", format, "-C", count]].concat()).run();
    let mirrored = String::from_utf8(sink.stdout).unwrap();
    let (head, binary) = mirrored.split_at(expected.len());
    assert_eq!(head, expected);
    assert!(binary.starts_with("m/binary|1|0|000102") && binary.contains("fdfeff|"), "{binary}");
}
