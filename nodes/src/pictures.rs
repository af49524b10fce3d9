//! Pictures in rerun, where the program was built with it.

use std::path::Path;
use std::str::FromStr;

#[cfg(not(feature = "rerun"))]
use crate::error::Error;
use crate::error::Result;
use crate::runtime::{Delivery, Observer};
#[cfg(feature = "rerun")]
use crate::viewer::{Viewer, ViewerTarget};

/// Where pictures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// Into a file that `rerun FILE` opens.
    Save,
    /// To a viewer that is started now.
    Spawn,
    /// To a viewer that runs already.
    Connect,
    /// Nowhere.
    Off,
}

impl FromStr for Rerun {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match text {
            "save" => Rerun::Save,
            "spawn" => Rerun::Spawn,
            "connect" => Rerun::Connect,
            "off" => Rerun::Off,
            other => {
                return Err(format!(
                    "rerun is `{other}` and can be off, save, connect or spawn"
                ));
            }
        })
    }
}

/// An observer that shows a run in rerun, or does nothing.
pub struct Pictures {
    #[cfg(feature = "rerun")]
    viewer: Option<Viewer>,
}

impl Pictures {
    /// Opens the target; `file` is where pictures are saved, if they are.
    ///
    /// # Errors
    /// [`Error::Viewer`](crate::error::Error::Viewer) where it cannot be opened, or the program was built without rerun.
    #[cfg(feature = "rerun")]
    pub fn new(wanted: Rerun, file: &Path) -> Result<Self> {
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

    /// Does nothing.
    ///
    /// # Errors
    /// [`Error::Viewer`] where pictures are wanted: the program was built without rerun.
    #[cfg(not(feature = "rerun"))]
    pub fn new(wanted: Rerun, _: &Path) -> Result<Self> {
        match wanted {
            Rerun::Off => Ok(Pictures {}),
            _ => Err(Error::Viewer(
                "this program was built without it; build with the feature `rerun`, or ask for off".into(),
            )),
        }
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// [`Error::Viewer`](crate::error::Error::Viewer) where the target no longer takes it.
    pub fn finish(self) -> Result<()> {
        #[cfg(feature = "rerun")]
        if let Some(viewer) = self.viewer {
            viewer.finish()?;
        }
        Ok(())
    }
}

impl Observer for Pictures {
    #[cfg(feature = "rerun")]
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        self.viewer.on_message(delivery)
    }

    #[cfg(not(feature = "rerun"))]
    fn on_message(&mut self, _: &Delivery<'_>) -> Result<()> {
        Ok(())
    }
}
