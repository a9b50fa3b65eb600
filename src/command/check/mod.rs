//! `check`: is this server interoperable over WebSockets, point by point? It alone may break the
//! rules on the wire.

mod aliases;
mod answer;
mod bench;
mod conduct;
mod connection;
mod finding;
mod guarded;
mod inflate;
mod journal;
mod live;
mod packets;
pub mod points;
mod probes;
mod reader;
mod report;
mod request;
mod run;
pub mod select;
mod wire;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client;
use crate::exit::{Exit, Usage};
use crate::mqtt::version::Version;
use crate::report::Verbosity;
use crate::stdio::stdout;
use crate::terminal::screen;
use crate::transport::dial;
use crate::transport::endpoint::Scheme;
use crate::transport::tls::{TlsConfig, TlsOptions};
use bench::{CheckTarget, ServerAccess};
use journal::Journal;
use live::LiveView;
use report::baseline::Baseline;
pub use report::text::Detail;
use report::text::Deviations;
use report::{CheckedServer, Report, RunCourse, json, junit, list, tap, text};
use run::RunEvent;
use run::collect::{self, RunResult};
use select::PointSelection;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// `--json`
    Json,
    /// `--tap`
    Tap,
}

/// Where reports go, and what is in them.
#[derive(Debug, Clone)]
pub struct Output {
    /// What goes to stdout.
    pub form: ReportFormat,
    /// `--json=FILE`
    pub json: Option<PathBuf>,
    /// `--junit FILE`
    pub junit: Option<PathBuf>,
    /// How much is in it: `--quiet`, `-v`.
    pub detail: Detail,
    /// `--baseline FILE`
    pub baseline: Option<PathBuf>,
}

/// What `check` is asked to do.
pub enum CheckConfig {
    /// `--list`, in this form.
    List(ReportFormat),
    /// Check a server.
    Server(Box<ServerConfig>),
}

/// Whether points of the full set are asked beyond this machine and private networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteServers {
    /// They are not.
    Spared,
    /// With `--allow-remote` they are.
    Allowed,
}

/// Which server is checked, and how.
pub struct ServerConfig {
    /// Where it is, and as whom it is asked.
    pub client: client::Options,
    /// `-d`, as often as it is given.
    pub debug: u8,
    /// `-i`
    pub client_id: Option<String>,
    /// `--topic-prefix`
    pub prefix: String,
    /// `--versions`; empty for all.
    pub versions: Vec<Version>,
    /// Which points are asked.
    pub selection: PointSelection,
    /// `--allow-remote`
    pub remote: RemoteServers,
    /// `--pause`
    pub pause: Duration,
    /// `--timeout`
    pub timeout: Duration,
    /// `--idle-time`
    pub idle_time: Duration,
    /// What is written.
    pub output: Output,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// Runs `mqttws check`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: CheckConfig) -> Result<Exit> {
    match config {
        CheckConfig::List(ReportFormat::Json) => super::print(&list::json()).map(|_| Exit::Done),
        CheckConfig::List(_) => super::print(list::text().trim_end()).map(|_| Exit::Done),
        CheckConfig::Server(config) => check(*config),
    }
}

fn check(config: ServerConfig) -> Result<Exit> {
    let baseline = config.output.baseline.as_deref().map(Baseline::read).transpose()?;
    announce_full(&config)?;
    let (output, verbosity) = (config.output.clone(), config.verbosity);
    let journal = Journal::new(config.debug, crate::report::trace);
    let target = Arc::new(target_of(config)?);
    let (began, started) = (Instant::now(), now());
    let (result, shown) = watched(&target, journal, &output, baseline.as_ref())?;
    let (connections, traffic) = (result.memory.opened, result.memory.journal.traffic);
    let course = RunCourse { started, time: began.elapsed(), connections, traffic };
    let mut report = report_of(&target, result, course);
    if let Some(baseline) = baseline {
        if baseline.url != report.server.url && verbosity.warns() {
            crate::report::warn(&format!(
                "the baseline is of {}",
                report::sanitised(&baseline.url)
            ));
        }
        baseline.apply(&mut report);
    }
    write(&report, &output, shown)
}

/// Asks all points. On a terminal the run is shown, and deviations when they are found.
fn watched(
    target: &Arc<CheckTarget>,
    journal: Journal,
    output: &Output,
    baseline: Option<&Baseline>,
) -> Result<(RunResult, Deviations)> {
    let mut view = LiveView::open(output, target, baseline);
    let mut observer = |event: RunEvent<'_>| {
        if let Some(view) = &mut view {
            view.take(event);
        }
    };
    let result = collect::run(target, journal, &mut observer).context("beginning the run")?;
    let shown = if view.is_some() { Deviations::Above } else { Deviations::Here };
    Ok((result, shown))
}

fn report_of(target: &CheckTarget, result: RunResult, course: RunCourse) -> Report {
    let endpoint = &target.access.endpoint;
    let server = CheckedServer {
        url: endpoint.to_string(),
        host: endpoint.host.clone(),
        versions: result.memory.known.versions(),
        facts: result.memory.journal.facts,
    };
    Report {
        server,
        course,
        selection: target.selection.clone(),
        results: result.results,
        failure: result.failure.map(|failure| (failure.exit, failure.words)),
        signal: result.signal.map(Into::into),
        fixed: Vec::new(),
    }
}

/// Writes the reports; the exit code of the run.
fn write(report: &Report, output: &Output, shown: Deviations) -> Result<Exit> {
    let detail = output.detail;
    if let Some(path) = &output.json {
        write_file(path, &(json::render(report, detail) + "\n"))?;
    }
    if let Some(path) = &output.junit {
        write_file(path, &junit::render(report))?;
    }
    let shown = match output.form {
        ReportFormat::Text => text::render(report, detail, shown, text_width()),
        ReportFormat::Json => json::render(report, detail),
        ReportFormat::Tap => tap::render(report),
    };
    let style: fn(&str) -> String =
        if output.form == ReportFormat::Text { text::painted } else { str::to_owned };
    stdout::print_styled(shown.trim_end(), style).context("writing to stdout")?;
    if let Some((_, words)) = &report.failure {
        crate::report::line(&format!("connecting to {}: {words}", report.server.url));
    }
    Ok(report.exit())
}

/// How wide the text is: as the terminal that it goes to, if that is narrow.
fn text_width() -> usize {
    if screen::stdout_is_terminal() {
        screen::size().columns.min(text::WIDEST)
    } else {
        text::WIDEST
    }
}

/// Writes a file whole, then renames it: whoever reads it finds the old one or the new one.
fn write_file(path: &Path, text: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first failure is the one that the user has to know.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("writing {}", path.display()))
}

/// Says what the full set does; beyond this machine and private networks only with
/// `--allow-remote`.
fn announce_full(config: &ServerConfig) -> Result<()> {
    if !config.selection.asks_full() {
        return Ok(());
    }
    ensure!(
        is_near(&config.client) || config.remote == RemoteServers::Allowed,
        Usage::new(
            "--full and the points of its set send broken bytes and load, which can bring a \
             faulty server down: beyond this machine and private networks they need --allow-remote"
        )
    );
    if config.verbosity.warns() {
        let words = if config.selection.set == points::Set::Full {
            "--full sends broken bytes, retained messages and load, and takes about 3 minutes"
        } else {
            "points of --full are asked: they send broken bytes, retained messages or load"
        };
        crate::report::note(words);
    }
    Ok(())
}

/// Whether all addresses of a server are of this machine or of private networks.
pub fn is_near(client: &client::Options) -> bool {
    match dial::addresses(&client.endpoint, &client.route) {
        Some(Ok(addresses)) => addresses.iter().all(|address| is_private(address.ip())),
        // A Unix socket is of this machine; where a proxy leads is not known.
        None => client.route.unix.is_some(),
        // That there is no address is told by the first connection.
        Some(Err(_)) => true,
    }
}

/// Whether the address is of this machine or of a private network (RFC 1918, RFC 4193, link-local).
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            let [first, ..] = address.segments();
            address.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

fn target_of(config: ServerConfig) -> Result<CheckTarget> {
    let client = config.client;
    let access = ServerAccess {
        tls: tls_config(&client, client.tls.insecure)?,
        judge: tls_config(&client, false)?,
        endpoint: client.endpoint,
        route: client.route,
        headers: client.upgrade.headers,
        connect_timeout: client.limits.timeout,
        pause: config.pause,
    };
    Ok(CheckTarget {
        access,
        login: client.session.login,
        client_id: config.client_id,
        prefix: config.prefix,
        selection: config.selection,
        asked_versions: config.versions,
        timeout: config.timeout,
        idle_time: config.idle_time,
    })
}

/// The settings of TLS, if it is needed.
fn tls_config(
    client: &client::Options,
    insecure: bool,
) -> Result<Option<TlsConfig>, client::Error> {
    if client.endpoint.scheme != Scheme::Wss && !client.route.proxies.need_tls() {
        return Ok(None);
    }
    let options = TlsOptions { insecure, ..client.tls.clone() };
    TlsConfig::new(&options).map(Some).map_err(client::Error::TlsSetup)
}

/// The time in UTC, in whole seconds: RFC 3339.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        let near =
            ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.0.1", "::1", "fd00::1", "fe80::1"];
        for address in near {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["192.0.2.1", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
