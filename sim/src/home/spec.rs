//! The home file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{furniture, layout, objects};
use crate::error::{Error, Result};

/// Most bytes in a home file.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// Fewest and most rooms.
pub const ROOMS: std::ops::RangeInclusive<usize> = 3..=8;
/// Most objects in one home, asked for and drawn.
pub const MAX_OBJECTS: usize = 100;
/// Most pieces of furniture that a file may add.
const MAX_FURNITURE: usize = 24;
/// Most objects that the seed draws.
const MAX_DRAWN: usize = 40;
/// Most names under `exclude` and parts under `open`.
const MAX_LIST: usize = 100;
/// Longest name.
const MAX_NAME: usize = 64;

/// A home in a few lines: a seed, and what must be different from what the seed draws.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct HomeSpec {
    /// Name, for people.
    pub name: String,
    /// Everything that is not stated below follows from it.
    pub seed: u64,
    /// Kinds of rooms; a kitchen must be among them. Empty: drawn.
    pub rooms: Vec<String>,
    /// Number of rooms, 3 to 8, where `rooms` is empty. Absent: drawn.
    pub room_count: Option<usize>,
    /// Furniture that must be there beside what is drawn.
    pub furniture: Vec<FurnitureSpec>,
    /// Objects that must be there beside those that are drawn.
    pub objects: Vec<ObjectSpec>,
    /// Number of drawn objects. Absent: drawn, so that 15 to 30 stand in the home.
    pub object_count: Option<usize>,
    /// Classes of furniture or objects that must not be drawn.
    pub exclude: Vec<String>,
    /// Parts that are open at the start, by name (`fridge_1_door`): 0 is closed, 1 wide open.
    pub open: BTreeMap<String, f64>,
}

/// A piece of furniture that must be there.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields)]
pub struct FurnitureSpec {
    /// Class.
    pub class: String,
    /// Name (`bedroom_2`) or kind (`bedroom`) of the room. Absent: wherever there is space.
    #[serde(default)]
    pub room: Option<String>,
}

/// An object that must be there.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields)]
pub struct ObjectSpec {
    /// Class.
    pub class: String,
    /// Look: colour, print, size. Absent: drawn.
    #[serde(default)]
    pub variant: Option<u64>,
    /// Name or class of the furniture it stands on (`floor` for the floor). Absent: drawn.
    #[serde(default)]
    pub on: Option<String>,
    /// Name or class of the furniture it is inside of.
    #[serde(default, rename = "in")]
    pub inside: Option<String>,
    /// Name or kind of the room it is in.
    #[serde(default)]
    pub room: Option<String>,
    /// Exact place instead: x, y, z of its underside in metres, world frame.
    #[serde(default)]
    pub at: Option<[f64; 3]>,
    /// Heading in degrees where `at` is given.
    #[serde(default)]
    pub yaw_deg: f64,
}

impl Default for HomeSpec {
    fn default() -> Self {
        HomeSpec::from_seed(0)
    }
}

impl HomeSpec {
    /// A home of which everything follows from the seed.
    pub fn from_seed(seed: u64) -> Self {
        HomeSpec {
            name: format!("home_{seed}"),
            seed,
            rooms: Vec::new(),
            room_count: None,
            furniture: Vec::new(),
            objects: Vec::new(),
            object_count: None,
            exclude: Vec::new(),
            open: BTreeMap::new(),
        }
    }

    /// Reads a home file. `file` is its name, for messages.
    ///
    /// # Errors
    /// [`Error::HomeFile`] with line and field for text that is too long, no YAML, has an unknown or mistyped
    /// field, or states what [`HomeSpec::validate`] refuses.
    pub fn from_yaml(file: &str, text: &str) -> Result<Self> {
        let error = |line: u64, field: String, problem: String| Error::HomeFile {
            file: file.to_owned(),
            line,
            field,
            problem,
        };
        if text.len() > MAX_FILE_BYTES {
            let problem = format!("{} bytes are too many; at most {MAX_FILE_BYTES}", text.len());
            return Err(error(0, "file".into(), problem));
        }
        let spec: HomeSpec = serde_saphyr::from_str(text).map_err(|e| {
            let line = e.location().map_or(0, |l| l.line());
            let field = field_at(text, line).unwrap_or_else(|| "file".to_owned());
            error(line, field, first_line(&e.without_snippet().to_string()))
        })?;
        match spec.validate() {
            Err(Error::HomeSpec { field, problem, .. }) => {
                let line = line_of(text, &field);
                Err(error(line, field, problem))
            }
            Err(other) => Err(other),
            Ok(()) => Ok(spec),
        }
    }

    /// # Errors
    /// [`Error::HomeSpec`] naming the field: counts out of range, no kitchen, unknown classes or kinds, numbers
    /// that are not finite, places that contradict each other.
    pub fn validate(&self) -> Result<()> {
        let error = |field: String, problem: String| {
            Err(Error::HomeSpec {
                home: shortened(&self.name),
                field,
                problem,
            })
        };
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return error(
                "name".into(),
                format!("must have 1 to {MAX_NAME} bytes, has {}", self.name.len()),
            );
        }
        let count = |field: &str, n: usize, range: std::ops::RangeInclusive<usize>| {
            if range.contains(&n) {
                return Ok(());
            }
            error(
                field.to_owned(),
                format!("{n} is out of range; use {} to {}", range.start(), range.end()),
            )
        };
        if !self.rooms.is_empty() {
            count("rooms", self.rooms.len(), ROOMS)?;
        }
        for (i, kind) in self.rooms.iter().enumerate() {
            if layout::find(kind).is_none() {
                let kinds: Vec<&str> = layout::ROOM_KINDS.iter().map(|k| k.name).collect();
                return error(
                    format!("rooms[{i}]"),
                    format!("no kind of room `{}`; use {}", shortened(kind), kinds.join(", ")),
                );
            }
        }
        if !self.rooms.is_empty() && !self.rooms.iter().any(|k| k == "kitchen") {
            return error("rooms".into(), "there must be a kitchen; add `kitchen`".into());
        }
        if let Some(n) = self.room_count {
            count("room_count", n, ROOMS)?;
            if !self.rooms.is_empty() {
                return error(
                    "room_count".into(),
                    "contradicts `rooms`; give one of the two".into(),
                );
            }
        }
        count("furniture", self.furniture.len(), 0..=MAX_FURNITURE)?;
        for (i, f) in self.furniture.iter().enumerate() {
            let field = format!("furniture[{i}].class");
            if furniture::find(&f.class).is_none() {
                return error(
                    field,
                    format!(
                        "no furniture `{}` that stands on the floor; see the table in sim/README.md",
                        shortened(&f.class)
                    ),
                );
            }
            if self.exclude.contains(&f.class) {
                return error(field, format!("`{}` is also under `exclude`", f.class));
            }
        }
        count("objects", self.objects.len(), 0..=MAX_OBJECTS - MAX_DRAWN)?;
        for (i, o) in self.objects.iter().enumerate() {
            if objects::find(&o.class).is_none() {
                return error(
                    format!("objects[{i}].class"),
                    format!(
                        "no object `{}`; see the table in sim/README.md",
                        shortened(&o.class)
                    ),
                );
            }
            let places = [o.on.is_some(), o.inside.is_some(), o.at.is_some()];
            if places.iter().filter(|p| **p).count() > 1 || (o.at.is_some() && o.room.is_some()) {
                return error(
                    format!("objects[{i}]"),
                    "give only one of `on`, `in` and `at`, and no `room` with `at`".into(),
                );
            }
            let finite = |x: &f64| x.is_finite() && x.abs() <= 1000.0;
            if o.at.is_some_and(|at| !at.iter().all(finite) || at[2] < 0.0) {
                return error(
                    format!("objects[{i}].at"),
                    "must be x, y, z in metres with z of 0 or more".into(),
                );
            }
            if !finite(&o.yaw_deg) {
                return error(
                    format!("objects[{i}].yaw_deg"),
                    "must be an angle in degrees".into(),
                );
            }
        }
        if let Some(n) = self.object_count {
            count("object_count", n, 0..=MAX_DRAWN)?;
        }
        count("exclude", self.exclude.len(), 0..=MAX_LIST)?;
        for (i, class) in self.exclude.iter().enumerate() {
            let stacked = furniture::STACKED.iter().any(|(name, _, _)| name == class);
            if !stacked && furniture::find(class).is_none() && objects::find(class).is_none() {
                return error(
                    format!("exclude[{i}]"),
                    format!("no class `{}`; see the table in sim/README.md", shortened(class)),
                );
            }
            if class == "fridge" {
                return error(
                    format!("exclude[{i}]"),
                    "every home has a fridge; leave it out of `exclude`".into(),
                );
            }
        }
        count("open", self.open.len(), 0..=MAX_LIST)?;
        for (part, fraction) in &self.open {
            if !(0.0..=1.0).contains(fraction) {
                return error(
                    format!("open.{}", shortened(part)),
                    format!("{fraction} is out of range; use 0 (closed) to 1 (wide open)"),
                );
            }
        }
        Ok(())
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_NAME {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_NAME).collect();
    format!("{start}…")
}

fn first_line(text: &str) -> String {
    shorten_to(text.lines().next().unwrap_or_default(), 300)
}

fn shorten_to(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// The key that a line of block-style YAML belongs to: its own, or that of the list it is in.
fn field_at(text: &str, line: u64) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.lines().collect();
    let key = |l: &str| {
        let l = l.trim_start().trim_start_matches("- ");
        let (name, _) = l.split_once(':')?;
        let plain = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        plain.then(|| name.to_owned())
    };
    lines
        .get(..=index.min(lines.len().checked_sub(1)?))?
        .iter()
        .rev()
        .find_map(|l| key(l))
}

/// The line of a field path such as `objects[2].class` in block-style YAML; the nearest enclosing line that is
/// found, 0 for none.
fn line_of(text: &str, path: &str) -> u64 {
    let (top, rest) = path
        .find(['[', '.'])
        .map_or((path, ""), |at| (&path[..at], &path[at..]));
    let lines: Vec<&str> = text.lines().collect();
    let Some(start) = lines.iter().position(|l| {
        l.strip_prefix(top)
            .is_some_and(|r| r.trim_start().starts_with(':'))
    }) else {
        return 0;
    };
    let end = lines[start + 1..]
        .iter()
        .position(|l| l.starts_with(|c: char| c.is_alphanumeric()))
        .map_or(lines.len(), |n| start + 1 + n);
    let mut at = start;
    let mut leaf = rest.strip_prefix('.').unwrap_or_default();
    if let Some((index, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        leaf = after.trim_start_matches('.');
        let item = index.parse::<usize>().ok().and_then(|n| {
            (start + 1..end)
                .filter(|&i| lines[i].trim_start().starts_with('-'))
                .nth(n)
        });
        match item {
            Some(i) => at = i,
            None => return start as u64 + 1,
        }
    }
    if !leaf.is_empty() {
        let is_leaf = |i: usize| {
            let l = lines[i]
                .trim_start()
                .trim_start_matches("- ")
                .trim_start_matches('{');
            l.trim_start()
                .strip_prefix(leaf)
                .is_some_and(|r| r.trim_start().starts_with(':'))
        };
        let next_item = (at + 1..end)
            .find(|&i| lines[i].trim_start().starts_with('-'))
            .unwrap_or(end);
        if let Some(i) = (at..next_item).find(|&i| is_leaf(i)) {
            at = i;
        }
    }
    at as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> (u64, String, String) {
        match HomeSpec::from_yaml("a.yaml", text) {
            Err(Error::HomeFile {
                file,
                line,
                field,
                problem,
            }) => {
                assert_eq!(file, "a.yaml");
                (line, field, problem)
            }
            other => panic!("expected an error, got {other:?}"),
        }
    }

    #[test]
    fn a_short_file_is_enough() {
        let spec = HomeSpec::from_yaml("a.yaml", "name: flat\nseed: 3\n").unwrap();
        assert_eq!((spec.name.as_str(), spec.seed), ("flat", 3));
    }

    #[test]
    fn errors_name_line_and_field() {
        for (text, line, field) in [
            ("name: flat\nseed: many\n", 2, "seed"),
            ("name: flat\ncolour: red\n", 2, "colour"),
            ("name: flat\nroom_count: 12\n", 2, "room_count"),
            (
                "seed: 1\nrooms:\n  - kitchen\n  - bedroom\n  - dungeon\n",
                5,
                "rooms[2]",
            ),
            ("seed: 1\nrooms: [bedroom, bedroom, office]\n", 2, "rooms"),
            (
                "objects:\n  - class: mug\n    on: desk\n  - class: unicorn\n",
                4,
                "objects[1].class",
            ),
            (
                "objects:\n  - class: mug\n    on: desk\n    in: fridge\n",
                2,
                "objects[0]",
            ),
            (
                "objects:\n  - class: mug\n    at: [1, 2, .nan]\n",
                3,
                "objects[0].at",
            ),
            ("seed: 1\nopen:\n  fridge_1_door: 2\n", 3, "open.fridge_1_door"),
            ("exclude:\n- fridge\n", 2, "exclude[0]"),
        ] {
            let (got_line, got_field, problem) = failure(text);
            assert_eq!((got_line, got_field.as_str()), (line, field), "{text}: {problem}");
        }
    }

    #[test]
    fn huge_files_are_refused() {
        let text = "#".repeat(MAX_FILE_BYTES + 1);
        assert!(failure(&text).2.contains("too many"));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(0u8.., 0..400)) {
            let _ = HomeSpec::from_yaml("a.yaml", &String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn arbitrary_yaml_never_panics(text in "(name|seed|rooms|objects|open|exclude|at|- |: |\\[|\\]|\\{|\\}|\n|  |&a|\\*a|[a-z0-9.]){0,60}") {
            let _ = HomeSpec::from_yaml("a.yaml", &text);
        }

        #[test]
        fn what_is_written_is_read_back(seed in 0u64.., count in proptest::option::of(3usize..=8)) {
            let spec = HomeSpec { room_count: count, ..HomeSpec::from_seed(seed) };
            let text = serde_saphyr::to_string(&spec).unwrap();
            proptest::prop_assert_eq!(HomeSpec::from_yaml("a.yaml", &text).unwrap(), spec);
        }
    }
}
