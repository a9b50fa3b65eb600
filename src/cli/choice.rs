//! A choice that is spelt as flags without a value: clap sees each flag, the program one value.

use std::fmt::Debug;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// One of the flags of a choice.
pub struct Flag<V: 'static> {
    /// The identifier by which other flags name it.
    pub id: &'static str,
    /// `-C`
    pub short: Option<char>,
    /// `--NAME`
    pub long: Option<&'static str>,
    /// The line in the help.
    pub help: &'static str,
    /// The identifiers of flags that cannot be combined with it.
    pub conflicts: &'static [&'static str],
    /// What it stands for.
    pub value: V,
}

/// Flags of which at most one counts.
pub trait Choice {
    /// What is chosen.
    type Value: Copy + Debug + 'static;
    /// The flags, in the order of the help.
    const FLAGS: &'static [Flag<Self::Value>];
    /// The value without any of the flags.
    const DEFAULT: Self::Value;

    /// Adds what all of the flags have in common.
    fn refine(flag: Arg) -> Arg {
        flag
    }
}

/// The value of a [`Choice`].
#[derive(Debug)]
pub struct Chosen<C: Choice>(pub C::Value);

impl<C: Choice> Args for Chosen<C> {
    fn augment_args(command: Command) -> Command {
        C::FLAGS.iter().fold(command, |command, flag| {
            let mut arg = Arg::new(flag.id)
                .action(ArgAction::SetTrue)
                .help(flag.help)
                .conflicts_with_all(flag.conflicts);
            if let Some(short) = flag.short {
                arg = arg.short(short);
            }
            if let Some(long) = flag.long {
                arg = arg.long(long);
            }
            command.arg(C::refine(arg))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: Choice> FromArgMatches for Chosen<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = C::FLAGS.iter().find(|flag| matches.get_flag(flag.id));
        Ok(Self(given.map_or(C::DEFAULT, |flag| flag.value)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
