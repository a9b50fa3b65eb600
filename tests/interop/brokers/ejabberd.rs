//! ejabberd: MQTT 5 and 3.1.1 beside XMPP.

use std::path::Path;
use std::sync::OnceLock;

use super::kept::Start;
use super::{Kind, PASSWORD, Retained, Server, USER, common, words, write};

const EJABBERD: Kind = Kind {
    program: "ejabberdctl",
    path: "/mqtt",
    newest: "5",
    no_mqtt_5: None,
    retained: Retained::AsAsked,
    start,
};

/// Erlang without a node name, so that it needs no epmd, and with ejabberd in it.
fn start(folder: &Path, [ws, ..]: [u16; 3]) -> Start {
    let configuration = format!(
        "hosts:\n  - localhost\n\
         listen:\n  -\n    port: {ws}\n    ip: \"127.0.0.1\"\n    module: ejabberd_http\n\
         \x20   request_handlers:\n      /mqtt: mod_mqtt\n\
         auth_method: internal\n\
         modules:\n  mod_mqtt: {{}}\n"
    );
    let file = write(folder, "ejabberd.yml", &configuration);
    let register = format!(
        "ok = ejabberd_auth:try_register(<<\"{USER}\">>, <<\"localhost\">>, <<\"{PASSWORD}\">>), \
         io:format(\"registered~n\")."
    );
    let data = format!("\"{}\"", folder.join("data").display());
    let quiet = ["erl", "+S", "2:2", "+sbwt", "none", "-noinput"];
    let own = ["-mnesia", "dir", &data, "-s", "ejabberd", "-eval", &register];
    Start {
        words: words(quiet).into_iter().chain(words(own)).collect(),
        environment: vec![
            ("EJABBERD_CONFIG_PATH", file),
            ("EJABBERD_LOG_PATH", folder.join("ejabberd.log").display().to_string()),
            // Where Debian keeps Erlang's libraries, whatever the machine is.
            ("ERL_LIBS", libraries()),
        ],
        ready: "registered",
    }
}

fn libraries() -> String {
    let is_there = |folder: &String| {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with("ejabberd-"))
    };
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders = folders.map(|entry| entry.path().display().to_string());
    folders.find(is_there).expect("Debian's ejabberd is in a folder below /usr/lib")
}

pub fn ejabberd() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    EJABBERD.shared(&SERVER)
}

#[test]
fn carries_everything_at_every_qos() {
    let Some(server) = ejabberd() else { return };
    for qos in ["0", "1", "2"] {
        common::carries(server, qos, "");
    }
}

#[test]
fn keeps_a_retained_message() {
    let Some(server) = ejabberd() else { return };
    common::retains(server);
}

#[test]
fn keeps_a_session() {
    let Some(server) = ejabberd() else { return };
    common::keeps_a_session(server, "1");
    common::keeps_a_session(server, "2");
}

#[test]
fn the_newest_version_is_spoken() {
    let Some(server) = ejabberd() else { return };
    common::falls_back(server);
}

#[test]
fn a_wrong_password_is_told() {
    let Some(server) = ejabberd() else { return };
    common::refuses(server, "the broker refused: not authorized; check -u and -P");
}

#[test]
fn a_wrong_path_is_told() {
    let Some(server) = ejabberd() else { return };
    common::is_not_found(server, "404 Not Found");
}

#[test]
fn a_shared_subscription_is_refused() {
    let Some(server) = ejabberd() else { return };
    let subscribe = server.newest("sub", &["--share", "g", "-t", "ejabberd/share", "-W", "9"]);
    let line = "mqttws: subscribing to $share/g/ejabberd/share: refused: the broker does not \
                support shared subscriptions\n";
    subscribe.run().expect(7, "", line);
}
