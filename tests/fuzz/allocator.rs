//! In the place of the program's allocator: here memory is counted for each thread.

/// Nothing of the broker is tried here that asks for it.
pub fn allocated() -> usize {
    0
}
