//! Where plans come from: recorded answers, search, language models.

use std::collections::VecDeque;

use super::prompt::Prompt;
use crate::domain::{GroundAction, RefusalKind, State};
use crate::plan::{Goal, Limits, SceneRules, plans};
use crate::{Error, Result};

/// What a plan is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where it starts.
    pub state: &'a State,
    /// What it is for.
    pub goal: &'a Goal,
    /// How many plans are wanted.
    pub count: usize,
    /// What went wrong so far.
    pub lessons: &'a [Lesson],
}

/// A step that did not work, and why: what a second question is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// The step.
    pub action: GroundAction,
    /// Why.
    pub kind: RefusalKind,
}

/// A source of plans.
pub trait Sampler: Send {
    /// Up to `count` plans from the state towards the goal; none if it has no more.
    ///
    /// # Errors
    /// What the source says; a walk passes it on.
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>>;
}

/// Answers that were given before, handed out in order whatever is asked.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    answers: VecDeque<Vec<GroundAction>>,
}

impl Recorded {
    /// A sampler with these plans.
    pub fn new(plans: impl IntoIterator<Item = Vec<GroundAction>>) -> Recorded {
        Recorded {
            answers: plans.into_iter().collect(),
        }
    }
}

impl Sampler for Recorded {
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>> {
        let count = request.count.min(self.answers.len());
        Ok(self.answers.drain(..count).collect())
    }
}

/// Search: needs no language model, and knows only what the goal says. Several plans each do
/// without some step of one before.
#[derive(Debug, Clone, Default)]
pub struct Searched {
    /// Rules that every plan keeps, from the state on.
    pub rules: Option<SceneRules>,
    /// Budget of one search.
    pub limits: Limits,
}

impl Sampler for Searched {
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>> {
        let (rules, limits) = (self.rules.as_ref(), &self.limits);
        let found = plans(request.state, request.goal, rules, limits, request.count)?;
        Ok(found.into_iter().map(|plan| plan.steps).collect())
    }
}

/// Several sources, asked in order until one has a plan.
#[derive(Default)]
pub struct FirstOf(pub Vec<Box<dyn Sampler>>);

impl Sampler for FirstOf {
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>> {
        for sampler in &mut self.0 {
            match sampler.sample(request) {
                Ok(plans) if plans.is_empty() => {}
                Err(Error::Infeasible(_) | Error::Exhausted(_) | Error::NoPlan(_)) => {}
                answer => return answer,
            }
        }
        Ok(Vec::new())
    }
}

/// A language model.
pub trait Model: Send {
    /// The model's answers to a prompt, at most `count`.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with the reason.
    fn answers(&mut self, prompt: &str, count: usize) -> Result<Vec<String>>;
}

/// A language model that is asked with a [`Prompt`].
#[derive(Debug, Clone)]
pub struct Prompted<M> {
    /// The model.
    pub model: M,
    /// How it is asked.
    pub prompt: Prompt,
}

impl<M: Model> Sampler for Prompted<M> {
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>> {
        let text = self.prompt.plans(request);
        let answers = self.model.answers(&text, request.count)?;
        let scene = request.state.scene();
        // Of an answer that goes wrong the beginning is still a plan to learn from.
        let read = |answer: &String| -> Vec<GroundAction> {
            answer
                .lines()
                .map_while(|line| scene.action(line.trim()).ok())
                .collect()
        };
        Ok(answers
            .iter()
            .map(read)
            .filter(|steps| !steps.is_empty())
            .collect())
    }
}
