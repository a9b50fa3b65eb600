//! The properties, and how much each of them is tried.

mod choices;
mod frames;
mod lifecycle;
mod packet;
mod record;
mod session;
mod stream;
mod template;
mod upgrade;
mod url;
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
    Target { name: "frames", check: frames::check, longest: 1024, inputs: 20_000 },
    Target { name: "lifecycle", check: lifecycle::check, longest: 1024, inputs: 20_000 },
    Target { name: "packet", check: packet::check, longest: 1024, inputs: 20_000 },
    Target { name: "record", check: record::check, longest: 1024, inputs: 20_000 },
    Target { name: "session", check: session::check, longest: 1024, inputs: 20_000 },
    Target { name: "template", check: template::check, longest: 1024, inputs: 20_000 },
    // Heads of answers and their bodies are longer than anything else.
    Target { name: "upgrade", check: upgrade::check, longest: 6000, inputs: 2_000 },
    Target { name: "url", check: url::check, longest: 1024, inputs: 50_000 },
    Target { name: "websocket", check: websocket::check, longest: 256, inputs: 1_500 },
];
