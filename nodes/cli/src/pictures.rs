//! Pictures in rerun, where the program was built with it.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use steward_nodes::runtime::{Delivery, Observer};
#[cfg(feature = "rerun")]
use steward_nodes::viewer::{Viewer, ViewerTarget};

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

/// An observer that shows a run in rerun, or does nothing.
pub(crate) struct Pictures {
    #[cfg(feature = "rerun")]
    viewer: Option<Viewer>,
}

impl Pictures {
    #[cfg(feature = "rerun")]
    pub(crate) fn new(wanted: Rerun, file: &Path) -> Result<Self> {
        let target = match wanted {
            Rerun::Off => return Ok(Pictures { viewer: None }),
            Rerun::Save => ViewerTarget::Save(file.to_owned()),
            Rerun::Spawn => ViewerTarget::Spawn,
            Rerun::Connect => ViewerTarget::Connect,
        };
        Ok(Pictures {
            viewer: Some(Viewer::new(&target, steward_sim::robot::URDF)?),
        })
    }

    #[cfg(not(feature = "rerun"))]
    pub(crate) fn new(wanted: Rerun, _: &Path) -> Result<Self> {
        if wanted != Rerun::Off {
            anyhow::bail!(
                "this program was built without rerun; use --rerun off or build with default features"
            );
        }
        Ok(Pictures {})
    }

    /// Writes out what is left.
    pub(crate) fn finish(self) -> Result<()> {
        #[cfg(feature = "rerun")]
        if let Some(viewer) = self.viewer {
            viewer.finish()?;
        }
        Ok(())
    }
}

impl Observer for Pictures {
    #[cfg(feature = "rerun")]
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.viewer.on_message(delivery)
    }

    #[cfg(not(feature = "rerun"))]
    fn on_message(&mut self, _: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        Ok(())
    }
}
