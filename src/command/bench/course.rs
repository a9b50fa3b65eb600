//! How a load goes on: one window, a ramp of rates, or the search for the highest that holds.

use std::time::Duration;

/// Which rate grows from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteppedRate {
    /// That of messages.
    Messages,
    /// That at which connections are made.
    Connecting,
}

impl SteppedRate {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Connecting => "connecting",
        }
    }

    /// The highest that is offered, a second.
    pub fn highest(self) -> f64 {
        match self {
            Self::Messages => 1e7,
            Self::Connecting => 1e5,
        }
    }
}

/// How the load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum LoadCourse {
    /// One window.
    #[default]
    Once,
    /// Steps, up to the first that does not hold (`--ramp`).
    Ramp(Ramp),
    /// The highest rate that holds is searched for (`--find-max`).
    FindMax {
        /// Which rate it is.
        of: SteppedRate,
        /// The first rate.
        from: f64,
        /// How near the highest that holds and the lowest that does not are to be: 0.05 is 5 %.
        resolution: f64,
    },
}

impl LoadCourse {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Ramp(_) => "ramp",
            Self::FindMax { .. } => "find-max",
        }
    }

    /// Which rate grows, if there are steps.
    pub fn stepped(self) -> Option<SteppedRate> {
        match self {
            Self::Once => None,
            Self::Ramp(Ramp { of, .. }) | Self::FindMax { of, .. } => Some(of),
        }
    }

    /// At which rate the connections of the first step are made, if that grows.
    pub fn first_of_connecting(self) -> Option<f64> {
        match self {
            Self::Ramp(Ramp { of: SteppedRate::Connecting, from, .. })
            | Self::FindMax { of: SteppedRate::Connecting, from, .. } => Some(from),
            Self::Once | Self::Ramp(_) | Self::FindMax { .. } => None,
        }
    }

    /// Whether the connections of each step are made at its rate, and nothing is sent.
    pub fn is_of_connecting(self) -> bool {
        self.stepped() == Some(SteppedRate::Connecting)
    }
}

/// The steps of a ramp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// Which rate it is.
    pub of: SteppedRate,
    /// The first rate.
    pub from: f64,
    /// The last rate at most.
    pub to: f64,
    /// What comes after a rate.
    pub step: RampStep,
}

/// What comes after a step of a ramp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RampStep {
    /// So much more.
    Plus(f64),
    /// So many times as much.
    Times(f64),
}

/// The most steps of a ramp.
pub const MOST_STEPS: usize = 200;

/// The warm-up of a step.
pub const STEP_WARMUP: Duration = Duration::from_secs(1);

impl Ramp {
    /// All its rates; more than [`MOST_STEPS`] are not listed.
    pub fn rates(&self) -> Vec<f64> {
        let mut rates = Vec::new();
        let mut rate = self.from;
        // A rate may miss the last one by what a float cannot say.
        while rate <= self.to * (1.0 + 1e-9) && rates.len() <= MOST_STEPS {
            rates.push(rate);
            let next = match self.step {
                RampStep::Plus(more) => rate + more,
                RampStep::Times(times) => rate * times,
            };
            if next <= rate {
                break;
            }
            rate = next;
        }
        rates
    }
}
