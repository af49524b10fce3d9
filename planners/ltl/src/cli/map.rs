//! Maps for the command line: places, ways and facts in a JSON file.

use std::path::Path;

use serde::Deserialize;

use crate::{Arena, Error, Step, Transition, TransitionSystem};

/// A map as it is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    /// Where the robot is.
    start: String,
    /// The places.
    places: Vec<PlaceFile>,
    /// The ways between them.
    ways: Vec<WayFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceFile {
    name: String,
    /// Propositions that hold there; the name itself if left out.
    holds: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WayFile {
    from: String,
    to: String,
    /// What going there is called; `go to …` if left out.
    action: Option<String>,
    #[serde(default = "one")]
    cost: f64,
    /// Propositions that hold while going.
    #[serde(default)]
    during: Vec<String>,
    /// Whether the way can be taken from `to` to `from` as well.
    #[serde(default)]
    both_ways: bool,
    /// Why the way cannot be taken: "the door is locked".
    closed: Option<String>,
}

fn one() -> f64 {
    1.0
}

/// A map that plans are made in.
#[derive(Debug, Clone)]
pub(crate) struct PlaceMap {
    names: Vec<String>,
    labels: Vec<Step>,
    ways: Vec<Vec<Transition<usize, String>>>,
    facts: Vec<String>,
    start: usize,
}

impl PlaceMap {
    /// Reads a map; its propositions are added to the arena.
    pub(crate) fn read(arena: &mut Arena, path: &Path) -> Result<PlaceMap, Error> {
        let failed = |reason: String| Error::Read {
            path: path.display().to_string(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let file: MapFile = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        let names: Vec<String> = file.places.iter().map(|place| place.name.clone()).collect();
        let find = |name: &str| {
            names
                .iter()
                .position(|other| other == name)
                .ok_or_else(|| failed(format!("no place is called `{name}`: add it to `places`")))
        };
        let mut labels = Vec::new();
        for place in &file.places {
            let holds = place.holds.clone().unwrap_or_else(|| vec![place.name.clone()]);
            labels.push(step_of(arena, &holds)?);
        }
        let mut map = PlaceMap {
            start: find(&file.start)?,
            ways: vec![Vec::new(); names.len()],
            labels,
            facts: Vec::new(),
            names: names.clone(),
        };
        for way in file.ways {
            let (from, to) = (find(&way.from)?, find(&way.to)?);
            let during = step_of(arena, &way.during)?;
            let fact = way.closed.map(|fact| map.fact(fact));
            let ends = if way.both_ways {
                vec![(from, to), (to, from)]
            } else {
                vec![(from, to)]
            };
            for (from, to) in ends {
                map.ways[from].push(Transition {
                    action: way
                        .action
                        .clone()
                        .unwrap_or_else(|| format!("go to {}", names[to])),
                    to,
                    cost: way.cost,
                    during: during.clone(),
                    ruled_out_by: fact,
                });
            }
        }
        Ok(map)
    }

    fn fact(&mut self, fact: String) -> usize {
        self.facts
            .iter()
            .position(|other| *other == fact)
            .unwrap_or_else(|| {
                self.facts.push(fact);
                self.facts.len() - 1
            })
    }

    pub(crate) fn name(&self, place: usize) -> &str {
        &self.names[place]
    }
}

fn step_of(arena: &mut Arena, names: &[String]) -> Result<Step, Error> {
    let mut step = Step::new();
    for name in names {
        step.set(arena.prop(name)?, true);
    }
    Ok(step)
}

impl TransitionSystem for PlaceMap {
    type State = usize;
    type Action = String;

    fn start(&self) -> usize {
        self.start
    }
    fn label(&self, place: &usize) -> Step {
        self.labels[*place].clone()
    }
    fn successors(&self, place: &usize) -> Vec<Transition<usize, String>> {
        self.ways[*place].clone()
    }
    fn facts(&self) -> Vec<String> {
        self.facts.clone()
    }
}
