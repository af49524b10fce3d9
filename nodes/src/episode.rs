//! One task in one simulated home, from order to end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use steward_core::geometry::Pose2;
use steward_core::ids::TaskId;
use steward_core::messages::{
    FailureReason, FloorArea, FloorPlan, Goal, Header, Outcome, RelationKind, Room, Skill, Task, TaskResult,
};
use steward_core::{Duration, Time, frames};
use steward_sim::changes::{ChangeStage, Operation, ResolvedChange};
use steward_sim::home::{self, HomeSpec};
use steward_sim::model::{Home, WorldState};
use steward_sim::simulation::{Simulation, SimulationConfig};
use steward_sim::truth::Truth;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::node::{Node, message};
use crate::runtime::realtime::{self, RealtimeConfig, RealtimeReport};
use crate::runtime::{Delivery, Observer, Scheduler, Stop};
use crate::scoring::TrueRules;
use crate::simulator::Simulator;
use crate::wiring::LoopConfig;

/// The task is ordered once the first sensor data is there.
pub const ORDER_AT: Time = Time::from_nanos(1_000_000_000);
/// The robot is told the rooms of the home before.
pub const SETUP_AT: Time = Time::from_nanos(500_000_000);
/// The loop goes on this long after the end of the task, so that a recording shows the robot at rest.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often a run in real time looks at the stop flag.
const STOP_POLL: std::time::Duration = std::time::Duration::from_millis(50);
/// The path is sampled this often.
const PATH_PERIOD: Duration = Duration::from_millis(200);

/// Settings of an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EpisodeConfig {
    /// The world.
    pub simulation: SimulationConfig,
    /// The nodes.
    pub nodes: LoopConfig,
    /// How long the robot may take, simulated seconds.
    pub time_limit_s: f64,
}

impl Default for EpisodeConfig {
    fn default() -> Self {
        EpisodeConfig {
            simulation: SimulationConfig::default(),
            nodes: LoopConfig::default(),
            time_limit_s: 1800.0,
        }
    }
}

/// What happens in an episode.
#[derive(Debug, Clone)]
pub struct EpisodeSpec {
    /// The home.
    pub home: HomeSpec,
    /// What the robot is to bring about.
    pub goal: Goal,
    /// What it must keep meanwhile.
    pub rules: Vec<String>,
    /// Seed of everything random: sensors, physics, disturbance.
    pub seed: u64,
    /// Changes at fixed times.
    pub changes: Vec<ResolvedChange>,
    /// A change at the moment when the robot sets out to do something for the goal.
    pub disturbance: Option<Disturbance>,
}

/// Something that happens to the home while the robot is under way.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// When.
    pub trigger: Trigger,
    /// How long after the trigger.
    pub delay: Duration,
    /// Decides what the operations leave open.
    pub seed: u64,
    /// What: the first of these sequences that is possible at that moment.
    pub alternatives: Vec<Vec<Operation>>,
}

impl Disturbance {
    /// The first sequence that is possible in a state of the home: what changes, and what that is called.
    fn resolve(&self, home: &Home, state: &WorldState, now: Time) -> Option<(Vec<ResolvedChange>, String)> {
        self.alternatives.iter().find_map(|operations| {
            let mut stage = ChangeStage::at(home, &[], state);
            let mut changes = Vec::new();
            for operation in operations {
                changes.push(ResolvedChange {
                    at: now,
                    kind: stage.apply(operation, self.seed).ok()?,
                });
            }
            let label = operations
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            Some((changes, label))
        })
    }
}

/// What sets a disturbance off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The robot drives to a thing for the first time.
    FirstApproach,
    /// The robot picks something up for the first time.
    FirstPick,
}

impl Trigger {
    fn matches(self, message: &Message) -> bool {
        let Message::SkillCommand(command) = message else {
            return false;
        };
        match self {
            Trigger::FirstApproach => matches!(
                command.skill,
                Skill::Navigate {
                    to: steward_core::messages::NavigationTarget::Object(_)
                }
            ),
            Trigger::FirstPick => matches!(command.skill, Skill::Pick { .. }),
        }
    }
}

/// How an episode went.
#[derive(Debug, Clone, Serialize)]
pub struct EpisodeReport {
    /// The goal.
    pub goal: String,
    /// How the robot says it ended; `None` where the run was interrupted.
    pub outcome: Option<Outcome>,
    /// What the robot says about it.
    pub detail: String,
    /// Whether every relation of the goal holds in truth at the end.
    pub goal_holds: bool,
    /// The rules.
    pub rules: Vec<String>,
    /// Rules that were not kept in truth: broken on the way, or with something still owed at the end. Empty for a task
    /// that was refused before anything moved.
    pub violations: Vec<String>,
    /// The relations of the goal that do not hold in truth at the end, and where the things are instead.
    pub unmet: Vec<String>,
    /// Simulated time from order to end, seconds.
    pub simulated_s: f64,
    /// How far the base travelled by its own account, metres.
    pub travelled_m: f64,
    /// How far the base was at the end from where it believed to be, metres.
    pub pose_error_m: f64,
    /// How often each skill was started, by name.
    pub skills: BTreeMap<String, u32>,
    /// Steps that failed or were refuted.
    pub setbacks: Vec<String>,
    /// Everything dropped, refused or missing, by node.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
    /// The disturbance, if one happened.
    pub disturbance: Option<String>,
    /// Where the base believed to be, frame of the home, sampled.
    #[serde(skip)]
    pub path: Vec<Pose2>,
    /// The home at the end.
    #[serde(skip)]
    pub final_state: Option<WorldState>,
}

impl EpisodeReport {
    /// The robot says that it is done, and it is, and every rule was kept.
    pub fn is_success(&self) -> bool {
        self.outcome == Some(Outcome::Succeeded) && self.goal_holds && self.violations.is_empty()
    }

    /// The robot says that it is done, and it is not.
    pub fn is_false_success(&self) -> bool {
        self.outcome == Some(Outcome::Succeeded) && !self.goal_holds
    }

    /// The task was refused before anything moved.
    pub fn is_refused(&self) -> bool {
        self.failure().is_some() && self.skills.is_empty()
    }

    /// Why it failed, by the robot's own account; `None` where it claims success or was interrupted.
    pub fn failure(&self) -> Option<FailureReason> {
        match self.outcome {
            Some(Outcome::Failed(reason)) => Some(reason),
            _ => None,
        }
    }
}

/// An episode that is ready to run.
pub struct Episode {
    spec: EpisodeSpec,
    config: EpisodeConfig,
    home: Home,
    simulation: Arc<Mutex<Simulation>>,
    nodes: Vec<Box<dyn Node>>,
    /// The rooms, and then the task.
    orders: [(Time, Message); 2],
    start: Pose2,
    stop: Arc<AtomicBool>,
}

impl Episode {
    /// Builds the home and the nodes.
    ///
    /// # Errors
    /// What the home generator, the simulator or a node's settings refuse.
    pub fn new(spec: EpisodeSpec, config: EpisodeConfig) -> Result<Self> {
        let home = home::generate(&spec.home).map_err(Error::Simulation)?;
        Self::in_home(home, spec, config)
    }

    /// As [`Episode::new`], in a home that was generated before.
    ///
    /// # Errors
    /// As [`Episode::new`].
    pub fn in_home(home: Home, spec: EpisodeSpec, config: EpisodeConfig) -> Result<Self> {
        let start = home.robot_start;
        let simulation =
            Simulation::new(home.clone(), &config.simulation, spec.seed).map_err(Error::Simulation)?;
        let simulation = Arc::new(Mutex::new(simulation));
        let mut nodes: Vec<Box<dyn Node>> = vec![Box::new(Simulator::new(Arc::clone(&simulation)))];
        nodes.extend(config.nodes.nodes(steward_sim::robot::URDF)?);
        let task = Task {
            header: Header::new(ORDER_AT, frames::MAP),
            id: TaskId(1),
            goal: spec.goal.clone(),
            rules: spec.rules.clone(),
            deadline: ORDER_AT + Duration::from_secs_f64(config.time_limit_s),
        };
        let rooms = floor_plan(&home, SETUP_AT);
        let episode = Episode {
            spec,
            config,
            home,
            simulation,
            nodes,
            orders: [
                (SETUP_AT, message(Message::FloorPlan, rooms)),
                (ORDER_AT, message(Message::Task, task)),
            ],
            start,
            stop: Arc::default(),
        };
        episode.apply(episode.spec.changes.clone())?;
        Ok(episode)
    }

    /// Ends the run early when set; for Ctrl-C.
    pub fn set_stop_flag(&mut self, flag: Arc<AtomicBool>) {
        self.stop = flag;
    }

    /// Runs to the end of the task, in simulated time and as fast as the machine can.
    ///
    /// # Errors
    /// What the scheduler or the observer returns.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<EpisodeReport> {
        let mut scheduler = Scheduler::new(std::mem::take(&mut self.nodes), Time::ZERO)?;
        scheduler.set_stop_flag(Arc::clone(&self.stop));
        for (at, order) in &self.orders {
            scheduler.inject(*at, order.clone())?;
        }
        let mut account = self.account();
        let mut advance =
            |scheduler: &mut Scheduler, account: &mut Account, end, condition: Condition<'_>| {
                let mut both: Vec<&mut dyn Observer> = vec![account, observer];
                scheduler.run(end, &mut both, condition)
            };
        let end = ORDER_AT + Duration::from_secs_f64(self.config.time_limit_s + 5.0);
        let mut stop = Stop::TimeReached;
        if let Some(disturbance) = self.spec.disturbance.clone() {
            stop = advance(&mut scheduler, &mut account, end, &mut |d| {
                disturbance.trigger.matches(d.message) || is_result(d)
            })?;
            if stop == Stop::ConditionMet && account.result.is_none() {
                let then = scheduler.now() + disturbance.delay;
                stop = advance(&mut scheduler, &mut account, then, &mut is_result)?;
                let state = self.simulation().state();
                if stop == Stop::TimeReached
                    && let Some((changes, label)) = disturbance.resolve(&self.home, &state, scheduler.now())
                {
                    self.apply(changes)?;
                    account.disturbance = Some(label);
                }
            }
        }
        if stop == Stop::TimeReached || account.result.is_none() && stop != Stop::Interrupted {
            stop = advance(&mut scheduler, &mut account, end, &mut is_result)?;
        }
        let ended = scheduler.now();
        if stop != Stop::Interrupted {
            advance(&mut scheduler, &mut account, ended + AFTERMATH, &mut |_| false)?;
        }
        Ok(self.report(account, ended, scheduler.counters()))
    }

    /// Runs to the end of the task by the wall clock, every node on a thread of its own. Which message arrives
    /// before which then depends on the machine, so no two runs are the same. Disturbances are left out.
    ///
    /// # Errors
    /// What the runtime or the observer returns.
    pub fn run_realtime<O: Observer + 'static>(
        mut self,
        config: RealtimeConfig,
        observer: O,
    ) -> Result<(O, EpisodeReport, RealtimeReport)> {
        let flag = Arc::clone(&self.stop);
        let stop = async move {
            while !flag.load(Ordering::Relaxed) {
                tokio::time::sleep(STOP_POLL).await;
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .build()
            .map_err(|e| Error::Realtime(format!("no threads for it: {e}")))?;
        let ((account, observer), realtime) = runtime.block_on(realtime::run(
            std::mem::take(&mut self.nodes),
            config,
            self.orders.to_vec(),
            (self.account(), observer),
            stop,
            is_result,
        ))?;
        let mut counters = account.counters.clone();
        for (node, dropped) in &realtime.dropped {
            counters
                .entry((*node).to_owned())
                .or_default()
                .extend(dropped.clone());
        }
        let report = self.report(account, realtime.end, counters);
        Ok((observer, report, realtime))
    }

    fn account(&self) -> Account {
        Account::new(
            self.start,
            Arc::clone(&self.simulation),
            TrueRules::new(&self.spec.rules, &self.home).ok(),
        )
    }

    fn simulation(&self) -> MutexGuard<'_, Simulation> {
        // A panic elsewhere while it was locked does not make the world invalid.
        self.simulation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, changes: Vec<ResolvedChange>) -> Result<()> {
        self.simulation().schedule(changes).map_err(Error::Simulation)
    }

    fn report(
        &self,
        account: Account,
        ended: Time,
        counters: BTreeMap<String, BTreeMap<String, u64>>,
    ) -> EpisodeReport {
        let simulation = self.simulation();
        let truth = simulation.truth();
        let goal = &self.spec.goal;
        let pose_error_m = account.home_from_base().distance_m(&truth.robot);
        let violations = match &account.rules {
            Some(rules) if !account.skills.is_empty() => rules.violations(),
            _ => Vec::new(),
        };
        let (outcome, detail) = match account.result {
            Some(r) => (Some(r.outcome), r.detail),
            None => (None, "interrupted".to_owned()),
        };
        let unmet: Vec<String> = goal
            .relations
            .iter()
            .filter(|r| !truth.holds(r.kind, &r.subject, &r.object))
            .map(|r| format!("{r} ({})", whereabouts(&simulation, &truth, &r.subject)))
            .collect();
        EpisodeReport {
            goal: goal.to_string(),
            outcome,
            detail,
            goal_holds: unmet.is_empty(),
            rules: self.spec.rules.clone(),
            violations,
            unmet,
            simulated_s: (ended - ORDER_AT).secs_f64(),
            travelled_m: account.travelled_m,
            pose_error_m,
            skills: account.skills,
            setbacks: account.setbacks,
            counters,
            disturbance: account.disturbance,
            path: account.path,
            final_state: Some(simulation.state()),
        }
    }
}

/// Where the things of a class really are, for people.
fn whereabouts(simulation: &Simulation, truth: &Truth, class: &str) -> String {
    let places = truth.things.iter().filter(|t| t.class == class).map(|t| {
        let stands = truth
            .relations
            .iter()
            .filter(|r| r.subject == t.id && r.kind != RelationKind::Near)
            .filter_map(|r| Some(format!("{} {}", r.kind, truth.thing(r.object)?.name)));
        let stands: Vec<String> = stands.collect();
        let p = t.pose.translation.vector;
        let (v, w) = simulation.physics().velocity(t.id).unwrap_or_default();
        let place = if stands.is_empty() {
            format!("nowhere, at {:.3} m/s and {:.2} rad/s,", v.norm(), w.norm())
        } else {
            stands.join(", ")
        };
        format!("{} is {place} at {:.2} {:.2} {:.2}", t.name, p.x, p.y, p.z)
    });
    places.collect::<Vec<_>>().join("; ")
}

/// The rooms of a home as a robot is told of them when it is set up: names, kinds and floor, where its map begins at
/// the place where it starts. Nothing of what stands in the rooms.
pub fn floor_plan(home: &Home, at: Time) -> FloorPlan {
    let map_from_home = home.robot_start.to_pose3().inverse();
    let rooms = home.rooms.iter().map(|room| {
        let (center, half) = (room.bounds.center(), room.bounds.half());
        let middle = Pose2::new(center.x, center.y, 0.0).to_pose3();
        Room {
            name: room.name.clone(),
            kind: room.kind.clone(),
            area: FloorArea {
                middle: Pose2::from_pose3(&(map_from_home * middle)),
                half_x_m: half.x,
                half_y_m: half.y,
            },
        }
    });
    FloorPlan {
        header: Header::new(at, frames::MAP),
        rooms: rooms.collect(),
    }
}

/// Ends a stretch of a run when it holds for a message.
type Condition<'a> = &'a mut dyn FnMut(&Delivery<'_>) -> bool;

fn is_result(delivery: &Delivery<'_>) -> bool {
    matches!(delivery.message, Message::TaskResult(_))
}

/// Takes down what the report says.
struct Account {
    start: Pose2,
    simulation: Arc<Mutex<Simulation>>,
    /// The rules, watched on the truth; [`None`] where they cannot be read.
    rules: Option<TrueRules>,
    result: Option<TaskResult>,
    skills: BTreeMap<String, u32>,
    setbacks: Vec<String>,
    disturbance: Option<String>,
    /// What nodes said last of what they count.
    counters: BTreeMap<String, BTreeMap<String, u64>>,
    travelled_m: f64,
    map_from_odom: steward_core::geometry::Pose3,
    /// `odom_from_base`.
    odometry: Pose2,
    last: Option<Pose2>,
    sampled: Time,
    path: Vec<Pose2>,
}

impl Account {
    fn new(start: Pose2, simulation: Arc<Mutex<Simulation>>, rules: Option<TrueRules>) -> Self {
        Account {
            start,
            simulation,
            rules,
            result: None,
            skills: BTreeMap::new(),
            setbacks: Vec::new(),
            disturbance: None,
            counters: BTreeMap::new(),
            travelled_m: 0.0,
            map_from_odom: steward_core::geometry::Pose3::identity(),
            odometry: Pose2::default(),
            last: None,
            sampled: Time::ZERO,
            path: Vec::new(),
        }
    }

    /// Where the base believes to be, frame of the home.
    fn home_from_base(&self) -> Pose2 {
        Pose2::from_pose3(&(self.start.to_pose3() * self.map_from_odom * self.odometry.to_pose3()))
    }
}

impl Observer for Account {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        if let (Message::Odometry(_), Some(rules)) = (delivery.message, &mut self.rules) {
            rules.look(&self.simulation.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match delivery.message {
            Message::TaskResult(r) => self.result = Some(TaskResult::clone(r)),
            Message::SkillCommand(c) => {
                *self.skills.entry(skill_name(&c.skill).to_owned()).or_insert(0) += 1;
            }
            Message::SkillStatus(s) => {
                if let steward_core::messages::SkillState::Failed(why) = s.state {
                    self.setbacks
                        .push(format!("{} {}: {why}: {}", s.step, s.skill, s.detail));
                }
            }
            Message::Verdict(v) if v.kind != steward_core::messages::VerdictKind::Confirmed => {
                self.setbacks
                    .push(format!("{} {:?}: {}", v.step, v.kind, v.detail));
            }
            Message::Diagnostics(d) => {
                self.counters.insert(d.node.clone(), d.counters.clone());
            }
            Message::Localization(transforms) => {
                for t in transforms.transforms.iter().filter(|t| t.child == frames::ODOM) {
                    self.map_from_odom = t.parent_from_child;
                }
            }
            Message::Odometry(odometry) => {
                self.odometry = odometry.pose;
                if delivery.at - self.sampled < PATH_PERIOD {
                    return Ok(());
                }
                self.sampled = delivery.at;
                if let Some(last) = self.last.replace(odometry.pose) {
                    self.travelled_m += last.distance_m(&odometry.pose);
                }
                self.path.push(self.home_from_base());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Name of a skill without its arguments.
pub fn skill_name(skill: &Skill) -> &'static str {
    match skill {
        Skill::Navigate { .. } => "navigate",
        Skill::Look { .. } => "look",
        Skill::Open { .. } => "open",
        Skill::Close { .. } => "close",
        Skill::Pick { .. } => "pick",
        Skill::Place { .. } => "place",
    }
}
