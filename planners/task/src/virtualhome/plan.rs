//! Scripts of the data set, and plans as language models write them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::{Error, Result};

/// An action on nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanStep {
    /// Its name, `PUTBACK`.
    pub action: String,
    /// The nodes.
    pub ids: Vec<u32>,
}

/// What makes a written step meaningless before it meets a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// No such action.
    UnknownAction,
    /// Wrong number or kind of arguments.
    Arguments,
    /// No such object among those that were shown.
    UnknownObject,
}

impl Flaw {
    /// Its name in the reference.
    pub fn name(self) -> &'static str {
        match self {
            Flaw::UnknownAction => "unknown_action",
            Flaw::Arguments => "arguments",
            Flaw::UnknownObject => "unknown_object",
        }
    }
}

/// Reads a line of a script, `[PUTBACK] <cup> (1.1002) <sink> (1.231)`; of the instance numbers the last part is
/// the node.
///
/// # Errors
/// [`Error::Syntax`].
pub fn parse_script_line(text: &str) -> Result<PlanStep> {
    let wrong = || Error::Syntax {
        line: 1,
        reason: format!("`{text}` is no step; write `[ACTION] <object> (1.id) …`"),
    };
    let rest = text.trim().strip_prefix('[').ok_or_else(wrong)?;
    let (action, mut rest) = rest.split_once(']').ok_or_else(wrong)?;
    let mut ids = Vec::new();
    while let Some((_, after)) = rest.split_once('(') {
        let (number, after) = after.split_once(')').ok_or_else(wrong)?;
        let id = number.rsplit('.').next().unwrap_or_default();
        ids.push(id.trim().parse().map_err(|_| wrong())?);
        rest = after;
    }
    Ok(PlanStep {
        action: action.to_uppercase(),
        ids,
    })
}

/// The members of a JSON object in order, repeated keys included.
struct Pairs(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object from actions to lists of objects")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Reads an answer, `{"WALK": ["cup"], "GRAB": ["cup"]}`, in order and with repeated keys; `ids` are the nodes of the
/// objects that the prompt showed. `parameters` is the number of objects that an action takes. [`None`] if it is no
/// such object.
pub fn parse_answer(
    text: &str,
    ids: &BTreeMap<String, u32>,
    parameters: impl Fn(&str) -> Option<usize>,
) -> Option<Vec<std::result::Result<PlanStep, Flaw>>> {
    let text = text.strip_prefix("```json").unwrap_or(text).trim();
    let text = text.replace('\n', "").replace('\'', "\"");
    let Pairs(pairs) = serde_json::from_str(&text).ok()?;
    let step = |(action, objects): (String, serde_json::Value)| {
        let objects: Vec<String> = serde_json::from_value(objects).map_err(|_| Flaw::Arguments)?;
        let objects: Vec<&String> = objects.iter().filter(|name| !name.is_empty()).collect();
        if parameters(&action).ok_or(Flaw::UnknownAction)? != objects.len() {
            return Err(Flaw::Arguments);
        }
        let id = |name: &&String| ids.get(*name).copied().ok_or(Flaw::UnknownObject);
        let ids = objects.iter().map(id).collect::<std::result::Result<_, _>>()?;
        Ok(PlanStep { action, ids })
    };
    Some(pairs.into_iter().map(step).collect())
}
