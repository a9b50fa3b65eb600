//! Debian's mosquitto, started for one run and gone with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::Failure;
use crate::stream::Identity;

/// See the module.
pub struct Broker {
    child: Child,
    /// Where it speaks MQTT over TCP.
    pub tcp: u16,
    /// Where it speaks MQTT over WebSocket.
    pub ws: u16,
    /// The same over TLS.
    pub wss: u16,
}

impl Broker {
    /// Starts it in `folder` and waits until it listens.
    pub fn start(folder: &str, identity: &Identity) -> Result<Self, Failure> {
        let (tcp, ws, wss) = (free_port()?, free_port()?, free_port()?);
        fs::write(format!("{folder}/server.pem"), &identity.certificate)?;
        fs::write(format!("{folder}/server.key"), &identity.key)?;
        let config = format!("{folder}/mosquitto.conf");
        fs::write(
            &config,
            format!(
                "allow_anonymous true\nuser root\nlog_dest stderr\nlog_type information\nlog_type error\n\
                 max_queued_messages 0\n\
                 listener {tcp} 127.0.0.1\n\
                 listener {ws} 127.0.0.1\nsocket_domain ipv4\nprotocol websockets\n\
                 listener {wss} 127.0.0.1\nsocket_domain ipv4\nprotocol websockets\n\
                 certfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
            ),
        )?;
        let mut command = Command::new("mosquitto");
        command
            .args(["-c", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut broker = Self { child: command.spawn()?, tcp, ws, wss };
        let log = broker.child.stderr.take().ok_or("mosquitto has no log")?;
        let mut lines = BufReader::new(log).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.ends_with(" running") {
                // Whatever else it says must not fill the pipe.
                thread::spawn(move || lines.for_each(drop));
                return Ok(broker);
            }
        }
        Err("mosquitto did not start".into())
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time it has used, in seconds, in steps of 10 ms.
    pub fn cpu(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // Behind the name, which may hold anything, `utime` and `stime` are the 12th and 13th
        // field.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / 100.0)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
