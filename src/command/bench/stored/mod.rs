//! A report that was stored by `--json`, read again: to be merged with others, or to be compared
//! with. Whatever the file holds, it is read in bounded memory, and what is wrong is said in one
//! line.

mod disturbances;
mod figures;
mod histogram;
mod plan;
mod split;
mod value;

use serde_json::Value;

use super::config::LoadPlan;
use super::figures::RunFigures;
use super::machine::Machine;
use super::part::RunPart;
use super::results::Results;
use super::server::BenchServer;
use value::StoredMember;

/// How large a file may be, in bytes.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// How many values it may hold: each takes memory, however short it is. A report has at most a
/// third of that.
const MOST_VALUES: usize = 3_000_000;

/// The version of the form that is understood.
const SCHEMA: u64 = 1;

/// A report that was read.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// The number of the run.
    pub run: u32,
    /// Which part of it.
    pub part: RunPart,
    /// The version of the program.
    pub version: String,
    /// When it began, as RFC 3339.
    pub start: String,
    /// What was done.
    pub load: LoadPlan,
    /// The server.
    pub server: BenchServer,
    /// The machine.
    pub machine: Machine,
    /// What was found.
    pub results: Results,
    /// Why it proves nothing.
    pub invalid: Vec<String>,
    /// The figures of each run.
    pub runs: Vec<RunFigures>,
    /// How many steps it had.
    pub steps: usize,
    /// How it went on, by the word for programs, and which rate grew, if one did.
    pub course: (String, Option<String>),
}

/// Reads a report.
pub fn read(text: &str) -> Result<StoredRun, String> {
    let commas = text.bytes().filter(|byte| *byte == b',').count();
    if text.len() as u64 > LARGEST_FILE || commas > MOST_VALUES {
        return Err("it is too large for a report of bench".to_owned());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let whole = StoredMember::new(&value);
    if whole.get("type").and_then(|it| it.text().map(|it| it == "bench")) != Ok(true) {
        return Err("it is no report of bench --json".to_owned());
    }
    let schema = whole.get("schema")?;
    if schema.count()? != SCHEMA {
        return Err(schema.wrong("1, the form that this version reads"));
    }
    let invalid = whole.get("invalid_because")?.elements()?;
    let invalid = invalid.iter().map(|why| why.text().map(str::to_owned));
    let runs = whole.get("runs")?.elements()?;
    Ok(StoredRun {
        run: run(&whole.get("run")?)?,
        part: part(&whole.get("part")?)?,
        version: whole.get("version")?.text()?.to_owned(),
        start: whole.get("start")?.text()?.to_owned(),
        load: plan::load(&whole)?,
        server: plan::server(&whole)?,
        machine: plan::machine(&whole)?,
        results: figures::results(&whole)?,
        invalid: invalid.collect::<Result<_, _>>()?,
        runs: runs.iter().map(figures::run).collect::<Result<_, _>>()?,
        steps: whole.get("steps")?.elements()?.len(),
        course: plan::course(&whole.get("plan")?)?,
    })
}

fn run(member: &StoredMember<'_>) -> Result<u32, String> {
    let text = member.text()?;
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
    number.ok_or_else(|| member.wrong("eight hexadecimal digits"))
}

fn part(member: &StoredMember<'_>) -> Result<RunPart, String> {
    let numbers = member.text()?.split_once('/');
    let numbers = numbers.and_then(|(one, all)| one.parse().ok().zip(all.parse().ok()));
    numbers
        .map(|(number, of)| RunPart { number, of })
        .filter(|part| (1..=part.of).contains(&part.number) && part.of <= super::part::MOST_PARTS)
        .ok_or_else(|| member.wrong("a part such as 1/2"))
}
