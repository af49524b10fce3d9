//! One node of the loop as a process.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use r2r::steward_msgs::action::ExecuteTask::Result as Code;
use serde::{Deserialize, Serialize};
use steward_core::Time;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;

use super::managed::Managed;
use super::movers::Movers;
use super::operator::{self, Begin, Operator};
use super::orders::Terms;
use super::process;
use super::publishers::Publishers;
use super::settings::{ParameterServer, Settings};
use super::subscriptions::{HeardClock, Subscriptions};
use crate::descriptions;
use crate::host::{Clock, HeardTime, Host, Outlet};
use crate::inbox::Inbox;
use crate::lifecycle::{State, Transition};
use crate::parameters::{Parameters, Section};
use crate::parts::Part;
use crate::qos;
use crate::sensors::CameraSettings;
use crate::watch::Watch;
use crate::world::Order;

/// How long one turn waits for something to come.
const TURN: Duration = Duration::from_millis(10);
/// How long a task may take where its goal says nothing, seconds.
const TIME_LIMIT_S: f64 = 1800.0;

/// Settings of a process with one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "P: Part")]
struct Alone<P> {
    /// Configure and activate at the start.
    autostart: bool,
    /// Go by `/clock` instead of the wall clock.
    use_sim_time: bool,
    /// Of nodes that look at images: the camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    camera: Option<CameraSettings>,
    /// Of the node that drives: commands to the base are `TwistStamped`, or `Twist`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enable_stamped_cmd_vel: Option<bool>,
    /// The file in which what is known is kept, where the node can go on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<String>,
    /// The action that joints are moved through, where the node moves any; empty: the topic `joint_command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joint_action: Option<String>,
    #[serde(flatten)]
    own: P,
}

/// Settings that decide about topics: they are taken when the process starts.
const AT_START: &[&str] = &["camera", "enable_stamped_cmd_vel", "joint_action", "use_sim_time"];

impl<P: Part> Alone<P> {
    fn validate(&self) -> Result<(), String> {
        self.camera.as_ref().map_or(Ok(()), CameraSettings::validate)?;
        self.own.make().map(drop)
    }
}

impl<P: Part> Default for Alone<P> {
    fn default() -> Self {
        Alone {
            autostart: true,
            use_sim_time: false,
            camera: P::SEES.then(CameraSettings::default),
            enable_stamped_cmd_vel: P::SAYS.contains(&Topic::VelocityCommand).then_some(true),
            keep: P::KEEPS.then(String::new),
            joint_action: P::SAYS.contains(&Topic::JointCommand).then(String::new),
            own: P::default(),
        }
    }
}

/// Runs the node as a program.
pub fn main<P: Part>() -> ExitCode {
    process::main(P::NAME, run::<P>)
}

fn run<P: Part>(stop: &AtomicBool) -> Result<()> {
    let mut node = r2r::Node::create(r2r::Context::create()?, P::NAME, "")?;
    let section = Section {
        node: P::NAME,
        prefix: "",
    };
    let parameters = Parameters::new(Alone::<P>::default(), Alone::validate);
    let mut settings = Settings::new(parameters, &[section], &node.namespace()?)?;
    settings.taken_at_start = AT_START;
    let mut described = descriptions::of(P::NAME);
    described.insert(
        "use_sim_time".into(),
        "Go by /clock instead of the wall clock.".into(),
    );
    described.insert("autostart".into(), "Configure and activate at the start.".into());
    described.insert(
        "keep".into(),
        "File that what is known is read from at the start, and written to every 10 s, or when rules are set; empty: \
         none."
            .into(),
    );
    described.insert(
        "joint_action".into(),
        "Action (control_msgs/FollowJointTrajectory) that joints are moved through, taken at the start; empty: the \
         topic joint_command."
            .into(),
    );
    let mut parameter_server = ParameterServer::new(&mut node, section, described)?;
    let mut managed = Managed::new(&mut node)?;
    let mut member = Member::<P>::new(&mut node, settings.get())?;
    if settings.get().autostart {
        managed
            .start(&mut |t| member.go(t, &mut settings))
            .map_err(anyhow::Error::msg)?;
    }
    while !stop.load(Ordering::SeqCst) && managed.state() != State::Finalized {
        node.spin_once(TURN);
        parameter_server.turn(&mut settings);
        managed.turn(&mut |t| member.go(t, &mut settings));
        member.turn()?;
    }
    member.end_tasks(Code::SHUT_DOWN as u16, "the node was shut down");
    member.movers.stop();
    member.host = None;
    // Answers that are under way still leave.
    (0..5).for_each(|_| node.spin_once(TURN));
    Ok(())
}

struct Member<P> {
    namespace: String,
    inbox: Arc<Inbox>,
    subscriptions: Subscriptions,
    clock: Clock,
    heard_clock: Option<HeardClock>,
    publishers: Publishers,
    sender: Sender<Message>,
    said: Receiver<Message>,
    operator: Operator,
    movers: Movers,
    classes: BTreeSet<String>,
    host: Option<Host>,
    is_active: bool,
    part: std::marker::PhantomData<P>,
}

impl<P: Part> Member<P> {
    fn new(node: &mut r2r::Node, settings: &Alone<P>) -> Result<Self> {
        let example = P::default().make().map_err(anyhow::Error::msg)?;
        let mut topics = example.subscriptions().to_vec();
        if !P::WATCHES.is_empty() {
            topics.push(Topic::Diagnostics);
        }
        let inbox = Arc::new(Inbox::default());
        let (clock, heard_clock) = if settings.use_sim_time {
            let heard = Arc::new(HeardTime::default());
            (
                Clock::Heard(Arc::clone(&heard)),
                Some(HeardClock::new(node, heard)?),
            )
        } else {
            (Clock::Wall, None)
        };
        let (sender, said) = channel();
        let camera = settings.camera.clone().unwrap_or_default();
        let is_velocity_stamped = settings.enable_stamped_cmd_vel.unwrap_or(true);
        Ok(Member {
            namespace: node.namespace()?,
            subscriptions: Subscriptions::new(node, &topics, &camera, Arc::clone(&inbox))?,
            inbox,
            clock,
            heard_clock,
            publishers: Publishers::with_velocity(node, P::SAYS, is_velocity_stamped)?,
            sender,
            said,
            operator: Operator::new(node, P::SAYS)?,
            movers: Movers::new(
                node,
                P::SAYS,
                settings.joint_action.as_deref().unwrap_or_default(),
            )?,
            classes: BTreeSet::new(),
            host: None,
            is_active: false,
            part: std::marker::PhantomData,
        })
    }

    fn go(&mut self, transition: Transition, settings: &mut Settings<Alone<P>>) -> Result<(), String> {
        match (transition.to, self.host.is_some()) {
            (State::Inactive, false) => {
                let own = settings.get().own.clone();
                self.classes = own.classes();
                let keep = settings.get().keep.as_deref().unwrap_or_default();
                let Begin { known, rules } = self.operator.begin(keep).map_err(|e| format!("{e:#}"))?;
                let now = self.clock.now().unwrap_or(Time::ZERO);
                let first = known.into_iter().map(|order| order.message(now)).collect();
                let outlet = Said {
                    publishers: self.publishers.clone(),
                    sender: self.sender.clone(),
                    moves_joints: self.movers.moves_joints(),
                };
                let make = Box::new(move || {
                    own.make_under(rules.lock().unwrap_or_else(PoisonError::into_inner).clone())
                });
                let named = |node: &str| qos::diagnostics_name(&self.namespace, node);
                let watch = Watch::new(P::WATCHES.iter().map(|node| named(node)).collect());
                self.host = Some(Host::build(
                    named(P::NAME),
                    make,
                    first,
                    self.clock.clone(),
                    Arc::clone(&self.inbox),
                    watch,
                    outlet,
                )?);
                settings.is_locked = true;
            }
            (State::Active, _) => self.set_active(true),
            (State::Inactive, true) => {
                self.end_tasks(Code::NOT_ACTIVE as u16, "the node was deactivated");
                self.set_active(false);
            }
            _ => {
                self.end_tasks(Code::SHUT_DOWN as u16, "the node was taken down");
                self.set_active(false);
                self.host = None;
                settings.is_locked = false;
            }
        }
        Ok(())
    }

    fn set_active(&mut self, is_active: bool) {
        self.is_active = is_active;
        if !is_active {
            self.movers.stop();
        }
        if let Some(host) = &self.host {
            host.set_active(is_active);
        }
    }

    fn turn(&mut self) -> Result<()> {
        if self.heard_clock.as_mut().is_some_and(HeardClock::turn) {
            self.inbox.call();
        }
        self.subscriptions.turn();
        while let Ok(message) = self.said.try_recv() {
            self.operator.on_message(&message);
            self.movers.on_message(&message);
        }
        if self.host.as_ref().is_some_and(Host::take_begun_anew) {
            self.end_tasks(
                Code::SENSORS_LOST as u16,
                "time jumped back, and the loop began anew; order the task again",
            );
        }
        if let Some(now) = self.clock.now() {
            let said = self.movers.turn(now);
            said.into_iter()
                .for_each(|status| self.publishers.publish(&message(Message::DriveStatus, status)));
        }
        let give = give(&self.clock, &self.publishers, &self.sender);
        self.operator.turn(&Terms {
            give: self.is_active.then_some(&give as _),
            time_limit_s: TIME_LIMIT_S,
            classes: &self.classes,
        });
        if self.host.as_ref().is_some_and(Host::has_ended) {
            bail!("the node has ended; its error is above");
        }
        Ok(())
    }

    fn end_tasks(&mut self, code: u16, why: &str) {
        let give = give(&self.clock, &self.publishers, &self.sender);
        self.operator.end_all(Some(&give), code, why);
    }
}

/// Orders go out on their topics, where the planner hears them as it would hear anybody's.
fn give<'a>(
    clock: &'a Clock,
    publishers: &'a Publishers,
    sender: &'a Sender<Message>,
) -> impl Fn(Order) -> Result<()> + 'a {
    move |order| {
        let Some(now) = clock.now() else {
            bail!("use_sim_time is true and nobody says on /clock what time it is");
        };
        let message = order.message(now);
        publishers.publish(&message);
        // The receiver goes only with the process.
        let _ = sender.send(message);
        Ok(())
    }
}

/// Publishes what the node says, and passes on what its process answers others with.
struct Said {
    publishers: Publishers,
    sender: Sender<Message>,
    /// Joints are moved through an action, and so not by the topic.
    moves_joints: bool,
}

impl Outlet for Said {
    fn on_message(&mut self, message: &Message) {
        if !(self.moves_joints && message.topic() == Topic::JointCommand) {
            self.publishers.publish(message);
        }
        if operator::HEARS.contains(&message.topic()) {
            // The receiver goes only with the process.
            let _ = self.sender.send(message.clone());
        }
    }
}
