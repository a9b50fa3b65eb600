//! `mqttws bench`.

mod around;
mod parts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgGroup, Args, ValueEnum};

use self::around::{IntervalFlags, StepFlags};
use self::parts::{PartFlags, RepetitionFlags};
use super::connection::ConnectionFlags;
use super::crew::CrewFlags;
use super::disturbances::{DisturbanceFlags, scaled};
use super::mqtt::ClientNeeds;
use super::property::GivenProperties;
use super::value;
use crate::command::bench::conditions::{Condition, Tolerated};
use crate::command::bench::config::{
    BenchAction, BenchForm, Comeback, Config, LoadPace, LoadPlan, MaxLateness, MessagePlan,
    RemoteLoad, ReportPlan, RetainUse, TimePlan, WindowLength,
};
use crate::command::bench::course::LoadCourse;
use crate::command::bench::payload::{HEAD, Sizes};
use crate::command::bench::plan::{Audience, Plan};
use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
use crate::exit::Usage;
use crate::mqtt::qos::QoS;
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

    /// Lines while it goes on.
    #[command(flatten)]
    interval: IntervalFlags,

    /// Parts of a run.
    #[command(flatten)]
    parts: PartFlags,

    /// Address and session.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// Shared flags that have no meaning here.
fn hidden(arg: Arg) -> Arg {
    arg.hide(true)
}

/// Connections and topics.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct CrowdFlags {
    /// Connections that publish [default: 1; 0 where --sub or --connect is given]
    #[arg(long = "pub", value_name = "N", value_parser = connections, allow_hyphen_values = true)]
    publishers: Option<usize>,

    /// Connections that subscribe [default: 1; 0 where --pub or --connect is given]
    #[arg(long = "sub", value_name = "N", value_parser = connections, allow_hyphen_values = true)]
    subscribers: Option<usize>,

    /// Connections that only stand
    #[arg(long = "connect", value_name = "N", value_parser = connections,
          allow_hyphen_values = true)]
    idle: Option<usize>,

    /// Topics; of K topics and N connections, connection c takes every topic k with k mod N = c, or
    /// topic c mod K if there are fewer topics than connections [default: as many as publishers]
    #[arg(long, value_name = "K", value_parser = connections, allow_hyphen_values = true)]
    topics: Option<usize>,

    /// Topic names: `%i` is the number of the topic, `%c` that of its first publisher, `%r` the
    /// run, `%%` a percent sign
    #[arg(
        short = 't',
        long = "topic",
        value_name = "PATTERN",
        default_value = "mqttws/bench/%r/%i",
        allow_hyphen_values = true
    )]
    topic: String,

    /// Every subscriber takes all topics
    #[arg(long, action = ArgAction::Count)]
    sub_all: u8,

    /// Subscribers form so many groups that share their subscriptions: each message comes once to a
    /// group, in any order [default: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with = "part",
          default_missing_value = "1",
          value_parser = connections, allow_hyphen_values = true)]
    share_groups: Option<usize>,

    /// Connections a second; `none` makes all at once [default: 1000]
    #[arg(long, value_name = "RATE", value_parser = connect_rate, allow_hyphen_values = true)]
    connect_rate: Option<ConnectRate>,

    /// Allow a load for a server beyond this machine and private networks
    #[arg(long, action = ArgAction::Count)]
    allow_remote: u8,

    /// Print the plan, and connect to nothing
    #[arg(long, action = ArgAction::Count)]
    dry_run: u8,
}

/// The messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct PayloadFlags {
    /// Messages a second, of all publishers together, such as 500, 20k or 1.5M [default: as fast as
    /// they are acknowledged, or arrive]
    #[arg(long, value_name = "RATE", value_parser = message_rate, group = "open",
          allow_hyphen_values = true)]
    rate: Option<f64>,

    /// With `--rate`: at equal distances, or at random ones
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value = "even",
        requires = "open",
        allow_hyphen_values = true
    )]
    arrival: ArrivalKind,

    /// With `--rate`: messages are due at multiples of this time, at most 10ms; 0 costs a wake-up a
    /// message
    #[arg(long, value_name = "TIME", default_value = "100us", value_parser = tick,
          requires = "open", allow_hyphen_values = true)]
    tick: Duration,

    /// Bytes of each payload: 256, 64..1K (any length between), or 64:90,1K:9,64K:1 (lengths with
    /// weights)
    #[arg(long, value_name = "SPEC", default_value = "256", value_parser = sizes,
          allow_hyphen_values = true)]
    size: Sizes,

    /// QoS of publishing
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          allow_hyphen_values = true)]
    qos: QoS,

    /// QoS of subscribing [default: that of publishing]
    #[arg(long, value_name = "QOS", value_parser = value::qos, allow_hyphen_values = true)]
    sub_qos: Option<QoS>,

    /// Let the broker retain every message; what is retained is removed at the end
    #[arg(short, long, action = ArgAction::Count)]
    retain: u8,

    /// Set a retained message for each topic before the subscribers subscribe: each must come once;
    /// they are removed at the end
    #[arg(long, action = ArgAction::Count, conflicts_with = "share_groups")]
    retained: u8,

    /// Where everything random begins; the same number gives the same run [default: random]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<u64>,
}

/// How long it takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct TimeFlags {
    /// How long is measured, or how long the connections of `--connect` stand
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = window,
          allow_hyphen_values = true)]
    length: Duration,

    /// Measure until so many messages are sent
    #[arg(short = 'C', long, value_name = "N", value_parser = value::count,
          conflicts_with = "length", allow_hyphen_values = true)]
    count: Option<u64>,

    /// Send for this time before it is measured [default: 2s, and 0 with -C]
    #[arg(long, value_name = "TIME", value_parser = value::duration, allow_hyphen_values = true)]
    warmup: Option<Duration>,

    /// How long to wait for what is missing, since the last arrival
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration,
          allow_hyphen_values = true)]
    drain: Duration,
}

/// What fails the run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judgement")]
struct JudgementFlags {
    /// Exit with 1 if one of these is true, such as `p99>20ms,rate<20k`; without data it is
    ///
    /// METRIC OP VALUE; OP is one of > >= < <= == !=. Metrics: p50, p99.9 and the like, max, mean
    /// (of delivery, else of acknowledgement, else of connecting; or ack.p99, connect.p99, tls.p99,
    /// suback.p99, lateness.p99, cut.p99), lost, lost%, missed, duplicated, reordered, corrupted,
    /// unsent, refused, failed, disconnected, connected, rate, `sent_rate`, cpu, rss. Units: ns us
    /// ms s, %, k M, KiB MiB.
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    fail: Vec<Condition>,

    /// Do not fail by these: failed, disconnected, corrupted, unsent, overload, lost, duplicated,
    /// reordered
    ///
    /// Each of them fails a run that has any; lost only at QoS 1 and 2, duplicated only at QoS 0
    /// and 2.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', allow_hyphen_values = true)]
    tolerate: Vec<Tolerated>,

    /// How late the generator itself may be (p99), or `never` [default: 1ms, or a tenth of the
    /// latency]
    #[arg(long, value_name = "TIME", value_parser = max_lateness, allow_hyphen_values = true)]
    max_lateness: Option<MaxLateness>,
}

/// The reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct BenchOutputFlags {
    /// Print a JSON object instead of the text, or write it into this file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    json: Option<Vec<PathBuf>>,

    /// Write percentiles into files that begin with this: PREFIX.delivery.hgrm, .ack.hgrm,
    /// .connect.hgrm, .lateness.hgrm
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    hgrm: Option<PathBuf>,
}

/// How messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArrivalKind {
    /// At equal distances.
    Even,
    /// At random.
    Poisson,
}

/// Connections a second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ConnectRate {
    /// So many.
    Limited(f64),
    /// All at once.
    None,
}

impl ConnectRate {
    fn limit(self) -> Option<f64> {
        match self {
            Self::Limited(rate) => Some(rate),
            Self::None => None,
        }
    }
}

/// Connections a second, unless a rate is given.
const CONNECT_RATE: f64 = 1000.0;

/// The most connections of a kind, and topics.
const MOST: usize = 1_000_000;

/// The highest rate.
const HIGHEST_RATE: f64 = 1e7;

/// The largest payload, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Messages of a publisher that are not finished, in a closed loop: a reader remembers as many one
/// by one.
const IN_FLIGHT: u64 = 1000;

fn connections(text: &str) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|number| *number <= MOST)
        .ok_or_else(|| "expected a number from 0 to 1000000".to_owned())
}

fn message_rate(text: &str) -> Result<f64, String> {
    scaled(text)
        .filter(|rate| *rate <= HIGHEST_RATE)
        .ok_or_else(|| "expected messages a second, such as 500, 20k or 1.5M, up to 10M".to_owned())
}

fn connect_rate(text: &str) -> Result<ConnectRate, String> {
    if text == "none" {
        return Ok(ConnectRate::None);
    }
    scaled(text)
        .map(ConnectRate::Limited)
        .ok_or_else(|| "expected connections a second, such as 500 or 2k, or none".to_owned())
}

fn tick(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_millis(10);
    let micros = text.strip_suffix("us").and_then(|number| number.parse().ok());
    let time = micros.map_or_else(|| value::duration(text), |us| Ok(Duration::from_micros(us)));
    time.ok()
        .filter(|time| *time <= longest)
        .ok_or_else(|| "expected a time from 0 to 10ms, such as 100us".to_owned())
}

fn window(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(86_400));
    value::duration(text)
        .ok()
        .filter(|time| (least..=most).contains(time))
        .ok_or_else(|| "expected a time from 100ms to 24h".to_owned())
}

fn max_lateness(text: &str) -> Result<MaxLateness, String> {
    if text == "never" { Ok(MaxLateness::Never) } else { tick_free(text).map(MaxLateness::Time) }
}

/// A time, also in microseconds.
fn tick_free(text: &str) -> Result<Duration, String> {
    let micros = text.strip_suffix("us").and_then(|number| number.parse().ok());
    micros.map_or_else(|| value::timeout(text), |us| Ok(Duration::from_micros(us)))
}

/// A number of bytes with `K` or `M`.
fn bytes(text: &str) -> Option<usize> {
    let (number, factor) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1024),
        b'M' => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    let size = number.parse::<usize>().ok()?.checked_mul(factor)?;
    (HEAD..=LARGEST).contains(&size).then_some(size)
}

fn sizes(text: &str) -> Result<Sizes, String> {
    let parsed = || {
        if let Some((least, most)) = text.split_once("..") {
            let (least, most) = (bytes(least)?, bytes(most)?);
            return (least <= most).then_some(Sizes::Range(least, most));
        }
        if !text.contains(':') {
            return bytes(text).map(Sizes::Fixed);
        }
        let sizes: Option<Vec<(usize, u32)>> = text
            .split(',')
            .map(|part| {
                let (size, weight) = part.split_once(':')?;
                let weight = weight.parse().ok().filter(|weight| (1..=1_000_000).contains(weight));
                Some((bytes(size)?, weight?))
            })
            .collect();
        sizes.map(Sizes::Weighted)
    };
    parsed().ok_or_else(|| {
        "expected bytes from 32 to 16M: 256, 64..1K, or 64:90,1K:9,64K:1 with weights".to_owned()
    })
}

/// Each group of a shared subscription needs a member.
fn check_groups(groups: Option<usize>, subscribers: usize) -> Result<()> {
    if let Some(groups) = groups {
        let why =
            format!("--share-groups: {groups} groups of {subscribers} subscribers: each needs one");
        ensure!((1..=subscribers).contains(&groups), Usage::new(why));
    }
    Ok(())
}

impl CrowdFlags {
    fn plan(&self) -> Result<Plan> {
        let given = [self.publishers, self.subscribers, self.idle];
        let is_default = given.iter().all(Option::is_none);
        let [publishers, subscribers, idle] = given.map(Option::unwrap_or_default);
        let (publishers, subscribers) = if is_default { (1, 1) } else { (publishers, subscribers) };
        ensure!(
            publishers + subscribers + idle > 0,
            Usage::new("--pub, --sub, --connect: there is no connection")
        );
        let usual = if publishers > 0 { publishers } else { subscribers };
        let topics = self.topics.unwrap_or(usual);
        ensure!(
            topics > 0 || publishers + subscribers == 0,
            Usage::new("--topics: expected at least 1")
        );
        check_groups(self.share_groups, subscribers)?;
        let audience = if self.sub_all > 0 { Audience::Everyone } else { Audience::Shared };
        Ok(Plan {
            publishers,
            subscribers,
            idle,
            topics: topics.max(1),
            audience,
            groups: self.share_groups,
        })
    }
}

impl PayloadFlags {
    fn pace(&self, rate: Option<f64>, max_inflight: Option<u64>, plan: &Plan) -> LoadPace {
        let Some(rate) = rate else {
            let has_answers = self.qos > QoS::AtMostOnce || plan.subscribers > 0;
            return LoadPace::Closed(has_answers.then(|| max_inflight.unwrap_or(IN_FLIGHT)));
        };
        let arrival = match self.arrival {
            ArrivalKind::Even => ArrivalPattern::Even,
            ArrivalKind::Poisson => ArrivalPattern::Poisson,
        };
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or_default();
        LoadPace::Open(OfferedRate { rate, arrival, tick })
    }

    fn plan(&self) -> MessagePlan {
        let (qos, sizes) = (self.qos, self.size.clone());
        let retain = match (self.retain, self.retained) {
            (0, 0) => RetainUse::Nothing,
            (_, 0) => RetainUse::Every,
            (0, _) => RetainUse::Before,
            (_, _) => RetainUse::Both,
        };
        MessagePlan { qos, sub_qos: self.sub_qos.unwrap_or(qos), sizes, retain }
    }
}

impl TimeFlags {
    fn plan(&self, course: LoadCourse) -> TimePlan {
        let usual = if self.count.is_some() { Duration::ZERO } else { Duration::from_secs(2) };
        TimePlan {
            length: self.count.map_or(WindowLength::Time(self.length), WindowLength::Count),
            warmup: self.warmup.unwrap_or(usual),
            drain: self.drain,
            course,
        }
    }
}

impl BenchFlags {
    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(mut self) -> Result<(Config, Vec<String>)> {
        self.check_hidden()?;
        let fleet = self.crew.plan(&mut self.connection)?;
        let version_5 = self.disturbances.needs_version_5().into_iter().collect();
        let needs = ClientNeeds { version_5, ..ClientNeeds::new(Lifetime::Connection) };
        let (clients, warnings) =
            self.connection.resolve_each(&needs, &GivenProperties::default())?;
        let whole = self.crowd.plan()?;
        let seed = self.messages.seed.or_else(|| self.parts.seed());
        let (plan, runs) = self.parts.plan(whole, &self.repetition)?;
        let max_inflight = self.connection.max_inflight().map(|limit| u64::from(limit.get()));
        let tries = clients.first().and_then(|client| client.limits.reconnect.tries);
        let (rate, course) = self.steps.course(self.messages.rate);
        let times = self.times.plan(course);
        let comeback_rate = self.crowd.connect_rate.and_then(ConnectRate::limit);
        let load = LoadPlan {
            plan,
            topic: self.crowd.topic.clone(),
            messages: self.messages.plan(),
            pace: parts::pace(self.messages.pace(rate, max_inflight, &plan), runs.part),
            times: TimePlan { length: parts::length(times.length, runs.part), ..times },
            connect_rate: self.crowd.connect_rate.map_or(Some(CONNECT_RATE), ConnectRate::limit),
            comeback: if tries == Some(0) { Comeback::Never } else { Comeback::Soon },
            sessions: self.disturbances.sessions(),
            disturbances: self.disturbances.plan(&plan, times.length, comeback_rate)?,
            seed: seed.unwrap_or_else(|| fastrand::u64(..1 << 53)),
            action: if self.crowd.dry_run > 0 { BenchAction::Print } else { BenchAction::Run },
        };
        StepFlags::check(&load)?;
        let is_json = self.output.json.as_ref().is_some_and(Vec::is_empty);
        let secrets: Vec<String> = clients.iter().flat_map(secrets).collect();
        let report = ReportPlan {
            form: if is_json { BenchForm::Json } else { BenchForm::Text },
            json: self.output.json.iter().flatten().next().cloned(),
            hgrm: self.output.hgrm,
            baseline: self.repetition.baseline(&self.judgement.fail)?,
            conditions: self.judgement.fail,
            tolerated: self.judgement.tolerate,
            haste: self.repetition.haste(),
            interval: self.interval.interval(),
            max_lateness: self.judgement.max_lateness.unwrap_or(MaxLateness::Usual),
            arguments: masked(std::env::args_os(), &secrets),
        };
        let remote =
            if self.crowd.allow_remote > 0 { RemoteLoad::Allowed } else { RemoteLoad::Spared };
        let verbosity = self.connection.verbosity();
        Ok((Config { clients, fleet, remote, load, report, runs, verbosity }, warnings))
    }

    /// Refuses shared flags that have no meaning here.
    fn check_hidden(&self) -> Result<()> {
        if self.connection.debug() > 0 {
            return Err(Usage::new("--debug: bench decides this itself").into());
        }
        if let Some(flag) = self.connection.given_command() {
            return Err(Usage::new(format!("{flag}: bench has one address and one login")).into());
        }
        Ok(())
    }
}

/// What the report must not show of the command line.
fn secrets(client: &crate::client::Options) -> Vec<String> {
    let headers = client.upgrade.headers.iter().map(|(_, value)| value.clone());
    client.session.secrets().into_iter().chain(headers).collect()
}

/// Flags whose value is a secret, or may hold one.
const SECRET_FLAGS: &str = "-P --pw --password --bearer --basic-auth -H --header --proxy";

/// The words of the command line with secrets masked.
fn masked(words: impl Iterator<Item = OsString>, secrets: &[String]) -> Vec<String> {
    let is_secret = |word: &str| SECRET_FLAGS.split(' ').any(|flag| flag == word);
    let mut hides_next = false;
    let mut masked: Vec<String> = Vec::new();
    for word in words {
        let word = word.to_string_lossy().into_owned();
        let hides = std::mem::replace(&mut hides_next, is_secret(&word));
        masked.push(if hides { "***".to_owned() } else { masked_word(word, secrets) });
    }
    if let Some(program) = masked.first_mut() {
        "mqttws".clone_into(program);
    }
    masked
}

fn masked_word(word: String, secrets: &[String]) -> String {
    let flag = word.split_once('=').map(|(flag, _)| flag);
    if let Some(flag) = flag.filter(|flag| SECRET_FLAGS.split(' ').any(|it| it == *flag)) {
        return format!("{flag}=***");
    }
    if word.len() > 2 && (word.starts_with("-P") || word.starts_with("-H")) {
        return format!("{}***", &word[..2]);
    }
    let word = without_user_info(word);
    secrets.iter().filter(|secret| !secret.is_empty()).fold(word, |word, secret| {
        if word.contains(secret.as_str()) && secret.len() > 2 {
            word.replace(secret.as_str(), "***")
        } else {
            word
        }
    })
}

/// A URL without the password before its host.
fn without_user_info(word: String) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user_info, _)) => format!("{scheme}://***{}", &rest[user_info.len()..]),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(message_rate("20k"), Ok(20_000.0));
        assert_eq!(message_rate("1.5M"), Ok(1_500_000.0));
        assert_eq!(message_rate("0.5"), Ok(0.5));
        for wrong in ["", "0", "-1", "k", "11M", "1e3", "inf", "NaN", "20K"] {
            assert!(message_rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(connect_rate("none"), Ok(ConnectRate::None));
        assert_eq!(tick("100us"), Ok(Duration::from_micros(100)));
        assert_eq!(tick("0"), Ok(Duration::ZERO));
        assert!(tick("11ms").is_err());
        assert_eq!(window("24h"), Ok(Duration::from_secs(86_400)));
        assert!(window("99ms").is_err() && window("25h").is_err() && window("x").is_err());
    }

    #[test]
    fn sizes_are_one_a_range_or_weighted() {
        assert_eq!(sizes("256"), Ok(Sizes::Fixed(256)));
        assert_eq!(sizes("64..1K"), Ok(Sizes::Range(64, 1024)));
        let weighted = Sizes::Weighted(vec![(64, 90), (1024, 9), (65_536, 1)]);
        assert_eq!(sizes("64:90,1K:9,64K:1"), Ok(weighted));
        for wrong in ["", "31", "17M", "1K..64", "64:0", "64:1,", "64:x", "64..", "x"] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_of_the_command_line_are_masked() {
        let words = [
            "/usr/bin/mqttws",
            "bench",
            "ws://me:geheim@host/x@y",
            "-P",
            "geheim",
            "-Pgeheim",
            "--pw=geheim",
            "-H",
            "Authorization: geheim",
            "-t",
            "a/geheim/%i",
            "--pub",
            "3",
        ];
        let words = words.into_iter().map(OsString::from);
        let masked = masked(words, &["geheim".to_owned()]);
        assert!(!masked.join(" ").contains("geheim"), "{masked:?}");
        assert_eq!(masked[0], "mqttws");
        assert_eq!(masked[2], "ws://***@host/x@y");
        assert_eq!(masked[10], "a/***/%i");
    }
}
