//! The simulator as a node: commands in, sensor data out.
//!
//! The simulation is shared with whoever built the loop, who may schedule changes in it and score its truth;
//! other nodes see it through messages only.
//!
//! Counters:
//!
//! | counter | meaning |
//! |---|---|
//! | `velocity_command_refused` | base command that was not finite |
//! | `joint_command_refused` | joint command with an unknown joint, a bad number or lists of different lengths |
//! | `time_refused` | tick at a time before an earlier one or too far ahead |
//! | `head_frames_lost`, `wrist_frames_lost` | images that a camera took and that never arrived |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_core::{Duration, Time};
use steward_sim::simulation::{SensorOutput, Simulation};

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, message};

/// Steps a simulation to the present on every tick and sends what its sensors measured. What the wrist camera
/// sees has no topic and is left out.
#[derive(Debug)]
pub struct Simulator {
    simulation: Arc<Mutex<Simulation>>,
    counters: Counters,
}

impl Simulator {
    /// A node around a simulation.
    pub fn new(simulation: Arc<Mutex<Simulation>>) -> Self {
        Simulator {
            simulation,
            counters: Counters::default(),
        }
    }

    /// The simulation, to schedule changes and to score.
    pub fn simulation(&self) -> MutexGuard<'_, Simulation> {
        // A panic elsewhere while it was locked does not make the world invalid.
        self.simulation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[Topic::VelocityCommand, Topic::JointCommand]
    }

    fn period(&self) -> Option<Duration> {
        Some(Duration::from_millis(40))
    }

    fn on_message(&mut self, _now: Time, message: &Message, _out: &mut Outbox) {
        let (result, counter) = match message {
            Message::VelocityCommand(c) => (self.simulation().set_velocity(c), "velocity_command_refused"),
            Message::JointCommand(c) => (self.simulation().set_joints(c), "joint_command_refused"),
            _ => return,
        };
        if let Err(error) = result {
            log::warn!("{error}");
            self.counters.count(counter);
        }
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        let stepped = self.simulation().step_to(now);
        let outputs = match stepped {
            Ok(outputs) => outputs,
            Err(error) => {
                log::warn!("{error}");
                self.counters.count("time_refused");
                return;
            }
        };
        for output in outputs {
            out.send(match output {
                SensorOutput::Transforms(m) => message(Message::Transforms, m),
                SensorOutput::JointStates(m) => message(Message::JointStates, m),
                SensorOutput::Odometry(m) => message(Message::Odometry, m),
                SensorOutput::GripperContacts(m) => message(Message::GripperContacts, m),
                SensorOutput::Bumper(m) => message(Message::Bumper, m),
                SensorOutput::Rgbd(m) => message(Message::Rgbd, m),
                SensorOutput::Segmentation(m) => message(Message::Segmentation, m),
                SensorOutput::WristRgbd(_) => continue,
            });
        }
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = self.counters.snapshot();
        let [head, wrist] = self.simulation().lost_frames();
        for (name, lost) in [("head_frames_lost", head), ("wrist_frames_lost", wrist)] {
            if lost > 0 {
                counters.insert(name.into(), lost);
            }
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use steward_core::geometry::Pose2;
    use steward_core::messages::{Header, JointCommand, VelocityCommand};
    use steward_sim::model::Home;
    use steward_sim::simulation::SimulationConfig;

    use super::*;

    #[test]
    fn it_drives_senses_and_counts_what_it_refuses() {
        let home = Home {
            name: "nothing".into(),
            rooms: Vec::new(),
            doorways: Vec::new(),
            entities: Vec::new(),
            lights: Vec::new(),
            robot_start: Pose2::default(),
        };
        let mut config = SimulationConfig::default();
        (config.camera.width, config.camera.height) = (16, 12);
        let simulation = Arc::new(Mutex::new(Simulation::new(home, &config, 1).unwrap()));
        let mut node = Simulator::new(Arc::clone(&simulation));
        let mut out = Outbox::default();
        let velocity = |linear_m_s| VelocityCommand {
            header: Header::default(),
            linear_m_s,
            angular_rad_s: 0.0,
        };
        let elbow = JointCommand {
            header: Header::default(),
            names: vec!["elbow".into()],
            positions: vec![0.0],
            max_velocities: vec![1.0],
        };
        node.on_message(
            Time::ZERO,
            &message(Message::VelocityCommand, velocity(f64::NAN)),
            &mut out,
        );
        node.on_message(Time::ZERO, &message(Message::JointCommand, elbow), &mut out);
        node.on_message(
            Time::ZERO,
            &message(Message::VelocityCommand, velocity(0.4)),
            &mut out,
        );
        node.on_tick(Time::from_secs_f64(1.0), &mut out);
        node.on_tick(Time::from_secs_f64(0.5), &mut out);
        for counter in [
            "velocity_command_refused",
            "joint_command_refused",
            "time_refused",
        ] {
            assert_eq!(node.counters()[counter], 1, "{counter}");
        }
        let topics: Vec<Topic> = out.drain().map(|m| m.topic()).collect();
        assert_eq!(topics.iter().filter(|t| **t == Topic::Odometry).count(), 26);
        assert!(topics.contains(&Topic::Rgbd) && topics.contains(&Topic::Segmentation));
        assert!(simulation.lock().unwrap().truth().robot.x_m > 0.1);
    }
}
