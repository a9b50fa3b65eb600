//! Secrets that cannot be sent: what is wrong with them, and where they came from.

use crate::support::folder::Folder;
use crate::support::program::Program;

fn fails(flags: &[&str], code: i32, words: &str) {
    let command = ["pub", "ws://127.0.0.1:9/mqtt", "-t", "t", "-m", "x"];
    let outcome = Program::new([&command[..], flags].concat()).run();
    outcome.expect(code, "", &format!("mqttws: {words}\n"));
}

#[test]
fn a_file_without_credentials_is_named() {
    let folder = Folder::new();
    let file = folder.write("empty", "");
    let empty = format!("@{file}");
    let basic = format!("--basic-auth: expected USER:PASSWORD in {file}");
    fails(&["--basic-auth", &empty], 2, &basic);
    let bearer = format!("--bearer: expected a token of letters, digits and signs in {file}");
    fails(&["--bearer", &empty], 2, &bearer);
}

/// Brokers end a connection whose CONNECT holds U+0000 (MQTT 5 §1.5.4).
#[test]
fn a_user_name_that_is_no_mqtt_string_is_not_sent() {
    let words = "username: expected at most 65535 bytes, without U+0000";
    for prints in ["username=a\\0b", r#"{"username": "a\\u0000b"}"#] {
        fails(&["--credentials-command", &format!("printf '{prints}'")], 1, words);
    }
}
