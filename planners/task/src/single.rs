//! One skill that was asked for, as a task of one step.
//!
//! It decides as a [`Mission`](crate::mission::Mission) does, so whoever carries it out treats both alike: the skill is
//! judged by the rules before it is given out and again before it is sent, and what became of it is what was observed.

use steward_core::messages::{FailureReason, FloorArea, NavigationTarget, Outcome, Skill, SkillFailure};

use crate::house_rules::{HouseRules, Objection};
use crate::mission::{Decision, Ended, Intended, Purpose, View};
use crate::{Error, Result};

/// Most points of one look.
const MOST_POINTS: usize = 64;
/// Nothing in a home is farther away, metres.
const FARTHEST_M: f64 = 1000.0;

/// A skill that was asked for.
#[derive(Debug)]
pub struct Single {
    skill: Skill,
    rules: HouseRules,
    /// How it ended.
    end: Option<(Outcome, String)>,
    failure: Option<SkillFailure>,
}

impl Single {
    /// Takes on a skill under rules.
    ///
    /// # Errors
    /// [`Error::Refused`] for a place that is not finite or too far away, and for nothing, or too much, to look at.
    pub fn new(skill: Skill, rules: HouseRules) -> Result<Self> {
        let is_near = |x: f64| x.abs() <= FARTHEST_M;
        let makes_sense = match &skill {
            Skill::Navigate {
                to: NavigationTarget::Pose(to),
            } => is_near(to.x_m) && is_near(to.y_m) && to.yaw_rad.is_finite(),
            Skill::Look { at } => {
                (1..=MOST_POINTS).contains(&at.len()) && at.iter().flat_map(|p| p.iter()).all(|x| is_near(*x))
            }
            _ => true,
        };
        if !makes_sense {
            return Err(Error::Refused(format!(
                "{skill} leads nowhere; places lie within {FARTHEST_M} m, and 1 to {MOST_POINTS} points can be looked at"
            )));
        }
        Ok(Single {
            skill,
            rules,
            end: None,
            failure: None,
        })
    }

    /// The rules and how they stand.
    pub fn rules(&self) -> &HouseRules {
        &self.rules
    }

    /// What the executor failed at, where it did.
    pub fn failure(&self) -> Option<SkillFailure> {
        self.failure
    }

    /// Notes what the rules are about.
    pub fn watch(&mut self, view: &View<'_>) {
        self.rules.observe(&view.situation(), None);
    }

    /// Whether the skill may run now: the floor that the base must not enter meanwhile.
    ///
    /// # Errors
    /// The [`Objection`] with the rule that it may break, or why that cannot be judged.
    pub fn permits(&self, view: &View<'_>, skill: &Skill) -> std::result::Result<Vec<FloorArea>, Objection> {
        let kept_out = self.rules.judge(&view.situation(), skill)?;
        Ok(self.rules.areas(&kept_out))
    }

    /// The skill, or the end.
    pub fn decide(&mut self, view: &View<'_>) -> Decision {
        self.watch(view);
        match self.end.clone() {
            Some((Outcome::Succeeded, detail)) => return Decision::Succeed(detail),
            Some((Outcome::Failed(reason), detail)) => return Decision::Fail(reason, detail),
            None => {}
        }
        let broken = self.rules.rules().broken();
        if !broken.is_empty() {
            let text = format!("the rule {} is broken already", broken.join(" and "));
            return Decision::Fail(FailureReason::RuleViolated, text);
        }
        Decision::Do(vec![Intended {
            label: self.skill.to_string(),
            skill: self.skill.clone(),
            purpose: Purpose::Asked,
        }])
    }

    /// Takes note that the skill is not allowed.
    pub fn refused(&mut self, objection: &Objection) {
        let text = format!("{} is not allowed: {}", self.skill, objection.0);
        self.end = Some((Outcome::Failed(FailureReason::RuleConflict), text));
    }

    /// Takes note of how the skill ended.
    pub fn finished(&mut self, view: &View<'_>, ended: &Ended, detail: &str) {
        self.rules.observe(&view.situation(), Some(&self.skill));
        let (outcome, mut text) = match ended {
            Ended::Confirmed => (Outcome::Succeeded, detail.to_owned()),
            Ended::Refuted | Ended::Undecided => {
                let reason = FailureReason::Unconfirmed;
                (
                    Outcome::Failed(reason),
                    format!("it was carried out, but: {detail}"),
                )
            }
            Ended::Failed(failure) => {
                self.failure = Some(*failure);
                (
                    Outcome::Failed(FailureReason::SkillFailed),
                    format!("{failure}: {detail}"),
                )
            }
        };
        let owing = self.rules.rules().owing();
        if !owing.is_empty() {
            text = format!("{text}; still owed by {}", owing.join(" and "));
        }
        self.end = Some((outcome, text));
    }
}
