//! subscribing
