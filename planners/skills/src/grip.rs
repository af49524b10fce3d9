//! Closing the fingers, and whether they hold something.

use steward_core::Time;

use crate::machine::{Commands, Context, Inputs};
use crate::posture::fingers;

/// Opening below which the fingers hold nothing, metres.
pub const EMPTY_OPENING_M: f64 = 0.004;

/// Waiting for the fingers to come to rest.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    since: Option<Time>,
    rest: Option<(f64, Time)>,
}

/// What the fingers found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grip {
    /// Still moving.
    Closing,
    /// They hold something.
    Holding,
    /// They met nothing, or only one of them did; the opening.
    Nothing(f64),
}

impl Closing {
    /// Closing that has not begun.
    pub fn new() -> Self {
        Closing::default()
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Grip {
        fingers(&ctx.robot, out, 0.0, 0.6);
        let since = *self.since.get_or_insert(inputs.now);
        let seconds = (inputs.now - since).secs_f64();
        let Some(contacts) = inputs.contacts else {
            return if seconds > 3.0 {
                Grip::Nothing(0.0)
            } else {
                Grip::Closing
            };
        };
        let moved = self
            .rest
            .is_none_or(|(o, _)| (o - contacts.opening_m).abs() > 0.001);
        if moved {
            self.rest = Some((contacts.opening_m, inputs.now));
        }
        let still = self.rest.map_or(0.0, |(_, t)| (inputs.now - t).secs_f64());
        if (seconds > 0.5 && still > 0.3) || seconds > 4.0 {
            return grip(inputs);
        }
        Grip::Closing
    }
}

/// What the fingers hold now.
pub fn grip(inputs: &Inputs) -> Grip {
    match inputs.contacts {
        Some(c) if c.left && c.right && c.opening_m > EMPTY_OPENING_M => Grip::Holding,
        Some(c) => Grip::Nothing(c.opening_m),
        None => Grip::Nothing(0.0),
    }
}

/// Distance between the fingers, metres.
pub(crate) fn opening_m(inputs: &Inputs) -> f64 {
    inputs.contacts.map_or(0.0, |c| c.opening_m)
}
