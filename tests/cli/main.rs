//! The program as its user sees it, against brokers that follow a script of bytes: standard output,
//! standard error and exit code, compared exactly. These tests must never know the program's codec.

mod addresses;
mod bench;
mod blocked;
mod check;
mod cloud;
mod composition;
mod credentials;
mod debug;
mod dialling;
mod disk;
mod drop_in;
mod echoes;
mod endings;
mod exec;
mod faults;
mod filters;
mod formats;
mod help;
mod hostile;
mod hyphens;
mod in_doubt;
mod large;
mod large_cuts;
mod leaving;
mod lifecycle;
mod mistyped;
mod oddities;
mod ping;
mod ping_end;
mod ping_examples;
mod ping_monitoring;
mod ping_records;
mod ping_terminal;
mod ping_via;
mod profile;
mod profile_listing;
mod profile_order;
mod proxy;
mod publish;
mod reconnect;
mod records;
mod redirect;
mod requests;
mod serve;
mod signals;
mod subscribe;
mod subscriptions;
mod summary;
mod terminal;
mod terminal_progress;
mod terminal_watch;
mod test_verbs;
mod timeouts;
mod tls;
mod tls_client;
mod tls_refused;
mod tls_settings;
mod topics;
mod upgrade;
mod usage;
mod watching;

mod support {
    //! What the tests are made of.
    pub mod broker;
    pub mod certificates;
    mod checks;
    pub mod faulty_broker;
    pub mod folder;
    pub mod lines;
    pub mod notation;
    pub mod program;
    pub mod secure;
    pub mod terminal;
    pub mod websocket;
}
