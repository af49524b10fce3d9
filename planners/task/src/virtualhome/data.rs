//! The files of the benchmark, and what its Python simulator does with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::Domain;
use crate::virtualhome::graph::Graph;
use crate::virtualhome::plan::{PlanStep, parse_script_line};
use crate::virtualhome::task::{Goals, Task};
use crate::{Error, Result};

/// The unpacked package.
#[derive(Debug, Clone)]
pub struct Dataset {
    folder: PathBuf,
    domain: Arc<Domain>,
    goals: BTreeMap<String, (String, Goals)>,
}

#[derive(Deserialize)]
struct GoalEntry {
    vh_goal: Goals,
}

/// First and last graph of a program.
#[derive(Debug, Clone, Deserialize)]
struct Graphs {
    init_graph: Graph,
    final_graph: Graph,
}

/// One line of the reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceLine {
    /// The program that was run, for lines about programs.
    pub program: Option<String>,
    /// The task, for lines about plans.
    pub plan: Option<String>,
    /// Who wrote the plan.
    pub model: Option<String>,
    /// Whether the answer was a plan at all.
    pub parsed: Option<bool>,
    /// Nodes of the objects that the prompt showed.
    #[serde(default)]
    pub ids: BTreeMap<String, u32>,
    /// The first step that was refused, from 0.
    pub first: Option<usize>,
    /// Why.
    pub kind: Option<String>,
    /// Steps that ran.
    #[serde(default)]
    pub steps: usize,
    /// Their time, seconds.
    #[serde(default)]
    pub seconds: f64,
}

/// What the Python simulator does, from `bench/virtualhome.sh`.
pub type Reference = Vec<ReferenceLine>;

#[derive(Deserialize)]
struct Answer {
    identifier: String,
    llm_output: String,
}

#[derive(Deserialize)]
struct Prompt {
    identifier: String,
    llm_prompt: String,
}

fn failed(path: &Path, reason: impl ToString) -> Error {
    Error::Read {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| failed(path, error))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?).map_err(|error| failed(path, error))
}

impl Dataset {
    /// Opens the folder that `bench/virtualhome.sh` has filled.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn open(folder: &Path) -> Result<Dataset> {
        let goals = folder.join("virtualhome_eval/resources/task_state_LTL_formula_accurate.json");
        let scenes: BTreeMap<String, BTreeMap<String, BTreeMap<String, GoalEntry>>> = read_json(&goals)?;
        let mut all = BTreeMap::new();
        for (name, tasks) in scenes.into_values().flatten() {
            for (id, entry) in tasks {
                all.insert(id, (name.clone(), entry.vh_goal));
            }
        }
        Ok(Dataset {
            folder: folder.to_owned(),
            domain: super::domain()?,
            goals: all,
        })
    }

    /// The domain of its scenes.
    pub fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    fn part(&self, part: &str, id: &str, ending: &str) -> PathBuf {
        let root = "virtualhome_eval/dataset/programs_processed_precond_nograb_morepreconds";
        let scene = "TrimmedTestScene1_graph/results_intentions_march-13-18";
        self.folder
            .join(root)
            .join(part)
            .join(scene)
            .join(format!("file{id}.{ending}"))
    }

    /// Identifiers of all programs, ascending.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn programs(&self) -> Result<Vec<String>> {
        let file = self.part("init_and_final_graphs", "", "json");
        let folder = file.parent().unwrap_or(&self.folder);
        let entries = std::fs::read_dir(folder).map_err(|error| failed(folder, error))?;
        let mut all = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed(folder, error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix("file"));
            all.extend(id.and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        all.sort();
        Ok(all)
    }

    /// Identifiers of all tasks with goals, ascending.
    pub fn tasks(&self) -> Vec<String> {
        self.goals.keys().cloned().collect()
    }

    /// First and last graph of a program.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn graphs(&self, id: &str) -> Result<(Graph, Graph)> {
        let graphs: Graphs = read_json(&self.part("init_and_final_graphs", id, "json"))?;
        Ok((graphs.init_graph, graphs.final_graph))
    }

    /// The steps of a program.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Syntax`].
    pub fn program(&self, id: &str) -> Result<Vec<PlanStep>> {
        let text = read(&self.part("executable_programs", id, "txt"))?;
        let steps = text.lines().filter(|line| line.starts_with('['));
        steps.map(parse_script_line).collect()
    }

    /// A task with its home at first.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Scene`], [`Error::UnknownName`].
    pub fn task(&self, id: &str) -> Result<Task> {
        let (name, goals) = self.goals.get(id).ok_or_else(|| Error::UnknownName {
            what: "task",
            name: id.to_owned(),
        })?;
        let home = self.graphs(id)?.0.home(&self.domain)?;
        Ok(Task {
            id: id.to_owned(),
            name: name.clone(),
            goal: goals.condition(&home)?,
            actions: goals.action_goals(),
            home,
        })
    }

    /// The objects that the models were shown for a task, with their nodes: what differs between the first and the
    /// last graph. Of several of one class the one with the largest id is meant.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn shown(&self, id: &str) -> Result<BTreeMap<String, u32>> {
        let (first, last) = self.graphs(id)?;
        let mut ids = BTreeSet::new();
        let (before, after) = (first.node_states(), last.node_states());
        ids.extend(
            before
                .iter()
                .filter(|(id, states)| after.get(id) != Some(states))
                .map(|(id, _)| *id),
        );
        for edge in first.edge_set().symmetric_difference(&last.edge_set()) {
            ids.extend([edge.from_id, edge.to_id]);
        }
        let mut nodes: Vec<_> = first.nodes.iter().filter(|node| ids.contains(&node.id)).collect();
        nodes.sort_by_key(|node| node.id);
        Ok(nodes
            .into_iter()
            .map(|node| (node.class_name.clone(), node.id))
            .collect())
    }

    /// The answers of the language models: by model, by task.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn answers(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
        let folder = self.folder.join("virtualhome_eval/llm_response/action_sequence");
        let entries = std::fs::read_dir(&folder).map_err(|error| failed(&folder, error))?;
        let mut all = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|error| failed(&folder, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(model) = name.and_then(|name| name.strip_suffix("_outputs.json")) else {
                continue;
            };
            let answers: Vec<Answer> = read_json(&path)?;
            let answers = answers
                .into_iter()
                .map(|answer| (answer.identifier, answer.llm_output));
            all.insert(model.to_owned(), answers.collect());
        }
        Ok(all)
    }

    /// The prompts that the models were given, by task.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn prompts(&self) -> Result<BTreeMap<String, String>> {
        let path = "virtualhome_eval/evaluation/action_sequence/prompts/helm_prompts.json";
        let prompts: Vec<Prompt> = read_json(&self.folder.join(path))?;
        let prompts = prompts
            .into_iter()
            .map(|prompt| (prompt.identifier, prompt.llm_prompt));
        Ok(prompts.collect())
    }

    /// What the Python simulator does; empty where the script has not run.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn reference(&self) -> Result<Reference> {
        let path = self.folder.join("reference.jsonl");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = read(&path)?;
        let lines = text.lines().filter(|line| line.starts_with('{'));
        lines
            .map(|line| serde_json::from_str(line).map_err(|error| failed(&path, error)))
            .collect()
    }
}
