//! Which requests are upgraded, and which are refused.

use data_encoding::BASE64;

use super::{answer_to, connack, failed, first_refused, needs_upgrade, plain_get, refused_alike};
use crate::command::check::answer::Answer;
use crate::command::check::bench::{Asked, Bench};
use crate::command::check::finding::{Finding, Probed, StepResult};
use crate::command::check::journal::Fact;
use crate::command::check::request::{RequestOrigin, UpgradeRequest};
use crate::transport::endpoint::Scheme;

/// What Firefox calls itself.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The length of the cookies of a page, in bytes.
const COOKIES: usize = 200;

/// How long the long headers are, in bytes.
const LONG: [usize; 2] = [4096, 8192];

const VERSION: &str = "Sec-WebSocket-Version";

/// An origin that no server can know.
const FOREIGN: &str = "https://mqttws-check.invalid";

/// The points that look for the cause when a browser is refused.
const CAUSES: &str = "--only header-forms,origin-foreign,extensions-legal,long-header looks for \
                      the cause";

pub fn browser(bench: &mut Bench) -> Probed {
    let request = as_browser(bench);
    let Asked { conn, answer } = bench.ask_as_browser(&request)?;
    if let Some(finding) = refused_alike(bench, &answer)? {
        return Ok(finding);
    }
    let names = match &answer {
        Answer::Head(head) if head.status == 101 => head.subprotocols(),
        _ => return Ok(failed(&answer, format!("{answer}; {CAUSES}"))),
    };
    if names != ["mqtt"] {
        return Ok(Finding::fail(format!("{answer}; {CAUSES}")));
    }
    let how = if bench.link(conn).websocket.may_compress() { ", compressed" } else { "" };
    Ok(match connack(bench, conn)? {
        Ok(_) => Finding::pass(format!("{answer}, then CONNACK{how}")),
        Err(words) => Finding::fail(format!("{answer}, then {words}; {CAUSES}")).in_doubt(),
    })
}

/// The user's request as a page of the same host makes it. What the user sets stays.
fn as_browser(bench: &Bench) -> UpgradeRequest {
    let endpoint = &bench.target.access.endpoint;
    let scheme = if endpoint.scheme == Scheme::Wss { "https" } else { "http" };
    let origin = format!("{scheme}://{}", endpoint.host_header());
    let user_agent = bench.target.access.headers.iter().find(|(name, _)| is(name, "User-Agent"));
    let cookies = format!("consent=1; session={}", "c".repeat(COOKIES - 19));
    let mut request = bench.request(&["mqtt"]).set("Connection", "keep-alive, Upgrade");
    request = request.set("User-Agent", user_agent.map_or(BROWSER, |(_, value)| value));
    for (name, value) in [
        ("Accept", "*/*"),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Origin", &origin),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-Fetch-Dest", "empty"),
        ("Sec-Fetch-Mode", "websocket"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cookie", &cookies),
        ("Pragma", "no-cache"),
        ("Cache-Control", "no-cache"),
    ] {
        if request.value(name).is_none() {
            request = request.with(name, value);
        }
    }
    request
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

pub fn header_forms(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let mut lower = bench.request(&["mqtt"]).set("Upgrade", "WebSocket");
    for (name, _, _) in &mut lower.headers {
        name.make_ascii_lowercase();
    }
    let mut blanks = bench.request(&["mqtt"]).with("X-Check", "1");
    for (_, between, _) in &mut blanks.headers {
        *between = ":   ";
    }
    let list = bench.request(&["mqtt"]).set("Connection", "keep-alive, Upgrade");
    let forms = vec![
        ("lower-case names and Upgrade: WebSocket".to_owned(), lower),
        ("Connection: keep-alive, Upgrade".to_owned(), list),
        ("several blanks behind the colon".to_owned(), blanks),
    ];
    let refused = first_refused(bench, forms)?;
    Ok(refused.unwrap_or_else(|| Finding::pass("each form was upgraded")))
}

pub fn host_forms(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let plain = bench.request(&["mqtt"]);
    let host = plain.value("Host").unwrap_or_default().to_owned();
    let port = format!(":{}", bench.target.access.endpoint.port);
    let name = host.strip_suffix(&port).unwrap_or(&host).to_owned();
    let mut forms = vec![format!("{name}{port}"), name.clone()];
    let swapped: String = host.chars().map(swapped).collect();
    if swapped != host {
        forms.push(swapped);
    }
    let forms = forms.into_iter().map(|host| {
        let request = plain.clone().set("Host", &host);
        (format!("Host: {host}"), request)
    });
    let refused = first_refused(bench, forms.collect())?;
    Ok(refused.unwrap_or_else(|| Finding::pass("each form was upgraded")))
}

/// The letter in the other case.
fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

pub fn upgrade_missing(bench: &mut Bench) -> Probed {
    let half = bench.request(&["mqtt"]).without("Upgrade").without("Connection");
    let plain = plain_get(bench);
    let answer = answer_to(bench, &plain)?;
    match &answer {
        Answer::Ended(_) | Answer::Silence => {
            return Ok(Finding::warn(format!("a plain GET: {answer}")));
        }
        Answer::Head(_) | Answer::Other(_) if answer.status() == Some(101) => {
            return Ok(Finding::fail(format!("a plain GET: {answer}")));
        }
        Answer::Head(_) | Answer::Other(_) if !bench.target.selection.is_thorough() => {
            return Ok(Finding::pass(format!("a plain GET: {answer}")));
        }
        // The half of a request is asked, too.
        Answer::Head(_) | Answer::Other(_) => {}
    }
    let answer = answer_to(bench, &half)?;
    let words = format!("neither Upgrade nor Connection: {answer}");
    Ok(match answer.status() {
        Some(101) => Finding::fail(words),
        _ if answer.is_client_error() => Finding::pass(answer.to_string()),
        _ => Finding::warn(words),
    })
}

/// Judges a request that has to be refused: by 4xx, and not by 101.
fn refused(
    bench: &mut Bench,
    what: &str,
    request: &UpgradeRequest,
) -> StepResult<(Answer, Finding)> {
    let answer = answer_to(bench, request)?;
    let finding = match answer.status() {
        Some(101) => Finding::fail(format!("{what}: upgraded")),
        _ if answer.is_client_error() => Finding::pass(answer.to_string()),
        _ => Finding::warn(format!("{what}: {answer}")),
    };
    Ok((answer, finding))
}

/// The worst of these findings; of two that are equal, the first.
fn worst(findings: Vec<Finding>) -> Finding {
    let worse = |first: Finding, next: Finding| {
        if next.verdict > first.verdict { next } else { first }
    };
    findings.into_iter().reduce(worse).unwrap_or_else(|| Finding::unknown("nothing was asked"))
}

pub fn key_checked(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let plain = bench.request(&["mqtt"]);
    let short = plain.clone().set("Sec-WebSocket-Key", &BASE64.encode(&[0x6d; 15]));
    let (_, without) = refused(bench, "no key", &plain.without("Sec-WebSocket-Key"))?;
    let (_, short) = refused(bench, "a key of 15 bytes", &short)?;
    Ok(worst(vec![without, short]))
}

pub fn version_checked(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let plain = bench.request(&["mqtt"]);
    let mut findings = Vec::new();
    for (what, request) in
        [("version 12", plain.clone().set(VERSION, "12")), ("no version", plain.without(VERSION))]
    {
        let (answer, finding) = refused(bench, what, &request)?;
        let names_13 = match &answer {
            Answer::Head(head) => head.tokens(VERSION).iter().any(|version| version == "13"),
            _ => false,
        };
        findings.push(if answer.is_client_error() && !names_13 {
            Finding::warn(format!("{what}: {answer} without {VERSION}: 13"))
        } else {
            finding
        });
    }
    Ok(worst(findings))
}

pub fn method_checked(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let plain = UpgradeRequest { origin: RequestOrigin::Probe, ..bench.request(&["mqtt"]) };
    let post = UpgradeRequest { method: "POST".to_owned(), ..plain.clone() };
    let old = UpgradeRequest { version: "HTTP/1.0".to_owned(), ..plain };
    let mut findings = Vec::new();
    for (what, request) in [("POST", post), ("HTTP/1.0", old)] {
        let (answer, finding) = refused(bench, what, &request)?;
        let is_refused = matches!(answer, Answer::Ended(_))
            || matches!(answer.status(), Some(status) if status >= 500);
        findings.push(if is_refused { Finding::pass(answer.to_string()) } else { finding });
    }
    Ok(worst(findings))
}

pub fn origin_foreign(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let answer = answer_to(bench, &bench.request(&["mqtt"]).set("Origin", FOREIGN))?;
    if let Some(status) = answer.status() {
        bench.journal.fact("origin_foreign", Fact::Number(status.into()));
    }
    Ok(match answer.status() {
        Some(101) => Finding::pass("upgraded: the origin is not looked at"),
        Some(403) => Finding::pass(answer.to_string()),
        // RFC 6455 4.2.2 asks for a fitting status, 10.2 for 403.
        _ if answer.is_client_error() => Finding::warn(format!("{answer}, and not 403")),
        _ => failed(&answer, format!("Origin: {FOREIGN}: {answer}")),
    })
}

pub fn long_header(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let mut taken = 0;
    for length in LONG {
        let request = bench.request(&["mqtt"]).with("X-Check", &"x".repeat(length));
        let answer = answer_to(bench, &request)?;
        if answer.status() != Some(101) {
            let words = format!("{length} bytes: {answer}");
            let most = match taken {
                0 => String::new(),
                taken => format!("; {taken} bytes are taken"),
            };
            return Ok(failed(&answer, words + &most));
        }
        taken = length;
    }
    Ok(Finding::pass("4 and 8 KiB were taken"))
}

pub fn cut(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let request = UpgradeRequest { pieces: Some(40), ..bench.request(&["mqtt"]) };
    let answer = answer_to(bench, &request)?;
    Ok(match answer.status() {
        Some(101) => Finding::pass("upgraded"),
        _ => failed(&answer, format!("in pieces of 40 bytes: {answer}")),
    })
}
