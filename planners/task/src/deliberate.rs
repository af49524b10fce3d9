//! Which step next: plans that keep the rules, merged into an action tree and walked on what is known.
//!
//! ```text
//!   scene graph, rooms, rules ──► scene ──► a plan per way of meaning the goal ──► tree ──► walk ──► one step
//! ```
//!
//! The scene holds only what the goal and the rules are about, so it is built anew for every decision; the tree lives
//! on as long as the things in it are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use steward_core::geometry::{Point3, Pose2};
use steward_core::ids::ObjectId;
use steward_core::messages::{NavigationTarget, RelationKind, SceneObject, Skill, StepState, TreeNode};

use crate::belief::{Belief, Step, Wanted};
use crate::domain::{Domain, GroundAction, RefusalKind, Scene, SceneBuilder, State};
use crate::house_rules::{HouseRules, Proposition, parts_of_class};
use crate::plan::{Goal, Label, Limits, SceneRules, plan_on};
use crate::tree::{ActionTree, Decision, Status, Walk, WalkConfig};
use crate::{Error, Result};

const HOUSEHOLD: &str = include_str!("../domains/household.pddl");

static DOMAIN: LazyLock<std::result::Result<Arc<Domain>, Error>> =
    LazyLock::new(|| Domain::parse(HOUSEHOLD).map(Arc::new));

/// Stands for the place where the base is when it stands at no thing in particular.
const HERE: ObjectId = ObjectId(u32::MAX);
/// The robot's name in the scene.
const ROBOT: &str = "robot";
/// Most things of one class that a rule brings into the scene.
const MOST_OF_CLASS: usize = 8;

/// Stands for a place to stand in a room.
fn place_in_room(room: usize) -> ObjectId {
    ObjectId(u32::MAX - 1 - room as u32)
}

/// What a step is to be found for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What is remembered.
    pub belief: Belief<'a>,
    /// Where the base is.
    pub base: Pose2,
    /// The thing that it stands at.
    pub at: Option<ObjectId>,
    /// Ways of meaning the goal; what must hold in each of them at the end.
    pub ways: &'a [Vec<Wanted>],
    /// The rules.
    pub rules: &'a HouseRules,
    /// Where the base can stand in each room, by the room's number.
    pub standing: &'a BTreeMap<usize, Pose2>,
    /// Parts that will not open.
    pub stuck: &'a BTreeSet<ObjectId>,
    /// Places that putting something at failed too often.
    pub refusing: &'a BTreeSet<ObjectId>,
    /// Budget of a search.
    pub limits: Limits,
}

/// A tree that is being walked.
pub struct Deliberation {
    scene: Arc<Scene>,
    ids: Vec<ObjectId>,
    ways: Vec<Vec<Wanted>>,
    walk: Walk,
    /// The candidate plans, cheapest first.
    plans: Vec<Vec<GroundAction>>,
    pending: Option<GroundAction>,
}

impl std::fmt::Debug for Deliberation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.walk.tree().text(&self.scene))
    }
}

/// The steps to take from here; the first is to be taken now.
pub type Steps = Vec<(Step, Skill)>;

impl Deliberation {
    /// The next step: along the tree as it stands where it still fits what is known, otherwise along a new one.
    ///
    /// # Errors
    /// [`Error::Infeasible`] where no way can be gone, whatever the order of steps; [`Error::Exhausted`] and others
    /// where that is not known.
    pub fn next(before: Option<Deliberation>, question: &Question<'_>) -> Result<(Deliberation, Steps)> {
        if let Some(mut old) = before
            && question.ways.iter().all(|way| old.ways.contains(way))
        {
            let (scene, _) = build(question, &old.ways)?;
            if old.is_about(&scene) {
                let state = old.state_like(&scene);
                if let Some(steps) = old.step(question, &state)? {
                    return Ok((old, steps));
                }
            }
        }
        let mut new = Self::sample(question)?;
        let state = new.scene.start();
        match new.step(question, &state)? {
            Some(steps) => Ok((new, steps)),
            None => Err(Error::NoPlan(
                "every way found breaks a rule at its first step".into(),
            )),
        }
    }

    /// Plans for all ways, merged.
    fn sample(question: &Question<'_>) -> Result<Deliberation> {
        let (scene, ids) = build(question, question.ways)?;
        let rules = scene_rules(question, &scene)?;
        let watch = rules.as_ref().map(|_| question.rules.rules().watch().clone());
        let state = scene.start();
        let mut found = Vec::new();
        let mut refused = None;
        for way in question.ways {
            let goal = goal_of(&scene, &question.belief, std::slice::from_ref(way))?;
            match plan_on(&state, &goal, rules.as_ref(), watch.as_ref(), &question.limits) {
                Ok(plan) => found.push((plan.cost, plan.steps)),
                // The first way is the one that was meant in the first place.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let (true, Some(error)) = (found.is_empty(), refused) {
            return Err(error);
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut tree = ActionTree::new();
        for (_, steps) in &found {
            tree.insert(steps);
        }
        let goal = goal_of(&scene, &question.belief, question.ways)?;
        let mut walk = Walk::new(tree, goal, WalkConfig::default());
        if let Some(rules) = rules {
            walk = walk.with_rules(rules);
        }
        Ok(Deliberation {
            scene,
            ids,
            ways: question.ways.to_vec(),
            walk,
            plans: found.into_iter().map(|(_, steps)| steps).collect(),
            pending: None,
        })
    }

    /// Says that the step given out last cannot be done.
    pub fn failed(&mut self) {
        self.walk.failed(RefusalKind::Other);
        self.pending = None;
    }

    /// Whether another scene has the same things, and the same that no step changes is said of them.
    fn is_about(&self, other: &Scene) -> bool {
        let fixed = |scene: &Scene| {
            let facts = scene.facts().iter().copied();
            let domain = Arc::clone(scene.domain());
            facts
                .filter(|atom| !domain.predicate(atom.predicate()).fluent)
                .collect::<Vec<_>>()
        };
        let same =
            |(a, b): (&crate::domain::Object, &crate::domain::Object)| a.name == b.name && a.kind == b.kind;
        self.scene.objects().len() == other.objects().len()
            && self.scene.objects().iter().zip(other.objects()).all(same)
            && fixed(&self.scene) == fixed(other)
    }

    /// The state of this scene with the facts of another of the same things.
    fn state_like(&self, other: &Scene) -> State {
        let gone = self.scene.facts().iter().map(|atom| (*atom, false));
        let here = other.facts().iter().map(|atom| (*atom, true));
        // Of a fact set both ways true wins.
        self.scene.start().with(gone.chain(here))
    }

    fn step(&mut self, question: &Question<'_>, state: &State) -> Result<Option<Steps>> {
        if !question.rules.rules().is_empty() {
            self.walk.set_watch(question.rules.rules().watch().clone());
        }
        let Decision::Do(first) = self.walk.next(state)? else {
            self.pending = None;
            return Ok(None);
        };
        self.pending = Some(first);
        let mut all = vec![first];
        // The cheapest plan that goes on with this step says what is intended after it.
        let rest = self.plans.iter().find_map(|plan| {
            let at = plan.iter().position(|step| *step == first)?;
            Some(&plan[at + 1..])
        });
        all.extend(rest.unwrap_or_default());
        Ok(all
            .iter()
            .map(|action| self.step_of(action).map(|step| (step, skill(question, step))))
            .collect())
    }

    fn step_of(&self, action: &GroundAction) -> Option<Step> {
        let id = |at: usize| self.ids.get(action.arguments().get(at)?.0 as usize).copied();
        Some(match self.scene.domain().schema(action.schema).name.as_str() {
            "navigate" => Step::Navigate(id(2)?),
            "open" => Step::Open(id(1)?),
            "close" => Step::Close(id(1)?),
            "pick" => Step::Pick(id(1)?),
            "place_on" => Step::Place(id(1)?, RelationKind::On, id(2)?),
            "place_in" => Step::Place(id(1)?, RelationKind::In, id(2)?),
            "place_near" => Step::Place(id(1)?, RelationKind::Near, id(2)?),
            _ => return None,
        })
    }

    /// The tree with every node's state; steps are put in words by `label`.
    pub fn tree(&self, label: impl Fn(Step) -> String) -> Vec<TreeNode> {
        let nodes = self.walk.tree().nodes().iter();
        nodes
            .map(|node| TreeNode {
                parent: node.parent.0,
                label: node
                    .action
                    .and_then(|action| self.step_of(&action))
                    .map_or_else(String::new, &label),
                votes: node.votes,
                state: match node.status {
                    Status::Open if node.action.is_some() && node.action == self.pending => {
                        StepState::Running
                    }
                    Status::Open => StepState::Pending,
                    Status::Done => StepState::Confirmed,
                    Status::Failed(_) => StepState::Failed,
                    Status::Skipped | Status::Pruned(_) | Status::Exhausted => StepState::Abandoned,
                },
            })
            .collect()
    }
}

fn skill(question: &Question<'_>, step: Step) -> Skill {
    match step {
        Step::Navigate(to) => Skill::Navigate {
            to: match question
                .standing
                .iter()
                .find(|(room, _)| place_in_room(**room) == to)
            {
                Some((_, pose)) => NavigationTarget::Pose(*pose),
                None => NavigationTarget::Object(to),
            },
        },
        Step::Open(part) => Skill::Open { part },
        Step::Close(part) => Skill::Close { part },
        Step::Pick(object) => Skill::Pick { object },
        Step::Place(object, relation, target) => Skill::Place {
            object,
            relation,
            target,
        },
    }
}

/// Whether anything could keep these rules and reach this goal, in a home that has all it takes and hides nothing:
/// what is not possible there is possible nowhere.
///
/// # Errors
/// [`Error::Infeasible`] with a minimal conflict where it is not.
pub fn is_thinkable(
    goal: &[(RelationKind, String, String)],
    rules: &HouseRules,
    base: Pose2,
    limits: &Limits,
) -> Result<()> {
    let mut scene = SceneBuilder::new(domain()?);
    scene.object(ROBOT, "robot")?;
    scene.object("here", "place")?;
    scene.fact("at", &[ROBOT, "here"])?;
    for (at, room) in rules.plan().rooms.iter().enumerate() {
        let (name, place) = (room_name(at), format!("in_{}", room.name));
        scene.object(&name, "room")?;
        scene.object(&place, "place")?;
        scene.fact("located", &[&place, &name])?;
        if room.area.contains(base.x_m, base.y_m, 0.0) {
            scene.fact("inside", &[ROBOT, &name])?;
        }
    }
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut parts: BTreeSet<&str> = BTreeSet::new();
    for (_, subject, object) in goal {
        kinds.entry(object).or_insert("place");
        kinds.insert(subject, "item");
    }
    for (_, meaning) in rules.rules().propositions() {
        match meaning {
            Proposition::Related(_, subject, object) => {
                kinds.entry(object).or_insert("place");
                kinds.insert(subject, "item");
            }
            Proposition::Held(class) => {
                kinds.insert(class, "item");
            }
            Proposition::Open(class) => {
                parts.insert(class);
            }
            Proposition::RobotIn(_) => {}
        }
    }
    for (class, kind) in kinds {
        scene.object(class, kind)?;
        if kind == "item" {
            scene.fact("movable", &[class])?;
        }
    }
    let part = |class: &str| format!("part_of_{class}");
    for class in parts {
        scene.object(&part(class), "part")?;
    }
    let scene = scene.build();
    let text = |meaning: &Proposition| match meaning {
        Proposition::RobotIn(rooms) => any(rooms
            .iter()
            .map(|at| format!("(inside {ROBOT} {})", room_name(*at)))),
        Proposition::Related(kind, subject, object) => format!("({kind} {subject} {object})"),
        Proposition::Held(class) => format!("(held {class} {ROBOT})"),
        Proposition::Open(class) => format!("(open {})", part(class)),
    };
    let wanted = goal.iter().map(|(kind, s, o)| format!("({kind} {s} {o})"));
    let goal = Goal::reach(scene.condition(&all(wanted))?);
    let labels = rules
        .rules()
        .propositions()
        .iter()
        .map(|(prop, meaning)| Ok((*prop, Label::Holds(scene.condition(&text(meaning))?))))
        .collect::<Result<Vec<_>>>()?;
    let scene_rules = SceneRules::with_labels(rules.rules().set().clone(), labels);
    match plan_on(&scene.start(), &goal, Some(&scene_rules), None, limits) {
        Err(Error::Infeasible(conflict)) => Err(Error::Infeasible(conflict)),
        // Not being sure is no reason to refuse.
        _ => Ok(()),
    }
}

fn domain() -> Result<Arc<Domain>> {
    DOMAIN.clone()
}

fn room_name(at: usize) -> String {
    format!("room_{at}")
}

fn all(parts: impl Iterator<Item = String>) -> String {
    format!("(and {})", parts.collect::<Vec<_>>().join(" "))
}

fn any(parts: impl Iterator<Item = String>) -> String {
    format!("(or {})", parts.collect::<Vec<_>>().join(" "))
}

/// A state in which one of the ways has been gone and the hand is empty.
fn goal_of(scene: &Scene, belief: &Belief<'_>, ways: &[Vec<Wanted>]) -> Result<Goal> {
    let relation = |(s, kind, t): &Wanted| {
        // What is in a drawer of a thing is in the thing.
        let drawers = belief
            .parts_of(*t)
            .into_iter()
            .filter(|o| *kind == RelationKind::In && o.articulation.is_some_and(|a| a.prismatic));
        let places = drawers.map(|o| o.id).chain([*t]).collect::<BTreeSet<_>>();
        any(places.into_iter().map(|place| format!("({kind} {s} {place})")))
    };
    let way = |wanted: &Vec<Wanted>| all(wanted.iter().map(relation));
    let ways = any(ways.iter().map(way));
    let goal = format!("(and {ways} (not (hand_full {ROBOT})))");
    Ok(Goal::reach(scene.condition(&goal)?))
}

/// The things that the ways and the rules are about, what holds them, and what shuts them in.
fn things(question: &Question<'_>, ways: &[Vec<Wanted>]) -> (BTreeSet<ObjectId>, BTreeSet<ObjectId>) {
    let belief = &question.belief;
    let mut movable: BTreeSet<ObjectId> = ways.iter().flatten().map(|w| w.0).collect();
    movable.extend(belief.held().map(|o| o.id));
    let mut things: BTreeSet<ObjectId> = ways.iter().flatten().flat_map(|w| [w.0, w.2]).collect();
    things.extend(&movable);
    things.extend(question.at.filter(|id| belief.object(*id).is_some()));
    let away = |o: &&SceneObject| {
        let c = o.shape.center;
        ordered((c.x - question.base.x_m).hypot(c.y - question.base.y_m))
    };
    for (_, meaning) in question.rules.rules().propositions() {
        for class in meaning.classes() {
            let mut of_class: Vec<&SceneObject> = belief.of_class(class).collect();
            of_class.sort_by_key(away);
            things.extend(of_class.iter().take(MOST_OF_CLASS).map(|o| o.id));
        }
        match meaning {
            Proposition::Open(class) => things.extend(parts_of_class(belief, class).iter().map(|o| o.id)),
            Proposition::Related(_, class, _) | Proposition::Held(class) => {
                let small = belief.of_class(class).filter(|o| {
                    !Belief::is_furniture(o) && o.articulation.is_none() && things.contains(&o.id)
                });
                movable.extend(small.map(|o| o.id));
            }
            Proposition::RobotIn(_) => {}
        }
    }
    let holders: Vec<ObjectId> = belief
        .graph
        .relations
        .iter()
        .filter(|r| r.kind != RelationKind::Near && things.contains(&r.subject))
        .map(|r| r.object)
        .collect();
    things.extend(holders);
    let parts: Vec<ObjectId> = things
        .iter()
        .filter_map(|id| belief.object(*id))
        .flat_map(|o| shutters(belief, o))
        .map(|o| o.id)
        .collect();
    things.extend(parts);
    things.retain(|id| belief.object(*id).is_some());
    (things, movable)
}

/// Where the goal and the rules speak of something being put, but for places that refused it and are not asked to take
/// anything more.
fn fit_places(question: &Question<'_>, ways: &[Vec<Wanted>]) -> BTreeSet<(RelationKind, ObjectId)> {
    let belief = &question.belief;
    let takes = |id: &ObjectId| !question.refusing.contains(id);
    let wanted = ways.iter().flatten();
    let mut fit: BTreeSet<(RelationKind, ObjectId)> = wanted
        .filter(|w| takes(&w.2) || !belief.holds(w.0, w.1, w.2))
        .map(|w| (w.1, w.2))
        .collect();
    for (_, meaning) in question.rules.rules().propositions() {
        if let Proposition::Related(kind, _, class) = meaning {
            let places = belief.of_class(class).flat_map(|o| match kind {
                RelationKind::In => belief.receptacles(o),
                _ => vec![o],
            });
            fit.extend(places.filter(|o| takes(&o.id)).map(|o| (*kind, o.id)));
        }
    }
    fit
}

/// Positive numbers sort like their bits.
fn ordered(distance_m: f64) -> u64 {
    distance_m.to_bits()
}

/// Parts of which one must be open to reach inside a thing.
fn shutters<'g>(belief: &Belief<'g>, o: &'g SceneObject) -> Vec<&'g SceneObject> {
    match o.articulation {
        Some(a) if a.prismatic => vec![o],
        Some(_) => Vec::new(),
        None => belief.parts_of(o.id),
    }
}

fn build(question: &Question<'_>, ways: &[Vec<Wanted>]) -> Result<(Arc<Scene>, Vec<ObjectId>)> {
    let belief = &question.belief;
    let (things, movable) = things(question, ways);
    let mut scene = SceneBuilder::new(domain()?);
    scene.object(ROBOT, "robot")?;
    let mut ids = vec![HERE];
    let plan = question.rules.plan();
    let with_rooms = question
        .rules
        .rules()
        .propositions()
        .iter()
        .any(|(_, meaning)| matches!(meaning, Proposition::RobotIn(_)));
    let rooms: Vec<usize> = if with_rooms {
        (0..plan.rooms.len()).collect()
    } else {
        Vec::new()
    };
    for room in &rooms {
        scene.object(&room_name(*room), "room")?;
        ids.push(HERE);
    }
    let mut places: Vec<(ObjectId, &str, Point3)> = Vec::new();
    for id in &things {
        let Some(o) = belief.object(*id) else { continue };
        let kind = match (o.articulation.is_some(), movable.contains(id)) {
            (true, _) => "part",
            (false, true) => "item",
            (false, false) => "place",
        };
        places.push((*id, kind, o.shape.center));
    }
    places.push((
        HERE,
        "place",
        Point3::new(question.base.x_m, question.base.y_m, 0.0),
    ));
    for room in &rooms {
        if let Some(pose) = question.standing.get(room) {
            places.push((
                place_in_room(*room),
                "place",
                Point3::new(pose.x_m, pose.y_m, 0.0),
            ));
        }
    }
    let at = question
        .at
        .filter(|at| places.iter().any(|(id, ..)| id == at))
        .unwrap_or(HERE);
    for (id, kind, center) in &places {
        let name = id.to_string();
        let object = scene.object(&name, kind)?;
        ids.push(*id);
        // Travel is on the floor.
        scene.position(object, [center.x, center.y, 0.0]);
        for room in &rooms {
            if plan.rooms[*room].area.contains(center.x, center.y, 0.0) {
                scene.fact("located", &[&name, &room_name(*room)])?;
            }
        }
        if *kind == "item" {
            scene.fact("movable", &[&name])?;
        }
    }
    let fit = fit_places(question, ways);
    for (id, ..) in &places {
        for kind in [RelationKind::On, RelationKind::In, RelationKind::Near] {
            if !fit.contains(&(kind, *id)) {
                scene.fact(&format!("unfit_{kind}"), &[&id.to_string()])?;
            }
        }
    }
    scene.fact("at", &[ROBOT, &at.to_string()])?;
    for room in &rooms {
        if plan.rooms[*room]
            .area
            .contains(question.base.x_m, question.base.y_m, 0.0)
        {
            scene.fact("inside", &[ROBOT, &room_name(*room)])?;
        }
    }
    for id in &things {
        let Some(o) = belief.object(*id) else { continue };
        let name = id.to_string();
        if let Some(a) = o.articulation {
            if a.lets_in() == Some(true) {
                scene.fact("open", &[&name])?;
            } else if a.is_closed() == Some(false) {
                scene.fact("ajar", &[&name])?;
            }
            if question.stuck.contains(id) {
                scene.fact("stuck", &[&name])?;
            }
        }
        for part in shutters(belief, o) {
            let is_open = part.articulation.is_some_and(|a| a.lets_in() == Some(true));
            if is_open || !question.stuck.contains(&part.id) {
                scene.fact("shuts", &[&part.id.to_string(), &name])?;
            }
        }
    }
    if let Some(held) = belief.held() {
        scene.fact("held", &[&held.id.to_string(), ROBOT])?;
    }
    for r in &belief.graph.relations {
        if things.contains(&r.subject) && things.contains(&r.object) && movable.contains(&r.subject) {
            scene.fact(
                &r.kind.to_string(),
                &[&r.subject.to_string(), &r.object.to_string()],
            )?;
        }
    }
    Ok((scene.build(), ids))
}

/// The rules with their meanings in the scene: a class stands for all its things.
fn scene_rules(question: &Question<'_>, scene: &Scene) -> Result<Option<SceneRules>> {
    let rules = question.rules.rules();
    if rules.is_empty() {
        return Ok(None);
    }
    let belief = &question.belief;
    let in_scene = |id: &ObjectId| scene.named(&id.to_string()).is_some();
    let item = scene.domain().type_named("item");
    let is_item = |id: &ObjectId| {
        let object = scene.named(&id.to_string());
        object
            .zip(item)
            .is_some_and(|(object, item)| scene.is(object, item))
    };
    let of_class = |class: &str| {
        let all = belief.of_class(class).map(|o| o.id);
        all.filter(&in_scene).collect::<Vec<_>>()
    };
    let labels = rules.propositions().iter().map(|(prop, meaning)| {
        let text = match meaning {
            Proposition::RobotIn(rooms) => any(rooms
                .iter()
                .map(|at| format!("(inside {ROBOT} {})", room_name(*at)))),
            Proposition::Held(class) => {
                let items = of_class(class).into_iter().filter(&is_item);
                any(items.map(|id| format!("(held {id} {ROBOT})")))
            }
            Proposition::Open(class) => {
                let parts = parts_of_class(belief, class)
                    .into_iter()
                    .map(|o| o.id)
                    .filter(&in_scene);
                any(parts.flat_map(|id| [format!("(open {id})"), format!("(ajar {id})")]))
            }
            Proposition::Related(kind, subject, object) => {
                let mut targets = of_class(object);
                if *kind == RelationKind::In {
                    let parts = parts_of_class(belief, object).into_iter().map(|o| o.id);
                    targets.extend(parts.filter(&in_scene));
                }
                let subjects: Vec<ObjectId> = of_class(subject).into_iter().filter(&is_item).collect();
                let pairs = subjects
                    .iter()
                    .flat_map(|s| targets.iter().map(move |t| format!("({kind} {s} {t})")));
                any(pairs.collect::<BTreeSet<_>>().into_iter())
            }
        };
        Ok((*prop, Label::Holds(scene.condition(&text)?)))
    });
    let labels = labels.collect::<Result<Vec<_>>>()?;
    Ok(Some(SceneRules::with_labels(rules.set().clone(), labels)))
}
