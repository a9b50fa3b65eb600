//! Flags of `mosquitto_pub` and `mosquitto_sub` that make no sense here: those that ask for what is
//! always so, and those that say what to use instead. Those of TLS are in `tls.rs`.

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
const FLAGS: [(&str, &str); 4] = [
    (
        "-S",
        "WebSocket addresses are not looked up in SRV records: name the host with -h, or give a URL",
    ),
    ("--no-tls", "use a ws:// address"),
    ("--message-rate", "use --summary"),
    (
        "--mptcp",
        "connections are plain TCP; where the system can, `mptcpize run mqttws` makes them multipath",
    ),
];

/// The same error, or one that says what to use instead of a flag of mosquitto's.
pub fn explained(error: clap::Error, command: &mut Command) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let name = flag.split('=').next().unwrap_or_default();
    match FLAGS
        .iter()
        .find(|(known, _)| *known == name && error.kind() == ErrorKind::UnknownArgument)
    {
        Some((known, instead)) => {
            command.error(ErrorKind::UnknownArgument, format!("{known}: {instead}"))
        }
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
