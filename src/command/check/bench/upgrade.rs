//! The upgrade: the user's request or a spoilt one, and what came for it.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use super::{Bench, Conn, LONGEST_PATIENCE, StepResult, Stop};
use crate::command::check::answer::{Answer, AnswerHead, Parsed, is_http};
use crate::command::check::connection::Link;
use crate::command::check::finding::Verdict;
use crate::command::check::journal::{Direction, Fact, ProtocolLayer};
use crate::command::check::request::{RequestOrigin, UpgradeRequest};
use crate::exit::Exit;

/// The time between the pieces of a request that is written in pieces.
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// A request that was sent, and what came for it. After 101 the connection is a WebSocket.
pub struct Asked {
    /// The connection.
    pub conn: Conn,
    /// The answer.
    pub answer: Answer,
}

/// A refusal of what was taken before, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnedAway {
    /// It was answered.
    Answered(String),
    /// It ended without an answer.
    Ended(String),
}

impl TurnedAway {
    /// It in words.
    pub fn words(&self) -> &str {
        match self {
            Self::Answered(words) | Self::Ended(words) => words,
        }
    }
}

impl Bench {
    /// The user's request: the address, headers and flags as given, offering these subprotocols.
    pub fn request(&self, subprotocols: &[&str]) -> UpgradeRequest {
        let endpoint = &self.target.access.endpoint;
        let request = UpgradeRequest::new(&endpoint.target, &endpoint.host_header(), subprotocols);
        let add = |request: UpgradeRequest, (name, value): &(String, String)| {
            let replaces = ["Host", "User-Agent"].iter().any(|own| own.eq_ignore_ascii_case(name));
            if replaces { request.set(name, value) } else { request.with(name, value) }
        };
        let request = self.target.access.headers.iter().fold(request, add);
        match subprotocols {
            ["mqtt"] => UpgradeRequest { origin: RequestOrigin::User, ..request },
            _ => request,
        }
    }

    /// Sends a request on a new connection, and waits for what comes.
    pub fn ask(&mut self, request: &UpgradeRequest) -> StepResult<Asked> {
        self.ask_at(None, request)
    }

    /// The same at one of the addresses of the name.
    pub fn ask_at(
        &mut self,
        address: Option<SocketAddr>,
        request: &UpgradeRequest,
    ) -> StepResult<Asked> {
        let conn = self.dial(address)?;
        self.ask_on(conn, request)
    }

    /// The same on a connection that is there.
    pub fn ask_on(&mut self, conn: Conn, request: &UpgradeRequest) -> StepResult<Asked> {
        self.journal.note(Direction::Out, ProtocolLayer::Http, || request.words(), &[]);
        let bytes = request.bytes();
        let pieces = request.pieces.unwrap_or(bytes.len()).max(1);
        for (number, piece) in bytes.chunks(pieces).enumerate() {
            if number > 0 {
                self.pause(conn, BETWEEN_PIECES)?;
            }
            let (link, journal) = self.both(conn);
            link.write(piece, journal);
        }
        let answer = match self.http_answer(conn, request) {
            Ok(Parsed::Head(head, _)) => Answer::Head(head),
            Ok(_) => Answer::Other(self.link(conn).early_bytes().to_vec()),
            Err(Stop::Ended { end, .. }) => {
                self.asked.saw_unexpected_end = false;
                Answer::Ended(end)
            }
            Err(Stop::Silent { .. }) => Answer::Silence,
            Err(stop) => return Err(stop),
        };
        self.note_answer(conn, request, &answer);
        Ok(Asked { conn, answer })
    }

    /// Waits for the head of an answer, for the first one of the run for longer.
    fn http_answer(&mut self, conn: Conn, request: &UpgradeRequest) -> StepResult<Parsed> {
        let is_first = request.is_plain() && self.known.plain_answer.is_none();
        let patience = if is_first { LONGEST_PATIENCE } else { self.patience() };
        self.asked.patience = patience;
        let sent = Instant::now();
        let parsed = self.wait(conn, "HTTP answer", patience, Link::take_head)?;
        if is_first {
            self.note_first_answer(sent.elapsed());
        }
        Ok(parsed)
    }

    /// UP: a WebSocket, upgraded as the user asks and offering `mqtt` alone. The subprotocol of the
    /// answer is not judged here: that is a point of its own.
    pub fn up(&mut self) -> StepResult<Conn> {
        self.up_with(&self.request(&["mqtt"]))
    }

    /// What came for the user's request, offering `mqtt` alone: asked once in a run.
    pub fn answer_to_plain(&mut self) -> StepResult<Answer> {
        if self.known.plain_answer.is_none() {
            let asked = self.ask(&self.request(&["mqtt"]))?;
            self.close(asked.conn);
        }
        Ok(self.known.plain_answer.clone().unwrap_or(Answer::Silence))
    }

    /// The same with another request.
    pub fn up_with(&mut self, request: &UpgradeRequest) -> StepResult<Conn> {
        let mut asked = self.ask(request)?;
        if request.is_plain() && self.known.was_upgraded && asked.answer.is_passing() {
            // What was taken before is refused for a while.
            let words = format!("what was taken before was answered by {}", asked.answer);
            self.journal.observe("offer-mqtt", None, Verdict::Fail, words);
            self.close(asked.conn);
            asked = self.ask(request)?;
        }
        self.accepted(request, asked)
    }

    /// The connection, if the answer upgrades it as RFC 6455 asks.
    pub fn accepted(&mut self, request: &UpgradeRequest, asked: Asked) -> StepResult<Conn> {
        let Asked { conn, answer } = asked;
        let words = match &answer {
            Answer::Head(head) if head.status == 101 => match fault(request, head) {
                None => {
                    self.known.was_upgraded |= request.is_plain();
                    return Ok(conn);
                }
                Some(words) => words,
            },
            Answer::Silence => {
                self.close(conn);
                let waited = self.asked.patience.min(self.target.timeout).as_secs_f64();
                let words = format!("no answer to the upgrade within {waited:.1} s");
                return Err(self.failed(Exit::TimedOut, words));
            }
            Answer::Ended(_) => format!("the upgrade got {answer}"),
            answer => format!("the upgrade was answered by {answer}"),
        };
        self.close(conn);
        if request.is_plain() {
            self.note_turned_away(&answer, &words);
        }
        let is_for_now = matches!(answer, Answer::Ended(_)) || answer.is_passing();
        Err(if is_for_now {
            self.failed_for_now(Exit::Upgrade, words)
        } else {
            self.failed(Exit::Upgrade, words)
        })
    }

    /// A server that took such a request before, and refuses it while no other connection of the
    /// point is open, may limit how many there are in a time.
    fn note_turned_away(&mut self, answer: &Answer, words: &str) {
        let is_answer = matches!(answer.status(), Some(403 | 429));
        let is_limit = is_answer || matches!(answer, Answer::Ended(_));
        if self.known.was_upgraded && is_limit && self.connections.is_alone() {
            let words = words.to_owned();
            let answered = is_answer.then(|| TurnedAway::Answered(words.clone()));
            self.asked.turned_away = answered.or(Some(TurnedAway::Ended(words)));
        }
    }

    /// Notes what observed points want to know of an answer, and opens the WebSocket.
    fn note_answer(&mut self, conn: Conn, request: &UpgradeRequest, answer: &Answer) {
        self.journal.note(Direction::In, ProtocolLayer::Http, || answer.to_string(), &[]);
        if request.is_plain() && self.known.plain_answer.is_none() {
            self.known.plain_answer = Some(answer.clone());
        }
        match answer {
            Answer::Head(head) => {
                self.journal.observe("speaks-http", None, Verdict::Pass, "");
                self.note_head(request, head);
                if head.status == 101 {
                    let (link, journal) = self.both(conn);
                    link.open(head, journal);
                }
            }
            Answer::Other(bytes) => {
                let verdict = if is_http(bytes) { Verdict::Pass } else { Verdict::Fail };
                self.journal.observe("speaks-http", None, verdict, answer.to_string());
            }
            Answer::Ended(_) | Answer::Silence => {}
        }
    }

    fn note_head(&mut self, request: &UpgradeRequest, head: &AnswerHead) {
        if let Some(server) = head.value("Server") {
            self.journal.fact("server", Fact::Text(server));
        }
        if let Some(date) = head.value("Date").and_then(|date| seconds_off(&date)) {
            let verdict = if date > 300 { Verdict::Warn } else { Verdict::Pass };
            let words = format!("the server's clock differs from ours by {date} s");
            self.journal.observe("clock", None, verdict, words);
        }
        let offers_extension = request.value("Sec-WebSocket-Extensions").is_some();
        if !offers_extension {
            let extension = head.value("Sec-WebSocket-Extensions");
            let verdict = if extension.is_some() { Verdict::Fail } else { Verdict::Pass };
            let words = format!("agreed to {}, not offered", extension.unwrap_or_default());
            self.journal.observe("no-unasked-extension", None, verdict, words);
        }
        // What answers a request that breaks the rules is judged by the point that sends it.
        if head.status != 101 || !request.is_legal() {
            return;
        }
        if let ([name], true) = (&head.subprotocols()[..], request.is_plain()) {
            self.journal.fact("subprotocol", Fact::Text(name.clone()));
        }
        let accept = accept_fault(request, head);
        let verdict = if accept.is_some() { Verdict::Fail } else { Verdict::Pass };
        self.journal.observe("accept-key", None, verdict, accept.unwrap_or_default());
        let (verdict, words) = judge_upgrade_headers(head);
        self.journal.observe("upgrade-headers", None, verdict, words);
        if head.version != "HTTP/1.1" {
            let words = format!("101 in {}: browsers want HTTP/1.1", head.version);
            self.journal.observe("speaks-http", None, Verdict::Fail, words);
        }
    }
}

/// What is wrong with a 101, so that no client may go on (RFC 6455 §4.1).
fn fault(request: &UpgradeRequest, head: &AnswerHead) -> Option<String> {
    let headers = judge_upgrade_headers(head);
    let headers = (headers.0 == Verdict::Fail).then_some(headers.1);
    accept_fault(request, head).or(headers)
}

/// What is wrong with `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
fn accept_fault(request: &UpgradeRequest, head: &AnswerHead) -> Option<String> {
    match head.all("Sec-WebSocket-Accept")[..] {
        [] => Some("101 without Sec-WebSocket-Accept".to_owned()),
        [accept] if accept == request.accept_value() => None,
        [_] => Some("101 with a wrong Sec-WebSocket-Accept".to_owned()),
        _ => Some("101 with several Sec-WebSocket-Accept".to_owned()),
    }
}

/// `Upgrade` and `Connection` of a 101 (RFC 6455 §4.1, §4.2.2).
fn judge_upgrade_headers(head: &AnswerHead) -> (Verdict, String) {
    let (upgrade, connection) = (head.tokens("Upgrade"), head.tokens("Connection"));
    let is = |tokens: &[String], wanted: &str| {
        tokens.iter().any(|token| token.eq_ignore_ascii_case(wanted))
    };
    if upgrade.len() != 1 || !is(&upgrade, "websocket") {
        return (Verdict::Fail, format!("101 with Upgrade: {}", upgrade.join(", ")));
    }
    if !is(&connection, "upgrade") {
        return (Verdict::Fail, format!("101 with Connection: {}", connection.join(", ")));
    }
    if connection.len() > 1 {
        return (Verdict::Warn, format!("101 with Connection: {}", connection.join(", ")));
    }
    (Verdict::Pass, String::new())
}

/// By how many seconds a `Date` (RFC 9110 §5.6.7) differs from our clock; `None` if it is no date.
fn seconds_off(date: &str) -> Option<u64> {
    let server = http_date(date)?;
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    Some(now.abs_diff(server))
}

/// The seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = parts[..] else { return None };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).filter(|_| month.len() == 3)? as u64 / 3 + 1;
    let number = |text: &str| text.parse::<u64>().ok();
    let (day, year) = (number(day)?, number(year).filter(|year| (1970..9999).contains(year))?);
    // Days from civil (Howard Hinnant), with March as the first month.
    let (year, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + number(hour)?) * 60 + number(minute)?) * 60 + number(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        for wrong in ["", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Foo 1 0:0:0 GMT"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_headers_of_101_are_judged() {
        let head = |upgrade: &str, connection: &str| {
            let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let headers = vec![header("Upgrade", upgrade), header("connection", connection)];
            judge_upgrade_headers(&AnswerHead { status: 101, headers, ..AnswerHead::default() }).0
        };
        assert_eq!(head("WebSocket", "upgrade"), Verdict::Pass);
        assert_eq!(head("websocket", "keep-alive, Upgrade"), Verdict::Warn);
        assert_eq!(head("websocket", "keep-alive"), Verdict::Fail);
        assert_eq!(head("", "Upgrade"), Verdict::Fail);
    }
}
