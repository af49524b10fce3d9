//! The whole loop in one process: simulator, nodes and scheduler as in `steward run`, everything published to ROS,
//! tasks from the action `execute_task`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration as WallDuration;

use anyhow::{Context as _, Result};
use futures::executor::LocalPool;
use futures::stream::Stream;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt};
use r2r::lifecycle_msgs::{msg as lifecycle, srv as lifecycle_srv};
use r2r::steward_msgs::action::ExecuteTask;
use r2r::steward_msgs::srv::QueryScene;
use r2r::{ActionServerCancelRequest, ActionServerGoal, ActionServerGoalRequest, QosProfile, ServiceRequest};
use r2r::{PublisherUntyped, WrappedTypesupport};
use steward_core::ids::TaskId;
use steward_core::messages::{Goal, Outcome, SceneGraph, StepState, VerdictKind};
use steward_core::{Duration, Time};
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_nodes::recording::encode;
use steward_nodes::runtime::{Delivery, Observer};
use steward_ros::lifecycle::{State, TRANSITIONS, Transition};
use steward_ros::parameters::Parameters;
use steward_ros::ros::{Publishers, Shared, lock, publisher, shared};
use steward_ros::world::{Listener, Order, World, WorldConfig};

/// How long one turn waits for something to come.
const TURN: WallDuration = WallDuration::from_millis(10);
/// Why nothing is set once the world is built.
const LOCKED: &str = "settings are taken when the node is configured; bring it to the state unconfigured to set them";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
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
    let mut node = r2r::Node::create(r2r::Context::create()?, "steward_loop", "")?;
    let settings = shared(Parameters::new(WorldConfig::default(), WorldConfig::validate));
    let (handler, _changes) = node.make_derived_parameter_handler(settings.clone())?;
    let mut pool = LocalPool::new();
    pool.spawner().spawn_local(handler)?;
    let mut front = Front::new(&mut node, settings)?;
    if lock(&front.settings).parameters.settings().autostart {
        for id in [1, 3] {
            front.change(id, "").map_err(anyhow::Error::msg)?;
        }
    }
    while !stop.load(Ordering::SeqCst) && front.state != State::Finalized {
        node.spin_once(TURN);
        pool.run_until_stalled();
        front.turn();
    }
    front.end_tasks(ExecuteTask::Result::SHUT_DOWN as u16, "the node was shut down");
    front.world = None;
    // Answers that are under way still leave.
    (0..5).for_each(|_| node.spin_once(TURN));
    Ok(())
}

type Requests<T> = Box<dyn Stream<Item = ServiceRequest<T>> + Unpin>;

/// A task that a client waits for.
struct Running {
    goal: ActionServerGoal<ExecuteTask::Action>,
    cancels: Box<dyn Stream<Item = ActionServerCancelRequest> + Unpin>,
    ordered: Option<Time>,
    feedback: ExecuteTask::Feedback,
    is_cancelled: bool,
}

/// Everything that others ask of the node.
struct Front {
    settings: Shared<WorldConfig>,
    state: State,
    world: Option<World>,
    events: Receiver<Message>,
    outputs: Arc<Outputs>,
    sender: Sender<Message>,
    scene: Option<Arc<SceneGraph>>,
    tasks: HashMap<TaskId, Running>,
    last_task: u32,
    goals: Box<dyn Stream<Item = ActionServerGoalRequest<ExecuteTask::Action>> + Unpin>,
    queries: Requests<QueryScene::Service>,
    change_state: Requests<lifecycle_srv::ChangeState::Service>,
    get_state: Requests<lifecycle_srv::GetState::Service>,
    get_states: Requests<lifecycle_srv::GetAvailableStates::Service>,
    get_transitions: Requests<lifecycle_srv::GetAvailableTransitions::Service>,
    get_graph: Requests<lifecycle_srv::GetAvailableTransitions::Service>,
    transition_event: r2r::Publisher<lifecycle::TransitionEvent>,
}

impl Front {
    fn new(node: &mut r2r::Node, settings: Shared<WorldConfig>) -> Result<Self> {
        let (sender, events) = channel();
        let name = node.name()?;
        let services = QosProfile::services_default();
        Ok(Front {
            settings,
            state: State::Unconfigured,
            world: None,
            events,
            outputs: Arc::new(Outputs::new(node)?),
            sender,
            scene: None,
            tasks: HashMap::new(),
            last_task: 0,
            goals: Box::new(node.create_action_server::<ExecuteTask::Action>("execute_task")?),
            queries: Box::new(node.create_service::<QueryScene::Service>("query_scene", services.clone())?),
            change_state: Box::new(node.create_service::<lifecycle_srv::ChangeState::Service>(&format!("{name}/change_state"), services.clone())?),
            get_state: Box::new(node.create_service::<lifecycle_srv::GetState::Service>(&format!("{name}/get_state"), services.clone())?),
            get_states: Box::new(node.create_service::<lifecycle_srv::GetAvailableStates::Service>(&format!("{name}/get_available_states"), services.clone())?),
            get_transitions: Box::new(node.create_service::<lifecycle_srv::GetAvailableTransitions::Service>(&format!("{name}/get_available_transitions"), services.clone())?),
            get_graph: Box::new(node.create_service::<lifecycle_srv::GetAvailableTransitions::Service>(&format!("{name}/get_transition_graph"), services)?),
            transition_event: node.create_publisher::<lifecycle::TransitionEvent>(&format!("{name}/transition_event"), QosProfile::default())?,
        })
    }

    /// Works off everything that came.
    fn turn(&mut self) {
        while let Some(Some(request)) = self.change_state.next().now_or_never() {
            let asked = &request.message.transition;
            let changed = self.change(asked.id, &asked.label.clone());
            if let Err(why) = &changed {
                log::warn!("{why}");
            }
            let success = changed.is_ok();
            answer(request, lifecycle_srv::ChangeState::Response { success });
        }
        while let Some(Some(request)) = self.get_state.next().now_or_never() {
            let current_state = state_message(self.state);
            answer(request, lifecycle_srv::GetState::Response { current_state });
        }
        while let Some(Some(request)) = self.get_states.next().now_or_never() {
            let available_states = State::ALL.map(state_message).to_vec();
            answer(request, lifecycle_srv::GetAvailableStates::Response { available_states });
        }
        while let Some(Some(request)) = self.get_transitions.next().now_or_never() {
            let available_transitions = self.state.transitions().map(description).collect();
            answer(request, lifecycle_srv::GetAvailableTransitions::Response { available_transitions });
        }
        while let Some(Some(request)) = self.get_graph.next().now_or_never() {
            let available_transitions = TRANSITIONS.iter().copied().map(description).collect();
            answer(request, lifecycle_srv::GetAvailableTransitions::Response { available_transitions });
        }
        while let Some(Some(request)) = self.queries.next().now_or_never() {
            let response = self.query(&request.message.class_name);
            answer(request, response);
        }
        while let Some(Some(request)) = self.goals.next().now_or_never() {
            if let Err(e) = self.begin(request) {
                log::error!("a goal cannot be taken: {e:#}");
            }
        }
        self.cancel_tasks();
        while let Ok(event) = self.events.try_recv() {
            self.on_event(&event);
        }
    }

    /// Goes through a transition, or says why not.
    fn change(&mut self, id: u8, label: &str) -> Result<(), String> {
        let Some(transition) = self.state.transition(id, label) else {
            let asked = if label.is_empty() { id.to_string() } else { label.to_owned() };
            return Err(format!("there is no transition `{asked}` from the state {}", self.state.label()));
        };
        match (transition.label, &self.world) {
            ("configure", _) => {
                let config = lock(&self.settings).parameters.settings().clone();
                let told = Told { outputs: Arc::clone(&self.outputs), events: self.sender.clone() };
                let world = World::build(&config, told).map_err(|e| format!("cannot configure: {e:#}"))?;
                self.world = Some(world);
                lock(&self.settings).locked = Some(LOCKED);
            }
            ("activate", Some(world)) => world.set_active(true),
            _ => {
                self.end_tasks(ExecuteTask::Result::NOT_ACTIVE as u16, "the node was taken out of the state active");
                match (transition.label, &self.world) {
                    ("deactivate", Some(world)) => world.set_active(false),
                    _ => {
                        self.world = None;
                        self.scene = None;
                        lock(&self.settings).locked = None;
                    }
                }
            }
        }
        self.state = transition.to;
        let event = lifecycle::TransitionEvent {
            timestamp: 0,
            transition: transition_message(transition),
            start_state: state_message(transition.from),
            goal_state: state_message(transition.to),
        };
        self.transition_event.publish(&event).map_err(|e| e.to_string())
    }

    fn begin(&mut self, request: ActionServerGoalRequest<ExecuteTask::Action>) -> Result<()> {
        let asked = request.goal.clone();
        // A goal that ROS refuses has no result, and so no reason: it is accepted and ends at once.
        let (mut goal, cancels) = request.accept()?;
        let limit_s = match asked.time_limit_s {
            0.0 => lock(&self.settings).parameters.settings().time_limit_s,
            given => given,
        };
        let refused = |code, why: String| Err((code, why));
        let read = match (asked.goal.parse::<Goal>(), &self.world) {
            _ if self.state != State::Active => {
                refused(ExecuteTask::Result::NOT_ACTIVE, format!("the node is {}; activate it", self.state.label()))
            }
            _ if !self.tasks.is_empty() => {
                refused(ExecuteTask::Result::BUSY, "another task is under way; cancel it first".into())
            }
            _ if !(limit_s > 0.0 && limit_s <= 1e6) => {
                refused(ExecuteTask::Result::INVALID_GOAL, format!("time_limit_s is {limit_s} and must be between 0 and 1000000"))
            }
            (Err(e), _) => refused(ExecuteTask::Result::INVALID_GOAL, e.to_string()),
            (Ok(_), None) => refused(ExecuteTask::Result::NOT_ACTIVE, "there is no world".into()),
            (Ok(read), Some(world)) => Ok((read, world)),
        };
        let (read, world) = match read {
            Ok(read) => read,
            Err((code, error_msg)) => {
                goal.abort(ExecuteTask::Result { error_code: code as u16, error_msg, ..Default::default() })?;
                return Ok(());
            }
        };
        self.last_task += 1;
        let id = TaskId(self.last_task);
        let limit = Duration::from_secs_f64(limit_s);
        world.order(Order::Task { id, goal: read, rules: asked.rules, limit })?;
        let running = Running {
            goal,
            cancels: Box::new(cancels),
            ordered: None,
            feedback: ExecuteTask::Feedback::default(),
            is_cancelled: false,
        };
        self.tasks.insert(id, running);
        Ok(())
    }

    fn cancel_tasks(&mut self) {
        for (id, running) in &mut self.tasks {
            let Some(Some(request)) = running.cancels.next().now_or_never() else {
                continue;
            };
            request.accept();
            running.is_cancelled = true;
            if let Some(world) = &self.world
                && let Err(e) = world.order(Order::Cancel(*id))
            {
                log::error!("{e:#}");
            }
        }
    }

    /// Ends what is under way, for a reason of this node.
    fn end_tasks(&mut self, error_code: u16, why: &str) {
        for (id, mut running) in self.tasks.drain() {
            if let Some(world) = &self.world
                && let Err(e) = world.order(Order::Cancel(id))
            {
                log::error!("{e:#}");
            }
            let result = ExecuteTask::Result { error_code, error_msg: why.into(), task: id.0, ..Default::default() };
            if let Err(e) = running.goal.abort(result) {
                log::error!("the end of task {} cannot be told: {e}", id.0);
            }
        }
    }

    fn query(&self, class_name: &str) -> QueryScene::Response {
        let Some(scene) = &self.scene else {
            let message = "nothing was published yet".into();
            return QueryScene::Response { message, ..Default::default() };
        };
        let mut asked = SceneGraph::clone(scene);
        if !class_name.is_empty() {
            asked.objects.retain(|o| o.class == class_name);
            let ids: Vec<_> = asked.objects.iter().map(|o| o.id).collect();
            asked.relations.retain(|r| ids.contains(&r.subject) || ids.contains(&r.object));
        }
        let bytes = encode(&message(Message::SceneGraph, asked)).map_err(|e| e.to_string());
        let graph = bytes.and_then(|parts| {
            r2r::steward_msgs::msg::SceneGraph::from_serialized_bytes(&parts[0].bytes).map_err(|e| e.to_string())
        });
        match graph {
            Ok(graph) => QueryScene::Response { known: true, graph, message: String::new() },
            Err(message) => QueryScene::Response { message, ..Default::default() },
        }
    }

    fn on_event(&mut self, event: &Message) {
        match event {
            Message::SceneGraph(scene) => self.scene = Some(Arc::clone(scene)),
            Message::Task(task) => {
                if let Some(running) = self.tasks.get_mut(&task.id) {
                    running.ordered = Some(task.header.stamp);
                }
            }
            Message::Plan(plan) => {
                if let Some(running) = self.tasks.get_mut(&plan.task) {
                    if let Some(step) = plan.steps.iter().rfind(|s| s.state == StepState::Running) {
                        running.feedback.step = step.step.map_or(0, |s| s.0);
                        running.feedback.label.clone_from(&step.label);
                    }
                    running.feedback.reason.clone_from(&plan.reason);
                    tell(running, plan.header.stamp);
                }
            }
            Message::Verdict(verdict) if verdict.kind == VerdictKind::Confirmed => {
                for running in self.tasks.values_mut() {
                    running.feedback.steps_confirmed += 1;
                    tell(running, verdict.header.stamp);
                }
            }
            Message::TaskResult(ended) => {
                let Some(mut running) = self.tasks.remove(&ended.id) else {
                    return;
                };
                let mut result = ExecuteTask::Result { detail: ended.detail.clone(), task: ended.id.0, ..Default::default() };
                let told = match ended.outcome {
                    Outcome::Succeeded => running.goal.succeed(result),
                    Outcome::Failed(reason) => {
                        // Numbered in the order of declaration, as on the topic `task_result`.
                        result.error_code = 100 + reason as u16;
                        result.error_msg = format!("{reason}: {}", ended.detail);
                        if running.is_cancelled { running.goal.cancel(result) } else { running.goal.abort(result) }
                    }
                };
                if let Err(e) = told {
                    log::error!("the end of task {} cannot be told: {e}", ended.id.0);
                }
            }
            _ => {}
        }
    }
}

fn tell(running: &mut Running, now: Time) {
    running.feedback.elapsed_s = running.ordered.map_or(0.0, |at| (now - at).secs_f64().max(0.0));
    if let Err(e) = running.goal.publish_feedback(running.feedback.clone()) {
        log::warn!("feedback cannot be told: {e}");
    }
}

fn answer<T: r2r::WrappedServiceTypeSupport + 'static>(request: ServiceRequest<T>, response: T::Response) {
    if let Err(e) = request.respond(response) {
        log::warn!("an answer cannot be sent: {e}");
    }
}

fn state_message(state: State) -> lifecycle::State {
    lifecycle::State { id: state as u8, label: state.label().into() }
}

fn transition_message(transition: Transition) -> lifecycle::Transition {
    lifecycle::Transition { id: transition.id, label: transition.label.into() }
}

fn description(transition: Transition) -> lifecycle::TransitionDescription {
    lifecycle::TransitionDescription {
        transition: transition_message(transition),
        start_state: state_message(transition.from),
        goal_state: state_message(transition.to),
    }
}

/// Publishers that the world's thread uses.
struct Outputs {
    publishers: std::sync::Mutex<(Publishers, PublisherUntyped, PublisherUntyped)>,
}

impl Outputs {
    fn new(node: &mut r2r::Node) -> Result<Self> {
        let publishers = Publishers::new(node, Topic::ALL)?;
        let clock = publisher(node, "/clock", "rosgraph_msgs/msg/Clock")?;
        let truth = publisher(node, "/simulator/truth", "steward_msgs/msg/SceneGraph")?;
        Ok(Outputs { publishers: std::sync::Mutex::new((publishers, clock, truth)) })
    }

    fn with(&self, publish: impl FnOnce(&(Publishers, PublisherUntyped, PublisherUntyped)) -> r2r::Result<()>) {
        let publishers = self.publishers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(e) = publish(&publishers) {
            log::warn!("cannot publish: {e}");
        }
    }
}

/// Publishes what the world tells, and passes on what tasks and queries are answered with.
struct Told {
    outputs: Arc<Outputs>,
    events: Sender<Message>,
}

impl Observer for Told {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.outputs.with(|(publishers, _, _)| {
            publishers.publish(delivery.message);
            Ok(())
        });
        if matches!(
            delivery.message.topic(),
            Topic::SceneGraph | Topic::Task | Topic::Plan | Topic::Verdict | Topic::TaskResult
        ) {
            // The receiver goes only when the process ends.
            let _ = self.events.send(delivery.message.clone());
        }
        Ok(())
    }
}

impl Listener for Told {
    fn on_time(&mut self, now: Time) {
        let time = r2r::rosgraph_msgs::msg::Clock {
            clock: r2r::builtin_interfaces::msg::Time {
                sec: now.nanos().div_euclid(1_000_000_000) as i32,
                nanosec: now.nanos().rem_euclid(1_000_000_000) as u32,
            },
        };
        self.outputs.with(|(_, clock, _)| clock.publish_raw(&time.to_serialized_bytes()?));
    }

    fn on_truth(&mut self, truth: &SceneGraph) {
        match encode(&message(Message::SceneGraph, truth.clone())) {
            Ok(parts) => self.outputs.with(|(_, _, publisher)| publisher.publish_raw(&parts[0].bytes)),
            Err(e) => log::warn!("the truth cannot be told: {e}"),
        }
    }
}
