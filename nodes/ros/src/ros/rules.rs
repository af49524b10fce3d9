//! The service `set_rules`, and how rules stand.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use r2r::steward_msgs::msg::RuleMonitor;
use r2r::steward_msgs::srv::SetRules;
use steward_core::messages::RuleMonitors;
use steward_nodes::known;
use steward_nodes::message::Message;

use super::deferred::{Answered, Deferred};
use super::orders::Give;
use crate::world::Order;

/// Rules of every order, as they were set; the planner is made under them whenever it is made anew.
pub type Standing = Arc<Mutex<Vec<String>>>;

/// Takes rules for every later order.
pub struct RuleSetting {
    service: Deferred<SetRules::Service>,
    standing: Standing,
    kept: Option<PathBuf>,
}

impl RuleSetting {
    /// # Errors
    /// Where ROS refuses the service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(RuleSetting {
            service: Deferred::new(node, "set_rules", 0)?,
            standing: Standing::default(),
            kept: None,
        })
    }

    /// Goes on with the rules of a file, if there is one, and keeps them there from now on; `None`: no more.
    ///
    /// # Errors
    /// Where the file cannot be read: without rules that were set the robot must do nothing.
    pub fn keep(&mut self, file: Option<PathBuf>) -> Result<Standing> {
        let before = file.as_ref().filter(|f| f.exists());
        let rules = before.map_or(Ok(Vec::new()), |file| known::load_rules(file))?;
        self.standing = Arc::new(Mutex::new(rules));
        self.kept = file;
        Ok(Arc::clone(&self.standing))
    }

    /// Passes on what came.
    pub fn turn(&mut self, give: Option<Give<'_>>) {
        self.service.turn(give, |request, asked| {
            Ok(Order::SetRules {
                request,
                rules: asked.rules.clone(),
            })
        });
    }

    /// Answers what the planner answered.
    pub fn on_message(&mut self, message: &Message) {
        let Message::Answer(m) = message else { return };
        let (standing, kept) = (&self.standing, self.kept.as_deref());
        self.service.finish(m.request, |asked| {
            if !m.refusal.is_empty() {
                return Err(m.refusal.clone());
            }
            standing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&asked.rules);
            let written = kept.map_or(Ok(()), |file| known::save_rules(file, &asked.rules));
            written.map_err(|e| format!("the rules stand until the planner ends, but cannot be kept: {e}"))
        });
    }
}

impl Answered for SetRules::Service {
    fn response(success: bool, message: String) -> SetRules::Response {
        SetRules::Response { success, message }
    }
}

/// How rules stand, for feedback.
pub(crate) fn monitors(of: &RuleMonitors) -> Vec<RuleMonitor> {
    of.monitors
        .iter()
        .map(|m| RuleMonitor {
            rule: m.rule.clone(),
            verdict: m.verdict as u8,
            owed: m.owed.clone(),
        })
        .collect()
}
