//! `mqttws serve`.

mod access;
mod deviate;
mod expect;
mod expectations;
mod fault;
mod files;
mod limits;
mod tls;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::testing::check_command;
use super::value;
use crate::command::serve::{Announcement, Config, ListenAddresses, LogForm, StartForm};
use crate::exit::Usage;
use access::AccessFlags;
use deviate::DeviateFlags;
use expectations::ExpectFlags;
use files::FileFlags;
use limits::LimitFlags;
use tls::ServeTlsFlags;

/// The port without `-p` and without a command: that of the URL that clients have without one.
const USUAL_PORT: u16 = 8080;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFlag {
    /// Lines for people.
    Text,
    /// An object for each event.
    Json,
}

impl From<LogFlag> for LogForm {
    fn from(log: LogFlag) -> Self {
        match log {
            LogFlag::Text => Self::Text,
            LogFlag::Json => Self::Json,
        }
    }
}

/// Run a local broker, alone or for the time of one command.
///
/// It prints its URL on stdout once it listens. With a command it listens at a free port, runs that
/// command with `$MQTTWS_URL` set and mqttws on its `$PATH`, and exits when the command ends, with
/// its exit code: 126 if it cannot be run, 127 if it is not found.
#[derive(Debug, Args)]
#[command(next_help_heading = "Broker", disable_help_flag = true)]
pub struct ServeFlags {
    /// Address to listen on, of this machine only without --allow-remote [default: 127.0.0.1, and
    /// `::1` if the machine has IPv6]
    #[arg(short = 'h', long, value_name = "ADDRESS", allow_hyphen_values = true)]
    host: Option<String>,

    /// Port to listen on; 0 picks a free one [default: 8080; with a command a free one]
    #[arg(short, long, value_name = "PORT", value_parser = value::port_to_listen,
          allow_hyphen_values = true)]
    port: Option<u16>,

    /// Print a JSON object with url, port, pid and ca, also before the output of a command
    #[arg(long)]
    json: bool,

    /// Write that line, too, to this open file descriptor
    #[arg(long, value_name = "N", value_parser = value::descriptor, allow_hyphen_values = true)]
    ready_fd: Option<u32>,

    /// Log each connection and packet on stderr, as mosquitto -v does: --log text
    #[arg(short, long)]
    debug: bool,

    /// Log them in this form; json: an object a line
    #[arg(long, value_name = "FORM")]
    log: Option<LogFlag>,

    #[command(flatten)]
    limits: LimitFlags,

    #[command(flatten)]
    files: FileFlags,

    #[command(flatten)]
    expectations: ExpectFlags,

    #[command(flatten)]
    deviate: DeviateFlags,

    /// What goes wrong on purpose.
    #[command(flatten)]
    fault: fault::FaultFlags,

    /// Who may come in.
    #[command(flatten)]
    access: AccessFlags,

    /// How connections are encrypted.
    #[command(flatten)]
    tls: ServeTlsFlags,

    /// Command to run, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl ServeFlags {
    /// The `Config` that the flags mean, and warnings about them.
    pub fn resolve(self) -> Result<(Config, Vec<String>)> {
        check_command(&self.command)?;
        let (ip, also) = addresses(self.host.as_deref().unwrap_or("localhost"))?;
        self.access.check_address(ip)?;
        let (warnings, login) = (self.access.warnings(&self.tls), self.access.login());
        let port = self.port.unwrap_or(if self.command.is_empty() { USUAL_PORT } else { 0 });
        let deviations = self.deviate.resolve()?;
        let config = Config {
            listen: ListenAddresses { address: SocketAddr::new(ip, port), also },
            limits: self.limits.resolve(),
            access: self.access.resolve()?,
            login,
            tls: self.tls.resolve()?,
            log: self.log.or(self.debug.then_some(LogFlag::Text)).map(LogForm::from),
            announcement: Announcement {
                form: if self.json { StartForm::Json } else { StartForm::Url },
                ready_fd: self.ready_fd,
            },
            files: self.files.into(),
            expected: self.expectations.resolve()?,
            faults: self.fault.resolve(deviations.faults())?,
            deviations,
            command: self.command,
        };
        Ok((config, warnings))
    }
}

/// The advice where a port stands beside the address.
fn port(host: &str) -> &'static str {
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port { "; the port goes to -p" } else { "" }
}

/// The address to listen on, and one to listen on, too, where there is one.
fn addresses(host: &str) -> Result<(IpAddr, Option<IpAddr>)> {
    if host == "localhost" {
        return Ok((Ipv4Addr::LOCALHOST.into(), Some(Ipv6Addr::LOCALHOST.into())));
    }
    let no_address = || Usage::new(format!("-h: expected an IP address, not {host}{}", port(host)));
    Ok((host.parse().map_err(|_| no_address())?, None))
}
