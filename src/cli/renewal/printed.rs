//! What `--credentials-command` and `--url-command` print: a JSON object, or lines. No error holds
//! any of it.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::Value;

use super::{CREDENTIALS_COMMAND, URL_COMMAND};
use crate::transport::endpoint::Endpoint;

/// U+FEFF, which some programs print first.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Nothing is valid longer than this, in seconds: ten years.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;

/// What the commands have printed.
#[derive(Default)]
pub struct Printed {
    /// The server.
    pub url: Option<Endpoint>,
    /// The user name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Headers of the upgrade.
    pub headers: Vec<(String, String)>,
    /// How long all of it is valid.
    pub lifetime: Option<Duration>,
}

impl Printed {
    /// Adds what the command of this flag has printed.
    pub fn add(&mut self, flag: &'static str, printed: &[u8]) -> Result<()> {
        self.take(flag, printed).map_err(|error| anyhow!("{flag}: {error}"))?;
        ensure!(flag != URL_COMMAND || self.url.is_some(), "{flag}: it has printed no URL");
        Ok(())
    }

    fn take(&mut self, flag: &'static str, printed: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(printed).map_err(|_| anyhow!("its output is not UTF-8"))?;
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let trimmed = text.trim();
        ensure!(!trimmed.is_empty(), "it has printed nothing");
        // A password may end in a blank.
        if trimmed.starts_with('{') { self.object(flag, trimmed) } else { self.lines(flag, text) }
    }

    fn object(&mut self, flag: &'static str, text: &str) -> Result<()> {
        let parsed: Value = serde_json::from_str(text).map_err(|error| {
            anyhow!(
                "its output is not valid JSON (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        for (name, value) in parsed.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("headers", Value::Object(headers)) => {
                    for (name, value) in headers {
                        let value = value.as_str().ok_or_else(|| anyhow!("a header is no text"))?;
                        self.headers.push((name.clone(), value.to_owned()));
                    }
                }
                ("expires_in", Value::Number(number)) => self.expires(&number.to_string())?,
                (name, Value::String(value)) if name != "header" && name != "headers" => {
                    self.set(flag, name, value)?;
                }
                (name, _) if is_known(name) => bail!("{name} in its JSON has the wrong type"),
                _ => bail!("its JSON has a member that is none of {}", names(flag)),
            }
        }
        Ok(())
    }

    fn lines(&mut self, flag: &'static str, text: &str) -> Result<()> {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end_matches('\r');
            let split = line.split_once('=');
            let is_url = line.split('=').next().is_some_and(|start| start.contains("://"));
            match split {
                _ if line.trim().is_empty() => {}
                _ if is_url && flag == URL_COMMAND => self.set(flag, "url", line.trim())?,
                Some((name, value)) if is_known(name) && name != "headers" => {
                    self.set(flag, name, value)?;
                }
                _ => {
                    bail!("line {number} of its output is none of NAME=VALUE with {}", names(flag))
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static str, name: &str, value: &str) -> Result<()> {
        match name {
            "username" => self.username = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "expires_in" => self.expires(value.trim())?,
            "bearer" => {
                let token = value.trim();
                let is_token =
                    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
                ensure!(is_token, "bearer: expected a token of letters, digits and signs");
                self.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
            "header" => {
                let split = value.split_once(':');
                let (name, value) = split.ok_or_else(|| anyhow!("header: expected NAME: VALUE"))?;
                self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            "url" => {
                ensure!(flag == URL_COMMAND, "url: only {URL_COMMAND} prints one");
                let parsed = Endpoint::parse(value.trim());
                self.url = Some(parsed.map_err(|error| anyhow!("its URL: {error}"))?);
            }
            _ => bail!("its output has a name that is none of {}", names(flag)),
        }
        Ok(())
    }

    /// The shorter time of both commands counts.
    fn expires(&mut self, seconds: &str) -> Result<()> {
        let seconds: f64 = seconds.parse().unwrap_or(f64::NAN);
        ensure!(seconds > 0.0, "expires_in: expected a number of seconds above 0");
        let lifetime = Duration::from_secs_f64(seconds.min(LONGEST));
        self.lifetime = Some(self.lifetime.map_or(lifetime, |other| other.min(lifetime)));
        Ok(())
    }
}

fn is_known(name: &str) -> bool {
    let known = ["username", "password", "bearer", "header", "headers", "expires_in", "url"];
    known.contains(&name)
}

fn names(flag: &'static str) -> &'static str {
    if flag == CREDENTIALS_COMMAND {
        "username, password, bearer, header, expires_in"
    } else {
        "url, username, password, bearer, header, expires_in"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(flag: &'static str, text: &str) -> Result<String, String> {
        let mut all = Printed::default();
        all.add(flag, text.as_bytes()).map_err(|error| error.to_string())?;
        let Printed { url, username, password, headers, lifetime } = all;
        let url = url.map(|url| url.secret_url());
        Ok(format!("{url:?} {username:?} {password:?} {headers:?} {lifetime:?}"))
    }

    #[test]
    fn objects_and_lines_say_the_same() {
        let object = r#"{"username": "u", "password": "p=q", "bearer": null,
                         "headers": {"X-Lab": "1"}, "expires_in": 1.5}"#;
        let lines = "username=u\r\npassword=p=q\n\nheader=X-Lab: 1\nexpires_in=1.5\n";
        let expected = r#"None Some("u") Some("p=q") [("X-Lab", "1")] Some(1.5s)"#;
        for text in [object, lines] {
            assert_eq!(printed(CREDENTIALS_COMMAND, text).as_deref(), Ok(expected), "{text}");
        }
        let expected =
            r#"Some("wss://h:443/a?b=c") None None [("Authorization", "Bearer t")] Some(60s)"#;
        for text in [
            "wss://h/a?b=c\nbearer=t\nexpires_in=60",
            "url=wss://h/a?b=c\nbearer= t \nexpires_in=60",
            r#"{"url": "wss://h/a?b=c", "bearer": "t", "expires_in": "60"}"#,
        ] {
            assert_eq!(printed(URL_COMMAND, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn blanks_at_the_end_of_a_value_are_part_of_it() {
        for text in
            ["password=p \nusername=u", "username=u\npassword=p \n", "password=p \r\nusername=u\n"]
        {
            let expected = r#"None Some("u") Some("p ") [] None"#;
            assert_eq!(printed(CREDENTIALS_COMMAND, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_error_holds_what_was_printed() {
        for text in [
            "",
            " \n",
            "s3cret",
            "s3cret=",
            "pasword=s3cret",
            "{\"s3cret\": 1}",
            "{\"password\": s3cret}",
            "{\"password\": 3}",
            "{\"headers\": \"s3cret\"}",
            "{\"headers\": {\"s3cret\": 3}}",
            "expires_in=s3cret",
            "expires_in=0",
            "expires_in=-1",
            "expires_in=nan",
            "bearer=s3 cret",
            "header=s3cret",
            "url=ws://s3cret/",
            "username=u\npassword",
        ] {
            let error = printed(CREDENTIALS_COMMAND, text).unwrap_err();
            assert!(error.starts_with("--credentials-command: ") && !error.contains("s3cret"));
        }
        for text in ["username=u", "url=s3cret", "ws://u:s3cret@h/#a", "{}"] {
            let error = printed(URL_COMMAND, text).unwrap_err();
            assert!(error.starts_with("--url-command: ") && !error.contains("s3cret"), "{error}");
        }
    }
}
