//! Which nodes make up the loop, and their settings.

use serde::{Deserialize, Serialize};
use steward_skills::SkillsConfig;

use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::grapher::{Grapher, GrapherConfig};
use crate::mapper::{Mapper, MapperConfig};
use crate::node::Node;
use crate::planner::{Planner, PlannerConfig};
use crate::validator::{Validator, ValidatorConfig};

/// Settings of every node of the loop but the world.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopConfig {
    /// Mapper.
    pub mapper: MapperConfig,
    /// Grapher.
    pub grapher: GrapherConfig,
    /// Validator.
    pub validator: ValidatorConfig,
    /// Planner.
    pub planner: PlannerConfig,
    /// Executor.
    pub executor: SkillsConfig,
}

impl LoopConfig {
    /// The nodes, in the order in which they are called.
    ///
    /// # Errors
    /// [`Error::BadNode`] for settings out of range or a robot description that a node cannot use.
    pub fn nodes(&self, urdf: &str) -> Result<Vec<Box<dyn Node>>> {
        let bad = |node: &'static str, problem: String| Error::BadNode { node, problem };
        self.planner.validate().map_err(|e| bad("planner", e))?;
        let executor =
            Executor::new(self.executor.clone(), urdf).map_err(|e| bad("executor", e.to_string()))?;
        Ok(vec![
            Box::new(Mapper::new(self.mapper.clone()).map_err(|e| bad("mapper", e.to_string()))?),
            Box::new(Grapher::new(self.grapher.clone()).map_err(|e| bad("grapher", e.to_string()))?),
            Box::new(Validator::new(self.validator.clone()).map_err(|e| bad("validator", e.to_string()))?),
            Box::new(Planner::new(self.planner.clone())),
            Box::new(executor),
        ])
    }
}
