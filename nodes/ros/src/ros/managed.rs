//! The services and the event of a managed node, which `r2r` lacks.

use anyhow::Result;
use r2r::QosProfile;
use r2r::lifecycle_msgs::{msg, srv};

use super::Service;
use crate::lifecycle::{State, TRANSITIONS, Transition};

/// A node with a lifecycle.
pub struct Managed {
    state: State,
    change_state: Service<srv::ChangeState::Service>,
    get_state: Service<srv::GetState::Service>,
    get_states: Service<srv::GetAvailableStates::Service>,
    get_transitions: Service<srv::GetAvailableTransitions::Service>,
    get_graph: Service<srv::GetAvailableTransitions::Service>,
    events: r2r::Publisher<msg::TransitionEvent>,
}

/// Does what a transition is about, or says why it cannot.
pub type Go<'a> = &'a mut dyn FnMut(Transition) -> Result<(), String>;

impl Managed {
    /// A node in the state unconfigured.
    ///
    /// # Errors
    /// Where ROS refuses a service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        let name = node.name()?;
        let own = |what: &str| format!("{name}/{what}");
        Ok(Managed {
            state: State::Unconfigured,
            change_state: Service::new(node, &own("change_state"))?,
            get_state: Service::new(node, &own("get_state"))?,
            get_states: Service::new(node, &own("get_available_states"))?,
            get_transitions: Service::new(node, &own("get_available_transitions"))?,
            get_graph: Service::new(node, &own("get_transition_graph"))?,
            events: node.create_publisher(&own("transition_event"), QosProfile::default())?,
        })
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        self.state
    }

    /// Answers what came.
    pub fn turn(&mut self, go: Go<'_>) {
        let (state, events) = (&mut self.state, &self.events);
        self.change_state.answer(|request| {
            let asked = &request.transition;
            let changed = change(state, events, asked.id, &asked.label, go);
            if let Err(why) = &changed {
                log::warn!("{why}");
            }
            srv::ChangeState::Response {
                success: changed.is_ok(),
            }
        });
        let state = self.state;
        self.get_state.answer(|_| srv::GetState::Response {
            current_state: state_message(state),
        });
        self.get_states.answer(|_| srv::GetAvailableStates::Response {
            available_states: State::ALL.map(state_message).to_vec(),
        });
        self.get_transitions
            .answer(|_| srv::GetAvailableTransitions::Response {
                available_transitions: state.transitions().map(description).collect(),
            });
        self.get_graph.answer(|_| srv::GetAvailableTransitions::Response {
            available_transitions: TRANSITIONS.iter().copied().map(description).collect(),
        });
    }

    /// Configures and activates.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn start(&mut self, go: Go<'_>) -> Result<(), String> {
        for label in ["configure", "activate"] {
            change(&mut self.state, &self.events, 0, label, go)?;
        }
        Ok(())
    }
}

/// Goes through a transition, or says why not.
fn change(
    state: &mut State,
    events: &r2r::Publisher<msg::TransitionEvent>,
    id: u8,
    label: &str,
    go: Go<'_>,
) -> Result<(), String> {
    let Some(transition) = state.transition(id, label) else {
        let asked = if label.is_empty() {
            id.to_string()
        } else {
            label.to_owned()
        };
        return Err(format!(
            "there is no transition `{asked}` from the state {}",
            state.label()
        ));
    };
    go(transition).map_err(|why| format!("cannot {}: {why}", transition.label))?;
    *state = transition.to;
    let event = msg::TransitionEvent {
        timestamp: 0,
        transition: transition_message(transition),
        start_state: state_message(transition.from),
        goal_state: state_message(transition.to),
    };
    events.publish(&event).map_err(|e| e.to_string())
}

fn state_message(state: State) -> msg::State {
    msg::State {
        id: state as u8,
        label: state.label().into(),
    }
}

fn transition_message(transition: Transition) -> msg::Transition {
    msg::Transition {
        id: transition.id,
        label: transition.label.into(),
    }
}

fn description(transition: Transition) -> msg::TransitionDescription {
    msg::TransitionDescription {
        transition: transition_message(transition),
        start_state: state_message(transition.from),
        goal_state: state_message(transition.to),
    }
}
