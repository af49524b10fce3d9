//! The simulated home, the nodes and the deterministic scheduler in a thread of their own, which takes orders.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use steward_core::geometry::Pose3;
use steward_core::ids::TaskId;
use steward_core::messages::{
    CancelTask, Diagnostics, Goal, Header, KnownMap, KnownScene, MapRequest, MapSnapshot, SceneGraph,
    SetRules, Skill, SkillRequest, Task,
};
use steward_core::{Duration, Time, frames};
use steward_nodes::episode::{EpisodeConfig, ORDER_AT, SETUP_AT, floor_plan};
use steward_nodes::message::Message;
use steward_nodes::node::{Counters, Node, message};
use steward_nodes::pictures::Pictures;
use steward_nodes::recording::RunMetadata;
use steward_nodes::runtime::{Delivery, Observer, Scheduler};
use steward_nodes::simulator::Simulator;
use steward_nodes::wiring::LoopConfig;
use steward_sim::home;
use steward_sim::simulation::Simulation;

use crate::bag::Bag;
use crate::disturbances::Disturbances;
use crate::settings::{LoopSettings, SimulatorSettings};
use crate::truth;

/// Time moves on in steps of this; orders are taken between two.
const STEP: Duration = Duration::from_millis(40);
/// How often the truth is told, in steps.
const TRUTH_STEPS: u64 = 12;
/// How often the world tells what it counts, in steps.
const DIAGNOSTICS_STEPS: u64 = 25;
/// Name of the world in diagnostics.
const NAME: &str = "steward_loop";
/// How often a world at rest looks whether it is to go on.
const REST: std::time::Duration = std::time::Duration::from_millis(20);

/// Everything that a world is made from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldConfig {
    /// Time, tasks and recording.
    pub own: LoopSettings,
    /// The simulator.
    pub simulator: SimulatorSettings,
    /// The nodes.
    pub nodes: LoopConfig,
}

impl WorldConfig {
    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn validate(&self) -> Result<(), String> {
        self.own.validate()?;
        self.simulator.validate()?;
        self.nodes
            .nodes(steward_sim::robot::URDF)
            .map(drop)
            .map_err(|e| e.to_string())
    }

    /// What a recording says of the run, as one of `steward run` does: so it replays.
    fn metadata(&self) -> Result<RunMetadata> {
        let episode = EpisodeConfig {
            simulation: self.simulator.simulation(),
            nodes: self.nodes.clone(),
            time_limit_s: self.own.time_limit_s,
        };
        let home = serde_saphyr::to_string(&self.simulator.home()?).context("cannot write the home down")?;
        Ok(RunMetadata::simulated(
            self.simulator.seed,
            serde_json::to_value(&episode)?,
            home,
        ))
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
    /// Run one skill.
    Skill {
        /// Names it.
        id: TaskId,
        /// What to do.
        skill: Skill,
        /// What must be kept meanwhile.
        rules: Vec<String>,
        /// How long it may take.
        limit: Duration,
    },
    /// End.
    Cancel(TaskId),
    /// Rules for every later order.
    SetRules {
        /// Names the request.
        request: u32,
        /// The rules.
        rules: Vec<String>,
    },
    /// Say what the mapper knows.
    SaveMap {
        /// Names the request.
        request: u32,
    },
    /// Go on with a map.
    KnowMap {
        /// Names the request.
        request: u32,
        /// The odometry went on since it was saved.
        odometry_went_on: bool,
        /// The map.
        map: Box<MapSnapshot>,
    },
    /// Go on with things.
    KnowScene {
        /// Names the request.
        request: u32,
        /// The things.
        scene: Box<SceneGraph>,
    },
}

impl Order {
    /// As a message of the loop, given at a time.
    pub fn message(self, at: Time) -> Message {
        let header = Header::new(at, frames::MAP);
        match self {
            Order::Task {
                id,
                goal,
                rules,
                limit,
            } => message(
                Message::Task,
                Task {
                    header,
                    id,
                    goal,
                    rules,
                    deadline: at + limit,
                },
            ),
            Order::Skill {
                id,
                skill,
                rules,
                limit,
            } => message(
                Message::SkillRequest,
                SkillRequest {
                    header,
                    id,
                    skill,
                    rules,
                    deadline: at + limit,
                },
            ),
            Order::Cancel(id) => message(Message::CancelTask, CancelTask { header, id }),
            Order::SetRules { request, rules } => message(
                Message::SetRules,
                SetRules {
                    header,
                    request,
                    rules,
                },
            ),
            Order::SaveMap { request } => message(Message::MapRequest, MapRequest { header, request }),
            Order::KnowMap {
                request,
                odometry_went_on,
                map,
            } => message(
                Message::KnownMap,
                KnownMap {
                    header,
                    request,
                    odometry_went_on,
                    map: *map,
                },
            ),
            Order::KnowScene { request, scene } => message(
                Message::KnownScene,
                KnownScene {
                    header,
                    request,
                    scene: *scene,
                },
            ),
        }
    }

    /// Whether the robot is to do something.
    fn is_task(&self) -> bool {
        matches!(self, Order::Task { .. } | Order::Skill { .. })
    }
}

/// What a running world tells, in its own thread.
pub trait Listener: Observer {
    /// Time moved on to this.
    fn on_time(&mut self, now: Time);

    /// How things truly are.
    fn on_truth(&mut self, truth: &SceneGraph);

    /// What the world counts: `steps_late`, after which simulated time was more than a step behind the speed that it
    /// should go at, and `disturbances`.
    fn on_diagnostics(&mut self, diagnostics: Diagnostics);
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
        let home = home::generate(&config.simulator.home()?)?;
        let rooms = floor_plan(&home, SETUP_AT);
        let map_from_home = home.robot_start.to_pose3().inverse();
        let disturbances = Disturbances::new(home.clone(), config.own.disturb_every_s, config.simulator.seed);
        let simulation = Arc::new(Mutex::new(Simulation::new(
            home,
            &config.simulator.simulation(),
            config.simulator.seed,
        )?));
        let mut nodes: Vec<Box<dyn Node>> = vec![Box::new(Simulator::new(Arc::clone(&simulation)))];
        nodes.extend(config.nodes.nodes(steward_sim::robot::URDF)?);
        let mut scheduler = Scheduler::new(nodes, Time::ZERO)?;
        scheduler.inject(SETUP_AT, message(Message::FloorPlan, rooms))?;
        let bag = match config.own.record.as_str() {
            "" => None,
            folder => Some(Bag::create(Path::new(folder), &config.metadata()?)?),
        };
        let pictures = config.own.pictures()?;
        let (orders, inbox) = channel();
        let (active, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let runner = Runner {
            scheduler,
            simulation,
            map_from_home,
            listener,
            bag,
            pictures,
            inbox,
            active: Arc::clone(&active),
            stop: Arc::clone(&stop),
            speed: config.own.speed,
            hold: config.own.hold_until_task,
            disturbances,
            counters: Counters::default(),
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
    bag: Option<Bag>,
    pictures: Pictures,
    inbox: Receiver<Order>,
    active: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    speed: f64,
    hold: bool,
    disturbances: Option<Disturbances>,
    counters: Counters,
    steps: u64,
}

impl<L: Listener> Runner<L> {
    /// Runs until it is stopped, then closes the recording, also after an error.
    fn run(mut self) -> Result<()> {
        let ended = self.advance();
        ended
            .and(self.bag.map_or(Ok(()), Bag::finish))
            .and(self.pictures.finish().map_err(Into::into))
    }

    fn advance(&mut self) -> Result<()> {
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
                        self.hold = !order.is_task();
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
            self.disturb(next);
            let mut told = Told(&mut self.listener);
            let mut observers: Vec<&mut dyn Observer> = vec![&mut told, &mut self.bag, &mut self.pictures];
            self.scheduler.run_until(next, &mut observers)?;
            self.steps += 1;
            self.listener.on_time(next);
            if self.steps.is_multiple_of(TRUTH_STEPS) {
                let simulation = self.simulation.lock().unwrap_or_else(PoisonError::into_inner);
                let truth = truth::scene(&simulation, &self.map_from_home, next);
                drop(simulation);
                self.listener.on_truth(&truth);
            }
            if self.speed > 0.0 {
                let (begun, from) = *level.get_or_insert_with(|| (Instant::now(), next));
                let wall = |simulated: Duration| {
                    std::time::Duration::from_secs_f64(simulated.secs_f64().max(0.0) / self.speed)
                };
                let (due, took) = (wall(next - from), begun.elapsed());
                if took > due + wall(STEP) {
                    self.counters.count("steps_late");
                }
                std::thread::sleep(due.saturating_sub(took));
            }
            if self.steps.is_multiple_of(DIAGNOSTICS_STEPS) {
                self.listener.on_diagnostics(Diagnostics {
                    header: Header::new(next, ""),
                    node: NAME.into(),
                    counters: self.counters.snapshot(),
                });
            }
        }
        Ok(())
    }

    fn disturb(&mut self, now: Time) {
        let Some(disturbances) = &mut self.disturbances else {
            return;
        };
        let mut simulation = self.simulation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = disturbances.turn(now, &mut simulation) {
            log::info!("{what}");
            self.counters.count("disturbances");
        }
    }

    fn take(&mut self, order: Order, at: Time) -> Result<()> {
        Ok(self.scheduler.inject(at, order.message(at))?)
    }
}

/// A listener as the observer that it is: the scheduler wants one behind a pointer.
struct Told<'a, L>(&'a mut L);

impl<L: Listener> Observer for Told<'_, L> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.0.on_message(delivery)
    }
}
