//! The flags of `bench` for its messages.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{ArgAction, Args, ValueEnum};

use crate::cli::disturbances::scaled;
use crate::cli::property::GivenProperties;
use crate::cli::value::{self, MostInFlight};
use crate::command::bench::config::{
    BodyFile, LoadPace, LoadPlan, MessagePlan, MessageProperties, RetainUse,
};
use crate::command::bench::payload::Verification;
use crate::command::bench::payload::{HEAD, Sizes};
use crate::command::bench::plan::Plan;
use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
use crate::exit::Usage;
use crate::mqtt::property::Place;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::TopicAliasUse;

/// The messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct PayloadFlags {
    /// Messages a second, of all publishers together, such as 500, 20k or 1.5M [default: as fast as
    /// they are acknowledged, or arrive]
    #[arg(long, value_name = "RATE", value_parser = message_rate, group = "open",
          allow_hyphen_values = true)]
    pub rate: Option<f64>,

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

    /// Fill the payloads with slices of this file in place of random bytes; each still begins with
    /// the 32 bytes by which it is verified
    #[arg(long, value_name = "FILE", value_parser = value::file(), allow_hyphen_values = true)]
    body: Option<PathBuf>,

    /// Verify each message, or only count what comes: then payloads may be shorter than 32 bytes,
    /// which leaves no room for the time at which they were due
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value = "full",
        allow_hyphen_values = true
    )]
    verify: VerifyKind,

    /// Send each topic once and then an alias for it, as far as the broker allows (MQTT 5)
    #[arg(long, action = ArgAction::Count)]
    topic_alias: u8,

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
    #[arg(long, value_name = "N", value_parser = seed, allow_hyphen_values = true)]
    pub seed: Option<u64>,
}

/// How messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArrivalKind {
    /// At equal distances.
    Even,
    /// At random.
    Poisson,
}

/// What is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerifyKind {
    /// Each message.
    Full,
    /// Nothing.
    None,
}

/// The highest rate.
const HIGHEST_RATE: f64 = 1e7;

/// The largest payload, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Messages of a publisher that are not finished, in a closed loop: a reader remembers as many one
/// by one.
const IN_FLIGHT: u64 = 1000;

fn message_rate(text: &str) -> Result<f64, String> {
    scaled(text)
        .filter(|rate| *rate <= HIGHEST_RATE)
        .ok_or_else(|| "expected messages a second, such as 500, 20k or 1.5M, up to 10M".to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

fn tick(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_millis(10);
    let micros = text.strip_suffix("us").and_then(|number| number.parse().ok());
    let time = micros.map_or_else(|| value::duration(text), |us| Ok(Duration::from_micros(us)));
    time.ok()
        .filter(|time| *time <= longest)
        .ok_or_else(|| "expected a time from 0 to 10ms, such as 100us".to_owned())
}

/// A number of bytes with `K` or `M`.
fn bytes(text: &str) -> Option<usize> {
    let (number, factor) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1024),
        b'M' => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    let size = number.parse::<usize>().ok()?.checked_mul(factor)?;
    (size <= LARGEST).then_some(size)
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
        "expected bytes up to 16M: 256, 64..1K, or 64:90,1K:9,64K:1 with weights".to_owned()
    })
}

impl PayloadFlags {
    /// When messages are sent, at this rate.
    pub fn pace(
        &self,
        rate: Option<f64>,
        max_inflight: Option<MostInFlight>,
        plan: &Plan,
    ) -> LoadPace {
        let Some(rate) = rate else {
            let has_answers = self.qos > QoS::AtMostOnce || plan.subscribers > 0;
            let most = max_inflight.map_or(Some(IN_FLIGHT), limit);
            return LoadPace::Closed(most.filter(|_| has_answers));
        };
        let arrival = match self.arrival {
            ArrivalKind::Even => ArrivalPattern::Even,
            ArrivalKind::Poisson => ArrivalPattern::Poisson,
        };
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or_default();
        LoadPace::Open(OfferedRate { rate, arrival, tick })
    }

    /// The messages, with these properties.
    pub fn plan(
        &self,
        max_inflight: Option<MostInFlight>,
        given: &GivenProperties,
    ) -> Result<MessagePlan> {
        let (qos, sizes) = (self.qos, self.size.clone());
        let retain = match (self.retain, self.retained) {
            (0, 0) => RetainUse::Nothing,
            (_, 0) => RetainUse::Every,
            (0, _) => RetainUse::Before,
            (_, _) => RetainUse::Both,
        };
        let body = self.body.as_deref().map(body).transpose()?;
        let window = max_inflight.and_then(limit);
        let sub_qos = self.sub_qos.unwrap_or(qos);
        let properties = message_properties(given)?;
        let verification = self.verification()?;
        Ok(MessagePlan { qos, sub_qos, sizes, verification, body, window, properties, retain })
    }

    /// What is verified; short messages cannot be.
    fn verification(&self) -> Result<Verification> {
        let least = self.size.least();
        let has_retained = self.retained > 0;
        match self.verify {
            VerifyKind::Full => {
                let why = format!("--size {least}: at least {HEAD} bytes, or --verify none");
                ensure!(least >= HEAD, Usage::new(why));
                Ok(Verification::Full)
            }
            VerifyKind::None => {
                let why = "--verify none: --retained is about which messages come";
                ensure!(!has_retained, Usage::new(why));
                Ok(Verification::None)
            }
        }
    }

    /// Refuses a window of messages of which nobody knows which has arrived.
    pub fn check_window(plan: &LoadPlan) -> Result<()> {
        let has_window = match plan.pace {
            LoadPace::Closed(limit) => limit.is_some(),
            LoadPace::Open(_) => plan.messages.window.is_some(),
        };
        let is_blind = plan.messages.qos == QoS::AtMostOnce && !plan.messages.have_heads();
        let why = "--size: at QoS 0 nobody knows whose message of under 32 bytes has arrived: \
                   add -M none, -q 1 or --rate without -M";
        ensure!(!(has_window && is_blind), Usage::new(why));
        Ok(())
    }

    /// Whether topics are sent as aliases.
    pub fn topic_aliases(&self) -> TopicAliasUse {
        if self.topic_alias > 0 { TopicAliasUse::AsAllowed } else { TopicAliasUse::Never }
    }
}

/// `none`, or a number as everywhere.
pub fn in_flight(text: &str) -> Result<MostInFlight, String> {
    if text == "none" {
        return Ok(MostInFlight::Unlimited);
    }
    value::in_flight(text).map_err(|why| format!("{why}, or none"))
}

/// The same number, as wide as numbers of messages are; `None` is without limit.
fn limit(most: MostInFlight) -> Option<u64> {
    match most {
        MostInFlight::Count(count) => Some(count.get().into()),
        MostInFlight::Unlimited => None,
    }
}

/// The file of `--body`.
fn body(path: &Path) -> Result<BodyFile> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path);
    // One byte more shows that it is too large; some files have no end.
    let read = file.and_then(|file| file.take(1 + LARGEST as u64).read_to_end(&mut bytes));
    read.with_context(|| format!("--body: reading {name}"))?;
    ensure!(!bytes.is_empty(), Usage::new(format!("--body: {name} is empty")));
    ensure!(bytes.len() <= LARGEST, Usage::new(format!("--body: {name} has more than 16 MiB")));
    Ok(BodyFile { name, bytes: bytes.into() })
}

/// The properties of PUBLISH, SUBSCRIBE and the wills.
fn message_properties(given: &GivenProperties) -> Result<MessageProperties> {
    let publish = given.of(Place::Publish);
    ensure!(
        publish.topic_alias().is_none(),
        Usage::new("-D publish topic-alias: --topic-alias gives each topic its own")
    );
    ensure!(
        given.of(Place::Unsubscribe).is_empty(),
        Usage::new("-D unsubscribe: bench sends no UNSUBSCRIBE")
    );
    ensure!(
        given.of(Place::Connect).session_expiry_interval().is_none(),
        Usage::new("-D connect session-expiry-interval: give -x")
    );
    let (subscribe, will) = (given.of(Place::Subscribe), given.of(Place::Will));
    Ok(MessageProperties { publish, subscribe, will })
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
        assert_eq!(tick("100us"), Ok(Duration::from_micros(100)));
        assert_eq!(tick("0"), Ok(Duration::ZERO));
        assert!(tick("11ms").is_err());
    }

    #[test]
    fn sizes_are_one_a_range_or_weighted() {
        assert_eq!(sizes("256"), Ok(Sizes::Fixed(256)));
        assert_eq!(sizes("64..1K"), Ok(Sizes::Range(64, 1024)));
        let weighted = Sizes::Weighted(vec![(64, 90), (1024, 9), (65_536, 1)]);
        assert_eq!(sizes("64:90,1K:9,64K:1"), Ok(weighted));
        for wrong in ["", "-1", "17M", "1K..64", "64:0", "64:1,", "64:x", "64..", "x"] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
    }
}
