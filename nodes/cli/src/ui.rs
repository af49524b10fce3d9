//! What the terminal shows: colours only on a terminal, progress only where somebody watches.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;
use serde::Serialize;

fn in_color(text: &str, paint: impl Fn(&str) -> String) -> String {
    let wanted = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { paint(text) } else { text.to_owned() }
}

/// Text that reports something good.
pub(crate) fn good(text: &str) -> String {
    in_color(text, |t| t.green().bold().to_string())
}

/// Text that reports something bad.
pub(crate) fn bad(text: &str) -> String {
    in_color(text, |t| t.red().bold().to_string())
}

/// Text of lesser weight.
pub(crate) fn dim(text: &str) -> String {
    in_color(text, |t| t.dimmed().to_string())
}

/// A bar that counts to `length`; hidden where standard error is no terminal.
pub(crate) fn progress(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {msg} ({eta} left)") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// Prints one JSON object as the last line of standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    println!(
        "{}",
        serde_json::to_string(value).context("cannot write the result as JSON")?
    );
    Ok(())
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the program at once.
pub(crate) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if shared.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\nstopping; once more to end at once");
    })
    .context("cannot catch Ctrl-C")?;
    Ok(flag)
}

/// Number of threads to use where the user named none.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
