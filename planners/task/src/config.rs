//! Settings of deciding.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::Limits;

/// What everybody knows to be furniture.
const FURNITURE: [&str; 35] = [
    "armchair",
    "bathtub",
    "bed",
    "bench",
    "bin",
    "bookcase",
    "cabinet",
    "chair",
    "coffee_table",
    "counter",
    "desk",
    "dining_table",
    "dishwasher",
    "dresser",
    "fridge",
    "kitchen_island",
    "lamp",
    "microwave",
    "monitor",
    "nightstand",
    "office_chair",
    "oven",
    "plant",
    "rug",
    "shelf",
    "side_table",
    "sink",
    "sofa",
    "stool",
    "table",
    "toilet",
    "tv",
    "tv_stand",
    "wardrobe",
    "washing_machine",
];

/// What everybody knows not to carry other things.
const HOLD_NOTHING: [&str; 12] = [
    "curtain",
    "door_frame",
    "lamp",
    "mirror",
    "monitor",
    "painting",
    "picture",
    "plant",
    "poster",
    "rug",
    "tv",
    "window",
];

/// Settings of a [`Mission`](crate::mission::Mission).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MissionConfig {
    /// How often manipulating the same thing may fail before it is given up.
    pub max_attempts: u32,
    /// How long an observation on which success is claimed may lie before the goal was first believed to hold, seconds.
    pub fresh_s: f64,
    /// How close furniture must be for what stands on it to be seen, metres.
    pub inspect_distance_m: f64,
    /// How close furniture with boards one above the other must be for what stands on them to be seen, metres.
    pub inspect_shelves_m: f64,
    /// Classes that nothing is opened for to look for them: they are too large to be inside anything.
    pub furniture: BTreeSet<String>,
    /// Room that the base needs around its middle to pass, to tell where it gets and how far that is, metres.
    pub clearance_m: f64,
    /// Classes of large things that nothing stands on: looking at them closely shows nothing new.
    pub hold_nothing: BTreeSet<String>,
    /// Shortest border to the unknown that is worth a look, metres.
    pub min_frontier_m: f64,
    /// Unseen floor smaller than this is not worth a look unless all else was searched, square metres.
    pub min_unseen_m2: f64,
    /// From this length on what is behind a border gets a look to both sides, metres.
    pub wide_frontier_m: f64,
    /// A frontier closer than this to one already looked at is not looked at again, metres.
    pub frontier_separation_m: f64,
    /// What looking at furniture costs beside the way, metres of travel.
    pub inspect_cost_m: f64,
    /// What opening a container costs beside the way, metres of travel.
    pub open_cost_m: f64,
    /// How often the whole home is searched again before something counts as not there.
    pub max_search_rounds: u32,
    /// Budget of one search for steps towards the goal.
    pub search: Limits,
    /// Other ways of meaning the goal (another thing of the class, another place) that plans are made for.
    pub max_alternatives: usize,
    /// How many steps that rules forbid may be thought of in one decision.
    pub max_refusals: usize,
    /// How long before the deadline the robot turns to what is owed by a rule, seconds.
    pub tidy_s: f64,
}

impl Default for MissionConfig {
    fn default() -> Self {
        MissionConfig {
            max_attempts: 3,
            fresh_s: 3.0,
            inspect_distance_m: 2.6,
            inspect_shelves_m: 1.8,
            hold_nothing: HOLD_NOTHING.iter().map(|&c| c.to_owned()).collect(),
            furniture: FURNITURE.iter().map(|&c| c.to_owned()).collect(),
            clearance_m: 0.25,
            min_frontier_m: 0.4,
            min_unseen_m2: 0.6,
            wide_frontier_m: 0.8,
            frontier_separation_m: 0.6,
            inspect_cost_m: 1.0,
            open_cost_m: 10.0,
            max_search_rounds: 1,
            search: Limits {
                first_states: 2000,
                improve_states: 100,
            },
            max_alternatives: 2,
            max_refusals: 200,
            tidy_s: 240.0,
        }
    }
}

impl MissionConfig {
    /// # Errors
    /// A sentence that names the field and its allowed range.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("fresh_s", self.fresh_s),
            ("inspect_distance_m", self.inspect_distance_m),
            ("inspect_shelves_m", self.inspect_shelves_m),
            ("min_unseen_m2", self.min_unseen_m2),
            ("wide_frontier_m", self.wide_frontier_m),
            ("clearance_m", self.clearance_m),
            ("min_frontier_m", self.min_frontier_m),
            ("frontier_separation_m", self.frontier_separation_m),
            ("inspect_cost_m", self.inspect_cost_m),
            ("open_cost_m", self.open_cost_m),
            ("tidy_s", self.tidy_s),
        ];
        match positive.into_iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
            Some((name, value)) => Err(format!("{name} is {value}; it must be positive")),
            None if self.max_attempts == 0 => Err("max_attempts is 0; it must be at least 1".into()),
            None if self.max_refusals == 0 => Err("max_refusals is 0; it must be at least 1".into()),
            None => self.search.validate().map_err(|e| format!("search.{e}")),
        }
    }
}
