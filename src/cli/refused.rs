//! Flags of `mosquitto_pub` and `mosquitto_sub` that make no sense here: those that ask for what is always
//! so, and those that say what to use instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command};

/// What is always so.
#[derive(Debug, Args)]
pub struct Granted {
    /// Packets are never held back
    #[arg(long, hide = true)]
    nodelay: bool,

    /// WebSockets are all that we speak
    #[arg(long, hide = true)]
    ws: bool,
}

/// What clap does not know, and what to say of it.
const FLAGS: [(&str, &str); 10] = [
    ("-S", "WebSocket addresses are not looked up in SRV records: name the host with -h, or give a URL"),
    ("--psk", "TLS with pre-shared keys is not offered over WebSockets: use certificates"),
    ("--psk-identity", "TLS with pre-shared keys is not offered over WebSockets: use certificates"),
    ("--ciphers", "TLS takes only cipher suites that are safe, so there is nothing to choose"),
    ("--tls-engine", "OpenSSL is not used, so it has no engines: give the key as a PEM file with --key"),
    (
        "--tls-engine-kpass-sha1",
        "OpenSSL is not used, so it has no engines: give the key as a PEM file with --key",
    ),
    ("--keyform", "the key is a PEM file, given with --key"),
    ("--tls-use-os-certs", "use --system-roots"),
    ("--no-tls", "use a ws:// address"),
    ("--message-rate", "use --summary"),
];

/// The same error, or one that says what to use instead of a flag of mosquitto's.
pub fn explained(error: clap::Error, command: &mut Command) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let name = flag.split('=').next().unwrap_or_default();
    match FLAGS.iter().find(|(known, _)| *known == name && error.kind() == ErrorKind::UnknownArgument) {
        Some((known, instead)) => command.error(ErrorKind::UnknownArgument, format!("{known}: {instead}")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_cannot_be_says_what_can() {
        for (known, instead) in FLAGS {
            let mut command = Cli::command();
            let line = ["mqttws", "sub", "-t", "t", known];
            let error = command.clone().try_get_matches_from(line).expect_err("no such flag");
            let text = explained(error, &mut command).to_string();
            assert!(text.contains(instead), "{known}: {text}");
        }
    }
}
