//! The whole loop in one process: simulator, nodes and scheduler as in `steward run`, everything published to ROS,
//! tasks from the action `execute_task`.
//!
//! Each node of the loop has a ROS node of its name for its parameters; all else belongs to the ROS node
//! `steward_loop`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as WallDuration;

use anyhow::{Context as _, Result};
use steward_ros::descriptions;
use steward_ros::lifecycle::State;
use steward_ros::parameters::{Parameters, Section};
use steward_ros::ros::front::Front;
use steward_ros::ros::logging;
use steward_ros::ros::settings::{ParameterServer, Settings};
use steward_ros::settings::LOOP_DESCRIPTIONS;
use steward_ros::world::WorldConfig;

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
const TURN: WallDuration = WallDuration::from_millis(10);

fn main() -> ExitCode {
    logging::start(SECTIONS[0].node);
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            log::error!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst)).context("cannot listen to signals")?;
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
            node.spin_once(if index == 0 { TURN } else { WallDuration::ZERO });
        }
        servers.iter_mut().for_each(|server| server.turn(&mut settings));
        front.turn(&mut settings)?;
    }
    front.shut_down();
    // Answers that are under way still leave.
    (0..5).for_each(|_| nodes[0].spin_once(TURN));
    Ok(())
}
