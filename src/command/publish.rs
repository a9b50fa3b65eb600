//! `pub`: records from the command line, a file or stdin become messages; it ends when all were handed over.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use super::stream::{self, Large};
use crate::cli;
use crate::client::{Client, Event, Source};
use crate::mqtt::packet::Publish;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::report::{self, Exit};
use crate::terminal::input::{self, Block, FileBlocks, Records};
use crate::terminal::progress::Progress;

/// What separates the records of `-l`.
const LINE_FEED: u8 = b'\n';

/// Files from this size on are streamed.
const LARGE: usize = 1024 * 1024;

/// Runs `mqttws pub`.
pub fn run(args: &cli::Publish) -> Result<Exit> {
    let mut options = args.connection.resolve()?;
    args.persistence.apply(&args.connection, &mut options)?;
    // Exactly once is only possible in a session that outlives the connection.
    options.session.outlives_connection = args.qos > QoS::AtMostOnce;
    options.session.only_with_expiry = args.qos < QoS::ExactlyOnce;
    options.session.topic_alias = args.topic_alias;
    let template = template(args);
    let progress = Progress::new(!args.connection.is_quiet(), Instant::now());
    let mut input = match Opened::new(args, options.session.maximum_packet)? {
        Opened::Large(file) => return stream::run(options, template, file, progress),
        Opened::Input(input) => input,
    };
    let (mut client, _) = super::connect(options)?;
    if let Some(source) = input.source.take() {
        client.attach_input(source)?;
    }
    let mut publisher =
        Publisher { template, progress, input, client, published: 0, bytes: 0, refused: 0, gaps: false };
    let context = format!("publishing to {}", args.topic);
    let result = publisher.run();
    publisher.progress.finish();
    match result {
        Ok(exit) => publisher.client.close().context(context).map(|()| exit),
        Err(error) => {
            let error = publisher.with_account(error).context(context);
            super::leave(publisher.client, &error);
            Err(error)
        }
    }
}

fn template(args: &cli::Publish) -> Publish {
    Publish {
        dup: false,
        qos: args.qos,
        retain: args.retain,
        topic: Some(args.topic.clone()),
        packet_id: None,
        properties: Properties::default(),
        payload: Bytes::new(),
    }
}

/// What was opened: a large file is streamed, everything else is read into memory.
enum Opened {
    Large(Large),
    Input(Input),
}

impl Opened {
    fn new(args: &cli::Publish, maximum: usize) -> Result<Self> {
        let Some(path) = &args.file else { return Ok(Self::Input(Input::without_file(args, maximum))) };
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("reading {name}"))?;
        let length = file.metadata().ok().filter(Metadata::is_file).map_or(0, |metadata| metadata.len());
        match usize::try_from(length) {
            Ok(length) if length < LARGE => Ok(Self::Input(Input::of_file(file, name, maximum))),
            Ok(length) if length <= maximum => {
                Ok(Self::Large(Large { name, blocks: FileBlocks::new(file), length }))
            }
            _ => bail!("reading {name}: it has {length} bytes, and a message at most {maximum}"),
        }
    }
}

/// Where the records come from.
struct Input {
    /// Until it was given to the client; `None` where there is nothing to read.
    source: Option<Source>,
    /// What the records of a block are separated by; `None`: a block is one record.
    delimiter: Option<u8>,
    /// Records that were read and not published.
    block: Block,
    /// One record that is there from the beginning, or that a whole block is.
    whole: Option<Bytes>,
    /// The block after this one: it is read while this one is published.
    ahead: Option<Bytes>,
    /// A block was asked for and has not come.
    requested: bool,
    ended: bool,
    what: String,
}

impl Input {
    fn of_file(file: File, what: String, maximum: usize) -> Self {
        Self { source: Some(whole(file, maximum)), what, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            source: None,
            delimiter: None,
            block: Block::default(),
            whole: None,
            ahead: None,
            requested: false,
            ended: false,
            what: "stdin".to_owned(),
        }
    }

    fn without_file(args: &cli::Publish, maximum: usize) -> Self {
        let mut input = Self::empty();
        if args.stdin_file {
            input.source = Some(whole(io::stdin(), maximum));
        } else if args.stdin_line {
            input.delimiter = Some(LINE_FEED);
            let mut records = Records::new(io::stdin(), LINE_FEED, maximum);
            input.source = Some(Box::new(move || records.next_block()));
        } else {
            input.ended = true;
            input.whole = Some(args.message.clone().unwrap_or_default().into());
        }
        input
    }

    /// Takes the block that was asked for; `None` is the end.
    fn add(&mut self, block: Option<Bytes>) {
        self.requested = false;
        self.ended = block.is_none();
        self.ahead = block;
    }

    /// Whether a block should be asked for now; from then on it counts as asked for.
    fn wants_more(&mut self) -> bool {
        let wants = !self.requested && !self.ended && self.ahead.is_none();
        self.requested |= wants;
        wants
    }

    fn next(&mut self) -> Option<Bytes> {
        if self.whole.is_none()
            && self.block.is_empty()
            && let Some(bytes) = self.ahead.take()
        {
            match self.delimiter {
                Some(delimiter) => self.block = Block::new(bytes, delimiter),
                None => self.whole = Some(bytes),
            }
        }
        self.whole.take().or_else(|| self.block.next())
    }

    fn is_empty(&self) -> bool {
        self.whole.is_none() && self.block.is_empty() && self.ahead.is_none()
    }
}

/// A source of one block: everything.
fn whole(reader: impl Read + Send + 'static, maximum: usize) -> Source {
    let mut reader = Some(reader);
    Box::new(move || reader.take().map(|reader| input::read_whole(reader, maximum)).transpose())
}

struct Publisher {
    client: Client,
    input: Input,
    template: Publish,
    progress: Progress,
    published: u64,
    bytes: u64,
    refused: u64,
    /// The connection was lost with messages of QoS 0 on the way.
    gaps: bool,
}

impl Publisher {
    fn run(&mut self) -> Result<Exit> {
        loop {
            self.publish_what_is_there();
            if self.input.ended && self.input.is_empty() && self.client.session().in_flight() == 0 {
                return Ok(self.verdict());
            }
            let event = match self.client.poll()? {
                Some(event) => event,
                None if self.can_go_on() => continue,
                None => self.client.next(None)?,
            };
            if let Event::Interrupted(signal) = event {
                self.tell_interrupted();
                return Ok(Exit::Signal(signal));
            }
            self.handle(event)?;
        }
    }

    fn verdict(&self) -> Exit {
        match self.refused {
            0 if self.gaps => {
                report::failure(
                    "publishing: messages of QoS 0 may be missing: the connection was lost meanwhile",
                );
                Exit::Lost
            }
            0 => Exit::Done,
            _ => Exit::Denied,
        }
    }

    /// Publishes as much as the window and the outgoing buffer take.
    fn publish_what_is_there(&mut self) {
        while self.client.can_publish(self.template.qos)
            && let Some(payload) = self.input.next()
        {
            self.published += 1;
            self.bytes += payload.len() as u64;
            let publish = Publish { payload, ..self.template.clone() };
            if let Err(unsendable) = self.client.publish(publish, self.published) {
                self.refuse(self.published, &unsendable.to_string());
            }
        }
        if self.input.wants_more() {
            self.client.request_input();
        }
    }

    /// Sends what was published; whether that made room for more that is there already.
    fn can_go_on(&mut self) -> bool {
        if self.input.is_empty() || !self.client.session().is_online() {
            return false;
        }
        self.client.send();
        self.client.can_publish(self.template.qos)
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Input(block) => {
                self.progress.update(self.published, self.bytes, Instant::now());
                self.input.add(block.with_context(|| format!("reading {}", self.input.what))?);
            }
            Event::Mqtt(session::Event::Acknowledged { record, code, reason }) if code.is_error() => {
                let words = reason.map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})"));
                self.refuse(record, &words);
            }
            Event::Mqtt(session::Event::InDoubt { record }) => {
                self.refuse(record, "in doubt: the broker has lost the session");
            }
            Event::Reconnected => self.gaps |= self.template.qos == QoS::AtMostOnce && self.published > 0,
            _ => {}
        }
        Ok(())
    }

    /// What a script needs to know to go on from there.
    fn with_account(&self, error: anyhow::Error) -> anyhow::Error {
        if self.input.delimiter.is_none() || self.template.qos == QoS::AtMostOnce {
            return error;
        }
        let session = self.client.session();
        let in_doubt = session.in_flight() as u64;
        let acknowledged = self.published - in_doubt - self.refused;
        let first = session.first_unfinished().unwrap_or(self.published + 1);
        error.context(format!(
            "gave up with {acknowledged} messages acknowledged and {in_doubt} in doubt, \
             the first of them number {first}"
        ))
    }

    fn refuse(&mut self, record: u64, words: &str) {
        self.refused += 1;
        let what =
            if self.input.delimiter.is_some() { format!("message {record}") } else { "message".to_owned() };
        let topic = self.template.topic.as_ref().map_or("", |topic| topic.as_str());
        report::failure(&format!("publishing to {topic}: {what} refused: {words}"));
    }

    fn tell_interrupted(&mut self) {
        self.progress.finish();
        let acknowledged = self.published - self.client.session().in_flight() as u64 - self.refused;
        report::failure(&format!(
            "publishing: interrupted after {} messages, {acknowledged} of them handed over",
            self.published
        ));
    }
}
