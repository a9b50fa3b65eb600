//! `mqttws pub` of messages that are made of parts: several topics, several files, encoded
//! payloads, repetition without end, and fields that each message fills in.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// `mqttws pub URL -V 311` and `arguments`.
fn publish(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["pub", &url, "-V", "311"], arguments].concat())
}

/// A broker that takes these packets after CONNECT, and then the goodbye.
fn taking<const N: usize>(packets: [&str; N]) -> Broker {
    Broker::start(until_goodbye(connected(packets.map(packet))))
}

/// Runs it without a broker: the command line is refused before.
fn refused(arguments: &[&str]) -> Outcome {
    Program::new([&["pub", "ws://127.0.0.1:9/mqtt"], arguments].concat()).run()
}

const TWO: [&str; 4] = ["-t", "a", "-t", "b"];

#[test]
fn each_message_goes_to_each_topic_in_order() {
    let broker = taking(["30 <a> 'x'", "30 <b> 'x'"]);
    publish(&broker, &[&TWO[..], &["-m", "x"]].concat()).run().expect(0, "", "");
    let broker = taking(["30 <p/a> '1'", "30 <p/b> '1'", "30 <p/a> ''", "30 <p/b> ''"]);
    let flags = [&TWO[..], &["--topic-prefix", "p/", "-l"]].concat();
    publish(&broker, &flags).stdin("1\n\n").run().expect(0, "", "");
    let broker = taking(["31 <a>", "31 <b>", "31 <a>", "31 <b>"]);
    let flags = [&TWO[..], &["-n", "-r", "--repeat", "2", "--rate", "500"]].concat();
    publish(&broker, &flags).run().expect(0, "", "");
}

#[test]
fn messages_to_several_topics_are_counted_and_named() {
    let steps = connected([
        packet("32 <a> 00 01 '1'"),
        packet("32 <b> 00 02 '1'"),
        packet("32 <a> 00 03 '2'"),
        packet("32 <b> 00 04 '2'"),
        Step::Send("40 00 04; 40 00 03; 40 00 02; 40 00 01"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let flags = [&TWO[..], &["-l", "-q", "1", "--summary=json"]].concat();
    let outcome = publish(&broker, &flags).stdin("1\n2\n").run();
    let summary = String::from_utf8_lossy(&outcome.stderr);
    assert!(summary.contains(r#""bytes":4,"published":4,"#), "{outcome}");
    assert!(summary.contains(r#""acknowledgement_ms":{"avg":"#), "{outcome}");
    assert!(summary.contains(r#""count":4"#) && outcome.code() == Some(0), "{outcome}");
}

#[test]
fn a_refused_message_to_several_topics_is_named_with_its_topic() {
    let mut steps = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    steps.extend([
        packet("32 <a> 00 01 00 '1'"),
        packet("32 <b> 00 02 00 '1'"),
        packet("32 <a> 00 03 00 '2'"),
        packet("32 <b> 00 04 00 '2'"),
        Step::Send("40 00 01; 40 00 02 87; 40 00 03; 40 00 04 97"),
        packet("e0 *"),
        Step::Close(1000),
        Step::Gone,
    ]);
    let broker = Broker::start(steps);
    let url = broker.url();
    let flags = [&["pub", &url, "-V", "5", "-q", "1", "-l"], &TWO[..]].concat();
    let lines = "mqttws: publishing to b: message 1 refused: not authorized\n\
                 mqttws: publishing to b: message 2 refused: quota exceeded\n";
    Program::new(flags).stdin("1\n2\n").run().expect(7, "", lines);
}

/// The number is that of the record: all of it is published again.
#[test]
fn an_interrupted_pub_to_several_topics_names_the_record_to_go_on_with() {
    for (most, last, line) in [
        (
            "4",
            1,
            "1 of 4 messages handed over; go on with number 1; numbers 1 to 2 may arrive twice",
        ),
        ("4", 2, "2 of 4 messages handed over; go on with number 2, which may arrive twice"),
        (
            "3",
            0,
            "0 of 3 messages handed over; go on with number 1; numbers 1 to 2 may arrive twice",
        ),
    ] {
        let mut steps = connected([
            packet("32 <a> 00 01 '1'"),
            packet("32 <b> 00 02 '1'"),
            packet("32 <a> 00 03 '2'"),
        ]);
        if most == "4" {
            steps.push(packet("32 <b> 00 04 '2'"));
        }
        let acknowledgements = ["40 00 01", "40 00 02"];
        steps.extend(acknowledgements[..last].iter().map(|packet| Step::Send(packet)));
        steps.push(Step::Tell);
        let broker = Broker::start(steps);
        let flags = [&TWO[..], &["-l", "-q", "1", "-M", most, "-d"]].concat();
        let mut running = publish(&broker, &flags).stdin("1\n2\n").stdin_held_open().spawn();
        broker.wait();
        if last > 0 {
            running.wait_for_words(&format!("received PUBACK (Mid: {last}"));
        }
        running.signal("INT");
        let outcome = running.finish();
        let line = format!("mqttws: publishing: interrupted with {line}\n");
        assert!(outcome.stderr.ends_with(line.as_bytes()), "{outcome}");
        assert_eq!(outcome.code(), Some(130), "{outcome}");
    }
}

#[test]
fn in_doubt_at_qos_2_the_topic_is_named() {
    let mut steps = connected([packet("34 <a> 00 01 'x'"), packet("34 <b> 00 02 'x'"), Step::End]);
    steps.push(Step::Reconnect);
    steps.extend(until_goodbye(connected([])));
    let broker = Broker::start(steps);
    let flags = ["-q", "2", "-c", "-i", "me", "-m", "x", "--quiet", "--reconnect-delay", "0.01"];
    let line = |topic| {
        format!(
            "mqttws: publishing to {topic}: message refused: in doubt: the broker has lost the \
             session\n"
        )
    };
    publish(&broker, &[&TWO[..], &flags].concat()).run().expect(7, "", &(line("a") + &line("b")));
}

#[test]
fn several_topics_are_not_for_records_and_requests() {
    fails(
        &refused(&[&TWO[..], &["--json"]].concat()),
        2,
        "mqttws: -t: each record of --json goes to one topic; give one -t",
    );
    fails(
        &refused(&[&TWO[..], &["--request", "-m", "x"]].concat()),
        2,
        "mqttws: -t: with --request a message goes to one topic; give one -t",
    );
    fails(&refused(&[&TWO[..], &["-l", "--split", " "]].concat()), 2, "mqttws: *--split*");
}

#[test]
fn a_message_for_each_file() {
    let folder = Folder::new();
    let (one, two) = (folder.write("one", "1"), folder.write("two", ""));
    let broker = taking(["30 <t> '1'", "30 <t>", "30 <t> '1'", "30 <t>"]);
    publish(&broker, &["-t", "t", "-f", &one, "-f", &two, "--repeat", "2"]).run().expect(0, "", "");
    let broker = taking(["30 <a> '1'", "30 <b> '1'", "30 <a>", "30 <b>"]);
    publish(&broker, &[&TWO[..], &["-f", &one, "-f", &two]].concat()).run().expect(0, "", "");
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().expect("a name");
    let line = format!("mqttws: reading {nowhere}: No such file or directory");
    fails(&refused(&["-t", "t", "-f", &one, "-f", nowhere]), 1, &line);
}

/// Nothing is sent when one of the files cannot be a message, wherever it stands.
#[test]
fn all_files_are_looked_at_before_the_first_message() {
    let folder = Folder::new();
    let (one, last) = (folder.write("one", "1"), folder.write("last", "2"));
    let large = folder.write("large", "x".repeat(1_500_000));
    let within = folder.path().join("within").display().to_string();
    std::fs::create_dir(&within).expect("a folder");
    let endless = folder.path().join("endless").display().to_string();
    let file = std::fs::File::create(&endless).expect("a file");
    file.set_len(300_000_000).expect("it has holes");
    let is_folder = format!("mqttws: reading {within}: Is a directory");
    let is_long = format!(
        "mqttws: reading {endless}: it has 300000000 bytes, and a message can have at most *"
    );
    for (bad, line) in [(&within, &is_folder), (&endless, &is_long)] {
        for files in [[&one, bad, &last], [&large, bad, &one], [&one, &last, bad]] {
            let flags: Vec<&str> = files.iter().flat_map(|file| ["-f", file]).collect();
            fails(&refused(&[&["-t", "t"][..], &flags].concat()), 1, line);
        }
        fails(&refused(&["-t", "t", "-f", bad]), 1, line);
    }
    let flags = ["-t", "t", "--payload-encoding", "hex", "-f", &one, "-f", &within];
    fails(&refused(&flags), 1, &is_folder);
}

/// Large files are streamed, and small ones between them are messages like any other.
#[test]
fn large_files_in_a_row() {
    let folder = Folder::new();
    let large = |byte: u8| [byte].repeat(1_500_000);
    let names = [large(b'x'), Vec::new(), b"y".to_vec(), large(b'z')];
    let files: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, content)| folder.write(&n.to_string(), content))
        .collect();
    for qos in ["0", "1"] {
        let mut steps = connected([]);
        for content in &names {
            for topic in ["a", "b"] {
                let id = if qos == "1" { "id " } else { "" };
                let flags = if qos == "1" { "32" } else { "30" };
                let text = String::from_utf8(content.clone()).expect("text");
                steps.push(packet(&format!("{flags} <{topic}> {id}'{text}'")));
                if qos == "1" {
                    steps.push(Step::Send("40 id"));
                }
            }
        }
        let broker = Broker::start(until_goodbye(steps));
        let mut flags = [&TWO[..], &["-q", qos, "--summary=json"]].concat();
        flags.extend(files.iter().flat_map(|file| ["-f", file]));
        let outcome = publish(&broker, &flags).run();
        let summary = String::from_utf8_lossy(&outcome.stderr);
        assert!(summary.contains(r#""bytes":6000002,"published":8,"#), "{outcome}");
        assert_eq!(outcome.code(), Some(0), "{outcome}");
    }
}

#[test]
fn payloads_are_decoded() {
    let folder = Folder::new();
    let (hex, base64) = (folder.write("hex", "00 fF\n0a\n"), folder.write("base64", "AP8\nK\n"));
    let hexadecimal = ["-t", "t", "--payload-encoding", "hex"];
    let broker = taking(["30 <t> 00 ff 0a"]);
    publish(&broker, &[&hexadecimal[..], &["-m", "00ff0A"]].concat()).run().expect(0, "", "");
    let broker = taking(["30 <t> 00 ff 0a"]);
    publish(&broker, &[&hexadecimal[..], &["-f", &hex]].concat()).run().expect(0, "", "");
    let broker = taking(["30 <t> 00 ff 0a"]);
    publish(&broker, &[&hexadecimal[..], &["-s"]].concat()).stdin("00ff0a").run().expect(0, "", "");
    let broker = taking(["30 <t> 00 ff 0a", "30 <t> 00 ff 0a"]);
    let flags = ["-t", "t", "--payload-encoding", "base64", "-f", &base64, "-f", &base64];
    publish(&broker, &flags).run().expect(0, "", "");
    let broker = taking(["30 <a> 00", "30 <b> ff"]);
    let flags = ["--payload-encoding", "hex", "-l", "--split", " "];
    publish(&broker, &flags).stdin("a 00\nb ff\r\n").run().expect(0, "", "");
}

#[test]
fn what_is_not_encoded_is_named_with_its_place() {
    let folder = Folder::new();
    let file = folder.write("file", "00 0g");
    let flags = ["-t", "t", "--payload-encoding", "hex"];
    let line = "expected hexadecimal digits in pairs, and found g at byte";
    let outcome = refused(&[&flags[..], &["-m", "0g"]].concat());
    fails(&outcome, 2, &format!("mqttws: -m: {line} 2"));
    let broker = taking([]);
    let outcome = publish(&broker, &[&flags[..], &["-f", &file]].concat()).run();
    fails(&outcome, 1, &format!("mqttws: *reading {file}: {line} 5"));
    let broker = taking(["30 <t> 01", "30 <t> 02"]);
    let line = format!("mqttws: reading stdin: record 2: the payload: {line} 1\n");
    let outcome = publish(&broker, &[&flags[..], &["-l"]].concat()).stdin("01\ng\n02\n").run();
    outcome.expect(1, "", &line);
    fails(&refused(&["--payload-encoding", "hex", "--json"]), 2, "mqttws: *--json*");
    fails(
        &refused(&["-t", "t", "-m", "x", "--payload-encoding", "rot13"]),
        2,
        "mqttws: invalid value 'rot13' for '--payload-encoding <ENCODING>': expected hex*",
    );
}

/// What was published is acknowledged before it ends.
#[test]
fn a_repetition_without_end_is_done_when_it_is_interrupted() {
    let broker = Broker::start(until_goodbye(connected([
        packet("32 <t> 00 01 'x'"),
        packet("32 <t> 00 02 'x'"),
        packet("32 <t> 00 03 'x'"),
        Step::Send("40 00 01"),
        packet("32 <t> 00 04 'x'"),
        Step::Tell,
        // More messages would follow these answers if the signal came after them.
        Step::Dally(std::time::Duration::from_millis(700)),
        Step::Send("40 00 02; 40 00 03; 40 00 04"),
    ])));
    let flags = ["-t", "t", "-q", "1", "-m", "x", "--repeat", "0", "-M", "3"];
    let running = publish(&broker, &flags).spawn();
    broker.wait();
    running.signal("INT");
    running.finish().expect(0, "", "");
}

#[test]
fn fields_are_filled_in_for_each_message() {
    let folder = Folder::new();
    let names = folder.write("names", "anna\nbert\n");
    let broker = taking([
        r#"30 <s/1/1> '{"n":1,"name":"anna"}'"#,
        r#"30 <s/0/2> '{"n":2,"name":"bert"}'"#,
        r#"30 <s/1/3> '{"n":3,"name":"anna"}'"#,
    ]);
    let payload = format!(r#"{{{{"n":{{n}},"name":"{{line {names}}}"}}}}"#);
    let flags = ["--template", "-t", "{n%2}/{n}", "--topic-prefix", "s/", "-m", &payload];
    publish(&broker, &[&flags[..], &["--repeat", "3"]].concat()).run().expect(0, "", "");
    let broker = taking(["30 <line/1> '{n}'", "30 <line/2> 'b'"]);
    let flags = ["--template", "-t", "line/{n}", "-l"];
    publish(&broker, &flags).stdin("{n}\nb\n").run().expect(0, "", "");
}

/// Payloads that are filled in ahead: each message has its own, however the window moves.
#[test]
fn a_long_run_of_filled_payloads_is_complete() {
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    for (qos, most, count) in [("0", "5", 20_000), ("1", "5", 2_000), ("2", "3", 1_000)] {
        let sub =
            ["sub", &url, "-t", "run", "-q", qos, "-C", &count.to_string()].map(str::to_owned);
        let mut subscriber = Program::new([&sub[..], &["-d".to_owned()]].concat()).spawn();
        subscriber.wait_for_words("received SUBACK");
        let count = count.to_string();
        let flags =
            ["-t", "run", "--template", "-m", "{n}", "--repeat", &count, "-q", qos, "-M", most];
        Program::new([&["pub", &url], &flags[..]].concat()).run().expect(0, "", "");
        let outcome = subscriber.finish();
        let numbers: Vec<String> =
            (1..=count.parse().unwrap()).map(|n: u64| n.to_string()).collect();
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(text.lines().eq(numbers.iter().map(String::as_str)), "QoS {qos}: {outcome}");
    }
    let flags = ["-t", "run", "--template", "-m", "{n}{bytes 20K}", "--repeat", "3"];
    Program::new([&["pub", &url], &flags[..]].concat()).run().expect(0, "", "");
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

/// Messages with topics of their own are sent in runs, too: filled in, of several topics, and of
/// records that name theirs. What is no message stands between them, and costs no other one.
#[test]
fn a_long_run_of_topics_is_complete() {
    let folder = Folder::new();
    let levels = folder.write("levels", "a\nb\n+\nc\n");
    let level = format!("run/{{line {levels}}}/{{n}}");
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    let lines: String = (1..=2_000)
        .map(|n| if n % 4 == 3 { format!("run/{n}\n") } else { format!("run/{n} {n}\n") })
        .collect();
    let template = ["--template", "-t", &level, "-m", "{n}", "--repeat", "2000"];
    let template_lines = ["--template", "-t", &level, "-l"];
    let several = ["-t", "run/x", "-t", "run/\u{fc}", "-t", "run/z", "-l"];
    let cases: [(&[&str], usize, i32); 4] = [
        (&template, 1_500, 1),
        (&template_lines, 1_500, 1),
        (&several, 6_000, 0),
        (&["--split", " ", "-l"], 1_500, 1),
    ];
    for (flags, count, code) in cases {
        for (qos, most) in [("0", "5"), ("1", "5"), ("2", "3")] {
            let wanted = count.to_string();
            let sub = ["sub", &url, "-t", "run/#", "-q", qos, "-C", &wanted, "-v", "-d"];
            let mut subscriber = Program::new(sub).spawn();
            subscriber.wait_for_words("received SUBACK");
            let publisher = [&["pub", &url, "-q", qos, "-M", most], flags].concat();
            let outcome = Program::new(publisher).stdin(lines.as_str()).run();
            assert_eq!(outcome.code(), Some(code), "{flags:?}: {outcome}");
            let outcome = subscriber.finish();
            let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
            let came: Vec<&str> = text.lines().collect();
            assert_eq!(came, expected(flags, &lines), "{flags:?}, QoS {qos}");
        }
    }
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

/// Messages that wait because the broker reads slowly are not left out.
#[test]
fn a_run_that_waits_for_the_broker_is_complete() {
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    for (count, topic) in [(2_000, "run/{n}"), (2_001, "run")] {
        let (count, numbers) = (count.to_string(), 1..=count);
        let sub = ["sub", &url, "-t", "run/#", "-q", "1", "-C", &count, "-F", "%t", "-d"];
        let mut subscriber = Program::new(sub).spawn();
        subscriber.wait_for_words("received SUBACK");
        let flags = ["--template", "-m", "{bytes 15K}", "--repeat", &count, "-q", "1"];
        let publisher = [&["pub", &url, "-t", topic], &flags[..]].concat();
        Program::new(publisher).run().expect(0, "", "");
        let outcome = subscriber.finish();
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let expected = numbers.map(|number| topic.replace("{n}", &number.to_string()));
        assert!(text.lines().eq(expected), "{topic}: {} came", text.lines().count());
    }
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

/// What a subscriber writes of these messages.
fn expected(flags: &[&str], lines: &str) -> Vec<String> {
    let filled = |(number, line): (usize, &str)| {
        let level = ["c", "a", "b", "+"][number % 4];
        let payload = if flags.contains(&"-l") { line.to_owned() } else { number.to_string() };
        (level != "+").then(|| format!("run/{level}/{number} {payload}"))
    };
    let numbered = (1..).zip(lines.lines());
    match flags[0] {
        "--template" => numbered.filter_map(filled).collect(),
        "--split" => lines.lines().filter(|line| line.contains(' ')).map(str::to_owned).collect(),
        _ => {
            let topics = ["run/x", "run/\u{fc}", "run/z"];
            lines.lines().flat_map(|line| topics.map(|topic| format!("{topic} {line}"))).collect()
        }
    }
}

/// The payload is the same for all topics of a record; a run of messages has one each.
#[test]
fn random_fields_differ_from_message_to_message() {
    let mut serve = Program::new(["serve", "-p", "0"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    let sub = ["sub", &url, "-t", "#", "-v", "-C", "6", "-q", "1", "-c", "-i", "me"];
    Program::new([&sub[..], &["-E"]].concat()).run().expect(0, "", "");
    let flags =
        ["-t", "a/{n}", "-t", "b", "--template", "-m", "{uuid}", "--repeat", "3", "-q", "1"];
    Program::new([&["pub", &url], &flags[..]].concat()).run().expect(0, "", "");
    let outcome = Program::new(sub).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let topics: Vec<&str> = lines.iter().map(|(topic, _)| *topic).collect();
    assert_eq!(topics, ["a/1", "b", "a/2", "b", "a/3", "b"], "{outcome}");
    let payloads: Vec<&str> = lines.iter().map(|(_, payload)| *payload).collect();
    assert!(payloads[0] == payloads[1] && payloads[0] != payloads[2], "{outcome}");
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

#[test]
fn a_wrong_field_is_shown() {
    let flags = ["--template", "-t", "t", "-m"];
    let shown = |payload: &str| {
        let outcome = refused(&[&flags[..], &[payload]].concat());
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        String::from_utf8_lossy(&outcome.stderr).into_owned()
    };
    let text = shown("ab{bytes 300M}");
    assert_eq!(text, "mqttws: -m: it is longer than 268435455 bytes\n  ab{bytes 300M}\n    ^\n");
    let text = shown("{line /dev/zero}");
    assert!(text.ends_with("\n  {line /dev/zero}\n  ^\n"), "{text}");
    assert!(text.starts_with("mqttws: -m: reading /dev/zero: it has more than "), "{text}");
    let outcome = refused(&["--template", "-t", "a{x}", "-m", ""]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.ends_with(b"\n  a{x}\n   ^\n"), "{outcome}");
    for flag in ["--json", "--split=,", "--payload-encoding=hex"] {
        let input = if flag == "--json" { "-n" } else { "-l" };
        assert_eq!(refused(&["--template", "-t", "t", flag, input]).code(), Some(2), "{flag}");
    }
}

/// A topic that is none is a record that makes no sense.
#[test]
fn a_topic_that_is_filled_in_wrongly_is_left_out() {
    let folder = Folder::new();
    let lines = folder.write("lines", "a\nb/+\n\nc\n");
    let broker = taking(["30 <a> 'x'", "30 <c> 'x'"]);
    let topic = format!("{{line {lines}}}");
    let flags = ["--template", "-t", &topic, "-m", "x", "--repeat", "4"];
    let outcome = publish(&broker, &flags).run();
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let told: Vec<&str> = text.lines().collect();
    assert!(told.len() == 2 && told[0].contains("the template: record 2: topic: "), "{outcome}");
    assert!(told[1].contains("record 3: topic: ") && outcome.code() == Some(1), "{outcome}");
}
