//! The flags that say how `pub` and `sub` leave the broker.

use super::choice::{Choice, Flag};
use super::mqtt::NeedsVersion5;
use crate::client::Leaving;

/// How the broker is left.
#[derive(Debug)]
pub enum LeavingChoice {}

impl Choice for LeavingChoice {
    type Value = Leaving;
    const DEFAULT: Leaving = Leaving::Disconnect;
    const FLAGS: &'static [Flag<Leaving>] = &[
        Flag {
            id: "abort",
            short: None,
            long: Some("abort"),
            help: "End without DISCONNECT: when all is acknowledged, reset the connection, so that \
                   the broker publishes the will",
            conflicts: &["disconnect_with_will"],
            value: Leaving::Reset,
        },
        Flag {
            id: "disconnect_with_will",
            short: None,
            long: Some("disconnect-with-will"),
            help: "End with a DISCONNECT by which the broker publishes the will (MQTT 5)",
            conflicts: &[],
            value: Leaving::DisconnectWithWill,
        },
    ];

    fn refine(flag: clap::Arg) -> clap::Arg {
        flag.help_heading("MQTT")
    }
}

/// What needs MQTT 5 where the broker is left so.
pub fn needs_version_5(leaving: Leaving) -> Option<NeedsVersion5> {
    (leaving == Leaving::DisconnectWithWill).then_some(("--disconnect-with-will", |_| {
        "--disconnect-with-will: only MQTT 5 has a DISCONNECT with a reason code".to_owned()
    }))
}
