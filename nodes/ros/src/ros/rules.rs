//! The service `set_rules`, and how rules stand.

use anyhow::Result;
use r2r::steward_msgs::msg::RuleMonitor;
use r2r::steward_msgs::srv::SetRules;
use steward_core::messages::RuleMonitors;
use steward_nodes::message::Message;

use super::deferred::{Answered, Deferred};
use super::orders::Give;
use crate::world::Order;

/// Takes rules for every later order.
pub struct RuleSetting(Deferred<SetRules::Service>);

impl RuleSetting {
    /// # Errors
    /// Where ROS refuses the service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(RuleSetting(Deferred::new(node, "set_rules", 0)?))
    }

    /// Passes on what came.
    pub fn turn(&mut self, give: Option<Give<'_>>) {
        self.0.turn(give, |request, asked| {
            Ok(Order::SetRules {
                request,
                rules: asked.rules.clone(),
            })
        });
    }

    /// Answers what the planner answered.
    pub fn on_message(&mut self, message: &Message) {
        if let Message::Answer(m) = message {
            self.0.answer(m.request, &m.refusal);
        }
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
