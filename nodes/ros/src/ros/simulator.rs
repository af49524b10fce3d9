//! The simulator as a process: the world of the others, and their clock.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use steward_core::Time;
use steward_core::geometry::Pose3;
use steward_nodes::episode::floor_plan;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::{Node, message};
use steward_nodes::simulator::Simulator;
use steward_sim::home;
use steward_sim::simulation::Simulation;

use super::managed::Managed;
use super::process;
use super::publishers::{Clock as PublishedClock, Publishers, Truth};
use super::settings::{ParameterServer, Settings};
use super::subscriptions::Subscriptions;
use crate::descriptions;
use crate::host::{Clock, Host, Outlet};
use crate::inbox::Inbox;
use crate::lifecycle::{State, Transition};
use crate::parameters::{Parameters, Section};
use crate::qos;
use crate::sensors::CameraSettings;
use crate::settings::SimulatorSettings;
use crate::truth;
use crate::watch::Watch;

const NAME: &str = "simulator";
const TURN: Duration = Duration::from_millis(10);
const HEARS: &[Topic] = &[Topic::VelocityCommand, Topic::JointCommand];
const SAYS: &[Topic] = &[
    Topic::Rgbd,
    Topic::Segmentation,
    Topic::Odometry,
    Topic::JointStates,
    Topic::Transforms,
    Topic::GripperContacts,
    Topic::Bumper,
    Topic::FloorPlan,
    Topic::Diagnostics,
];
/// How often the truth is told, in ticks.
const TRUTH_TICKS: u64 = 12;

/// Settings of the process.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Alone {
    /// Configure and activate at the start.
    autostart: bool,
    /// What every ROS node has; this one is the clock itself.
    use_sim_time: bool,
    #[serde(flatten)]
    own: SimulatorSettings,
}

/// Runs the simulator as a program.
pub fn main() -> ExitCode {
    process::main(NAME, run)
}

fn run(stop: &AtomicBool) -> Result<()> {
    let mut node = r2r::Node::create(r2r::Context::create()?, NAME, "")?;
    let section = Section {
        node: NAME,
        prefix: "",
    };
    let defaults = Alone {
        autostart: true,
        use_sim_time: false,
        own: SimulatorSettings::default(),
    };
    let parameters = Parameters::new(defaults, |settings: &Alone| settings.own.validate());
    let mut settings = Settings::new(parameters, &[section], &node.namespace()?)?;
    let mut described = descriptions::of(NAME);
    described.insert(
        "use_sim_time".into(),
        "What every ROS node has; this one is the clock itself.".into(),
    );
    described.insert("autostart".into(), "Configure and activate at the start.".into());
    described.insert(
        "home".into(),
        "The home: a file, or seed:N for a generated one.".into(),
    );
    let mut parameter_server = ParameterServer::new(&mut node, section, described)?;
    let mut managed = Managed::new(&mut node)?;
    let inbox = Arc::new(Inbox::default());
    let mut subscriptions =
        Subscriptions::new(&mut node, HEARS, &CameraSettings::default(), Arc::clone(&inbox))?;
    let mut world = World {
        name: qos::diagnostics_name(&node.namespace()?, NAME),
        inbox,
        publishers: Publishers::new(&mut node, SAYS)?,
        clock: PublishedClock::new(&mut node)?,
        truth: Truth::new(&mut node)?,
        host: None,
    };
    if settings.get().autostart {
        managed
            .start(&mut |t| world.go(t, &mut settings))
            .map_err(anyhow::Error::msg)?;
    }
    while !stop.load(Ordering::SeqCst) && managed.state() != State::Finalized {
        node.spin_once(TURN);
        subscriptions.turn();
        parameter_server.turn(&mut settings);
        managed.turn(&mut |t| world.go(t, &mut settings));
        if world.host.as_ref().is_some_and(Host::has_ended) {
            bail!("the simulator has ended; its error is above");
        }
    }
    world.host = None;
    (0..5).for_each(|_| node.spin_once(TURN));
    Ok(())
}

struct World {
    name: String,
    inbox: Arc<Inbox>,
    publishers: Publishers,
    clock: PublishedClock,
    truth: Truth,
    host: Option<Host>,
}

impl World {
    fn go(&mut self, transition: Transition, settings: &mut Settings<Alone>) -> Result<(), String> {
        match (transition.to, &self.host) {
            (State::Inactive, None) => {
                self.host = Some(self.build(&settings.get().own).map_err(|e| format!("{e:#}"))?);
                settings.is_locked = true;
            }
            (State::Active, Some(host)) => host.set_active(true),
            (State::Inactive, Some(host)) => host.set_active(false),
            _ => {
                self.host = None;
                settings.is_locked = false;
            }
        }
        Ok(())
    }

    fn build(&self, settings: &SimulatorSettings) -> Result<Host> {
        let home = home::generate(&settings.home()?)?;
        self.publishers
            .publish(&message(Message::FloorPlan, floor_plan(&home, Time::ZERO)));
        let map_from_home = home.robot_start.to_pose3().inverse();
        let simulation = Arc::new(Mutex::new(Simulation::new(
            home,
            &settings.simulation(),
            settings.seed,
        )?));
        let outlet = Told {
            publishers: self.publishers.clone(),
            clock: self.clock.clone(),
            truth: self.truth.clone(),
            simulation: Arc::clone(&simulation),
            map_from_home,
            ticks: 0,
        };
        let make = Box::new(move || Ok(Box::new(Simulator::new(Arc::clone(&simulation))) as Box<dyn Node>));
        let clock = Clock::Own {
            origin: Instant::now(),
            speed: 1.0,
        };
        Host::build(
            self.name.clone(),
            make,
            Vec::new(),
            clock,
            Arc::clone(&self.inbox),
            Watch::default(),
            outlet,
        )
        .map_err(anyhow::Error::msg)
    }
}

/// Publishes what the simulator measures, what time it is, and how things truly are.
struct Told {
    publishers: Publishers,
    clock: PublishedClock,
    truth: Truth,
    simulation: Arc<Mutex<Simulation>>,
    map_from_home: Pose3,
    ticks: u64,
}

impl Outlet for Told {
    fn on_time(&mut self, now: Time) {
        self.clock.publish(now);
        self.ticks += 1;
        if !self.ticks.is_multiple_of(TRUTH_TICKS) {
            return;
        }
        let simulation = self.simulation.lock().unwrap_or_else(PoisonError::into_inner);
        let scene = truth::scene(&simulation, &self.map_from_home, now);
        drop(simulation);
        self.truth.publish(scene);
    }

    fn on_message(&mut self, message: &Message) {
        self.publishers.publish(message);
    }
}
