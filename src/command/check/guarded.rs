//! A task on a thread of its own, in which a panic ends nothing but this task.

use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::{io, thread};

/// Gets what a panic said, and where it was.
type PanicReceiver = Box<dyn FnOnce(String)>;

thread_local! {
    /// The receiver of a panic of this thread, if the panic does not end the program.
    static RECEIVER: RefCell<Option<PanicReceiver>> = const { RefCell::new(None) };
}

/// Runs a task on a thread of its own. If the task panics, `panicked` gets what the panic said, and
/// where it was.
///
/// The program is built with `panic = "abort"`: nothing can go on after a panic hook returns. So
/// the hook does not return, and the thread stays in it, with all that it holds, until the process
/// ends.
pub fn spawn(
    task: impl FnOnce() + Send + 'static,
    panicked: impl FnOnce(String) + Send + 'static,
) -> io::Result<()> {
    watch_panics();
    let guarded = move || {
        RECEIVER.set(Some(Box::new(panicked)));
        task();
    };
    thread::Builder::new().name("check".to_owned()).spawn(guarded).map(drop)
}

/// Sets the panic hook, once. It must not be set again while a thread stays in it: that would wait
/// for the thread. (The harness of unit tests does so at its end, so the tests are in `tests/cli`.)
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match RECEIVER.take() {
            None => usual(panic),
            Some(receiver) => {
                receiver(words(panic));
                loop {
                    thread::park();
                }
            }
        }));
    });
}

/// What a panic said, and where it was.
fn words(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let said = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("it panicked");
    match panic.location() {
        Some(at) => format!("{said} ({}:{})", at.file(), at.line()),
        None => said.to_owned(),
    }
}
