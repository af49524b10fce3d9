//! Disturbances while a plan runs: goal objects moved, hidden in something shut, or removed.

use serde::Serialize;

use super::Progress;
use super::tree::{grow, plans_of, reached, sampler};
use crate::Result;
use crate::domain::{Atom, GroundAction, Obj, PredicateId, RefusalKind, State};
use crate::tree::{ActionTree, Decision, MeansEnds, Walk, WalkConfig};
use crate::virtualhome::{Dataset, Task};

/// What one way of planning comes to under one kind of disturbance.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DisturbRow {
    /// `moved`, `hidden` or `removed`.
    pub disturbance: &'static str,
    /// `static`: the plan with the most votes, come what may. `replan`: a new plan from scratch at every refusal.
    /// `tree`: the walk.
    pub planner: &'static str,
    /// Runs.
    pub runs: usize,
    /// Those that end in a goal.
    pub solved: usize,
    /// Those that end without, and say so.
    pub given_up: usize,
    /// Refusals met, new plans and branches given up, per run.
    pub corrections_mean: f64,
    /// Steps beyond those of the same planner without disturbance, per solved run.
    pub extra_steps_mean: f64,
}

/// Side by side.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DisturbReport {
    /// One row per disturbance and planner.
    pub disturb: Vec<DisturbRow>,
}

impl DisturbReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        // The tree is never behind the others.
        self.disturb.iter().all(|row| {
            let tree = self
                .disturb
                .iter()
                .find(|other| other.planner == "tree" && other.disturbance == row.disturbance);
            tree.is_some_and(|tree| tree.solved >= row.solved)
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moved,
    Hidden,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planner {
    Static,
    Replan,
    Tree,
}

/// SplitMix64: the same disturbances on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}

/// What happens after how many steps.
struct Event {
    after: usize,
    kind: Kind,
    object: Obj,
    place: Obj,
}

struct Names {
    on: PredicateId,
    inside: PredicateId,
    close_to: PredicateId,
    holds: [PredicateId; 2],
    closed: PredicateId,
    can_open: PredicateId,
    surfaces: PredicateId,
    grabbable: PredicateId,
}

impl Names {
    fn of(task: &Task) -> Result<Names> {
        let id = |name: &str| {
            let id = task.home.scene.domain().predicate_named(name);
            id.ok_or_else(|| crate::Error::UnknownName {
                what: "predicate",
                name: name.to_owned(),
            })
        };
        Ok(Names {
            on: id("on")?,
            inside: id("inside")?,
            close_to: id("close_to")?,
            holds: [id("holds_rh")?, id("holds_lh")?],
            closed: id("closed")?,
            can_open: id("can_open")?,
            surfaces: id("surfaces")?,
            grabbable: id("grabbable")?,
        })
    }
}

impl Event {
    /// A disturbance of a goal object that can be carried; [`None`] for tasks without one.
    fn draw(task: &Task, names: &Names, kind: Kind, random: &mut Random) -> Option<Event> {
        let start = task.start();
        let carried = |object: &Obj| start.stores(Atom::new(names.grabbable, &[*object]));
        let objects: Vec<Obj> = task.goal_objects().into_iter().filter(carried).collect();
        let goal = task.goal_objects();
        let shut = |object: &Obj| {
            start.stores(Atom::new(names.can_open, &[*object]))
                && start.sources(names.inside, *object).next().is_some()
        };
        let places: Vec<Obj> = match kind {
            Kind::Hidden => start.members(names.closed).filter(shut).collect(),
            Kind::Moved | Kind::Removed => start.members(names.surfaces).collect(),
        };
        let places: Vec<Obj> = places.into_iter().filter(|place| !goal.contains(place)).collect();
        if objects.is_empty() || places.is_empty() {
            return None;
        }
        Some(Event {
            after: 1 + random.below(3),
            kind,
            object: objects[random.below(objects.len())],
            place: places[random.below(places.len())],
        })
    }

    /// The state after it; the same state while somebody holds the object.
    fn happen(&self, task: &Task, names: &Names, state: &State) -> State {
        let held = names
            .holds
            .iter()
            .any(|holds| state.sources(*holds, self.object).next().is_some());
        if held {
            return state.clone();
        }
        let mut facts: Vec<(Atom, bool)> = Vec::new();
        for relation in [names.on, names.inside, names.close_to] {
            for other in state.targets(relation, self.object) {
                facts.push((Atom::new(relation, &[self.object, other]), false));
            }
            for other in state.sources(relation, self.object) {
                facts.push((Atom::new(relation, &[other, self.object]), false));
            }
        }
        let scene = &task.home.scene;
        let room = scene.domain().type_named("room");
        if self.kind != Kind::Removed {
            let relation = if self.kind == Kind::Hidden {
                names.inside
            } else {
                names.on
            };
            facts.push((Atom::new(relation, &[self.object, self.place]), true));
            facts.push((Atom::new(names.close_to, &[self.object, self.place]), true));
            facts.push((Atom::new(names.close_to, &[self.place, self.object]), true));
            for other in state.targets(names.inside, self.place) {
                if room.is_some_and(|room| scene.is(other, room)) {
                    facts.push((Atom::new(names.inside, &[self.object, other]), true));
                }
            }
        }
        state.with(facts)
    }
}

/// How a run went.
struct Outcome {
    solved: bool,
    given_up: bool,
    corrections: usize,
    steps: usize,
}

/// The world of one run: steps, and the event when its time has come.
struct World<'a> {
    task: &'a Task,
    names: &'a Names,
    event: Option<&'a Event>,
    state: State,
    steps: usize,
}

impl World<'_> {
    fn step(&mut self, action: &GroundAction) -> std::result::Result<(), RefusalKind> {
        self.state.check(action).map_err(|refusal| refusal.kind)?;
        self.state = self.state.apply(action);
        self.steps += 1;
        self.turn();
        Ok(())
    }

    fn turn(&mut self) {
        if let Some(event) = self.event.filter(|event| self.steps >= event.after) {
            self.state = event.happen(self.task, self.names, &self.state);
            self.event = None;
        }
    }
}

const MAX_STEPS: usize = 100;

fn run(
    task: &Task,
    names: &Names,
    tree: &ActionTree,
    first_plan: &[GroundAction],
    planner: Planner,
    event: Option<&Event>,
) -> Result<Outcome> {
    let mut world = World {
        task,
        names,
        event,
        state: task.start(),
        steps: 0,
    };
    let means = MeansEnds::new(task.home.scene.domain());
    let mut corrections = 0;
    let mut given_up = false;
    match planner {
        Planner::Static => {
            for action in first_plan {
                match world.step(action) {
                    Ok(()) | Err(RefusalKind::Satisfied) => {}
                    Err(_) => {
                        corrections += 1;
                        given_up = true;
                        break;
                    }
                }
            }
        }
        Planner::Replan => {
            // The first plan, then whatever search makes of the goal, from the present state each time.
            let mut plan = first_plan.to_vec();
            'plans: loop {
                for action in &plan {
                    match world.step(action) {
                        Ok(()) | Err(RefusalKind::Satisfied) => {}
                        Err(_) => break,
                    }
                }
                if reached(task, &world.state) || world.steps > MAX_STEPS || corrections > 10 {
                    break;
                }
                corrections += 1;
                match means.achieve(&world.state, &task.goal) {
                    Some(steps) => plan = steps,
                    None => {
                        given_up = true;
                        break 'plans;
                    }
                }
            }
        }
        Planner::Tree => {
            let mut goal = task.search_goal();
            goal.actions.clear();
            let mut walk = Walk::new(tree.clone(), goal, WalkConfig::default()).with_sampler(sampler(task));
            loop {
                match walk.next(&world.state)? {
                    Decision::Do(action) => {
                        if let Err(kind) = world.step(&action) {
                            walk.failed(kind);
                        }
                    }
                    Decision::Ended => break,
                    Decision::Exhausted => {
                        given_up = true;
                        break;
                    }
                }
            }
            let stats = walk.stats();
            corrections = stats.corrections + stats.repairs + stats.resamples;
        }
    }
    Ok(Outcome {
        solved: reached(task, &world.state),
        given_up,
        corrections,
        steps: world.steps,
    })
}

pub(crate) fn measure(dataset: &Dataset) -> Result<DisturbReport> {
    let kinds = [
        (Kind::Moved, "moved"),
        (Kind::Hidden, "hidden"),
        (Kind::Removed, "removed"),
    ];
    let planners = [
        (Planner::Static, "static"),
        (Planner::Replan, "replan"),
        (Planner::Tree, "tree"),
    ];
    let mut report = DisturbReport::default();
    for (_, disturbance) in kinds {
        for (_, planner) in planners {
            report.disturb.push(DisturbRow {
                disturbance,
                planner,
                ..DisturbRow::default()
            });
        }
    }
    let answers = dataset.answers()?;
    let ids = dataset.tasks();
    let progress = Progress::new("disturbed", ids.len());
    let mut random = Random(5);
    let mut extra = vec![0.0; report.disturb.len()];
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        if reached(&task, &task.start()) {
            continue;
        }
        let names = Names::of(&task)?;
        let plans = plans_of(dataset, &task, &answers)?;
        let tree = grow(&plans);
        let first_plan = most_voted(&tree);
        for (row_kind, (kind, _)) in kinds.iter().enumerate() {
            let Some(event) = Event::draw(&task, &names, *kind, &mut random) else {
                continue;
            };
            for (row_planner, (planner, _)) in planners.iter().enumerate() {
                let number = row_kind * planners.len() + row_planner;
                let calm = run(&task, &names, &tree, &first_plan, *planner, None)?;
                let outcome = run(&task, &names, &tree, &first_plan, *planner, Some(&event))?;
                let row = &mut report.disturb[number];
                row.runs += 1;
                row.given_up += usize::from(outcome.given_up && !outcome.solved);
                row.corrections_mean += outcome.corrections as f64;
                if outcome.solved {
                    row.solved += 1;
                    extra[number] += outcome.steps as f64 - calm.steps as f64;
                }
            }
        }
    }
    for (row, extra) in report.disturb.iter_mut().zip(extra) {
        row.corrections_mean /= row.runs.max(1) as f64;
        row.extra_steps_mean = extra / row.solved.max(1) as f64;
    }
    Ok(report)
}

/// The plan along the most votes.
fn most_voted(tree: &ActionTree) -> Vec<GroundAction> {
    let mut plan = Vec::new();
    let mut at = ActionTree::ROOT;
    while let Some(child) = tree.live_children(at).first().copied() {
        let Some(step) = tree.node(child).action else {
            break;
        };
        if tree.node(child).votes < tree.node(at).ends {
            break;
        }
        plan.push(step);
        at = child;
    }
    plan
}
