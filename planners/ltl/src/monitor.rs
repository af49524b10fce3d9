//! Watching a trace, step by step.

use std::sync::Arc;

use crate::Error;
use crate::formula::{Arena, Formula};
use crate::rule::{Rule, RuleSet, Verdict};
use crate::trace::Step;

/// Watches one rule. A step costs one walk through the rule's automaton, well under a microsecond.
///
/// ```
/// use steward_ltl::{Arena, Monitor, Step, Verdict};
///
/// let mut arena = Arena::new();
/// let formula = arena.parse("G (spill -> X mop) & G !stairs")?;
/// let mut monitor = Monitor::of(&mut arena, "clean", formula)?;
/// let (spill, mop) = (arena.prop("spill")?, arena.prop("mop")?);
///
/// assert_eq!(monitor.verdict(), Verdict::SatisfiedSoFar);
/// assert_eq!(monitor.step(&Step::of([spill])), Verdict::OpenObligation);
/// assert_eq!(monitor.allowed_text(&arena), "mop & !stairs");
/// assert_eq!(monitor.open_obligations(&arena), ["mop."]);
/// assert_eq!(monitor.step(&Step::of([mop])), Verdict::SatisfiedSoFar);
/// # Ok::<(), steward_ltl::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Monitor {
    rule: Arc<Rule>,
    state: u32,
}

impl Monitor {
    /// A monitor before the first step.
    pub fn new(rule: Arc<Rule>) -> Monitor {
        let state = rule.dfa().initial();
        Monitor { rule, state }
    }

    /// Compiles a formula and watches it.
    pub fn of(arena: &mut Arena, name: &str, formula: Formula) -> Result<Monitor, Error> {
        Ok(Monitor::new(Arc::new(Rule::new(arena, name, formula)?)))
    }

    /// The rule that is watched.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The state of the rule's automaton.
    pub fn state(&self) -> u32 {
        self.state
    }

    /// The verdict on the steps so far.
    #[inline]
    pub fn verdict(&self) -> Verdict {
        self.rule.verdict(self.state)
    }

    /// Takes a step.
    #[inline]
    pub fn step(&mut self, step: &Step) -> Verdict {
        self.state = self.rule.dfa().step(self.state, step);
        self.verdict()
    }

    /// What the verdict would be after a step, without taking it.
    #[inline]
    pub fn after(&self, step: &Step) -> Verdict {
        self.rule.verdict(self.rule.dfa().step(self.state, step))
    }

    /// Whether a step leaves the rule satisfiable.
    #[inline]
    pub fn allows(&self, step: &Step) -> bool {
        self.after(step) != Verdict::PermanentlyViolated
    }

    /// The steps that are still allowed, as text.
    pub fn allowed_text(&self, arena: &Arena) -> String {
        self.rule.allowed_text(arena, self.state)
    }

    /// The obligations that are open, in words; empty where the trace may end.
    pub fn open_obligations(&self, arena: &Arena) -> Vec<String> {
        if self.verdict() == Verdict::OpenObligation {
            arena.open_obligations(self.rule.owed(self.state))
        } else {
            Vec::new()
        }
    }
}

/// Watches all rules of a set, and checks each step against the groups of the domain.
#[derive(Debug, Clone)]
pub struct Watch {
    monitors: Vec<Monitor>,
    steps: usize,
}

impl Watch {
    /// A watch before the first step.
    pub fn new(rules: &RuleSet) -> Watch {
        Watch {
            monitors: rules.rules().iter().cloned().map(Monitor::new).collect(),
            steps: 0,
        }
    }

    /// One monitor per rule, in the order of the rules.
    pub fn monitors(&self) -> &[Monitor] {
        &self.monitors
    }

    /// How many steps were taken.
    pub fn num_steps(&self) -> usize {
        self.steps
    }

    /// Takes a step; refused without effect if it breaks a group of the domain.
    pub fn step(&mut self, rules: &RuleSet, step: &Step) -> Result<(), Error> {
        rules.domain().check(rules.arena(), self.steps, step)?;
        for monitor in &mut self.monitors {
            monitor.step(step);
        }
        self.steps += 1;
        Ok(())
    }

    /// Whether the trace may end here: no rule is violated or has an open obligation.
    pub fn may_end(&self) -> bool {
        self.monitors.iter().all(|monitor| monitor.verdict().may_end())
    }

    /// Whether every rule allows a step.
    pub fn allows(&self, step: &Step) -> bool {
        self.monitors.iter().all(|monitor| monitor.allows(step))
    }
}
