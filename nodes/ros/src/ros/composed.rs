//! The whole loop in one process: simulator, nodes and scheduler as in `steward run`, everything published to ROS,
//! tasks from the action `execute_task`.
//!
//! Each node of the loop has a ROS node of its name for its parameters; all else belongs to the ROS node
//! `steward_loop`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use super::front::Front;
use super::process;
use super::settings::{ParameterServer, Settings};
use crate::descriptions;
use crate::lifecycle::State;
use crate::parameters::{Parameters, Section};
use crate::settings::LOOP_DESCRIPTIONS;
use crate::world::WorldConfig;

/// The ROS nodes and their parameters. The first has all but parameters.
const SECTIONS: &[Section] = &[
    Section {
        node: "steward_loop",
        prefix: "own",
    },
    Section {
        node: "simulator",
        prefix: "simulator",
    },
    Section {
        node: "mapper",
        prefix: "nodes.mapper",
    },
    Section {
        node: "grapher",
        prefix: "nodes.grapher",
    },
    Section {
        node: "validator",
        prefix: "nodes.validator",
    },
    Section {
        node: "planner",
        prefix: "nodes.planner",
    },
    Section {
        node: "executor",
        prefix: "nodes.executor",
    },
];
/// How long one turn waits for something to come.
const TURN: Duration = Duration::from_millis(10);

/// Runs the loop as a program.
pub fn main() -> ExitCode {
    process::main(SECTIONS[0].node, run)
}

fn run(stop: &AtomicBool) -> Result<()> {
    let context = r2r::Context::create()?;
    let mut nodes = Vec::new();
    for section in SECTIONS {
        nodes.push(r2r::Node::create(context.clone(), section.node, "")?);
    }
    let parameters = Parameters::new(WorldConfig::default(), WorldConfig::validate);
    let mut settings = Settings::new(parameters, SECTIONS, &nodes[0].namespace()?)?;
    let mut servers = Vec::new();
    for (node, &section) in nodes.iter_mut().zip(SECTIONS) {
        let mut described = descriptions::of(section.node);
        if servers.is_empty() {
            described.extend(
                LOOP_DESCRIPTIONS
                    .iter()
                    .map(|(name, text)| ((*name).into(), (*text).into())),
            );
        }
        servers.push(ParameterServer::new(node, section, described)?);
    }
    let mut front = Front::new(&mut nodes[0], &mut settings)?;
    while !stop.load(Ordering::SeqCst) && front.state() != State::Finalized {
        for (index, node) in nodes.iter_mut().enumerate() {
            node.spin_once(if index == 0 { TURN } else { Duration::ZERO });
        }
        servers.iter_mut().for_each(|server| server.turn(&mut settings));
        front.turn(&mut settings)?;
    }
    front.shut_down();
    // Answers that are under way still leave.
    (0..5).for_each(|_| nodes[0].spin_once(TURN));
    Ok(())
}
