//! Secrets that cannot be sent: what is wrong with them, and where they came from. What a command
//! that prints a URL finds.

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
    fails(&["--basic-auth", &empty], 1, &basic);
    let bearer = format!("--bearer: expected a token of letters, digits and signs in {file}");
    fails(&["--bearer", &empty], 1, &bearer);
    // What is typed is wrong usage; what a file holds is not.
    let two = folder.write("two", "a\r\nY: b");
    let words = format!("-H: X: the value in {two} holds a line break or a control character");
    fails(&["-H", &format!("X: @{two}")], 1, &words);
    let words =
        format!("--basic-auth: the value in {two} holds a line break or a control character");
    fails(&["--basic-auth", &format!("@{two}")], 1, &words);
    let long = folder.write("long", "x".repeat(65_536));
    let password = ["-u", "a", "--password-file", &long];
    fails(&password, 1, &format!("the password in {long} has more than 65535 bytes"));
    let data = ["--auth-method", "X", "--auth-data-file", &long];
    fails(&data, 1, &format!("the authentication data in {long} has more than 65535 bytes"));
}

/// Brokers end a connection whose CONNECT holds U+0000 (MQTT 5 §1.5.4).
#[test]
fn a_user_name_that_is_no_mqtt_string_is_not_sent() {
    let words = "username: expected at most 65535 bytes, without U+0000";
    for prints in ["username=a\\0b", r#"{"username": "a\\u0000b"}"#] {
        fails(&["--credentials-command", &format!("printf '{prints}'")], 1, words);
    }
}

/// It may sign the address that the environment names, whose secrets are not for it.
#[test]
fn a_url_command_finds_the_address_of_the_environment() {
    let found = |url: &str| {
        let words = ["pub", "-t", "t", "-m", "x", "--url-command", "echo $MQTTWS_URL >&2; exit 3"];
        let outcome = Program::new(words).env("MQTTWS_URL", url).run();
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        said.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(found("ws://u:p@broker.example:81/a?q=s"), "ws://broker.example:81/a");
    assert_eq!(found("nonsense"), "ws://localhost:8080/mqtt");
}
