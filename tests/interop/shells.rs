//! The completions in the shells that they are for: each is asked what it completes, by its own
//! means.

use std::collections::BTreeSet;
use std::path::Path;

use crate::folder::Folder;
use crate::is_here;
use crate::program::{Outcome, Program};

/// What a shell is to complete.
#[derive(Debug)]
enum Candidates {
    /// These, in any order, and no others.
    Exactly(&'static str),
    /// These, among others.
    With(&'static str),
    /// Others than these.
    Without(&'static str),
}

use Candidates::{Exactly, With, Without};

/// Lines, with what is completed at their end; the folder of the test holds `file` and `folder/`,
/// and a program named `only-here` is found on `$PATH`.
const LINES: [(&str, Candidates); 36] = [
    ("mqttws ", With("pub sub ping check serve profile completions man help version")),
    ("mqttws p", Exactly("pub ping profile")),
    ("mqttws help p", Exactly("pub ping profile")),
    ("mqttws pub -q ", Exactly("0 1 2")),
    ("mqttws pub --qos ", Exactly("0 1 2")),
    ("mqttws pub --qos=", Exactly("0 1 2")),
    ("mqttws pub --will-qos ", Exactly("0 1 2")),
    ("mqttws sub -t x -V ", Exactly("5 311 31")),
    ("mqttws check --versions ", Exactly("5 311 31")),
    ("mqttws sub --color ", Exactly("auto always never")),
    ("mqttws sub --color=a", Exactly("auto always")),
    ("mqttws ping --tls-version ", Exactly("1.2 1.3")),
    ("mqttws sub --retain-handling ", Exactly("always new never")),
    ("mqttws pub --summary=", Exactly("json")),
    ("mqttws sub --json=", Exactly("parse")),
    ("mqttws ping --via ", Exactly("mqtt websocket publish")),
    ("mqttws sub -o ", Exactly("folder")),
    ("mqttws sub --output-dir=", Exactly("folder")),
    ("mqttws sub --capath ", Exactly("folder")),
    ("mqttws sub --cafile ", Exactly("file folder")),
    ("mqttws serve -- only-h", Exactly("only-here")),
    ("mqttws serve -- only-h", Exactly("only-here")),
    ("mqttws sub --exec only-h", Exactly("only-here")),
    ("mqttws serve --deviate no-pub", Exactly("no-puback no-pubrec")),
    ("mqttws serve --deviate no-pong,no-pub", Exactly("no-puback no-pubrec")),
    ("mqttws serve --deviate=no-pong,no-pub", Exactly("no-puback no-pubrec")),
    ("mqttws sub --profile ", Exactly("lab prod")),
    ("mqttws pub --config other.toml --profile ", Exactly("other")),
    ("mqttws completions ", Exactly("bash zsh fish powershell elvish")),
    ("mqttws man ", With("pub sub ping check serve cloud")),
    ("mqttws pub -t ", Exactly("")),
    ("mqttws sub -t ", Exactly("")),
    ("mqttws pub -m ", Exactly("")),
    ("mqttws sub ", Exactly("")),
    (
        "mqttws pub --",
        Without(
            "--ciphers --psk --psk-identity --tls-engine --dhparam --keyform --ws --nodelay --retain-handling",
        ),
    ),
    ("mqttws check --", Without("--strict --will-topic --will-file --keepalive --subprotocol")),
];

/// A file of this repository.
fn of_repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// What the test's shells find.
struct World {
    folder: Folder,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        let make = |name: &str| std::fs::create_dir_all(folder.path().join(name)).unwrap();
        ["work/folder", "bin", "mqttws"].into_iter().for_each(make);
        folder.write("work/file", "");
        folder.write("work/other.toml", "[profile.other]\n");
        folder.write("mqttws/config.toml", "[profile.lab]\nqos = 1\n[profile.prod]\n");
        let program = folder.write("bin/only-here", "#!/bin/sh\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(program, mode).unwrap();
        Self { folder }
    }

    /// Runs a shell in the folder of the test.
    fn run(&self, shell: &str, arguments: &[&str]) -> Outcome {
        let root = self.folder.path().display().to_string();
        let binary = Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap().display();
        let path = format!("{binary}:{root}/bin:{}", std::env::var("PATH").unwrap());
        let work = format!("{root}/work");
        let command = ["-c", "cd \"$0\" && exec \"$@\"", &work, shell];
        Program::of("sh", [&command, arguments].concat())
            .env("PATH", &path)
            .env("HOME", &root)
            .env("XDG_CONFIG_HOME", &root)
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .run()
    }

    /// What a shell completes, without what stands before `=` or a comma and after a tab or `/`.
    fn completed(&self, shell: &str, arguments: &[&str]) -> BTreeSet<String> {
        let outcome = self.run(shell, arguments);
        let errors = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(errors, "", "{shell} {arguments:?}");
        let text = String::from_utf8(outcome.stdout).unwrap();
        let candidate = |line: &str| {
            let line = line.split('\t').next().unwrap_or_default().trim_end_matches('/');
            line.rsplit(['=', ',']).next().unwrap_or_default().trim().to_owned()
        };
        text.lines().map(candidate).filter(|line| !line.is_empty()).collect()
    }
}

/// Checks all lines in a shell; `arguments` are those that make it complete a line.
fn completes<'a>(shell: &str, arguments: impl Fn(&'a str) -> Vec<String>) {
    if !is_here(shell) {
        return;
    }
    let world = World::new();
    for (line, expected) in &LINES {
        let arguments = arguments(line);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut found = world.completed(shell, &arguments);
        // In the folder of the test.
        found.remove("other.toml");
        let words =
            |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        match expected {
            Exactly(all) => assert_eq!(found, words(all), "{shell}: {line}"),
            With(some) => assert!(words(some).is_subset(&found), "{shell}: {line}: {found:?}"),
            Without(none) => {
                assert!(words(none).is_disjoint(&found), "{shell}: {line}: {found:?}");
                assert!(found.contains("--cafile"), "{shell}: {line}: {found:?}");
            }
        }
    }
}

#[test]
fn bash_completes() {
    let (driver, script) = (
        of_repository("tests/interop/shells/complete.bash"),
        of_repository("completions/mqttws.bash"),
    );
    completes("bash", |line| {
        vec!["--norc".to_owned(), driver.clone(), script.clone(), line.to_owned()]
    });
}

#[test]
fn zsh_completes() {
    let (driver, folder) =
        (of_repository("tests/interop/shells/complete.zsh"), of_repository("completions"));
    completes("zsh", |line| vec!["-f".to_owned(), driver.clone(), folder.clone(), line.to_owned()]);
}

#[test]
fn fish_completes() {
    let script = of_repository("completions/mqttws.fish");
    let command = "source $argv[1]; complete -C $argv[2]".to_owned();
    completes("fish", |line| {
        vec![
            "--no-config".to_owned(),
            "-c".to_owned(),
            command.clone(),
            script.clone(),
            line.to_owned(),
        ]
    });
}
