//! The limits of the broker: those that are fixed, and the table of those that can be changed.

mod table;

use std::time::Duration;

pub use table::{HELP, Limit, LimitSetting, Limits};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How long a new connection may take for its HTTP request, and again for its CONNECT.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long we wait for the other side's Close frame, and for a write to a client that we
/// disconnect.
pub const LINGER: Duration = Duration::from_secs(1);
/// How long the pace of a slow subscriber is measured.
pub const HOLD_BACK: Duration = Duration::from_secs(1);

/// The longest packet that is taken before CONNECT was accepted, in bytes.
pub const FIRST_PACKET_BYTES: usize = 100_000;
/// The longest HTTP request head, in bytes.
pub const HEAD_BYTES: usize = 16 * KIB;
/// A subscriber that reads, and whose socket then took nothing for so long, is stuck: no publisher
/// waits for it.
pub const STUCK: Duration = Duration::from_millis(250);
/// A subscriber that has taken nothing for so long since it stopped, while much waits for it, is
/// stuck, too.
pub const FIRST_SIGN: Duration = Duration::from_millis(100);
/// A subscriber that takes fewer bytes a second is not waited for.
pub const FAIR_RATE: usize = 4 * MIB;
/// How often it is looked at whether a publisher still has to wait for a subscriber.
pub const REVIEW: Duration = Duration::from_millis(10);

/// QoS 1 and 2 messages on their way to one client; a client may ask for fewer (Receive Maximum).
pub const IN_FLIGHT: u16 = 1_024;

/// What one packet weighs besides topic and payload, in bytes: our book-keeping.
pub const MESSAGE_OVERHEAD: usize = 128;
/// What one of its properties weighs besides its value, in bytes.
pub const PROPERTY_OVERHEAD: usize = 64;
/// Messages in flight to one client from which on those that follow are copied out of what was
/// read with them.
pub const COPIED_FROM: usize = 16;
/// Unsent bytes of one connection; above, QoS 0 messages are dropped and others stay in the
/// session.
pub const UNSENT_BYTES: usize = 64 * MIB;
/// What waits for several subscribers alike is given to each in parts of so many bytes.
pub const COMMON_BYTES: usize = MIB;
/// A subscriber that has taken nothing for so long waits together with others.
pub const IDLE: Duration = Duration::from_millis(2);
/// Backlog of one connected subscriber above which its publishers are held back.
pub const SLOW_BYTES: usize = 8 * MIB;
/// Unsent bytes (then acknowledgements) above which we stop reading from the client itself.
pub const DEAF_BYTES: usize = UNSENT_BYTES + 16 * MIB;
/// Packets other than messages (PINGRESP, acknowledgements) that a client leaves unread above which
/// we stop reading from it.
pub const MOST_ANSWERS: usize = 8192;
/// Bytes of control frames (Pongs) that a client leaves unread above which we stop reading from it.
pub const CONTROL_BYTES: usize = 16 * KIB;

/// How long a client that has been sent as much as it may be (`--fault cut-after`) can acknowledge
/// it: otherwise a session with more than that would never go on.
pub const TIME_TO_ANSWER: Duration = Duration::from_millis(100);
/// Brokers with a name (`/NAME/mqtt`).
pub const NAMED_BROKERS: usize = 1_000;
/// Bytes that a client has sent and that a fault holds (`--fault delay`, `stall`), above which we
/// stop reading from it.
pub const HELD_BYTES: usize = MIB;

/// A message of WebSocket of a client may always have so many bytes, however small its packets
/// must be: it can hold many of them `[MQTT-6.0.0-2]`.
pub const CLIENT_MESSAGE_BYTES: usize = 16 * MIB;
/// The largest WebSocket message that we send (limits of 64 KiB are common).
pub const MESSAGE_BYTES: usize = 32 * KIB;
/// Frames are gathered up to this size before they are written.
pub const WRITE_BYTES: usize = 128 * KIB;
/// What one read from a socket asks for.
pub const READ_BYTES: usize = 64 * KIB;
