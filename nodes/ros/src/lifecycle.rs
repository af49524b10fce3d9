//! The states of a managed node, numbered as in `lifecycle_msgs`.

/// A primary state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Settings may be changed; nothing is built.
    Unconfigured = 1,
    /// Built and at rest.
    Inactive = 2,
    /// At work.
    Active = 3,
    /// The process ends.
    Finalized = 4,
}

/// A way from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Number as in `lifecycle_msgs/Transition`.
    pub id: u8,
    /// Name as in `lifecycle_msgs`.
    pub label: &'static str,
    /// Where from.
    pub from: State,
    /// Where to.
    pub to: State,
}

const fn transition(id: u8, label: &'static str, from: State, to: State) -> Transition {
    Transition { id, label, from, to }
}

/// Every transition that can be asked for.
pub const TRANSITIONS: &[Transition] = &[
    transition(1, "configure", State::Unconfigured, State::Inactive),
    transition(2, "cleanup", State::Inactive, State::Unconfigured),
    transition(3, "activate", State::Inactive, State::Active),
    transition(4, "deactivate", State::Active, State::Inactive),
    transition(5, "shutdown", State::Unconfigured, State::Finalized),
    transition(6, "shutdown", State::Inactive, State::Finalized),
    transition(7, "shutdown", State::Active, State::Finalized),
];

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [
        State::Unconfigured,
        State::Inactive,
        State::Active,
        State::Finalized,
    ];

    /// Name as in `lifecycle_msgs`.
    pub const fn label(self) -> &'static str {
        match self {
            State::Unconfigured => "unconfigured",
            State::Inactive => "inactive",
            State::Active => "active",
            State::Finalized => "finalized",
        }
    }

    /// The transition of a number, or of a label where the label is not empty; `None` where this state has none such.
    pub fn transition(self, id: u8, label: &str) -> Option<Transition> {
        let asked = |t: &&Transition| {
            if label.is_empty() {
                t.id == id
            } else {
                t.label == label
            }
        };
        self.transitions().find(|t| asked(&t))
    }

    /// The ways out of this state.
    pub fn transitions(self) -> impl Iterator<Item = Transition> {
        TRANSITIONS.iter().copied().filter(move |t| t.from == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_found_by_number_and_label_and_refused_out_of_order() {
        let configure = State::Unconfigured.transition(1, "").unwrap();
        assert_eq!(configure.to, State::Inactive);
        assert_eq!(State::Active.transition(0, "shutdown").unwrap().id, 7);
        assert_eq!(State::Unconfigured.transition(3, ""), None);
        assert_eq!(State::Active.transition(1, "configure"), None);
        assert_eq!(State::Finalized.transitions().count(), 0);
    }
}
