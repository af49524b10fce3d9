//! Same seed, same bytes: every episode is recorded twice, with one thread and with two, and replayed.

use std::path::Path;

use rayon::ThreadPoolBuilder;
use serde::Serialize;

use super::closed_loop::LoopBench;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::recording::{Recorder, RecordingSummary, RunMetadata, replay};

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct DeterminismReport {
    /// Episodes.
    pub episodes: usize,
    /// Every pair of recordings has the same SHA-256, and every replay sent the same bytes.
    pub identical: bool,
    /// The episodes.
    pub all: Vec<DeterminismResult>,
}

/// One episode.
#[derive(Debug, Clone, Serialize)]
pub struct DeterminismResult {
    /// Seed of the home.
    pub home: u64,
    /// SHA-256 of the recording made with one thread.
    pub sha256_one_thread: String,
    /// SHA-256 of the recording made with two threads.
    pub sha256_two_threads: String,
    /// Messages in the recording.
    pub messages: u64,
    /// Size of the recording, bytes.
    pub bytes: u64,
    /// The first output that a replay sent differently.
    pub difference: Option<String>,
}

/// Records episode after episode into `folder` (each file is removed when it was looked at).
///
/// # Errors
/// What an episode, the recorder or the replay returns.
pub fn determinism(
    bench: &LoopBench,
    folder: &Path,
    progress: &mut dyn FnMut(&DeterminismResult),
) -> Result<DeterminismReport> {
    let mut all = Vec::new();
    for index in 0..bench.episodes {
        let path = folder.join(format!("episode_{index}.mcap"));
        let (two, home) = record(bench, index, 2, &path)?;
        let (one, _) = record(bench, index, 1, &path)?;
        let report = replay(&path, |m| rebuild(bench, m), &mut ())?;
        std::fs::remove_file(&path).map_err(|source| Error::File {
            action: "remove",
            path: path.clone(),
            source,
        })?;
        let result = DeterminismResult {
            home,
            sha256_one_thread: one.sha256,
            sha256_two_threads: two.sha256,
            messages: one.messages,
            bytes: one.bytes,
            difference: report.difference.map(|d| d.to_string()),
        };
        progress(&result);
        all.push(result);
    }
    let same = |r: &DeterminismResult| r.sha256_one_thread == r.sha256_two_threads && r.difference.is_none();
    Ok(DeterminismReport {
        episodes: all.len(),
        identical: !all.is_empty() && all.iter().all(same),
        all,
    })
}

fn rebuild(bench: &LoopBench, _: &RunMetadata) -> Result<Vec<Box<dyn Node>>> {
    bench.config.nodes.nodes(steward_sim::robot::URDF)
}

fn record(bench: &LoopBench, index: usize, threads: usize, path: &Path) -> Result<(RecordingSummary, u64)> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Threads(e.to_string()))?;
    pool.install(|| {
        let (episode, home, ..) = bench.episode(index)?;
        let mut recorder = Recorder::create(path, &bench.metadata(home)?)?;
        episode.run(&mut recorder)?;
        Ok((recorder.finish()?, home))
    })
}
