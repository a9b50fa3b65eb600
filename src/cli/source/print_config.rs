//! `--print-config`: each setting that is in force and its source, as lines of a profile; secrets
//! are masked.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::super::connection::ConnectionFlags;
use super::super::property;
use super::variable;
use crate::websocket::upgrade::masked;

/// Flags that are no settings, or have a line of their own.
const LEFT_OUT: [&str; 7] =
    ["url", "url_flag", "help", "version", "print_config", "profile", "config"];

/// The identifiers of flags whose value is shown as `***`.
const SECRETS: [&str; 4] = ["password", "basic_auth", "bearer", "auth_data"];

/// Stands for a secret.
const HIDDEN: &str = "***";

/// Which flags came from where.
#[derive(Debug, Default)]
pub struct Origins {
    /// The file of profiles that was read.
    pub file: Option<PathBuf>,
    /// For each flag that a profile added, its identifier and the profile, in order.
    pub added: Vec<(String, String)>,
    /// The identifiers of the flags that were typed; not looked at when nothing was added.
    pub typed: BTreeSet<String>,
    /// Settings of a profile that are not used, and why.
    pub warnings: Vec<String>,
}

impl Origins {
    /// Whether somebody typed this flag, in this run.
    pub fn is_typed(&self, id: &str, matches: &ArgMatches) -> bool {
        let is_added = self.added.iter().any(|(added, _)| added == id);
        is_given(id, matches) && (!is_added || self.typed.contains(id))
    }

    /// The places that the values of a flag in force are from.
    fn of(&self, arg: &Arg, matches: &ArgMatches) -> String {
        let id = arg.get_id().as_str();
        if !is_given(id, matches) {
            return "default".into();
        }
        let mut places: Vec<String> = Vec::new();
        for (_, profile) in self.added.iter().filter(|(added, _)| added == id) {
            let place = format!("profile {profile}");
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if self.is_typed(id, matches) {
            places.push("flag".into());
        }
        match arg.get_action() {
            ArgAction::Append | ArgAction::Count => places.join(", "),
            // The later place overrules.
            _ => places.pop().unwrap_or_default(),
        }
    }
}

fn is_given(id: &str, matches: &ArgMatches) -> bool {
    let known = matches.ids().any(|known| known.as_str() == id);
    known && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// One setting.
struct Setting {
    key: String,
    value: String,
    source: String,
}

/// The settings of `command` as lines, each with its source.
pub fn listing(
    command: &Command,
    matches: &ArgMatches,
    connection: &ConnectionFlags,
    origins: &Origins,
) -> Result<String> {
    let mut lines = Vec::new();
    if !connection.has_url_command() {
        lines.push(address(command, matches, connection, origins)?);
    }
    for arg in command.get_arguments().filter(|arg| !LEFT_OUT.contains(&arg.get_id().as_str())) {
        lines.extend(given(arg, matches, origins));
        if !is_given(arg.get_id().as_str(), matches) {
            lines.extend(elsewhere(arg, connection)?);
        }
    }
    let width =
        lines.iter().map(|line| line.key.len() + line.value.len() + 3).max().unwrap_or(0).min(48);
    let file = origins.file.iter().map(|file| format!("# with {}", file.display()));
    let settings = lines.iter().map(|Setting { key, value, source }| {
        let setting = format!("{key} = {value}");
        format!("{setting:width$}  # {source}")
    });
    Ok(file.chain(settings).collect::<Vec<_>>().join("\n"))
}

/// The address, whatever it was made of.
fn address(
    command: &Command,
    matches: &ArgMatches,
    connection: &ConnectionFlags,
    origins: &Origins,
) -> Result<Setting> {
    let endpoint = connection.endpoint()?;
    let whole = command.get_arguments().find(|arg| {
        matches!(arg.get_id().as_str(), "url" | "url_flag")
            && is_given(arg.get_id().as_str(), matches)
    });
    let in_parts = ["host", "port", "path"].iter().any(|id| is_given(id, matches));
    let source = match whole {
        Some(arg) => origins.of(arg, matches),
        None if in_parts => "host, port and path".into(),
        None if env::var_os("MQTTWS_URL").is_some_and(|url| !url.is_empty()) => {
            "$MQTTWS_URL".into()
        }
        None => "default".into(),
    };
    let mut urls = vec![quoted(&endpoint.to_string())];
    urls.extend(connection.other_endpoints()?.iter().map(|other| quoted(&other.to_string())));
    let value = if urls.len() > 1 { format!("[{}]", urls.join(", ")) } else { urls.concat() };
    Ok(Setting { key: "url".into(), value, source })
}

/// The value of a flag, or its default.
fn given(arg: &Arg, matches: &ArgMatches, origins: &Origins) -> Option<Setting> {
    let id = arg.get_id().as_str();
    let value = match arg.get_action() {
        ArgAction::SetTrue => matches.get_flag(id).then(|| "true".to_owned())?,
        ArgAction::Count => Some(matches.get_count(id)).filter(|count| *count > 0)?.to_string(),
        action => {
            let values = matches.get_raw(id)?.map(|value| shown(id, &value.to_string_lossy()));
            let values: Vec<String> = values.collect();
            if matches!(action, ArgAction::Append) {
                format!("[{}]", values.join(", "))
            } else {
                values.into_iter().next()?
            }
        }
    };
    Some(Setting { key: name(arg), value, source: origins.of(arg, matches) })
}

/// The value in the URL or in the environment, where the flag is not given.
fn elsewhere(arg: &Arg, connection: &ConnectionFlags) -> Result<Option<Setting>> {
    let id = arg.get_id().as_str();
    let endpoint = connection.endpoint()?;
    let in_url = |value: Option<String>| value.map(|value| ("the URL".to_owned(), value));
    let user = endpoint.user.clone();
    let found = match id {
        "username" => in_url(user.map(|(name, _)| name)).or_else(|| variable("MQTTWS_USERNAME")),
        "password" if connection.is_password_given() => None,
        "password" => {
            in_url(user.and_then(|(_, password)| password)).or_else(|| variable("MQTTWS_PASSWORD"))
        }
        "proxy" => connection.proxy(endpoint.scheme),
        "no_proxy" => connection.exempt(),
        "cafile" if connection.trusts_by_variable() => variable("MQTTWS_CAFILE"),
        "keylog" => variable("SSLKEYLOGFILE").filter(|(_, path)| !path.is_empty()),
        _ => None,
    };
    Ok(found.map(|(source, value)| Setting { key: name(arg), value: shown(id, &value), source }))
}

/// The name under which a profile would set it.
fn name(arg: &Arg) -> String {
    let long = arg.get_long().map(str::to_owned);
    long.or_else(|| arg.get_short().map(String::from)).unwrap_or_else(|| arg.get_id().to_string())
}

/// A value as TOML, with secrets masked.
fn shown(id: &str, value: &str) -> String {
    match id {
        _ if SECRETS.contains(&id) => quoted(HIDDEN),
        "header" => quoted(masked(value).trim_end()),
        "proxy" | "to" => quoted(&without_user(value)),
        "property" => quoted(&property::masked(value, HIDDEN)),
        _ if value.parse::<i64>().is_ok() => value.to_owned(),
        _ => quoted(value),
    }
}

fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let separator = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}{separator}{HIDDEN}@{place}"),
        None => url.to_owned(),
    }
}

/// A string of JSON is one of TOML, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for (id, value, expected) in [
            ("password", "s3cret", "\"***\""),
            ("header", "Authorization: Bearer s3cret", "\"Authorization: ***\""),
            ("header", "X-Plain: yes", "\"X-Plain: yes\""),
            ("proxy", "http://ann:s3cret@proxy:3128", "\"http://***@proxy:3128\""),
            (
                "property",
                "connect\0user-property\0token\0s3cret",
                "\"connect user-property token ***\"",
            ),
            (
                "property",
                "connect\0authentication-data\0s3cret",
                "\"connect authentication-data ***\"",
            ),
            ("property", "publish\0content-type\0x", "\"publish content-type x\""),
            ("proxy", "ann:s3@cret@proxy", "\"***@proxy\""),
            ("to", "wss://ann:s3cret@b/mqtt", "\"wss://***@b/mqtt\""),
            ("proxy", "socks5://proxy", "\"socks5://proxy\""),
            ("topic", "a\"b\\c", "\"a\\\"b\\\\c\""),
            ("keepalive", "45", "45"),
        ] {
            assert_eq!(shown(id, value), expected, "{id} {value}");
        }
    }
}
