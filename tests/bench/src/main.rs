//! `mqttws-bench`: measures whole programs side by side in one run. See `run` beside it.

mod broker;
mod brokers;
mod case;
mod core;
mod entrant;
mod figures;
mod flood;
mod honest;
mod limit;
mod link;
mod measure;
mod mqtt;
mod real;
mod report;
mod run;
mod server;
mod stream;
mod websocket;

use std::process::ExitCode;

use flood::Pack;
use server::{Server, Torrent};
use stream::Identity;

/// Whatever went wrong, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mqttws-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let expected = "run, brokers, honest, figures, real, serve, limit or measure?";
    let (what, rest) = arguments.split_first().ok_or(expected)?;
    match what.as_str() {
        "serve" => serve(rest),
        "list" => {
            for case in case::all() {
                println!("{}", case.name);
            }
            Ok(())
        }
        "run" => run::run(rest),
        "brokers" => brokers::run(rest),
        "honest" => honest::run(rest),
        "figures" => figures::run(rest),
        "real" => real::run(rest),
        "bare" => figures::bare(rest),
        "handshakes" => figures::handshakes(rest),
        "measure" => measure::run(rest),
        "limit" => limit::run(rest),
        _ => Err(format!("there is no {what}").into()),
    }
}

/// The counterpart alone, for profiling: `serve [port=N] [count=N size=N [one]] [cafile=FILE]`.
fn serve(arguments: &[String]) -> Result<(), Failure> {
    let (mut port, mut torrent) = (0, Torrent { count: 0, size: 64, pack: Pack::Many });
    let identity = Identity::new()?;
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("port", value) => port = value.parse()?,
            ("count", value) => torrent.count = value.parse()?,
            ("size", value) => torrent.size = value.parse()?,
            ("one", _) => torrent.pack = Pack::One,
            ("cafile", value) => std::fs::write(value, &identity.authority)?,
            _ => return Err(format!("serve: unknown argument {argument}").into()),
        }
    }
    let server = Server::start(port, identity.server_config()?)?;
    // Without one, what a subscriber publishes comes back.
    server.set_torrent((torrent.count > 0).then_some(torrent));
    println!("{}", server.port());
    for tally in server.tallies() {
        println!("{tally:?}");
    }
    Ok(())
}
