//! The verbs: each is a straight-line script over its `Config` and the events of the client.

pub mod bench;
pub mod check;
mod latency;
pub mod mirror;
pub mod ping;
pub mod publish;
mod ready;
pub mod serve;
pub mod start;
pub mod subscribe;
mod summary;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::client::{Client, Error, Established, Event, Options};
use crate::exit::{Exit, worse};
use crate::format::layout::Layout;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session;
use crate::mqtt::topic::TopicName;
use crate::report;
use crate::stdio::stdout::{self, MessageWriter, OutputProgress, OutputTarget};

/// How long the output may take for the last messages when the user does not want to wait: as long
/// as a server that does nothing is waited for then.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// What the program is asked to do.
pub enum Config {
    /// `pub`
    Publish(Box<publish::config::Config>),
    /// `sub`
    Subscribe(Box<subscribe::config::Config>),
    /// `sub --to`
    Mirror(Box<mirror::config::MirrorConfig>),
    /// `ping`
    Ping(Box<ping::Config>),
    /// `check`
    Check(check::CheckConfig),
    /// `bench`
    Bench(Box<bench::config::Config>),
    /// `serve`
    Serve(Box<serve::Config>),
    /// Become a command that mqttws runs.
    StartCommand(start::CommandStart),
    /// Print this text on stdout (`--print-config`).
    Print(String),
    /// `profile`
    Profiles {
        /// A line for each profile, or nothing.
        listing: String,
        /// What is wrong with them.
        problems: Vec<String>,
    },
}

/// Does what the command line asks.
pub fn run(config: Config) -> Result<Exit> {
    match config {
        Config::Publish(config) => publish::run(*config),
        Config::Subscribe(config) => subscribe::run(*config),
        Config::Mirror(config) => mirror::run(*config),
        Config::Ping(config) => ping::run(*config),
        Config::Check(config) => check::run(config),
        Config::Bench(config) => bench::run(*config),
        Config::Serve(config) => serve::run(&config),
        Config::StartCommand(start) => start::run(&start),
        Config::Print(text) => print(&text).map(|_| Exit::Done),
        Config::Profiles { listing, problems } => profiles(&listing, &problems),
    }
}

/// Prints the profiles, and what is wrong with them.
fn profiles(listing: &str, problems: &[String]) -> Result<Exit> {
    if !listing.is_empty() {
        print(listing)?;
    }
    for problem in problems {
        report::line(problem);
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Usage })
}

/// A topic for this client alone, named by its purpose and by the client id. Wildcards and NUL,
/// which a topic name cannot hold, become `_`.
fn own_topic(purpose: &str, client_id: &str) -> Result<TopicName> {
    let id = client_id.replace(['+', '#', '\0'], "_");
    Ok(TopicName::new(format!("mqttws/{purpose}/{id}"))?)
}

/// Connects; `limit` is a point in time for which the user gave a duration (`-W`).
fn connect(
    options: Options,
    limit: Option<(Instant, Duration)>,
) -> Result<(Box<Client>, Established)> {
    connect_after(options, limit, |_| Ok(()))
}

/// The same; before it connects the client is prepared.
fn connect_after(
    options: Options,
    limit: Option<(Instant, Duration)>,
    prepare: impl FnOnce(&mut Client) -> Result<(), Error>,
) -> Result<(Box<Client>, Established)> {
    let mut client = Client::new(options).context("preparing to connect")?;
    let connected = prepare(&mut client).and_then(|()| client.await_connected(limit));
    match connected {
        Ok(established) => Ok((client, established)),
        Err(error) if error.is_before_connecting() => Err(error.into()),
        Err(error) => Err(error).context(client.at_server("connecting to")),
    }
}

/// Why the broker refused something: the reason code, and the reason in its own words.
fn refusal(code: ReasonCode, reason: Option<&str>) -> String {
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{code} ({reason})"),
        None => code.to_string(),
    }
}

/// When this timeout ends, and the timeout itself for the error that names it.
fn limit(began: Instant, timeout: Option<Duration>) -> Option<(Instant, Duration)> {
    timeout.and_then(|timeout| Some((began.checked_add(timeout)?, timeout)))
}

/// Closes the connection after a failure: in order, unless the connection itself has failed. The
/// session at the broker is ended, too, if the broker can still be reached.
fn close_after(client: &mut Client, limit: Option<Instant>, error: &anyhow::Error) {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(error) => client.abandon(error),
        None => client.close(),
    }
    // The first failure is the one that the user has to know.
    let _ = await_closed(client, limit, |_| {});
}

/// Waits until the connection that is being closed has ended; after `limit` a server that does
/// nothing is waited for only shortly. Events of the session are given to `each`: acknowledgements
/// count, also after our DISCONNECT.
fn await_closed(
    client: &mut Client,
    mut limit: Option<Instant>,
    mut each: impl FnMut(session::Event),
) -> Result<(), Error> {
    loop {
        match client.next(limit) {
            Ok(Event::Closed(result)) => return result.map_err(|error| *error),
            Ok(Event::Mqtt(event)) => each(event),
            Ok(Event::Alarm) => {
                client.shorten_close();
                limit = None;
            }
            // Output and input are over, and a signal has shortened the wait. An error that comes
            // now was found before the end began.
            Ok(
                Event::Connected(_)
                | Event::Reconnected
                | Event::Input(_)
                | Event::Written(_)
                | Event::OutputFailed(_)
                | Event::Woken
                | Event::Interrupted(_)
                | Event::WebSocketPong
                | Event::Sendable,
            )
            | Err(_) => {}
        }
    }
}

/// How long a broker may release nothing when the user has interrupted us. Mosquitto is silent for
/// over a second while it reads tens of thousands of PUBRECs on a busy machine.
const HURRIED_RELEASE: Duration = Duration::from_secs(3);

/// Waits until the broker has released (PUBREL) the QoS 2 messages that were received, also over
/// another connection: otherwise the next run of a session that remains would get them again. The
/// broker has `--connect-timeout` for each step that it makes; when the user has interrupted us, it
/// has [`HURRIED_RELEASE`] for each, and `--connect-timeout` for all.
fn await_release(client: &mut Client) -> Result<(), Error> {
    let cap = client.options().limits.timeout;
    let (mut left, mut since) = (client.session().unreleased(), Instant::now());
    let mut hurried = None;
    client.stop_taking();
    while left > 0 {
        if client.is_hurried() && hurried.is_none() {
            client.extend_end(cap);
            since = Instant::now();
            hurried = Some(since);
        }
        let until = hurried.map_or(since + cap, |at| (since + HURRIED_RELEASE).min(at + cap));
        let event = client.next(Some(until))?;
        let now = client.session().unreleased();
        if now < left {
            (left, since) = (now, Instant::now());
        } else if matches!(event, Event::Alarm) {
            return Err(Error::Unreleased { count: left });
        }
    }
    Ok(())
}

/// The same at the end of a verb, unless the connection itself has failed: only where nothing comes
/// again the verb has done what was asked.
fn release(client: &mut Client, result: Result<Exit>) -> Result<Exit> {
    let is_lost = |error: &anyhow::Error| error.chain().any(<dyn std::error::Error>::is::<Error>);
    if result.as_ref().is_err_and(is_lost) || client.session().unreleased() == 0 {
        return result;
    }
    let released = await_release(client).context("finishing QoS 2");
    match (result, released) {
        (Ok(Exit::Done), Err(error)) => Err(error),
        (result, Ok(())) => result,
        (result, Err(error)) => {
            report::line(&format!("{error:#}"));
            result
        }
    }
}

/// Adds to an error what the program was doing, unless the error says so itself.
fn while_doing<C>(error: anyhow::Error, what: impl FnOnce() -> C) -> anyhow::Error
where
    C: fmt::Display + Send + Sync + 'static,
{
    match error.downcast_ref::<Error>() {
        Some(Error::Unanswered { .. }) => error,
        _ => error.context(what()),
    }
}

/// The exit of a run that ended so after `earlier` had happened. An error whose exit code says less
/// is reported here.
#[inline(always)]
fn with_earlier(result: Result<Exit>, earlier: Exit) -> Result<Exit> {
    match result {
        Ok(exit) => Ok(worse(exit, earlier)),
        Err(error) if worse(Exit::of(&error), earlier) == earlier => {
            report::error(&error);
            Ok(earlier)
        }
        Err(error) => Err(error),
    }
}

/// Adds to an error what the program was doing, unless the error says so itself, and where the
/// connection was lost if it was.
fn while_connected(error: anyhow::Error, what: String, client: &Client) -> anyhow::Error {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::Unanswered { .. }) => error,
        Some(cause) if cause.is_loss() => error.context(client.at_server(format!("{what} at"))),
        Some(_) | None => error.context(what),
    }
}

/// Whether this point in time has passed.
fn is_over(limit: Option<Instant>) -> bool {
    limit.is_some_and(|limit| limit <= Instant::now())
}

/// Closes the connection of a verb that can lose no message any more: only a reason given by the
/// broker counts.
fn close_receiver(client: &mut Client, result: Result<Exit>) -> Result<Exit> {
    let released = release(client, result);
    close_released(client, None, released)
}

/// The same where nothing waits to be released; after `limit` the server has little time.
fn close_released(
    client: &mut Client,
    limit: Option<Instant>,
    result: Result<Exit>,
) -> Result<Exit> {
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            close_after(client, limit, &error);
            return Err(error);
        }
    };
    client.close();
    match await_closed(client, limit, |_| {}) {
        Err(error @ Error::Disconnected(_)) if exit == Exit::Done => Err(error.into()),
        Ok(()) | Err(_) => Ok(exit),
    }
}

/// Prints one line on stdout; false if nobody reads stdout any more.
fn print(line: &str) -> Result<bool> {
    stdout::print_line(line).context("writing to stdout")
}

/// The output could not be written to this place. A reader that has seen enough is no failure.
fn output_failed(error: io::Error, place: &str) -> Result<Exit> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        _ => Err(error).context(format!("writing to {place}")),
    }
}

/// Starts the thread that writes messages; it reports to the client how far it is.
fn start_output(client: &Client, layout: Layout, target: OutputTarget) -> Result<MessageWriter> {
    let remote = client.remote();
    MessageWriter::start(layout, target, move |progress| match progress {
        OutputProgress::Written(number) => remote.written(number),
        OutputProgress::Failed(error) => remote.output_failed(error),
    })
    .context("starting the output")
}
