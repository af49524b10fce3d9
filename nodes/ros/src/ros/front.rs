//! The ROS side of the composed loop: lifecycle, tasks and queries in, everything that the loop says out.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use anyhow::{Result, bail};
use r2r::steward_msgs::action::ExecuteTask::Result as Code;
use steward_core::Time;
use steward_core::messages::{Diagnostics, SceneGraph};
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_nodes::runtime::{Delivery, Observer};

use super::managed::Managed;
use super::operator::{self, Operator};
use super::orders::Terms;
use super::publishers::{Clock, Publishers, Truth};
use super::settings::Settings;
use crate::lifecycle::{State, Transition};
use crate::qos;
use crate::world::{Listener, World, WorldConfig};

/// Everything that others ask of the loop.
pub struct Front {
    managed: Managed,
    inside: Inside,
}

/// What the lifecycle is of.
struct Inside {
    outputs: Outputs,
    operator: Operator,
    running: Option<Running>,
}

/// A world and what it tells.
struct Running {
    world: World,
    config: WorldConfig,
    told: Receiver<Message>,
    is_active: bool,
}

impl Front {
    /// Makes services, action and publishers, and starts the loop where the settings say so.
    ///
    /// # Errors
    /// What ROS refuses, or why the loop cannot be started.
    pub fn new(node: &mut r2r::Node, settings: &mut Settings<WorldConfig>) -> Result<Self> {
        let autostart = settings.get().own.autostart;
        let mut front = Front {
            managed: Managed::new(node)?,
            inside: Inside {
                outputs: Outputs::new(node)?,
                operator: Operator::new(node, Topic::ALL)?,
                running: None,
            },
        };
        if autostart {
            let inside = &mut front.inside;
            front
                .managed
                .start(&mut |transition| inside.go(transition, settings))
                .map_err(anyhow::Error::msg)?;
        }
        Ok(front)
    }

    /// State of the lifecycle.
    pub fn state(&self) -> State {
        self.managed.state()
    }

    /// Works off everything that came.
    ///
    /// # Errors
    /// Where the world has ended by itself.
    pub fn turn(&mut self, settings: &mut Settings<WorldConfig>) -> Result<()> {
        let inside = &mut self.inside;
        self.managed
            .turn(&mut |transition| inside.go(transition, settings));
        inside.take_orders();
        inside.hear()
    }

    /// Ends tasks and world.
    pub fn shut_down(&mut self) {
        self.inside
            .end_tasks(Code::SHUT_DOWN as u16, "the node was shut down");
        self.inside.running = None;
    }
}

impl Inside {
    fn go(&mut self, transition: Transition, settings: &mut Settings<WorldConfig>) -> Result<(), String> {
        match (transition.to, &mut self.running) {
            (State::Inactive, None) => {
                let (sender, told) = channel();
                let config = settings.get().clone();
                let listener = Told {
                    outputs: self.outputs.clone(),
                    sender,
                };
                let world = World::build(&config, listener).map_err(|e| format!("{e:#}"))?;
                self.running = Some(Running {
                    world,
                    config,
                    told,
                    is_active: false,
                });
                settings.is_locked = true;
            }
            (State::Active, Some(running)) => running.set_active(true),
            (State::Inactive, Some(_)) => {
                self.end_tasks(Code::NOT_ACTIVE as u16, "the node was deactivated");
                if let Some(running) = &mut self.running {
                    running.set_active(false);
                }
            }
            _ => {
                self.end_tasks(Code::SHUT_DOWN as u16, "the node was taken down");
                self.running = None;
                self.operator.begin("").map_err(|e| format!("{e:#}"))?;
                settings.is_locked = false;
            }
        }
        Ok(())
    }

    fn take_orders(&mut self) {
        let running = self.running.as_ref().filter(|r| r.is_active);
        match running {
            Some(running) => self.operator.turn(&Terms {
                give: Some(&|order| running.world.order(order)),
                time_limit_s: running.config.own.time_limit_s,
                classes: &running.config.nodes.planner.classes,
            }),
            None => self.operator.turn(&Terms {
                give: None,
                time_limit_s: 0.0,
                classes: &Default::default(),
            }),
        }
    }

    fn hear(&mut self) -> Result<()> {
        let Some(running) = &self.running else {
            return Ok(());
        };
        loop {
            match running.told.try_recv() {
                Ok(message) => self.operator.on_message(&message),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => bail!("the world has ended; its error is above"),
            }
        }
    }

    fn end_tasks(&mut self, code: u16, why: &str) {
        match &self.running {
            Some(running) => self
                .operator
                .end_all(Some(&|order| running.world.order(order)), code, why),
            None => self.operator.end_all(None, code, why),
        }
    }
}

impl Running {
    fn set_active(&mut self, is_active: bool) {
        self.is_active = is_active;
        self.world.set_active(is_active);
    }
}

/// Publishers, which every world's thread gets a copy of.
#[derive(Clone)]
struct Outputs {
    namespace: String,
    publishers: Publishers,
    clock: Clock,
    truth: Truth,
}

impl Outputs {
    fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Outputs {
            namespace: node.namespace()?,
            publishers: Publishers::new(node, Topic::ALL)?,
            clock: Clock::new(node)?,
            truth: Truth::new(node)?,
        })
    }
}

impl Outputs {
    fn publish(&self, told: &Message) {
        match told {
            Message::Diagnostics(diagnostics) => self.publish_diagnostics(diagnostics),
            _ => self.publishers.publish(told),
        }
    }

    /// All robots share the topic, so nodes are named with their namespace on it. In recordings, which are of one
    /// robot, they are not.
    fn publish_diagnostics(&self, diagnostics: &Diagnostics) {
        let mut named = diagnostics.clone();
        named.node = qos::diagnostics_name(&self.namespace, &diagnostics.node);
        self.publishers.publish(&message(Message::Diagnostics, named));
    }
}

/// Publishes what the world tells, and passes on what tasks and queries are answered with.
struct Told {
    outputs: Outputs,
    sender: Sender<Message>,
}

impl Observer for Told {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.outputs.publish(delivery.message);
        if operator::HEARS.contains(&delivery.message.topic()) {
            // The receiver goes only when the world is about to.
            let _ = self.sender.send(delivery.message.clone());
        }
        Ok(())
    }
}

impl Listener for Told {
    fn on_time(&mut self, now: Time) {
        self.outputs.clock.publish(now);
    }

    fn on_truth(&mut self, truth: &SceneGraph) {
        self.outputs.truth.publish(truth.clone());
    }

    fn on_diagnostics(&mut self, diagnostics: Diagnostics) {
        self.outputs.publish_diagnostics(&diagnostics);
    }
}
