//! The parameters that a process was started with: `-p` and `--params-file` after `--ros-args`, in order.
//!
//! `r2r` reads them too, but takes no pattern other than `/**` for the node, and files in which several nodes share
//! their settings under any namespace need `/**` before the name.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Values by node and name.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<Given>);

#[derive(Debug, Clone)]
struct Given {
    /// Which nodes it is for: names separated by slashes, `*` for any one, `**` for any number of any.
    node: String,
    name: String,
    value: Value,
}

impl Overrides {
    /// Reads a command line.
    ///
    /// # Errors
    /// A file that cannot be read or is no parameter file, or an argument that is none.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut found = Overrides::default();
        let mut arguments = arguments
            .into_iter()
            .skip_while(|a| a != "--ros-args")
            .take_while(|a| a != "--");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-p" | "--param" => found.argument(&arguments.next().unwrap_or_default())?,
                "--params-file" => {
                    let path = arguments.next().unwrap_or_default();
                    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
                    found.file(&text).with_context(|| format!("in {path}"))?;
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// What is meant for a node, later ones over earlier ones.
    pub fn of<'a>(&'a self, namespace: &str, node: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let full = format!("{namespace}/{node}");
        let names: Vec<String> = full
            .split('/')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        self.0
            .iter()
            .filter(move |given| {
                let pattern: Vec<&str> = given.node.split('/').filter(|s| !s.is_empty()).collect();
                matches(&pattern, &names)
            })
            .map(|given| (given.name.as_str(), &given.value))
    }

    /// `[NODE:]NAME:=VALUE`.
    fn argument(&mut self, text: &str) -> Result<()> {
        let Some((name, value)) = text.split_once(":=") else {
            bail!("`-p {text}` is not NAME:=VALUE");
        };
        let (node, name) = name.split_once(':').unwrap_or(("**", name));
        let value = serde_saphyr::from_str(value).with_context(|| format!("in `-p {text}`"))?;
        self.add(node, name, &value);
        Ok(())
    }

    fn file(&mut self, text: &str) -> Result<()> {
        let tree: Value = serde_saphyr::from_str(text)?;
        let before = self.0.len();
        self.nodes("", &tree)?;
        // In one file what names a node more closely wins, wherever it stands.
        self.0[before..].sort_by_key(|given| {
            let named = given.node.split('/');
            let named = named.filter(|s| !s.is_empty() && !s.contains('*')).count();
            (named, !given.node.contains('*'))
        });
        Ok(())
    }

    fn nodes(&mut self, path: &str, tree: &Value) -> Result<()> {
        let Value::Object(fields) = tree else {
            bail!("`{path}` is neither a node nor a namespace");
        };
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("ros__parameters", Value::Object(parameters)) => {
                    parameters
                        .iter()
                        .for_each(|(name, value)| self.add(path, name, value));
                }
                ("ros__parameters", Value::Null) => {}
                // A name without a namespace is meant wherever the node is.
                _ if path.is_empty() && !key.starts_with('/') => self.nodes(&format!("**/{key}"), value)?,
                _ => self.nodes(&format!("{path}/{key}"), value)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, node: &str, name: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(field, value)| self.add(node, &format!("{name}.{field}"), value));
            }
            value => {
                // A name alone is meant wherever the node is.
                let node = if node.contains('/') {
                    node.to_owned()
                } else {
                    format!("**/{node}")
                };
                self.0.push(Given {
                    node,
                    name: name.to_owned(),
                    value: value.clone(),
                });
            }
        }
    }
}

fn matches(pattern: &[&str], names: &[String]) -> bool {
    match pattern {
        [] => names.is_empty(),
        ["**", rest @ ..] => (0..=names.len()).any(|skipped| matches(rest, &names[skipped..])),
        [first, rest @ ..] => match names {
            [name, others @ ..] => (*first == "*" || *first == name.as_str()) && matches(rest, others),
            [] => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Overrides> {
        Overrides::read(arguments.iter().map(|a| (*a).to_owned()))
    }

    #[test]
    fn arguments_are_for_every_node_or_a_named_one() {
        let given = read(&[
            "loop",
            "-p",
            "before:=1",
            "--ros-args",
            "-p",
            "speed:=2",
            "-p",
            "mapper:rate_hz:=0.5",
        ])
        .unwrap();
        let of = |node| {
            given
                .of("/a", node)
                .map(|(n, v)| (n.to_owned(), v.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("loop"), [("speed".to_owned(), json!(2))]);
        assert_eq!(
            of("mapper"),
            [("speed".to_owned(), json!(2)), ("rate_hz".to_owned(), json!(0.5))]
        );
        for bad in ["speed", "speed:={"] {
            assert!(read(&["--ros-args", "-p", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_name_nodes_by_pattern() {
        let mut given = Overrides::default();
        let text = "/**:\n  ros__parameters: {all: true}\n  mapper:\n    ros__parameters:\n      scan: {near_m: 1.5, rows: [1, 2]}\n\
                    /a/*:\n  ros__parameters: {in_a: x}\nmapper:\n  ros__parameters: {plain: 1}\n/mapper:\n  ros__parameters: {root: 1}\n";
        given.file(text).unwrap();
        let names = |namespace, node| {
            given
                .of(namespace, node)
                .map(|(n, _)| n)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names("/", "mapper"), "all scan.near_m scan.rows plain root");
        assert_eq!(names("/a", "mapper"), "all scan.near_m scan.rows in_a plain");
        assert_eq!(names("/a/b", "planner"), "all");
        assert!(given.file("mapper: 3").is_err());
    }
}
