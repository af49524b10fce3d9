//! Any bytes are a recording, a damaged one, or none; never a panic, a hang or memory without bound.
//!
//!     cargo +nightly fuzz run recording

#![no_main]

use std::io::Cursor;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use steward_nodes::recording::RecordingReader;

fuzz_target!(|data: &[u8]| {
    if let Ok(recording) = RecordingReader::new(Cursor::new(data), data.len() as u64, Path::new("fuzz")) {
        for message in recording {
            let _ = message.message();
        }
    }
});
