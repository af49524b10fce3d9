//! What every executable does: signals, settings, a turn at a time, an exit code.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

use super::logging;

/// Runs a program of the name, which ends soon after the flag is set, and says how it ended.
pub fn main(name: &'static str, run: impl FnOnce(&AtomicBool) -> Result<()>) -> ExitCode {
    logging::start(name);
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let listening =
        ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst)).context("cannot listen to signals");
    match listening.and_then(|()| run(&stop)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            log::error!("{e:#}");
            ExitCode::FAILURE
        }
    }
}
