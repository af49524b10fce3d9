//! The command line as a library: `steward ltl …` mounts [`LtlCommand`], `steward bench ltl` mounts
//! [`BenchCommand`].
//!
//! Results go to standard output. With `--json` the last line is one JSON object. The exit code is 0 for a
//! positive answer (accepted, equivalent, satisfiable), 1 for a negative one; errors are returned.

mod bench;
mod commands;
mod map;

pub use bench::{BenchCommand, BenchReport};
pub use commands::LtlCommand;
