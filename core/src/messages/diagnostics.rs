use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Header;

/// Counters of one node (`diagnostic_msgs/DiagnosticArray`): everything dropped, refused or missing is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// Stamp.
    pub header: Header,
    /// Name of the node.
    pub node: String,
    /// Counters by name, for example `frames_dropped`, `transform_missing`.
    pub counters: BTreeMap<String, u64>,
}
