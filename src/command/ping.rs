//! `ping`: connects, sends probes, one at a time, and tells how long each answer took: line by
//! line, or at the end in the form that a monitoring system reads.

mod answers;
pub mod config;
mod finish;
mod json;
mod nagios;
mod output;
mod pinger;
mod prometheus;
mod results;
mod server;
mod subscription;
mod summary;
pub mod threshold;

use std::time::Instant;

use anyhow::{Context, Result};

use crate::client::{self, Client};
use crate::exit::Exit;
use crate::stdio::stdout_reader::StdoutReader;
use crate::terminal::screen;

pub use config::Config;
use config::{PingForm, PingReport, ProbePlan};
use output::ProbeOutput;
use pinger::Pinger;
use results::{PingResults, ProbesEnd};
use server::ServerFacts;

/// Runs `mqttws ping`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    let Config { client: options, plan, report, verbosity } = config;
    let mut results = PingResults::new(options.endpoint.to_string(), plan.count);
    let output = ProbeOutput::new(report.form, verbosity);
    let result = measure(options, plan, &report, output, &mut results);
    finish::finish(&report, &results, result)
}

/// Connects, sends the probes, and closes the connection.
fn measure(
    options: client::Options,
    plan: ProbePlan,
    report: &PingReport,
    output: ProbeOutput,
    results: &mut PingResults,
) -> Result<Exit> {
    let limit = super::limit(results.began, plan.deadline);
    let (mut client, established) = super::connect_after(options, limit, Client::watch_quit)?;
    let deadline = limit.map(|(deadline, _)| deadline);
    let reader = watch_reader(report.form, &client)?;
    if let Some(server) = client.chosen_server() {
        results.url = server.to_string();
    }
    results.began = Instant::now();
    results.server = Some(ServerFacts::of(&established, client.session().server_keep_alive()));
    let topic = super::own_topic("ping", &client.session().config().client_id)?;
    let mut pinger = Pinger {
        client: &mut client,
        plan,
        deadline,
        topic,
        late: 0,
        summary: report.summary,
        reader,
        output,
        results,
    };
    let result = send_probes(&mut pinger);
    close(&mut client, deadline, result)
}

/// Closes the connection: no message can be lost any more, and those of a QoS 2 that is not
/// finished are our own.
fn close(client: &mut Client, deadline: Option<Instant>, result: Result<Exit>) -> Result<Exit> {
    if super::is_over(deadline) || matches!(result, Ok(Exit::TimedOut)) {
        client.shorten_close();
    }
    super::close_released(client, deadline, result)
}

/// Watches the reader of stdout, if it gets something before the end.
fn watch_reader(form: PingForm, client: &Client) -> Result<StdoutReader> {
    let remote = client.remote();
    let reader = match form {
        PingForm::Nagios | PingForm::Prometheus => Ok(StdoutReader::default()),
        PingForm::Text | PingForm::Flood | PingForm::Json => {
            StdoutReader::watch(move || remote.wake())
        }
    };
    reader.context("watching stdout")
}

/// Prints what was reached, sends all probes, and prints the summary.
fn send_probes(pinger: &mut Pinger<'_>) -> Result<Exit> {
    if !pinger.output.begin(pinger.results)? {
        return Ok(Exit::Done);
    }
    let is_granted = pinger
        .prepare()
        .map_err(|error| super::while_doing(error.into(), || pinger.client.at_server("pinging")))?;
    if !is_granted {
        return Ok(Exit::Denied);
    }
    let end = pinger.run();
    if matches!(end, Ok(ProbesEnd::Interrupted(_))) {
        screen::begin_line(false);
    }
    pinger.results.ended = Some(Instant::now());
    let has_reader =
        !matches!(end, Ok(ProbesEnd::NoReader)) && pinger.output.finish(pinger.results)?;
    let end = end.with_context(|| pinger.client.at_server("pinging"))?;
    // Without a reader nothing more was asked.
    Ok(if has_reader { pinger.results.exit(&end) } else { Exit::Done })
}
