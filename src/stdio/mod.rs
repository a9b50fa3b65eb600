//! The ends on this machine: stdin, files, folders, stdout and the commands of `--exec`.

pub mod exec;
pub mod file;
pub mod folder;
pub mod input;
pub mod lines;
pub mod stdout;
pub mod stdout_reader;
