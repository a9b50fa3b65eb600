//! `mqttws check`: against `serve`, against servers that deviate in one thing, and what it writes.

mod every_byte;
mod faults;
mod front;
mod full;
mod hostile;
mod live;
mod relay;
mod reports;
mod running;
mod secure_front;
mod table;
mod unsteady;
