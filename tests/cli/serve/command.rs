//! `mqttws serve -- COMMAND`: what the command is given, and what becomes of its end.

use crate::support::folder::Folder;
use crate::support::lines::{self, fails};
use crate::support::program::{Outcome, Program, Running};

fn served(words: &[&str]) -> Outcome {
    Program::new([&["serve", "--"], words].concat()).run()
}

fn script(text: &str) -> Outcome {
    served(&["sh", "-c", text])
}

#[test]
fn a_command_runs_with_the_broker_and_ends_it() {
    let outcome =
        script("mqttws pub -t t -r -m hello && mqttws sub -t t -C 1; echo $MQTTWS_URL; exit 7");
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    assert!(lines::is_like(&text, "hello\nws://127.0.0.1:*/mqtt\n"), "{outcome}");
    assert!(outcome.stderr.is_empty(), "{outcome}");
}

/// A script whose command is empty would wait for ever for a server to end.
#[test]
fn an_empty_command_is_refused() {
    let line = "mqttws: after -- a command to run is missing; leave -- out to run none";
    for words in [&["serve", "--"][..], &["sub", "-t", "t", "--"]] {
        fails(&Program::new(words.iter().copied()).run(), 2, line);
    }
}

/// Two at once need no ports to be chosen.
#[test]
fn each_has_a_port_of_its_own() {
    let start = || {
        let words = ["serve", "--", "sh", "-c", "echo $MQTTWS_URL; read line"];
        let mut running = Program::new(words).stdin_held_open().spawn();
        let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
        (running, url)
    };
    let end = |(mut running, url): (Running, String)| {
        running.end_stdin();
        running.finish().expect(1, format!("{url}\n"), "");
    };
    let (one, other) = (start(), start());
    assert_ne!(one.1, other.1);
    end(one);
    end(other);
}

#[test]
fn a_port_that_is_asked_for_counts() {
    let (serve, url) = super::serve();
    let port = url.trim_start_matches("ws://127.0.0.1:").trim_end_matches("/mqtt");
    let outcome = Program::new(["serve", "-p", port, "--", "true"]).run();
    fails(&outcome, 1, lines::PORT_TAKEN);
    super::stop(serve);
    let words = ["serve", "-p", port, "--", "sh", "-c", "echo $MQTTWS_URL"];
    Program::new(words).run().expect(0, format!("{url}\n"), "");
}

/// The broker takes more descriptors for its clients; a command keeps its limit.
#[test]
fn it_has_our_limit_of_descriptors() {
    let words = "ulimit -Sn 256; exec mqttws serve -- sh -c 'ulimit -Sn'";
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap();
    let words = format!("PATH={}:$PATH; {words}", folder.display());
    Program::of("sh", ["-c", &words]).run().expect(0, "256\n", "");
}

#[test]
fn it_has_our_stdin_stdout_and_stderr() {
    let words = ["serve", "--", "sh", "-c", "cat; echo said >&2"];
    Program::new(words).stdin("a\0b\nlast").run().expect(0, "a\0b\nlast", "said\n");
}

#[test]
fn it_gets_its_arguments_as_they_are() {
    let words = ["printf", "%s|", "-D", "--", "two words", "", "--help", "-p", "$x"];
    served(&words).expect(0, "-D|--|two words||--help|-p|$x|", "");
}

/// They are meant for another broker, and the service manager for us.
#[test]
fn it_does_not_inherit_what_is_not_for_it() {
    let text = "for name in MQTTWS_USERNAME MQTTWS_PASSWORD MQTTWS_CAFILE MQTTWS_PROFILE \
                NOTIFY_SOCKET; do eval \"echo \\\"\\${$name-}\\\"\"; done | tr -d '\\n'; echo; \
                case $MQTTWS_URL in ws://127.0.0.1:*) ;; *) exit 9 ;; esac; echo $OTHER";
    let program = Program::new(["serve", "--", "sh", "-c", text])
        .env("MQTTWS_USERNAME", "ann")
        .env("MQTTWS_PASSWORD", "s3cret")
        .env("MQTTWS_CAFILE", "/ca.pem")
        .env("MQTTWS_PROFILE", "production")
        .env("MQTTWS_URL", "wss://broker.example/mqtt")
        .env("NOTIFY_SOCKET", "")
        .env("OTHER", "kept");
    program.run().expect(0, "\nkept\n", "");
}

/// A proxy cannot reach this machine by its loopback address.
#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    for flags in [&[][..], &["--tls"]] {
        let text =
            "mqttws pub -t t -r -q 1 -m x && mqttws sub -t t -C 1 && echo $no_proxy $NO_PROXY";
        let mut program = Program::new([&["serve"], flags, &["--", "sh", "-c", text]].concat());
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            program = program.env(name, "http://127.0.0.1:1");
        }
        let list = "a.example,localhost,127.0.0.1,::1";
        let expected = format!("x\n{list} {list}\n");
        program.env("NO_PROXY", "a.example").run().expect(0, expected, "");
    }
}

#[test]
fn its_end_is_ours() {
    for (text, code) in [
        ("true", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ] {
        script(text).expect(code, "", "");
    }
}

#[test]
fn a_command_that_is_not_found() {
    fails(&served(&["/no-such-file"]), 127, lines::NO_SUCH_COMMAND);
    let line = "mqttws: running no-such-command: No such file or directory";
    fails(&served(&["no-such-command", "x"]), 127, line);
    fails(&served(&[""]), 127, "mqttws: running : No such file or directory");
}

#[test]
fn a_command_that_cannot_be_run() {
    let folder = Folder::new();
    fails(&served(&["/"]), 126, "mqttws: running /: Permission denied");
    let path = folder.write("plain", "echo hello\n");
    fails(&served(&[&path]), 126, &format!("mqttws: running {path}: Permission denied"));
    let path = executable(&folder, "without", "#!/no/such/interpreter\n");
    let line =
        format!("mqttws: running {path}: its interpreter (see its first line) was not found");
    fails(&served(&[&path]), 126, &line);
    fails(&served(&["/etc/passwd/x"]), 126, "mqttws: running /etc/passwd/x: Not a directory");
}

/// As shells and env(1) do.
#[test]
fn a_script_without_a_first_line_is_run_by_sh() {
    let folder = Folder::new();
    let path = executable(&folder, "script", "echo $1 $#\n");
    served(&[&path, "a b", "c"]).expect(0, "a b 2\n", "");
}

/// Copies a program in a process of its own: a file that this one had open for writing may still be
/// open in a child of another test, and cannot be run meanwhile (ETXTBSY).
fn copy_program(from: &str, to: &str) {
    Program::of("cp", [from, to]).run().expect(0, "", "");
}

fn executable(folder: &Folder, name: &str, text: &str) -> String {
    let source = folder.write(&format!("{name}.text"), text);
    let path = folder.path().join(name).display().to_string();
    copy_program(&source, &path);
    Program::of("chmod", ["+x", &path]).run().expect(0, "", "");
    path
}

/// What the program was started from may be gone: a build replaces it while tests run. It waits in
/// the opening of the pipe, before it starts its command.
#[test]
#[cfg(target_os = "linux")]
fn a_program_whose_file_is_gone_starts_its_command() {
    let folder = Folder::new();
    let copy = folder.path().join("mqttws").display().to_string();
    copy_program(env!("CARGO_BIN_EXE_mqttws"), &copy);
    let text = "rm \"$0\"; exec sh -c 'echo ran; test ! -e \"$0\" && echo gone' \"$0\"";
    let words = ["serve", "--", "sh", "-c", "\"$0\" serve -- sh -c \"$1\" \"$0\"", &copy, text];
    Program::new(words).run().expect(0, "ran\ngone\n", "");
}

/// No empty entry, which is the folder that one is in; and a folder whose name cannot stand there
/// is left out.
#[test]
fn mqttws_is_on_its_path() {
    let ours = std::path::Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap();
    let words = ["serve", "--", "/bin/sh", "-c", "echo $PATH"];
    let usual = format!("{}:/usr/local/bin:/usr/bin:/bin\n", ours.display());
    Program::new(words).env("PATH", "").run().expect(0, usual, "");
    let extended = format!("{}:/x:/y\n", ours.display());
    Program::new(words).env("PATH", "/x:/y").run().expect(0, extended, "");
    let folder = Folder::new();
    let odd = folder.path().join("a:b");
    std::fs::create_dir(&odd).unwrap();
    let copy = odd.join("mqttws").display().to_string();
    copy_program(env!("CARGO_BIN_EXE_mqttws"), &copy);
    Program::of(&copy, words).env("PATH", "/x").run().expect(0, "/x\n", "");
}
