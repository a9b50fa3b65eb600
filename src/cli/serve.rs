//! `mqttws serve`.

use std::ffi::OsString;

use clap::Args;

/// Run a local broker, alone or for the time of one command.
///
/// It prints its URL on stdout once it listens. With a command it runs that command with
/// `$MQTTWS_URL` set and mqttws on its `$PATH`, and ends with it and with its exit code.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Serve {
    /// Address to listen at: this machine only
    #[arg(
        short = 'h',
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Broker"
    )]
    pub host: String,

    /// Port to listen at; 0 picks a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 8080, help_heading = "Broker")]
    pub port: u16,

    /// Log what happens on stderr
    #[arg(short, long, help_heading = "Broker")]
    pub debug: bool,

    /// Command to run, with its arguments
    #[arg(last = true, value_name = "COMMAND", help_heading = "Broker")]
    pub command: Vec<OsString>,
}
