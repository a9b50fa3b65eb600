//! `mqttws sub` through connections that break: what it prints of what `mosquitto_pub` sends.
