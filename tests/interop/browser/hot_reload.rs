//! The recipe of mqttws-examples(7) for a page with hot reload: its files as they are printed, its
//! commands but for the port, and what npm installs as it is pinned here.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::chromium;
use crate::daemon::free_ports;
use crate::is_here;
use crate::page::{Example, examples};
use crate::program::Program;

/// How long vite may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The recipe's examples.
fn recipe() -> Vec<Example> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/mqttws-examples.7");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(".SS A page with hot reload\n").expect("there is the recipe");
    examples(rest.split(".SS ").next().unwrap())
}

/// A folder below the one in which npm has installed the packages, gone when this is dropped.
struct Project(String);

impl Project {
    /// One with the files of the recipe.
    fn new(recipe: &[Example], port: &str) -> Self {
        let folder = format!(
            "{}/target/interop/browser/hot-reload-{}",
            env!("CARGO_MANIFEST_DIR"),
            std::process::id()
        );
        fs::create_dir_all(&folder).unwrap();
        let project = Self(folder);
        for example in recipe {
            if let Some(name) = example.note("file") {
                project.write(name, &example.text.replace("8080", port));
            }
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(format!("{}/{name}", self.0), text).unwrap();
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A command of the recipe, at the broker's port.
fn command(line: &str, url: &str) -> Program {
    let words = line.trim_end_matches(" &").replace('\'', "");
    let words = words.split(' ').skip(1);
    Program::new(words).env("MQTTWS_URL", url)
}

/// The end of `timeout` ends its whole group, as Ctrl-C does on a terminal.
fn in_a_group(folder: &str, command: &str) -> Program {
    let folder_of_ours = Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap().display();
    let script = format!("cd {folder}; PATH={folder_of_ours}:$PATH; {command}");
    Program::of("timeout", ["-k", "5", "120", "sh", "-c", &script])
        .env("HOME", folder)
        .env("npm_config_update_notifier", "false")
        // vite ends with its standard input.
        .stdin_held_open()
}

#[test]
fn the_recipe_for_a_page_with_hot_reload_works() {
    let Some(chromium) = chromium() else { return };
    if !is_here("npm") {
        return;
    }
    let recipe = recipe();
    let commands: Vec<&Example> = recipe.iter().filter(|one| one.note("file").is_none()).collect();
    let [start, second] = &commands[..] else { panic!("there are two blocks: {recipe:#?}") };
    let [watch, publish] = &second.text.lines().collect::<Vec<_>>()[..] else {
        panic!("there are two commands: {second:#?}")
    };
    let [port] = free_ports();
    let (port, url) = (port.to_string(), format!("ws://localhost:{port}"));
    let project = Project::new(&recipe, &port);
    // The packages are there.
    let run = start.text.strip_prefix("npm install && ").expect("it installs them first");
    let mut vite = in_a_group(&project.0, run).spawn();
    let line = vite.wait_for_line_within(PATIENCE, |line| line.contains("Local:"));
    let site = line.split_once("http").map(|(_, rest)| format!("http{rest}")).unwrap();
    command(publish, &url).run().expect(0, "", "");

    let mut watch = command(watch, &url).spawn();
    watch.wait_for_line(|line| line == "lab/door open\n");
    let page = chromium.open(&site, "hot-reload");
    watch.wait_for_line(|line| line == "lab/page The door is open.\n");
    let text = fs::read_to_string(format!("{}/main.js", project.0)).unwrap();
    project.write("main.js", &text.replace("The door", "The gate"));
    watch.wait_for_line(|line| line == "lab/page The gate is open.\n");

    page.close();
    vite.signal("TERM");
    vite.finish();
    for url in [&site, &url] {
        let address = url.split_once("//").unwrap().1.trim_end_matches('/');
        assert!(TcpStream::connect(address).is_err(), "{url} is still there");
    }
}
