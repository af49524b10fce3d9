//! The simulated home, the nodes and the deterministic scheduler in a thread of their own, which takes orders.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use steward_core::geometry::{OrientedBox, Pose3, Vector3};
use steward_core::ids::{ObjectId, TaskId};
use steward_core::messages::{
    CancelTask, Goal, Header, Presence, Provenance, Relation, SceneGraph, SceneObject, Task,
};
use steward_core::{Duration, Time, frames};
use steward_nodes::episode::floor_plan;
use steward_nodes::message::Message;
use steward_nodes::node::{Node, message};
use steward_nodes::runtime::{Delivery, Observer, Scheduler};
use steward_nodes::simulator::Simulator;
use steward_nodes::wiring::LoopConfig;
use steward_sim::home::{self, HomeSpec};
use steward_sim::simulation::{Simulation, SimulationConfig};

/// The robot is told the rooms of the home at this time, as in an episode of `steward run`.
const SETUP_AT: Time = Time::from_nanos(500_000_000);
/// Earliest time of a task, as in an episode of `steward run`.
const ORDER_AT: Time = Time::from_nanos(1_000_000_000);
/// Time moves on in steps of this; orders are taken between two.
const STEP: Duration = Duration::from_millis(40);
/// How often the truth is told, in steps.
const TRUTH_STEPS: u64 = 12;
/// How often a world at rest looks whether it is to go on.
const REST: std::time::Duration = std::time::Duration::from_millis(20);

/// Settings of the loop in one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldConfig {
    /// Go to the state active at the start.
    pub autostart: bool,
    /// What every ROS node has. This one is the clock where it simulates, so it changes nothing.
    pub use_sim_time: bool,
    /// Which world: `embedded` for the simulator in this process.
    pub world: String,
    /// The home: a file such as maps/apartment.yaml, or seed:N for a generated one.
    pub home: String,
    /// Seed of sensor noise and everything else that is random.
    pub seed: u64,
    /// Simulated seconds per second, 0 for as fast as the machine can.
    pub speed: f64,
    /// Time stands still before the first task, so that the same task and seed give the same run.
    pub hold_until_task: bool,
    /// How long a task may take where its goal says nothing, simulated seconds.
    pub time_limit_s: f64,
    /// The world.
    pub simulation: SimulationConfig,
    /// The nodes.
    pub nodes: LoopConfig,
}

impl Default for WorldConfig {
    fn default() -> Self {
        WorldConfig {
            autostart: true,
            use_sim_time: false,
            world: "embedded".into(),
            home: "seed:1".into(),
            seed: 1,
            speed: 1.0,
            hold_until_task: false,
            time_limit_s: 1800.0,
            simulation: SimulationConfig::default(),
            nodes: LoopConfig::default(),
        }
    }
}

impl WorldConfig {
    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn validate(&self) -> Result<(), String> {
        if self.world != "embedded" {
            return Err(format!("world `{}` is not one of: embedded", self.world));
        }
        for (name, value, low, high) in [("speed", self.speed, 0.0, 1e3), ("time_limit_s", self.time_limit_s, 1.0, 1e6)] {
            if !(value >= low && value <= high) {
                return Err(format!("{name} is {value} and must be between {low} and {high}"));
            }
        }
        // A node checks its own settings when it is made.
        self.nodes.nodes(steward_sim::robot::URDF).map(drop).map_err(|e| e.to_string())
    }

    fn home(&self) -> Result<HomeSpec> {
        if let Some(seed) = self.home.strip_prefix("seed:") {
            let seed = seed.parse().with_context(|| format!("`{seed}` is not a seed"))?;
            return Ok(HomeSpec::from_seed(seed));
        }
        let text = fs::read_to_string(&self.home)
            .with_context(|| format!("cannot read the home `{}`; name a file or use seed:N", self.home))?;
        Ok(HomeSpec::from_yaml(&self.home, &text)?)
    }
}

/// An order from outside.
#[derive(Debug, Clone)]
pub enum Order {
    /// Begin.
    Task {
        /// Names it.
        id: TaskId,
        /// What must hold in the end.
        goal: Goal,
        /// What must be kept meanwhile.
        rules: Vec<String>,
        /// How long it may take.
        limit: Duration,
    },
    /// End.
    Cancel(TaskId),
}

/// What a running world tells, in its own thread.
pub trait Listener: Observer {
    /// Time moved on to this.
    fn on_time(&mut self, now: Time);

    /// How things truly are.
    fn on_truth(&mut self, truth: &SceneGraph);
}

/// A world in a thread.
pub struct World {
    orders: Sender<Order>,
    active: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl World {
    /// Builds the home and the nodes; time stands still until [`World::set_active`].
    ///
    /// # Errors
    /// What the home, the simulator or a node refuses.
    pub fn build(config: &WorldConfig, listener: impl Listener + 'static) -> Result<Self> {
        let home = home::generate(&config.home()?)?;
        let rooms = floor_plan(&home, SETUP_AT);
        let map_from_home = home.robot_start.to_pose3().inverse();
        let simulation = Arc::new(Mutex::new(Simulation::new(home, &config.simulation, config.seed)?));
        let mut nodes: Vec<Box<dyn Node>> = vec![Box::new(Simulator::new(Arc::clone(&simulation)))];
        nodes.extend(config.nodes.nodes(steward_sim::robot::URDF)?);
        let mut scheduler = Scheduler::new(nodes, Time::ZERO)?;
        scheduler.inject(SETUP_AT, message(Message::FloorPlan, rooms))?;
        let (orders, inbox) = channel();
        let (active, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let runner = Runner {
            scheduler,
            simulation,
            map_from_home,
            listener,
            inbox,
            active: Arc::clone(&active),
            stop: Arc::clone(&stop),
            speed: config.speed,
            hold: config.hold_until_task,
            steps: 0,
        };
        let thread = std::thread::Builder::new().name("world".into()).spawn(move || {
            if let Err(e) = runner.run() {
                log::error!("the world ended: {e:#}");
            }
        })?;
        Ok(World {
            orders,
            active,
            stop,
            thread: Some(thread),
        })
    }

    /// Lets time go on or stand still.
    pub fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
    }

    /// Gives an order.
    ///
    /// # Errors
    /// Where the world has ended.
    pub fn order(&self, order: Order) -> Result<()> {
        if self.orders.send(order).is_err() {
            bail!("the world has ended; see its log");
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It logs its own errors; a panic was printed.
            let _ = thread.join();
        }
    }
}

struct Runner<L> {
    scheduler: Scheduler,
    simulation: Arc<Mutex<Simulation>>,
    map_from_home: Pose3,
    listener: L,
    inbox: Receiver<Order>,
    active: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    speed: f64,
    hold: bool,
    steps: u64,
}

impl<L: Listener> Runner<L> {
    fn run(mut self) -> Result<()> {
        // Where time of the world and of the wall were last level.
        let mut level = None;
        while !self.stop.load(Ordering::SeqCst) {
            if !self.active.load(Ordering::SeqCst) {
                level = None;
                std::thread::sleep(REST);
                continue;
            }
            let next = Time::ZERO + Duration::from_nanos(STEP.nanos() * (self.steps as i64 + 1));
            if self.hold && next >= ORDER_AT {
                level = None;
                match self.inbox.recv_timeout(REST) {
                    Ok(order) => {
                        self.hold = false;
                        self.take(order, next)?;
                    }
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
            if next >= ORDER_AT {
                loop {
                    match self.inbox.try_recv() {
                        Ok(order) => self.take(order, next)?,
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => return Ok(()),
                    }
                }
            }
            self.scheduler.run_until(next, &mut Told(&mut self.listener))?;
            self.steps += 1;
            self.listener.on_time(next);
            if self.steps.is_multiple_of(TRUTH_STEPS) {
                let truth = self.truth(next);
                self.listener.on_truth(&truth);
            }
            if self.speed > 0.0 {
                let (begun, from) = *level.get_or_insert_with(|| (Instant::now(), next));
                let due = std::time::Duration::from_secs_f64((next - from).secs_f64().max(0.0) / self.speed);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
        }
        Ok(())
    }

    fn take(&mut self, order: Order, at: Time) -> Result<()> {
        let header = Header::new(at, frames::MAP);
        let order = match order {
            Order::Task { id, goal, rules, limit } => message(
                Message::Task,
                Task {
                    header,
                    id,
                    goal,
                    rules,
                    deadline: at + limit,
                },
            ),
            Order::Cancel(id) => message(Message::CancelTask, CancelTask { header, id }),
        };
        Ok(self.scheduler.inject(at, order)?)
    }

    fn truth(&self, now: Time) -> SceneGraph {
        let truth = self.simulation.lock().unwrap_or_else(PoisonError::into_inner).truth();
        let id = |id: steward_sim::model::EntityId| ObjectId(id.0);
        let objects = truth.things.iter().map(|thing| SceneObject {
            id: id(thing.id),
            class: thing.class.clone(),
            shape: OrientedBox {
                center: self.map_from_home * thing.center,
                yaw_rad: 0.0,
                half: Vector3::zeros(),
            },
            presence: if truth.held == Some(thing.id) { Presence::Held } else { Presence::Present },
            provenance: Provenance::Observed,
            confidence: 1.0,
            first_seen: Time::ZERO,
            last_seen: now,
            articulation: None,
            surfaces: Vec::new(),
        });
        let relations = truth.relations.iter().map(|r| Relation {
            subject: id(r.subject),
            kind: r.kind,
            object: id(r.object),
        });
        SceneGraph {
            header: Header::new(now, frames::MAP),
            objects: objects.collect(),
            relations: relations.collect(),
        }
    }
}

/// A listener as the observer that it is: the scheduler wants one behind a pointer.
struct Told<'a, L>(&'a mut L);

impl<L: Listener> Observer for Told<'_, L> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.0.on_message(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let config = WorldConfig::default();
        config.validate().unwrap();
        let bad = WorldConfig { speed: f64::NAN, ..config.clone() };
        assert!(bad.validate().unwrap_err().contains("speed"));
        let bad = WorldConfig { world: "mars".into(), ..config };
        assert!(bad.validate().unwrap_err().contains("mars"));
    }
}
