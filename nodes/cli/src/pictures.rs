//! Where pictures in rerun go, as the command line has it.

use clap::ValueEnum;
use steward_nodes::pictures;

/// Where pictures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rerun {
    /// Into a file that `rerun FILE` opens
    Save,
    /// To a viewer that is started now
    Spawn,
    /// To a viewer that runs already
    Connect,
    /// Nowhere
    Off,
}

impl Rerun {
    /// What happens where the user says nothing.
    pub(crate) const DEFAULT: Rerun = if cfg!(feature = "rerun") {
        Rerun::Save
    } else {
        Rerun::Off
    };
}

impl From<Rerun> for pictures::Rerun {
    fn from(wanted: Rerun) -> Self {
        match wanted {
            Rerun::Save => pictures::Rerun::Save,
            Rerun::Spawn => pictures::Rerun::Spawn,
            Rerun::Connect => pictures::Rerun::Connect,
            Rerun::Off => pictures::Rerun::Off,
        }
    }
}
