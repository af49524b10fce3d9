//! What a recording says about the run it is of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_core::Time;

use crate::error::{Error, Result};

/// Name of the MCAP metadata record.
pub(super) const RECORD_NAME: &str = "steward";

/// Everything needed to build the nodes of a run again, and to know what it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetadata {
    /// Version of this software.
    pub version: String,
    /// Which clock the stamps are of.
    pub clock: Clock,
    /// Time of the first tick.
    pub start: Time,
    /// The seed that everything random in the run was drawn from.
    pub seed: u64,
    /// Configuration of the run, as whoever built the nodes wrote it; that is who reads it again.
    pub config: serde_json::Value,
    /// The home's YAML; empty for a robot in a real one.
    pub home_yaml: String,
}

/// A clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Simulated time on the deterministic scheduler: the recording replays exactly.
    Simulated,
    /// Wall-clock time: the order of calls within the nodes is not recorded.
    RealTime,
}

impl RunMetadata {
    /// Metadata of a run in simulated time that starts at zero, by this version.
    pub fn simulated(seed: u64, config: serde_json::Value, home_yaml: impl Into<String>) -> Self {
        RunMetadata {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock: Clock::Simulated,
            start: Time::ZERO,
            seed,
            config,
            home_yaml: home_yaml.into(),
        }
    }

    /// Entries of the metadata record. All but the home's YAML are JSON.
    pub(super) fn to_map(&self) -> Result<BTreeMap<String, String>> {
        let json = |e: serde_json::Error| Error::Metadata(e.to_string());
        Ok(BTreeMap::from([
            ("version".to_owned(), self.version.clone()),
            (
                "clock".to_owned(),
                serde_json::to_string(&self.clock).map_err(json)?,
            ),
            ("start_ns".to_owned(), self.start.nanos().to_string()),
            ("seed".to_owned(), self.seed.to_string()),
            (
                "config".to_owned(),
                serde_json::to_string(&self.config).map_err(json)?,
            ),
            ("home_yaml".to_owned(), self.home_yaml.clone()),
        ]))
    }

    pub(super) fn from_map(map: &BTreeMap<String, String>) -> Result<Self> {
        let text = |key: &str| {
            map.get(key)
                .map(String::as_str)
                .ok_or_else(|| Error::Metadata(format!("`{key}` is missing")))
        };
        fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(key: &str, text: &str) -> Result<T> {
            text.parse()
                .map_err(|e| Error::Metadata(format!("`{key}` is `{text}`: {e}")))
        }
        let json = |key: &'static str| move |e: serde_json::Error| Error::Metadata(format!("`{key}`: {e}"));
        Ok(RunMetadata {
            version: text("version")?.to_owned(),
            clock: serde_json::from_str(text("clock")?).map_err(json("clock"))?,
            start: Time::from_nanos(number("start_ns", text("start_ns")?)?),
            seed: number("seed", text("seed")?)?,
            config: serde_json::from_str(text("config")?).map_err(json("config"))?,
            home_yaml: text("home_yaml")?.to_owned(),
        })
    }
}
