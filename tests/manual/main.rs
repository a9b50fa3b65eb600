//! The manual: every example of every page is run as it is printed, and the pages are free of
//! mistakes that mandoc and man find.
//!
//! An example stands between `.EX` and `.EE`; the comments before it say how it is tested, see
//! `page.rs`. Those that cannot be run are named in `NOT_RUN`, with the reason.

#[expect(dead_code, reason = "tests/interop pauses it and keeps it busy")]
#[path = "../interop/broker.rs"]
mod broker;
#[path = "../cli/support/certificates.rs"]
mod certificates;
#[path = "../interop/daemon.rs"]
mod daemon;
mod examples;
#[path = "../cli/support/folder.rs"]
mod folder;
mod form;
mod page;
#[expect(dead_code, reason = "tests/cli sends signals and holds pipes open")]
#[path = "../cli/support/program.rs"]
mod program;
mod proxies;
mod readme;

mod relay;

use std::fs;
use std::path::Path;

/// Whether a program is to be tested with; `tests/run` names those that it could not install.
fn is_here(program: &str) -> bool {
    let without = std::env::var("MQTTWS_WITHOUT").unwrap_or_default();
    let is_left_out = without.split([',', ' ']).any(|name| name == program);
    if is_left_out {
        eprintln!("left out: MQTTWS_WITHOUT names {program}");
    }
    !is_left_out
}

/// A file of the repository.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
