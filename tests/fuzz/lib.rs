//! The program as a library, from its own source by path, and the properties that are tried on it:
//! one file a property, plain functions of bytes. `replay.rs` tries them on a fixed set of inputs,
//! `libfuzzer.rs` on what libFuzzer thinks of.

// A library cannot tell what the program uses, and what is expected of the program is not of it.
#![allow(dead_code, unused_imports, unfulfilled_lint_expectations)]

mod allocator;
pub mod memory;
pub mod mutator;
pub mod properties;

#[path = "../../src/broker/mod.rs"]
mod broker;
#[path = "../../src/cli/mod.rs"]
mod cli;
#[path = "../../src/client/mod.rs"]
mod client;
#[path = "../../src/command/mod.rs"]
mod command;
#[path = "../../src/exit.rs"]
mod exit;
#[path = "../../src/format/mod.rs"]
mod format;
#[path = "../../src/mqtt/mod.rs"]
mod mqtt;
#[path = "../../src/report/mod.rs"]
mod report;
#[path = "../../src/signals/mod.rs"]
mod signals;
#[path = "../../src/stdio/mod.rs"]
mod stdio;
#[path = "../../src/terminal/mod.rs"]
mod terminal;
#[path = "../../src/transport/mod.rs"]
mod transport;
#[path = "../../src/websocket/mod.rs"]
mod websocket;
