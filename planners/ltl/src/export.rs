//! Automata in the Hanoi Omega-Automata format and as DOT graphs.

use std::fmt::Write;

use crate::buchi::Buchi;
use crate::dfa::{Cube, Dfa};
use crate::formula::{Arena, Prop};
use crate::rule::cubes_text;

fn hoa_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(if c.is_control() { ' ' } else { c });
    }
    quoted.push('"');
    quoted
}

fn hoa_guard(cubes: &[Cube], props: &[Prop]) -> String {
    let cube = |cube: &Cube| {
        if cube.is_empty() {
            return "t".to_string();
        }
        cube.iter()
            .map(|(prop, value)| {
                let at = props.partition_point(|other| other < prop);
                format!("{}{at}", if *value { "" } else { "!" })
            })
            .collect::<Vec<_>>()
            .join("&")
    };
    if cubes.is_empty() {
        "f".into()
    } else {
        cubes.iter().map(cube).collect::<Vec<_>>().join(" | ")
    }
}

fn hoa_header(arena: &Arena, name: &str, states: usize, start: u32, props: &[Prop]) -> String {
    let mut text = String::from("HOA: v1\n");
    let _ = writeln!(text, "name: {}", hoa_string(name));
    let _ = writeln!(text, "tool: \"steward-ltl\" \"{}\"", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "States: {states}\nStart: {start}");
    let _ = write!(text, "AP: {}", props.len());
    for prop in props {
        let _ = write!(text, " {}", hoa_string(arena.name(*prop)));
    }
    text.push('\n');
    text
}

/// The transitions of a state, one guard per target.
fn merged_edges(dfa: &Dfa, state: u32) -> Vec<(Vec<Cube>, u32)> {
    dfa.successors(state)
        .into_iter()
        .map(|to| (dfa.guard(state, |next| next == to), to))
        .collect()
}

impl Dfa {
    /// The automaton in HOA v1. The format has no acceptance on finite words, so the states in which a trace
    /// may end carry the mark 0 of a Büchi condition and the header `finite-words: true` says how they are
    /// meant; tools that do not know that header see a complete deterministic Büchi automaton.
    pub fn hoa(&self, arena: &Arena, name: &str) -> String {
        let mut text = hoa_header(arena, name, self.num_states(), self.initial(), self.props());
        text += "acc-name: Buchi\nAcceptance: 1 Inf(0)\n";
        text += "properties: trans-labels explicit-labels state-acc complete deterministic\n";
        text += "finite-words: true\n--BODY--\n";
        for state in 0..self.num_states() as u32 {
            let mark = if self.is_accepting(state) { " {0}" } else { "" };
            let _ = writeln!(text, "State: {state}{mark}");
            for (guard, to) in merged_edges(self, state) {
                let _ = writeln!(text, "[{}] {to}", hoa_guard(&guard, self.props()));
            }
        }
        text + "--END--\n"
    }

    /// The automaton as a DOT graph; dead states are grey.
    ///
    /// ```
    /// use steward_ltl::{Arena, Dfa};
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("G !stairs")?;
    /// let dot = Dfa::of(&mut arena, rule)?.dot(&arena);
    /// assert!(dot.contains(r#"0 -> 1 [label="stairs"]"#));
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn dot(&self, arena: &Arena) -> String {
        let alive = self.steps_to_accept();
        let mut text = String::from("digraph dfa {\n  rankdir=LR;\n  start [shape=point];\n");
        let _ = writeln!(text, "  start -> {};", self.initial());
        for state in 0..self.num_states() as u32 {
            let shape = if self.is_accepting(state) {
                "doublecircle"
            } else {
                "circle"
            };
            let dead = if alive[state as usize].is_none() {
                ", color=grey, fontcolor=grey"
            } else {
                ""
            };
            let _ = writeln!(text, "  {state} [shape={shape}{dead}];");
        }
        for state in 0..self.num_states() as u32 {
            for (guard, to) in merged_edges(self, state) {
                let label = hoa_string(&cubes_text(arena, &guard));
                let _ = writeln!(text, "  {state} -> {to} [label={label}];");
            }
        }
        text + "}\n"
    }
}

impl Buchi {
    /// The automaton in HOA v1, with transition-based generalised Büchi acceptance.
    pub fn hoa(&self, arena: &Arena, name: &str) -> String {
        let props = self.props();
        let mut text = hoa_header(arena, name, self.num_states(), 0, &props);
        let sets = self.num_sets();
        let condition = if sets == 0 {
            "t".to_string()
        } else {
            (0..sets)
                .map(|set| format!("Inf({set})"))
                .collect::<Vec<_>>()
                .join(" & ")
        };
        let kind = if sets == 0 {
            "all".into()
        } else {
            format!("generalized-Buchi {sets}")
        };
        let _ = writeln!(text, "acc-name: {kind}\nAcceptance: {sets} {condition}");
        text += "properties: trans-labels explicit-labels trans-acc\n--BODY--\n";
        for state in 0..self.num_states() as u32 {
            let _ = writeln!(text, "State: {state}");
            for edge in self.edges(state) {
                let marks = if edge.marks.is_empty() {
                    String::new()
                } else {
                    let marks: Vec<String> = edge.marks.iter().map(u32::to_string).collect();
                    format!(" {{{}}}", marks.join(" "))
                };
                let _ = writeln!(text, "[{}] {}{marks}", hoa_guard(&edge.guard, &props), edge.to);
            }
        }
        text + "--END--\n"
    }
}
