//! The packages: the list of the crates that the program is built from is up to date, and what
//! `Cargo.toml` promises about packages is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The list; the test rewrites it where it differs, and then fails.
const LIST: &str = ".packaging/licences.txt";

const HEADING: &str = "\
mqttws is built from these crates, each under its own licence. Where a crate offers
several licences, one of them may be chosen. `cargo test --test packaging` makes this list.

";

/// What `cargo metadata` says about the program on Linux.
fn metadata() -> Value {
    let flags = ["--format-version", "1", "--locked", "--offline"];
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO"))
        .arg("metadata")
        .args(flags)
        .args(platform)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The packages that are part of the program, by their identifiers: not those that only tests or
/// build scripts use.
fn linked(metadata: &Value) -> BTreeSet<&str> {
    let nodes = list(&metadata["resolve"], "nodes");
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let mut found = BTreeSet::new();
    let mut left = vec![text(&metadata["resolve"], "root")];
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        let is_linked = |dependency: &&Value| {
            list(dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null())
        };
        let dependencies = list(nodes[id], "deps").iter().filter(is_linked);
        left.extend(dependencies.map(|dependency| text(dependency, "pkg")));
    }
    found
}

#[test]
fn the_list_of_licences_is_up_to_date() {
    let metadata = metadata();
    let linked = linked(&metadata);
    let mut lines: Vec<String> = list(&metadata, "packages")
        .iter()
        .filter(|package| linked.contains(text(package, "id")) && text(package, "name") != "mqttws")
        .map(|package| {
            let [name, version] = ["name", "version"].map(|member| text(package, member));
            let [licence, place] = ["license", "repository"].map(|member| text(package, member));
            assert!(!licence.is_empty(), "{name} names no licence");
            format!("{name} {version}: {licence}; {place}\n")
        })
        .collect();
    lines.sort();
    let expected = HEADING.to_owned() + &lines.concat();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST);
    if fs::read_to_string(&path).unwrap_or_default() != expected {
        fs::write(&path, expected).expect("writing the list");
        panic!("{LIST} was out of date and is rewritten; commit it");
    }
}

#[test]
fn no_crate_needs_a_newer_compiler() {
    let metadata = metadata();
    let packages = list(&metadata, "packages");
    let ours = packages.iter().find(|package| text(package, "name") == "mqttws").unwrap();
    let number = |version: &str| -> Vec<u32> {
        // The last zeros say nothing.
        version.trim_end_matches(".0").split('.').map(|part| part.parse().unwrap()).collect()
    };
    let rust = text(ours, "rust_version");
    let linked = linked(&metadata);
    for package in packages.iter().filter(|package| linked.contains(text(package, "id"))) {
        let wanted = package["rust_version"].as_str().unwrap_or("1.0");
        assert!(number(wanted) <= number(rust), "{} wants {wanted}", text(package, "name"));
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let promised = format!("Rust {rust} or later");
    assert!(readme.unwrap().contains(&promised), "the README says: {promised}");
}

#[test]
fn what_the_package_holds_is_there() {
    let metadata = metadata();
    let packages = list(&metadata, "packages");
    let ours = packages.iter().find(|package| text(package, "name") == "mqttws").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assets = list(&ours["metadata"]["deb"], "assets");
    assert!(assets.len() > 5, "{assets:?}");
    for asset in assets {
        let path = asset[0].as_str().unwrap();
        let is_built = path.starts_with("target/");
        let folder = root.join(path.split('*').next().unwrap());
        assert!(is_built || folder.exists(), "there is no {path}");
    }
}
