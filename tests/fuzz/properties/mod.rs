//! The properties, and how much each of them is tried.

mod certificate;
mod choices;
mod condition;
mod file;
mod frames;
mod json;
mod lifecycle;
mod packet;
mod payload;
mod pem;
mod profile;
mod proxy;
mod record;
mod redirect;
mod report;
mod scram;
mod session;
mod split;
mod stream;
mod template;
mod topic;
mod upgrade;
mod url;
mod value;
mod verify;
mod websocket;

/// A property, and what it is tried on.
pub struct Target {
    /// The name of its file here, and of its corpus.
    pub name: &'static str,
    /// Panics where these bytes break it.
    pub check: fn(&[u8]),
    /// The longest input, in bytes.
    pub longest: usize,
    /// How many inputs `tests/run` makes: as many as take some seconds.
    pub inputs: u32,
}

/// All of them.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "certificate", check: certificate::check, longest: 2_000, inputs: 4_000 },
    Target { name: "condition", check: condition::check, longest: 200, inputs: 50_000 },
    Target { name: "frames", check: frames::check, longest: 1_024, inputs: 40_000 },
    Target { name: "json", check: json::check, longest: 600, inputs: 8_000 },
    Target { name: "lifecycle", check: lifecycle::check, longest: 1_024, inputs: 60_000 },
    Target { name: "packet", check: packet::check, longest: 1_024, inputs: 40_000 },
    Target { name: "payload", check: payload::check, longest: 400, inputs: 8_000 },
    Target { name: "pem", check: pem::check, longest: 4_000, inputs: 3_000 },
    Target { name: "profile", check: profile::check, longest: 1_024, inputs: 2_000 },
    Target { name: "proxy", check: proxy::check, longest: 2_000, inputs: 30_000 },
    Target { name: "record", check: record::check, longest: 1_024, inputs: 60_000 },
    Target { name: "redirect", check: redirect::check, longest: 1_024, inputs: 20_000 },
    Target { name: "report", check: report::check, longest: 6_000, inputs: 3_000 },
    Target { name: "scram", check: scram::check, longest: 600, inputs: 4_000 },
    Target { name: "session", check: session::check, longest: 1_024, inputs: 60_000 },
    Target { name: "split", check: split::check, longest: 1_024, inputs: 30_000 },
    Target { name: "template", check: template::check, longest: 1_024, inputs: 30_000 },
    Target { name: "topic", check: topic::check, longest: 300, inputs: 50_000 },
    // Heads of answers and their bodies are longer than anything else.
    Target { name: "upgrade", check: upgrade::check, longest: 6_000, inputs: 10_000 },
    Target { name: "url", check: url::check, longest: 1_024, inputs: 50_000 },
    Target { name: "value", check: value::check, longest: 100, inputs: 50_000 },
    Target { name: "verify", check: verify::check, longest: 2_000, inputs: 30_000 },
    Target { name: "websocket", check: websocket::check, longest: 256, inputs: 1_500 },
];
