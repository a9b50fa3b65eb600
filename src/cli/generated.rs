//! `completions/` and `man/` are written here and committed: the test rewrites what differs and
//! then fails, so that they cannot drift from the flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use self::pipe::{COMMANDS, DROP_IN, REQUESTS};
use super::{Cli, cloud};

mod pipe;

const EXIT_STATUS: &str = r".SH EXIT STATUS
.TP
\fB0\fR
Done as asked; also when the reader of stdout went away, and when an endless \fBsub\fR or \fBping\fR was interrupted.
.TP
\fB1\fR
A local failure: a file, the disk, the output, a command of \fB\-\-exec\fR; also when records of the input made no
sense.
.TP
\fB2\fR
The command line makes no sense.
.TP
\fB3\fR
Not reached: name, TCP or proxy.
.TP
\fB4\fR
TLS failed.
.TP
\fB5\fR
The WebSocket upgrade failed.
.TP
\fB6\fR
The broker refused CONNECT, or disconnected us with an error.
.TP
\fB7\fR
The broker refused a SUBSCRIBE, an UNSUBSCRIBE or a PUBLISH, or says that it does not take it; also when only some were
refused, and when it ended three connections in a row at the same message.
.TP
\fB8\fR
The connection was lost.
.TP
\fB9\fR
The broker broke a protocol (WebSocket or MQTT).
.TP
\fB27\fR
Timed out: \fB\-\-connect\-timeout\fR (the line names the step), \fB\-W\fR, a SUBSCRIBE or a request without an
answer, or no ping was answered.
.TP
\fB129\fR, \fB130\fR, \fB143\fR
Interrupted by SIGHUP, SIGINT or SIGTERM before what was asked was done.
";

const ENVIRONMENT: &str = r".SH ENVIRONMENT
.TP
\fBMQTTWS_URL\fR
Where to connect when the command line names no address.
.TP
\fBMQTTWS_USERNAME\fR, \fBMQTTWS_PASSWORD\fR
Credentials, where neither the flags nor the URL have any.
.TP
\fBNO_COLOR\fR, \fBTERM\fR
No colour where the former is set and not empty; no colour and nothing drawn over where the latter is \fBdumb\fR.
.TP
\fBhttps_proxy\fR, \fBHTTPS_PROXY\fR, \fBhttp_proxy\fR, \fBall_proxy\fR, \fBALL_PROXY\fR, \fBno_proxy\fR, \fBNO_PROXY\fR
The proxy for wss, for ws and for both, and the hosts that need none, where \fB\-\-proxy\fR and
\fB\-\-no\-proxy\fR say nothing; as curl understands them.
.TP
\fBSSL_CERT_FILE\fR, \fBSSL_CERT_DIR\fR
Where \fB\-\-system\-roots\fR finds the certificates, instead of the operating system's usual place.
.TP
\fBSSLKEYLOGFILE\fR
Where the secrets of TLS connections are added to, without \fB\-\-tls\-keylog\fR.
";

const PROMISES: &str = r".SH DELIVERY
\fBpub\fR exits with 0 only when every message was handed over as its QoS demands: written, and the connection
closed in order (0), answered by PUBACK (1) or by PUBCOMP (2). At QoS 0 nobody acknowledges: a server that resets the
connection may have lost, unnoticed, what only the send buffer of the kernel held.
.PP
\fBsub\fR acknowledges a QoS 1 or 2 message only after it was written to stdout and flushed: what was not printed
stays with the broker, for the next run with the same \fB\-i\fR and \fB\-c\fR. When \fB\-W\fR is over, so is the
command that \fB\-\-exec\fR runs: it gets SIGTERM, and SIGKILL after three seconds.
.PP
A lost connection is made again, after delays that double and are jittered; each loss and each recovery is a line on
stderr. QoS 1 and 2 messages that were not acknowledged are sent again in their order, and subscriptions are renewed
when the broker has lost them. \fB\-\-no\-reconnect\fR turns this off. A first connection that fails is an error at
once, unless \fB\-\-wait\fR says for how long to try: then at least twice a second, and once more at the very end.
What no other try can mend (a certificate, a refusal) is an error at once.
.PP
After its DISCONNECT a command listens as long as the server goes on, for a second after it last did something and for
\fB\-\-connect\-timeout\fR at the most: a DISCONNECT with a reason still counts.
.PP
\fBpub \-q 2\fR stays exactly once through lost connections: its session outlives the connection while it runs, and is
ended when it is done, or when it has to give up and the broker can be reached once more within a second. If the broker
loses the session meanwhile, messages that it may or may not have are told as in
doubt, and not sent again.
.PP
When the reader of stdout is slow, the keep alive goes on, and the broker is no longer read from. Memory is bounded
whatever the number of messages: beside the message that is arriving, \fBsub\fR holds four batches of 128 KiB (or of one
larger message, below 1 MiB where large ones are written as they come); \fBpub\fR remembers at most 64 MiB of unacknowledged payload (or one message), and streams large files.
.PP
\fBsub\fR writes a message of more than 1 MiB as it comes, and keeps none of it in memory, where stdout is no terminal
and takes payloads as they are: without \fB\-F\fR, \fB\-\-json\fR, \fB\-\-hex\fR, \fB\-\-base64\fR, \fB\-o\fR and
\fB\-\-exec\fR, which need it as a whole. It is counted and acknowledged at its end. When the connection is lost in the
middle and the broker sends the same message again (QoS 1 and 2, in a session that it has kept), the output goes on where
it was. Otherwise the command ends with exit code 8, and says how much was written of it: the half of one message is
never followed by another. When something else ends the command in the middle, that is told, too; after \fB\-W\fR and
\fB\-\-idle\fR the exit code is 27.
.PP
Control and bidirectional characters are escaped when stdout is a terminal, never in a pipe.
.PP
SIGHUP (unless it was ignored from the start, as by nohup), SIGINT and SIGTERM end the connection with a DISCONNECT, so that a will is not published; a second one ends the
program at once. A server that reads nothing any more is not waited for then, nor when \fB\-W\fR has passed; and in any
case it counts as lost after one and a half keep alives, or after 20 seconds.
.PP
When the input of \fBpub \-l\fR cannot be read to its end, what was read before is still handed over; then the exit
code is 1, and the line says with which number to go on.
.PP
What cannot be promised: a \fBsub\fR that was killed between writing a message and acknowledging it gets that message
again, at QoS 2, too. A \fBpub \-q 2\fR with \fB\-c\fR that was killed and is run again begins with the packet
identifiers of the dead one; where the broker still holds one of them half taken, it may not deliver the new message:
for exactly once, run it without \fB\-c\fR.
.SH SECRETS
Passwords and tokens are not shown in the log of \fB\-d\fR and \fB\-dd\fR, by \fB\-\-print\-config\fR, nor in errors, and
neither are the queries of URLs. What is
typed on the command line is seen by every user of the machine who lists processes, for as long as the program runs;
mqttws cannot hide it. \fB\-\-password\-file\fR, \fB\-\-ask\-password\fR, a value of the form \fB@FILE\fR in \fB\-\-header\fR,
\fB\-\-basic\-auth\fR and \fB\-\-bearer\fR, a profile and the environment keep it off the command line.
";

const EXAMPLES: [(&str, &str); 4] = [
    (
        "pub",
        r".SH EXAMPLES
.nf
mqttws pub wss://broker.example/mqtt \-t lab/door \-m open \-q 1
seq 1 1000 | mqttws pub \-t numbers \-q 2 \-l
mqttws pub \-t picture \-r \-f picture.jpg
.fi
",
    ),
    (
        "sub",
        r".SH EXAMPLES
.nf
mqttws sub wss://broker.example/mqtt \-t 'lab/#' \-v
mqttws sub \-t numbers \-q 1 \-c \-i archive >> numbers.log
mqttws sub \-t picture \-N \-C 1 > picture.jpg
.fi
",
    ),
    (
        "ping",
        r".SH EXAMPLES
.nf
mqttws ping wss://broker.example/mqtt
mqttws ping ws://localhost:9001 \-c 3 \-\-interval 200ms
.fi
",
    ),
    (
        "serve",
        r".SH NOTES
QoS 0, 1 and 2, retained messages, wildcards, shared subscriptions, wills and sessions in MQTT 3.1, 3.1.1 and 5,
all in memory, under both subprotocol names, at the path /mqtt.
.SH EXAMPLES
.nf
mqttws serve
mqttws serve \-p 0 \-\- sh \-c 'mqttws pub \-t a \-m hello \-r && mqttws sub \-t a \-C 1'
.fi
",
    ),
];

const FORMATS: &str = r".SH FORMATS
\fB\-F\fR takes the escapes of \fBmosquitto_sub\fR. Between the % and its letter may stand \fB\-\fR (to the left),
\fB0\fR (zeros in front), a width, and a dot with a precision.
.TP
\fB%t %p %x %X\fR
Topic; payload as it is and in hexadecimal. \fB%.2:x\fR puts a colon between groups of two digits,
\fB%.2x\fR a blank.
.TP
\fB%q %r %m %l\fR
QoS, retain flag (0 or 1), packet identifier, length of the payload.
.TP
\fB%j %J\fR
All of it as JSON, in the form of mosquitto 2.0; with J the payload is JSON itself.
.TP
\fB%I %U\fR, \fB@\fR\fIc\fR
Time in ISO 8601, in seconds since 1970; a conversion of strftime(3), \fB@N\fR being nanoseconds.
.TP
\fB%A %C %D %E %F %P %R %S\fR
Topic alias, content type, correlation data, message expiry interval, payload format indicator, user properties, response
topic, subscription identifier (MQTT 5).
.TP
\fB%f %d\fR
The payload as a floating point number of this machine, of 4 or 8 bytes.
.TP
\fB%% @@ \e\e \e0 \ea \ee \en \er \et \ev\fR
Themselves, NUL, bell, escape, line feed, carriage return, tab, vertical tab.
";

const RECORDS: &str = r#".SH RECORDS
\fBsub \-\-json\fR writes, and \fBpub \-\-json\fR reads, an object a line:
.PP
.nf
{"time":"2026\-11\-22T10:48:10.345205Z","topic":"lab/door","qos":1,"retain":false,"dup":false,"mid":7,
 "properties":{"content\-type":"text/plain","user\-property":[["name","value"]]},"payload":"open"}
.fi
.PP
A payload that is not UTF-8 is \fBpayload_base64\fR; \fBpub\fR also takes \fBpayload_hex\fR. With \fB\-\-json=parse\fR
a payload that is JSON also stands there as \fBpayload_json\fR. Properties have the names of \fB\-D\fR;
correlation data that is not UTF-8 is \fBcorrelation\-data_base64\fR. Nothing is lost on the way:
.PP
.nf
mqttws sub ws://here/mqtt \-t '#' \-q 2 \-\-retain\-as\-published \-\-json | mqttws pub ws://there/mqtt \-\-json
.fi
.PP
\fBpub\fR needs a payload and a topic (or \fB\-t\fR); \fBdup\fR, \fBmid\fR and \fBpayload_json\fR say nothing to it, nor do
the subscription identifier and the topic alias, and \fBtime\fR does only with \fB\-\-replay\fR. A record that makes no
sense is one line on stderr with its number; the others go on, and the exit code is 1.
"#;

const TERMINAL_SUB: &str = r".SH TERMINAL
On a terminal control characters, bidirectional and invisible ones, and bytes that are not UTF\-8 are shown as escapes
(\fB\ex1b\fR, \fB\eu{202e}\fR); in a pipe, a file and with \fB\-o\fR every byte is as it came. Topics of \fB\-v\fR and
\fB\-\-watch\fR are coloured unless \fB\-\-color never\fR, \fBNO_COLOR\fR or \fBTERM=dumb\fR objects. The first binary payload
(one with NUL, or that is not UTF\-8) is noted on stderr.
.PP
\fB\-\-watch\fR keeps a line for each topic, drawn at most 20 times a second, cut to the width of the terminal. Where there
are more topics than lines the newest are shown, and the others counted; 10\~000 are remembered. A QoS 1 or 2 message is
acknowledged when the frame that shows it, or what came after it, is on the terminal. Lines on stderr stand above. stdout
must be a terminal; anything else is a usage error.
.PP
When stdout is a file, or with \fB\-o\fR, a count and a rate appear on stderr after a second, if that is a terminal, and
are gone at the end; not for a pipe, whose reader may write to the same terminal. Interrupted, an endless \fBsub\fR tells on a
terminal what came. \fB\-\-quiet\fR turns notes, counts and that off; \fB\-d\fR the counts.
.SH LATENCY
\fBpub \-\-latency\fR sends the time (UTC, with microseconds) in the user property \fBtime\fR, which needs MQTT 5;
\fBsub \-\-latency\fR reads it, and says at the end how long messages took: min/avg/p50/p99/max/stddev. Retained messages
do not count. The clocks of both machines must agree; messages that came before they were published are told.
";

const TERMINAL_PUB: &str = r".SH TERMINAL
What takes longer than a second shows on stderr, if that is a terminal, how far it has come, and leaves no trace: a bar with
bytes, rate and time left for \fB\-f\fR and for \fB\-l\fR and \fB\-\-json\fR from a file; a count with a rate for what comes from
a pipe; nothing for what is typed. Interrupted, \fB\-l\fR and \fB\-\-json\fR tell on a terminal what was published.
\fB\-\-quiet\fR turns this off, and so do \fB\-d\fR (but for the latter) and \fBTERM=dumb\fR.
";

const SUMMARY: &str = r#".SH SUMMARY
\fB\-\-summary\fR is a line on stderr at the end, also of a failure; \fB\-\-summary=json\fR makes it an object:
.PP
.nf
{"acknowledgement_ms":{"avg":0.3,"count":2,"max":0.4,"min":0.2,"p50":0.2,"p99":0.4,"stddev":0.1},
 "bytes":7,"published":2,"rate":153.8,"refused":0,"seconds":0.013}
.fi
.PP
\fBsub\fR counts \fBreceived\fR, and has \fBlatency_ms\fR with \fB\-\-latency\fR. Bytes are those of payloads; times are
\fBnull\fR where nothing was measured, as at QoS 0. Acknowledgements are measured from publishing to PUBACK or PUBCOMP; of a
large \fB\-f\fR, from the end of the payload.
"#;

const PROPERTIES: &str = r".SH PROPERTIES
.TP
\fB\-D connect\fR
session\-expiry\-interval, authentication\-method, authentication\-data, request\-problem\-information,
request\-response\-information, receive\-maximum, topic\-alias\-maximum, user\-property, maximum\-packet\-size
.TP
\fB\-D will\fR
payload\-format\-indicator, message\-expiry\-interval, content\-type, response\-topic, correlation\-data,
will\-delay\-interval, user\-property
.TP
\fB\-D publish\fR
payload\-format\-indicator, message\-expiry\-interval, content\-type, response\-topic, correlation\-data, topic\-alias,
user\-property
.TP
\fB\-D subscribe\fR
subscription\-identifier, user\-property
.TP
\fB\-D unsubscribe\fR
user\-property
.TP
\fB\-D disconnect\fR
session\-expiry\-interval, reason\-string, user\-property
";

const DIFFERENCES: &str = r".SH DIFFERENCES FROM MOSQUITTO_SUB
What is written to stdout is the same, byte for byte, with these exceptions:
.IP \(bu 2
Without \fB\-v\fR an empty message is an empty line, where \fBmosquitto_sub\fR writes nothing: what \fBpub \-l\fR reads,
\fBsub\fR writes. With \fB\-\-remove\-retained\fR the empty messages that tell of our own removals are left out.
.IP \(bu 2
With \fB\-\-random\-filter\fR only messages that are written count for \fB\-C\fR.
.IP \(bu 2
A retained message is removed only after it was written.
.IP \(bu 2
\fB\-o\fR is a folder for the messages, unless it is a file.
.IP \(bu 2
Numbers above 2147483647 are not shown as negative ones.
.IP \(bu 2
As in mosquitto 2.1, and not in 2.0: \fB%x\fR with a width shows all of the payload and not half of it, and with a
precision in groups of as many digits; the \fIuser-properties\fR of \fB%j\fR and \fB%J\fR are a list of objects.
";

#[test]
fn completions_and_manual_are_up_to_date() {
    let mut expected = BTreeMap::new();
    completions(&mut expected);
    manual(&mut expected);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut changed = Vec::new();
    for (path, content) in &expected {
        let path = root.join(path);
        let present = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if present != *content {
            fs::create_dir_all(path.parent().expect("a file stands in a folder"))
                .expect("creating the folder");
            fs::write(&path, content).expect("writing the file");
            changed.push(path);
        }
    }
    for folder in ["completions", "man"] {
        for entry in fs::read_dir(root.join(folder)).expect("reading the folder") {
            let name = PathBuf::from(folder).join(entry.expect("reading the folder").file_name());
            assert!(
                expected.contains_key(&name),
                "nothing generates {}: remove it",
                name.display()
            );
        }
    }
    assert!(
        changed.is_empty(),
        "these were out of date and are rewritten; commit them: {changed:?}"
    );
}

fn completions(files: &mut BTreeMap<PathBuf, String>) {
    let shells = [
        (Shell::Bash, "mqttws.bash"),
        (Shell::Zsh, "_mqttws"),
        (Shell::Fish, "mqttws.fish"),
        (Shell::PowerShell, "_mqttws.ps1"),
        (Shell::Elvish, "mqttws.elv"),
    ];
    for (shell, name) in shells {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "mqttws", &mut text);
        let text = String::from_utf8(text).expect("completions are text");
        files.insert(Path::new("completions").join(name), text);
    }
}

fn manual(files: &mut BTreeMap<PathBuf, String>) {
    let mut cli = Cli::command();
    cli.build();
    files.insert(
        PathBuf::from("man/mqttws.1"),
        page(&cli, "mqttws", &[PROMISES, EXIT_STATUS, ENVIRONMENT]),
    );
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let (_, examples) =
            EXAMPLES.iter().find(|(of, _)| *of == name).expect("every command has examples");
        let title = format!("mqttws-{name}");
        let special: &[&str] = match name {
            "pub" => &[REQUESTS, RECORDS, PROPERTIES, SUMMARY, TERMINAL_PUB, DROP_IN],
            "sub" => &[
                FORMATS,
                COMMANDS,
                RECORDS,
                PROPERTIES,
                SUMMARY,
                TERMINAL_SUB,
                DIFFERENCES,
                DROP_IN,
            ],
            _ => &[],
        };
        let text =
            page(command, &title, &[special, &[EXIT_STATUS, ENVIRONMENT, examples]].concat());
        files.insert(PathBuf::from(format!("man/{title}.1")), text);
    }
    files.insert(PathBuf::from("man/mqttws-cloud.7"), cloud::PAGE.to_owned());
}

/// Every flag that the page names, long or short, is one of `pub`, which has all that the recipes
/// need.
#[test]
fn the_page_about_clouds_names_flags_that_exist() {
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand("pub").expect("pub is a command");
    let exists = |flag: &str| {
        command.get_arguments().any(|argument| match flag.strip_prefix("--") {
            Some(long) => argument.get_long() == Some(long),
            None => argument.get_short().is_some_and(|short| flag == format!("-{short}")),
        })
    };
    let text = cloud::PAGE.replace("\\fB", " ").replace("\\fR", " ").replace("\\-", "-");
    // The commands of others have flags of their own.
    let ours = text.lines().filter(|line| !line.starts_with("az "));
    let words =
        ours.flat_map(|line| line.split([' ', '(', ')', ',', '.', ';', ':'])).map(str::trim);
    let is_flag = |word: &&str| word.len() > 1 && word.starts_with('-');
    let flags: Vec<&str> = words.filter(is_flag).collect();
    let unknown: Vec<&&str> = flags.iter().filter(|flag| !exists(flag)).collect();
    assert!(unknown.is_empty(), "there is no {unknown:?}");
    assert!(flags.len() > 40, "the flags are found: {flags:?}");
}

/// One page; the version stays out of it, or every release would touch all of them.
fn page(command: &clap::Command, title: &str, extra: &[&str]) -> String {
    let command = command.clone().display_name(title.to_owned()).version(None::<&str>);
    let man = Man::new(command)
        .title(title.to_uppercase())
        .source("mqttws")
        .manual("mqttws manual")
        .date("");
    let mut page = Vec::new();
    let rendered = [Man::render_title, Man::render_name_section, Man::render_synopsis_section]
        .into_iter()
        .chain([Man::render_description_section, Man::render_options_section])
        .try_for_each(|section| section(&man, &mut page as &mut dyn std::io::Write));
    rendered.expect("writing to memory");
    if title == "mqttws" {
        man.render_subcommands_section(&mut page).expect("writing to memory");
    }
    let text = String::from_utf8(page).expect("a manual page is text");
    text + &extra.concat()
}
