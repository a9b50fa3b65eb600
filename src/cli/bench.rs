//! `mqttws bench`.

mod arguments;
mod around;
mod crowd;
mod judgement;
mod messages;
mod parts;

use std::time::Duration;

use anyhow::Result;
use clap::{Arg, ArgGroup, Args};

use self::arguments::{masked, secrets};
use self::around::StepFlags;
use self::crowd::CrowdFlags;
use self::judgement::{BenchOutputFlags, JudgementFlags, TimeFlags};
use self::messages::{PayloadFlags, in_flight};
use self::parts::{PartFlags, RepetitionFlags};
use super::connection::ConnectionFlags;
use super::crew::CrewFlags;
use super::disturbances::DisturbanceFlags;
use super::mqtt::ClientNeeds;
use super::property::PropertyFlags;
use crate::client;
use crate::command::bench::config::{
    BenchForm, Comeback, Config, LoadPlan, MaxLateness, ReportPlan, TimePlan,
};
use crate::exit::Usage;
use crate::mqtt::property::Place;
use crate::mqtt::session::Lifetime;

/// Put a load on a broker: how many connections and messages it carries, at which latency, and what
/// it loses.
///
/// Every message is verified. With `--rate` latency counts from the time at which a message was to
/// be sent; without it each publisher sends as soon as the broker has taken what it sent before,
/// and only service times are measured. The generator measures itself, too: a run that proves
/// nothing is INVALID.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    // What makes an open loop; --find-max may begin at --rate.
    group = ArgGroup::new("open").multiple(true),
    // There is no load with --merge.
    mut_arg("merge", |arg| arg.conflicts_with_all([
        "publishers", "subscribers", "idle", "topics", "filter", "sub_all", "share_groups",
        "connect_rate", "size", "body", "retained", "length", "count", "warmup", "drain", "cuts",
        "stalls", "churn", "will", "users", "loops", "fail_fast", "interval",
    ])),
    mut_arg("follow", hidden),
    mut_arg("proxy", hidden),
    mut_arg("no_proxy", hidden),
    mut_arg("bind", |arg| arg.value_name("ADDRESS[,ADDRESS]").help(
        "Connect from these local addresses, which are dealt to the connections in turn"
    )),
    mut_arg("url_flag", |arg| arg.help(
        "The same as URL; again and again for several servers, to which the connections are dealt \
         in turn"
    ).long_help(None::<&str>)),
    mut_arg("id", |arg| arg.help("Client id of each connection; `%c` is its number")
        .long_help(None::<&str>)),
    mut_arg("max_inflight", |arg| arg.value_parser(in_flight).help(
        "Unfinished messages of a publisher; at QoS 0 those that have not arrived, and a later one \
         that has finishes those before it [default: 1000 as fast as they are taken; no limit at \
         QoS 0 with --rate]"
    ).long_help(
        "Unfinished messages of a publisher; at QoS 0 those that have not arrived, and a later one \
         that has finishes those before it [default: 1000 as fast as they are taken; no limit at \
         QoS 0 with --rate]\n\n`none` floods. With --rate messages for which there is no room \
         wait, and keep their intended time. At QoS 0 a second in which nothing arrives makes room."
    )),
    mut_arg("id_prefix", hidden),
    mut_arg("will_topic", hidden),
    mut_arg("will_payload", hidden),
    mut_arg("will_file", hidden),
    mut_arg("will_qos", hidden),
    mut_arg("will_retain", hidden),
    mut_arg("will_delay", hidden),
    mut_arg("reconnect_delay", hidden),
    mut_arg("reconnect_tries", hidden),
    mut_arg("debug", |arg| hidden(arg.short(None::<char>)))
)]
pub struct BenchFlags {
    /// Connections and topics.
    #[command(flatten)]
    crowd: CrowdFlags,

    /// Who the connections are.
    #[command(flatten)]
    crew: CrewFlags,

    /// The messages.
    #[command(flatten)]
    messages: PayloadFlags,

    /// How long it takes.
    #[command(flatten)]
    times: TimeFlags,

    /// Steps of rates.
    #[command(flatten)]
    steps: StepFlags,

    /// What is done to connections.
    #[command(flatten)]
    disturbances: DisturbanceFlags,

    /// What fails the run.
    #[command(flatten)]
    judgement: JudgementFlags,

    /// An early end, runs in turn, and an earlier one.
    #[command(flatten)]
    repetition: RepetitionFlags,

    /// The reports.
    #[command(flatten)]
    output: BenchOutputFlags,

    /// Parts of a run.
    #[command(flatten)]
    parts: PartFlags,

    /// Properties.
    #[command(flatten)]
    properties: PropertyFlags,

    /// Address and session.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// Shared flags that have no meaning here.
fn hidden(arg: Arg) -> Arg {
    arg.hide(true)
}

/// What is printed, and what fails the run.
fn report(
    clients: &[client::Options],
    output: BenchOutputFlags,
    judgement: JudgementFlags,
    repetition: &RepetitionFlags,
    interval: Option<Duration>,
) -> Result<ReportPlan> {
    let is_json = output.json.as_ref().is_some_and(Vec::is_empty);
    let secrets: Vec<String> = clients.iter().flat_map(secrets).collect();
    Ok(ReportPlan {
        form: if is_json { BenchForm::Json } else { BenchForm::Text },
        json: output.json.iter().flatten().next().cloned(),
        hgrm: output.hgrm,
        baseline: repetition.baseline(&judgement.fail)?,
        conditions: judgement.fail,
        tolerated: judgement.tolerate,
        haste: repetition.haste(),
        interval,
        max_lateness: judgement.max_lateness.unwrap_or(MaxLateness::Usual),
        arguments: masked(std::env::args_os(), &secrets),
    })
}

impl BenchFlags {
    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(mut self) -> Result<(Config, Vec<String>)> {
        self.check_hidden()?;
        let fleet = self.crew.plan(&mut self.connection)?;
        let version_5 = self.disturbances.needs_version_5().into_iter().collect();
        let needs = ClientNeeds {
            version_5,
            topic_aliases: self.messages.topic_aliases(),
            ..ClientNeeds::new(Lifetime::Connection)
        };
        let properties = self.properties.parsed()?;
        let max_inflight = self.connection.max_inflight();
        let messages = self.messages.plan(max_inflight, &properties)?;
        self.disturbances.check_will(&messages.properties.will)?;
        let (clients, warnings) =
            self.connection.resolve_each(&needs, &properties.without(Place::Will))?;
        let whole = self.crowd.plan()?;
        let seed = self.messages.seed.or_else(|| self.parts.seed());
        let (plan, runs) = self.parts.plan(whole, &self.repetition)?;
        let tries = clients.first().and_then(|client| client.limits.reconnect.tries);
        let (rate, course) = self.steps.course(self.messages.rate, &plan, &self.crowd)?;
        let times = self.times.plan(course);
        let comeback_rate = self.crowd.comeback_rate();
        let load = LoadPlan {
            plan,
            topic: self.crowd.topic.clone(),
            filter: self.crowd.filter.clone(),
            messages,
            pace: parts::pace(
                self.messages.pace(rate, max_inflight, &plan),
                runs.part,
                &runs.whole,
            ),
            times: TimePlan {
                length: parts::length(times.length, runs.part, &runs.whole),
                ..times
            },
            connect_rate: course.first_of_connecting().or_else(|| self.crowd.connect_rate()),
            comeback: if tries == Some(0) { Comeback::Never } else { Comeback::Soon },
            sessions: self.disturbances.sessions(),
            disturbances: self.disturbances.plan(
                &runs.whole,
                runs.part,
                times.length,
                comeback_rate,
            )?,
            seed: seed.unwrap_or_else(|| fastrand::u64(..1 << 53)),
            action: self.crowd.action(),
        };
        StepFlags::check(&load)?;
        PayloadFlags::check_window(&load)?;
        parts::check_retained(&load)?;
        let remote = self.crowd.remote();
        let verbosity = self.connection.verbosity();
        let interval = self.output.interval.interval();
        let report = report(&clients, self.output, self.judgement, &self.repetition, interval)?;
        Ok((Config { clients, fleet, remote, load, report, runs, verbosity }, warnings))
    }

    /// Refuses shared flags that have no meaning here.
    fn check_hidden(&self) -> Result<()> {
        if let Some(flag) = self.connection.given_against_bench() {
            return Err(
                Usage::new(format!("{flag}: not with bench, which decides it itself")).into()
            );
        }
        if let Some(flag) = self.connection.given_command() {
            return Err(Usage::new(format!("{flag}: bench has one address and one login")).into());
        }
        Ok(())
    }
}
