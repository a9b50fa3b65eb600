//! The end of a run: it is judged, reported and written.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::all_runs::AllRuns;
use super::comparison::{ComparedSide, compare};
use super::conditions::{ConditionOutcome, ConditionTerms, ConditionVerdict};
use super::config::{BenchForm, LoadPace, LoadPlan, ReportPlan};
use super::course::SteppedRate;
use super::judge::{Circumstances, LoadSubject, RunJudgement, ServerPlace, conclude, judge};
use super::load::{Found, commonest};
use super::report::{BenchReport, hgrm, json, promised, text};
use super::results::{LoadEnding, Results};
use super::step_outcome;
use super::surroundings::Surroundings;
use crate::client::fleet::Cause;
use crate::exit::Exit;
use crate::mqtt::qos::QoS;
use crate::stdio::replace::replace;

/// What the conditions are.
pub fn terms<'a>(
    plan: &'a ReportPlan,
    surroundings: &'a Surroundings,
    qos: QoS,
) -> ConditionTerms<'a> {
    let baseline = surroundings.baseline.as_ref().map(|stored| &stored.results);
    ConditionTerms { given: &plan.conditions, tolerated: &plan.tolerated, qos, baseline }
}

/// Why a step did not hold, if a condition is true.
pub fn reason(outcome: &ConditionOutcome) -> Option<String> {
    (outcome.verdict == ConditionVerdict::Failed).then(|| outcome.condition.clone())
}

/// Judges, writes and prints the report; the exit of the run. `written` is called when all files
/// are there.
pub fn finish(
    load: &LoadPlan,
    plan: &ReportPlan,
    surroundings: &Surroundings,
    found: &AllRuns,
    written: impl FnOnce(),
) -> Result<Exit> {
    let AllRuns { found: Found { results, steps }, runs, .. } = found;
    let judgement = judgement(load, plan, surroundings.server.place, found);
    let delivered = judgement.overload.map(|overload| overload.delivered);
    let terms = terms(plan, surroundings, promised(load, results));
    // The connections of a report are those of all steps; a step is judged by its own.
    let outcomes = match step_outcome::decisive(steps) {
        Some(step) => step.conditions.clone(),
        None => terms.outcomes(results, delivered),
    };
    let comparison = surroundings.baseline.as_ref().map(|then| {
        let Surroundings { part, server, machine, .. } = surroundings;
        let (version, part, course) = (env!("CARGO_PKG_VERSION"), *part, load.times.course);
        let course = (course.word(), course.stepped().map(SteppedRate::word));
        let here = ComparedSide { version, part, course, load, server, machine, results, runs };
        compare(here, then)
    });
    let report = BenchReport {
        load,
        plan,
        surroundings,
        results,
        judgement: &judgement,
        outcomes: &outcomes,
        steps,
        runs,
        comparison: comparison.as_ref(),
    };
    // A full disk takes no report from the terminal.
    let stored = write_files(&report);
    written();
    print(&report)?;
    stored?;
    Ok(exit(&report))
}

/// What all runs prove; of several steps the last says what set the limit.
fn judgement(
    load: &LoadPlan,
    plan: &ReportPlan,
    place: ServerPlace,
    found: &AllRuns,
) -> RunJudgement {
    let AllRuns { found: Found { results, steps }, invalid, .. } = found;
    let mut judgement = match invalid {
        None => judged(load, plan, place, results),
        Some(why) => conclude(results, &circumstances(load, plan, place, results), why),
    };
    if let Some(last) = steps.last() {
        judgement.limit = last.limit;
        judgement.overload = last.overload;
    }
    judgement
}

/// Writes the files of a report, as far as they can be.
fn write_files(report: &BenchReport<'_>) -> Result<()> {
    let plan = report.plan;
    let json = plan.json.as_ref().map(|path| write(path, &(json::render(report) + "\n")));
    let percentiles = plan.hgrm.as_ref();
    let percentiles =
        percentiles.map(|prefix| write_percentiles(prefix, report.load, report.results));
    [json, percentiles].into_iter().flatten().collect()
}

fn print(report: &BenchReport<'_>) -> Result<()> {
    // A reader that has seen enough is no failure.
    crate::command::print(&match report.plan.form {
        BenchForm::Text => text::render(report),
        BenchForm::Json => json::render(report),
    })?;
    Ok(())
}

/// What a run proves.
pub fn judged(
    load: &LoadPlan,
    plan: &ReportPlan,
    place: ServerPlace,
    results: &Results,
) -> RunJudgement {
    judge(results, &circumstances(load, plan, place, results))
}

#[expect(clippy::cast_precision_loss, reason = "few digits are needed")]
fn circumstances(
    load: &LoadPlan,
    plan: &ReportPlan,
    place: ServerPlace,
    results: &Results,
) -> Circumstances {
    let taken = results.messages.sent.saturating_sub(results.messages.refusals());
    let copies = match (load.plan.subscribers, taken) {
        (0, _) => 0.0,
        // All were refused.
        (_, 0) => 1.0,
        _ => results.messages.expected as f64 / taken as f64,
    };
    let subject = match load.plan.publishers {
        0 => LoadSubject::Connections,
        _ => LoadSubject::Messages,
    };
    Circumstances {
        subject,
        pace: load.pace,
        length: load.times.length,
        max_lateness: plan.max_lateness,
        place,
        copies,
        stepped: load.times.course.stepped(),
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    replace(path, |file| file.write_all(content.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))
}

/// `PREFIX.NAME.hgrm`
pub fn beside(prefix: &Path, name: &str) -> std::path::PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(format!(".{name}.hgrm"));
    path.into()
}

fn write_percentiles(prefix: &Path, load: &LoadPlan, results: &Results) -> Result<()> {
    let latencies = &results.latencies;
    let mut all = vec![("connect", &results.connections.times.whole)];
    if load.plan.publishers > 0 && load.plan.subscribers > 0 {
        all.push(("delivery", &latencies.delivery));
    }
    if load.messages.qos > QoS::AtMostOnce {
        all.push(("ack", &latencies.acknowledgement));
    }
    if let LoadPace::Open(_) = load.pace {
        all.push(("lateness", &latencies.lateness));
    }
    for (name, times) in all {
        write(&beside(prefix, name), &hgrm::render(times))?;
    }
    Ok(())
}

fn exit(report: &BenchReport<'_>) -> Exit {
    let BenchReport { load, results, judgement, .. } = report;
    if let LoadEnding::Interrupted(signal, _) = results.ending {
        return Exit::Signal(signal.into());
    }
    let connections = &results.connections;
    if connections.made == 0
        && let Some(cause) = commonest(&connections.failed)
    {
        return cause.into();
    }
    let is_denied = connections.failed.keys().any(|cause| matches!(cause, Cause::Suback(_)));
    if load.plan.subscribers > 0 && connections.times.suback.count() == 0 && is_denied {
        return Exit::Denied;
    }
    if report.has_failed() || !judgement.is_valid() { Exit::Local } else { Exit::Done }
}
