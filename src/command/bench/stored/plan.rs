//! What was done, where, and with which server.

use std::time::Duration;

use bytes::Bytes;

use super::value::StoredMember;
use crate::command::bench::config::{
    BenchAction, BodyFile, Comeback, LoadPace, LoadPlan, MessagePlan, MessageProperties, RetainUse,
    SessionKeeping, TimePlan, WindowLength,
};
use crate::command::bench::course::LoadCourse;
use crate::command::bench::disturbances::Disturbances;
use crate::command::bench::judge::ServerPlace;
use crate::command::bench::machine::Machine;
use crate::command::bench::payload::Sizes;
use crate::command::bench::payload::Verification;
use crate::command::bench::plan::{Audience, Plan, WriterPlace};
use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
use crate::command::bench::server::BenchServer;
use crate::mqtt::qos::QoS;

/// The most connections of a kind, topics, and bytes of a payload.
const MOST: usize = 16 * 1024 * 1024;

/// The load.
pub fn load(whole: &StoredMember<'_>) -> Result<LoadPlan, String> {
    let plan = whole.get("plan")?;
    let count = |name: &str| plan.get(name)?.up_to(MOST);
    let is_taken_by_all = plan.get("sub_all")?.truth()?;
    let filter = plan.read("filter", |filter| filter.text().map(str::to_owned))?;
    let comes_back = plan.get("reconnect")?.truth()?;
    Ok(LoadPlan {
        plan: Plan {
            publishers: count("publishers")?,
            writers: WriterPlace::Here,
            subscribers: count("subscribers")?,
            idle: count("idle")?,
            topics: count("topics")?,
            groups: plan.read("share_groups", |groups| groups.up_to(MOST))?,
            audience: match &filter {
                Some(_) => Audience::Filtered,
                None if is_taken_by_all => Audience::Everyone,
                None => Audience::Shared,
            },
        },
        topic: String::new(),
        filter,
        messages: MessagePlan {
            qos: qos(&plan.get("qos")?)?,
            sub_qos: qos(&plan.get("sub_qos")?)?,
            sizes: sizes(&plan.get("size")?)?,
            verification: verification(&plan)?,
            body: plan.read("body", |body| {
                Ok(BodyFile { name: body.text()?.to_owned(), bytes: Bytes::new() })
            })?,
            // They change nothing of what is compared.
            retain: RetainUse::Nothing,
            window: plan.read("inflight", StoredMember::count)?,
            properties: MessageProperties::default(),
        },
        pace: pace(&plan)?,
        times: times(&plan)?,
        connect_rate: plan.read("connect_rate", StoredMember::real)?,
        comeback: if comes_back { Comeback::Soon } else { Comeback::Never },
        sessions: match plan.get("session_expiry")?.up_to(u32::MAX as usize)? {
            0 => SessionKeeping::Connection,
            expiry => SessionKeeping::Kept(u32::try_from(expiry).unwrap_or(u32::MAX)),
        },
        disturbances: Disturbances {
            churn: super::disturbances::churn_rate(whole)?,
            ..Disturbances::default()
        },
        seed: whole.get("seed")?.long()?,
        action: BenchAction::Run,
    })
}

pub(super) fn qos(member: &StoredMember<'_>) -> Result<QoS, String> {
    let bits = u8::try_from(member.count()?).ok();
    bits.and_then(QoS::from_bits).ok_or_else(|| member.wrong("0, 1 or 2"))
}

/// `256`, `64..1024`, `64:90,1024:9`
fn sizes(member: &StoredMember<'_>) -> Result<Sizes, String> {
    let text = member.text()?;
    let size = |text: &str| text.parse().ok().filter(|size| *size <= MOST);
    let parsed = || {
        if let Some((least, most)) = text.split_once("..") {
            return Some(Sizes::Range(size(least)?, size(most)?));
        }
        if !text.contains(':') {
            return size(text).map(Sizes::Fixed);
        }
        let weighted = text.split(',').map(|part| {
            let (bytes, weight) = part.split_once(':')?;
            Some((size(bytes)?, weight.parse().ok()?))
        });
        weighted.collect::<Option<Vec<_>>>().map(Sizes::Weighted)
    };
    parsed().ok_or_else(|| member.wrong("sizes such as 256, 64..1024 or 64:90,1024:9"))
}

/// It was added later.
pub(super) fn verification(plan: &StoredMember<'_>) -> Result<Verification, String> {
    let read = |verify: &StoredMember<'_>| match verify.text()? {
        "full" => Ok(Verification::Full),
        "none" => Ok(Verification::None),
        _ => Err(verify.wrong("full or none")),
    };
    Ok(plan.read("verify", read)?.unwrap_or_default())
}

/// How it went on, and which rate grew. They were added later.
pub fn course(plan: &StoredMember<'_>) -> Result<(String, Option<String>), String> {
    let word = |name| plan.read(name, |member| member.text().map(str::to_owned));
    Ok((word("course")?.unwrap_or_else(|| LoadCourse::Once.word().to_owned()), word("steps_of")?))
}

fn pace(plan: &StoredMember<'_>) -> Result<LoadPace, String> {
    let kind = plan.get("loop")?;
    match kind.text()? {
        "closed" => plan.read("inflight", StoredMember::count).map(LoadPace::Closed),
        "open" => {
            let arrival = plan.get("arrival")?;
            let arrival = match arrival.text()? {
                "even" => ArrivalPattern::Even,
                "poisson" => ArrivalPattern::Poisson,
                _ => return Err(arrival.wrong("even or poisson")),
            };
            let tick = u64::try_from(plan.get("tick")?.time()?.as_nanos()).unwrap_or(u64::MAX);
            Ok(LoadPace::Open(OfferedRate { rate: plan.get("rate")?.real()?, arrival, tick }))
        }
        _ => Err(kind.wrong("open or closed")),
    }
}

fn times(plan: &StoredMember<'_>) -> Result<TimePlan, String> {
    let length = match plan.read("count", StoredMember::count)? {
        Some(count) => WindowLength::Count(count),
        None => WindowLength::Time(plan.get("for")?.time()?),
    };
    let (warmup, drain) = (plan.get("warmup")?.time()?, plan.get("drain")?.time()?);
    let course = LoadCourse::Once;
    Ok(TimePlan { length, warmup, drain: drain.max(Duration::ZERO), course })
}

/// The server.
pub fn server(whole: &StoredMember<'_>) -> Result<BenchServer, String> {
    let server = whole.get("server")?;
    let scheme = server.get("scheme")?;
    let text = |member: &StoredMember<'_>| member.text().map(str::to_owned);
    let tls =
        |tls: &StoredMember<'_>| Ok((text(&tls.get("version")?)?, text(&tls.get("cipher")?)?));
    let is_here = whole.get("machine")?.get("same_as_server")?.truth()?;
    Ok(BenchServer {
        address: text(&server.get("address")?)?,
        scheme: match scheme.text()? {
            "ws" => "ws",
            "wss" => "wss",
            _ => return Err(scheme.wrong("ws or wss")),
        },
        tls: server.read("tls", tls)?,
        subprotocol: server.read("subprotocol", text)?,
        mqtt: text(&server.get("mqtt")?)?,
        receive_maximum: server.read("receive_maximum", |member| {
            u16::try_from(member.count()?).map_err(|_| member.wrong("a number up to 65535"))
        })?,
        keep_alive: server.get("keep_alive")?.count()?,
        place: if is_here { ServerPlace::Here } else { ServerPlace::Elsewhere },
    })
}

/// The machine.
pub fn machine(whole: &StoredMember<'_>) -> Result<Machine, String> {
    let machine = whole.get("machine")?;
    let text = |member: &StoredMember<'_>| member.text().map(str::to_owned);
    Ok(Machine {
        cores: machine.get("cores")?.up_to(1 << 20)?,
        model: machine.read("model", text)?,
        kernel: machine.read("kernel", text)?,
        load: machine.read("load_before", StoredMember::real)?,
    })
}
