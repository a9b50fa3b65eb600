//! `check`: is this server interoperable over WebSockets, point by point? It alone may break the
//! rules on the wire.

mod aliases;
mod answer;
mod bench;
mod conduct;
mod connection;
mod finding;
mod inflate;
mod journal;
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
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client;
use crate::exit::{Exit, Usage};
use crate::mqtt::version::Version;
use crate::report::Verbosity;
use crate::transport::dial;
use crate::transport::endpoint::Scheme;
use crate::transport::tls::{TlsConfig, TlsOptions};
use bench::{Bench, Target};
use journal::Journal;
use report::baseline::Baseline;
use report::text::Detail;
use report::{Report, json, junit, list, tap, text};
use run::{Outcome, Plan, PointResult};
use select::Selection;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
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
    pub form: Form,
    /// `--json=FILE`
    pub json: Option<PathBuf>,
    /// `--junit FILE`
    pub junit: Option<PathBuf>,
    /// `-v`
    pub verbose: bool,
    /// `--baseline FILE`
    pub baseline: Option<PathBuf>,
}

/// What `check` is asked to do.
pub enum Config {
    /// `--list`, in this form.
    List(Form),
    /// Check a server.
    Server(Box<ServerConfig>),
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
    pub selection: Selection,
    /// `--allow-remote`
    pub allow_remote: bool,
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
pub fn run(config: Config) -> Result<Exit> {
    match config {
        Config::List(Form::Json) => super::print(&list::json()).map(|_| Exit::Done),
        Config::List(_) => super::print(list::text().trim_end()).map(|_| Exit::Done),
        Config::Server(config) => check(*config),
    }
}

fn check(config: ServerConfig) -> Result<Exit> {
    let baseline = config.output.baseline.as_deref().map(Baseline::read).transpose()?;
    announce_full(&config)?;
    let (selection, output) = (config.selection.clone(), config.output.clone());
    let verbosity = config.verbosity;
    let (url, host) = (config.client.endpoint.to_string(), config.client.endpoint.host.clone());
    let mut bench = bench_for(config)?;
    let (began, started) = (Instant::now(), now());
    let mut observer = |_: &PointResult| {};
    let mut plan = Plan { selection: &selection, observer: &mut observer };
    let Outcome { results, failure } = run::run(&mut bench, &mut plan);
    let mut report = Report {
        url,
        host,
        started,
        time: began.elapsed(),
        full: selection.full,
        is_partial: selection.is_partial(),
        connections: bench.connections,
        traffic: bench.journal.traffic,
        facts: std::mem::take(&mut bench.journal.facts),
        versions: bench.versions(),
        results,
        failure: failure.map(|failure| (failure.exit, failure.words)),
        signal: bench.interrupted.map(Into::into),
        fixed: Vec::new(),
    };
    if let Some(baseline) = baseline {
        if baseline.url != report.url && verbosity.warns() {
            crate::report::warn(&format!(
                "the baseline is of {}",
                report::sanitised(&baseline.url)
            ));
        }
        baseline.apply(&mut report);
    }
    write(&report, &output, verbosity)
}

/// Writes the reports; the exit code of the run.
fn write(report: &Report, output: &Output, verbosity: Verbosity) -> Result<Exit> {
    let detail = match (output.verbose, verbosity) {
        (true, _) => Detail::Much,
        (false, Verbosity::Quiet) => Detail::Little,
        (false, _) => Detail::Usual,
    };
    if let Some(path) = &output.json {
        write_file(path, &(json::render(report, detail) + "\n"))?;
    }
    if let Some(path) = &output.junit {
        write_file(path, &junit::render(report))?;
    }
    let shown = match output.form {
        Form::Text => text::render(report, detail),
        Form::Json => json::render(report, detail),
        Form::Tap => tap::render(report),
    };
    super::print(shown.trim_end())?;
    if let Some((_, words)) = &report.failure {
        crate::report::line(&format!("connecting to {}: {words}", report.url));
    }
    Ok(report.exit())
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
    let client::Options { endpoint, route, .. } = &config.client;
    let is_near = match dial::addresses(endpoint, route) {
        Some(Ok(addresses)) => addresses.iter().all(|address| is_private(address.ip())),
        // A Unix socket is of this machine; where a proxy leads is not known.
        None => route.unix.is_some(),
        // That there is no address is told by the first connection.
        Some(Err(_)) => true,
    };
    ensure!(
        is_near || config.allow_remote,
        Usage::new(
            "--full and the points of its set send broken bytes and load, which can bring a \
             faulty server down: beyond this machine and private networks they need --allow-remote"
        )
    );
    if config.verbosity.warns() {
        crate::report::note(
            "--full sends broken bytes, retained messages and load, and takes about 3 minutes",
        );
    }
    Ok(())
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

fn bench_for(config: ServerConfig) -> Result<Bench> {
    let ServerConfig { client, versions, .. } = config;
    let need_tls = client.endpoint.scheme == Scheme::Wss || client.route.proxies.need_tls();
    let setting = |options: &TlsOptions| {
        let tls = need_tls.then(|| TlsConfig::new(options)).transpose();
        tls.map_err(client::Error::TlsSetup)
    };
    let tls = setting(&client.tls)?;
    let judge = setting(&TlsOptions { insecure: false, ..client.tls.clone() })?;
    let Selection { full, only, .. } = &config.selection;
    let versions_are_asked = !versions.is_empty();
    let all = [Version::V5, Version::V3_1_1, Version::V3_1];
    let tried = all.into_iter().filter(|version| versions.is_empty() || versions.contains(version));
    let target = Target {
        endpoint: client.endpoint,
        route: client.route,
        tls,
        judge,
        is_thorough: *full || !only.is_empty(),
        headers: client.upgrade.headers,
        credentials: client.session.login.credentials,
        authentication: client.session.login.authentication,
        client_id: config.client_id,
        prefix: config.prefix,
        versions: tried.collect(),
        versions_are_asked,
        timeout: config.timeout,
        pause: config.pause,
        connect_timeout: client.limits.timeout,
        idle_time: config.idle_time,
        asks_full: config.selection.asks_full(),
    };
    let journal = Journal::new(config.debug, client.lines.trace);
    Bench::new(target, journal).context("watching for signals")
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
