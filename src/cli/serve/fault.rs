//! `--fault` and its language: settings and their scopes, separated by commas.

use std::time::Duration;

use clap::Args;

use crate::cli::value;
use crate::command::serve::{FaultKind, FaultPlan, FaultRule, PacketDirection};
use crate::exit::{MarkedPlace, Usage};
use crate::mqtt::packet::PacketType;

/// What goes wrong on purpose.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests of clients")]
pub struct FaultFlags {
    /// Lose, double, delay packets, cut connections on purpose: drop=0.01,delay=50ms (see FAULTS)
    #[arg(long, value_name = "FAULTS", allow_hyphen_values = true)]
    fault: Vec<String>,
}

impl FaultFlags {
    /// The plan that all of them make, with others in the same language.
    pub fn resolve(
        &self,
        others: impl Iterator<Item = &'static str>,
    ) -> Result<Option<FaultPlan>, Usage> {
        let mut plan = None;
        for text in &self.fault {
            parse_into(plan.get_or_insert_default(), text)?;
        }
        for text in others {
            parse_into(plan.get_or_insert_default(), text)?;
        }
        Ok(plan)
    }
}

/// What may stand before `=`.
const NAMES: &str = "drop, dup, delay, stall, rate, cut-after, cut-idle, refuse or seed";

/// The packets that a scope can name.
const PACKETS: [PacketType; 15] = [
    PacketType::Connect,
    PacketType::ConnAck,
    PacketType::Publish,
    PacketType::PubAck,
    PacketType::PubRec,
    PacketType::PubRel,
    PacketType::PubComp,
    PacketType::Subscribe,
    PacketType::SubAck,
    PacketType::Unsubscribe,
    PacketType::UnsubAck,
    PacketType::PingReq,
    PacketType::PingResp,
    PacketType::Disconnect,
    PacketType::Auth,
];

/// A part of the text, and where it begins, in bytes.
#[derive(Debug, Clone, Copy)]
struct TermPiece<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> TermPiece<'a> {
    /// What lies before and after the first `separator`.
    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        let start = self.start + before.len() + separator.len_utf8();
        Some((Self { text: before, ..self }, Self { text: after, start }))
    }

    /// The pieces between commas, without the blanks around them.
    fn items(self) -> impl Iterator<Item = Self> + 'a {
        let mut start = self.start;
        self.text.split(',').map(move |item| {
            let begin = start;
            start += item.len() + 1;
            let blanks = item.len() - item.trim_start().len();
            Self { text: item.trim(), start: begin + blanks }
        })
    }
}

/// Reads what `--fault` was given, and adds it to `plan`.
fn parse_into(plan: &mut FaultPlan, text: &str) -> Result<(), Usage> {
    for item in (TermPiece { text, start: 0 }).items() {
        setting(plan, item).map_err(|(sentence, place)| {
            let (before, after) = text.split_at(place);
            let place = MarkedPlace { before: before.to_owned(), after: after.to_owned() };
            Usage::at(format!("--fault: {sentence}"), place)
        })?;
    }
    Ok(())
}

/// What is wrong, and where, in bytes.
type WrongTerm = (String, usize);

/// Which packets a setting is about.
#[derive(Debug, Clone, Copy, Default)]
struct Scope {
    direction: Option<PacketDirection>,
    packet: Option<PacketType>,
}

impl Scope {
    /// Whether a setting has one.
    fn is_given(self) -> bool {
        self.direction.is_some() || self.packet.is_some()
    }
}

fn setting(plan: &mut FaultPlan, item: TermPiece<'_>) -> Result<(), WrongTerm> {
    // Times hold no colon, so that the first one ends a scope.
    let (scope, rest) = match item.split_once(':') {
        Some((words, rest)) => (scope(words)?, rest),
        None => (Scope::default(), item),
    };
    let Some((name, value)) = rest.split_once('=') else {
        return Err((format!("expected NAME=VALUE, with {NAMES} as the name"), rest.start));
    };
    let at = |sentence: String| (format!("{}: {sentence}", name.text), value.start);
    let fault = match name.text {
        "drop" => FaultKind::Drop(probability(value.text).map_err(at)?),
        "dup" => FaultKind::Duplicate(probability(value.text).map_err(at)?),
        "delay" => delay(value.text).map_err(at)?,
        "stall" => stall(value.text).map_err(at)?,
        "cut-after" => FaultKind::CutAfter(value::size(value.text).map_err(at)? as u64),
        "cut-idle" => FaultKind::CutIdle(idle_time(value.text).map_err(at)?),
        "rate" => FaultKind::Rate(value::size(value.text).map_err(at)? as u64),
        "refuse" | "seed" => return number(plan, scope, name, value),
        other => return Err((format!("there is no '{other}': expected {NAMES}"), name.start)),
    };
    let Scope { direction, packet } = scope;
    if matches!(fault, FaultKind::CutAfter(_) | FaultKind::Rate(_)) && packet.is_some() {
        let sentence = format!("{} counts bytes, not packets of one type", name.text);
        return Err((sentence, item.start));
    }
    if matches!(fault, FaultKind::CutIdle(_)) && scope.is_given() {
        return Err(no_scope(name));
    }
    plan.rules.push(FaultRule { direction, packet, fault });
    Ok(())
}

fn no_scope(name: TermPiece<'_>) -> WrongTerm {
    (format!("{} has no scope", name.text), name.start)
}

/// The settings of the whole broker.
fn number(
    plan: &mut FaultPlan,
    scope: Scope,
    name: TermPiece<'_>,
    value: TermPiece<'_>,
) -> Result<(), WrongTerm> {
    if scope.is_given() {
        return Err(no_scope(name));
    }
    let Ok(number) = value.text.parse() else {
        return Err((format!("{}: expected a whole number", name.text), value.start));
    };
    match name.text {
        "seed" => plan.seed = Some(number),
        _ => plan.refused = number,
    }
    Ok(())
}

/// What is wrong with two directions, or two packets.
const ONE_OF_EACH: &str = "expected one direction and one packet at most, as in out/puback";

/// `in`, `out`, the name of a packet, or `in/publish`.
fn scope(words: TermPiece<'_>) -> Result<Scope, WrongTerm> {
    let mut scope = Scope::default();
    let mut rest = Some(words);
    while let Some(piece) = rest {
        let (word, after) = match piece.split_once('/') {
            Some((word, after)) => (word, Some(after)),
            None => (piece, None),
        };
        match word.text {
            "in" if scope.direction.is_none() => scope.direction = Some(PacketDirection::In),
            "out" if scope.direction.is_none() => scope.direction = Some(PacketDirection::Out),
            "in" | "out" => return Err((ONE_OF_EACH.to_owned(), word.start)),
            name if scope.packet.is_none() => scope.packet = Some(packet(name, word.start)?),
            _ => return Err((ONE_OF_EACH.to_owned(), word.start)),
        }
        rest = after;
    }
    Ok(scope)
}

fn packet(name: &str, place: usize) -> Result<PacketType, WrongTerm> {
    let found = PACKETS.into_iter().find(|packet| packet.name().eq_ignore_ascii_case(name));
    let what = || format!("'{name}' is neither in, nor out, nor the name of a packet");
    found.ok_or_else(|| (what(), place))
}

fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a probability from 0 to 1, such as 0.01".to_owned())
}

/// A time, or the shortest and the longest.
fn delay(text: &str) -> Result<FaultKind, String> {
    let (shortest, longest) = text.split_once('-').unwrap_or((text, text));
    let (shortest, longest) = (fault_time(shortest)?, fault_time(longest)?);
    if longest < shortest {
        return Err("the shortest delay comes first, as in 10ms-50ms".to_owned());
    }
    Ok(FaultKind::Delay(shortest, longest))
}

fn stall(text: &str) -> Result<FaultKind, String> {
    let (time, after) = text.split_once('@').unwrap_or((text, "0"));
    let expected = |_| "expected a time, and after @ a number of packets: 2s@100".to_owned();
    let after = after.parse().map_err(expected)?;
    Ok(FaultKind::Stall { time: fault_time(time)?, after })
}

fn idle_time(text: &str) -> Result<Duration, String> {
    let time = fault_time(text)?;
    if time.is_zero() { Err("expected a time above 0, such as 60s".to_owned()) } else { Ok(time) }
}

/// A time of at most a day: nobody waits for longer, and no clock overflows.
fn fault_time(text: &str) -> Result<Duration, String> {
    let time = value::duration(text)?;
    if time > Duration::from_secs(86_400) {
        return Err("expected a time of at most 24h".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<FaultPlan, Usage> {
        let mut plan = FaultPlan::default();
        parse_into(&mut plan, text)?;
        Ok(plan)
    }

    fn rule(fault: FaultKind) -> FaultRule {
        FaultRule { direction: None, packet: None, fault }
    }

    #[test]
    fn every_setting() {
        let text = "drop=0.01, delay=50ms,dup=1,cut-after=64KiB,refuse=3,stall=2s@100,seed=7,\
                    cut-idle=60s,rate=40KiB";
        let expected = FaultPlan {
            seed: Some(7),
            refused: 3,
            rules: vec![
                rule(FaultKind::Drop(0.01)),
                rule(FaultKind::Delay(Duration::from_millis(50), Duration::from_millis(50))),
                rule(FaultKind::Duplicate(1.0)),
                rule(FaultKind::CutAfter(65_536)),
                rule(FaultKind::Stall { time: Duration::from_secs(2), after: 100 }),
                rule(FaultKind::CutIdle(Duration::from_secs(60))),
                rule(FaultKind::Rate(40_960)),
            ],
        };
        assert_eq!(plan(text).unwrap(), expected);
    }

    #[test]
    fn scopes() {
        let of = |text: &str| {
            let rules = plan(&format!("{text}:drop=1")).unwrap().rules;
            (rules[0].direction, rules[0].packet)
        };
        assert_eq!(of("in"), (Some(PacketDirection::In), None));
        assert_eq!(of("out/puback"), (Some(PacketDirection::Out), Some(PacketType::PubAck)));
        assert_eq!(of("PUBREC/in"), (Some(PacketDirection::In), Some(PacketType::PubRec)));
        assert_eq!(of("publish"), (None, Some(PacketType::Publish)));
    }

    #[test]
    fn a_caret_shows_the_place() {
        let wrong = |text: &str| {
            let usage = plan(text).unwrap_err();
            let place = usage.place().unwrap();
            assert_eq!(format!("{}{}", place.before, place.after), text);
            (usage.to_string(), place.before.chars().count())
        };
        let expected = "--fault: delay: expected a time such as 2, 0.5, 500ms, 2s, 5m or 1h";
        assert_eq!(wrong("drop=0.01,delay=fast"), (expected.to_owned(), 16));
        let expected = "--fault: there is no 'loss': expected drop, dup, delay, stall, rate, \
                        cut-after, cut-idle, refuse or seed";
        assert_eq!(wrong("drop=0.1, loss=1"), (expected.to_owned(), 10));
        for text in ["in/out:drop=1", "out/out:drop=1", "puback/pubrec:drop=1"] {
            assert_eq!(wrong(text).0, format!("--fault: {ONE_OF_EACH}"), "{text}");
        }
        for (text, place) in [
            ("", 0),
            ("drop", 0),
            ("drop=0.1,", 9),
            ("drop=2", 5),
            ("drop=-0.1", 5),
            ("drop=NaN", 5),
            ("dup=", 4),
            ("delay=2s-1s", 6),
            ("stall=1s@x", 6),
            ("stall=25h", 6),
            ("cut-after=0", 10),
            ("publish:cut-after=5", 0),
            ("out/publish:rate=5", 0),
            ("rate=0", 5),
            ("in:cut-idle=5", 3),
            ("cut-idle=0", 9),
            ("refuse=-1", 7),
            ("in:seed=1", 3),
            ("sideways:drop=1", 0),
            ("in/out:drop=1", 3),
            ("puback/pubrec:drop=1", 7),
            ("drop=0.1,ü=1", 9),
        ] {
            assert_eq!(wrong(text).1, place, "{text}");
        }
    }
}
