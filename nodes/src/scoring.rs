//! Whether the rules of a task were kept, by the simulator's truth.
//!
//! The same formulas that the robot watches on what it believes are watched here on what is so. A thing counts as open
//! from an opening on that one would see across a room: 20 degrees, or 7.5 centimetres. The robot counts it as open
//! from less than that.

use std::collections::BTreeSet;

use steward_core::geometry::Pose2;
use steward_core::messages::{FloorPlan, RelationKind};
use steward_core::{Duration, Time};
use steward_sim::model::{EntityKind, Home};
use steward_sim::physics::Physics;
use steward_sim::simulation::Simulation;
use steward_sim::truth::Truth;
use steward_task::house_rules::{Proposition, Rules};

use crate::episode::floor_plan;

/// From this position on a door or lid is open, radians, or a drawer, metres.
const OPEN_FROM: (f64, f64) = (0.35, 0.075);
/// How often relations between things are looked at; rooms, parts and the hand are looked at every time.
const RELATIONS_PERIOD: Duration = Duration::from_millis(200);

/// Watches rules on the truth.
#[derive(Debug, Clone)]
pub struct TrueRules {
    rules: Rules,
    /// The rooms in the home's own frame.
    plan: FloorPlan,
    relations: Vec<bool>,
    looked_at: Option<Time>,
    /// Rules that were broken before the robot did anything.
    broken_before: Vec<String>,
}

impl TrueRules {
    /// A watch over rules in a home.
    ///
    /// # Errors
    /// As [`Rules::read`].
    pub fn new(texts: &[String], home: &Home) -> steward_task::Result<TrueRules> {
        let mut home = home.clone();
        home.robot_start = Pose2::default();
        let plan = floor_plan(&home, Time::ZERO);
        let rules = Rules::read(texts, &BTreeSet::new(), Some(&plan))?;
        Ok(TrueRules {
            relations: vec![false; rules.propositions().len()],
            rules,
            plan,
            looked_at: None,
            broken_before: Vec::new(),
        })
    }

    /// Looks at the truth.
    pub fn look(&mut self, simulation: &Simulation) {
        if self.rules.is_empty() {
            return;
        }
        let now = simulation.now();
        let first = self.looked_at.is_none();
        if self
            .looked_at
            .is_none_or(|before| now - before >= RELATIONS_PERIOD)
        {
            self.looked_at = Some(now);
            self.relations = self.related(simulation);
        }
        let physics = simulation.physics();
        let propositions = self.rules.propositions().iter().zip(&self.relations);
        let holding = propositions.map(|((_, meaning), related)| match meaning {
            Proposition::Related(..) => *related,
            Proposition::RobotIn(rooms) => {
                let base = physics.base();
                let room = self.plan.room_at(base.x_m, base.y_m);
                room.is_some_and(|room| rooms.contains(&room))
            }
            Proposition::Held(class) => physics.gripper().held.is_some_and(|id| {
                let entity = physics.entities().get(id.0 as usize);
                entity.is_some_and(|e| e.class == *class && matches!(e.kind, EntityKind::Object { .. }))
            }),
            Proposition::Open(class) => is_open(physics, class),
        });
        let holding = holding.collect();
        self.rules.show(holding);
        if first {
            self.broken_before = self.rules.broken();
        }
    }

    fn related(&self, simulation: &Simulation) -> Vec<bool> {
        let relations = |meaning: &Proposition| match meaning {
            Proposition::Related(kind, subject, object) => Some((*kind, subject.clone(), object.clone())),
            _ => None,
        };
        let wanted: Vec<Option<(RelationKind, String, String)>> = self
            .rules
            .propositions()
            .iter()
            .map(|(_, meaning)| relations(meaning))
            .collect();
        if wanted.iter().all(Option::is_none) {
            return self.relations.clone();
        }
        let truth: Truth = simulation.truth();
        let holds = |w: Option<(RelationKind, String, String)>| {
            w.is_some_and(|(kind, subject, object)| truth.holds(kind, &subject, &object))
        };
        wanted.into_iter().map(holds).collect()
    }

    /// The texts of the rules that were not kept: broken on the way, or with something still owed now.
    pub fn violations(&self) -> Vec<String> {
        let broken = self.rules.broken().into_iter();
        broken
            .filter(|text| !self.broken_before.contains(text))
            .chain(self.rules.owing())
            .collect()
    }

    /// The rules as text, as the robot writes them.
    pub fn texts(&self) -> Vec<String> {
        let arena = self.rules.set().arena();
        let rules = self.rules.set().rules().iter();
        rules.map(|rule| arena.text(rule.formula())).collect()
    }
}

/// Whether a thing of a class, or a part of one, is open.
pub fn is_open(physics: &Physics, class: &str) -> bool {
    physics.entities().iter().any(|e| {
        let EntityKind::Part(joint) = &e.kind else {
            return false;
        };
        let of_class = e.class == class || physics.entities()[joint.parent.0 as usize].class == class;
        let from = if joint.prismatic { OPEN_FROM.1 } else { OPEN_FROM.0 };
        of_class
            && physics
                .part_position(e.id)
                .is_some_and(|position| position > from)
    })
}
