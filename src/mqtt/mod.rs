//! MQTT 3.1, 3.1.1 and 5 without I/O: bytes and time go in; bytes, events and one deadline come
//! out.

pub mod id_map;
pub mod packet;
pub mod property;
pub mod qos;
pub mod reason;
pub mod relay;
pub mod scram;
pub mod session;
pub mod topic;
pub mod version;
