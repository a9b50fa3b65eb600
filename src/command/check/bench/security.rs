//! What TLS and the certificates of the server say, noted for the points of the group tls.

use super::{Asked, Bench, Conn, StepResult, Stop};
use crate::command::check::finding::Verdict;
use crate::command::check::journal::Fact;
use crate::command::check::request::UpgradeRequest;
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{Disconnect, Packet};
use crate::transport::tls::{CertificateInfo, Judgement};
use crate::websocket::frame::NORMAL;

/// The application protocol that browsers offer for a WebSocket.
const BROWSERS: &str = "http/1.1";

/// A certificate must be valid for so long from now on, in seconds: 14 days.
const NOTICE: u64 = 14 * SECONDS_OF_A_DAY;

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

impl Bench {
    /// Notes where the connection leads, for the head of the report.
    pub fn note_reached(&mut self, conn: Conn) {
        let link = self.link(conn);
        let (reached, tls) = (link.stream.reached.to_string(), link.stream.tls());
        self.journal.fact("address", Fact::Text(reached));
        if let Some(tls) = tls {
            self.journal.fact("tls_version", Fact::Text(tls.version));
            self.journal.fact("tls_cipher", Fact::Text(tls.cipher));
            if let Some(alpn) = tls.alpn {
                self.journal.fact("tls_alpn", Fact::Text(alpn));
            }
        }
    }

    /// TCP, and TLS as browsers negotiate it: they offer `http/1.1` by ALPN.
    pub fn dial_as_browser(&mut self) -> StepResult<Conn> {
        let Some(tls) = self.target.access.server_tls() else { return self.dial(None) };
        let tls = tls.offering(&[BROWSERS]);
        let dialled = self.dial_with(None, Some(&tls));
        let (verdict, words) = match &dialled {
            Ok(conn) => match self.link(*conn).stream.tls().and_then(|tls| tls.alpn) {
                Some(name) if name != BROWSERS => {
                    (Verdict::Warn, format!("{name} was chosen, which was not offered"))
                }
                _ => (Verdict::Pass, String::new()),
            },
            Err(Stop::NoConnection(words)) => {
                (Verdict::Warn, format!("the offer of {BROWSERS} is refused: {words}"))
            }
            Err(_) => return dialled,
        };
        self.journal.observe("tls-alpn-http11", None, verdict, words);
        dialled
    }

    /// Sends a request as browsers do, also where their handshake is refused: that is a point of
    /// its own.
    pub fn ask_as_browser(&mut self, request: &UpgradeRequest) -> StepResult<Asked> {
        let conn = match self.dial_as_browser() {
            Err(Stop::NoConnection(_)) => self.dial(None)?,
            dialled => dialled?,
        };
        self.ask_on(conn, request)
    }

    /// Ends a connection in order, and leaves the stream to the server.
    pub fn say_goodbye(&mut self, conn: Conn) {
        self.send(conn, &Packet::Disconnect(Disconnect::default()));
        self.send_frame(conn, &Frame::close(NORMAL, b""));
    }

    /// Judges the certificates that came on this connection, also where the handshake failed.
    pub(super) fn note_certificate(&mut self, conn: Conn) {
        let chain = self.link(conn).stream.certificates().to_vec();
        let host = self.target.access.endpoint.host.clone();
        let judge = self.target.access.judge.as_ref();
        let Some(judgement) = judge.and_then(|judge| judge.judgement(&host, &chain)) else {
            return;
        };
        self.note_judgement(judgement);
    }

    fn note_judgement(&mut self, judgement: Judgement) {
        let Judgement { info, names, chain, name, dates, form } = judgement;
        let fingerprint = Fact::Text(info.fingerprint.to_string());
        if self.journal.facts.get("tls_sha256") == Some(&fingerprint) {
            return;
        }
        self.journal.fact("tls_sha256", fingerprint);
        let failed = |result: Result<(), String>| result.err().map(|words| (Verdict::Fail, words));
        let is_ending = is_ending(&info).then(|| format!("valid until {} only", until(&info)));
        let form = (!form.is_empty())
            .then(|| (Verdict::Warn, format!("{}: others may refuse it", form.join(", "))));
        for (point, fault) in [
            ("tls-chain", failed(chain)),
            ("tls-name", failed(name)),
            ("tls-dates", failed(dates).or(is_ending.map(|words| (Verdict::Warn, words)))),
            ("tls-form", form),
        ] {
            let (verdict, words) = fault.unwrap_or((Verdict::Pass, String::new()));
            self.journal.observe(point, None, verdict, words);
        }
        for (name, text) in [
            ("tls_not_after", until(&info)),
            ("tls_subject", info.subject),
            ("tls_names", names.join(", ")),
        ] {
            self.journal.fact(name, Fact::Text(text));
        }
    }
}

/// Whether the certificate ends soon.
fn is_ending(info: &CertificateInfo) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    info.not_after < now.unwrap_or_default().as_secs() + NOTICE
}

/// The last second of the validity, as in RFC 3339.
fn until(info: &CertificateInfo) -> String {
    let seconds = i64::try_from(info.not_after).unwrap_or(i64::MAX);
    // "No end" is later than jiff's timestamps go (RFC 5280 §4.1.2.5).
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| "9999-12-31T23:59:59Z".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}
