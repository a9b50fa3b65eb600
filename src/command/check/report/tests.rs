//! The same results in each form of the report.
