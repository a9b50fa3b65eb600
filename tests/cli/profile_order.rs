//! Which of flag, profile and environment counts, and that nothing of a profile that authenticates
//! us goes to an address other than its own.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// A configuration file that only its owner can read, and its folder, which must outlive it.
fn config(text: &str) -> (Folder, String) {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.write("config.toml", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

fn ran(text: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let (_folder, path) = config(text);
    let all = [&["pub", "--config", &path, "-t", "t", "-m", "x"], arguments].concat();
    let program = Program::new(all);
    variables.iter().fold(program, |program, (name, value)| program.env(name, value)).run()
}

/// What `--print-config` says about some settings, each as `key = value # source`.
fn in_force(text: &str, arguments: &[&str], variables: &[(&str, &str)], keys: &[&str]) -> String {
    let outcome = ran(text, &[arguments, &["--print-config"]].concat(), variables);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let lines = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let wanted = lines
        .lines()
        .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| keys.contains(&key)));
    wanted.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

const PLAIN: &str = "[profile.default]\nurl = 'ws://d/'\nqos = 1\n\
                     [profile.lab]\nurl = 'ws://lab/'\nqos = 2\nretain = false\n";

/// What is typed, the variables, and what is in force.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn the_order_is_flag_typed_profile_environment_default_profile() {
    let url = ("MQTTWS_URL", "ws://env/");
    let profile = ("MQTTWS_PROFILE", "lab");
    let lab = ["--profile", "lab"];
    let rows: [Row<'_>; 9] = [
        (&[], &[], "url = \"ws://d/\" # profile default\nqos = 1 # profile default\n"),
        (&[], &[url], "url = \"ws://env/\" # $MQTTWS_URL\nqos = 1 # profile default\n"),
        (
            &[],
            &[("MQTTWS_URL", "")],
            "url = \"ws://d/\" # profile default\nqos = 1 # profile default\n",
        ),
        (&lab, &[url], "url = \"ws://lab/\" # profile lab\nqos = 2 # profile lab\n"),
        (&[], &[profile], "url = \"ws://lab/\" # profile lab\nqos = 2 # profile lab\n"),
        (&[], &[profile, url], "url = \"ws://env/\" # $MQTTWS_URL\nqos = 2 # profile lab\n"),
        (
            &["--profile", "default"],
            &[profile, url],
            "url = \"ws://d/\" # profile default\nqos = 1 # profile default\n",
        ),
        (
            &["--profile", "lab", "-L", "ws://typed/", "-q", "0"],
            &[url],
            "url = \"ws://typed/\" # flag\nqos = 0 # flag\n",
        ),
        (
            &["--profile", "lab", "-h", "typed"],
            &[url],
            "url = \"ws://typed/mqtt\" # host, port and path\nqos = 2 # profile lab\n",
        ),
    ];
    for (arguments, variables, expected) in rows {
        let found = in_force(PLAIN, arguments, variables, &["url", "qos"]);
        assert_eq!(found, expected, "{arguments:?} {variables:?}");
    }
}

#[test]
fn each_variable_is_stronger_than_the_default_profile_and_weaker_than_a_typed_one() {
    let settings = "username = 'p'\npw = 'secret'\ntls-keylog = '/p'\ncafile = '/p'\nproxy = 'http://p'\nno-proxy = 'p'\n";
    let variables = [
        ("MQTTWS_USERNAME", "v"),
        ("MQTTWS_PASSWORD", "v"),
        ("SSLKEYLOGFILE", "/v"),
        ("MQTTWS_CAFILE", "/v"),
        ("ALL_PROXY", "http://v"),
        ("NO_PROXY", "v"),
    ];
    let keys = ["username", "pw", "tls-keylog", "cafile", "proxy", "no-proxy"];
    let default = format!("[profile.default]\n{settings}");
    assert_eq!(
        in_force(&default, &[], &variables, &keys),
        "username = \"v\" # $MQTTWS_USERNAME\npw = \"***\" # $MQTTWS_PASSWORD\nproxy = \"http://v\" # $ALL_PROXY\n\
         no-proxy = \"v\" # $NO_PROXY\ncafile = \"/v\" # $MQTTWS_CAFILE\ntls-keylog = \"/v\" # $SSLKEYLOGFILE\n"
    );
    let lab = format!("[profile.lab]\n{settings}");
    assert_eq!(
        in_force(&lab, &["--profile", "lab"], &variables, &keys),
        "username = \"p\" # profile lab\npw = \"***\" # profile lab\nproxy = \"http://p\" # profile lab\n\
         no-proxy = \"p\" # profile lab\ncafile = [\"/p\"] # profile lab\ntls-keylog = \"/p\" # profile lab\n"
    );
}

#[test]
fn of_two_profiles_the_stronger_replaces_what_excludes_its_own() {
    let text = "[profile.default]\nhost = 'd'\npw = 'a'\nretain = true\n\
                [profile.lab]\nurl = 'ws://lab/'\npassword-file = '/f'\nretain = false\n";
    let found =
        in_force(text, &["--profile", "lab"], &[], &["url", "pw", "password-file", "retain"]);
    assert_eq!(found, "url = \"ws://lab/\" # profile lab\npassword-file = \"/f\" # profile lab\n");
}

#[test]
fn credentials_of_a_typed_profile_are_for_its_own_address() {
    for (setting, key) in [
        ("username = 'u'", "username"),
        ("pw = 'secret'", "pw"),
        ("password = 'secret'", "password"),
        ("password-file = '/f'", "password-file"),
        ("ask-password = true", "ask-password"),
        ("auth-method = 'm'\nauth-data = 'secret'", "auth-data, auth-method"),
        ("header = 'X-Token: secret'", "header"),
        ("basic-auth = 'u:secret'", "basic-auth"),
        ("bearer = 'secret'", "bearer"),
        ("cert = '/c'\nkey = '/k'", "cert, key"),
        ("property = 'connect user-property token secret'", "property"),
        ("property = ['publish content-type c', 'connect user-property t secret']", "property"),
    ] {
        for address in ["url = 'ws://lab/'", "host = 'lab'"] {
            let text = format!("[profile.lab]\n{address}\n{setting}\n");
            for typed in [&["ws://127.0.0.1:1"][..], &["-L", "ws://127.0.0.1:1"], &["-p", "1"]] {
                fails(
                    &ran(&text, &[&["--profile", "lab"], typed].concat(), &[]),
                    2,
                    &format!(
                        "mqttws: --profile lab: {key} in it may be used only with the address in it, \
                         and the address is that of the command line: leave out one of the two"
                    ),
                );
            }
        }
    }
}

#[test]
fn what_was_typed_beside_a_profile_replaces_its_credentials() {
    let text = "[profile.lab]\nurl = 'ws://lab/'\nusername = 'u'\npw = 'secret'\n";
    let typed = ["--profile", "lab", "-L", "ws://other/", "-u", "me", "--password-file", "/f"];
    let found = in_force(text, &typed, &[], &["url", "username", "pw", "password-file"]);
    assert_eq!(
        found,
        "url = \"ws://other/\" # flag\nusername = \"me\" # flag\npassword-file = \"/f\" # flag\n"
    );
    let same = ["--profile", "lab", "-L", "ws://lab:80/"];
    let found = in_force(text, &same, &[], &["url", "username", "pw"]);
    assert_eq!(
        found,
        "url = \"ws://lab/\" # flag\nusername = \"u\" # profile lab\npw = \"***\" # profile lab\n"
    );
}

/// A broker that expects a CONNECT without user name and password.
fn trusting() -> Broker {
    let connect = packet("10 <MQTT> 04 02 00 2d <me>");
    let script = vec![
        Step::RequestWithout("X-Token"),
        Step::Accept,
        connect,
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ];
    Broker::start(until_goodbye(script))
}

#[test]
fn profiles_that_nobody_typed_go_on_without_credentials() {
    let settings = "url = 'ws://lab/'\nusername = 'u'\npw = 'secret'\nheader = 'X-Token: secret'\n";
    let flags = ["-V", "311", "-i", "me"];
    let words = "header, pw, username in it may be used only with the address in it, and the address is that of";
    let default = format!("[profile.default]\n{settings}");
    let broker = trusting();
    ran(&default, &flags, &[("MQTTWS_URL", &broker.url())]).expect(
        0,
        "",
        &format!("mqttws: warning: profile default: {words} $MQTTWS_URL: going on without\n"),
    );
    let broker = trusting();
    let url = broker.url();
    let typed = [&flags[..], &["-L", &url, "--quiet"]].concat();
    ran(&default, &typed, &[]).expect(0, "", "");
    let broker = trusting();
    let lab = format!("{default}[profile.lab]\nurl = '{}'\n", broker.url());
    ran(&lab, &[&flags[..], &["--profile", "lab"]].concat(), &[]).expect(
        0,
        "",
        &format!("mqttws: warning: profile default: {words} profile lab: going on without\n"),
    );
    let broker = trusting();
    let lab = format!("[profile.lab]\n{settings}");
    let variables = [("MQTTWS_PROFILE", "lab"), ("MQTTWS_URL", &broker.url())];
    ran(&lab, &flags, &variables).expect(
        0,
        "",
        &format!(
            "mqttws: warning: $MQTTWS_PROFILE, profile lab: {words} $MQTTWS_URL: going on without\n"
        ),
    );
}

#[test]
fn credentials_without_an_address_go_where_the_command_goes() {
    let text = "[profile.lab]\nusername = 'u'\npw = 'p'\n";
    let connect = packet("10 <MQTT> 04 c2 00 2d <me> <u> <p>");
    let script = vec![Step::Upgrade, connect, Step::Send("20 00 00"), packet("30 <t> 'x'")];
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    ran(text, &["--profile", "lab", "-V", "311", "-i", "me", &url], &[]).expect(0, "", "");
    let typed = ["--profile", "lab", "ws://ann:secret@h/"];
    let found = in_force(text, &typed, &[], &["username", "pw"]);
    assert_eq!(found, "username = \"ann\" # the URL\npw = \"***\" # the URL\n");
}

#[test]
fn a_variable_names_a_profile_that_must_be_there() {
    let outcome = ran(PLAIN, &[], &[("MQTTWS_PROFILE", "nobody")]);
    let words = "$MQTTWS_PROFILE: no profile nobody in *config.toml; there are: default, lab";
    fails(&outcome, 2, &format!("mqttws: {words}"));
}
