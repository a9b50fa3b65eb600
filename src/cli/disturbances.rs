//! The flags of `bench` by which it disturbs its own connections.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::mqtt::NeedsVersion5;
use super::value;
use crate::command::bench::config::{SessionKeeping, WindowLength};
use crate::command::bench::disturbances::{
    CrowdKind, CrowdPart, CrowdShare, CutKind, CutPlan, Disturbances, StallPlan, WillUse,
};
use crate::command::bench::part::RunPart;
use crate::command::bench::plan::Plan;
use crate::exit::Usage;
use crate::mqtt::property::Properties;

/// What is done to connections while messages are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Disturbances")]
pub struct DisturbanceFlags {
    /// Cut connections at this time of the window, such as sub:100%@20s or pub:5@10s:fin; they come
    /// back at once, or at the rate of `--connect-rate` if that is given
    ///
    /// WHO is sub, pub or connect; SHARE a number or a share; HOW is rst (default), fin or
    /// disconnect. May be given several times.
    #[arg(long = "cut", value_name = "WHO:SHARE@TIME[:HOW]", value_parser = cut,
          allow_hyphen_values = true)]
    cuts: Vec<CutPlan>,

    /// Connections stop reading at this time of the window for so long, such as sub:10%@5s:3s; what
    /// the others saw is reported apart
    #[arg(long = "stall", value_name = "WHO:SHARE@TIME:LENGTH", value_parser = stall,
          allow_hyphen_values = true)]
    stalls: Vec<StallPlan>,

    /// So many connections a second are ended by DISCONNECT and made anew, one after the other, as
    /// long as messages are sent
    #[arg(long, value_name = "RATE", value_parser = churn_rate, allow_hyphen_values = true)]
    churn: Option<f64>,

    /// Every connection has a will, and one more connection sees them: those that are due after a
    /// cut, and those that should not come
    #[arg(long, action = ArgAction::Count)]
    will: u8,

    /// Sessions outlive their connections; they are ended at the end of the run
    #[arg(short = 'c', long, action = ArgAction::Count)]
    disable_clean_session: u8,

    /// How long the broker keeps a session without its connection; `never` has no end (MQTT 5)
    /// [default: with -c never]
    #[arg(short = 'x', long, value_name = "SECS", value_parser = value::expiry,
          allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
}

impl DisturbanceFlags {
    /// Whether sessions outlive their connections.
    pub fn sessions(&self) -> SessionKeeping {
        match self.session_expiry_interval {
            Some(0) => SessionKeeping::Connection,
            Some(expiry) => SessionKeeping::Kept(expiry),
            None if self.disable_clean_session > 0 => SessionKeeping::Kept(u32::MAX),
            None => SessionKeeping::Connection,
        }
    }

    /// What of it needs MQTT 5.
    pub fn needs_version_5(&self) -> Option<NeedsVersion5> {
        let why: NeedsVersion5 = ("-x", |_| "-x: only MQTT 5 has a session expiry".into());
        self.session_expiry_interval.map(|_| why)
    }

    /// Refuses properties of wills without wills.
    pub fn check_will(&self, properties: &Properties) -> Result<()> {
        let why = "-D will: there is no will; --will gives each connection one";
        ensure!(self.will > 0 || properties.is_empty(), Usage::new(why));
        Ok(())
    }

    /// What a part of the run does to its connections in a window of this length; they come back at
    /// this rate. `plan` is that of the whole, of which numbers and rates are.
    pub fn plan(
        &self,
        plan: &Plan,
        part: RunPart,
        length: WindowLength,
        comeback_rate: Option<f64>,
    ) -> Result<Disturbances> {
        let mut cuts = self.cuts.clone();
        for cut in &mut cuts {
            check_part("--cut", &cut.who, plan)?;
            check_time("--cut", cut.at, length)?;
            divide(&mut cut.who, part, plan);
        }
        cuts.sort_by_key(|cut| cut.at);
        let wills = if self.will > 0 { WillUse::Each } else { WillUse::None };
        let mut stalls = self.stalls.clone();
        for stall in &mut stalls {
            check_part("--stall", &stall.who, plan)?;
            check_time("--stall", stall.at, length)?;
            divide(&mut stall.who, part, plan);
        }
        stalls.sort_by_key(|stall| stall.at);
        let churn = self.churn.map(|rate| part.of_rate(rate));
        Ok(Disturbances { cuts, comeback_rate, stalls, churn, wills })
    }
}

/// Each part has its share of a number.
fn divide(who: &mut CrowdPart, part: RunPart, whole: &Plan) {
    if let CrowdShare::Count(count) = &mut who.share {
        let part = match who.kind {
            CrowdKind::Publishers => part.among_writers(whole),
            CrowdKind::Subscribers | CrowdKind::Idle => Some(part),
        };
        *count = part.map_or(0, |part| part.share(*count));
    }
}

fn check_part(flag: &str, part: &CrowdPart, plan: &Plan) -> Result<()> {
    let (available, kind) = (part.available(plan), part.kind.word());
    ensure!(available > 0, Usage::new(format!("{flag}: there is no connection of --{kind}")));
    if let CrowdShare::Count(count) = part.share {
        let why = format!("{flag}: {kind}:{count}: --{kind} has {available}");
        ensure!(count <= available, Usage::new(why));
    }
    Ok(())
}

fn check_time(flag: &str, at: Duration, length: WindowLength) -> Result<()> {
    if let WindowLength::Time(time) = length {
        let (at, time) = (at.as_secs_f64(), time.as_secs_f64());
        let why = format!("{flag}: the window of --for has {time} s, and {at} s is not in it");
        ensure!(at < time, Usage::new(why));
    }
    Ok(())
}

/// `WHO:SHARE`
fn part(text: &str) -> Option<CrowdPart> {
    let (kind, share) = text.split_once(':')?;
    let kind = match kind {
        "sub" => CrowdKind::Subscribers,
        "pub" => CrowdKind::Publishers,
        "connect" => CrowdKind::Idle,
        _ => return None,
    };
    let share = match share.strip_suffix('%') {
        Some(percent) => {
            let is_plain = percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let percent: f64 = percent.parse().ok().filter(|_| is_plain)?;
            CrowdShare::Percent(Some(percent).filter(|p| *p > 0.0 && *p <= 100.0)?)
        }
        None => CrowdShare::Count(share.parse().ok().filter(|count| *count > 0)?),
    };
    Some(CrowdPart { kind, share })
}

fn cut(text: &str) -> Result<CutPlan, String> {
    let parsed = || {
        let (who, rest) = text.split_once('@')?;
        let (at, how) = rest.split_once(':').unwrap_or((rest, "rst"));
        let how = match how {
            "rst" => CutKind::Reset,
            "fin" => CutKind::Fin,
            "disconnect" => CutKind::Disconnect,
            _ => return None,
        };
        Some(CutPlan { who: part(who)?, at: value::duration(at).ok()?, how })
    };
    parsed().ok_or_else(|| {
        "expected WHO:SHARE@TIME[:HOW], such as sub:100%@20s or pub:5@10s:fin; WHO is sub, pub or \
         connect, HOW rst, fin or disconnect"
            .to_owned()
    })
}

fn stall(text: &str) -> Result<StallPlan, String> {
    let parsed = || {
        let (who, rest) = text.split_once('@')?;
        let (at, length) = rest.split_once(':')?;
        let length = value::duration(length).ok().filter(|length| !length.is_zero())?;
        Some(StallPlan { who: part(who)?, at: value::duration(at).ok()?, length })
    };
    parsed().ok_or_else(|| {
        "expected WHO:SHARE@TIME:LENGTH, such as sub:10%@5s:3s; WHO is sub, pub or connect"
            .to_owned()
    })
}

/// A rate with `k` or `M`.
pub fn scaled(text: &str) -> Option<f64> {
    let (number, factor) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1e3),
        b'M' => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| is_plain)?;
    (number > 0.0).then_some(number * factor)
}

fn churn_rate(text: &str) -> Result<f64, String> {
    scaled(text)
        .filter(|rate| *rate <= HIGHEST_CHURN)
        .ok_or_else(|| "expected connections a second, such as 50 or 1k, up to 10k".to_owned())
}

/// The most connections a second that are made anew.
const HIGHEST_CHURN: f64 = 1e4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_says_who_when_and_how() {
        let who = |kind, share| CrowdPart { kind, share };
        let half = who(CrowdKind::Subscribers, CrowdShare::Percent(50.0));
        let five = who(CrowdKind::Publishers, CrowdShare::Count(5));
        let at = Duration::from_millis(1500);
        assert_eq!(cut("sub:50%@1.5s"), Ok(CutPlan { who: half, at, how: CutKind::Reset }));
        assert_eq!(cut("pub:5@1.5s:fin"), Ok(CutPlan { who: five, at, how: CutKind::Fin }));
        for wrong in [
            "",
            "sub",
            "sub:5",
            "sub@1s",
            "sub:0@1s",
            "sub:0%@1s",
            "sub:101%@1s",
            "all:5@1s",
            "sub:5@",
            "sub:5@x",
            "sub:5@1s:kill",
            "sub:-1@1s",
            "sub:NaN%@1s",
            "sub:1e1%@1s",
        ] {
            assert!(cut(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stall_says_who_when_and_how_long() {
        let who = CrowdPart { kind: CrowdKind::Subscribers, share: CrowdShare::Percent(10.0) };
        let (at, length) = (Duration::from_secs(5), Duration::from_secs(3));
        assert_eq!(stall("sub:10%@5s:3s"), Ok(StallPlan { who, at, length }));
        for wrong in ["sub:10%@5s", "sub:10%@5s:0", "sub:10%:3s", "sub@5s:3s", "sub:1@5s:x"] {
            assert!(stall(wrong).is_err(), "{wrong}");
        }
        assert_eq!(churn_rate("1k"), Ok(1000.0));
        assert!(churn_rate("0").is_err() && churn_rate("11k").is_err());
    }
}
