//! `sensor_msgs/JointState` of any world: some joints of the robot in any order, perhaps several publishers for parts
//! of it, perhaps joints that are none of its.

use std::collections::BTreeMap;

use steward_core::messages::{Header, JointStates};
use steward_core::robot::KinematicModel;
use steward_core::{Duration, Time};
use steward_nodes::recording::CdrReader;

use super::refusal::Refusal;

/// What is older than this, compared with the newest, is not known any more.
const FRESH: Duration = Duration::from_millis(500);

/// The newest state of every joint of the robot.
#[derive(Debug)]
pub(super) struct Joints {
    /// Every joint that moves, and whether it is one that must be known: those that follow others need not be.
    is_needed: BTreeMap<String, bool>,
    known: BTreeMap<String, State>,
    newest: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    stamp: Time,
    position: f64,
    velocity: f64,
}

impl Joints {
    /// Of a robot.
    pub(super) fn new(model: &KinematicModel) -> Self {
        let followers = model.joints().iter().filter(|j| j.mimic.is_some());
        let is_needed = followers
            .map(|j| (j.name.clone(), false))
            .chain(model.actuated().map(|j| (j.name.clone(), true)))
            .collect();
        Joints {
            is_needed,
            known: BTreeMap::new(),
            newest: None,
        }
    }

    /// Takes a message. All joints of the robot, with the stamp of the oldest among them, once every one that can be
    /// commanded is known.
    ///
    /// # Errors
    /// [`Refusal::NotFinite`] for positions that are no numbers, [`Refusal::Size`] for lists of different length,
    /// [`Refusal::Unreadable`]; then nothing of the message is used.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<Option<JointStates>, Refusal> {
        let mut r = CdrReader::new(bytes)?;
        let (header, names): (Header, Vec<String>) = (r.get()?, r.get()?);
        let (positions, velocities): (Vec<f64>, Vec<f64>) = (r.get()?, r.get()?);
        r.skip::<Vec<f64>>()?;
        r.finish()?;
        if positions.len() != names.len() || !(velocities.is_empty() || velocities.len() == names.len()) {
            return Err(Refusal::Size(format!(
                "{} joints, {} positions and {} velocities",
                names.len(),
                positions.len(),
                velocities.len()
            )));
        }
        let mut heard = BTreeMap::new();
        for (index, name) in names.into_iter().enumerate() {
            if !self.is_needed.contains_key(&name) {
                continue;
            }
            // Velocities are often left out, some joints' as NaN.
            let velocity = velocities.get(index).copied().filter(|v| v.is_finite());
            let position = positions[index];
            if !position.is_finite() {
                return Err(Refusal::NotFinite(format!("`{name}` is at {position}")));
            }
            let velocity = velocity.unwrap_or(0.0);
            let stamp = header.stamp;
            heard.insert(
                name,
                State {
                    stamp,
                    position,
                    velocity,
                },
            );
        }
        if heard.is_empty() {
            return Ok(None);
        }
        if self.newest.is_some_and(|newest| newest - header.stamp > FRESH) {
            // Time jumped back.
            self.known.clear();
            self.newest = None;
        }
        let newest = self
            .newest
            .map_or(header.stamp, |newest| newest.max(header.stamp));
        self.newest = Some(newest);
        self.known.extend(heard);
        self.known.retain(|_, state| newest - state.stamp <= FRESH);
        Ok(self.whole())
    }

    fn whole(&self) -> Option<JointStates> {
        let is_missing = |(name, is_needed): (&String, &bool)| *is_needed && !self.known.contains_key(name);
        if self.is_needed.iter().any(is_missing) {
            return None;
        }
        Some(JointStates {
            header: Header::new(self.known.values().map(|s| s.stamp).min()?, ""),
            names: self.known.keys().cloned().collect(),
            positions: self.known.values().map(|s| s.position).collect(),
            velocities: self.known.values().map(|s| s.velocity).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use steward_nodes::recording::CdrWriter;

    use super::*;

    const ROBOT: &str = r#"<robot name="r"><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
        <joint name="lift" type="prismatic"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
          <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
        <joint name="turn" type="revolute"><parent link="b"/><child link="c"/><axis xyz="0 0 1"/>
          <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
        <joint name="follows" type="revolute"><parent link="c"/><child link="d"/><axis xyz="0 0 1"/>
          <limit lower="0" upper="1" effort="1" velocity="1"/><mimic joint="turn"/></joint></robot>"#;

    fn joints() -> Joints {
        Joints::new(&KinematicModel::from_urdf(ROBOT).unwrap())
    }

    fn bytes(at_s: f64, names: &[&str], positions: &[f64], velocities: &[f64]) -> Vec<u8> {
        let mut w = CdrWriter::with_capacity(100);
        w.put(&Header::new(Time::from_secs_f64(at_s), "anything"));
        w.put(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        w.put(&positions.to_vec()).put(&velocities.to_vec());
        w.put(&vec![f64::NAN; names.len()]);
        w.finish().unwrap()
    }

    #[test]
    fn any_order_with_joints_of_others_is_taken() {
        let names = ["wheel", "turn", "lift"];
        let states = joints()
            .put(&bytes(
                1.0,
                &names,
                &[f64::NAN, 0.5, 0.2],
                &[f64::NAN, 0.1, f64::NAN],
            ))
            .unwrap()
            .unwrap();
        assert_eq!(states.header, Header::new(Time::from_secs_f64(1.0), ""));
        assert_eq!(states.names, ["lift", "turn"]);
        assert_eq!(
            (states.positions, states.velocities),
            (vec![0.2, 0.5], vec![0.0, 0.1])
        );
    }

    #[test]
    fn parts_from_several_are_one_robot_as_old_as_its_oldest_part() {
        let mut joints = joints();
        assert_eq!(
            joints
                .put(&bytes(1.0, &["turn", "follows"], &[0.5, 0.5], &[]))
                .unwrap(),
            None
        );
        let whole = joints.put(&bytes(1.1, &["lift"], &[0.2], &[])).unwrap().unwrap();
        assert_eq!(whole.header.stamp, Time::from_secs_f64(1.0));
        assert_eq!(whole.names, ["follows", "lift", "turn"]);
        assert_eq!(whole.by_name()["turn"], 0.5);
        assert_eq!(
            joints.put(&bytes(1.7, &["lift"], &[0.3], &[])).unwrap(),
            None,
            "where `turn` is nobody has said for too long"
        );
        joints.put(&bytes(1.8, &["turn"], &[0.6], &[])).unwrap().unwrap();
        assert_eq!(
            joints.put(&bytes(0.1, &["turn"], &[0.0], &[])).unwrap(),
            None,
            "time jumped back"
        );
        assert_eq!(joints.put(&bytes(0.1, &["wheel"], &[0.0], &[])).unwrap(), None);
    }

    #[test]
    fn nonsense_is_refused_whole() {
        let mut joints = joints();
        for (names, positions, velocities, reason) in [
            (vec!["lift", "turn"], vec![0.1], vec![], "size"),
            (vec!["lift"], vec![0.1], vec![0.0, 0.0], "size"),
            (
                vec!["turn", "lift"],
                vec![0.1, f64::INFINITY],
                vec![],
                "not_finite",
            ),
        ] {
            let refused = joints
                .put(&bytes(1.0, &names, &positions, &velocities))
                .unwrap_err();
            assert_eq!(refused.name(), reason);
        }
        assert_eq!(joints.put(&[0, 1, 0, 0, 1]).unwrap_err().name(), "unreadable");
        assert!(joints.known.is_empty());
    }
}
