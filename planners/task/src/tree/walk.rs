//! Walking a tree one step at a time in a world that cannot be rewound.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use steward_ltl::Watch;

use super::grow::{ActionTree, NodeId, Status};
use super::repair::MeansEnds;
use super::sample::{Lesson, Request, Sampler};
use crate::domain::{GroundAction, Refusal, RefusalKind, State};
use crate::plan::{Goal, SceneRules, cost_to_go};
use crate::{Error, Result};

/// Budgets of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalkConfig {
    /// Most steps that a repair may put in; 0 repairs nothing.
    pub repair_steps: usize,
    /// How often the sampler may be asked when the tree is used up.
    pub resamples: usize,
    /// Plans to ask it for.
    pub samples: usize,
    /// Most steps of the whole walk, so that it ends whatever the world does.
    pub max_steps: usize,
    /// At the end of a plan compare the goal with what is believed, and go on if it is not reached. Without, a plan
    /// that was carried out is the end.
    pub check_ends: bool,
}

impl Default for WalkConfig {
    fn default() -> Self {
        WalkConfig {
            repair_steps: 12,
            resamples: 3,
            samples: 4,
            max_steps: 200,
            check_ends: true,
        }
    }
}

impl WalkConfig {
    /// Checks that a walk can take a step.
    ///
    /// # Errors
    /// [`Error::Scene`] where it cannot.
    pub fn validate(&self) -> Result<()> {
        if self.max_steps == 0 || (self.resamples > 0 && self.samples == 0) {
            return Err(Error::Scene(
                "max_steps, and samples where resamples is not 0, must be at least 1".to_owned(),
            ));
        }
        Ok(())
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// This step.
    Do(GroundAction),
    /// Nothing: a plan was carried out.
    Ended,
    /// Nothing: every branch and every new plan failed.
    Exhausted,
}

/// What a walk has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkStats {
    /// Steps that were done.
    pub steps: usize,
    /// Branches that were given up.
    pub corrections: usize,
    /// Times that missing steps were put in.
    pub repairs: usize,
    /// Steps put in.
    pub repair_steps: usize,
    /// Steps that were left out because their effect held already.
    pub skipped: usize,
    /// Times that new plans were asked for.
    pub resamples: usize,
    /// Times that a chooser was asked.
    pub choices: usize,
}

/// One way on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// The step; [`None`] is to stop here.
    pub step: Option<GroundAction>,
    /// Plans for it.
    pub votes: u32,
    /// Why it is not possible at once, if it is not.
    pub refusal: Option<Refusal>,
    node: Option<NodeId>,
}

/// A place with several ways on.
#[derive(Debug, Clone, Copy)]
pub struct Fork<'a> {
    /// The present state.
    pub state: &'a State,
    /// The goal.
    pub goal: &'a Goal,
    /// Steps done so far.
    pub done: &'a [GroundAction],
    /// The ways on, those with the most votes first; at least two.
    pub offers: &'a [Offer],
}

impl Fork<'_> {
    /// What is left to pay once an offer is taken, see [`cost_to_go`]; a step that is not possible at once brings
    /// nothing nearer yet. [`None`] where the goal is not seen to be reachable then.
    pub fn cost_to_go(&self, offer: usize) -> Option<f64> {
        let offer = &self.offers[offer];
        let mut goal = self.goal.clone();
        let mut state = self.state.clone();
        let mut paid = 0.0;
        let step = offer.step.filter(|_| offer.refusal.is_none());
        goal.actions.drain(..goal.done_by(self.done.iter().chain(&step)));
        if let Some(step) = &step {
            paid = state.scene().cost(step);
            state = state.apply(step);
        }
        cost_to_go(&state, &goal).ok().flatten().map(|left| paid + left)
    }
}

/// The way that is seen to cost the least; of equal ones the one with the most votes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByCost;

impl Chooser for ByCost {
    fn choose(&mut self, fork: &Fork) -> Result<usize> {
        let cost = |at: usize| fork.cost_to_go(at).unwrap_or(f64::INFINITY);
        let mut best = (0, cost(0));
        for at in 1..fork.offers.len() {
            let this = cost(at);
            if this < best.1 {
                best = (at, this);
            }
        }
        Ok(best.0)
    }
}

/// Chooses at a fork: votes, a heuristic, or a language model.
pub trait Chooser: Send {
    /// The number of an offer.
    ///
    /// # Errors
    /// What the chooser says; the walk passes it on.
    fn choose(&mut self, fork: &Fork) -> Result<usize>;
}

/// The way with the most votes; of equal ones the one that is possible at once, then the first that came.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByVotes;

impl Chooser for ByVotes {
    fn choose(&mut self, fork: &Fork) -> Result<usize> {
        let best = (0..fork.offers.len()).min_by_key(|at| {
            let offer = &fork.offers[*at];
            (std::cmp::Reverse(offer.votes), offer.refusal.is_some(), *at)
        });
        Ok(best.unwrap_or(0))
    }
}

/// The walk.
pub struct Walk {
    tree: ActionTree,
    goal: Goal,
    config: WalkConfig,
    rules: Option<SceneRules>,
    watch: Option<Watch>,
    sampler: Option<Box<dyn Sampler>>,
    chooser: Box<dyn Chooser>,
    at: NodeId,
    /// Missing steps, and the node that they prepare.
    inserted: VecDeque<GroundAction>,
    prepared: Option<NodeId>,
    /// The step that was given out last, and its node if it is one of the tree.
    pending: Option<(GroundAction, Option<NodeId>)>,
    done: Vec<GroundAction>,
    lessons: Vec<Lesson>,
    stats: WalkStats,
}

impl Walk {
    /// A walk from the root that decides by votes and asks nobody for more plans.
    pub fn new(tree: ActionTree, goal: Goal, config: WalkConfig) -> Walk {
        Walk {
            tree,
            goal,
            config,
            rules: None,
            watch: None,
            sampler: None,
            chooser: Box::new(ByVotes),
            at: ActionTree::ROOT,
            inserted: VecDeque::new(),
            prepared: None,
            pending: None,
            done: Vec::new(),
            lessons: Vec::new(),
            stats: WalkStats::default(),
        }
    }

    /// The same under rules: no step is given out that breaks one for good, and the walk does not end while something
    /// is owed.
    #[must_use]
    pub fn with_rules(mut self, rules: SceneRules) -> Walk {
        self.rules = Some(rules);
        self
    }

    /// Says how the rules stand in the state that the next decision is made in: more may have happened than the steps
    /// of the walk.
    pub fn set_watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// The same with a source of new plans.
    #[must_use]
    pub fn with_sampler(mut self, sampler: impl Sampler + 'static) -> Walk {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// The same with another way to choose at forks.
    #[must_use]
    pub fn with_chooser(mut self, chooser: impl Chooser + 'static) -> Walk {
        self.chooser = Box::new(chooser);
        self
    }

    /// The tree as it stands.
    pub fn tree(&self) -> &ActionTree {
        &self.tree
    }

    /// Steps done so far.
    pub fn done(&self) -> &[GroundAction] {
        &self.done
    }

    /// What did not work so far.
    pub fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    /// What was done so far, in numbers.
    pub fn stats(&self) -> WalkStats {
        self.stats
    }

    /// Says that the step given out last was tried and not done. Call it before [`Walk::next`].
    pub fn failed(&mut self, kind: RefusalKind) {
        if let Some((action, node)) = self.pending.take() {
            self.lessons.push(Lesson { action, kind });
            let given_up = node.or(self.prepared.take());
            self.inserted.clear();
            if let Some(node) = given_up {
                self.give_up(node, Status::Failed(kind));
            }
        }
    }

    fn give_up(&mut self, node: NodeId, status: Status) {
        self.tree.set(node, status);
        self.stats.corrections += 1;
        if self.at == node {
            self.at = self.tree.node(node).parent;
        }
    }

    /// The next step in the present state. A step that was given out before counts as done unless
    /// [`Walk::failed`] said otherwise.
    ///
    /// # Errors
    /// What sampler and chooser say, except that they have no plan.
    pub fn next(&mut self, state: &State) -> Result<Decision> {
        self.take_note(state)?;
        if self.stats.steps >= self.config.max_steps {
            return Ok(Decision::Exhausted);
        }
        loop {
            if let Some(step) = self.inserted.pop_front() {
                if self.possible(state, &step).is_ok() {
                    self.pending = Some((step, None));
                    return Ok(Decision::Do(step));
                }
                // The world has changed since the repair was found.
                self.inserted.clear();
                self.prepared = None;
                continue;
            }
            let offers = self.offers(state);
            let chosen = match self.prepared.take() {
                Some(node) => offers.iter().position(|offer| offer.node == Some(node)),
                None => None,
            };
            let chosen = match (chosen, offers.len()) {
                (Some(chosen), _) => chosen,
                (None, 0) => {
                    if self.at != ActionTree::ROOT {
                        self.at = self.tree.node(self.at).parent;
                        self.stats.corrections += usize::from(self.has_live(self.at));
                    } else if !self.resample(state)? {
                        return Ok(Decision::Exhausted);
                    }
                    continue;
                }
                (None, 1) => 0,
                (None, _) => {
                    self.stats.choices += 1;
                    let fork = Fork {
                        state,
                        goal: &self.goal,
                        done: &self.done,
                        offers: &offers,
                    };
                    let chosen = self.chooser.choose(&fork)?;
                    chosen.min(offers.len() - 1)
                }
            };
            let Offer {
                step, refusal, node, ..
            } = offers[chosen];
            let (Some(step), Some(node)) = (step, node) else {
                if self.may_end(state) {
                    return Ok(Decision::Ended);
                }
                self.tree.no_longer_ends(self.at);
                self.stats.corrections += 1;
                continue;
            };
            match refusal {
                None => {
                    self.pending = Some((step, Some(node)));
                    return Ok(Decision::Do(step));
                }
                Some(refusal) if refusal.kind == RefusalKind::Satisfied => {
                    self.tree.set(node, Status::Skipped);
                    self.stats.skipped += 1;
                    self.at = node;
                }
                Some(refusal) => match self.repair(state, &step) {
                    Some(steps) => {
                        self.stats.repairs += 1;
                        self.stats.repair_steps += steps.len();
                        self.inserted = steps.into();
                        self.prepared = Some(node);
                    }
                    None => {
                        self.lessons.push(Lesson {
                            action: step,
                            kind: refusal.kind,
                        });
                        self.give_up(node, Status::Failed(refusal.kind));
                    }
                },
            }
        }
    }

    /// Counts the step given out last as done, and shows the rules what holds.
    fn take_note(&mut self, state: &State) -> Result<()> {
        let last = self.pending.take();
        if let Some((step, node)) = last {
            self.done.push(step);
            self.stats.steps += 1;
            if let Some(node) = node {
                self.tree.set(node, Status::Done);
                self.at = node;
            }
        }
        if let Some(rules) = &self.rules {
            match &mut self.watch {
                None => self.watch = Some(rules.watch(state)?),
                Some(watch) => {
                    if let Some((step, _)) = &last {
                        rules.observe(watch, state, Some(step))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn has_live(&self, at: NodeId) -> bool {
        !self.tree.live_children(at).is_empty()
    }

    /// Whether a step can be done and breaks no rule for good.
    fn possible(&self, state: &State, step: &GroundAction) -> std::result::Result<(), Refusal> {
        state.check(step)?;
        if let (Some(rules), Some(watch)) = (&self.rules, &self.watch)
            && !watch.allows(&rules.step(&state.apply(step), Some(step)))
        {
            return Err(Refusal {
                action: *step,
                need: None,
                kind: RefusalKind::Other,
            });
        }
        Ok(())
    }

    /// The ways on from here. Steps whose refusal no other step can lift are pruned.
    fn offers(&mut self, state: &State) -> Vec<Offer> {
        let mut offers = Vec::new();
        for node in self.tree.live_children(self.at) {
            let Some(step) = self.tree.node(node).action else {
                continue;
            };
            let refusal = self.possible(state, &step).err();
            if let Some(refusal) = refusal
                && self.is_final(state, &refusal)
            {
                self.tree.set(node, Status::Pruned(refusal.kind));
                self.lessons.push(Lesson {
                    action: step,
                    kind: refusal.kind,
                });
                continue;
            }
            offers.push(Offer {
                step: Some(step),
                votes: self.tree.node(node).votes,
                refusal,
                node: Some(node),
            });
        }
        let ends = self.tree.node(self.at).ends;
        if ends > 0 {
            offers.push(Offer {
                step: None,
                votes: ends,
                refusal: None,
                node: None,
            });
            offers.sort_by_key(|offer| std::cmp::Reverse(offer.votes));
        }
        offers
    }

    /// Whether no step can lift a refusal: wrong objects, a need about what never changes, or a broken rule.
    fn is_final(&self, state: &State, refusal: &Refusal) -> bool {
        let scene = state.scene();
        let Some(need) = refusal.need(scene) else {
            return refusal.kind != RefusalKind::Other;
        };
        let mut changes = false;
        need.condition.for_each_predicate(&mut |predicate| {
            changes |= scene.domain().predicate(predicate).fluent;
        });
        !changes
    }

    /// Steps after which a step is possible.
    fn repair(&self, state: &State, step: &GroundAction) -> Option<Vec<GroundAction>> {
        if self.config.repair_steps == 0 {
            return None;
        }
        let steps = MeansEnds::new(state.scene().domain()).prepare(state, step)?;
        let short = !steps.is_empty() && steps.len() <= self.config.repair_steps;
        short.then_some(steps)
    }

    /// What of the goal is left: the actions that were not done yet.
    fn goal_left(&self) -> Goal {
        let done = self.goal.done_by(&self.done);
        Goal {
            condition: self.goal.condition.clone(),
            actions: self.goal.actions[done..].to_vec(),
        }
    }

    fn may_end(&self, state: &State) -> bool {
        let rules = self.watch.as_ref().is_none_or(Watch::may_end);
        let left = self.goal_left();
        let reached = left.actions.is_empty() && state.satisfies(&left.condition, &[]);
        rules && (reached || !self.config.check_ends)
    }

    /// Asks for new plans from here; whether there are any.
    fn resample(&mut self, state: &State) -> Result<bool> {
        if self.stats.resamples >= self.config.resamples {
            return Ok(false);
        }
        let goal = self.goal_left();
        let Some(sampler) = &mut self.sampler else {
            return Ok(false);
        };
        self.stats.resamples += 1;
        let request = Request {
            state,
            goal: &goal,
            count: self.config.samples,
            lessons: &self.lessons,
        };
        let plans = match sampler.sample(&request) {
            Ok(plans) => plans,
            Err(Error::Infeasible(_) | Error::Exhausted(_) | Error::NoPlan(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        if plans.is_empty() {
            return Ok(false);
        }
        self.tree = ActionTree::new();
        self.at = ActionTree::ROOT;
        for plan in &plans {
            self.tree.insert(plan);
        }
        Ok(true)
    }
}
