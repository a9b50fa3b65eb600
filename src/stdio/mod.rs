//! Input and output on this machine: stdin, files, folders, stdout, the clock and the commands of
//! `--exec`.

pub mod clock;
pub mod exec;
pub mod file;
pub mod folder;
pub mod lines;
pub mod records;
pub mod stdin;
pub mod stdout;
pub mod stdout_reader;
