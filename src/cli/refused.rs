//! Flags of `mosquitto_pub` and `mosquitto_sub` that make no sense here: those that ask for what is
//! always so, and those that say what to use instead. Those of TLS are in `tls.rs`.

use clap::Args;
use clap::error::{ContextKind, ContextValue, ErrorKind};

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

/// What to say about an unknown flag that is one of mosquitto's.
pub fn instead(error: &clap::Error) -> Option<String> {
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else { return None };
    let name = flag.split('=').next().unwrap_or_default();
    let (known, instead) = FLAGS
        .iter()
        .find(|(known, _)| *known == name && error.kind() == ErrorKind::UnknownArgument)?;
    Some(format!("{known}: {instead}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_cannot_be_says_what_can() {
        for (known, instead) in FLAGS {
            let line = ["mqttws", "sub", "-t", "t", known];
            let error = Cli::command().try_get_matches_from(line).expect_err("no such flag");
            assert_eq!(super::instead(&error), Some(format!("{known}: {instead}")));
        }
    }
}
