//! Numbers that Gazebo's segmentation camera gives for classes.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::Home;

/// What the robot's own pixels are, as in this crate's own camera.
const ROBOT: &str = "robot";

/// Numbers of classes, from 1: Gazebo gives 0 to what has no label.
pub(super) struct Labels(BTreeMap<String, usize>);

impl Labels {
    /// Of a home with the robot in it: classes in alphabetical order. Gazebo has room for 255 and the catalogue holds fewer, which a
    /// test watches.
    pub(super) fn of(home: &Home) -> Self {
        let mut labels = BTreeMap::from([(ROBOT.to_owned(), 0)]);
        for entity in &home.entities {
            labels.insert(entity.class.clone(), 0);
            for visual in &entity.visuals {
                labels.extend(visual.label.iter().map(|label| (label.clone(), 0)));
            }
        }
        for (number, value) in labels.values_mut().enumerate() {
            *value = number + 1;
        }
        Labels(labels)
    }

    /// The number of a class, 0 for one that the home does not have.
    pub(super) fn number(&self, class: &str) -> usize {
        self.0.get(class).copied().unwrap_or(0)
    }

    /// The number of the robot's own pixels.
    pub(super) fn robot(&self) -> usize {
        self.number(ROBOT)
    }

    /// YAML: `class: number`, one a line.
    pub(super) fn to_yaml(&self) -> String {
        let mut text =
            String::from("# Number that the segmentation camera gives for a class; 0 is everything else.\n");
        for (class, number) in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{class}: {number}");
        }
        text
    }
}
