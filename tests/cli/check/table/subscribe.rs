//! Deviations in what is done with subscriptions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::mqtt::{
    Out, PUBACK, Packet, Publish, SUBACK, Subscribe, UNSUBACK, UNSUBSCRIBE, on_client, on_server,
    packet, pass, rule,
};
use super::{Row, play, serve, verdicts_with};
use crate::check::front::{self, Deviation};

const ANSWERS: &str = "suback-each,granted-qos,resubscribe-replaces,overlapping,unsubscribe,\
                       no-local,subscription-id,qos1-round-trip";
const MATCHING: &str = "filter-matching,granted-qos,subscription-id,overlapping";
const DOLLAR: &str = "dollar-topics,filter-matching";
const CHECKED: &str = "filter-bad,subscribe-malformed,shared-checked,suback-each,topic-checked";
const OPTIONS: &str = "no-local,retain-as-published,retain-handling,subscription-id,shared-once,\
                       shared-no-retained,shared-checked,retain-live-flag";

/// The bits of the options.
const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING: u8 = 0x30;

const fn row(
    name: &'static str,
    scope: &'static str,
    deviation: fn() -> Box<dyn Deviation>,
    fails: &'static [&'static str],
) -> Row {
    Row { name, deviation, scope, fails, warns: &[] }
}

/// SUBSCRIBE packets are changed as they go on.
fn changed(packet: &Packet, change: impl Fn(&mut Subscribe)) -> Vec<Out> {
    let Some(mut subscribe) = packet.subscribe() else { return pass(packet) };
    change(&mut subscribe);
    vec![Out::Onward(subscribe.bytes())]
}

/// These bits of the options are cleared; shared subscriptions stay as they are.
fn without_bits(packet: &Packet, bits: u8) -> Vec<Out> {
    changed(packet, |subscribe| {
        for (filter, options) in &mut subscribe.filters {
            if !filter.starts_with("$share/") {
                *options &= !bits;
            }
        }
    })
}

/// The codes of a SUBACK or an UNSUBACK are changed.
fn recoded(packet: &Packet, kind: u8, change: impl Fn(&mut Vec<u8>)) -> Vec<Out> {
    if packet.kind() != kind {
        return pass(packet);
    }
    let mut codes = packet.codes();
    change(&mut codes);
    vec![Out::Onward(packet.with_codes(&codes))]
}

/// What was asked for in each SUBSCRIBE, by its identifier.
type Asked = BTreeMap<[u8; 2], Vec<u8>>;

/// Other levels are asked for than the client does, and it is told what it has asked for.
fn asked_otherwise(asked: &mut Asked, packet: &Packet, change: fn(&mut Subscribe)) -> Vec<Out> {
    let Some(subscribe) = packet.subscribe() else { return pass(packet) };
    let codes = subscribe.filters.iter().map(|(_, options)| options & 3).collect();
    asked.insert(subscribe.id, codes);
    changed(packet, change)
}

fn told_as_asked(asked: &mut Asked, packet: &Packet) -> Vec<Out> {
    if packet.kind() != SUBACK {
        return pass(packet);
    }
    vec![Out::Onward(packet.with_codes(&asked.remove(&packet.id()).unwrap_or_default()))]
}

/// How often each filter is held; UNSUBSCRIBE ends it.
type Held = BTreeMap<String, u32>;

fn note_filters(held: &mut Held, packet: &Packet) {
    for (filter, _) in packet.subscribe().map(|it| it.filters).unwrap_or_default() {
        *held.entry(filter).or_default() += 1;
    }
    if packet.kind() == UNSUBSCRIBE {
        for filter in packet.unsubscribed() {
            held.remove(&filter);
        }
    }
}

const ANSWERED: &[Row] = &[
    row(
        "one-suback-code",
        ANSWERS,
        || on_server(|(), packet| recoded(packet, SUBACK, |codes| codes.truncate(1))),
        &["suback-each"],
    ),
    row(
        "suback-codes-reversed",
        ANSWERS,
        || on_server(|(), packet| recoded(packet, SUBACK, |codes| codes.reverse())),
        &["suback-each"],
    ),
    row(
        "qos-raised",
        ANSWERS,
        || {
            rule(
                |asked, packet| {
                    asked_otherwise(asked, packet, |subscribe| {
                        for (_, options) in &mut subscribe.filters {
                            *options = *options & !3 | 2;
                        }
                    })
                },
                told_as_asked,
            )
        },
        &["granted-qos"],
    ),
    row(
        "overlapping-at-the-lowest",
        ANSWERS,
        || {
            rule(
                |asked, packet| {
                    asked_otherwise(asked, packet, |subscribe| {
                        let is_overlapping = subscribe.filters[0].0.ends_with("/+");
                        if let ([_, (_, options)], true) =
                            (&mut subscribe.filters[..], is_overlapping)
                        {
                            *options &= !3;
                        }
                    })
                },
                told_as_asked,
            )
        },
        &["overlapping"],
    ),
    row(
        "filter-held-twice",
        ANSWERS,
        || {
            rule(
                |held: &mut Held, packet| {
                    note_filters(held, packet);
                    pass(packet)
                },
                |held, packet| {
                    let is_held = |it: &Publish| {
                        !it.is_retained() && held.get(it.topic()).is_some_and(|times| *times > 1)
                    };
                    let again = packet.publish().filter(is_held);
                    let again = again.map(|publish| Out::Onward(publish.copy()));
                    pass(packet).into_iter().chain(again).collect()
                },
            )
        },
        &["resubscribe-replaces"],
    ),
    row(
        "no-local-kept",
        ANSWERS,
        || {
            rule(
                |held: &mut Held, packet| {
                    if packet.kind() == UNSUBSCRIBE {
                        note_filters(held, packet);
                    }
                    let mut subscribe = packet.subscribe();
                    for (filter, options) in subscribe.iter_mut().flat_map(|it| &mut it.filters) {
                        if *options & NO_LOCAL != 0 {
                            held.insert(filter.clone(), 1);
                        } else if held.contains_key(filter) {
                            *options |= NO_LOCAL;
                        }
                    }
                    subscribe.map_or_else(|| pass(packet), |it| vec![Out::Onward(it.bytes())])
                },
                |_, packet| pass(packet),
            )
        },
        &["resubscribe-replaces"],
    ),
    row(
        "unsubscribe-ignored",
        ANSWERS,
        || {
            on_client(|(), from| {
                if from.kind() != UNSUBSCRIBE {
                    return pass(from);
                }
                let codes = if from.level < 5 { &b""[..] } else { &[0, 0, 0x11] };
                vec![Out::Back(packet(UNSUBACK << 4, &[&from.id()[..], codes].concat()))]
            })
        },
        &["unsubscribe"],
    ),
    row(
        "unsuback-with-foreign-id",
        ANSWERS,
        || {
            on_server(|(), packet| {
                let mut bytes = packet.bytes.clone();
                if packet.kind() == UNSUBACK {
                    bytes[3] ^= 1;
                }
                vec![Out::Onward(bytes)]
            })
        },
        &["packets-wellformed", "unsubscribe"],
    ),
    Row {
        warns: &["unsubscribe"],
        ..row(
            "unsuback-always-0",
            ANSWERS,
            || on_server(|(), packet| recoded(packet, UNSUBACK, |codes| codes.fill(0))),
            &[],
        )
    },
];

const MATCHED: &[Row] = &[
    row(
        "hash-without-parent",
        MATCHING,
        || {
            rule(
                |held: &mut Held, packet| {
                    note_filters(held, packet);
                    pass(packet)
                },
                |held, packet| match packet.publish() {
                    Some(publish)
                        if held.contains_key(&format!("{}/#", publish.topic()))
                            && !held.contains_key(publish.topic()) =>
                    {
                        vec![]
                    }
                    _ => pass(packet),
                },
            )
        },
        &["filter-matching"],
    ),
    row(
        "plus-over-levels",
        MATCHING,
        || {
            on_client(|(), packet| {
                changed(packet, |subscribe| {
                    let filter = &mut subscribe.filters[0].0;
                    if filter.ends_with("/1/+") {
                        filter.replace_range(filter.len() - 1.., "#");
                    }
                })
            })
        },
        &["packets-wellformed", "filter-matching"],
    ),
    row(
        "case-blind",
        MATCHING,
        || {
            on_client(|(), packet| match packet.publish() {
                Some(mut publish) if publish.topic().ends_with("/4/a") => {
                    publish.topic.pop();
                    publish.topic.push(b'A');
                    vec![Out::Onward(publish.bytes())]
                }
                _ => pass(packet),
            })
        },
        &["filter-matching"],
    ),
];

/// What a server says about itself.
fn own_message(level: u8) -> Out {
    let properties = if level < 5 { vec![] } else { vec![0] };
    let topic = b"$SYS/broker/version".to_vec();
    let (id, payload) = (vec![], b"1".to_vec());
    Out::Back(Publish { first: 0x31, topic, id, properties, payload }.bytes())
}

/// A server with topics of its own, for these filters.
fn with_own_topics(packet: &Packet, filters: &[&str]) -> Vec<Out> {
    let is_for_it = |(filter, _): &(String, u8)| filters.contains(&filter.as_str());
    let mut out = pass(packet);
    if packet.subscribe().is_some_and(|subscribe| subscribe.filters.iter().any(is_for_it)) {
        out.push(own_message(packet.level));
    }
    out
}

const DOLLARS: &[Row] = &[
    row("own-topics", DOLLAR, || on_client(|(), packet| with_own_topics(packet, &["$SYS/#"])), &[]),
    row(
        "own-topics-under-plus",
        DOLLAR,
        || on_client(|(), packet| with_own_topics(packet, &["$SYS/#", "+/broker/version"])),
        &["dollar-topics"],
    ),
    Row {
        warns: &["dollar-topics"],
        ..row(
            "sys-for-anyone",
            DOLLAR,
            || {
                on_client(|(), from| match from.publish() {
                    Some(publish) if publish.topic().starts_with("$SYS/") => {
                        let puback = packet(PUBACK << 4, &publish.id);
                        vec![Out::Back(puback), Out::Back(publish.copy())]
                    }
                    _ => pass(from),
                })
            },
            &[],
        )
    },
];

/// A SUBSCRIBE is granted that no server should see.
fn granted(from: &Packet, is_bad: impl Fn(&str, u8) -> bool) -> Vec<Out> {
    let bad = from
        .subscribe()
        .is_some_and(|it| it.filters.iter().any(|(filter, options)| is_bad(filter, *options)));
    if !bad {
        return pass(from);
    }
    let codes = if from.level < 5 { &[0][..] } else { &[0, 0] };
    vec![Out::Back(packet(SUBACK << 4, &[&from.id()[..], codes].concat()))]
}

const UNCHECKED: &[Row] = &[
    row(
        "any-filter-granted",
        CHECKED,
        || {
            on_client(|(), packet| {
                granted(packet, |filter, _| {
                    let is_bad = |(at, level): (usize, &str)| {
                        level.len() > 1 && level.contains(['+', '#'])
                            || level == "#" && at + 1 < filter.split('/').count()
                    };
                    let is_shared = filter.starts_with("$share");
                    filter.is_empty() || !is_shared && filter.split('/').enumerate().any(is_bad)
                })
            })
        },
        &["filter-bad"],
    ),
    row(
        "subscribe-unchecked",
        CHECKED,
        || {
            on_client(|(), packet| {
                let is_bad = |it: &super::mqtt::Subscribe| {
                    it.properties == [2, 0x0b, 0]
                        || it.filters.iter().all(|(_, options)| {
                            options & 3 == 3 || options & 0x40 != 0 || options & 0x30 == 0x30
                        })
                };
                if packet.subscribe().as_ref().is_some_and(is_bad) { vec![] } else { pass(packet) }
            })
        },
        &["subscribe-malformed"],
    ),
    row(
        "shared-unchecked",
        CHECKED,
        || {
            on_client(|(), packet| {
                granted(packet, |filter, options| {
                    let parts: Vec<&str> = filter.splitn(3, '/').collect();
                    parts[0] == "$share"
                        && (parts.len() < 3
                            || parts[1].is_empty()
                            || parts[1].contains('+')
                            || options & NO_LOCAL != 0)
                })
            })
        },
        &["shared-checked"],
    ),
];

const CHOSEN: &[Row] = &[
    row(
        "no-local-ignored",
        OPTIONS,
        || on_client(|(), packet| without_bits(packet, NO_LOCAL)),
        &["no-local"],
    ),
    row(
        "retain-as-published-ignored",
        OPTIONS,
        || on_client(|(), packet| without_bits(packet, RETAIN_AS_PUBLISHED)),
        &["retain-as-published"],
    ),
    row(
        "retain-handling-ignored",
        OPTIONS,
        || on_client(|(), packet| without_bits(packet, RETAIN_HANDLING)),
        &["retain-handling"],
    ),
    row(
        "subscription-ids-ignored",
        OPTIONS,
        || {
            on_client(|(), packet| {
                changed(packet, |subscribe| {
                    if subscribe.properties.get(1) == Some(&0x0b) {
                        subscribe.properties = vec![0];
                    }
                })
            })
        },
        &["subscription-id"],
    ),
    row(
        "share-ignored",
        OPTIONS,
        || {
            on_client(|(), packet| {
                changed(packet, |subscribe| {
                    for (filter, options) in &mut subscribe.filters {
                        let parts: Vec<&str> = filter.splitn(3, '/').collect();
                        let is_legal =
                            matches!(&parts[..], ["$share", "g" | "both" | "one" | "two", _]);
                        if is_legal && *options & NO_LOCAL == 0 {
                            *filter = parts[2].to_owned();
                        }
                    }
                })
            })
        },
        &["shared-once", "shared-no-retained"],
    ),
];

#[test]
fn deviations_of_answers_change_their_points() {
    play(ANSWERED);
}

#[test]
fn deviations_of_matching_change_their_points() {
    play(MATCHED);
}

#[test]
fn deviations_of_own_topics_change_their_points() {
    play(DOLLARS);
}

#[test]
fn what_is_unchecked_changes_its_points() {
    play(UNCHECKED);
}

#[test]
fn deviations_of_options_change_their_points() {
    play(CHOSEN);
}

/// How many SUBACKs there were.
static GRANTED: AtomicUsize = AtomicUsize::new(0);

/// The point itself finds its SUBACK; that others are missing is no fault of the points that only
/// subscribe.
#[test]
fn a_server_that_loses_some_subacks_fails_one_point() {
    let (_serve, url) = serve();
    let front = front::start(&url, || {
        on_server(|(), packet| {
            let is_lost =
                packet.kind() == SUBACK && GRANTED.fetch_add(1, Ordering::SeqCst) % 2 == 1;
            if is_lost { vec![] } else { pass(packet) }
        })
    });
    let only = "suback-each,granted-qos,resubscribe-replaces,unsubscribe,qos1-round-trip";
    let (found, report) = verdicts_with(&front, only, &["--versions", "5"]);
    let failing: Vec<&String> =
        found.iter().filter(|(_, verdict)| *verdict == "FAIL").map(|(name, _)| name).collect();
    assert_eq!(failing, ["suback-each"], "{report}");
    assert_eq!(found["granted-qos"], "unknown", "{report}");
    assert_eq!(found["qos1-round-trip"], "PASS", "{report}");
    assert!(
        report.contains("times no SUBACK came, though a PINGREQ after it was answered"),
        "{report}"
    );
}
