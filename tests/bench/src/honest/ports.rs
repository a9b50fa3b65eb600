//! Too few local ports: in a network of its own, where the system has fifty.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::broker::{Script, ScriptedBroker};
use super::{Bench, Verdict, begin};
use crate::Failure;

/// Runs [`within`] in a network of its own.
pub fn few(bench: &Bench) -> Result<Verdict, Failure> {
    let own = std::env::current_exe()?;
    let script = "ip link set lo up && \
                  echo 40000 40049 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
    let program = format!("mqttws={}", bench.program);
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "-c", script]).arg(own);
    let output = command.args(["honest", &program, "few-ports"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(Verdict::Shown(text));
    }
    Err(format!("{text} {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// With fifty ports: more connections than ports are refused before the run; where the ports are
/// used up by others, the run is invalid.
pub fn within(bench: &Bench) -> Result<(), Failure> {
    let broker = ScriptedBroker::start(Script::Constant(Duration::ZERO))?;
    let flags = "--bind 127.0.0.2 --connect 100 --for 1s";
    let outcome = begin(&[&bench.program], &broker.url(), flags)?.finish()?;
    let refusal = outcome.stderr();
    if outcome.code() != Some(1) || !refusal.contains("add --bind") {
        return Err(format!("exit {:?}: {refusal}", outcome.code()).into());
    }
    let port =
        broker.url().rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.ok_or("no port")?));
    // From 127.0.0.1 come those of others.
    let others: Vec<TcpStream> = (0..30).map_while(|_| TcpStream::connect(address).ok()).collect();
    let outcome = begin(&[&bench.program], &broker.url(), "--connect 40 --for 1s")?.finish()?;
    drop(others);
    let why = outcome.why();
    if outcome.is_valid() || outcome.limit() != "generator" || !why.contains("local port") {
        return Err(format!("limit {}, {why} {}", outcome.limit(), outcome.stderr()).into());
    }
    println!("{}; {why}", refusal.trim());
    Ok(())
}
