//! What was done, with which server, on which machine.

use std::fmt::Write;

use crate::command::bench::config::{LoadPace, LoadPlan, SessionKeeping, WindowLength};
use crate::command::bench::course::{LoadCourse, Ramp, RampStep};
use crate::command::bench::judge::ServerPlace;
use crate::command::bench::payload::Sizes;
use crate::command::bench::report::BenchReport;
use crate::command::bench::schedule::ArrivalPattern;
use crate::command::bench::words::{self, plural};

/// Which run, and what was done.
pub fn run(report: &BenchReport<'_>) -> String {
    format!("run {:08x}: {}", report.surroundings.run, plan(report))
}

/// What was done, in one line.
fn plan(report: &BenchReport<'_>) -> String {
    let load = report.load;
    let plan = load.plan;
    let mut parts = Vec::new();
    if plan.publishers + plan.subscribers == 0 {
        parts.push(plural(plan.idle, "connection"));
        if let Some(steps) = course(load.times.course) {
            return format!("at most {} at once, connecting: {steps}", parts[0]);
        }
        parts.extend(load.connect_rate.map(words::rate));
        let held = match load.times.length {
            WindowLength::Time(time) => words::given(time),
            WindowLength::Count(_) => "0 s".to_owned(),
        };
        return parts.join(", ") + &format!(", then held for {held}");
    }
    if plan.own_publishers() > 0 {
        parts.push(plural(plan.publishers, "publisher"));
    }
    if plan.subscribers > 0 {
        parts.push(plural(plan.subscribers, "subscriber"));
        parts.extend(plan.groups.map(|groups| plural(groups, "share group")));
    }
    if plan.idle > 0 {
        parts.push(plural(plan.idle, "idle connection"));
    }
    let written = report.writer().map(|part| format!(" published by part {part}"));
    parts.push(plural(plan.topics, "topic") + &written.unwrap_or_default());
    parts.extend(load.filter.as_ref().map(|filter| format!("filter {filter}")));
    let (qos, sub_qos) = (load.messages.qos.bits(), load.messages.sub_qos.bits());
    parts.push(if qos == sub_qos || plan.subscribers == 0 {
        format!("QoS {qos}")
    } else {
        format!("QoS {qos} to {sub_qos}")
    });
    if plan.own_publishers() > 0 {
        let body = load.messages.body.as_ref().map(|body| format!(" of {}", body.name));
        parts.push(sizes(&load.messages.sizes) + &body.unwrap_or_default());
        parts.push(pace(load));
        let is_open = matches!(load.pace, LoadPace::Open(_));
        let usual = report.surroundings.server.window(load.messages.qos);
        let window = load.messages.window.filter(|window| is_open && Some(*window) != usual);
        parts.extend(window.map(|most| format!("{} in flight each", words::thousands(most))));
    }
    parts.extend(sessions(load.sessions));
    parts.join(", ")
}

/// How long sessions are kept.
fn sessions(sessions: SessionKeeping) -> Option<String> {
    match sessions {
        SessionKeeping::Connection => None,
        SessionKeeping::Kept(u32::MAX) => Some("sessions kept".to_owned()),
        SessionKeeping::Kept(expiry) => {
            Some(format!("sessions kept {} s", words::thousands(expiry.into())))
        }
    }
}

/// How long the messages are.
fn sizes(sizes: &Sizes) -> String {
    let size = |size: usize| words::thousands(size as u64);
    match sizes {
        Sizes::Fixed(bytes) => format!("{} bytes", size(*bytes)),
        Sizes::Range(least, most) => format!("{} to {} bytes", size(*least), size(*most)),
        Sizes::Weighted(all) => {
            let all: Vec<String> = all.iter().map(|(bytes, _)| size(*bytes)).collect();
            format!("{} bytes", all.join("/"))
        }
    }
}

fn pace(load: &LoadPlan) -> String {
    match load.pace {
        LoadPace::Open(offer) => {
            let random = if offer.arrival == ArrivalPattern::Poisson { ", poisson" } else { "" };
            match course(load.times.course) {
                None => format!("open loop at {}{random}", words::rate(offer.rate)),
                Some(steps) => format!("open loop{random}, {steps}"),
            }
        }
        LoadPace::Closed(Some(limit)) => {
            format!("closed loop, {} in flight each", words::thousands(limit))
        }
        LoadPace::Closed(None) => "closed loop".to_owned(),
    }
}

/// The steps, if there are several.
fn course(course: LoadCourse) -> Option<String> {
    match course {
        LoadCourse::Once => None,
        LoadCourse::Ramp(ramp) => Some(self::ramp(ramp)),
        LoadCourse::FindMax { from, .. } => Some(format!("searching from {}", words::rate(from))),
    }
}

/// The server, in one line.
pub fn server(report: &BenchReport<'_>) -> String {
    let server = &report.surroundings.server;
    let mut parts = vec![server.address.clone(), server.scheme.to_owned()];
    if let Some((version, cipher)) = &server.tls {
        parts.push(version.replace("TLSv", "TLS "));
        parts.push(cipher.clone());
    }
    parts.push(match &server.subprotocol {
        Some(name) => format!("subprotocol {name}"),
        None => "no subprotocol".to_owned(),
    });
    parts.push(format!("MQTT {}", server.mqtt));
    parts.extend(server.receive_maximum.map(|most| format!("receive maximum {most}")));
    parts.join(", ")
}

/// This machine, in one line.
pub fn machine(report: &BenchReport<'_>) -> String {
    let machine = &report.surroundings.machine;
    let mut text = plural(machine.cores, "core");
    if let Some(kernel) = &machine.kernel {
        let version: Vec<&str> = kernel.split(['-', '+']).take(1).collect();
        // Writing to a `String` cannot fail.
        let _ = write!(text, ", {} {}", system_name(), version.join(""));
    }
    if let Some(load) = machine.load {
        let _ = write!(text, ", load {load:.1} before the start");
    }
    let place = match report.surroundings.server.place {
        ServerPlace::Here => "this machine",
        ServerPlace::Elsewhere => "another machine",
    };
    let loops = plural(report.results.generator.loops.len().max(1), "loop");
    text + &format!("; {loops}; the server is on {place}")
}

/// `10,000/s to 160,000/s, x2`
fn ramp(ramp: Ramp) -> String {
    let step = match ramp.step {
        RampStep::Plus(more) => format!("+{}", words::rate(more)),
        RampStep::Times(times) => format!("x{times}"),
    };
    format!("{} to {}, {step}", words::rate(ramp.from), words::rate(ramp.to))
}

fn system_name() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        other => other,
    }
}
