//! Plans as a right-linear grammar, for decoding a language model under the rules.

use std::fmt::Write;

use crate::Error;
use crate::joint::Table;

/// What the words of a grammar look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrammarOptions {
    /// Most actions in a plan.
    pub max_steps: usize,
    /// Whether the plan of no action is left out even if the rules accept it, as rules that only forbid do.
    pub nonempty: bool,
    /// What follows each action, the last one too.
    pub terminator: String,
}

impl Default for GrammarOptions {
    fn default() -> GrammarOptions {
        GrammarOptions {
            max_steps: 32,
            nonempty: true,
            terminator: "\n".into(),
        }
    }
}

/// A nonterminal: a state of the automaton with the steps that are left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Nonterminal {
    name: String,
    /// Action and the nonterminal that follows.
    ways: Vec<(usize, usize)>,
    may_end: bool,
}

/// A right-linear grammar whose words are exactly the accepted plans within a budget of steps: one action
/// after the other, each followed by the terminator.
///
/// Every nonterminal has a word, because an edge that cannot end in an accepted plan within what is left of
/// the budget is not there: decoding along the grammar never gets stuck.
///
/// ```
/// use steward_ltl::{Grammar, GrammarOptions, RuleSet, Step, Table};
///
/// let mut rules = RuleSet::one_shot([("fetch", "F mug & (!mug U kitchen)")])?;
/// let kitchen = rules.arena_mut().prop("kitchen")?;
/// let mug = rules.arena_mut().prop("mug")?;
/// let table = Table::of_rules(rules.rules(), &[Step::of([kitchen]), Step::of([mug])], None)?;
/// let grammar = Grammar::new(
///     &table,
///     &["go kitchen", "take mug"],
///     &GrammarOptions { max_steps: 2, ..GrammarOptions::default() },
/// )?;
/// assert_eq!(
///     grammar.lark(),
///     "start: s0_2\ns0_2: \"go kitchen\\n\" s1_1\ns1_1: \"take mug\\n\" s3_0\ns3_0: \"\"\n"
/// );
/// # Ok::<(), steward_ltl::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    nonterminals: Vec<Nonterminal>,
    terminals: Vec<String>,
}

/// Most nonterminals of a grammar.
const MAX_NONTERMINALS: usize = 1 << 18;

impl Grammar {
    /// The grammar of the words of a table of at most `max_steps` steps; `actions` names the steps.
    pub fn new(
        table: &Table,
        actions: &[impl AsRef<str>],
        options: &GrammarOptions,
    ) -> Result<Grammar, Error> {
        let actions: Vec<&str> = actions.iter().map(AsRef::as_ref).collect();
        check_actions(&actions, table, options)?;
        let distance = table.steps_to_accept();
        // With `nonempty`, the first step is taken from a copy of the initial state that may not end. No
        // other nonterminal has the whole budget left, so names stay different.
        let mut open = vec![(0u32, options.max_steps, options.nonempty)];
        let mut nonterminals: Vec<Nonterminal> = Vec::new();
        let mut next = 0;
        let mut number = crate::hash::FastMap::default();
        number.insert(open[0], 0usize);
        while next < open.len() {
            let (state, left, must_go_on) = open[next];
            next += 1;
            let mut ways = Vec::new();
            for action in 0..actions.len() {
                let to = table.next(state, action);
                let fits = distance[to as usize].is_some_and(|steps| (steps as usize) < left);
                if fits {
                    let key = (to, left - 1, false);
                    ways.push((
                        action,
                        *number.entry(key).or_insert_with(|| {
                            open.push(key);
                            open.len() - 1
                        }),
                    ));
                }
            }
            if open.len() > MAX_NONTERMINALS {
                return Err(Error::TooLarge {
                    what: "a grammar",
                    limit: MAX_NONTERMINALS,
                    unit: "nonterminals",
                    hint: "lower the step budget or give fewer rules at once",
                });
            }
            nonterminals.push(Nonterminal {
                name: format!("s{state}_{left}"),
                ways,
                may_end: table.is_accepting(state) && !must_go_on,
            });
        }
        if nonterminals[0].ways.is_empty() && !nonterminals[0].may_end {
            return Err(Error::BadOption(format!(
                "no plan of at most {} steps satisfies the rules: raise the step budget, or look for a \
                 conflict among the rules",
                options.max_steps
            )));
        }
        let terminals = actions
            .iter()
            .map(|action| format!("{action}{}", options.terminator))
            .collect();
        Ok(Grammar {
            nonterminals,
            terminals,
        })
    }

    /// Number of nonterminals.
    pub fn len(&self) -> usize {
        self.nonterminals.len()
    }

    /// Never: there is a start nonterminal.
    pub fn is_empty(&self) -> bool {
        self.nonterminals.is_empty()
    }

    /// The grammar in Lark's syntax, as llguidance reads it.
    pub fn lark(&self) -> String {
        let mut text = format!("start: {}\n", self.nonterminals[0].name);
        self.rules(&mut text, ": ", |name| name.to_string());
        text
    }

    /// The grammar in GBNF, as llama.cpp reads it.
    pub fn gbnf(&self) -> String {
        let hyphens = |name: &str| name.replace('_', "-");
        let mut text = format!("root ::= {}\n", hyphens(&self.nonterminals[0].name));
        self.rules(&mut text, " ::= ", hyphens);
        text
    }

    fn rules(&self, text: &mut String, arrow: &str, name: impl Fn(&str) -> String) {
        for nonterminal in &self.nonterminals {
            let mut ways: Vec<String> = nonterminal
                .ways
                .iter()
                .map(|(action, to)| {
                    let target = name(&self.nonterminals[*to].name);
                    format!("{} {target}", literal(&self.terminals[*action]))
                })
                .collect();
            if nonterminal.may_end {
                ways.push("\"\"".into());
            }
            let _ = writeln!(text, "{}{arrow}{}", name(&nonterminal.name), ways.join(" | "));
        }
    }
}

fn check_actions(actions: &[&str], table: &Table, options: &GrammarOptions) -> Result<(), Error> {
    if actions.len() != table.num_letters() {
        return Err(Error::BadOption(format!(
            "{} actions were named for an automaton over {} steps: name each step once",
            actions.len(),
            table.num_letters()
        )));
    }
    if options.terminator.is_empty() {
        return Err(Error::BadOption(
            "the terminator is empty, so actions would run together: use \"\\n\"".into(),
        ));
    }
    for (at, action) in actions.iter().enumerate() {
        let problem = if action.is_empty() {
            "is empty"
        } else if action.contains(&options.terminator) {
            "contains the terminator"
        } else if actions[..at].contains(action) {
            "is there twice"
        } else {
            continue;
        };
        return Err(Error::BadOption(format!(
            "action `{action}` {problem}: rename it"
        )));
    }
    Ok(())
}

/// A string literal of both grammar languages.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
