//! The home as an SDF world for Gazebo, and the robot as a URDF with meshes.
//!
//! A folder gets `world.sdf`, `robot.urdf`, `meshes/` (OBJ with MTL) and `textures/` (PNG); file names inside are
//! relative to it. Furniture is one model with its doors, drawers and lids as further links on joints; every small
//! object is a model of its own. Every visual has a label for Gazebo's segmentation camera; `labels.yaml` has the
//! number of each class. The robot comes with Gazebo's sensors, drives and odometry, which other readers of URDF pass
//! over; `setup.yaml` says where it starts and what the rooms are.

mod gazebo;
mod labels;
mod obj;
mod sdf;
mod urdf;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::Home;
use crate::{Error, Result};

/// What [`export_home`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The world.
    pub world: PathBuf,
    /// The robot.
    pub robot: PathBuf,
    /// Files written in total.
    pub files: usize,
}

/// Writes a home and the robot into a folder, which is made if need be. Same home, same bytes.
///
/// # Errors
/// [`Error::Write`] naming the file.
pub fn export_home(home: &Home, folder: &Path) -> Result<Exported> {
    let mut output = Output {
        folder: folder.to_owned(),
        files: 0,
    };
    let mut meshes = obj::MeshFolder::new();
    let labels = labels::Labels::of(home);
    output.write("labels.yaml", labels.to_yaml().as_bytes())?;
    output.write("setup.yaml", gazebo::setup(home).as_bytes())?;
    let world = sdf::world(home, &labels, &mut meshes, &mut output)?;
    let world = output.write("world.sdf", world.as_bytes())?;
    let robot = urdf::with_meshes(crate::robot::URDF, &mut output)?;
    let robot = gazebo::with_systems(&robot, labels.robot())?;
    let robot = output.write("robot.urdf", robot.as_bytes())?;
    Ok(Exported {
        world,
        robot,
        files: output.files,
    })
}

/// Writes files below one folder.
struct Output {
    folder: PathBuf,
    files: usize,
}

impl Output {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder.join(name);
        let failed = |e: std::io::Error| Error::Write {
            path: path.display().to_string(),
            problem: e.to_string(),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, bytes).map_err(failed)?;
        self.files += 1;
        Ok(path)
    }
}
