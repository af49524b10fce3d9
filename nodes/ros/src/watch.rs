//! Nobody moves on what others no longer see to: a running skill ends when another node of the loop falls silent.

use std::collections::BTreeMap;

use steward_core::ids::StepId;
use steward_core::messages::{CancelSkill, Header, SkillState};
use steward_core::{Duration, Time};
use steward_nodes::message::Message;
use steward_nodes::node::message;

/// Every node publishes its counters once a second.
const SILENCE: Duration = Duration::from_secs(3);

/// Watches over the skill that a node carries out.
#[derive(Debug, Default)]
pub struct Watch {
    watched: Vec<String>,
    heard: BTreeMap<String, Time>,
    /// Since when it listens.
    begun: Option<Time>,
    /// The skill under way.
    running: Option<StepId>,
}

impl Watch {
    /// Nodes of these names, as they are in diagnostics, must be heard of while a skill runs.
    pub fn new(watched: Vec<String>) -> Self {
        Watch {
            watched,
            ..Watch::default()
        }
    }

    /// Something was heard.
    pub fn hear(&mut self, now: Time, heard: &Message) {
        if let Message::Diagnostics(diagnostics) = heard
            && self.watched.contains(&diagnostics.node)
        {
            self.heard.insert(diagnostics.node.clone(), now);
        }
    }

    /// The node said something.
    pub fn sent(&mut self, sent: &Message) {
        if let Message::SkillStatus(status) = sent {
            self.running = (status.state == SkillState::Running).then_some(status.step);
        }
    }

    /// An order to end the skill under way, where somebody is silent for too long.
    pub fn check(&mut self, now: Time) -> Option<Message> {
        let begun = *self.begun.get_or_insert(now);
        let step = self.running?;
        let last = |node: &String| self.heard.get(node).copied().unwrap_or(begun);
        let silent = self.watched.iter().find(|node| now - last(node) > SILENCE)?;
        log::warn!("`{silent}` is silent: the skill under way is ended");
        self.running = None;
        Some(message(
            Message::CancelSkill,
            CancelSkill {
                header: Header::new(now, ""),
                step,
            },
        ))
    }

    /// Forgets everything that was heard.
    pub fn reset(&mut self) {
        self.heard.clear();
        (self.begun, self.running) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use steward_core::messages::{Diagnostics, Skill, SkillStatus};

    use super::*;

    fn alive(node: &str) -> Message {
        let header = Header::default();
        message(
            Message::Diagnostics,
            Diagnostics {
                header,
                node: node.into(),
                counters: BTreeMap::new(),
            },
        )
    }

    fn running(state: SkillState) -> Message {
        let (header, skill) = (Header::default(), Skill::Look { at: Vec::new() });
        message(
            Message::SkillStatus,
            SkillStatus {
                header,
                step: StepId(4),
                skill,
                state,
                detail: String::new(),
            },
        )
    }

    #[test]
    fn a_skill_ends_when_somebody_is_silent() {
        let at = Time::from_secs_f64;
        let mut watch = Watch::new(vec!["planner".into(), "mapper".into()]);
        assert_eq!(watch.check(at(100.0)), None, "nothing runs");
        watch.sent(&running(SkillState::Running));
        assert_eq!(watch.check(at(100.0)), None);
        for n in 1..5 {
            watch.hear(at(100.0 + f64::from(n)), &alive("planner"));
            watch.hear(at(100.0 + f64::from(n)), &alive("mapper"));
            assert_eq!(watch.check(at(101.0 + f64::from(n))), None);
        }
        watch.hear(at(107.0), &alive("planner"));
        let Some(Message::CancelSkill(cancel)) = watch.check(at(107.1)) else {
            panic!("the mapper is silent since 104 s");
        };
        assert_eq!(cancel.step, StepId(4));
        assert_eq!(watch.check(at(108.0)), None, "it is told once");
        watch.sent(&running(SkillState::Running));
        assert!(
            watch.check(at(108.1)).is_some(),
            "and for every skill that is begun meanwhile"
        );
        watch.sent(&running(SkillState::Running));
        watch.sent(&running(SkillState::Done));
        assert_eq!(watch.check(at(200.0)), None, "nothing runs any more");
    }
}
