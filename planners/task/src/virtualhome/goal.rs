//! What a task asks for, in the words of the planner.

use crate::plan::{Goal, Label};
use crate::virtualhome::Task;

impl Task {
    /// The goal for [`plan`](crate::plan::plan): the facts at the end, and the actions on the way, done to anything.
    pub fn search_goal(&self) -> Goal {
        let domain = self.home.scene.domain();
        let label = |name: &String| {
            let schema = domain.schema_named(&name.to_lowercase())?;
            Some(Label::Done(
                schema,
                vec![None; domain.schema(schema).parameters.len()],
            ))
        };
        Goal {
            condition: self.goal.clone(),
            actions: self
                .actions
                .iter()
                .map(|names| names.iter().filter_map(label).collect())
                .collect(),
        }
    }
}
