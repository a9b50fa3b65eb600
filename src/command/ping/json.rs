//! `ping --json`: an object for each probe, and one for the summary.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::results::PingResults;
use super::server::ServerFacts;
use crate::format::statistics::milliseconds;
use crate::format::summary::{rounded, times};
use crate::stdio;

/// The probe with this number, whose answer took so long, or did not come.
pub fn probe(number: u64, answer: Option<Duration>) -> String {
    let mut now = BytesMut::new();
    stdio::local_time().rfc_3339(&mut now);
    json!({
        "seq": number,
        "time": String::from_utf8_lossy(&now),
        "answered": answer.is_some(),
        "round_trip_ms": answer.map(|time| rounded(milliseconds(time))),
    })
    .to_string()
}

/// The summary, with what was reached.
pub fn summary(results: &PingResults) -> String {
    let mut fields = results.server.as_ref().map(server).unwrap_or_default();
    let figures = results.answers.figures();
    let round_trip = figures.map(|figures| times(results.answers.count(), &figures));
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("url", results.url.as_str().into());
    put("sent", results.sent.into());
    put("answered", results.answers.count().into());
    put("lost", results.lost().into());
    put("loss_percent", rounded(results.loss()));
    put("seconds", rounded(results.elapsed().as_secs_f64()));
    put("round_trip_ms", round_trip.unwrap_or(Value::Null));
    Value::Object(fields).to_string()
}

/// What was reached, and how long each step took.
fn server(facts: &ServerFacts) -> Map<String, Value> {
    let ServerFacts { address, tls, subprotocol, version, keep_alive, phases } = facts;
    let phases =
        phases.iter().map(|(name, time)| ((*name).to_owned(), rounded(milliseconds(*time))));
    let tls = tls.as_ref().map(|tls| {
        json!({
            "version": tls.version,
            "cipher": tls.cipher,
            "certificate_days": facts.certificate_days(),
        })
    });
    let fields = [
        ("address", address.as_str().into()),
        ("tls", tls.unwrap_or(Value::Null)),
        ("subprotocol", subprotocol.as_deref().into()),
        ("mqtt", version.to_string().into()),
        ("server_keep_alive", keep_alive.map(|time| time.as_secs()).into()),
        ("phases_ms", Value::Object(phases.collect())),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
