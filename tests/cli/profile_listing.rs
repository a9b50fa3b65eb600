//! `mqttws profile`, and what the manual says about profiles.

use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// The section of the manual.
const SECTION: &str = include_str!("../../src/cli/manual/profiles.roff");

/// The texts that stand in the section as they are.
fn printed() -> Vec<String> {
    let blocks = SECTION.split(".EX\n").skip(1);
    blocks.map(|block| block.split(".EE\n").next().unwrap().replace("\\-", "-")).collect()
}

/// A folder with this file of profiles, which is also `$HOME` and `$XDG_CONFIG_HOME`.
fn world(text: &str) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("mqttws")).unwrap();
    std::fs::create_dir_all(folder.path().join(".secrets")).unwrap();
    folder.write("mqttws/config.toml", text);
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Outcome {
    let place = folder.path().display().to_string();
    Program::new(arguments).env("HOME", &place).env("XDG_CONFIG_HOME", &place).run()
}

#[test]
fn the_example_of_the_manual_is_as_it_says() {
    let [example, listing] = printed().try_into().expect("a file, and its listing");
    let folder = world(&example);
    folder.write("mqttws/ca.pem", "");
    folder.write(".secrets/broker", "secret\n");
    folder.write("mqttws/token", "abc\n");
    let (command, listing) = listing.split_once('\n').unwrap();
    assert_eq!(command, "$ mqttws profile");
    run(&folder, &["profile"]).expect(0, listing, "");
    run(&folder, &["profile", "--names"]).expect(0, "default\nlab\nprod\n", "");

    let in_force = |profile, key: &str| {
        let outcome = run(&folder, &["sub", "--profile", profile, "--print-config"]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let text = String::from_utf8(outcome.stdout).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = ")));
        let line = line.unwrap_or_else(|| panic!("{key} in {text}"));
        line.split("  #").next().unwrap().trim_end().to_owned()
    };
    let root = folder.path().display();
    assert_eq!(in_force("lab", "connect-timeout"), "connect-timeout = \"5s\"");
    assert_eq!(in_force("lab", "topic"), "topic = [\"lab/door\"]");
    assert_eq!(in_force("prod", "cafile"), format!("cafile = [\"{root}/mqttws/ca.pem\"]"));
    let password = in_force("prod", "password-file");
    assert_eq!(password, format!("password-file = \"{root}/.secrets/broker\""));
}

#[test]
fn what_is_wrong_is_listed() {
    let folder = world(
        "[profile]\nloose = 1\n[profile.p]\nurl = 'ws://h'\nhost = 'h'\nqos = 7\nusernam = 'x'\n\
         cafile = 'none.pem'\ntopic = 'a/+'\nprofile = 'q'\n[profile.q]\nurl = 'nothing'\n\
         retain = 3\n",
    );
    let outcome = run(&folder, &["profile"]);
    let listing = "p  ws://h/mqtt  cafile, profile, qos, topic, usernam\nq  -            retain\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), listing);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let place = "mqttws: */mqttws/config.toml: profile";
    for (line, expected) in stderr.lines().zip([
        "p: cafile: reading */mqttws/none.pem: No such file or directory",
        "p: profile: it cannot be set in a profile",
        "p: invalid value '7' for '--qos <QOS>': expected 0, 1 or 2",
        "p: there is no flag --usernam; a similar one exists: username",
        "p: *--host <HOST> cannot be used with *",
        "q: retain: not a value for --retain",
        "q: url: no scheme: *",
        "loose: expected a table, [profile.loose]",
    ]) {
        assert!(is_like(line, &format!("{place} {expected}")), "{line}\n{expected}\n{stderr}");
    }
    assert_eq!((stderr.lines().count(), outcome.code()), (8, Some(2)), "{stderr}");
}

#[test]
fn others_must_not_read_secrets() {
    use std::os::unix::fs::PermissionsExt;
    let folder = world("[profile.p]\npw = 'secret'\n");
    let path = folder.path().join("mqttws/config.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = run(&folder, &["profile"]);
    let expected = "mqttws: */config.toml: profile p: others can read the pw in it: chmod 600 *\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), expected), "{outcome}");
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(2), &b"p  -  pw\n"[..]));
}

#[test]
fn a_variable_that_names_no_profile_is_wrong() {
    let folder = world("[profile.p]\n[profile.q]\nqos = 1\n");
    let place = folder.path().display().to_string();
    let run = |name| {
        let program = Program::new(["profile"]).env("XDG_CONFIG_HOME", &place);
        program.env("MQTTWS_PROFILE", name).run()
    };
    let listing = "p  -\nq  -  qos\n";
    run("q").expect(0, listing, "");
    let problem = "no profile r in {}/mqttws/config.toml; there are: p, q";
    let line = format!("mqttws: $MQTTWS_PROFILE: {}\n", problem.replace("{}", &place));
    run("r").expect(2, listing, &line);
}

#[test]
fn without_a_file_there_are_no_profiles() {
    let folder = Folder::new();
    let place = folder.path().display().to_string();
    let warning =
        format!("mqttws: warning: there are no profiles: no file {place}/mqttws/config.toml\n");
    run(&folder, &["profile"]).expect(0, "", &warning);
    let outcome = run(&folder, &["profile", "--config", "/nowhere/x.toml"]);
    outcome.expect(1, "", "mqttws: reading /nowhere/x.toml: No such file or directory\n");
}

/// Paths in a profile are relative to its file, wherever the program runs.
#[test]
fn a_file_beside_the_profile_is_found() {
    let folder = world("[profile.default]\npassword-file = 'pw'\nusername = 'ann'\n");
    let expected = format!("mqttws: reading {}/mqttws/pw: *\n", folder.path().display());
    let outcome = run(&folder, &["sub", "-t", "t", "ws://127.0.0.1:1/"]);
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), &expected), "{outcome}");
}
