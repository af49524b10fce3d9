//! The five nodes of the loop, each with the name, the settings and the making that an executable needs.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use steward_nodes::bench::images::WatchedMapper;
use steward_nodes::executor::Executor;
use steward_nodes::grapher::{Grapher, GrapherConfig};
use steward_nodes::mapper::{Mapper, MapperConfig};
use steward_nodes::message::Topic;
use steward_nodes::node::Node;
use steward_nodes::planner::{Planner, PlannerConfig};
use steward_nodes::validator::{Validator, ValidatorConfig};
use steward_skills::SkillsConfig;

/// Settings of one node of the loop, from which it is made.
pub trait Part: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// Name of the node, as in the loop.
    const NAME: &'static str;
    /// What it says, counters included, and what is said in its name.
    const SAYS: &'static [Topic];
    /// Whether it looks at images.
    const SEES: bool = false;
    /// Nodes that must be heard of while this one carries out a skill.
    const WATCHES: &'static [&'static str] = &[];

    /// Whether it can go on with what one before it knew.
    const KEEPS: bool = false;

    /// Makes the node.
    ///
    /// # Errors
    /// One sentence: which setting is out of range, and why.
    fn make(&self) -> Result<Box<dyn Node>, String>;

    /// Makes the node under rules that were set before, beside those of its settings.
    ///
    /// # Errors
    /// As [`Part::make`].
    fn make_under(&self, _standing: Vec<String>) -> Result<Box<dyn Node>, String> {
        self.make()
    }

    /// Classes that goals may name; empty: any.
    fn classes(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

fn boxed<N: Node + 'static, E: ToString>(node: Result<N, E>) -> Result<Box<dyn Node>, String> {
    node.map(|n| Box::new(n) as Box<dyn Node>)
        .map_err(|e| e.to_string())
}

impl Part for MapperConfig {
    const NAME: &'static str = "mapper";
    const SAYS: &'static [Topic] = &[
        Topic::Localization,
        Topic::OccupancyGrid,
        Topic::ObstacleCloud,
        Topic::MapRequest,
        Topic::KnownMap,
        Topic::MapSnapshot,
        Topic::Answer,
        Topic::Diagnostics,
    ];
    const SEES: bool = true;
    const KEEPS: bool = true;

    fn make(&self) -> Result<Box<dyn Node>, String> {
        boxed(Mapper::new(self.clone()))
    }
}

/// Settings of a mapper that also counts how old images are: for `bench_mapper`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchedMapperConfig(MapperConfig);

impl Part for WatchedMapperConfig {
    const NAME: &'static str = MapperConfig::NAME;
    const SAYS: &'static [Topic] = MapperConfig::SAYS;
    const SEES: bool = true;

    fn make(&self) -> Result<Box<dyn Node>, String> {
        boxed(Mapper::new(self.0.clone()).map(WatchedMapper::new))
    }
}

impl Part for GrapherConfig {
    const NAME: &'static str = "grapher";
    const SAYS: &'static [Topic] = &[
        Topic::SceneGraph,
        Topic::SceneChange,
        Topic::KnownScene,
        Topic::Answer,
        Topic::Diagnostics,
    ];
    const KEEPS: bool = true;
    const SEES: bool = true;

    fn make(&self) -> Result<Box<dyn Node>, String> {
        boxed(Grapher::new(self.clone()))
    }
}

impl Part for ValidatorConfig {
    const NAME: &'static str = "validator";
    const SAYS: &'static [Topic] = &[Topic::Verdict, Topic::Diagnostics];

    fn make(&self) -> Result<Box<dyn Node>, String> {
        boxed(Validator::new(self.clone()))
    }
}

impl Part for PlannerConfig {
    const NAME: &'static str = "planner";
    const SAYS: &'static [Topic] = &[
        Topic::Task,
        Topic::SkillRequest,
        Topic::CancelTask,
        Topic::SetRules,
        Topic::Plan,
        Topic::SkillCommand,
        Topic::CancelSkill,
        Topic::TaskResult,
        Topic::SkillResult,
        Topic::RuleMonitors,
        Topic::Answer,
        Topic::Diagnostics,
    ];
    const KEEPS: bool = true;

    fn make(&self) -> Result<Box<dyn Node>, String> {
        self.make_under(Vec::new())
    }

    fn make_under(&self, standing: Vec<String>) -> Result<Box<dyn Node>, String> {
        self.validate()?;
        Ok(Box::new(Planner::new(self.clone()).under(standing)))
    }

    fn classes(&self) -> BTreeSet<String> {
        self.classes.clone()
    }
}

impl Part for SkillsConfig {
    const NAME: &'static str = "executor";
    const SAYS: &'static [Topic] = &[
        Topic::SkillStatus,
        Topic::DriveGoal,
        Topic::DriveStatus,
        Topic::VelocityCommand,
        Topic::JointCommand,
        Topic::Diagnostics,
    ];
    const WATCHES: &'static [&'static str] = &["mapper", "grapher", "planner"];

    fn make(&self) -> Result<Box<dyn Node>, String> {
        boxed(Executor::new(self.clone(), steward_sim::robot::URDF))
    }
}

#[cfg(test)]
mod tests {
    use steward_nodes::wiring::LoopConfig;

    use super::*;

    #[test]
    fn parts_are_the_nodes_of_the_loop_under_their_names() {
        fn name<P: Part>() -> &'static str {
            let node = P::default().make().unwrap();
            assert_eq!(node.name(), P::NAME);
            assert_eq!(node.subscriptions().contains(&Topic::Rgbd), P::SEES);
            node.name()
        }
        let names = [
            name::<MapperConfig>(),
            name::<GrapherConfig>(),
            name::<ValidatorConfig>(),
            name::<PlannerConfig>(),
            name::<SkillsConfig>(),
        ];
        let nodes = LoopConfig::default().nodes(steward_sim::robot::URDF).unwrap();
        assert_eq!(names.to_vec(), nodes.iter().map(|n| n.name()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let config = PlannerConfig {
            rate_hz: -1.0,
            ..PlannerConfig::default()
        };
        assert!(config.make().err().unwrap().contains("rate_hz"));
    }
}
