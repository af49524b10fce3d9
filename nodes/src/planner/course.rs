//! What the planner is at: a task, or one skill that was asked for.

use steward_core::messages::{FloorArea, Skill, TreeNode};
use steward_task::house_rules::{HouseRules, Objection};
use steward_task::mission::{Decision, Ended, Intended, Mission, View};
use steward_task::single::Single;

pub(super) enum Course {
    Task(Box<Mission>),
    Skill(Box<Single>),
}

impl Course {
    pub(super) fn rules(&self) -> &HouseRules {
        match self {
            Course::Task(mission) => mission.rules(),
            Course::Skill(single) => single.rules(),
        }
    }

    /// See [`Mission::observe`].
    pub(super) fn observe(&mut self, view: &View<'_>) {
        match self {
            Course::Task(mission) => mission.observe(view),
            Course::Skill(single) => single.watch(view),
        }
    }

    /// See [`Mission::watch`].
    pub(super) fn watch(&mut self, view: &View<'_>) {
        match self {
            Course::Task(mission) => mission.watch(view),
            Course::Skill(single) => single.watch(view),
        }
    }

    /// See [`Mission::permits`].
    pub(super) fn permits(&self, view: &View<'_>, skill: &Skill) -> Result<Vec<FloorArea>, Objection> {
        match self {
            Course::Task(mission) => mission.permits(view, skill),
            Course::Skill(single) => single.permits(view, skill),
        }
    }

    /// See [`Mission::decide`].
    pub(super) fn decide(&mut self, view: &View<'_>) -> Decision {
        match self {
            Course::Task(mission) => mission.decide(view),
            Course::Skill(single) => single.decide(view),
        }
    }

    /// See [`Mission::refused`].
    pub(super) fn refused(&mut self, view: &View<'_>, intended: &Intended, objection: &Objection) {
        match self {
            Course::Task(mission) => mission.refused(view, intended, objection),
            Course::Skill(single) => single.refused(objection),
        }
    }

    /// See [`Mission::finished`].
    pub(super) fn finished(&mut self, view: &View<'_>, intended: &Intended, ended: &Ended, detail: &str) {
        match self {
            Course::Task(mission) => mission.finished(view, intended, ended, detail),
            Course::Skill(single) => single.finished(view, ended, detail),
        }
    }

    /// See [`Mission::tree`].
    pub(super) fn tree(&self, view: &View<'_>) -> Vec<TreeNode> {
        match self {
            Course::Task(mission) => mission.tree(view),
            Course::Skill(_) => Vec::new(),
        }
    }
}
