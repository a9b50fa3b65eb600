//! The object of `--json` against its stored schema, and the schema against the manual.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{bench, object};
use crate::serve::serve_for_others as serve;
use crate::support::folder::Folder;
use crate::support::program::Program;

/// JSON Schema, of which `type`, `enum`, `anyOf`, `properties`, `required`,
/// `additionalProperties`, `items` and `$ref` to a definition are used.
const SCHEMA: &str = include_str!("schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn has_type(value: &Value, wanted: &Value) -> bool {
    let is = |wanted: &Value| {
        let (is, wanted) = (type_of(value), wanted.as_str().unwrap());
        is == wanted || (is == "integer" && wanted == "number")
    };
    wanted.as_array().map_or_else(|| is(wanted), |all| all.iter().any(is))
}

/// What of a value is not as its schema says.
fn faults(value: &Value, schema: &Value, root: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return faults(value, target, root, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let all: Vec<_> = choices.iter().map(|choice| faults(value, choice, root, place)).collect();
        let is_one = all.iter().any(Vec::is_empty);
        return if is_one { Vec::new() } else { all.into_iter().last().unwrap_or_default() };
    }
    if let Some(values) = schema["enum"].as_array() {
        let is_one = values.contains(value);
        return if is_one { Vec::new() } else { vec![format!("{place}: {value}")] };
    }
    if !schema["type"].is_null() && !has_type(value, &schema["type"]) {
        return vec![format!("{place}: {} instead of {}", type_of(value), schema["type"])];
    }
    match value {
        Value::Object(_) => faults_of_object(value, schema, root, place),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .flat_map(|(at, it)| faults(it, &schema["items"], root, &format!("{place}[{at}]")))
            .collect(),
        _ => Vec::new(),
    }
}

fn faults_of_object(value: &Value, schema: &Value, root: &Value, place: &str) -> Vec<String> {
    let mut all = Vec::new();
    let members = value.as_object().unwrap();
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            all.push(format!("{place}.{name} is missing"));
        }
    }
    for (name, member) in members {
        let inner = format!("{place}.{name}");
        match schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]) {
            Value::Bool(false) => all.push(format!("{inner} is unknown")),
            schema => all.extend(faults(member, schema, root, &inner)),
        }
    }
    all
}

#[track_caller]
fn fits(value: &Value) {
    let schema = schema();
    let faults = faults(value, &schema, &schema, "");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_kind_of_run_fits_the_schema() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let file = folder.write("run.json", "");
    let stored = format!("--json={file}");
    let program = ["bench", &url, "-C", "20", "-q", "1", &stored];
    assert_eq!(Program::new(program).run().code(), Some(0));
    fits(&serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap());
    for flags in [
        &["--connect", "3", "--for", "0.2"][..],
        &["--pub", "2", "-q", "1", "-C", "20", "--fail", "p99>3600s,lost>0"],
        &["--rate", "100", "--for", "1s", "--warmup", "0", "--arrival", "poisson"],
        &["-C", "20", "-q", "1", "--runs", "2", "--baseline", &file],
        &["--rate", "100", "--for", "2s", "--cut", "sub:1@0.5s", "--stall", "sub:1@1s:0.2s"],
        &["--rate", "100", "--for", "2s", "--churn", "2", "--connect", "2", "--pub", "1"],
        &["--rate", "100", "--for", "0.5", "--retained", "--will", "--cut", "sub:1@0.2s"],
        &["-C", "20", "--pub", "1", "--sub", "2", "--share-groups"],
        &["--ramp", "50:100:x2", "--for", "0.2", "--tolerate", "overload"],
        &["--connect", "9", "--ramp", "connect=20:40:x2", "--for", "0.2"],
    ] {
        let outcome = bench(&url, flags).run();
        fits(&object(&outcome));
    }
    drop(serve);
}

/// The names of all members that the schema knows.
fn names(schema: &Value, into: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        into.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(members) => members.values().for_each(|member| names(member, into)),
        Value::Array(elements) => elements.iter().for_each(|element| names(element, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn each_member_is_in_the_manual() {
    let manual = include_str!("../../../src/cli/manual/report-bench.roff");
    let mut all = BTreeSet::new();
    names(&schema(), &mut all);
    assert!(all.len() > 100, "{all:?}");
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !manual.contains(&format!("\\fB{}\\fR", name.replace('-', "\\-"))))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
