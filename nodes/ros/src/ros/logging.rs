//! Log messages go where those of every ROS node go: to the terminal, the log file and `/rosout`, from the level on
//! that `--log-level` asks for.

use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};
use r2r::LogSeverity;

/// Sends messages to the logger of the node that the program is named after.
struct ToRos;

static LOGGER: OnceLock<&'static str> = OnceLock::new();

impl Log for ToRos {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let severity = match record.level() {
            Level::Error => LogSeverity::Error,
            Level::Warn => LogSeverity::Warn,
            Level::Info => LogSeverity::Info,
            Level::Debug | Level::Trace => LogSeverity::Debug,
        };
        // A zero in the middle would end the text, and the process.
        let text = record.args().to_string().replace('\0', "\u{fffd}");
        r2r::log(
            &text,
            LOGGER.get().copied().unwrap_or_default(),
            record.file().unwrap_or_default(),
            record.line().unwrap_or_default(),
            severity,
        );
    }

    fn flush(&self) {}
}

/// Sends everything that this process logs through the logger of a node.
pub fn start(logger: &'static str) {
    // ROS filters by itself; this keeps what it would drop from being written out at all.
    let asked: Vec<String> = std::env::args().collect();
    let debug = asked
        .windows(2)
        .any(|pair| pair[0] == "--log-level" && pair[1].to_lowercase().ends_with("debug"));
    log::set_max_level(if debug {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    });
    // Both fail where that was done already, and then the first one logs.
    let _ = LOGGER.set(logger);
    let _ = log::set_logger(&ToRos);
}
