//! The flags for the HTTP upgrade and for the frames after it. The content of files that hold
//! headers never gets into an error.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;

use super::secret::SecretReader;
use super::value;
use crate::client::{RedirectPolicy, UpgradeOptions};
use crate::exit::Usage;
use crate::mqtt::session::{PacketGrouping, Strictness};
use crate::websocket::upgrade::{basic, is_token};

/// Headers that the handshake itself is made of (RFC 6455 §4.1).
const RESERVED: [&str; 3] = ["Upgrade", "Connection", "Content-Length"];

/// The upgrade and the frames after it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where to connect")]
pub struct UpgradeFlags {
    /// WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then
    /// mqttv3.1; with -V 31 in the other order]
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    subprotocol: Option<String>,

    /// Send this header with the upgrade; `Name: @FILE` reads the value from a file (repeatable)
    ///
    /// `Host` and `User-Agent` replace ours.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", allow_hyphen_values = true)]
    header: Vec<String>,

    /// Send this Origin header
    #[arg(long, value_name = "ORIGIN", allow_hyphen_values = true)]
    origin: Option<String>,

    /// Send this User-Agent header
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    user_agent: Option<String>,

    /// Authenticate the upgrade with user name and password; `@FILE` reads them from a file
    #[arg(
        long,
        value_name = "USER:PASSWORD",
        overrides_with = "bearer",
        allow_hyphen_values = true
    )]
    basic_auth: Option<String>,

    /// Authenticate the upgrade with this token; `@FILE` reads it from a file
    #[arg(long, value_name = "TOKEN", overrides_with = "basic_auth", allow_hyphen_values = true)]
    bearer: Option<String>,

    /// Follow up to 5 redirects, never from wss to ws; nothing that identifies you goes to another
    /// host
    ///
    /// User name, password, user properties of CONNECT, all headers given here, client certificate
    /// and `--sni` are for the first host and port alone (and for wss after ws at the usual ports);
    /// a warning says what is withheld. Each host has its own proxy, or none.
    #[arg(long)]
    pub follow: bool,

    /// Refuse what is otherwise taken with a warning: odd answers to the upgrade, and broken rules
    /// of MQTT that do no harm
    #[arg(long)]
    pub strict: bool,

    /// Send each MQTT packet as a WebSocket message of its own
    #[arg(long)]
    pub frame_per_packet: bool,

    /// The largest WebSocket message and MQTT packet to accept; K, M and G count in 1024
    /// [default: 256M and a header]
    #[arg(long, value_name = "BYTES", value_parser = value::size, allow_hyphen_values = true)]
    max_message_size: Option<usize>,
}

/// The largest payload that MQTT can carry, 256 MiB, and room for the header before it.
const MAXIMUM_PACKET: usize = 256 * 1024 * 1024 + 64 * 1024;

impl UpgradeFlags {
    /// The first flag that is given of those that `check` decides itself.
    pub fn given_against_check(&self) -> Option<&'static str> {
        let given = [
            (self.strict, "--strict"),
            (self.frame_per_packet, "--frame-per-packet"),
            (self.subprotocol.is_some(), "--subprotocol"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }

    /// Whether a file holds a header.
    pub fn are_in_files(&self) -> bool {
        let is_file =
            |value: &Option<String>| value.as_ref().is_some_and(|value| value.starts_with('@'));
        let is_header_file = |header: &String| {
            header.split_once(':').is_some_and(|(_, value)| value.trim_start().starts_with('@'))
        };
        is_file(&self.basic_auth) || is_file(&self.bearer) || self.header.iter().any(is_header_file)
    }

    /// The largest packet to accept, in bytes.
    pub fn maximum_packet(&self) -> usize {
        self.max_message_size.unwrap_or(MAXIMUM_PACKET)
    }

    /// How packets are judged that break MQTT and do no harm.
    pub fn strictness(&self) -> Strictness {
        if self.strict { Strictness::Strict } else { Strictness::Tolerant }
    }

    /// How packets become messages.
    pub fn grouping(&self) -> PacketGrouping {
        if self.frame_per_packet { PacketGrouping::Single } else { PacketGrouping::Gathered }
    }

    /// What the upgrade asks for.
    pub fn resolve(&self, secrets: &mut SecretReader) -> Result<UpgradeOptions> {
        let headers = self.headers(secrets)?;
        let redirects = if self.follow { RedirectPolicy::Follow } else { RedirectPolicy::Report };
        Ok(UpgradeOptions { headers, subprotocols: self.subprotocols()?, redirects })
    }

    /// The subprotocols to offer, where the user chose.
    fn subprotocols(&self) -> Result<Option<Vec<String>>> {
        let Some(names) = &self.subprotocol else { return Ok(None) };
        if names == "none" {
            return Ok(Some(Vec::new()));
        }
        let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
        ensure!(
            names.iter().all(|name| is_token(name)),
            Usage::new("--subprotocol: expected names separated by commas, or none")
        );
        Ok(Some(names))
    }

    /// All headers of ours that go with the upgrade.
    pub fn headers(&self, secrets: &mut SecretReader) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for (name, flag, value) in [
            ("Origin", "--origin", self.origin.clone()),
            ("User-Agent", "--user-agent", self.user_agent.clone()),
            ("Authorization", "--basic-auth", self.basic(secrets)?),
            ("Authorization", "--bearer", self.bearer(secrets)?),
        ] {
            let Some(value) = value else { continue };
            check_value(flag, &value)?;
            headers.push((name.to_owned(), value));
        }
        for header in &self.header {
            let (name, value) = parse_header(header, secrets)?;
            let twice = headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name));
            let alone = ["Host", "Origin", "User-Agent", "Authorization"];
            ensure!(
                !twice || !alone.iter().any(|single| name.eq_ignore_ascii_case(single)),
                Usage::new(format!("-H: {name} is given twice"))
            );
            headers.push((name, value));
        }
        Ok(headers)
    }

    fn basic(&self, secrets: &mut SecretReader) -> Result<Option<String>> {
        let Some(given) = &self.basic_auth else { return Ok(None) };
        let credentials = from_file(given, secrets)?;
        ensure!(credentials.contains(':'), expected("--basic-auth", given, "USER:PASSWORD"));
        check_given("--basic-auth", given, &credentials)?;
        Ok(Some(basic(&credentials)))
    }

    fn bearer(&self, secrets: &mut SecretReader) -> Result<Option<String>> {
        let Some(given) = &self.bearer else { return Ok(None) };
        let token = from_file(given, secrets)?.trim().to_owned();
        ensure!(
            !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()),
            expected("--bearer", given, "a token of letters, digits and signs")
        );
        Ok(Some(format!("Bearer {token}")))
    }
}

fn parse_header(text: &str, secrets: &mut SecretReader) -> Result<(String, String)> {
    let split = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let (name, value) = split.filter(|(name, _)| is_token(name)).ok_or_else(|| {
        Usage::new("-H: expected 'Name: value', with a name of letters, digits and -")
    })?;
    check_name(name)?;
    let sent = from_file(value, secrets)?.trim().to_owned();
    check_given(&format!("-H: {name}"), value, &sent)?;
    Ok((name.to_owned(), sent))
}

/// Adds a header that no flag gives.
pub fn add_header(headers: &mut Vec<(String, String)>, name: String, value: String) -> Result<()> {
    ensure!(
        is_token(&name),
        "the name of a header has other characters than letters, digits and -"
    );
    check_name(&name)?;
    check_value(&name, &value)?;
    headers.push((name, value));
    Ok(())
}

/// Refuses the headers that the upgrade sets.
fn check_name(name: &str) -> Result<()> {
    let is_reserved = RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("Sec-WebSocket-"));
    let instead = if name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") {
        "; see --subprotocol"
    } else {
        ""
    };
    ensure!(!is_reserved, Usage::new(format!("-H: {name} is set by the upgrade itself{instead}")));
    Ok(())
}

/// What is wrong with the value of a flag, or with the content of the file that it names.
fn expected(flag: &str, given: &str, what: &str) -> anyhow::Error {
    match given.strip_prefix('@') {
        Some(path) => anyhow!("{flag}: expected {what} in {path}"),
        None => Usage::new(format!("{flag}: expected {what}, or @FILE")).into(),
    }
}

/// A value as it is typed, or `@FILE`: the content of the file, without a line end after it.
fn from_file(value: &str, secrets: &mut SecretReader) -> Result<String> {
    let Some(path) = value.strip_prefix('@') else { return Ok(value.to_owned()) };
    let text = String::from_utf8(secrets.read(Path::new(path))?);
    text.map_err(|_| anyhow!("it is not UTF-8")).with_context(|| format!("reading {path}"))
}

/// Checks a value that was typed.
fn check_value(place: &str, value: &str) -> Result<()> {
    check_given(place, "", value)
}

/// Nothing in a value may end the header (RFC 9110 §5.5). It was `given` so, or as `@FILE`.
fn check_given(place: &str, given: &str, value: &str) -> Result<()> {
    const WRONG: &str = "holds a line break or a control character";
    if !value.chars().any(|c| c.is_control() && c != '\t') {
        return Ok(());
    }
    match given.strip_prefix('@') {
        Some(path) => bail!("{place}: the value in {path} {WRONG}"),
        None => bail!(Usage::new(format!("{place}: the value {WRONG}"))),
    }
}
