//! Several loops of one load: each has a share of the connections, and a thread. The first one
//! decides for all; they share counters, and tell each other only what one cannot know by itself.

mod gathered;
mod order;
mod post;
mod share;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::client::fleet::FleetWaker;
use crate::command::bench::plan::Plan;
use crate::command::bench::results::Results;
pub use gathered::{GatheredSecond, SecondDetail};
pub use order::{LoopOrder, LoopStage, SentMessages};
pub use post::LoopNote;
pub use share::{LoopShare, OwnIds};

/// All loops of a load.
#[derive(Debug)]
pub struct LoopTeam {
    seats: Vec<LoopSeat>,
    desk: Mutex<LoopDesk>,
    /// How many orders were given.
    orders: AtomicUsize,
    /// How many slices all have ended that were not taken.
    seconds: AtomicUsize,
    /// A loop could not go on.
    failed: AtomicBool,
    detail: SecondDetail,
    /// How long a slice of the window is, in nanoseconds.
    slice: u64,
}

/// What the others see of a loop. Loops write their own counters only.
#[derive(Debug, Default)]
#[repr(align(128))]
struct LoopSeat {
    stage: AtomicU64,
    counters: [AtomicU64; COUNTERS],
    waker: OnceLock<FleetWaker>,
    has_notes: AtomicBool,
    notes: Mutex<Vec<LoopNote>>,
}

const COUNTERS: usize = 7;

/// What is counted by each loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoopCounts {
    /// Copies that are to come of what it has sent.
    pub expected: u64,
    /// First copies that have come.
    pub distinct: u64,
    /// Messages that wait for an acknowledgement.
    pub unfinished: u64,
    /// When the latest message or acknowledgement came, in nanoseconds.
    pub latest: u64,
    /// Connections that were made.
    pub made: u64,
    /// Those that were not.
    pub failed: u64,
    /// Those that are online; not always of this moment.
    pub online: u64,
}

impl LoopCounts {
    fn numbers(self) -> [u64; COUNTERS] {
        let Self { expected, distinct, unfinished, latest, made, failed, online } = self;
        [expected, distinct, unfinished, latest, made, failed, online]
    }

    /// Those of two loops together.
    pub fn with(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            distinct: self.distinct + other.distinct,
            unfinished: self.unfinished + other.unfinished,
            latest: self.latest.max(other.latest),
            made: self.made + other.made,
            failed: self.failed + other.failed,
            online: self.online + other.online,
        }
    }
}

/// What loops leave for each other.
#[derive(Debug, Default)]
struct LoopDesk {
    orders: Vec<LoopOrder>,
    /// How many subscribers get each message of a topic.
    readers: Vec<u64>,
    sent: SentMessages,
    /// What each loop has found in the step that is over.
    steps: Vec<(usize, Results)>,
    seconds: gathered::PendingSeconds,
    /// The figures so far, of so many loops.
    figures: Vec<Results>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panics ends the whole program.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LoopTeam {
    /// So many loops, which tell of slices of so many nanoseconds: of a second, or of a part of one
    /// of which a second has a whole number.
    pub fn new(loops: usize, detail: SecondDetail, slice: u64) -> Self {
        Self {
            seats: (0..loops).map(|_| LoopSeat::default()).collect(),
            desk: Mutex::default(),
            orders: AtomicUsize::new(0),
            seconds: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            detail,
            slice,
        }
    }

    /// How a loop is woken that waits.
    pub fn set_waker(&self, number: usize, waker: FleetWaker) {
        // Each loop has one, and says so once.
        let _ = self.seats[number].waker.set(waker);
    }

    fn wake(&self, number: usize) {
        if let Some(waker) = self.seats[number].waker.get() {
            waker.wake();
        }
    }

    fn wake_others(&self, number: usize) {
        (0..self.seats.len()).filter(|other| *other != number).for_each(|other| self.wake(other));
    }

    /// A loop cannot go on: all end.
    pub fn fail(&self, number: usize) {
        self.failed.store(true, Ordering::Release);
        self.wake_others(number);
    }
}

/// One loop among its team.
#[derive(Debug, Clone)]
pub struct TeamMember {
    team: Arc<LoopTeam>,
    /// Which connections it has.
    pub share: LoopShare,
    /// How many orders it has seen.
    seen: usize,
    stage: LoopStage,
    step: u32,
}

impl TeamMember {
    /// The loop of this number.
    pub fn new(team: &Arc<LoopTeam>, plan: &Plan, number: usize) -> Self {
        let share = LoopShare::new(plan, number, team.seats.len());
        Self { team: Arc::clone(team), share, seen: 0, stage: LoopStage::Begun, step: 0 }
    }

    /// Whether it is the first, which decides.
    pub fn leads(&self) -> bool {
        self.share.number == 0
    }

    /// Whether there are no others.
    pub fn is_alone(&self) -> bool {
        self.share.of == 1
    }

    /// Whether a loop could not go on.
    pub fn has_failed(&self) -> bool {
        self.team.failed.load(Ordering::Acquire)
    }

    /// Gives an order to the others; who gives it obeys it at once.
    pub fn tell_others(&mut self, order: LoopOrder) {
        if self.is_alone() {
            return;
        }
        locked(&self.team.desk).orders.push(order);
        self.seen = self.team.orders.fetch_add(1, Ordering::Release) + 1;
        self.team.wake_others(self.share.number);
    }

    /// The next order that it has not seen.
    pub fn next_order(&mut self) -> Option<LoopOrder> {
        if self.seen >= self.team.orders.load(Ordering::Acquire) {
            return None;
        }
        let order = locked(&self.team.desk).orders.get(self.seen).cloned();
        self.seen += 1;
        order
    }

    /// How far it is.
    pub fn stage(&self) -> LoopStage {
        self.stage
    }

    /// It has come so far, and has counted this.
    pub fn reach(&mut self, stage: LoopStage, counts: LoopCounts) {
        self.stage = stage;
        self.count(counts);
        let number = stage.number(self.step);
        self.team.seats[self.share.number].stage.store(number, Ordering::Release);
        if !self.leads() {
            self.team.wake(0);
        }
    }

    /// The next step begins.
    pub fn begin_step(&mut self) {
        self.step += 1;
        self.stage = LoopStage::Begun;
    }

    /// Whether all loops have come so far.
    pub fn all_at(&self, stage: LoopStage) -> bool {
        let number = stage.number(self.step);
        self.team.seats.iter().all(|seat| seat.stage.load(Ordering::Acquire) >= number)
    }

    /// Shows the others what it has counted.
    pub fn count(&self, counts: LoopCounts) {
        let seat = &self.team.seats[self.share.number];
        for (counter, number) in seat.counters.iter().zip(counts.numbers()) {
            counter.store(number, Ordering::Relaxed);
        }
    }

    /// What the others have counted, with what it has itself.
    pub fn total(&self, own: LoopCounts) -> LoopCounts {
        let others = self.team.seats.iter().enumerate();
        let others = others.filter(|(number, _)| *number != self.share.number);
        others.fold(own, |all, (_, seat)| {
            let [expected, distinct, unfinished, latest, made, failed, online] =
                std::array::from_fn(|at| seat.counters[at].load(Ordering::Relaxed));
            let more = LoopCounts { expected, distinct, unfinished, latest, made, failed, online };
            all.with(more)
        })
    }

    /// Tells how many of its subscribers get each message of a topic.
    pub fn add_readers(&self, readers: &[u64]) {
        let all = &mut locked(&self.team.desk).readers;
        all.resize(readers.len(), 0);
        for (all, more) in all.iter_mut().zip(readers) {
            *all += more;
        }
    }

    /// How many subscribers of all loops get each message of a topic.
    pub fn readers(&self) -> Vec<u64> {
        locked(&self.team.desk).readers.clone()
    }

    /// Tells what it has sent.
    pub fn hand_in(&self, sent: SentMessages) {
        locked(&self.team.desk).sent.add(sent);
    }

    /// What all have sent.
    pub fn take_sent(&self) -> SentMessages {
        std::mem::take(&mut locked(&self.team.desk).sent)
    }

    /// Tells what it has found in a step.
    pub fn add_step(&self, results: Results) {
        locked(&self.team.desk).steps.push((self.share.number, results));
    }

    /// What all have found in a step, in the order of their numbers; empty if there is none.
    pub fn take_steps(&self) -> Vec<Results> {
        let mut steps = std::mem::take(&mut locked(&self.team.desk).steps);
        steps.sort_by_key(|(number, _)| *number);
        steps.into_iter().map(|(_, results)| results).collect()
    }

    /// Tells its figures so far.
    pub fn add_figures(&self, results: Results) {
        locked(&self.team.desk).figures.push(results);
        self.team.wake(0);
    }

    /// The figures so far of all loops, if they are all there.
    pub fn take_figures(&self) -> Option<Vec<Results>> {
        let figures = &mut locked(&self.team.desk).figures;
        (figures.len() >= self.share.of).then(|| figures.drain(..self.share.of).collect())
    }
}
