//! Runs the examples of the pages as they are printed, each in a folder of its own with brokers of
//! its own: `$MQTTWS_URL` and the hosts in `.example` lead to them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::certificates::{Authority, FAR_AWAY};
use crate::folder::Folder;
use crate::page::{Example, examples};
use crate::program::{Outcome, Program, Running};
use crate::readme::without_numbers;
use crate::{file, is_here, relay};

/// How long one example may take, on a busy machine.
const LONG: Duration = Duration::from_secs(100);

/// The examples that are not run, and why.
const NOT_RUN: [(&str, &str); 3] = [
    ("mqttws serve", "it would take port 8080 of this machine"),
    ("systemctl enable --now mqttws-archive", "it would change this machine"),
    ("mqttws sub -t 'lab/#' --watch", "it needs a terminal; tests/cli/terminal_watch.rs has one"),
];

/// A broker that clients may call by a name in `.example`.
const SERVE: [&str; 4] = ["serve", "-p", "0", "--allow-remote"];

/// Two brokers, and the world in which they are `.example`.
pub struct Place {
    folder: Folder,
    /// They end with it.
    brokers: Vec<Running>,
    url: String,
    /// Host and port of the proxy that is the world.
    pub proxy: String,
}

impl Place {
    pub fn new() -> Self {
        let mut second = Program::new(SERVE).spawn();
        let url = second.wait_for_line(|line| line.starts_with("ws"));
        let mut place = Self::with_second(port(&url));
        place.brokers.push(second);
        place
    }

    /// One in which the second broker is at this port.
    pub fn with_second(second: u16) -> Self {
        let (folder, authority) = (Folder::new(), Authority::new());
        let mut first = Program::new(SERVE).spawn();
        let url = first.wait_for_line(|line| line.starts_with("ws"));
        let proxy = relay::start([port(&url), second], &authority);
        write_credentials(&folder, &authority);
        Self { folder, brokers: vec![first], url, proxy: format!("127.0.0.1:{proxy}") }
    }

    /// Runs one example.
    fn run(&self, example: &Example) {
        let outcome = self.outcome(&script(example, &self.folder));
        assert_eq!(outcome.code(), Some(0), "{example:#?}\n{outcome}");
        let printed = fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default();
        let expected: Vec<&str> = example.notes("prints").collect();
        let printed: Vec<&str> = printed.lines().collect();
        assert!(expected.is_empty() || printed == expected, "{example:#?}\nbut {printed:#?}");
    }

    /// What the command of its note prints has the form of an example.
    fn compare(&self, example: &Example) {
        let Some(command) = example.note("output") else { return };
        let before = example.notes("before").collect::<Vec<_>>().join("\n");
        let printed = self.shell(&format!("{before}\n{command}"));
        let form = |text: &str| {
            let text: String = text.split_whitespace().collect();
            without_numbers(&without_numbers(&text).replace("#.#", "0"))
        };
        assert_eq!(form(&printed), form(&example.text), "{example:#?}\nbut {printed}");
    }

    /// Parses the commands of ours in a file of another program.
    fn parse(&self, text: &str) {
        let text = text.replace("\\\n", "");
        let commands =
            text.lines().filter_map(|line| line.find("mqttws check").map(|at| &line[at..]));
        let commands: Vec<&str> =
            commands.map(|rest| rest.split(['>', '|', '\'']).next().unwrap_or(rest)).collect();
        assert!(!commands.is_empty(), "{text}");
        for command in commands {
            let listed = self.shell(&format!("{command} --print-config"));
            assert!(listed.contains("url"), "{command}\n{listed}");
        }
    }

    /// What a command prints, on stdout and stderr.
    pub fn shell(&self, command: &str) -> String {
        let outcome = self.outcome(&format!("{PREFACE}{}(\n{command}\n) 2>&1\n", enter()));
        assert!(outcome.stderr.is_empty(), "{outcome}");
        String::from_utf8(outcome.stdout).expect("it is text")
    }

    fn outcome(&self, script: &str) -> Outcome {
        let script = script.replace("proxy.example:3128", &self.proxy);
        let home = self.folder.path().join("home");
        Program::of("timeout", ["-k", "5", "80", "sh", "-c", &script])
            .env("HOME", &home.display().to_string())
            .env("MQTTWS_URL", &self.url)
            .env("all_proxy", &format!("http://{}", self.proxy))
            .env("no_proxy", "127.0.0.1")
            .spawn()
            .finish_within(LONG)
    }
}

/// The end of a script ends all that it has started.
const PREFACE: &str = "trap 'code=$?; trap \"\" TERM; kill 0; wait; exit $code' EXIT\n";

/// mqttws, and the cargo that runs these tests, are on the `PATH`, and the folder is the user's own.
fn enter() -> String {
    let folder =
        |file: &Path| file.parent().expect("a file stands in a folder").display().to_string();
    let ours = folder(Path::new(env!("CARGO_BIN_EXE_mqttws")));
    let cargo = std::env::var_os("CARGO").map(|cargo| folder(Path::new(&cargo)));
    let cargo = cargo.unwrap_or_default();
    format!("PATH='{ours}':'{cargo}':$PATH\ncd \"$HOME\"\n")
}

/// The port of a URL of `serve`.
fn port(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').expect("the URL has a port");
    rest.trim_end_matches("/mqtt").parse().expect("the port is a number")
}

/// The authority, trusted by the default profile, and a client certificate of it.
fn write_credentials(folder: &Folder, authority: &Authority) {
    let configuration = folder.path().join("home/.config/mqttws");
    fs::create_dir_all(&configuration).unwrap();
    let client = authority.certify(&["device"], FAR_AWAY);
    for (name, text) in [
        ("home/ca.pem", authority.pem()),
        ("home/client.pem", client.certificate.pem()),
        ("home/client.key", client.key.serialize_pem()),
    ] {
        folder.write(name, text);
    }
    let trusted = folder.path().join("home/ca.pem");
    folder.write(
        "home/.config/mqttws/config.toml",
        format!("[profile.default]\ncafile = {trusted:?}\n[profile.b]\ncafile = {trusted:?}\n"),
    );
}

/// The script that runs an example and what it needs. Its end ends all that it started.
fn script(example: &Example, folder: &Folder) -> String {
    let stdout = folder.path().join("stdout").display().to_string();
    let commands = |kind: &str| example.notes(kind).collect::<Vec<_>>().join("\n");
    let (before, after) = (commands("before"), commands("after"));
    let lines = example.notes("prints").chain(example.notes("matches")).count();
    let code = example.note("exit").unwrap_or("0");
    let text = &example.text;
    let run = match example.note("test") {
        Some("head") => format!("(\n{text}\n) | head -n {lines} > '{stdout}'\n"),
        Some("background") => format!("(\n{text}\n) > '{stdout}' &\n"),
        Some("") => format!(
            "set +e\n(\n{text}\n) > '{stdout}'\ncode=$?\nset -e\n\
             test $code = {code} || {{ echo \"exit code $code\" >&2; exit 99; }}\n"
        ),
        other => panic!("what is test {other:?}?"),
    };
    let matches: Vec<String> = (1..)
        .zip(example.notes("matches"))
        .map(|(number, pattern)| {
            let pattern = pattern.replace(' ', "\\ ");
            format!("case \"$(sed -n {number}p '{stdout}')\" in {pattern}) ;; *) exit 98 ;; esac")
        })
        .collect();
    let matches = matches.join("\n");
    let enter = enter();
    format!("{PREFACE}set -eu\n{enter}{before}\n{run}{matches}\n{after}\n")
}

/// What a unit of systemd runs, ended by its first message; its words are those of a shell.
fn started_by(unit: &Example) -> Example {
    let (_, command) = unit.text.split_once("\nExecStart=").expect("a service has a command");
    let (command, _) = command.split_once("\nStandardOutput").expect("its output follows");
    let topic = "mqttws pub -t lab/door -m open -r".to_owned();
    let finds = "grep -q '\"payload\":\"open\"' ../stdout".to_owned();
    let notes = [("test", String::new()), ("before", topic), ("after", finds)];
    let notes = notes.map(|(kind, rest)| (kind.to_owned(), rest)).to_vec();
    Example { text: format!("{command} -C 1"), notes }
}

/// The steps of a workflow that run mqttws, as the shell of the runner gets them.
fn steps_of(workflow: &Example) -> Example {
    let steps = workflow.text.lines().filter_map(|line| line.trim().strip_prefix("- run: mqttws "));
    let steps: Vec<String> = steps.map(|step| format!("mqttws {step}")).collect();
    assert!(!steps.is_empty(), "{workflow:#?}");
    let test = ("test".to_owned(), String::new());
    let notes = workflow.notes.iter().cloned().chain([test]).collect();
    Example { text: steps.join("\n"), notes }
}

/// Every line of the units is one that systemd knows.
#[test]
fn systemd_understands_the_units() {
    let examples = examples(&file("man/mqttws-examples.7"));
    let is_unit =
        |example: &&Example| example.note("file").is_some_and(|name| name.ends_with(".service"));
    let folder = Folder::new();
    for unit in examples.iter().filter(is_unit) {
        // The command is looked for where systemd looks, and need not be installed here.
        let text = unit.text.replace("ExecStart=mqttws", "ExecStart=/bin/true");
        let path = folder.write("mqttws-archive.service", text);
        // Not every machine has systemd.
        if Path::new("/usr/bin/systemd-analyze").exists() {
            let flags = ["verify", "--recursive-errors=no", "--man=no", &path];
            Program::of("systemd-analyze", flags).run().expect(0, "", "");
        }
    }
}

/// How many examples run at once; most of them wait.
const AT_ONCE: usize = 4;

/// The examples of a page, each with the files that stand before it.
fn groups(page: &str) -> Vec<Vec<Example>> {
    let mut groups = vec![Vec::new()];
    for example in examples(&file(&format!("man/{page}"))) {
        let is_file = example.note("file").is_some_and(|name| !name.ends_with(".service"));
        groups.last_mut().expect("there is one").push(example);
        if !is_file {
            groups.push(Vec::new());
        }
    }
    groups
}

fn all_run(page: &str) {
    let groups = groups(page);
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            run_group(group);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(run);
        }
    });
}

/// Runs an example, after the files for it.
fn run_group(group: &[Example]) {
    let mut place = None;
    for example in group {
        if example.note("output").is_some() {
            Place::new().compare(example);
        }
        if let Some(reason) = example.note("not-run") {
            let is_listed = NOT_RUN.contains(&(example.text.as_str(), reason));
            assert!(is_listed, "not in the list of what is not run: {example:#?}");
        } else if example.note("parsed").is_some() {
            Place::new().parse(&example.text);
        } else if example.note("needs").is_some_and(|program| !is_here(program)) {
            // Nor are its files needed.
            place = None;
        } else if example.note("workflow").is_some() {
            Place::new().run(&steps_of(example));
        } else if let Some(path) = example.note("elsewhere") {
            assert!(!file(path).is_empty());
        } else if let Some(name) = example.note("file") {
            let new = place.take().unwrap_or_else(Place::new);
            if name.ends_with(".service") {
                new.run(&started_by(example));
                continue;
            }
            let path = new.folder.path().join("home").join(name);
            fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
            new.folder.write(&format!("home/{name}"), format!("{}\n", example.text));
            place = Some(new);
        } else if example.note("test").is_some() && (!example.text.contains("jq ") || is_here("jq"))
        {
            place.take().unwrap_or_else(Place::new).run(example);
        }
    }
}

macro_rules! pages {
    ($($name:ident => $page:literal),* $(,)?) => {
        $(#[test] fn $name() { all_run($page); })*

        #[test]
        fn every_page_is_run() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
            let mut found: Vec<String> = fs::read_dir(folder).unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                // tests/cli/cloud.rs runs its recipes.
                .filter(|name| name != "mqttws-cloud.7")
                .collect();
            found.sort();
            let mut run = vec![$($page),*];
            run.sort_unstable();
            assert_eq!(found, run);
        }
    };
}

pages! {
    mqttws => "mqttws.1",
    publish => "mqttws-pub.1",
    subscribe => "mqttws-sub.1",
    ping => "mqttws-ping.1",
    check => "mqttws-check.1",
    bench => "mqttws-bench.1",
    serve => "mqttws-serve.1",
    recipes => "mqttws-examples.7",
    brokers => "mqttws-brokers.7",
}

#[test]
fn there_are_at_least_25_recipes() {
    let recipes = examples(&file("man/mqttws-examples.7"));
    let count = recipes.iter().filter(|example| example.note("file").is_none()).count();
    assert!(count >= 25, "{count}");
}
