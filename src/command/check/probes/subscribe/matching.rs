//! Which messages a filter gets.

use super::{arrived, codes, copies, subscription};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::qos::QoS;

/// A filter below T, and what is published below T.
struct Case {
    filter: &'static str,
    strangers: &'static [&'static str],
    matches: &'static [&'static str],
}

/// The first level keeps the cases apart. With those of T there are at most eight levels: some
/// servers take no more (that of AWS, ejabberd).
const CASES: &[Case] = &[
    Case { filter: "/1/+", strangers: &["/1", "/1/b/c"], matches: &["/1/b", "/1/"] },
    Case { filter: "/2/#", strangers: &["/2b"], matches: &["/2", "/2/b/c"] },
    Case { filter: "/3/+/c", strangers: &["/3/c", "/3/b/d"], matches: &["/3//c", "/3/b/c"] },
    Case { filter: "/4/A", strangers: &["/4/a"], matches: &["/4/A"] },
    Case { filter: "/5/a/", strangers: &["/5/a"], matches: &["/5/a/"] },
];

pub fn filter_matching(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.requires("wildcard_available", "wildcards")?;
    for case in CASES {
        if let Some(fault) = fault_of(bench, conn, case)? {
            return Ok(fault);
        }
    }
    Ok(Finding::pass(format!("{} filters got what they match", CASES.len())))
}

/// Publishes what the filter must not get, then what it must. Each message holds its topic, so
/// that a changed topic is noticed, too.
fn fault_of(bench: &mut Bench, conn: Conn, row: &Case) -> StepResult<Option<Finding>> {
    let Case { filter, strangers, matches } = row;
    let whole = bench.topic(filter);
    bench.subscribe(conn, &whole, QoS::AtMostOnce)?;
    for suffix in strangers.iter().chain(*matches) {
        let topic = bench.topic(suffix);
        bench.publish(conn, Bench::message(&topic, QoS::AtMostOnce, topic.clone()))?;
    }
    let mut came = Vec::new();
    for suffix in *matches {
        match bench.delivery(conn, &bench.topic(suffix)) {
            Ok(publish) => came.push(publish),
            Err(Stop::Silent { .. }) => {
                let words = format!("{filter} below our prefix did not get {suffix}");
                return Ok(Some(Finding::fail(words).in_doubt()));
            }
            Err(stop) => return Err(stop),
        }
    }
    bench.fence(conn)?;
    let own = bench.topic(&filter[.."/n".len()]);
    came.extend(
        arrived(bench, conn).into_iter().filter(|it| it.topic_or_empty().starts_with(&own)),
    );
    Ok(stranger(&came, matches.len()).map(|publish| {
        let sent = String::from_utf8_lossy(&publish.payload).into_owned();
        let below = sent.strip_prefix(&bench.topic("")).unwrap_or(&sent).to_owned();
        Finding::fail(format!("{filter} below our prefix got what was published to {below}"))
    }))
}

/// A message beyond those that had to come, or one that holds another topic than its own.
fn stranger(came: &[Publish], expected: usize) -> Option<&Publish> {
    let is_right = |publish: &Publish| publish.payload == publish.topic_or_empty().as_bytes();
    came.get(expected).or_else(|| came.iter().find(|it| !is_right(it)))
}

pub fn overlapping(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.requires("wildcard_available", "wildcards")?;
    let wanted = vec![
        subscription(&bench.topic("/+"), QoS::AtMostOnce),
        subscription(&bench.topic("/#"), bench.usable(QoS::AtLeastOnce)),
    ];
    let granted = bench.subscribe_with(conn, wanted, None)?.codes;
    if granted.iter().any(|code| code.is_error()) {
        return Err(Stop::Forbidden(format!("SUBACK {}", codes(&granted))));
    }
    let copies = copies(bench, conn, &bench.topic("/x"), "once")?;
    let levels: Vec<String> = copies.iter().map(|copy| copy.qos.to_string()).collect();
    let words = format!("subscribed at QoS 0 and 1, copies came at QoS {}", levels.join(" and "));
    let highest = granted.iter().filter_map(|code| QoS::from_bits(code.0)).max();
    Ok(match copies.iter().map(|copy| copy.qos).max() {
        None => Finding::fail("subscribed at QoS 0 and 1, and no copy came"),
        Some(best) if Some(best) >= highest && copies.len() <= 2 => Finding::pass(words),
        Some(_) => Finding::fail(words),
    })
}

/// A topic of the server itself must not match a wildcard in its first level, and clients should
/// not be able to publish there.
pub fn dollar_topics(bench: &mut Bench) -> Probed {
    let seen = match own_topic(bench)? {
        Some(topic) => {
            let filter = topic.replacen("$SYS", "+", 1);
            let conn = bench.on()?;
            let granted =
                bench.subscribe_with(conn, vec![subscription(&filter, QoS::AtMostOnce)], None)?;
            let is_granted = granted.codes.iter().any(|code| !code.is_error());
            if is_granted && next_message(bench, conn, |it| it == topic)?.is_some() {
                return Ok(Finding::fail(format!("{filter} got {topic}")));
            }
            bench.close(conn);
            if is_granted { "+ does not match $SYS" } else { "+ as the first level is refused" }
        }
        None => "nothing of $SYS is seen",
    };
    Ok(match published_to_sys(bench)? {
        None => Finding::warn(format!("{seen}; but a client's message to {FOREIGN} was delivered")),
        Some(how) => Finding::pass(format!("{seen}; a client's message to $SYS {how}")),
    })
}

/// Where no client should publish.
const FOREIGN: &str = "$SYS/mqttws-check";

/// A topic of the server's own below `$SYS`, if it shows one.
fn own_topic(bench: &mut Bench) -> StepResult<Option<String>> {
    let conn = bench.on()?;
    let wanted = vec![subscription("$SYS/#", QoS::AtMostOnce)];
    let granted = match bench.subscribe_with(conn, wanted, None) {
        Ok(suback) => suback.codes,
        // It ends the connection of a client that asks for that.
        Err(Stop::Ended { .. }) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let mut topic = None;
    if granted.iter().any(|code| !code.is_error()) {
        topic = next_message(bench, conn, |it| it.starts_with("$SYS/"))?;
    }
    bench.close(conn);
    Ok(topic)
}

/// The topic of the next message that `wanted` wants; silence is no fault.
fn next_message(
    bench: &mut Bench,
    conn: Conn,
    wanted: impl Fn(&str) -> bool,
) -> StepResult<Option<String>> {
    let taken = bench.take(conn, "delivery", |packet| match packet {
        Packet::Publish(publish) if wanted(publish.topic_or_empty()) => {
            Some(publish.topic_or_empty().to_owned())
        }
        _ => None,
    });
    match taken {
        Ok(topic) => Ok(Some(topic)),
        Err(Stop::Silent { .. } | Stop::Ended { .. }) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// How the server keeps clients from publishing below `$SYS`; `None` if it does not.
fn published_to_sys(bench: &mut Bench) -> StepResult<Option<String>> {
    let conn = bench.on()?;
    let wanted = vec![subscription(FOREIGN, QoS::AtMostOnce)];
    match bench.subscribe_with(conn, wanted, None) {
        Ok(suback) if suback.codes.iter().all(|code| !code.is_error()) => {}
        Ok(_) | Err(Stop::Ended { .. }) => return Ok(Some("cannot be subscribed to".to_owned())),
        Err(stop) => return Err(stop),
    }
    let qos = bench.usable(QoS::AtLeastOnce);
    match bench.publish(conn, Bench::message(FOREIGN, qos, "mqttws check")) {
        Ok(()) => {}
        Err(Stop::Forbidden(answer)) => return Ok(Some(format!("is refused: {answer}"))),
        Err(Stop::Ended { end, .. }) => return Ok(Some(format!("ends the connection: {end}"))),
        Err(Stop::Found(_)) => return Ok(Some("is not acknowledged".to_owned())),
        Err(stop) => return Err(stop),
    }
    let came = next_message(bench, conn, |topic| topic == FOREIGN)?;
    Ok(came.is_none().then(|| "is not delivered".to_owned()))
}
