//! Counts the memory of each thread, so that a property can say how much its part may take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// What this thread has allocated and not freed; less than nothing if it has freed what others
    /// had allocated.
    static USED: Cell<isize> = const { Cell::new(0) };
    /// The most that it was.
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The allocator of the system, with a counter for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(change: isize) {
    // While a thread ends its counters are gone.
    let _ = USED.try_with(|used| {
        used.set(used.get() + change);
        MOST.with(|most| most.set(most.get().max(used.get())));
    });
}

#[expect(clippy::cast_possible_wrap, reason = "no allocation has more than isize::MAX bytes")]
fn size(layout: Layout) -> isize {
    layout.size() as isize
}

#[expect(unsafe_code, reason = "an allocator cannot be written without; it passes everything on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-size(layout));
        unsafe { System.dealloc(memory, layout) }
    }

    #[expect(clippy::cast_possible_wrap, reason = "as above")]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, length: usize) -> *mut u8 {
        count(length as isize - size(layout));
        unsafe { System.realloc(memory, layout, length) }
    }
}

/// How many bytes this thread has allocated and not freed, counted from when it began.
pub fn used() -> isize {
    USED.with(Cell::get)
}

/// The most bytes that `work` had allocated at any time, beside what was there before.
pub fn most_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = used();
    let outer = MOST.replace(before);
    let result = work();
    let most = MOST.with(Cell::get);
    MOST.set(outer.max(most));
    (result, usize::try_from(most - before).unwrap_or(0))
}
