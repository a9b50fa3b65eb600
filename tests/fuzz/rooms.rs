//! The decoders of mqttws, from its own source by path. That they build without the rest of the
//! program proves that they are pure.

pub mod stream;

/// Room 1 without the session, which decodes nothing itself.
#[path = "../../src/mqtt"]
pub mod mqtt {
    pub mod packet;
    pub mod property;
    pub mod qos;
    pub mod reason;
    pub mod topic;
    pub mod version;
}

/// A message as text, and text as a message.
#[path = "../../src/format"]
pub mod format {
    pub mod encoding;
    pub mod escape;
    pub mod json;
    mod mosquitto;
    pub mod record;
    pub mod template;
    pub mod time;
}

/// Of `transport` what understands addresses, and no socket.
#[path = "../../src/transport"]
pub mod transport {
    pub mod endpoint;
    mod host;
}

/// Of `websocket` the upgrade.
#[path = "../../src/websocket"]
pub mod websocket {
    pub mod upgrade;
}
