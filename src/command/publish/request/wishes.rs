//! What the flags of `pub --request` mean to the rooms that do it: a response topic, correlation
//! data, a layout. It must never know a message.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use crate::cli;
use crate::client::{Client, Options};
use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::format::layout::{Content, Layout};
use crate::format::record;
use crate::format::template::Template;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;
use crate::stdio::stdout::{self, Output, Progress, Target};
use crate::terminal::screen;

/// Only MQTT 5 can tell with a request where its answer is awaited.
pub fn require_version_5(args: &cli::Publish, options: &mut Options) -> Result<()> {
    if args.answers.needs_version_5() {
        ensure!(
            options.versions.contains(&Version::V5),
            Usage::new(format!(
                "--request: in MQTT {} a message cannot say where its answer is awaited: agree on a topic, \
                 and give it with -e",
                options.versions[0]
            ))
        );
        options.require_version_5("--request");
    }
    Ok(())
}

/// What an answer looks like.
pub fn layout(args: &cli::Publish) -> Result<Layout> {
    let flags = &args.answers;
    let sanitise = screen::stdout_is_terminal();
    let encoding = match (flags.hex, flags.base64) {
        (true, _) => Some(Encoding::Hex),
        (_, true) => Some(Encoding::Base64),
        _ => None,
    };
    let content = match &flags.format {
        Some(format) => Content::Template(
            Template::parse(format, flags.pretty, sanitise)
                .map_err(|wrong| Usage::new(format!("-F: {wrong}")))?,
        ),
        None if args.json => {
            Content::Record(record::Writer { parsed: false, pretty: flags.pretty })
        }
        None => Content::Payload { verbose: flags.verbose, encoding },
    };
    Ok(Layout {
        content,
        end: (!flags.no_newline).then_some(b'\n'),
        sanitise,
        colour: sanitise && screen::stdout_wants_colour(),
    })
}

/// The one that was given, or one that nobody else listens to.
pub fn response_topic(args: &cli::Publish, options: &Options) -> Result<TopicName> {
    if let Some(topic) = &args.answers.response_topic {
        return Ok(topic.clone());
    }
    let id = options.session.client_id.replace(['+', '#', '\0'], "_");
    Ok(TopicName::new(format!("mqttws/response/{id}"))?)
}

/// A thread that writes the answers to stdout.
pub fn start_output(client: &Client, layout: Layout) -> Result<Output> {
    let postbox = client.postbox();
    let stdout = stdout::unbuffered_stdout().context("opening stdout")?;
    Output::start(layout, Target::Stream(Box::new(stdout)), move |progress| match progress {
        Progress::Written(number) => postbox.written(number),
        Progress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")
}

/// What makes an answer known as that of its request.
#[derive(Debug)]
pub enum Correlation {
    /// Nothing: whatever comes is the answer to the one request that waits.
    None,
    /// What the user gave.
    Given(Bytes),
    /// A word of this run, and the number of the record.
    Numbered(String),
}

impl Correlation {
    /// What was given, or something for each request, if anything.
    pub fn new(given: Option<Bytes>, correlated: bool) -> Self {
        match given {
            Some(data) => Self::Given(data),
            None if correlated => {
                Self::Numbered(std::iter::repeat_with(fastrand::alphanumeric).take(8).collect())
            }
            None => Self::None,
        }
    }

    /// That of the request of this record.
    pub fn of(&self, record: u64) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::Given(data) => Some(data.clone()),
            Self::Numbered(word) => Some(format!("{word}-{record}").into()),
        }
    }
}
