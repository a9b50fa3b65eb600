//! A small conversation broken at every byte.
