//! The client's session state machine.
