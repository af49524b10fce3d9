//! Change scripts as text.

use std::fmt::{self, Write};

use serde::Deserialize;

use crate::{Error, Result};

/// Longest script, bytes.
pub const MAX_SCRIPT_BYTES: usize = 64 * 1024;
/// Most changes in one script.
pub const MAX_CHANGES: usize = 1_000;
/// Latest time, seconds.
const MAX_TIME_S: f64 = 86_400.0;
const MAX_NAME_BYTES: usize = 64;
/// Farthest offset from the middle of a surface, metres.
const MAX_OFFSET_M: f64 = 20.0;

/// A seed and what changes when.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeScript {
    /// Decides everything that the changes leave open.
    pub seed: u64,
    /// In the order of their times.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Seconds after the start.
    pub at_s: f64,
    /// What happens.
    pub operation: Operation,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A small object of a class appears.
    Add {
        /// Class.
        class: String,
        /// Where.
        to: Spot,
    },
    /// A small object disappears.
    Remove {
        /// Name.
        object: String,
    },
    /// A small object is put elsewhere.
    Move {
        /// Name.
        object: String,
        /// Where to.
        to: Spot,
    },
    /// A door, drawer or lid opens.
    Open {
        /// Name.
        part: String,
    },
    /// A door, drawer or lid closes.
    Close {
        /// Name.
        part: String,
    },
}

/// Where something is put.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// Name of a surface, `desk_1/top`, or of what has surfaces or a hollow, `desk_1`.
    pub place: String,
    /// Offset from the middle of the surface along its sides, metres; from the seed if left out.
    pub xy_m: Option<[f64; 2]>,
    /// Heading relative to the surface, radians; from the seed if left out.
    pub yaw_rad: Option<f64>,
}

impl Spot {
    /// Somewhere on a surface or thing.
    pub fn somewhere(place: impl Into<String>) -> Self {
        Spot {
            place: place.into(),
            xy_m: None,
            yaw_rad: None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Add { class, to } => write!(f, "add {class} to {}", to.place),
            Operation::Remove { object } => write!(f, "remove {object}"),
            Operation::Move { object, to } => write!(f, "move {object} to {}", to.place),
            Operation::Open { part } => write!(f, "open {part}"),
            Operation::Close { part } => write!(f, "close {part}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    seed: u64,
    #[serde(default)]
    changes: Vec<RawChange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChange {
    at_s: f64,
    add: Option<String>,
    remove: Option<String>,
    r#move: Option<String>,
    open: Option<String>,
    close: Option<String>,
    to: Option<String>,
    xy_m: Option<[f64; 2]>,
    yaw_rad: Option<f64>,
}

impl ChangeScript {
    /// Reads a script; `file` is its name, for messages.
    ///
    /// # Errors
    /// [`Error::ChangeScript`] with line and field.
    pub fn from_yaml(file: &str, text: &str) -> Result<Self> {
        let error = |line: u64, field: String, problem: String| Error::ChangeScript {
            file: file.to_owned(),
            line,
            field,
            problem,
        };
        if text.len() > MAX_SCRIPT_BYTES {
            let problem = format!("{} bytes are too many; at most {MAX_SCRIPT_BYTES}", text.len());
            return Err(error(0, "file".into(), problem));
        }
        let raw: RawScript = serde_saphyr::from_str(text).map_err(|e| {
            let line = e.location().map_or(0, |l| l.line());
            let problem = e.without_snippet().to_string();
            let problem = problem.lines().next().unwrap_or_default().to_owned();
            error(line, "file".into(), problem)
        })?;
        // Changes are list items; where each begins tells the line of a mistake in it.
        let lines: Vec<u64> = (1..)
            .zip(text.lines())
            .filter(|(_, l)| l.trim_start().starts_with("- "))
            .map(|(n, _)| n)
            .collect();
        if raw.changes.len() > MAX_CHANGES {
            let problem = format!("{} are too many; at most {MAX_CHANGES}", raw.changes.len());
            return Err(error(0, "changes".into(), problem));
        }
        let count = raw.changes.len();
        let mut changes: Vec<Change> = Vec::with_capacity(count);
        for (i, change) in raw.changes.into_iter().enumerate() {
            let line = if lines.len() == count { lines[i] } else { 0 };
            let located =
                |(field, problem): (&str, String)| error(line, format!("changes[{i}].{field}"), problem);
            let change = change.check().map_err(located)?;
            if let Some(last) = changes.last()
                && last.at_s > change.at_s
            {
                let problem = format!("{} is before the change above; sort them by time", change.at_s);
                return Err(located(("at_s", problem)));
            }
            changes.push(change);
        }
        Ok(ChangeScript {
            seed: raw.seed,
            changes,
        })
    }

    /// The script as YAML; [`ChangeScript::from_yaml`] reads it back.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("seed: {}\nchanges:\n", self.seed);
        if self.changes.is_empty() {
            return format!("seed: {}\nchanges: []\n", self.seed);
        }
        for Change { at_s, operation } in &self.changes {
            let (what, name, spot) = match operation {
                Operation::Add { class, to } => ("add", class, Some(to)),
                Operation::Remove { object } => ("remove", object, None),
                Operation::Move { object, to } => ("move", object, Some(to)),
                Operation::Open { part } => ("open", part, None),
                Operation::Close { part } => ("close", part, None),
            };
            let mut line = format!("  - {{at_s: {at_s:?}, {what}: {name}");
            if let Some(Spot { place, xy_m, yaw_rad }) = spot {
                // Writing to a string cannot fail.
                let _ = write!(line, ", to: {place}");
                if let Some([x, y]) = xy_m {
                    let _ = write!(line, ", xy_m: [{x:?}, {y:?}]");
                }
                if let Some(yaw) = yaw_rad {
                    let _ = write!(line, ", yaw_rad: {yaw:?}");
                }
            }
            text.push_str(&line);
            text.push_str("}\n");
        }
        text
    }
}

impl RawChange {
    fn check(self) -> Result<Change, (&'static str, String)> {
        if !(0.0..=MAX_TIME_S).contains(&self.at_s) {
            return Err((
                "at_s",
                format!("{} is not a time from 0 to {MAX_TIME_S} s", self.at_s),
            ));
        }
        let named = |field: &'static str, name: String| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/';
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(good) {
                return Err((
                    field,
                    "write a name of letters, digits and underscores".to_owned(),
                ));
            }
            Ok(name)
        };
        let place = match self.to {
            Some(place) => Some(named("to", place)?),
            None => None,
        };
        let finite = |v: f64, most: f64| v.is_finite() && v.abs() <= most;
        if let Some(xy) = self.xy_m
            && !xy.iter().all(|&v| finite(v, MAX_OFFSET_M))
        {
            return Err((
                "xy_m",
                format!("use two numbers from -{MAX_OFFSET_M} to {MAX_OFFSET_M}"),
            ));
        }
        if let Some(yaw) = self.yaw_rad
            && !finite(yaw, 100.0)
        {
            return Err(("yaw_rad", "use an angle in radians".to_owned()));
        }
        let (xy_m, yaw_rad) = (self.xy_m, self.yaw_rad);
        let given: Vec<(&'static str, String)> = [
            ("add", self.add),
            ("remove", self.remove),
            ("move", self.r#move),
            ("open", self.open),
            ("close", self.close),
        ]
        .into_iter()
        .filter_map(|(what, name)| name.map(|n| (what, n)))
        .collect();
        let [(what, name)] = &given[..] else {
            return Err((
                "at_s",
                "write exactly one of add, remove, move, open, close".to_owned(),
            ));
        };
        let name = named(what, name.clone())?;
        let needs_place = matches!(*what, "add" | "move");
        let spot = match place {
            Some(place) if needs_place => Some(Spot { place, xy_m, yaw_rad }),
            None if !needs_place && xy_m.is_none() && yaw_rad.is_none() => None,
            None if needs_place => return Err(("to", format!("say where to {what} it"))),
            _ => return Err(("to", format!("{what} takes no place"))),
        };
        let operation = match (*what, spot) {
            ("add", Some(to)) => Operation::Add { class: name, to },
            ("move", Some(to)) => Operation::Move { object: name, to },
            ("remove", _) => Operation::Remove { object: name },
            ("open", _) => Operation::Open { part: name },
            _ => Operation::Close { part: name },
        };
        Ok(Change {
            at_s: self.at_s,
            operation,
        })
    }
}
