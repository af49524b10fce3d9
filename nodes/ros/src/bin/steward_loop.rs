//! Every executable of this package: which one it is, its own file name says, so that they share one file on disk.

use std::path::Path;
use std::process::ExitCode;

use steward_nodes::grapher::GrapherConfig;
use steward_nodes::mapper::MapperConfig;
use steward_nodes::planner::PlannerConfig;
use steward_nodes::validator::ValidatorConfig;
use steward_ros::parts::WatchedMapperConfig;
use steward_ros::ros::{bench, composed, member, simulator};
use steward_skills::SkillsConfig;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    match Path::new(&called).file_name().and_then(|name| name.to_str()) {
        Some("mapper") => member::main::<MapperConfig>(),
        Some("grapher") => member::main::<GrapherConfig>(),
        Some("validator") => member::main::<ValidatorConfig>(),
        Some("planner") => member::main::<PlannerConfig>(),
        Some("executor") => member::main::<SkillsConfig>(),
        Some("simulator") => simulator::main(),
        Some("bench") => bench::main(),
        Some("bench_mapper") => member::main::<WatchedMapperConfig>(),
        _ => composed::main(),
    }
}
