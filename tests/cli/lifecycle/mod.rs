//! How a connection begins, breaks, is made again and ends, seen from outside: nothing that happens
//! on the way is lost, whatever state the connection is in.

mod closing;
mod furthest;
mod idle;
mod in_doubt;
mod mended;
mod precedence;
mod repeated;
mod sighup;
mod silence;
mod standstill;
mod states;
mod swallowed;
mod wait;
