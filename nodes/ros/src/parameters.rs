//! Settings as flat parameters: every leaf of a serde struct is one, named by its path with dots.
//!
//! Lists of numbers, texts or truth values are leaves. What ROS has no type for (an absent value, a list of structs)
//! is a text that holds JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A struct of settings and its leaves.
#[derive(Debug, Clone)]
pub struct Parameters<T> {
    settings: T,
    check: fn(&T) -> Result<(), String>,
}

impl<T: Serialize + DeserializeOwned> Parameters<T> {
    /// Settings whose values `check` accepts.
    pub fn new(settings: T, check: fn(&T) -> Result<(), String>) -> Self {
        Parameters { settings, check }
    }

    /// The settings.
    pub fn settings(&self) -> &T {
        &self.settings
    }

    /// Every leaf by name.
    pub fn leaves(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        // A struct of settings is an object with text keys: writing it down cannot fail.
        flatten(
            "",
            &serde_json::to_value(&self.settings).unwrap_or_default(),
            &mut leaves,
        );
        leaves
    }

    /// Changes leaves, all of them or none.
    ///
    /// # Errors
    /// One sentence: which parameter is refused, and why.
    pub fn set<'a>(&mut self, changes: impl IntoIterator<Item = (&'a str, Value)>) -> Result<(), String> {
        let mut tree = serde_json::to_value(&self.settings).map_err(|e| e.to_string())?;
        let known = self.leaves();
        for (name, value) in changes {
            if !known.contains_key(name) {
                return Err(format!("there is no parameter `{name}`"));
            }
            let Some(slot) = tree.pointer_mut(&format!("/{}", name.replace('.', "/"))) else {
                return Err(format!("there is no parameter `{name}`"));
            };
            *slot = match value {
                // What ROS has no type for.
                Value::String(json)
                    if slot.is_null()
                        || slot.is_object()
                        || slot.is_array()
                        || (json == "null" && !slot.is_string()) =>
                {
                    serde_json::from_str(&json)
                        .map_err(|e| format!("`{name}` holds JSON, and this is none: {e}"))?
                }
                value => value,
            };
        }
        let settings: T = serde_json::from_value(tree).map_err(|e| e.to_string())?;
        (self.check)(&settings)?;
        self.settings = settings;
        Ok(())
    }
}

/// A node and the settings that are its parameters: those whose names begin with the prefix, if it is not empty, and
/// a dot.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Name of the node.
    pub node: &'static str,
    /// Where in the settings its own are.
    pub prefix: &'static str,
}

impl Section {
    /// Name in the settings of a parameter of the node.
    pub fn full(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// Name of the node's parameter of a name in the settings, if it is one.
    pub fn own<'a>(&self, full: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() {
            Some(full)
        } else {
            full.strip_prefix(self.prefix)?.strip_prefix('.')
        }
    }
}

fn flatten(prefix: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&path, value, leaves);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            leaves.insert(prefix.to_owned(), value.clone());
        }
        Value::Array(list)
            if !list.is_empty()
                && (list.iter().all(Value::is_number)
                    || list.iter().all(Value::is_string)
                    || list.iter().all(Value::is_boolean)) =>
        {
            leaves.insert(prefix.to_owned(), value.clone());
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {
            leaves.insert(prefix.to_owned(), Value::String(value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        rate_hz: f64,
        gains: Vec<f64>,
        cap: Option<u32>,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        inner: Inner,
    }

    fn parameters() -> Parameters<Outer> {
        let inner = Inner {
            rate_hz: 5.0,
            gains: vec![1.0, 2.0],
            cap: None,
        };
        Parameters::new(
            Outer {
                name: "a".into(),
                inner,
            },
            |o| {
                if o.inner.rate_hz > 0.0 {
                    Ok(())
                } else {
                    Err("inner.rate_hz must be above 0".into())
                }
            },
        )
    }

    #[test]
    fn leaves_are_named_by_path() {
        let leaves = parameters().leaves();
        assert_eq!(leaves["inner.rate_hz"], json!(5.0));
        assert_eq!(leaves["inner.gains"], json!([1.0, 2.0]));
        assert_eq!(leaves["inner.cap"], json!("null"));
        assert_eq!(leaves.len(), 4);
    }

    #[test]
    fn values_are_set_or_refused_with_the_reason_and_then_nothing_changes() {
        let mut p = parameters();
        p.set([
            ("inner.rate_hz", json!(2.5)),
            ("inner.cap", json!("7")),
            ("name", json!("b")),
        ])
        .unwrap();
        assert_eq!(
            (p.settings().inner.rate_hz, p.settings().inner.cap),
            (2.5, Some(7))
        );
        let before = p.settings().clone();
        for (name, value, reason) in [
            ("inner.rate_hz", json!(-1.0), "above 0"),
            ("inner.rate_hz", json!("fast"), "f64"),
            ("inner.gains", json!("{"), "JSON"),
            ("inner.rate_hz", json!("null"), "null"),
            ("inner.speed", json!(1), "no parameter"),
            ("inner", json!(1), "no parameter"),
        ] {
            let refused = p.set([("name", json!("c")), (name, value)]).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
            assert_eq!(*p.settings(), before);
        }
    }
}
