//! The validator: says after each finished step whether its effect can be observed.
//!
//! It believes neither the executor nor the simulator: a step counts as confirmed when localisation, contacts
//! and the scene graph show its effect, as refuted when they plainly show otherwise, and as undecided when in
//! time neither could be seen.
//!
//! | step | confirmed when |
//! |---|---|
//! | navigate | the base is at the pose, or near the object and turned towards it |
//! | look | every point was inside the image while a frame was taken |
//! | pick | both fingers touch something, it is the object, and the object's old place holds none like it |
//! | place | the fingers are free and a fresh frame shows the object in the relation |
//! | open, close | a fresh frame shows the part open, or closed |
//!
//! Counters: `verdict_confirmed`, `verdict_refuted`, `verdict_undecided`, `transform_refused`,
//! `superseded` (a step that a newer one replaced before it was decided), `time_jumped_back`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::geometry::{Point3, Pose2, wrap_angle_rad};
use steward_core::ids::{ObjectId, StepId};
use steward_core::messages::{
    GripperContacts, Header, NavigationTarget, Odometry, Presence, Provenance, Relation, RelationKind,
    SceneGraph, SceneObject, Skill, SkillState, SkillStatus, Transforms, Verdict, VerdictKind,
};
use steward_core::transforms::TransformBuffer;
use steward_core::{Duration, Time, frames};
use steward_scene::{Error, Result};

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, message};

/// How often a pending step is looked at.
const PERIOD: Duration = Duration::from_millis(100);
/// An image this much older than the end of a placement still shows where the thing ended up.
const RECENT: Duration = Duration::from_millis(500);
/// How long transforms are remembered.
const TRANSFORM_HISTORY: Duration = Duration::from_secs(5);

/// How the validator works.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ValidatorConfig {
    /// After this long without a decision a step is undecided, seconds.
    pub timeout_s: f64,
    /// What contradicts a step must last this long, seconds: graph and contacts lag behind the robot.
    pub settle_s: f64,
    /// Largest distance between the base and the pose it was sent to, metres. Poses are for looking around, and
    /// the base stops short where something it did not know of stands there.
    pub position_tolerance_m: f64,
    /// Largest difference of heading, radians.
    pub heading_tolerance_rad: f64,
    /// Largest distance between the base and the box of the object it was sent to, metres.
    pub object_distance_m: f64,
    /// Largest angle between straight ahead and the object the base was sent to, radians.
    pub object_bearing_rad: f64,
    /// Half the horizontal angle of the camera in which a point counts as seen, radians.
    pub view_half_width_rad: f64,
    /// Half the vertical angle of the camera in which a point counts as seen, radians.
    pub view_half_height_rad: f64,
    /// Fingers closer than this hold nothing, metres.
    pub min_opening_m: f64,
    /// A thing of the class this close to where the picked one was means that it was not picked, metres.
    pub old_place_m: f64,
}

impl Default for ValidatorConfig {
    fn default() -> Self {
        ValidatorConfig {
            timeout_s: 5.0,
            settle_s: 1.2,
            position_tolerance_m: 0.55,
            heading_tolerance_rad: 0.35,
            object_distance_m: 2.0,
            object_bearing_rad: 1.3,
            view_half_width_rad: 0.60,
            view_half_height_rad: 0.47,
            min_opening_m: 0.003,
            old_place_m: 0.08,
        }
    }
}

impl ValidatorConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the field that is out of range.
    pub fn validate(&self) -> Result<()> {
        for (field, value, high) in [
            ("validator.timeout_s", self.timeout_s, 600.0),
            ("validator.settle_s", self.settle_s, self.timeout_s),
            ("validator.position_tolerance_m", self.position_tolerance_m, 10.0),
            ("validator.heading_tolerance_rad", self.heading_tolerance_rad, 3.2),
            ("validator.object_distance_m", self.object_distance_m, 20.0),
            ("validator.object_bearing_rad", self.object_bearing_rad, 3.2),
            ("validator.view_half_width_rad", self.view_half_width_rad, 1.5),
            ("validator.view_half_height_rad", self.view_half_height_rad, 1.5),
            ("validator.min_opening_m", self.min_opening_m, 0.1),
            ("validator.old_place_m", self.old_place_m, 1.0),
        ] {
            if !(value > 0.0 && value <= high) {
                return Err(Error::BadConfig {
                    field,
                    reason: format!("{value} must be above 0 and at most {high}"),
                });
            }
        }
        Ok(())
    }
}

/// A step from its first status to its verdict.
#[derive(Debug)]
struct Watched {
    step: StepId,
    skill: Skill,
    started: Time,
    done: Option<Time>,
    /// For `look`: when each point was in the image first.
    in_view: Vec<Option<Time>>,
    /// For `pick`: where the object was at the start.
    old_place: Option<Point3>,
}

/// What the observations say about a step now.
enum Finding {
    Holds(String),
    /// Contradicted; becomes a verdict if it lasts.
    Violated(String),
    /// Contradicted by something that will not change by waiting.
    Final(String),
    /// What is missing.
    Open(String),
}

/// Checks effects of steps.
#[derive(Debug)]
pub struct Validator {
    config: ValidatorConfig,
    transforms: TransformBuffer,
    graph: Option<Arc<SceneGraph>>,
    contacts: Option<Arc<GripperContacts>>,
    odometry: Option<Arc<Odometry>>,
    watched: Option<Watched>,
    decided: Option<StepId>,
    last_now: Time,
    counters: Counters,
}

impl Validator {
    /// A validator that has seen nothing yet.
    ///
    /// # Errors
    /// [`Error::BadConfig`] where the settings make no sense.
    pub fn new(config: ValidatorConfig) -> Result<Self> {
        config.validate()?;
        Ok(Validator {
            config,
            transforms: TransformBuffer::new(TRANSFORM_HISTORY),
            graph: None,
            contacts: None,
            odometry: None,
            watched: None,
            decided: None,
            last_now: Time::ZERO,
            counters: Counters::default(),
        })
    }

    fn forget_if_time_jumped_back(&mut self, now: Time) {
        if now < self.last_now {
            self.counters.count("time_jumped_back");
            self.transforms.clear();
            self.graph = None;
            self.contacts = None;
            self.odometry = None;
            self.watched = None;
        }
        self.last_now = now;
    }

    fn take_status(&mut self, now: Time, status: &SkillStatus) {
        if self.decided == Some(status.step) {
            return;
        }
        if self.watched.as_ref().is_none_or(|w| w.step != status.step) {
            if self.watched.as_ref().is_some_and(|w| w.done.is_some()) {
                self.counters.count("superseded");
            }
            let points = match &status.skill {
                Skill::Look { at } => at.len(),
                _ => 0,
            };
            let old_place = match status.skill {
                Skill::Pick { object } => self.object(object).map(|o| o.shape.center),
                _ => None,
            };
            self.watched = Some(Watched {
                step: status.step,
                skill: status.skill.clone(),
                started: now,
                done: None,
                in_view: vec![None; points],
                old_place,
            });
        }
        match status.state {
            SkillState::Running => {}
            SkillState::Done => {
                if let Some(watched) = &mut self.watched {
                    watched.done.get_or_insert(now);
                }
            }
            SkillState::Failed(_) => self.watched = None,
        }
    }

    fn object(&self, id: ObjectId) -> Option<&SceneObject> {
        let graph = self.graph.as_ref()?;
        let at = graph.objects.binary_search_by_key(&id, |o| o.id).ok()?;
        graph.objects.get(at)
    }

    /// The object's class and id for people.
    fn name_of(&self, id: ObjectId) -> String {
        match self.object(id) {
            Some(object) => format!("{} {id}", object.class),
            None => id.to_string(),
        }
    }

    /// Notes which points of a `look` are in the image.
    fn note_view(&mut self, now: Time) {
        let Some(Watched {
            skill: Skill::Look { at },
            in_view,
            ..
        }) = &mut self.watched
        else {
            return;
        };
        let Ok(map_from_camera) = self.transforms.latest(frames::MAP, frames::HEAD_CAMERA_OPTICAL) else {
            return;
        };
        for (point, seen) in at.iter().zip(in_view) {
            let p = map_from_camera.inverse_transform_point(point);
            let inside = p.z > 0.0
                && p.x.atan2(p.z).abs() <= self.config.view_half_width_rad
                && p.y.atan2(p.z).abs() <= self.config.view_half_height_rad;
            if inside && seen.is_none() {
                *seen = Some(now);
            }
        }
    }

    fn work(&mut self, now: Time, out: &mut Outbox) {
        self.note_view(now);
        let Some(watched) = &self.watched else {
            return;
        };
        let Some(done) = watched.done else {
            return;
        };
        let age = now - done;
        let settled = age >= Duration::from_secs_f64(self.config.settle_s);
        let late = age >= Duration::from_secs_f64(self.config.timeout_s);
        let (kind, detail) = match self.finding(watched, done) {
            Finding::Holds(detail) => (VerdictKind::Confirmed, detail),
            Finding::Final(detail) => (VerdictKind::Refuted, detail),
            Finding::Violated(detail) if settled => (VerdictKind::Refuted, detail),
            Finding::Violated(_) => return,
            Finding::Open(missing) if late => (VerdictKind::Undecided, missing),
            Finding::Open(_) => return,
        };
        let stamp = self.graph.as_ref().map_or(now, |g| g.header.stamp);
        self.counters.count(match kind {
            VerdictKind::Confirmed => "verdict_confirmed",
            VerdictKind::Refuted => "verdict_refuted",
            VerdictKind::Undecided => "verdict_undecided",
        });
        self.decided = Some(watched.step);
        let step = watched.step;
        self.watched = None;
        out.send(message(
            Message::Verdict,
            Verdict {
                header: Header::new(stamp, frames::MAP),
                step,
                kind,
                detail,
            },
        ));
    }

    fn finding(&self, watched: &Watched, done: Time) -> Finding {
        match &watched.skill {
            Skill::Navigate { to } => self.navigated(to),
            Skill::Look { at } => self.looked(at, &watched.in_view),
            Skill::Pick { object } => self.picked(*object, watched, done),
            Skill::Place {
                object,
                relation,
                target,
            } => self.placed(*object, *relation, *target, done),
            Skill::Open { part } => self.part_is(*part, true, done),
            Skill::Close { part } => self.part_is(*part, false, done),
        }
    }

    fn navigated(&self, to: &NavigationTarget) -> Finding {
        let Ok(map_from_base) = self.transforms.latest(frames::MAP, frames::BASE_LINK) else {
            return Finding::Open("The base is not localised, so where it arrived cannot be told.".into());
        };
        let moving = self
            .odometry
            .as_ref()
            .is_some_and(|o| o.linear_m_s.abs() > 0.05 || o.angular_rad_s.abs() > 0.1);
        let base = Pose2::from_pose3(&map_from_base);
        let (holds, detail) = match to {
            NavigationTarget::Pose(goal) => {
                let gap = base.distance_m(goal);
                let turn = wrap_angle_rad(base.yaw_rad - goal.yaw_rad).abs();
                (
                    gap <= self.config.position_tolerance_m && turn <= self.config.heading_tolerance_rad,
                    format!(
                        "The base is {gap:.2} m from the pose it was sent to and turned {:.0}° from it.",
                        turn.to_degrees()
                    ),
                )
            }
            NavigationTarget::Object(id) => {
                let Some(object) = self.object(*id) else {
                    return Finding::Open(format!("{id} is not in memory, so nearness cannot be told."));
                };
                let shape = &object.shape;
                let local =
                    shape
                        .pose()
                        .inverse_transform_point(&Point3::new(base.x_m, base.y_m, shape.center.z));
                let gap = (local.x.abs() - shape.half.x)
                    .max(0.0)
                    .hypot((local.y.abs() - shape.half.y).max(0.0));
                let direction = (shape.center.y - base.y_m).atan2(shape.center.x - base.x_m);
                let bearing = wrap_angle_rad(direction - base.yaw_rad).abs();
                (
                    gap <= self.config.object_distance_m
                        && (bearing <= self.config.object_bearing_rad || gap < 0.1),
                    format!(
                        "The base is {gap:.2} m from {} and turned {:.0}° from it.",
                        self.name_of(*id),
                        bearing.to_degrees()
                    ),
                )
            }
        };
        match (holds, moving) {
            (true, _) => Finding::Holds(detail),
            (false, true) => Finding::Violated(detail),
            (false, false) => Finding::Final(detail),
        }
    }

    fn looked(&self, at: &[Point3], in_view: &[Option<Time>]) -> Finding {
        let newest = self.graph.as_ref().map(|g| g.header.stamp);
        let seen = in_view
            .iter()
            .filter(|t| t.is_some_and(|t| newest.is_some_and(|n| n >= t)))
            .count();
        if seen == at.len() {
            return Finding::Holds(format!("All {} points were in an image.", at.len()));
        }
        let framed = in_view.iter().flatten().count();
        if framed < at.len() {
            Finding::Violated(format!(
                "Only {framed} of {} points came into the image.",
                at.len()
            ))
        } else {
            Finding::Open(format!(
                "{seen} of {} points were in an image; no newer image came.",
                at.len()
            ))
        }
    }

    /// Whether the newest image in the graph is from after a time.
    fn graph_since(&self, since: Time) -> bool {
        self.graph.as_ref().is_some_and(|g| g.header.stamp > since)
    }

    fn picked(&self, id: ObjectId, watched: &Watched, done: Time) -> Finding {
        let name = self.name_of(id);
        let Some(contacts) = &self.contacts else {
            return Finding::Open("Nothing is known of the fingers.".into());
        };
        if !(contacts.left && contacts.right && contacts.opening_m > self.config.min_opening_m) {
            return Finding::Violated(format!("The fingers hold nothing, so {name} was not picked."));
        }
        if let (Some(graph), Some(old_place)) = (&self.graph, watched.old_place) {
            let class = self.object(id).map(|o| o.class.as_str());
            let still_there = graph.objects.iter().find(|o| {
                Some(o.class.as_str()) == class
                    && o.presence == Presence::Present
                    && o.last_seen > done
                    && (o.id == id || o.first_seen > watched.started)
                    && (o.shape.center - old_place).norm() <= self.config.old_place_m
            });
            if still_there.is_some() {
                return Finding::Violated(format!("{name} is still seen where it was."));
            }
        }
        match self.object(id).map(|o| o.presence) {
            Some(Presence::Held) if self.graph_since(done) => Finding::Holds(format!(
                "Both fingers touch {name}, {:.0} mm apart, and it left its place.",
                contacts.opening_m * 1000.0
            )),
            Some(Presence::Held) => Finding::Open(format!("No image came since {name} was picked.")),
            Some(_) => Finding::Violated(format!("The fingers hold something that is not {name}.")),
            None => Finding::Open(format!("{id} is not in memory.")),
        }
    }

    fn placed(&self, id: ObjectId, kind: RelationKind, target: ObjectId, done: Time) -> Finding {
        let (name, target_name) = (self.name_of(id), self.name_of(target));
        match &self.contacts {
            None => return Finding::Open("Nothing is known of the fingers.".into()),
            Some(c) if c.left && c.right => {
                return Finding::Violated(format!("{name} is still between the fingers."));
            }
            Some(_) => {}
        }
        let Some(object) = self.object(id) else {
            return Finding::Open(format!("{id} is not in memory."));
        };
        match object.presence {
            Presence::Held => return Finding::Open(format!("Memory still has {name} in the gripper.")),
            Presence::Missing => {
                return Finding::Violated(format!("{name} is not seen where it was let go."));
            }
            Presence::Present => {}
        }
        // Letting go makes the place an expectation; seeing it there makes it an observation again.
        if object.provenance == Provenance::Expected || object.last_seen + RECENT <= done {
            return Finding::Open(format!("{name} was not seen since it was let go."));
        }
        let wanted = Relation {
            subject: id,
            kind,
            object: target,
        };
        let graph = self.graph.as_ref();
        if graph.is_some_and(|g| g.relations.binary_search(&wanted).is_ok()) {
            return Finding::Holds(format!("{name} is seen {kind} {target_name}."));
        }
        let found = graph
            .and_then(|g| {
                g.relations
                    .iter()
                    .find(|r| r.subject == id && r.kind != RelationKind::Near)
            })
            .map_or_else(
                || format!("at a height of {:.2} m", object.shape.bottom_m()),
                |r| format!("{} {}", r.kind, self.name_of(r.object)),
            );
        Finding::Violated(format!("{name} is seen {found}, not {kind} {target_name}."))
    }

    fn part_is(&self, part: ObjectId, open: bool, done: Time) -> Finding {
        let name = self.name_of(part);
        let Some(object) = self.object(part) else {
            return Finding::Open(format!("{part} is not in memory."));
        };
        if object.last_seen <= done {
            return Finding::Open(format!("{name} was not seen since it was moved."));
        }
        let Some(state) = object.articulation else {
            return Finding::Open(format!("How {name} moves is not known."));
        };
        let Some(position) = state.position else {
            return Finding::Open(format!("How far {name} is open could not be seen."));
        };
        let detail = if state.prismatic {
            format!("{name} is seen {:.0} cm open.", position * 100.0)
        } else {
            format!("{name} is seen {:.0}° open.", position.to_degrees())
        };
        let holds = if open { state.is_open() } else { state.is_closed() };
        if holds == Some(true) {
            Finding::Holds(detail)
        } else {
            Finding::Violated(detail)
        }
    }
}

impl Node for Validator {
    fn name(&self) -> &'static str {
        "validator"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[
            Topic::SceneGraph,
            Topic::GripperContacts,
            Topic::Transforms,
            Topic::Localization,
            Topic::Odometry,
            Topic::SkillStatus,
        ]
    }

    fn period(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_message(&mut self, now: Time, message: &Message, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        match message {
            Message::SceneGraph(graph) => {
                self.graph = Some(graph.clone());
                self.work(now, out);
            }
            Message::GripperContacts(contacts) => self.contacts = Some(contacts.clone()),
            Message::Odometry(odometry) => self.odometry = Some(odometry.clone()),
            Message::SkillStatus(status) => self.take_status(now, status),
            Message::Transforms(transforms) | Message::Localization(transforms) => {
                self.take_transforms(transforms);
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        self.work(now, out);
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.snapshot()
    }
}

impl Validator {
    fn take_transforms(&mut self, transforms: &Transforms) {
        for transform in &transforms.transforms {
            if self.transforms.insert(transform).is_err() {
                self.counters.count("transform_refused");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_core::geometry::{OrientedBox, Pose3, Vector3};
    use steward_core::messages::{ArticulationState, StampedTransform};

    fn validator() -> Validator {
        Validator::new(ValidatorConfig::default()).unwrap()
    }

    fn at(secs: f64) -> Time {
        Time::from_secs_f64(secs)
    }

    fn object(id: u32, class: &str, x: f64, last_seen: f64) -> SceneObject {
        SceneObject {
            id: ObjectId(id),
            class: class.into(),
            shape: OrientedBox {
                center: Point3::new(x, 0.0, 0.8),
                yaw_rad: 0.0,
                half: Vector3::repeat(0.05),
            },
            presence: Presence::Present,
            provenance: Provenance::Observed,
            confidence: 1.0,
            first_seen: Time::ZERO,
            last_seen: at(last_seen),
            articulation: None,
            surfaces: Vec::new(),
        }
    }

    fn graph(stamp: f64, objects: Vec<SceneObject>, relations: Vec<Relation>) -> Message {
        message(
            Message::SceneGraph,
            SceneGraph {
                header: Header::new(at(stamp), frames::MAP),
                objects,
                relations,
            },
        )
    }

    fn status(secs: f64, skill: Skill, state: SkillState) -> Message {
        message(
            Message::SkillStatus,
            SkillStatus {
                header: Header::new(at(secs), frames::MAP),
                step: StepId(1),
                skill,
                state,
                detail: String::new(),
            },
        )
    }

    fn contacts(secs: f64, touching: bool) -> Message {
        message(
            Message::GripperContacts,
            GripperContacts {
                header: Header::new(at(secs), ""),
                left: touching,
                right: touching,
                opening_m: 0.05,
            },
        )
    }

    fn base_at(x: f64, yaw: f64) -> Message {
        let edge = |parent: &str, child: &str, pose: Pose3| StampedTransform {
            stamp: Time::ZERO,
            parent: parent.into(),
            child: child.into(),
            parent_from_child: pose,
            is_static: true,
        };
        let transforms = vec![
            edge(frames::MAP, frames::ODOM, Pose3::identity()),
            edge(
                frames::ODOM,
                frames::BASE_LINK,
                Pose2::new(x, 0.0, yaw).to_pose3(),
            ),
        ];
        message(Message::Transforms, Transforms { transforms })
    }

    /// Sends messages at times, then ticks until `until`; returns the verdicts.
    fn verdicts(messages: Vec<(f64, Message)>, until: f64) -> Vec<Verdict> {
        let mut node = validator();
        let mut out = Outbox::default();
        let mut messages = messages.into_iter().peekable();
        let mut now = 0.0;
        while now <= until {
            while let Some((t, m)) = messages.next_if(|(t, _)| *t <= now) {
                node.on_message(at(t.max(now)), &m, &mut out);
            }
            node.on_tick(at(now), &mut out);
            now += 0.1;
        }
        out.drain()
            .filter_map(|m| match m {
                Message::Verdict(v) => Some((*v).clone()),
                _ => None,
            })
            .collect()
    }

    fn only(messages: Vec<(f64, Message)>) -> VerdictKind {
        let found = verdicts(messages, 12.0);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].detail.ends_with('.'), "{found:?}");
        found[0].kind
    }

    #[test]
    fn driving_is_checked_against_localisation() {
        let go = |x| Skill::Navigate {
            to: NavigationTarget::Pose(Pose2::new(x, 0.0, 0.0)),
        };
        let run = |base: f64| {
            only(vec![
                (0.0, base_at(base, 0.1)),
                (0.5, status(0.5, go(1.0), SkillState::Running)),
                (1.0, status(1.0, go(1.0), SkillState::Done)),
            ])
        };
        assert_eq!(run(1.1), VerdictKind::Confirmed);
        assert_eq!(run(1.6), VerdictKind::Refuted);
        let lost = only(vec![(1.0, status(1.0, go(1.0), SkillState::Done))]);
        assert_eq!(lost, VerdictKind::Undecided);
    }

    #[test]
    fn picking_needs_contact_and_the_object_gone_from_its_place() {
        let pick = Skill::Pick { object: ObjectId(1) };
        let held = || SceneObject {
            presence: Presence::Held,
            ..object(1, "mug", 0.5, 1.0)
        };
        let start = |after: Vec<(f64, Message)>| {
            let mut all = vec![
                (0.0, graph(0.0, vec![object(1, "mug", 1.0, 0.0)], vec![])),
                (0.1, status(0.1, pick.clone(), SkillState::Running)),
                (1.0, status(1.0, pick.clone(), SkillState::Done)),
            ];
            all.extend(after);
            only(all)
        };
        let touched = (1.1, contacts(1.1, true));
        let fresh = (1.5, graph(1.4, vec![held()], vec![]));
        assert_eq!(
            start(vec![touched.clone(), fresh.clone()]),
            VerdictKind::Confirmed
        );
        assert_eq!(
            start(vec![(1.1, contacts(1.1, false)), fresh]),
            VerdictKind::Refuted
        );
        // A mug turns up where the picked one was: the fingers hold something else.
        let left_behind = SceneObject {
            first_seen: at(1.2),
            ..object(2, "mug", 1.02, 1.4)
        };
        let doubtful = (1.1, graph(1.05, vec![held(), left_behind], vec![]));
        assert_eq!(start(vec![touched.clone(), doubtful]), VerdictKind::Refuted);
        assert_eq!(start(vec![touched]), VerdictKind::Refuted);
        assert_eq!(start(vec![]), VerdictKind::Undecided);
    }

    #[test]
    fn placing_needs_free_fingers_and_a_fresh_look() {
        let place = Skill::Place {
            object: ObjectId(1),
            relation: RelationKind::On,
            target: ObjectId(2),
        };
        let on = Relation {
            subject: ObjectId(1),
            kind: RelationKind::On,
            object: ObjectId(2),
        };
        let run = |touching, mug: SceneObject, relations: Vec<Relation>| {
            only(vec![
                (1.0, status(1.0, place.clone(), SkillState::Done)),
                (1.1, contacts(1.1, touching)),
                (1.5, graph(1.4, vec![mug, object(2, "desk", 1.0, 1.4)], relations)),
            ])
        };
        let seen = || object(1, "mug", 1.0, 1.4);
        assert_eq!(run(false, seen(), vec![on]), VerdictKind::Confirmed);
        assert_eq!(run(false, seen(), vec![]), VerdictKind::Refuted);
        assert_eq!(run(true, seen(), vec![on]), VerdictKind::Refuted);
        let unseen = SceneObject {
            provenance: Provenance::Expected,
            ..seen()
        };
        assert_eq!(run(false, unseen, vec![on]), VerdictKind::Undecided);
    }

    #[test]
    fn opening_is_checked_on_the_part_seen_again() {
        let door = |position: Option<f64>, last_seen: f64| SceneObject {
            articulation: Some(ArticulationState {
                owner: None,
                prismatic: false,
                pivot: Point3::origin(),
                axis: Vector3::z(),
                handle: None,
                position,
                open_at: 1.4,
            }),
            ..object(1, "fridge_door", 1.0, last_seen)
        };
        let run = |skill: Skill, part: SceneObject| {
            only(vec![
                (1.0, status(1.0, skill, SkillState::Done)),
                (1.5, graph(1.4, vec![part], vec![])),
            ])
        };
        let (open, close) = (
            Skill::Open { part: ObjectId(1) },
            Skill::Close { part: ObjectId(1) },
        );
        assert_eq!(run(open.clone(), door(Some(1.3), 1.4)), VerdictKind::Confirmed);
        assert_eq!(run(open.clone(), door(Some(0.3), 1.4)), VerdictKind::Refuted);
        assert_eq!(run(close.clone(), door(Some(0.1), 1.4)), VerdictKind::Confirmed);
        assert_eq!(run(close, door(Some(0.5), 1.4)), VerdictKind::Refuted);
        assert_eq!(run(open.clone(), door(Some(1.3), 0.9)), VerdictKind::Undecided);
        assert_eq!(run(open, door(None, 1.4)), VerdictKind::Undecided);
    }

    #[test]
    fn a_failed_step_gets_no_verdict_and_bad_settings_are_named() {
        let look = Skill::Look { at: vec![] };
        let failed = SkillState::Failed(steward_core::messages::SkillFailure::TimedOut);
        assert!(verdicts(vec![(0.1, status(0.1, look, failed))], 10.0).is_empty());
        let bad = ValidatorConfig {
            timeout_s: f64::NAN,
            ..ValidatorConfig::default()
        };
        assert!(
            Validator::new(bad)
                .unwrap_err()
                .to_string()
                .contains("validator.timeout_s")
        );
    }
}
