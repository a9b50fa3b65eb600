//! `mqttws`: publish, subscribe and ping over MQTT over WebSockets.

mod broker;
mod mqtt;
mod transport;

fn main() {}
