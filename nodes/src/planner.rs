//! The planner node: takes tasks, decides step by step, sends skills to the executor and reports the end.
//!
//! ```text
//!   idle ──Task──► deciding ──► running skill ──► awaiting verdict ──► deciding ──► … ──► TaskResult, idle
//!   idle ──SkillRequest──► deciding ──► that skill ──► awaiting verdict ──► SkillResult, idle
//! ```
//!
//! What to do is decided by [`steward_task::mission::Mission`], or was by whoever asked for one skill
//! ([`steward_task::single::Single`]); this node carries messages and watches clocks. No command leaves it that the rules
//! of the order and the standing ones do not permit at that moment. A newer task takes over from what is under way; a skill
//! is refused meanwhile.
//!
//! Counters:
//!
//! | counter | meaning |
//! |---|---|
//! | `steps_refused_by_rules` | steps that were chosen and held back right before they would have been sent |
//! | `steps_undecided`, `steps_refuted`, `steps_failed` | ends of steps |
//! | `decisions_without_scene` | decisions put off because nothing was known |
//! | `transforms_refused`, `cancels_of_unknown_tasks` | messages of no use |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::geometry::{Pose2, Pose3};
use steward_core::ids::{StepId, TaskId};
use steward_core::messages::{
    CancelSkill, FailureReason, FloorPlan, Header, OccupancyGrid, Outcome, Plan, PlanStep, RuleMonitors,
    RuleVerdict, SceneGraph, SetRules, SkillCommand, SkillFailure, SkillRequest, SkillResult, SkillState,
    SkillStatus, StepState, Task, TaskResult, Transforms, Verdict, VerdictKind,
};
use steward_core::transforms::TransformBuffer;
use steward_core::{Duration, Time, frames};
use steward_task::config::MissionConfig;
use steward_task::house_rules::{self, HouseRules, Rules};
use steward_task::mission::{Decision, Ended, Intended, Mission, View};
use steward_task::single::Single;

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, answer, message};

mod course;

use course::Course;

/// Settings of the planner node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlannerConfig {
    /// How it decides.
    pub mission: MissionConfig,
    /// Classes that the detector tells apart; rules may name no others. Empty: they may name any.
    pub classes: BTreeSet<String>,
    /// Rules that every order must keep, beside its own and those that are set later.
    pub rules: Vec<String>,
    /// How often it looks whether there is something to do, hertz.
    pub rate_hz: f64,
    /// How long it waits for the validator before a step counts as undecided, seconds.
    pub verdict_timeout_s: f64,
    /// How long it waits for the executor to say anything before the task fails, seconds.
    pub silence_timeout_s: f64,
}

impl Default for PlannerConfig {
    fn default() -> Self {
        PlannerConfig {
            mission: MissionConfig::default(),
            classes: known_classes(),
            rules: Vec::new(),
            rate_hz: 10.0,
            verdict_timeout_s: 10.0,
            silence_timeout_s: 10.0,
        }
    }
}

/// What the simulator's detector tells apart.
fn known_classes() -> BTreeSet<String> {
    steward_sim::home::catalogue()
        .into_iter()
        .flat_map(|entry| entry.parts.into_iter().chain([entry.class.to_owned()]))
        .collect()
}

impl PlannerConfig {
    /// # Errors
    /// A sentence that names the field and its allowed range.
    pub fn validate(&self) -> Result<(), String> {
        self.mission.validate().map_err(|e| format!("mission.{e}"))?;
        house_rules::check(&self.rules).map_err(|e| format!("rules: {e}"))?;
        let fields = [
            ("rate_hz", self.rate_hz),
            ("verdict_timeout_s", self.verdict_timeout_s),
            ("silence_timeout_s", self.silence_timeout_s),
        ];
        match fields.into_iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
            Some((name, value)) => Err(format!("{name} is {value}; it must be positive")),
            None => Ok(()),
        }
    }
}

/// The planner node.
pub struct Planner {
    config: PlannerConfig,
    transforms: TransformBuffer,
    graph: Option<Arc<SceneGraph>>,
    grid: Option<Arc<OccupancyGrid>>,
    floor_plan: Option<Arc<FloorPlan>>,
    /// When the newest scene graph came.
    graph_at: Time,
    next_step: u32,
    /// Rules of every later order that were set.
    standing: Vec<String>,
    active: Option<Active>,
    counters: Counters,
}

/// The order under way.
struct Active {
    id: TaskId,
    deadline: Time,
    course: Course,
    /// How the rules stood when that was said last.
    told: Option<Vec<RuleVerdict>>,
    revision: u32,
    /// Steps that were sent, oldest first.
    past: Vec<PlanStep>,
    running: Option<Running>,
}

struct Running {
    step: StepId,
    intended: Intended,
    /// When the executor, or for a finished skill the validator, was last heard of or asked.
    since: Time,
    validating: bool,
}

/// What a decision is made on.
struct Known {
    graph: Arc<SceneGraph>,
    grid: Option<Arc<OccupancyGrid>>,
    base: Pose2,
    camera: Option<Pose3>,
}

impl Known {
    fn view(&self, now: Time) -> View<'_> {
        View {
            now,
            graph: &self.graph,
            grid: self.grid.as_deref(),
            base: self.base,
            camera: self.camera,
        }
    }
}

impl Planner {
    /// A planner without a task.
    pub fn new(config: PlannerConfig) -> Self {
        Planner {
            config,
            transforms: TransformBuffer::new(Duration::from_secs(2)),
            graph: None,
            grid: None,
            floor_plan: None,
            graph_at: Time::ZERO,
            next_step: 1,
            standing: Vec::new(),
            active: None,
            counters: Counters::default(),
        }
    }

    /// With rules that were set before. They are not looked at: one that cannot be read refuses every order.
    #[must_use]
    pub fn under(mut self, standing: Vec<String>) -> Self {
        self.standing = standing;
        self
    }

    /// What is known now; `None` before the first scene graph or while the base is not localised.
    fn known(&self) -> Option<Known> {
        let in_map = |frame| self.transforms.latest(frames::MAP, frame).ok();
        Some(Known {
            graph: self.graph.clone()?,
            grid: self.grid.clone(),
            base: Pose2::from_pose3(&in_map(frames::BASE_LINK)?),
            camera: in_map(frames::HEAD_CAMERA_OPTICAL),
        })
    }

    fn take_transforms(&mut self, transforms: &Transforms) {
        for t in &transforms.transforms {
            if self.transforms.insert(t).is_err() {
                self.counters.count("transforms_refused");
            }
        }
    }

    /// Rules with the standing ones.
    fn rules(&self, texts: &[String]) -> steward_task::Result<HouseRules> {
        let all = texts.iter().chain(&self.standing).chain(&self.config.rules);
        let all: Vec<String> = all.cloned().collect();
        let plan = self.floor_plan.as_deref();
        let rules = Rules::read(&all, &self.config.classes, plan)?;
        Ok(HouseRules::new(rules, plan.cloned().unwrap_or_default()))
    }

    fn take_rules(&mut self, set: &SetRules) -> Result<(), String> {
        let before = std::mem::take(&mut self.standing);
        if let Err(e) = self.rules(&set.rules) {
            self.standing = before;
            return Err(e.to_string());
        }
        self.standing.clone_from(&set.rules);
        Ok(())
    }

    fn take_task(&mut self, now: Time, task: &Task, out: &mut Outbox) {
        let detail = format!("task {} came instead", task.id);
        self.end(now, Outcome::Failed(FailureReason::Cancelled), detail, out);
        let refuse = |reason, e: steward_task::Error| {
            task_result(now, task.id, Outcome::Failed(reason), e.to_string())
        };
        let rules = match self.rules(&task.rules) {
            Ok(rules) => rules,
            Err(e) => return out.send(refuse(FailureReason::InvalidRule, e)),
        };
        match Mission::new(task.goal.clone(), self.config.mission.clone()) {
            Ok(mission) => {
                let mission = mission.under(rules).until(task.deadline);
                self.begin(now, task.id, task.deadline, Course::Task(Box::new(mission)), out);
            }
            Err(e) => out.send(refuse(FailureReason::InvalidGoal, e)),
        }
    }

    fn take_skill(&mut self, now: Time, asked: &SkillRequest, out: &mut Outbox) {
        let refuse = |reason, detail| skill_result(now, asked.id, Outcome::Failed(reason), None, detail);
        if let Some(active) = &self.active {
            let detail = format!("order {} is under way; cancel it first", active.id);
            return out.send(refuse(FailureReason::Busy, detail));
        }
        let rules = match self.rules(&asked.rules) {
            Ok(rules) => rules,
            Err(e) => return out.send(refuse(FailureReason::InvalidRule, e.to_string())),
        };
        match Single::new(asked.skill.clone(), rules) {
            Ok(single) => self.begin(
                now,
                asked.id,
                asked.deadline,
                Course::Skill(Box::new(single)),
                out,
            ),
            Err(e) => out.send(refuse(FailureReason::InvalidGoal, e.to_string())),
        }
    }

    fn begin(&mut self, now: Time, id: TaskId, deadline: Time, course: Course, out: &mut Outbox) {
        self.active = Some(Active {
            id,
            deadline,
            course,
            told: None,
            revision: 0,
            past: Vec::new(),
            running: None,
        });
        // An order deserves a moment for the first sensor data to arrive.
        self.graph_at = self.graph_at.max(now);
        self.tell_rules(now, out);
    }

    /// Says how the rules stand, where that has changed.
    fn tell_rules(&mut self, now: Time, out: &mut Outbox) {
        let Some(active) = &mut self.active else { return };
        let rules = active.course.rules().rules();
        let verdicts = rules.verdicts();
        if active.told.as_ref() == Some(&verdicts) {
            return;
        }
        out.send(message(
            Message::RuleMonitors,
            RuleMonitors {
                header: Header::new(now, ""),
                task: active.id,
                monitors: rules.standing(),
            },
        ));
        active.told = Some(verdicts);
    }

    fn end(&mut self, now: Time, outcome: Outcome, detail: String, out: &mut Outbox) {
        self.tell_rules(now, out);
        let Some(active) = self.active.take() else { return };
        if let Some(running) = active.running.filter(|r| !r.validating) {
            out.send(message(
                Message::CancelSkill,
                CancelSkill {
                    header: Header::new(now, ""),
                    step: running.step,
                },
            ));
        }
        out.send(match active.course {
            Course::Task(_) => task_result(now, active.id, outcome, detail),
            Course::Skill(single) => skill_result(now, active.id, outcome, single.failure(), detail),
        });
    }

    fn take_status(&mut self, now: Time, status: &SkillStatus, out: &mut Outbox) {
        let Some(running) = self.active.as_mut().and_then(|a| a.running.as_mut()) else {
            return;
        };
        if running.step != status.step || running.validating {
            return;
        }
        running.since = now;
        match status.state {
            SkillState::Running => {}
            SkillState::Done => {
                running.validating = true;
                self.mark(StepState::Validating);
                if let Some(known) = self.known() {
                    self.publish_plan(now, &known, &[], &status.detail, out);
                }
            }
            SkillState::Failed(failure) => self.finish(now, &Ended::Failed(failure), &status.detail, out),
        }
    }

    fn take_verdict(&mut self, now: Time, verdict: &Verdict, out: &mut Outbox) {
        let Some(running) = self.active.as_ref().and_then(|a| a.running.as_ref()) else {
            return;
        };
        // Between processes a verdict may overtake the executor's word that the step is done. It counts none the
        // less: the validator judges nothing before it has that word.
        if running.step != verdict.step {
            return;
        }
        let ended = match verdict.kind {
            VerdictKind::Confirmed => Ended::Confirmed,
            VerdictKind::Refuted => Ended::Refuted,
            VerdictKind::Undecided => Ended::Undecided,
        };
        self.finish(now, &ended, &verdict.detail, out);
    }

    /// The running step is over.
    fn finish(&mut self, now: Time, ended: &Ended, detail: &str, out: &mut Outbox) {
        let Some(known) = self.known() else {
            return;
        };
        self.mark(match ended {
            Ended::Confirmed | Ended::Undecided => StepState::Confirmed,
            Ended::Refuted | Ended::Failed(_) => StepState::Failed,
        });
        match ended {
            Ended::Confirmed => {}
            Ended::Undecided => self.counters.count("steps_undecided"),
            Ended::Refuted => self.counters.count("steps_refuted"),
            Ended::Failed(_) => self.counters.count("steps_failed"),
        }
        let Some(active) = self.active.as_mut() else {
            return;
        };
        let Some(running) = active.running.take() else {
            return;
        };
        active
            .course
            .finished(&known.view(now), &running.intended, ended, detail);
        self.decide(now, out);
    }

    fn mark(&mut self, state: StepState) {
        if let Some(step) = self.active.as_mut().and_then(|a| a.past.last_mut()) {
            step.state = state;
        }
    }

    /// Chooses and sends the next skill, or ends the task.
    fn decide(&mut self, now: Time, out: &mut Outbox) {
        let Some(known) = self.known() else {
            self.counters.count("decisions_without_scene");
            return;
        };
        let Some(active) = self.active.as_mut() else {
            return;
        };
        match active.course.decide(&known.view(now)) {
            Decision::Succeed(detail) => self.end(now, Outcome::Succeeded, detail, out),
            Decision::Fail(reason, detail) => self.end(now, Outcome::Failed(reason), detail, out),
            Decision::Do(steps) => {
                let Some((first, later)) = steps.split_first() else {
                    return;
                };
                // The last gate: whatever was chosen and however, it is judged as it leaves.
                let keep_out = match active.course.permits(&known.view(now), &first.skill) {
                    Ok(keep_out) => keep_out,
                    Err(objection) => {
                        self.counters.count("steps_refused_by_rules");
                        return active.course.refused(&known.view(now), first, &objection);
                    }
                };
                let step = StepId(self.next_step);
                self.next_step += 1;
                active.revision += 1;
                active.past.push(PlanStep {
                    step: Some(step),
                    skill: first.skill.clone(),
                    label: first.label.clone(),
                    state: StepState::Running,
                });
                active.running = Some(Running {
                    step,
                    intended: first.clone(),
                    since: now,
                    validating: false,
                });
                out.send(message(
                    Message::SkillCommand,
                    SkillCommand {
                        header: Header::new(now, frames::MAP),
                        step,
                        skill: first.skill.clone(),
                        keep_out,
                    },
                ));
                self.publish_plan(now, &known, later, &first.label, out);
            }
        }
    }

    fn publish_plan(&self, now: Time, known: &Known, later: &[Intended], reason: &str, out: &mut Outbox) {
        let Some(active) = &self.active else { return };
        let pending = later.iter().map(|i| PlanStep {
            step: None,
            skill: i.skill.clone(),
            label: i.label.clone(),
            state: StepState::Pending,
        });
        let plan = Plan {
            header: Header::new(now, frames::MAP),
            task: active.id,
            revision: active.revision,
            steps: active.past.iter().cloned().chain(pending).collect(),
            tree: active.course.tree(&known.view(now)),
            reason: reason.to_owned(),
        };
        out.send(message(Message::Plan, plan));
    }
}

fn task_result(now: Time, id: TaskId, outcome: Outcome, detail: String) -> Message {
    message(
        Message::TaskResult,
        TaskResult {
            header: Header::new(now, ""),
            id,
            outcome,
            detail,
        },
    )
}

fn skill_result(
    now: Time,
    id: TaskId,
    outcome: Outcome,
    failure: Option<SkillFailure>,
    detail: String,
) -> Message {
    message(
        Message::SkillResult,
        SkillResult {
            header: Header::new(now, ""),
            id,
            outcome,
            failure,
            detail,
        },
    )
}

impl Node for Planner {
    fn name(&self) -> &'static str {
        "planner"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[
            Topic::Transforms,
            Topic::Localization,
            Topic::OccupancyGrid,
            Topic::SceneGraph,
            Topic::SkillStatus,
            Topic::Verdict,
            Topic::FloorPlan,
            Topic::Task,
            Topic::SkillRequest,
            Topic::CancelTask,
            Topic::SetRules,
        ]
    }

    fn period(&self) -> Option<Duration> {
        Some(Duration::from_rate_hz(self.config.rate_hz))
    }

    fn on_message(&mut self, now: Time, received: &Message, out: &mut Outbox) {
        match received {
            Message::Transforms(t) | Message::Localization(t) => self.take_transforms(t),
            Message::OccupancyGrid(grid) => self.grid = Some(Arc::clone(grid)),
            Message::FloorPlan(plan) => self.floor_plan = Some(Arc::clone(plan)),
            Message::SceneGraph(graph) => {
                self.graph = Some(Arc::clone(graph));
                self.graph_at = now;
                if let (Some(known), Some(active)) = (self.known(), self.active.as_mut()) {
                    active.course.observe(&known.view(now));
                    self.tell_rules(now, out);
                }
            }
            Message::SkillStatus(status) => self.take_status(now, status, out),
            Message::Verdict(verdict) => self.take_verdict(now, verdict, out),
            Message::Task(task) => self.take_task(now, task, out),
            Message::SkillRequest(asked) => self.take_skill(now, asked, out),
            Message::SetRules(set) => {
                let taken = self.take_rules(set);
                out.send(answer(now, set.request, taken));
            }
            Message::CancelTask(cancel) if self.active.as_ref().is_some_and(|a| a.id == cancel.id) => {
                let outcome = Outcome::Failed(FailureReason::Cancelled);
                self.end(now, outcome, "stopped on request".into(), out);
            }
            Message::CancelTask(_) => self.counters.count("cancels_of_unknown_tasks"),
            _ => {}
        }
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        let known = self.active.as_ref().and_then(|_| self.known());
        let Some(active) = self.active.as_mut() else {
            return;
        };
        if let Some(known) = known {
            active.course.watch(&known.view(now));
            self.tell_rules(now, out);
        }
        let Some(active) = self.active.as_ref() else {
            return;
        };
        if now >= active.deadline {
            let doing = active
                .running
                .as_ref()
                .map_or("deciding", |r| r.intended.label.as_str());
            let detail = format!("the deadline passed while: {doing}");
            return self.end(now, Outcome::Failed(FailureReason::TimedOut), detail, out);
        }
        let silence = Duration::from_secs_f64(self.config.silence_timeout_s);
        if now - self.graph_at > silence {
            let detail = format!("no scene graph for {silence}");
            return self.end(now, Outcome::Failed(FailureReason::SensorsLost), detail, out);
        }
        match &active.running {
            None => self.decide(now, out),
            Some(r) if r.validating => {
                if now - r.since > Duration::from_secs_f64(self.config.verdict_timeout_s) {
                    self.finish(now, &Ended::Undecided, "no verdict came", out);
                }
            }
            Some(r) => {
                if now - r.since > silence {
                    let detail = format!("the executor said nothing for {silence}");
                    self.end(now, Outcome::Failed(FailureReason::SensorsLost), detail, out);
                }
            }
        }
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.snapshot()
    }
}
