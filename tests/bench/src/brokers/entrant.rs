//! The brokers that are measured, and what the kernel says about each.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Failure;
use crate::broker::Broker;
use crate::stream::Identity;

/// A broker that runs.
pub enum Entrant {
    /// `mqttws serve`, this one or an older one.
    Serve(Child, u16),
    /// Debian's mosquitto.
    Mosquitto(Broker),
}

impl Entrant {
    /// Starts `mqttws serve` and waits until it listens.
    pub fn serve(program: &str) -> Result<Self, Failure> {
        Self::serve_with(program, &[])
    }

    /// The same with more arguments.
    pub fn serve_with(program: &str, more: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        // It tells of every queue that is full, which some cases want.
        command.args(["serve", "-p", "0"]).args(more).stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("serve has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.rsplit(':').next().and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok()).ok_or(format!("no URL: {line}"))?;
        Ok(Self::Serve(child, port))
    }

    /// Starts mosquitto in `folder`.
    pub fn mosquitto(folder: &str) -> Result<Self, Failure> {
        Self::mosquitto_as(&Identity::new()?, folder)
    }

    /// The same with this certificate.
    pub fn mosquitto_as(identity: &Identity, folder: &str) -> Result<Self, Failure> {
        Ok(Self::Mosquitto(Broker::start(folder, identity)?))
    }

    /// Where it speaks MQTT over WebSocket.
    pub fn port(&self) -> u16 {
        match self {
            Self::Serve(_, port) => *port,
            Self::Mosquitto(broker) => broker.ws,
        }
    }

    /// Where mosquitto does so over TLS.
    pub fn secure_port(&self) -> Option<u16> {
        match self {
            Self::Serve(..) => None,
            Self::Mosquitto(broker) => Some(broker.wss),
        }
    }

    fn id(&self) -> u32 {
        match self {
            Self::Serve(child, _) => child.id(),
            Self::Mosquitto(broker) => broker.id(),
        }
    }

    /// Its resident memory, in KiB.
    pub fn memory(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The CPU time it has used, in seconds, in steps of 10 ms.
    pub fn cpu(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        Ok((ticks(11).ok_or("no utime")? + ticks(12).ok_or("no stime")?) / 100.0)
    }
}

impl Drop for Entrant {
    fn drop(&mut self) {
        if let Self::Serve(child, _) = self {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
