//! Help, the version, and what a command prints that is given nothing at all.

use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// The commands with a short form of their help.
const VERBS: [&str; 5] = ["pub", "sub", "ping", "check", "serve"];

fn printed(arguments: &[&str]) -> String {
    let outcome = Program::new(arguments).run();
    assert_eq!((outcome.code(), outcome.stderr.len()), (Some(0), 0), "{outcome}");
    String::from_utf8(outcome.stdout).unwrap()
}

#[test]
fn the_short_form_fits_a_screen_and_leads_to_the_long_one() {
    for verb in VERBS {
        let (short, long) = (printed(&[verb, "--help"]), printed(&["help", verb]));
        assert!(short.lines().count() <= 60 && long.lines().count() > 15, "{verb}");
        assert_eq!(short.lines().last(), Some(format!("mqttws help {verb}: all").as_str()));
        for line in short.lines().chain(long.lines()) {
            assert!(line.chars().count() <= 80, "{verb}: {line}");
        }
        // Help counts wherever it stands, but not as a value.
        assert_eq!(printed(&[verb, "-d", "--help"]), short);
    }
}

#[test]
fn no_flag_is_shown_that_is_refused_or_has_no_effect() {
    for (verb, refused) in [
        ("pub", &["--ciphers", "--psk", "--tls-engine", "--dhparam", "--nodelay", "--ws "][..]),
        ("check", &["--strict", "--will-", "--keepalive", "--subprotocol", "--reconnect"]),
    ] {
        let help = printed(&["help", verb]);
        for flag in refused {
            assert!(!help.contains(flag), "{verb}: {flag}");
        }
    }
}

#[test]
fn the_program_alone_shows_the_commands() {
    let overview = printed(&["--help"]);
    assert!(overview.contains("\nTry:\n  mqttws serve\n"), "{overview}");
    for same in [["-h"], ["help"]] {
        assert_eq!(printed(&same), overview, "{same:?}");
    }
    Program::new([""; 0]).run().expect(2, "", &overview);
    let version = format!("mqttws {}\n", env!("CARGO_PKG_VERSION"));
    for asked in ["-V", "--version", "version"] {
        assert_eq!(printed(&[asked]), version);
    }
}

#[test]
fn a_command_that_needs_a_topic_shows_its_help() {
    for verb in ["pub", "sub"] {
        Program::new([verb]).run().expect(2, "", &printed(&[verb, "--help"]));
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("mqttws")).unwrap();
    folder.write("mqttws/config.toml", "[profile.default]\nqos = 1\nurl = 'ws://127.0.0.1:1'\n");
    let place = folder.path().display().to_string();
    let program = Program::new(["sub"]).env("XDG_CONFIG_HOME", &place);
    program.run().expect(2, "", &printed(&["sub", "--help"]));
    folder
        .write("mqttws/config.toml", "[profile.default]\ntopic = 't'\nurl = 'ws://127.0.0.1:1'\n");
    let program = Program::new(["sub"]).env("XDG_CONFIG_HOME", &place);
    fails(&program.run(), 3, "mqttws: connecting to ws://127.0.0.1:1/mqtt: *refused*");
    let program = Program::new(["pub"]).env("XDG_CONFIG_HOME", &place);
    fails(&program.run(), 2, "mqttws: --message <TEXT>, * or --json is required; see *");
}

#[test]
fn the_host_is_no_help() {
    for verb in ["pub", "sub", "ping", "check"] {
        fails(&Program::new([verb, "-h"]).run(), 2, "mqttws: -h takes a host; help is --help");
    }
    let serve = Program::new(["serve", "-h"]).run();
    fails(&serve, 2, "mqttws: -h takes an address to listen on; help is --help");
}

#[test]
fn help_of_help_is_help() {
    for arguments in [&["help", "help"][..], &["help", "--help"]] {
        assert_eq!(printed(arguments), printed(&["help"]), "{arguments:?}");
    }
    assert_eq!(printed(&["help", "pub", "--help"]), printed(&["help", "pub"]));
}

#[test]
fn completions_and_pages_are_those_of_the_repository() {
    for (arguments, file) in [
        (&["completions", "bash"][..], "completions/mqttws.bash"),
        (&["completions", "zsh"], "completions/_mqttws"),
        (&["completions", "fish"], "completions/mqttws.fish"),
        (&["completions", "powershell"], "completions/_mqttws.ps1"),
        (&["completions", "elvish"], "completions/mqttws.elv"),
        (&["man"], "man/mqttws.1"),
        (&["man", "pub"], "man/mqttws-pub.1"),
        (&["man", "mqttws-pub"], "man/mqttws-pub.1"),
        (&["man", "cloud"], "man/mqttws-cloud.7"),
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let expected = std::fs::read_to_string(path).unwrap();
        assert_eq!(printed(arguments).trim_end(), expected.trim_end(), "{arguments:?}");
    }
    let shell = Program::new(["completions", "csh"]).run();
    fails(
        &shell,
        2,
        "mqttws: invalid value 'csh' for '<SHELL>': expected bash, zsh, fish, powershell or elvish*",
    );
    fails(&Program::new(["man", "tcp"]).run(), 2, "mqttws: invalid value 'tcp' for '[PAGE]': *");
}

/// Help is output as messages are: a full disk is an error, and a reader that has gone is none.
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let program = env!("CARGO_BIN_EXE_mqttws");
    let run = |words: &str, after: &str| {
        let line = format!("'{program}' {words} {after}");
        Program::of("sh", ["-c", &line]).run()
    };
    let line = "mqttws: writing to stdout: No space left on device\n";
    for words in [
        "--help",
        "-h",
        "help",
        "help pub",
        "pub --help",
        "--version",
        "version",
        "completions bash",
        "man pub",
        "pub -t t -m m --print-config",
        "check --list",
    ] {
        run(words, "> /dev/full").expect(1, "", line);
        Program::new(words.split(' ')).stdout_closed().run().expect(0, "", "");
    }
}

#[test]
fn help_is_for_one_command() {
    let line = "help is for one command at a time: leave out sub; see mqttws --help";
    fails(&Program::new(["help", "pub", "sub"]).run(), 2, &format!("mqttws: {line}"));
}
