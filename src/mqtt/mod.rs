//! Room 1, pure: MQTT 3.1, 3.1.1 and 5. Bytes and time come in; bytes, events and one deadline go
//! out. It never touches a socket, a file, a thread, the environment or the clock.

pub mod packet;
pub mod property;
pub mod qos;
pub mod reason;
pub mod scram;
pub mod session;
pub mod topic;
pub mod version;
