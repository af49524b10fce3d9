//! Why a trace is rejected: which rule, at which step, by which action, what was allowed, what is owed.

use std::fmt;

use crate::Error;
use crate::monitor::Watch;
use crate::rule::{RuleSet, Verdict};
use crate::trace::Step;

/// One reason why a trace is rejected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rejection {
    /// The name of the rule.
    pub rule: String,
    /// The rule as text.
    pub formula: String,
    /// The rule in English.
    pub english: String,
    /// The step that violated the rule, from 0; `None` if the trace ended with something owed.
    pub step: Option<usize>,
    /// The action of that step, if actions were given.
    pub action: Option<String>,
    /// What held in that step.
    pub held: Option<String>,
    /// What would have been allowed in that step, or is allowed next where something is owed.
    pub allowed: String,
    /// What was owed, in words: before the violating step, or at the end of the trace.
    pub owed: Vec<String>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` ({}) ", self.rule, self.formula)?;
        match self.step {
            Some(step) => {
                write!(f, "is violated at step {step}")?;
                if let Some(action) = &self.action {
                    write!(f, " by `{action}`")?;
                }
                write!(
                    f,
                    ", where `{}` held; allowed was: {}",
                    self.held.as_deref().unwrap_or("-"),
                    self.allowed
                )?;
            }
            None => write!(f, "is not finished; allowed next: {}", self.allowed)?,
        }
        if !self.owed.is_empty() {
            write!(f, "; owed: {}", self.owed.join(" "))?;
        }
        write!(f, "\n  it says: {}", self.english)
    }
}

/// The outcome of checking a whole trace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Judgement {
    /// Name and final verdict of each rule.
    pub verdicts: Vec<(String, Verdict)>,
    /// Why the trace is rejected; empty if it is accepted.
    pub rejections: Vec<Rejection>,
}

impl Judgement {
    /// Whether every rule is satisfied.
    pub fn accepted(&self) -> bool {
        self.rejections.is_empty()
    }
}

impl RuleSet {
    /// Checks a whole trace and explains every rejection. `actions` names the action behind each step, in
    /// the same order; it may be shorter than the trace or empty.
    ///
    /// ```
    /// use steward_ltl::{RuleSet, Step};
    ///
    /// let mut rules = RuleSet::one_shot([("clean", "F a & G (a -> X b)"), ("safe", "G !stairs")])?;
    /// let a = rules.arena_mut().prop("a")?;
    /// let judgement = rules.judge(&[Step::of([a])], &["go to a"])?;
    /// assert!(!judgement.accepted());
    /// assert_eq!(judgement.rejections[0].rule, "clean");
    /// assert_eq!(judgement.rejections[0].step, None); // nothing is violated, but b is still owed
    /// assert_eq!(judgement.rejections[0].owed, ["b."]);
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn judge(&self, trace: &[Step], actions: &[impl AsRef<str>]) -> Result<Judgement, Error> {
        let mut watch = Watch::new(self);
        let mut rejections = Vec::new();
        for (number, step) in trace.iter().enumerate() {
            let before = watch.clone();
            watch.step(self, step)?;
            for (was, is) in before.monitors().iter().zip(watch.monitors()) {
                if is.verdict() != Verdict::PermanentlyViolated || was.verdict() == is.verdict() {
                    continue;
                }
                let rule = is.rule();
                rejections.push(Rejection {
                    rule: rule.name().to_string(),
                    formula: self.arena().text(rule.formula()),
                    english: self.arena().english(rule.formula()),
                    step: Some(number),
                    action: actions.get(number).map(|action| action.as_ref().to_string()),
                    held: Some(step.text(self.arena())),
                    allowed: was.allowed_text(self.arena()),
                    owed: was.open_obligations(self.arena()),
                });
            }
        }
        for monitor in watch.monitors() {
            let rule = monitor.rule();
            let never_possible = monitor.verdict() == Verdict::PermanentlyViolated
                && rule.verdict(rule.dfa().initial()) == Verdict::PermanentlyViolated;
            if monitor.verdict() == Verdict::OpenObligation || never_possible {
                rejections.push(Rejection {
                    rule: rule.name().to_string(),
                    formula: self.arena().text(rule.formula()),
                    english: self.arena().english(rule.formula()),
                    step: None,
                    action: None,
                    held: None,
                    allowed: monitor.allowed_text(self.arena()),
                    owed: monitor.open_obligations(self.arena()),
                });
            }
        }
        let verdicts = watch
            .monitors()
            .iter()
            .map(|monitor| (monitor.rule().name().to_string(), monitor.verdict()))
            .collect();
        Ok(Judgement { verdicts, rejections })
    }
}
