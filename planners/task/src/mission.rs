//! One task from order to end: what to do next, given what is known now.
//!
//! Nothing is carried over from decision to decision but what memory cannot tell: where was searched, what
//! failed how often, and at which thing the base stands. Every decision starts from the present scene graph, so
//! a change in the home needs no handling of its own.
//!
//! ```text
//!   every relation seen to hold? ── yes ─► seen recently? ── yes ─► succeed
//!        │ no                                   └ no ─► go and look
//!   subject and target known? ── yes ─► cheapest plan ─► its first step
//!        │ no
//!   frontier, furniture or shut container left? ── yes ─► nearest first
//!        └ no ─► fail: not found
//! ```

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::{Point3, Pose2, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    FailureReason, Goal, GoalRelation, NavigationTarget, OccupancyGrid, RelationKind, SceneGraph,
    SceneObject, Skill, SkillFailure,
};
use steward_core::{Duration, Time};

use crate::Error;
use crate::belief::Belief;
use crate::config::MissionConfig;
use crate::explore::{TravelField, frontiers};
use crate::household::Step;
use crate::search::{self, Wanted};

/// What is known at the time of a decision.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Time,
    /// What is remembered.
    pub graph: &'a SceneGraph,
    /// The floor, once mapped.
    pub grid: Option<&'a OccupancyGrid>,
    /// Where the base is, frame `map`.
    pub base: Pose2,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Run the first of these; the others are what is intended after it.
    Do(Vec<Intended>),
    /// The task is done.
    Succeed(String),
    /// The task cannot be done.
    Fail(FailureReason, String),
}

/// A skill and what it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Intended {
    /// The skill.
    pub skill: Skill,
    /// In words.
    pub label: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a skill is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// See what is around.
    Survey,
    /// See floor that was never seen; the middle of the frontier.
    Frontier(f64, f64),
    /// See what stands on a piece of furniture, or inside an open one.
    Inspect(ObjectId),
    /// See what is behind a shut door.
    Unshut(ObjectId),
    /// A step of the plan.
    Plan(Step),
    /// See whether a relation still holds.
    Verify(ObjectId),
}

/// How a skill ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Its effect was observed.
    Confirmed,
    /// Its effect was observed not to hold.
    Refuted,
    /// Its effect could not be observed.
    Undecided,
    /// The executor gave up.
    Failed(SkillFailure),
}

/// A task under way.
#[derive(Debug, Clone)]
pub struct Mission {
    goal: Goal,
    config: MissionConfig,
    /// The thing that the base was driven to and has not left.
    at: Option<ObjectId>,
    surveyed: bool,
    search: SearchState,
    /// How often manipulating a thing failed, and how the last time.
    failures: BTreeMap<(Manipulation, ObjectId), (u32, String)>,
    /// How often a thing was looked for, or could not be got at, to see whether it is still in its place.
    looks: BTreeMap<ObjectId, u32>,
}

/// Where was searched since it last made sense to start over.
#[derive(Debug, Clone, Default)]
struct SearchState {
    /// Middles of frontiers that were looked at.
    frontiers: Vec<(f64, f64)>,
    /// Furniture seen from close by.
    inspected: BTreeSet<ObjectId>,
    /// Parts that were opened, or that would not open.
    opened: BTreeSet<ObjectId>,
    rounds: u32,
}

/// Kinds of manipulation whose failures are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manipulation {
    Reach,
    Grasp,
    Put,
    Articulate,
}

impl Manipulation {
    fn of(step: Step) -> (Self, ObjectId) {
        match step {
            Step::Navigate(id) => (Manipulation::Reach, id),
            Step::Open(id) | Step::Close(id) => (Manipulation::Articulate, id),
            Step::Pick(id) => (Manipulation::Grasp, id),
            Step::Place(_, _, id) => (Manipulation::Put, id),
        }
    }

    fn reason(self) -> FailureReason {
        match self {
            Manipulation::Reach => FailureReason::Unreachable,
            Manipulation::Grasp => FailureReason::GraspFailed,
            Manipulation::Put => FailureReason::PlaceFailed,
            Manipulation::Articulate => FailureReason::ContainerStuck,
        }
    }
}

impl Mission {
    /// Takes on a task.
    ///
    /// # Errors
    /// [`Error::Contradiction`] for an empty goal, a thing related to itself, or a class that is asked to be
    /// in two relations: which one to keep while bringing about the other is not decided here.
    pub fn new(goal: Goal, config: MissionConfig) -> crate::Result<Self> {
        if goal.relations.is_empty() {
            return Err(Error::Contradiction("it asks for nothing".into()));
        }
        let mut subjects = BTreeSet::new();
        for r in &goal.relations {
            if r.subject == r.object {
                return Err(Error::Contradiction(format!("{r} relates a class to itself")));
            }
            if !subjects.insert(&r.subject) {
                return Err(Error::Contradiction(format!(
                    "`{}` is the subject of two relations; ask for one at a time",
                    r.subject
                )));
            }
        }
        Ok(Mission {
            goal,
            config,
            at: None,
            surveyed: false,
            search: SearchState::default(),
            failures: BTreeMap::new(),
            looks: BTreeMap::new(),
        })
    }

    /// Notes what the camera sees in passing, so that it is not visited again for nothing.
    pub fn observe(&mut self, view: &View<'_>) {
        let fresh = view.now - Duration::from_millis(500);
        for o in &view.graph.objects {
            let (dx, dy) = (o.shape.center.x - view.base.x_m, o.shape.center.y - view.base.y_m);
            let bearing = wrap_angle_rad(dy.atan2(dx) - view.base.yaw_rad);
            let close = dx.hypot(dy) < self.config.inspect_distance_m && bearing.abs() < 0.5;
            if close && o.last_seen >= fresh && Belief::is_furniture(o) {
                self.search.inspected.insert(o.id);
            }
        }
    }

    /// What to do now that nothing is under way.
    pub fn decide(&mut self, view: &View<'_>) -> Decision {
        if !self.surveyed {
            return Decision::Do(vec![survey(view)]);
        }
        let belief = Belief { graph: view.graph };
        let relations = self.goal.relations.clone();
        let mut wanted = Vec::new();
        let mut taken = BTreeSet::new();
        let mut unknown: Vec<(&GoalRelation, FailureReason)> = Vec::new();
        for relation in &relations {
            if let Some((s, t)) = belief.witness(relation) {
                wanted.push((s.id, relation.kind, t.id));
                taken.insert(s.id);
            }
        }
        for relation in &relations {
            if belief.witness(relation).is_some() {
                continue;
            }
            match self.bind(&belief, view, relation, &taken) {
                Ok(w) => {
                    taken.insert(w.0);
                    wanted.push(w);
                }
                Err(missing) => unknown.push((relation, missing)),
            }
        }
        let open: Vec<Wanted> = wanted
            .iter()
            .copied()
            .filter(|&(s, kind, t)| !belief.holds(s, kind, t))
            .collect();
        if open.is_empty() && unknown.is_empty() {
            return self.verify(&belief, view, &wanted);
        }
        if !open.is_empty() {
            return self.pursue(&belief, view, &wanted);
        }
        self.explore(&belief, view, &unknown)
    }

    /// Takes note of how a skill ended.
    pub fn finished(&mut self, view: &View<'_>, intended: &Intended, ended: &Ended, detail: &str) {
        let done = matches!(ended, Ended::Confirmed | Ended::Undecided);
        let travelled = matches!(intended.skill, Skill::Navigate { .. });
        if travelled {
            self.at = None;
        }
        match intended.purpose {
            Purpose::Survey => self.surveyed = true,
            // One visit is all a frontier gets: what stayed unknown cannot be seen from there.
            Purpose::Frontier(x, y) => self.search.frontiers.push((x, y)),
            Purpose::Inspect(id) | Purpose::Unshut(id) if travelled && done => self.at = Some(id),
            Purpose::Inspect(id) => {
                self.search.inspected.insert(id);
            }
            Purpose::Unshut(part) => {
                self.search.opened.insert(part);
                if done && !travelled {
                    // Now there is an inside to look at.
                    let belief = Belief { graph: view.graph };
                    let owner = belief
                        .object(part)
                        .and_then(|o| o.articulation)
                        .and_then(|a| a.owner);
                    self.search.inspected.remove(&owner.unwrap_or(part));
                }
            }
            Purpose::Plan(step) => self.step_finished(step, ended, detail),
            Purpose::Verify(id) => {
                if travelled && done {
                    self.at = Some(id);
                } else {
                    *self.looks.entry(id).or_insert(0) += 1;
                }
            }
        }
    }

    fn step_finished(&mut self, step: Step, ended: &Ended, detail: &str) {
        match ended {
            Ended::Confirmed | Ended::Undecided => {
                if let Step::Navigate(to) = step {
                    self.at = Some(to);
                }
                if *ended == Ended::Confirmed {
                    self.failures.remove(&Manipulation::of(step));
                    return;
                }
                // What nobody saw is tried again only so often.
                if matches!(step, Step::Navigate(_)) {
                    return;
                }
            }
            // The plan was made with a thing that memory has since given up: nobody's fault.
            Ended::Failed(SkillFailure::UnknownObject) => {
                self.at = None;
                self.restart_search();
                return;
            }
            Ended::Failed(SkillFailure::Dropped) => {
                self.at = None;
                self.restart_search();
            }
            Ended::Refuted | Ended::Failed(_) => self.at = None,
        }
        let entry = self
            .failures
            .entry(Manipulation::of(step))
            .or_insert((0, String::new()));
        entry.0 += 1;
        detail.clone_into(&mut entry.1);
        if entry.0 == self.config.max_attempts {
            // Another thing of the class, or another place, may do; look for one.
            self.restart_search();
        }
    }

    fn restart_search(&mut self) {
        self.surveyed = false;
        self.search.inspected.clear();
        self.search.opened.clear();
    }

    fn given_up(&self, manipulation: Manipulation, id: ObjectId) -> bool {
        self.failures
            .get(&(manipulation, id))
            .is_some_and(|f| f.0 >= self.config.max_attempts)
    }

    /// Chooses the things that a relation is to hold between; the reason where one is not known.
    fn bind(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        relation: &GoalRelation,
        taken: &BTreeSet<ObjectId>,
    ) -> Result<Wanted, FailureReason> {
        let usable = |o: &&SceneObject| {
            !taken.contains(&o.id)
                && !self.given_up(Manipulation::Grasp, o.id)
                && !self.given_up(Manipulation::Reach, o.id)
        };
        let from_base =
            |o: &SceneObject| (o.shape.center.x - view.base.x_m).hypot(o.shape.center.y - view.base.y_m);
        let held = belief.held().filter(|o| o.class == relation.subject);
        let subject = held
            .or_else(|| {
                belief
                    .of_class(&relation.subject)
                    .filter(usable)
                    .min_by(|a, b| from_base(a).total_cmp(&from_base(b)))
            })
            .ok_or(FailureReason::ObjectNotFound)?;
        let from_subject = |o: &SceneObject| (o.shape.center - subject.shape.center).xy().norm();
        let target = belief
            .of_class(&relation.object)
            .filter(|o| o.id != subject.id)
            .flat_map(|o| match relation.kind {
                RelationKind::In => belief.receptacles(o),
                _ => vec![o],
            })
            .filter(|o| {
                !self.given_up(Manipulation::Put, o.id)
                    && !self.given_up(Manipulation::Reach, o.id)
                    && (relation.kind != RelationKind::In || !self.is_stuck(belief, o.id))
            })
            .min_by(|a, b| from_subject(a).total_cmp(&from_subject(b)))
            .ok_or(FailureReason::TargetNotFound)?;
        Ok((subject.id, relation.kind, target.id))
    }

    /// Whether a container has parts and none of them will open.
    fn is_stuck(&self, belief: &Belief<'_>, container: ObjectId) -> bool {
        let parts = belief.parts_of(container);
        !parts.is_empty()
            && parts.iter().all(|p| {
                self.given_up(Manipulation::Articulate, p.id) || self.given_up(Manipulation::Reach, p.id)
            })
    }

    /// The first step of the cheapest plan.
    fn pursue(&mut self, belief: &Belief<'_>, view: &View<'_>, wanted: &[Wanted]) -> Decision {
        let (mut household, state) = belief.household(Some(view.base), self.at, wanted);
        for item in household.items.values_mut() {
            item.parts.retain(|p| {
                state.open.contains(p)
                    || !self.given_up(Manipulation::Articulate, *p) && !self.given_up(Manipulation::Reach, *p)
            });
        }
        let wanted = &with_stray(belief, view, wanted)[..];
        match search::plan(&household, &state, wanted, self.config.max_plan_states) {
            Ok(steps) if steps.is_empty() => {
                // Only something in the hand that the goal does not speak of can get here.
                Decision::Fail(
                    FailureReason::NoPlan,
                    "the hand is full and nothing says where to put it".into(),
                )
            }
            Ok(steps) => Decision::Do(steps.iter().map(|&s| intend(belief, s)).collect()),
            Err(e) => Decision::Fail(FailureReason::NoPlan, e.to_string()),
        }
    }

    /// Success, once every relation was seen to hold recently.
    fn verify(&self, belief: &Belief<'_>, view: &View<'_>, wanted: &[Wanted]) -> Decision {
        let fresh = view.now - Duration::from_secs_f64(self.config.fresh_s);
        for &(subject, kind, target) in wanted {
            let Some(object) = belief.object(subject) else {
                continue;
            };
            if object.last_seen >= fresh {
                continue;
            }
            let purpose = Purpose::Verify(subject);
            let name = |id| label(belief, id);
            let what = format!("whether {} is still {kind} {}", name(subject), name(target));
            if self
                .looks
                .get(&subject)
                .is_some_and(|&n| n >= self.config.max_attempts)
            {
                return Decision::Fail(FailureReason::Unconfirmed, format!("could not see {what}"));
            }
            let go = Intended {
                skill: Skill::Navigate {
                    to: NavigationTarget::Object(subject),
                },
                label: format!("go and see {what}"),
                purpose,
            };
            let look = Intended {
                skill: Skill::Look {
                    at: vec![object.shape.center],
                },
                label: format!("look {what}"),
                purpose,
            };
            let there = self.at == Some(subject);
            return Decision::Do(if there { vec![look] } else { vec![go, look] });
        }
        let seen = self.goal.to_string();
        Decision::Succeed(format!("{seen} was observed to hold"))
    }

    /// Goes where something unknown may be, nearest first.
    fn explore(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        unknown: &[(&GoalRelation, FailureReason)],
    ) -> Decision {
        let sought: Vec<String> = unknown
            .iter()
            .map(|(r, missing)| match missing {
                FailureReason::TargetNotFound => r.object.clone(),
                _ => r.subject.clone(),
            })
            .collect();
        let sought = sought.join(", ");
        let field = view.grid.map(|g| {
            (
                g,
                TravelField::new(g, (view.base.x_m, view.base.y_m), self.config.clearance_m),
            )
        });
        let mut best: Option<(f64, Vec<Intended>)> = None;
        let mut offer = |cost: f64, what: Vec<Intended>| {
            if best.as_ref().is_none_or(|(b, _)| cost < *b) {
                best = Some((cost, what));
            }
        };
        if let Some((grid, field)) = &field {
            for f in frontiers(grid, field, self.config.min_frontier_m) {
                let old =
                    self.search.frontiers.iter().any(|v| {
                        (v.0 - f.center.0).hypot(v.1 - f.center.1) < self.config.frontier_separation_m
                    });
                if !old {
                    let purpose = Purpose::Frontier(f.center.0, f.center.1);
                    let go = Intended {
                        skill: Skill::Navigate {
                            to: NavigationTarget::Pose(f.viewpoint),
                        },
                        label: format!("explore towards ({:.1}, {:.1})", f.center.0, f.center.1),
                        purpose,
                    };
                    offer(f.travel_m, vec![go]);
                }
            }
        }
        let travel = |p: &Point3| match &field {
            Some((grid, field)) => field.near_m(grid, (p.x, p.y), 1.5),
            None => Some((p.x - view.base.x_m).hypot(p.y - view.base.y_m)),
        };
        let hand_is_free = belief.held().is_none();
        for o in &view.graph.objects {
            let Some(distance) = travel(&o.shape.center) else {
                continue;
            };
            // A part whose handle was never seen cannot be opened before it was looked at.
            let handle_hidden = o.articulation.is_some_and(|a| a.handle.is_none());
            let worth_a_look = Belief::can_hold_things(o) || handle_hidden;
            if worth_a_look && !self.search.inspected.contains(&o.id) {
                let purpose = Purpose::Inspect(o.id);
                let name = label(belief, o.id);
                let look = Intended {
                    skill: Skill::Look {
                        at: inspection_points(o),
                    },
                    label: format!("look for {sought} on {name}"),
                    purpose,
                };
                let steps = self.there_first(o.id, format!("go to {name}"), look);
                offer(distance + self.config.inspect_cost_m, steps);
            }
            let shut = o
                .articulation
                .is_some_and(|a| a.handle.is_some() && a.is_open() != Some(true));
            if shut && hand_is_free && !self.search.opened.contains(&o.id) {
                let purpose = Purpose::Unshut(o.id);
                let name = label(belief, o.id);
                let open = Intended {
                    skill: Skill::Open { part: o.id },
                    label: format!("open {name} to look for {sought}"),
                    purpose,
                };
                let steps = self.there_first(o.id, format!("go to {name}"), open);
                offer(distance + self.config.open_cost_m, steps);
            }
        }
        match best {
            Some((_, steps)) => Decision::Do(steps),
            None if self.search.rounds < self.config.max_search_rounds => {
                self.search = SearchState {
                    rounds: self.search.rounds + 1,
                    ..SearchState::default()
                };
                self.surveyed = false;
                Decision::Do(vec![survey(view)])
            }
            None => self.not_found(unknown),
        }
    }

    /// Something to do at a thing, after driving there where the base does not stand there already.
    fn there_first(&self, id: ObjectId, label: String, act: Intended) -> Vec<Intended> {
        if self.at == Some(id) {
            return vec![act];
        }
        let go = Intended {
            skill: Skill::Navigate {
                to: NavigationTarget::Object(id),
            },
            label,
            purpose: act.purpose,
        };
        vec![go, act]
    }

    /// Why the search ended with nothing: a thing that was found but could not be handled says more than
    /// that no other was found.
    fn not_found(&self, unknown: &[(&GoalRelation, FailureReason)]) -> Decision {
        let worst = self
            .failures
            .iter()
            .find(|(_, f)| f.0 >= self.config.max_attempts);
        if let Some(((manipulation, id), (times, detail))) = worst {
            let text = format!("gave up on {id} after {times} attempts, the last: {detail}; found no other");
            return Decision::Fail(manipulation.reason(), text);
        }
        let (relation, missing) = unknown[0];
        let class = if missing == FailureReason::TargetNotFound {
            &relation.object
        } else {
            &relation.subject
        };
        let text = format!("searched everything in reach for `{class}` and did not see one");
        Decision::Fail(missing, text)
    }
}

/// The goal, and a place for what the hand holds where the goal does not speak of it: it must be put down before
/// anything else can be picked up.
fn with_stray(belief: &Belief<'_>, view: &View<'_>, wanted: &[Wanted]) -> Vec<Wanted> {
    let mut wanted = wanted.to_vec();
    let stray = belief.held().filter(|h| wanted.iter().all(|w| w.0 != h.id));
    if let Some(held) = stray {
        let from_base =
            |o: &SceneObject| (o.shape.center.x - view.base.x_m).hypot(o.shape.center.y - view.base.y_m);
        let nearest = view
            .graph
            .objects
            .iter()
            .filter(|o| Belief::can_hold_things(o) && !o.surfaces.is_empty())
            .min_by(|a, b| from_base(a).total_cmp(&from_base(b)));
        wanted.extend(nearest.map(|t| (held.id, RelationKind::On, t.id)));
    }
    wanted
}

fn label(belief: &Belief<'_>, id: ObjectId) -> String {
    belief
        .object(id)
        .map_or_else(|| id.to_string(), |o| format!("{} {id}", o.class))
}

fn intend(belief: &Belief<'_>, step: Step) -> Intended {
    let name = |id| label(belief, id);
    let (skill, label) = match step {
        Step::Navigate(to) => (
            Skill::Navigate {
                to: NavigationTarget::Object(to),
            },
            format!("go to {}", name(to)),
        ),
        Step::Open(part) => (Skill::Open { part }, format!("open {}", name(part))),
        Step::Close(part) => (Skill::Close { part }, format!("close {}", name(part))),
        Step::Pick(object) => (Skill::Pick { object }, format!("pick {}", name(object))),
        Step::Place(object, relation, target) => {
            let text = format!("place {} {relation} {}", name(object), name(target));
            (
                Skill::Place {
                    object,
                    relation,
                    target,
                },
                text,
            )
        }
    };
    Intended {
        skill,
        label,
        purpose: Purpose::Plan(step),
    }
}

/// A full turn of looks around the base.
fn survey(view: &View<'_>) -> Intended {
    let turn = 6;
    let at = (0..turn)
        .map(|i| {
            let bearing = view.base.yaw_rad + std::f64::consts::TAU * f64::from(i) / f64::from(turn);
            Point3::new(
                view.base.x_m + 2.5 * bearing.cos(),
                view.base.y_m + 2.5 * bearing.sin(),
                0.5,
            )
        })
        .collect();
    Intended {
        skill: Skill::Look { at },
        label: "look around".into(),
        purpose: Purpose::Survey,
    }
}

/// Points that together show what stands on a piece of furniture: its middle, and its ends where it is long.
fn inspection_points(o: &SceneObject) -> Vec<Point3> {
    let height = o
        .surfaces
        .last()
        .map_or(o.shape.top_m(), |s| s.height_m())
        .min(1.4);
    let long_x = o.shape.half.x >= o.shape.half.y;
    let half = o.shape.half.x.max(o.shape.half.y);
    let pose = o.shape.pose();
    let along = |d: f64| {
        let local = if long_x {
            Point3::new(d, 0.0, 0.0)
        } else {
            Point3::new(0.0, d, 0.0)
        };
        let p = pose * local;
        Point3::new(p.x, p.y, height)
    };
    if half < 0.6 {
        vec![along(0.0)]
    } else {
        vec![along(-half * 0.6), along(half * 0.6)]
    }
}
