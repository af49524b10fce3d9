//! In which frame images are, and whether that is one.

use std::collections::BTreeSet;

use steward_core::messages::Transforms;
use steward_core::robot::{JointPositions, KinematicModel};

use super::refusal::Refusal;

/// Frames of `/tf` that are remembered.
const MAX_HEARD: usize = 4096;
/// Height of the direction of view, as a unit vector, from which on a camera would look at the ceiling: the frame is
/// one of a body (REP-103), whose z axis points up.
const UPWARDS: f64 = 0.9;

/// Knows the robot's links and what frames were heard of.
#[derive(Debug)]
pub(super) struct OpticalFrames {
    /// Empty: what images say.
    given: String,
    model: KinematicModel,
    heard: BTreeSet<String>,
}

impl OpticalFrames {
    /// For a robot, and the frame that images are in whatever they say; empty: the one that they say.
    pub(super) fn new(model: KinematicModel, given: &str) -> Self {
        OpticalFrames {
            given: given.to_owned(),
            model,
            heard: BTreeSet::new(),
        }
    }

    /// Frames were heard of.
    pub(super) fn hear(&mut self, transforms: &Transforms) {
        for transform in &transforms.transforms {
            if self.heard.len() < MAX_HEARD && !self.heard.contains(&transform.child) {
                self.heard.insert(transform.child.clone());
            }
        }
    }

    /// The optical frame of an image that says to be in a frame.
    ///
    /// # Errors
    /// [`Refusal::Frame`] for a frame that is neither a link of the robot nor on `/tf`, and for a link whose axes are
    /// not those of a camera (x right, y down, z forward).
    pub(super) fn of(&self, said: &str) -> Result<String, Refusal> {
        let frame = if self.given.is_empty() { said } else { &self.given };
        check(&self.model, frame)?;
        if self.model.link_index(frame).is_err() && !self.heard.contains(frame) {
            let shown: String = frame.chars().take(80).collect();
            return Err(Refusal::Frame(format!(
                "`{shown}` is neither a link of the robot nor on /tf; set camera.optical_frame to the frame of the images"
            )));
        }
        Ok(frame.to_owned())
    }
}

/// Checks that a frame, where it is a link of the robot, is an optical one.
///
/// # Errors
/// [`Refusal::Frame`]
pub(super) fn check(model: &KinematicModel, frame: &str) -> Result<(), Refusal> {
    match model.link_pose(frame, &JointPositions::default()) {
        Ok(pose) if (pose.rotation * steward_core::geometry::Vector3::z()).z > UPWARDS => {
            Err(Refusal::Frame(format!(
                "the z axis of `{frame}` points up: it is no optical frame (x right, y down, z forward); set \
                 camera.optical_frame to the one that belongs to it, such as {}",
                steward_core::frames::HEAD_CAMERA_OPTICAL
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use steward_core::Time;
    use steward_core::frames::HEAD_CAMERA_OPTICAL;
    use steward_core::geometry::Pose3;
    use steward_core::messages::StampedTransform;

    use super::*;

    fn frames(given: &str) -> OpticalFrames {
        OpticalFrames::new(
            KinematicModel::from_urdf(steward_sim::robot::URDF).unwrap(),
            given,
        )
    }

    #[test]
    fn images_are_in_the_frame_that_they_say_or_in_the_one_that_is_given() {
        assert_eq!(frames("").of(HEAD_CAMERA_OPTICAL).unwrap(), HEAD_CAMERA_OPTICAL);
        assert_eq!(
            frames(HEAD_CAMERA_OPTICAL).of("steward/head/rgbd").unwrap(),
            HEAD_CAMERA_OPTICAL
        );
    }

    #[test]
    fn a_body_frame_is_refused_and_so_is_an_unknown_one_until_it_is_heard_of() {
        for (given, said, says) in [
            ("", "head_camera_link", "points up"),
            ("base_link", HEAD_CAMERA_OPTICAL, "points up"),
            ("", "", "neither a link"),
            ("", "nowhere", "neither a link"),
        ] {
            let refused = frames(given).of(said).unwrap_err();
            assert_eq!(refused.name(), "frame");
            assert!(refused.to_string().contains(says), "{refused}");
        }
        let mut frames = frames("");
        let edge = |n: usize| StampedTransform {
            stamp: Time::ZERO,
            parent: "base_link".into(),
            child: format!("extra_{n}"),
            parent_from_child: Pose3::identity(),
            is_static: true,
        };
        frames.hear(&Transforms {
            transforms: vec![edge(0)],
        });
        assert_eq!(frames.of("extra_0").unwrap(), "extra_0");
        frames.hear(&Transforms {
            transforms: (0..MAX_HEARD * 2).map(edge).collect(),
        });
        assert_eq!(frames.heard.len(), MAX_HEARD);
    }
}
