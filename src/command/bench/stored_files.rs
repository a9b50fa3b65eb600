//! Files of reports: parts that are put together, and an earlier run to compare with.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::all_runs::AllRuns;
use super::config::{Config, ReportPlan};
use super::ending;
use super::load::Found;
use super::merging;
use super::results::LoadEnding;
use super::stored::{self, LARGEST_FILE, StoredRun};
use super::surroundings::Surroundings;
use crate::exit::{Exit, Usage};

/// Reads a report that was stored.
fn stored(flag: &str, path: &Path) -> Result<StoredRun> {
    let name = path.display();
    let mut content = Vec::new();
    let file = File::open(path).with_context(|| format!("{flag}: opening {name}"))?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut content)
        .with_context(|| format!("{flag}: reading {name}"))?;
    let read = match std::str::from_utf8(&content) {
        Ok(text) => stored::read(text),
        Err(_) => Err("no JSON: it is not UTF-8".to_owned()),
    };
    read.map_err(|error| Usage::new(format!("{flag}: {name}: {error}")).into())
}

/// The report that a run is to be compared with.
pub fn baseline(plan: &ReportPlan) -> Result<Option<StoredRun>> {
    plan.baseline.as_deref().map(|path| stored("--baseline", path)).transpose()
}

/// Puts the parts of a run together, and reports on the whole.
pub fn merge(config: &Config) -> Result<Exit> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), stored("--merge", path)?));
    let parts = config.runs.merge.iter().map(read).collect::<Result<Vec<_>>>()?;
    let whole = merging::merge(parts).map_err(|why| Usage::new(format!("--merge: {why}")))?;
    let baseline = baseline(&config.report)?;
    let StoredRun { run, part, start, load, server, machine, results, invalid, runs, .. } = whole;
    let surroundings = Surroundings { run, part, start, server, machine, baseline };
    let mut found =
        AllRuns { found: Found { results, steps: Vec::new() }, runs, invalid: Some(invalid) };
    // What ended a part does not end this.
    let ending = std::mem::take(&mut found.found.results.ending);
    let exit = ending::finish(&load, &config.report, &surroundings, &found, || ())?;
    Ok(match ending {
        LoadEnding::Interrupted(..) | LoadEnding::FailedFast(_) => Exit::Local,
        LoadEnding::Complete | LoadEnding::Running(..) => exit,
    })
}
