//! Motion through the ecosystem, as far as it needs no ROS: what Nav2's error codes mean here, and trajectories from
//! joint commands.

use std::collections::BTreeMap;

use steward_core::messages::{JointCommand, SkillFailure};

/// What an `error_code` of Nav2's `NavigateToPose` means to the executor. Codes of controller (100 and up), planner (200 and
/// up) and recoveries (700 and up) come through it; see `nav2_msgs/action`.
pub fn navigation_failure(code: u16) -> (SkillFailure, &'static str) {
    match code {
        102 | 202 | 9002 => (SkillFailure::StaleData, "transforms are missing"),
        103 => (SkillFailure::NoPath, "the controller cannot use the path"),
        104..=107 => (SkillFailure::Blocked, "the controller makes no progress"),
        203 | 204 => (SkillFailure::NoPath, "start or goal lie outside the map"),
        205 => (SkillFailure::Blocked, "the base stands in something"),
        206 => (
            SkillFailure::NoPath,
            "something stands where the base is to stand",
        ),
        207 | 9003 => (SkillFailure::TimedOut, "it took too long"),
        208 => (SkillFailure::NoPath, "there is no path"),
        700..=799 => (SkillFailure::Blocked, "no recovery helped"),
        101 | 201 | 9001 => (
            SkillFailure::Precondition,
            "a plugin or behaviour tree is not there",
        ),
        _ => (SkillFailure::Blocked, "it was given up"),
    }
}

/// Joints that go to their targets together.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Names of the joints.
    pub names: Vec<String>,
    /// Targets, radians or metres.
    pub positions: Vec<f64>,
    /// When they are to be there, seconds from now: no joint is faster than its command allows.
    pub after_s: f64,
}

/// Shortest time in which a controller is asked to be anywhere, seconds.
const SHORTEST_S: f64 = 0.05;

/// The trajectory of a command, from where the joints are; `None` where that is not known of one of them, or the command
/// makes no sense.
pub fn trajectory(command: &JointCommand, joints: &BTreeMap<String, f64>) -> Option<Trajectory> {
    let count = command.names.len();
    if count == 0 || command.positions.len() != count || command.max_velocities.len() != count {
        return None;
    }
    let mut after_s = SHORTEST_S;
    for ((name, to), fastest) in command
        .names
        .iter()
        .zip(&command.positions)
        .zip(&command.max_velocities)
    {
        let takes_s = (to - joints.get(name)?).abs() / fastest;
        if !(takes_s.is_finite() && *fastest > 0.0) {
            return None;
        }
        after_s = after_s.max(takes_s);
    }
    Some(Trajectory {
        names: command.names.clone(),
        positions: command.positions.clone(),
        after_s,
    })
}

#[cfg(test)]
mod tests {
    use steward_core::messages::Header;

    use super::*;

    fn command(names: &[&str], positions: &[f64], max_velocities: &[f64]) -> JointCommand {
        JointCommand {
            header: Header::default(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            positions: positions.to_vec(),
            max_velocities: max_velocities.to_vec(),
        }
    }

    #[test]
    fn the_slowest_joint_says_how_long_it_takes() {
        let joints = BTreeMap::from([("lift".to_owned(), 0.2), ("wrist".to_owned(), 1.0)]);
        let found = trajectory(&command(&["lift", "wrist"], &[0.5, 0.0], &[0.1, 2.0]), &joints).unwrap();
        assert!((found.after_s - 3.0).abs() < 1e-12);
        let here = trajectory(&command(&["lift"], &[0.2], &[0.1]), &joints).unwrap();
        assert_eq!(here.after_s, SHORTEST_S);
    }

    #[test]
    fn what_makes_no_sense_has_no_trajectory() {
        let joints = BTreeMap::from([("lift".to_owned(), 0.2)]);
        for bad in [
            command(&[], &[], &[]),
            command(&["lift"], &[], &[0.1]),
            command(&["lift"], &[f64::NAN], &[0.1]),
            command(&["lift"], &[0.5], &[0.0]),
            command(&["lift"], &[0.5], &[-1.0]),
            command(&["tail"], &[0.5], &[0.1]),
        ] {
            assert_eq!(trajectory(&bad, &joints), None, "{bad:?}");
        }
    }

    #[test]
    fn every_kind_of_code_has_a_meaning() {
        for (code, failure) in [
            (0, SkillFailure::Blocked),
            (105, SkillFailure::Blocked),
            (202, SkillFailure::StaleData),
            (206, SkillFailure::NoPath),
            (208, SkillFailure::NoPath),
            (703, SkillFailure::Blocked),
            (9001, SkillFailure::Precondition),
            (9003, SkillFailure::TimedOut),
        ] {
            assert_eq!(navigation_failure(code).0, failure, "{code}");
        }
    }
}
