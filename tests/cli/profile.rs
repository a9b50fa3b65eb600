//! Profiles, the environment and the command line: which of them counts, and what is refused.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};

/// A configuration file that only its owner can read, and its folder, which must outlive it.
fn config(text: &str) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.write("config.toml", text);
    chmod(&path, 0o600);
    (folder, path)
}

fn chmod(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn taking(publish: &str) -> Broker {
    Broker::start(until_goodbye(connected([packet(publish)])))
}

#[test]
fn a_named_profile_adds_to_the_default_one_and_the_command_line_wins() {
    for (arguments, publish) in
        [(&["-m", "x"][..], "31 <t> 'x'"), (&["-m", "x", "-t", "tt"], "31 <tt> 'x'")]
    {
        let broker = taking(publish);
        let (_folder, path) = config(&format!(
            "[profile.default]\nurl = '{}'\nprotocol-version = '311'\n[profile.lab]\ntopic = 't'\nretain = true\n",
            broker.url()
        ));
        let lab = ["pub", "--config", &path, "--profile", "lab"];
        Program::new([&lab, arguments].concat()).run().expect(0, "", "");
    }
}

#[test]
fn the_usual_place_is_read_without_being_asked() {
    let broker = taking("30 <t> 'x'");
    let folder = Folder::new();
    let place = folder.path().join("mqttws");
    std::fs::create_dir(&place).unwrap();
    let text = format!("[profile.default]\nurl = '{}'\nprotocol-version = '311'\n", broker.url());
    std::fs::write(place.join("config.toml"), text).unwrap();
    let program = Program::new(["pub", "-t", "t", "-m", "x"]);
    program.env("XDG_CONFIG_HOME", &folder.path().display().to_string()).run().expect(0, "", "");
}

#[test]
fn the_environment_wins_over_a_profile() {
    let broker = taking("30 <t> 'x'");
    let (_folder, path) =
        config("[profile.default]\nurl = 'ws://127.0.0.1:1/'\nprotocol-version = '311'\n");
    let program = Program::new(["pub", "--config", &path, "-t", "t", "-m", "x"]);
    program.env("MQTTWS_URL", &broker.url()).run().expect(0, "", "");
}

#[test]
fn a_profile_that_makes_no_sense_is_a_usage_error() {
    let rows = [
        ("[profile.p]\nnonsense = 1\n", "*config.toml: profile p: there is no flag --nonsense"),
        ("[profile.p]\nqos = true\n", "*config.toml: profile p: qos: not a value for --qos"),
        ("[profile.q]\n", "--profile: no profile p in *config.toml; there are: q"),
        ("[other]\n", "*config.toml: other: expected only [profile.NAME]"),
        ("[profile.p]\nqos = \n", "*config.toml: line 2: *"),
        (
            "[profile.p]\nqos = 7\n",
            "invalid value '7' for '--qos <QOS>': expected 0, 1 or 2; see mqttws help pub",
        ),
    ];
    for (text, line) in rows {
        let (_folder, path) = config(text);
        let program =
            Program::new(["pub", "--config", &path, "--profile", "p", "-t", "t", "-m", "x"]);
        fails(&program.run(), 2, &format!("mqttws: {line}"));
    }
}

#[test]
fn a_password_that_others_can_read_is_refused() {
    let (_folder, path) = config("[profile.p]\npw = 'secret'\n");
    chmod(&path, 0o644);
    let program = Program::new(["pub", "--config", &path, "--profile", "p", "-t", "t", "-m", "x"]);
    fails(
        &program.run(),
        2,
        "mqttws: *config.toml: others can read the pw in it: chmod 600 *config.toml",
    );
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let program = Program::new(["pub", "--config", "/nowhere/config.toml", "-t", "t", "-m", "x"]);
    fails(&program.run(), 1, "mqttws: reading /nowhere/config.toml: No such file or directory");
}

/// Publishes with these flags; the CONNECT of MQTT 3.1.1 has user name and password, clean session
/// and keep alive 45.
fn connects_with(password: &str, flags: &[&str]) -> Outcome {
    let connect = format!("10 <MQTT> 04 c2 00 2d <me> <u> <{password}>");
    let steps = vec![Step::Upgrade, packet(&connect), Step::Send("20 00 00"), packet("30 <t> 'x'")];
    let broker = Broker::start(until_goodbye(steps));
    let url = broker.url();
    let first = ["pub", &url, "-V", "311", "-i", "me", "-u", "u", "-t", "t", "-m", "x"];
    Program::new([&first, flags].concat()).run()
}

#[test]
fn a_password_comes_from_a_file() {
    let folder = Folder::new();
    for content in ["secret", "secret\n", "secret\r\n"] {
        let path = folder.write("password", content);
        connects_with("secret", &["--password-file", &path]).expect(0, "", "");
    }
    let path = folder.write("password", "\u{feff}secret\r\n");
    let warning = format!(
        "mqttws: warning: {path} begins with a byte order mark, which is sent as a part of the \
         secret\n"
    );
    connects_with("\u{feff}secret", &["--password-file", &path]).expect(0, "", &warning);
    let flags = ["--password-file", &path, "--quiet"];
    connects_with("\u{feff}secret", &flags).expect(0, "", "");
}

/// It is a secret, too: one line end after it is not part of it.
#[test]
fn authentication_data_come_from_a_file() {
    let folder = Folder::new();
    for (content, sent) in [("data", "data"), ("data\n", "data"), ("data\r\n\r\n", "data\r\n")] {
        let path = folder.write("data", content);
        let length = 10 + sent.len();
        let connect = format!("10 <MQTT> 05 00 00 2d {length:02x} 21 80 00 15 <m> 16 <{sent}> *");
        let accept = Step::Send("20 00 00 04 15 <m>");
        let steps = vec![Step::Upgrade, packet(&connect), accept, packet("30 <t> 00")];
        let broker = Broker::start(until_goodbye(steps));
        let url = broker.url();
        let command = ["pub", &url, "-t", "t", "-n", "--auth-method", "m", "--auth-data-file"];
        Program::new([&command[..], &[&path]].concat()).run().expect(0, "", "");
    }
}

#[test]
fn a_value_that_may_be_left_out_is_true() {
    for (value, expected) in
        [("true", "mqttws: published 1 message, *\n"), ("'json'", "{*}\n"), ("false", "")]
    {
        let broker = taking("30 <t> 'x'");
        let (_folder, path) = config(&format!(
            "[profile.default]\nurl = '{}'\nprotocol-version = '311'\nsummary = {value}\n",
            broker.url()
        ));
        let outcome = Program::new(["pub", "--config", &path, "-t", "t", "-m", "x"]).run();
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.code() == Some(0) && is_like(&stderr, expected), "{outcome}");
    }
}

#[test]
fn tls_settings_of_a_profile_are_for_wss() {
    let profile = "[profile.default]\ncafile = '/nowhere/ca.pem'\nprotocol-version = '311'\n";
    let (_folder, path) = config(profile);
    let broker = taking("30 <t> 'x'");
    let typed = ["pub", &broker.url(), "--config", &path, "-t", "t", "-m", "x"];
    Program::new(typed).run().expect(0, "", "");
    let (url, also) = ("ws://127.0.0.1:1/mqtt", ["--capath", "/nowhere"]);
    let outcome =
        Program::new(["pub", url, "--config", &path, "-t", "t", "-m", "x", also[0], also[1]]).run();
    fails(
        &outcome,
        2,
        "mqttws: TLS flags need a wss:// address, and ws://127.0.0.1:1/mqtt is not one",
    );
    let outcome =
        Program::new(["pub", "wss://127.0.0.1:1/mqtt", "--config", &path, "-t", "t", "-m", "x"])
            .run();
    fails(
        &outcome,
        1,
        "mqttws: connecting to wss://127.0.0.1:1/mqtt: cannot read CA file /nowhere/ca.pem: no such file",
    );
}

/// A setting and its source, however far apart they stand.
fn squeezed(line: &str) -> String {
    match line.split_once("  #") {
        Some((setting, source)) => format!("{}  #{source}", setting.trim_end()),
        None => line.to_owned(),
    }
}

#[test]
fn what_is_in_force_is_printed_with_its_source_and_without_secrets() {
    let (_folder, path) = config(
        "[profile.default]\nkeepalive = 30\nheader = ['X-Lab: 1', 'Cookie: s3cret']\n[profile.lab]\n\
         url = 'wss://lab.example/mqtt?token=s3cret'\npw = 's3cret'\nqos = 1\nretain = true\n",
    );
    let lab =
        ["pub", "--config", &path, "--profile", "lab", "--print-config", "-q", "2", "-u", "ann"];
    let program = Program::new([&lab[..], &["-H", "Authorization: s3cret"]].concat());
    let program =
        program.env("https_proxy", "http://u:s3cret@proxy:3128").env("SSLKEYLOGFILE", "/tmp/keys");
    let expected = [
        format!("# with {path}"),
        "url = \"wss://lab.example/mqtt?...\"  # profile lab".into(),
        "repeat = 1  # default".into(),
        "qos = 2  # flag".into(),
        "retain = true  # profile lab".into(),
        "keepalive = 30  # profile default".into(),
        "will-qos = 0  # default".into(),
        "username = \"ann\"  # flag".into(),
        "pw = \"***\"  # profile lab".into(),
        "header = [\"X-Lab: 1\", \"Cookie: ***\", \"Authorization: ***\"]  # profile default, flag"
            .into(),
        "proxy = \"http://***@proxy:3128\"  # $https_proxy".into(),
        "connect-timeout = 10  # default".into(),
        "wait = 0  # default".into(),
        "reconnect-delay = \"1,30\"  # default".into(),
        "tls-keylog = \"/tmp/keys\"  # $SSLKEYLOGFILE".into(),
    ];
    let outcome = program.run();
    let printed = String::from_utf8_lossy(&outcome.stdout);
    let printed: Vec<String> = printed.lines().map(squeezed).collect();
    assert_eq!((printed, outcome.code()), (expected.to_vec(), Some(0)), "{outcome}");
}

#[test]
fn without_a_profile_the_environment_and_the_defaults_are_in_force() {
    let expected = [
        "url = \"wss://h/x\"         # $MQTTWS_URL",
        "interval = 1              # default",
        "via = \"mqtt\"              # default",
        "qos = 0                   # default",
        "size = 64                 # default",
        "timeout = 10              # default",
        "keepalive = 45            # default",
        "will-qos = 0              # default",
        "username = \"ann\"          # the URL",
        "pw = \"***\"                # $MQTTWS_PASSWORD",
        "connect-timeout = 10      # default",
        "wait = 0                  # default",
        "reconnect-delay = \"1,30\"  # default",
    ];
    let program = Program::new(["ping", "--print-config"]).env("MQTTWS_URL", "wss://ann@h/x");
    let program = program.env("MQTTWS_USERNAME", "bob").env("MQTTWS_PASSWORD", "s3cret");
    program.run().expect(0, expected.join("\n") + "\n", "");
    let sub = Program::new(["sub", "--print-config"]).run();
    assert_eq!((sub.code(), sub.stderr.len()), (Some(0), 0), "{sub}");
    let wrong = Program::new(["sub", "--print-config"]).env("MQTTWS_URL", "h").run();
    fails(&wrong, 2, "mqttws: the URL in $MQTTWS_URL: no scheme: *");
}
