//! What the flags of `sub` mean to the rooms that do it: filters, a layout, a target. It must never
//! know a message.

use anyhow::{Context, Result, bail, ensure};
use bytestring::ByteString;

use crate::cli;
use crate::cli::subscribe::JsonMode;
use crate::cli::value::Colour;
use crate::client::Options;
use crate::command::LARGE_MESSAGE;
use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::format::layout::{Content, Layout};
use crate::format::record;
use crate::format::template::Template;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;
use crate::stdio::folder::Folder;
use crate::stdio::stdout::{self, Target};
use crate::terminal::screen;

/// Some wishes are only understood by MQTT 5.
pub fn require_version_5(args: &cli::Subscribe, options: &mut Options) -> Result<()> {
    if let Some(flag) = args.version_5_flag() {
        let flags = "--retain-as-published, --retain-handling, --no-local and --reply";
        ensure!(
            options.versions.contains(&Version::V5),
            Usage::new(format!("{flags}: only MQTT 5 has these"))
        );
        options.require_version_5(flag);
    }
    Ok(())
}

/// The filters as they are sent: those of a group begin with `$share/GROUP/` (MQTT 5 §4.8.2).
pub fn filters(args: &cli::Subscribe) -> Result<Vec<TopicFilter>> {
    let Some(group) = &args.share else { return Ok(args.topic.clone()) };
    let share = |filter: &TopicFilter| {
        let shared = TopicFilter::new(ByteString::from(format!("$share/{group}/{filter}")));
        let shared = shared.ok().filter(|shared| {
            filter.share().is_none()
                && shared.share().is_some_and(|(of, inner)| of == group && inner == filter.as_str())
        });
        shared.ok_or_else(|| {
            Usage::new(format!("--share: {group} and {filter} make no shared subscription")).into()
        })
    };
    args.topic.iter().map(share).collect()
}

/// What a message looks like.
pub fn layout(args: &cli::Subscribe) -> Result<Layout> {
    let into_files = args.output_dir.is_some() || args.commands.exec.is_some();
    let sanitise = !into_files && screen::stdout_is_terminal();
    if args.watch {
        ensure!(
            screen::stdout_is_terminal() && screen::can_redraw(),
            Usage::new(
                "--watch draws on a terminal, and stdout is none that can be drawn on; use -v"
            )
        );
        // What is written are frames, as they are.
        let content = Content::Payload { verbose: false, encoding: None };
        return Ok(Layout { content, end: None, sanitise: false, colour: false });
    }
    let encoding = encoding(args);
    let content = match (&args.format, args.json) {
        (Some(format), _) => Content::Template(
            Template::parse(format, args.pretty, sanitise)
                .map_err(|wrong| Usage::new(format!("-F: {wrong}")))?,
        ),
        (_, Some(mode)) => {
            Content::Record(record::Writer { parsed: mode == JsonMode::Parse, pretty: args.pretty })
        }
        _ => Content::Payload { verbose: args.verbose, encoding },
    };
    // A file is as long as its message, and so is what a command reads.
    let is_bare = into_files && matches!(content, Content::Payload { .. });
    let end = match () {
        () if args.no_newline || is_bare => None,
        () if args.null => Some(0),
        () => Some(b'\n'),
    };
    Ok(Layout { content, end, sanitise, colour: !into_files && is_coloured(args) })
}

/// Messages from this size on are written as they come, where the output is their payload and
/// nothing else needs it as a whole: in bytes, fixed header included.
pub fn parts_above(args: &cli::Subscribe, layout: &Layout) -> Option<usize> {
    let streams = args.output_dir.is_none() && args.commands.exec.is_none() && !args.watch;
    (streams && layout.keeps_payloads()).then_some(LARGE_MESSAGE)
}

/// `--color`.
pub fn is_coloured(args: &cli::Subscribe) -> bool {
    match args.color {
        Colour::Auto => screen::stdout_wants_colour(),
        Colour::Always => true,
        Colour::Never => false,
    }
}

/// `--hex`, `--base64`.
pub fn encoding(args: &cli::Subscribe) -> Option<Encoding> {
    match (args.hex, args.base64) {
        (true, _) => Some(Encoding::Hex),
        (_, true) => Some(Encoding::Base64),
        _ => None,
    }
}

/// Where the messages go; a folder is made if it is not there.
pub fn target(args: &cli::Subscribe) -> Result<Target> {
    let Some(path) = &args.output_dir else {
        let stdout = stdout::unbuffered_stdout().context("opening stdout")?;
        return Ok(Target::Stream(Box::new(stdout)));
    };
    if path.is_file() {
        bail!(Usage::new(format!(
            "--output-dir {}: expected a folder for the messages; flags come from a file with -o",
            path.display()
        )));
    }
    let context = || format!("the folder {}", path.display());
    let (folder, names) = Folder::open(path.clone()).with_context(context)?;
    Ok(Target::Folder(folder, names))
}
