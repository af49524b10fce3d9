//! How the world's camera is listened to.

use std::path::Path;

use serde::{Deserialize, Serialize};
use steward_core::Duration;
use steward_core::robot::KinematicModel;

use super::labels::Names;
use super::optical;

/// How images travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// `sensor_msgs/Image`.
    Raw,
    /// `sensor_msgs/CompressedImage`, as `image_transport` names the topics.
    Compressed,
}

/// Who says what is seen in images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// A detector, with `steward_msgs/Segmentation`; the embedded simulator is one.
    Detector,
    /// Gazebo's segmentation camera.
    Gazebo,
    /// Isaac Sim's semantic segmentation.
    Isaac,
}

/// The head camera of the world. Taken when the process starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// How colour comes.
    pub color: Transport,
    /// How depth comes.
    pub depth: Transport,
    /// Who says what is seen.
    pub labels: LabelSource,
    /// With `gazebo`: the file that names the numbers of classes.
    pub labels_file: String,
    /// Frame of the images, whatever they say; empty: the one that they say.
    pub optical_frame: String,
    /// Largest difference of stamps between colour, depth, camera and labels of one image, seconds. Below half the
    /// time between two images; 0: equal stamps only.
    pub max_skew_s: f64,
}

impl Default for CameraSettings {
    fn default() -> Self {
        CameraSettings {
            color: Transport::Raw,
            depth: Transport::Raw,
            labels: LabelSource::Detector,
            labels_file: String::new(),
            optical_frame: String::new(),
            max_skew_s: 0.015,
        }
    }
}

impl CameraSettings {
    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn validate(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.max_skew_s) {
            return Err(format!(
                "camera.max_skew_s is {} and must be between 0 and 1",
                self.max_skew_s
            ));
        }
        let model = KinematicModel::from_urdf(steward_sim::robot::URDF).map_err(|e| e.to_string())?;
        optical::check(&model, &self.optical_frame).map_err(|e| format!("camera.optical_frame: {e}"))?;
        self.names().map(drop)
    }

    /// Names of Gazebo's classes.
    ///
    /// # Errors
    /// One sentence: what is wrong with the file.
    pub fn names(&self) -> Result<Names, String> {
        match (self.labels, self.labels_file.as_str()) {
            (LabelSource::Gazebo, "") => Err(
                "camera.labels is gazebo, which needs camera.labels_file: the labels.yaml that `steward sim export` wrote"
                    .into(),
            ),
            (LabelSource::Gazebo, path) => Names::from_file(Path::new(path)),
            _ => Ok(Names::default()),
        }
    }

    /// Largest difference of stamps.
    pub fn max_skew(&self) -> Duration {
        Duration::from_secs_f64(self.max_skew_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        CameraSettings::default().validate().unwrap();
        let refused = |change: fn(&mut CameraSettings)| {
            let mut settings = CameraSettings::default();
            change(&mut settings);
            settings.validate().unwrap_err()
        };
        assert!(refused(|s| s.max_skew_s = f64::NAN).contains("max_skew_s"));
        assert!(refused(|s| s.max_skew_s = -0.1).contains("max_skew_s"));
        assert!(refused(|s| s.optical_frame = "head_camera_link".into()).contains("optical_frame"));
        assert!(refused(|s| s.labels = LabelSource::Gazebo).contains("labels_file"));
        let nowhere = refused(|s| {
            s.labels = LabelSource::Gazebo;
            s.labels_file = "/nowhere.yaml".into();
        });
        assert!(nowhere.contains("/nowhere.yaml"));
    }
}
