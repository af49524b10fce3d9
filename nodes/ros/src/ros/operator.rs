//! Everything that whoever operates the robot asks of the loop: actions and services.

use std::path::PathBuf;

use anyhow::Result;
use steward_nodes::message::{Message, Topic};

use super::maps::{Floor, Things};
use super::orders::{Give, Orders, Terms};
use super::rules::{RuleSetting, Standing};
use super::scene::SceneQueries;
use crate::world::Order;

/// What the operator, and those who move the robot, are to be told of.
pub const HEARS: &[Topic] = &[
    Topic::Task,
    Topic::SkillRequest,
    Topic::Plan,
    Topic::RuleMonitors,
    Topic::TaskResult,
    Topic::SkillResult,
    Topic::SceneGraph,
    Topic::MapSnapshot,
    Topic::Answer,
    Topic::DriveGoal,
    Topic::JointCommand,
];

/// What the nodes of a process begin with.
pub struct Begin {
    /// What they are to hear before all else.
    pub known: Vec<Order>,
    /// Rules that were set.
    pub rules: Standing,
}

/// The actions and services of a process: those of the nodes in it.
pub struct Operator {
    orders: Option<Orders>,
    rules: Option<RuleSetting>,
    floor: Option<Floor>,
    things: Option<Things>,
    queries: Option<SceneQueries>,
}

impl Operator {
    /// For a process that says these topics.
    ///
    /// # Errors
    /// Where ROS refuses an action or a service.
    pub fn new(node: &mut r2r::Node, says: &[Topic]) -> Result<Self> {
        let [plans, maps, knows] =
            [Topic::Plan, Topic::MapSnapshot, Topic::SceneGraph].map(|topic| says.contains(&topic));
        Ok(Operator {
            orders: plans.then(|| Orders::new(node)).transpose()?,
            rules: plans.then(|| RuleSetting::new(node)).transpose()?,
            floor: maps.then(|| Floor::new(node)).transpose()?,
            things: knows.then(|| Things::new(node)).transpose()?,
            queries: knows.then(|| SceneQueries::new(node)).transpose()?,
        })
    }

    /// Passes on what came.
    pub fn turn(&mut self, terms: &Terms<'_>) {
        if let Some(orders) = &mut self.orders {
            orders.turn(terms);
        }
        if let Some(rules) = &mut self.rules {
            rules.turn(terms.give);
        }
        if let Some(floor) = &mut self.floor {
            floor.turn(terms.give);
        }
        if let Some(things) = &mut self.things {
            things.turn(terms.give);
        }
        if let Some(queries) = &mut self.queries {
            queries.turn();
        }
    }

    /// Tells what the loop says.
    pub fn on_message(&mut self, message: &Message) {
        if let Some(orders) = &mut self.orders {
            orders.on_message(message);
        }
        if let Some(rules) = &mut self.rules {
            rules.on_message(message);
        }
        if let Some(floor) = &mut self.floor {
            floor.on_message(message);
        }
        if let Some(things) = &mut self.things {
            things.on_message(message);
        }
        if let (Some(queries), Message::SceneGraph(scene)) = (&mut self.queries, message) {
            queries.set(Some(scene.clone()));
        }
    }

    /// Ends the orders under way, for a reason of this node.
    pub fn end_all(&mut self, give: Option<Give<'_>>, code: u16, why: &str) {
        if let Some(orders) = &mut self.orders {
            orders.end_all(give, code, why);
        }
    }

    /// The nodes begin anew, with what is kept in this file; empty: with nothing.
    ///
    /// # Errors
    /// Where the file holds rules and cannot be read.
    pub fn begin(&mut self, keep: &str) -> Result<Begin> {
        let keep = (!keep.is_empty()).then(|| PathBuf::from(keep));
        let floor = self.floor.as_mut().and_then(|floor| floor.keep(keep.clone()));
        let things = self.things.as_mut().and_then(|things| things.keep(keep.clone()));
        if let Some(queries) = &mut self.queries {
            queries.set(None);
        }
        let rules = self.rules.as_mut().map(|rules| rules.keep(keep));
        Ok(Begin {
            known: floor.into_iter().chain(things).collect(),
            rules: rules.transpose()?.unwrap_or_default(),
        })
    }
}
