//! The allocator of the system, which also counts: nothing that a client of `serve` can fill is
//! forgotten.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// How much memory the process has allocated and not freed, in bytes.
pub fn allocated() -> usize {
    ALLOCATOR.allocated()
}
