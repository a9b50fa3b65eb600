//! Which of the messages that come are written: `-T`, `-R`, `--retained-only`, `--random-filter`.
//! It must never know how they are written.

use crate::cli;
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicFilter;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is written.
    Wanted,
    /// It is not.
    Unwanted,
    /// It is not, and nothing behind it is.
    TheEnd,
}

/// See the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Selection<'a> {
    filter_out: &'a [TopicFilter],
    no_stale: bool,
    retained_only: bool,
    /// The broker tells us, too, what we let it forget: an empty message, of which nothing would be
    /// seen but an empty line.
    no_echo: bool,
    /// From 0 to 1.
    probability: Option<f64>,
    /// Nothing is left out.
    is_everything: bool,
}

impl<'a> Selection<'a> {
    /// What the command line asks for.
    pub fn new(args: &'a cli::Subscribe) -> Self {
        let shows_topics =
            args.verbose || args.watch || args.format.is_some() || args.json.is_some();
        let no_echo = args.remove_retained && !shows_topics;
        let probability = args.random_filter.map(|percent| percent / 100.0);
        Self {
            filter_out: &args.filter_out,
            no_stale: args.no_stale,
            retained_only: args.retained_only,
            no_echo,
            probability,
            is_everything: args.filter_out.is_empty()
                && !args.no_stale
                && !args.retained_only
                && !no_echo
                && probability.is_none(),
        }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// What becomes of this message, whose payload has `length` bytes, here or still to come.
    pub fn verdict(&self, publish: &Publish, length: usize) -> Verdict {
        if self.is_everything {
            return Verdict::Wanted;
        }
        if self.retained_only && !publish.retain {
            return Verdict::TheEnd;
        }
        let is_stale = self.no_stale && publish.retain;
        let is_echo = self.no_echo && !publish.retain && length == 0;
        let is_filtered = || {
            publish
                .topic
                .as_ref()
                .is_some_and(|topic| self.filter_out.iter().any(|out| out.matches(topic)))
        };
        let is_unlucky =
            || self.probability.is_some_and(|probability| fastrand::f64() >= probability);
        if is_stale || is_echo || is_filtered() || is_unlucky() {
            Verdict::Unwanted
        } else {
            Verdict::Wanted
        }
    }
}
