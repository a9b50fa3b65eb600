//! What sees to the end of process groups where the program itself cannot.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use rustix::process::Pid;

/// Is told of each group that runs.
#[derive(Clone)]
pub struct GroupGuard(Arc<GuardCall>);

type GuardCall = dyn Fn(Option<Pid>) -> Box<dyn Any + Send> + Send + Sync;

impl GroupGuard {
    /// Calls `guard` with the leader of each group; with `None` before the leader is started.
    pub fn new(guard: impl Fn(Option<Pid>) -> Box<dyn Any + Send> + Send + Sync + 'static) -> Self {
        Self(Arc::new(guard))
    }

    /// The leader of a group is about to be started.
    pub fn prepare(&self) {
        drop((self.0)(None));
    }

    /// A group runs, until what is returned is dropped.
    pub fn guard(&self, leader: Pid) -> Box<dyn Any + Send> {
        (self.0)(Some(leader))
    }
}

impl fmt::Debug for GroupGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupGuard").finish_non_exhaustive()
    }
}
