//! Which paths and queries are served.

use super::{answer_to, connack, failed, needs_upgrade};
use crate::command::check::answer::Answer;
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed};
use crate::command::check::journal::Fact;

/// What a URL may hold behind the path.
const QUERY: &str = "mqttws=check";

pub fn mqtt(bench: &mut Bench) -> Probed {
    let target = bench.target.access.endpoint.target.clone();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path == "/mqtt" {
        return Ok(Finding::pass("it is the path of the URL"));
    }
    let other = if query.is_empty() { "/mqtt".to_owned() } else { format!("/mqtt?{query}") };
    let answer = answer_to(bench, &bench.request(&["mqtt"]).to(&other))?;
    Ok(match answer.status() {
        Some(101) => Finding::pass("upgraded at /mqtt, too"),
        _ => failed(&answer, format!("/mqtt: {answer}")),
    })
}

pub fn query_kept(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let plain = bench.answer_to_plain()?;
    let target = bench.target.access.endpoint.target.clone();
    let separator = if target.contains('?') { '&' } else { '?' };
    let request = bench.request(&["mqtt"]).to(&format!("{target}{separator}{QUERY}"));
    let answer = answer_to(bench, &request)?;
    Ok(if answer.status() == plain.status() && answer.status().is_some() {
        Finding::pass(format!("with ?{QUERY} as without: {answer}"))
    } else {
        failed(&answer, format!("with ?{QUERY}: {answer}; without: {plain}"))
    })
}

pub fn unknown(bench: &mut Bench) -> Probed {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
    let path = format!("/{random}/mqttws-check");
    let asked = bench.ask(&bench.request(&["mqtt"]).to(&path))?;
    let (conn, answer) = (asked.conn, asked.answer);
    let serves_any = |bench: &mut Bench, any| bench.journal.fact("any_path", Fact::Flag(any));
    if answer.status() == Some(101) {
        return Ok(match connack(bench, conn)? {
            Ok(_) => {
                serves_any(bench, true);
                Finding::pass("any path is served")
            }
            Err(words) => {
                // Another protocol may be spoken there.
                bench.journal.forget(&["packets-wellformed", "packets-aligned"]);
                failed(&answer, format!("{path}: {answer}, then {words}"))
            }
        });
    }
    serves_any(bench, false);
    Ok(match answer {
        Answer::Head(_) => Finding::pass(answer.to_string()),
        _ => failed(&answer, format!("{path}: {answer}")),
    })
}
