//! Settings as ROS parameters of a node. `r2r` has services for them too, but those end the process when a client
//! leaves before its answer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use r2r::QosProfile;
use r2r::rcl_interfaces::msg::{
    ListParametersResult, Parameter, ParameterDescriptor, ParameterEvent, ParameterValue, SetParametersResult,
};
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Service;
use crate::overrides::Overrides;
use crate::parameters::{Parameters, Section};

/// Why nothing is set once a node is configured.
const LOCKED: &str =
    "settings are taken when the node is configured; bring it to the state unconfigured to set them";

/// The settings of a process, which its ROS nodes show as their parameters.
pub struct Settings<T> {
    parameters: Parameters<T>,
    /// Whether values are refused for now.
    pub is_locked: bool,
    /// Names, or what stands before the dot of names, that are refused since the process runs.
    pub taken_at_start: &'static [&'static str],
}

impl<T: Serialize + DeserializeOwned + Clone> Settings<T> {
    /// Settings with the values that the process was started with.
    ///
    /// # Errors
    /// A value that is refused, with the reason, or a name that no node of the process knows.
    pub fn new(mut parameters: Parameters<T>, sections: &[Section], namespace: &str) -> Result<Self> {
        let given = Overrides::read(std::env::args())?;
        let known = parameters.leaves();
        let mut values = Vec::new();
        for section in sections {
            for (name, value) in given.of(namespace, section.node) {
                let full = section.full(name);
                // What is for every node need not be known to this one, but to some node.
                if known.contains_key(&full) {
                    values.push((full, value.clone()));
                } else if !sections.iter().any(|other| known.contains_key(&other.full(name))) {
                    bail!("the node `{}` has no parameter `{name}`", section.node);
                }
            }
        }
        // All at once: whether one makes sense may depend on another.
        let values = values.iter().map(|(name, value)| (name.as_str(), value.clone()));
        parameters
            .set(values)
            .map_err(anyhow::Error::msg)
            .context("parameters")?;
        Ok(Settings {
            parameters,
            is_locked: false,
            taken_at_start: &[],
        })
    }

    /// The values.
    pub fn get(&self) -> &T {
        self.parameters.settings()
    }

    fn is_taken_at_start(&self, name: &str) -> bool {
        self.taken_at_start
            .iter()
            .any(|taken| name == *taken || name.strip_prefix(taken).is_some_and(|rest| rest.starts_with('.')))
    }

    fn set(&mut self, section: Section, changes: &[Parameter]) -> Result<(), String> {
        let known = self.parameters.leaves();
        if let Some(unknown) = changes
            .iter()
            .find(|p| !known.contains_key(&section.full(&p.name)))
        {
            return Err(format!("there is no parameter `{}`", unknown.name));
        }
        if let Some(late) = changes.iter().find(|p| self.is_taken_at_start(&p.name)) {
            return Err(format!(
                "{} is taken when the process starts; give it then",
                late.name
            ));
        }
        if self.is_locked {
            return Err(LOCKED.to_owned());
        }
        if let Some(odd) = changes
            .iter()
            .find(|p| p.value.type_ == 3 && !p.value.double_value.is_finite())
        {
            return Err(format!(
                "{} is {} and must be finite",
                odd.name, odd.value.double_value
            ));
        }
        let full: Vec<_> = changes
            .iter()
            .map(|p| (section.full(&p.name), from_ros(&p.value)))
            .collect();
        self.parameters
            .set(full.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }
}

/// The parameter services of one node.
pub struct ParameterServer {
    section: Section,
    node: String,
    descriptions: BTreeMap<String, String>,
    get: Service<GetParameters::Service>,
    get_types: Service<GetParameterTypes::Service>,
    list: Service<ListParameters::Service>,
    describe: Service<DescribeParameters::Service>,
    set: Service<SetParameters::Service>,
    set_atomically: Service<SetParametersAtomically::Service>,
    events: r2r::Publisher<ParameterEvent>,
}

impl ParameterServer {
    /// # Errors
    /// Where ROS refuses a service.
    pub fn new(
        node: &mut r2r::Node,
        section: Section,
        descriptions: BTreeMap<String, String>,
    ) -> Result<Self> {
        let name = node.name()?;
        let own = |what: &str| format!("{name}/{what}");
        Ok(ParameterServer {
            section,
            node: node.fully_qualified_name()?,
            descriptions,
            get: Service::new(node, &own("get_parameters"))?,
            get_types: Service::new(node, &own("get_parameter_types"))?,
            list: Service::new(node, &own("list_parameters"))?,
            describe: Service::new(node, &own("describe_parameters"))?,
            set: Service::new(node, &own("set_parameters"))?,
            set_atomically: Service::new(node, &own("set_parameters_atomically"))?,
            events: node.create_publisher(
                "/parameter_events",
                QosProfile::default().reliable().keep_last(1000),
            )?,
        })
    }

    /// Answers what came.
    pub fn turn<T: Serialize + DeserializeOwned + Clone>(&mut self, settings: &mut Settings<T>) {
        let (section, node, events) = (self.section, &self.node, &self.events);
        self.set.answer(|request| {
            let one = |p: &Parameter| set(settings, section, std::slice::from_ref(p), node, events);
            SetParameters::Response {
                results: request.parameters.iter().map(one).collect(),
            }
        });
        self.set_atomically
            .answer(|request| SetParametersAtomically::Response {
                result: set(settings, section, &request.parameters, node, events),
            });
        let value = |name: &String| settings.parameters.leaves().get(&section.full(name)).map(to_ros);
        self.get.answer(|request| GetParameters::Response {
            values: request
                .names
                .iter()
                .map(|name| value(name).unwrap_or_default())
                .collect(),
        });
        self.get_types.answer(|request| GetParameterTypes::Response {
            types: request
                .names
                .iter()
                .map(|name| value(name).unwrap_or_default().type_)
                .collect(),
        });
        self.list.answer(|request| ListParameters::Response {
            result: list(
                settings.parameters.leaves().keys().filter_map(|n| section.own(n)),
                request,
            ),
        });
        let descriptions = &self.descriptions;
        self.describe.answer(|request| DescribeParameters::Response {
            descriptors: request
                .names
                .iter()
                .map(|name| ParameterDescriptor {
                    name: name.clone(),
                    type_: value(name).unwrap_or_default().type_,
                    description: descriptions.get(name).cloned().unwrap_or_default(),
                    read_only: settings.is_locked || settings.is_taken_at_start(name),
                    ..Default::default()
                })
                .collect(),
        });
    }
}

fn set<T: Serialize + DeserializeOwned + Clone>(
    settings: &mut Settings<T>,
    section: Section,
    changes: &[Parameter],
    node: &str,
    events: &r2r::Publisher<ParameterEvent>,
) -> SetParametersResult {
    if let Err(reason) = settings.set(section, changes) {
        return SetParametersResult {
            successful: false,
            reason,
        };
    }
    let event = ParameterEvent {
        node: node.to_owned(),
        changed_parameters: changes.to_vec(),
        ..Default::default()
    };
    if let Err(e) = events.publish(&event) {
        log::warn!("a change of parameters cannot be told: {e}");
    }
    SetParametersResult {
        successful: true,
        reason: String::new(),
    }
}

/// The names that are asked for: below one of the prefixes, no more than so many parts deep.
fn list<'a>(names: impl Iterator<Item = &'a str>, request: &ListParameters::Request) -> ListParametersResult {
    let is_shallow = |below: &str| request.depth == 0 || (below.split('.').count() as u64) <= request.depth;
    let is_below = |name: &str, prefix: &str| {
        name == prefix
            || name
                .strip_prefix(prefix)
                .and_then(|n| n.strip_prefix('.'))
                .is_some_and(is_shallow)
    };
    let is_asked = |name: &&str| match request.prefixes.as_slice() {
        [] => is_shallow(name),
        prefixes => prefixes.iter().any(|prefix| is_below(name, prefix)),
    };
    let names: Vec<String> = names.filter(is_asked).map(str::to_owned).collect();
    let mut prefixes: Vec<String> = names
        .iter()
        .filter_map(|n| Some(n.rsplit_once('.')?.0.to_owned()))
        .collect();
    prefixes.dedup();
    ListParametersResult { names, prefixes }
}

fn to_ros(value: &Value) -> ParameterValue {
    let mut out = ParameterValue::default();
    match value {
        Value::Bool(b) => (out.type_, out.bool_value) = (1, *b),
        Value::Number(n) => match n.as_i64() {
            Some(n) => (out.type_, out.integer_value) = (2, n),
            None => (out.type_, out.double_value) = (3, n.as_f64().unwrap_or_default()),
        },
        Value::String(s) => (out.type_, out.string_value) = (4, s.clone()),
        Value::Array(list) if list.iter().all(Value::is_boolean) => {
            (out.type_, out.bool_array_value) = (6, list.iter().filter_map(Value::as_bool).collect());
        }
        Value::Array(list) if list.iter().all(Value::is_i64) => {
            (out.type_, out.integer_array_value) = (7, list.iter().filter_map(Value::as_i64).collect());
        }
        Value::Array(list) if list.iter().all(Value::is_number) => {
            (out.type_, out.double_array_value) = (8, list.iter().filter_map(Value::as_f64).collect());
        }
        Value::Array(list) => {
            let texts = list.iter().filter_map(|v| v.as_str().map(str::to_owned));
            (out.type_, out.string_array_value) = (9, texts.collect());
        }
        Value::Null | Value::Object(_) => {}
    }
    out
}

fn from_ros(value: &ParameterValue) -> Value {
    match value.type_ {
        1 => value.bool_value.into(),
        2 => value.integer_value.into(),
        3 => value.double_value.into(),
        4 => value.string_value.clone().into(),
        5 => value.byte_array_value.clone().into(),
        6 => value.bool_array_value.clone().into(),
        7 => value.integer_array_value.clone().into(),
        8 => value.double_array_value.clone().into(),
        9 => value.string_array_value.clone().into(),
        _ => Value::Null,
    }
}
