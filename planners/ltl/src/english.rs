//! Formulas read back in plain English.
//!
//! Known patterns get the sentence that people use for them: those of Dwyer et al. in their scopes, and the
//! mission patterns of robots (Menghi et al., "Specification Patterns for Robotic Missions", IEEE TSE 2019).
//! Everything else is read operator by operator, with square brackets around every part that is longer than
//! a name, so that scope is never in doubt.

use std::sync::OnceLock;

use crate::dwyer::DWYER;
use crate::formula::{Arena, Formula, Node, Prop};
use crate::hash::FastMap;

/// Formulas with more operators than this are not read out.
const LONGEST_READING: u64 = 20_000;
/// Most places in one mission pattern, as in Lang2LTL.
const MOST_PLACES: usize = 5;

/// A pattern with letters as placeholders, and its sentence.
struct Pattern {
    formula: Formula,
    sentence: String,
}

struct Catalogue {
    arena: Arena,
    patterns: Vec<Pattern>,
}

/// What the placeholders of a pattern stand for: the operands of a chain of `&` or `|`, or one formula.
type Binding = Vec<(Prop, Bound)>;

#[derive(Clone, PartialEq, Eq)]
struct Bound {
    operands: Vec<Formula>,
    conjunction: bool,
}

impl Catalogue {
    fn get() -> &'static Catalogue {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(Catalogue::new)
    }

    fn new() -> Catalogue {
        let mut catalogue = Catalogue {
            arena: Arena::new(),
            patterns: Vec::new(),
        };
        catalogue.missions();
        for (text, scope, body) in DWYER {
            catalogue.add(text, format!("{}: {}.", scope.words(), body.words()));
        }
        catalogue
    }

    fn add(&mut self, text: &str, sentence: String) {
        // Every pattern is a constant of this crate; a test reads all of them.
        if let Ok(formula) = self.arena.parse(text) {
            self.patterns.push(Pattern { formula, sentence });
        }
    }

    fn missions(&mut self) {
        let letters: Vec<String> = ('a'..='e').map(String::from).collect();
        let held: Vec<String> = letters.iter().map(|letter| format!("{{{letter}}}")).collect();
        for count in 2..=MOST_PLACES {
            let (places, names) = (&letters[..count], &held[..count]);
            let then = names.join(", then ");
            let each = |text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<Vec<_>>().join(" & ");
            let eventually = each(&|i| format!("F {}", places[i]));
            self.add(
                &eventually,
                format!(
                    "Reach each of these at least once, in any order: {}.",
                    names.join(", ")
                ),
            );
            let nested = |innermost: String| {
                (0..count - 1)
                    .rev()
                    .fold(innermost, |inner, i| format!("F ({} & {inner})", places[i]))
            };
            let sequence = nested(format!("F {}", places[count - 1]));
            self.add(
                &sequence,
                format!("Reach in this sequence (repeats and detours allowed): {then}."),
            );
            let before = |i: usize| format!("(!{} U {})", places[i + 1], places[i]);
            let ordered: Vec<String> = (0..count - 1).map(before).collect();
            let last = format!("F {}", places[count - 1]);
            let order = format!("{} & {last}", ordered.join(" & "));
            self.add(
                &order,
                format!("Reach in this order, none before the one in front of it: {then}."),
            );
            let strict: Vec<String> = (0..count - 1)
                .map(|i| {
                    let (a, b) = (&places[i], &places[i + 1]);
                    format!("(!{a} U ({a} U (!{a} U {b})))")
                })
                .collect();
            self.add(
                &format!("{order} & {}", strict.join(" & ")),
                format!(
                    "Reach in this order, none before the one in front of it, and visit none twice before \
                     the next one: {then}."
                ),
            );
            self.add(
                &each(&|i| format!("G F {}", places[i])),
                format!(
                    "Reach each of these again and again without end: {}.",
                    names.join(", ")
                ),
            );
            self.add(
                &format!("G {sequence}"),
                format!("Go through this sequence again and again without end: {then}."),
            );
            self.add(
                &each(&|i| format!("G !{}", places[i])),
                format!("None of these ever: {}.", names.join(", ")),
            );
        }
        self.add("G F a", "Again and again without end: {a}.".into());
        self.add("G !a", "Never {a}.".into());
        self.add("F a", "At some step {a}.".into());
        self.add("!b U a", "Reach {a}, and until then never {b}.".into());
        self.add(
            "G (a -> X G !b)",
            "Once {a}, there is a next step, and from it on never again {b}.".into(),
        );
        self.add(
            "G (a -> N G !b)",
            "Once {a}, never again {b} from the next step on.".into(),
        );
        self.add(
            "G (a -> X b)",
            "Whenever {a}, there is a next step, and there {b}.".into(),
        );
        self.add(
            "G (a -> N b)",
            "Whenever {a}, then {b} in the next step, if there is one.".into(),
        );
        self.add(
            "G (a -> F b)",
            "Whenever {a}, then at that step or later {b}.".into(),
        );
        self.add("G (a -> b)", "Whenever {a}, at the same step {b}.".into());
        self.add("G (a <-> b)", "At every step {a} exactly if {b}.".into());
        self.add(
            "G (a <-> X b)",
            "At every step {a} exactly if there is a next step and there {b}.".into(),
        );
        self.add("a U b", "{a} at every step until {b}, which must come.".into());
        self.restricted_avoidance();
    }

    /// At least, at most and exactly so many separate stretches (Lang2LTL's spelling).
    fn restricted_avoidance(&mut self) {
        const TIMES: [&str; MOST_PLACES] = ["one", "two", "three", "four", "five"];
        for (count, times) in TIMES.iter().enumerate() {
            let stretches = if count == 0 {
                "stretch"
            } else {
                "separate stretches"
            };
            let at_least = |more: usize| {
                (0..more).fold("F a".to_string(), |inner, _| {
                    format!("F (a & (a U (!a & (!a U {inner}))))")
                })
            };
            if count > 0 {
                self.add(
                    &at_least(count),
                    format!("At least {times} {stretches} of {{a}}."),
                );
            }
            self.add(
                &format!("!{}", at_least(count + 1)),
                format!("At most {times} {stretches} of {{a}}."),
            );
            let first = (0..count).fold("a".to_string(), |inner, _| format!("(a & F (!a & F {inner}))"));
            let at_most = (0..count).fold("(!a | G (a | G !a))".to_string(), |inner, _| {
                format!("(!a | G (a | G {inner}))")
            });
            self.add(
                &format!("{first} M {at_most}"),
                format!("Exactly {times} {stretches} of {{a}}."),
            );
        }
    }
}

impl Arena {
    /// The formula in plain English. Known patterns get their usual sentence; anything else is read operator
    /// by operator with brackets.
    ///
    /// ```
    /// use steward_ltl::Arena;
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("G (on(mug, desk) -> F at_kitchen)")?;
    /// assert_eq!(arena.english(rule), "Whenever on(mug, desk), then at that step or later at_kitchen.");
    /// let rule = arena.parse("F (a & X (b U c))")?;
    /// assert_eq!(
    ///     arena.english(rule),
    ///     "At some step [both a and [there is a next step and there [b at every step until c, which must \
    ///      come]]]."
    /// );
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn english(&self, formula: Formula) -> String {
        if self.tree_size(formula) > LONGEST_READING {
            return format!(
                "A formula of {} operators, too long to read out.",
                self.tree_size(formula)
            );
        }
        if let Some(sentence) = self.known_pattern(formula) {
            return sentence;
        }
        let parts = self.conjuncts(formula);
        if parts.len() > 1 {
            // Separate rules are read one by one: several may be known patterns.
            let read: Vec<String> = parts
                .iter()
                .enumerate()
                .map(|(at, part)| {
                    let sentence = self
                        .known_pattern(*part)
                        .unwrap_or_else(|| sentence(&self.literal_reading(*part)));
                    format!("({}) {sentence}", at + 1)
                })
                .collect();
            return format!("All of these: {}", read.join(" "));
        }
        sentence(&self.literal_reading(formula))
    }

    /// The sentence of a known pattern.
    fn known_pattern(&self, formula: Formula) -> Option<String> {
        let catalogue = Catalogue::get();
        catalogue.patterns.iter().find_map(|pattern| {
            let mut binding = Binding::new();
            matches(self, formula, &catalogue.arena, pattern.formula, &mut binding).then(|| {
                let mut text = pattern.sentence.clone();
                for (prop, bound) in &binding {
                    let placeholder = format!("{{{}}}", catalogue.arena.name(*prop));
                    text = text.replace(&placeholder, &self.bound_reading(bound));
                }
                sentence(text.trim_end_matches('.'))
            })
        })
    }

    fn bound_reading(&self, bound: &Bound) -> String {
        let read: Vec<String> = bound
            .operands
            .iter()
            .map(|part| bracketed(&self.literal_reading(*part), self.node(*part)))
            .collect();
        match (&read[..], bound.conjunction) {
            ([only], _) => only.clone(),
            (_, true) => format!("[all of {}]", read.join(" and ")),
            (_, false) => format!("[{}]", read.join(" or ")),
        }
    }

    /// The formula operator by operator.
    fn literal_reading(&self, formula: Formula) -> String {
        let mut read: FastMap<Formula, String> = FastMap::default();
        for sub in self.subformulas(&[formula]) {
            let of = |a: Formula| bracketed(&read[&a], self.node(a));
            let text = match self.node(sub) {
                Node::False => "the impossible".to_string(),
                Node::True => "anything".to_string(),
                Node::Prop(prop) => self.name(prop).to_string(),
                Node::Not(a) => format!("not {}", of(a)),
                Node::And(a, b) => format!("both {} and {}", of(a), of(b)),
                Node::Or(a, b) => format!("{} or {}", of(a), of(b)),
                Node::Implies(a, b) => format!("if {} then {}", of(a), of(b)),
                Node::Iff(a, b) => format!("{} exactly if {}", of(a), of(b)),
                Node::Xor(a, b) => format!("either {} or {} but not both", of(a), of(b)),
                Node::Next(a) => format!("there is a next step and there {}", of(a)),
                Node::WeakNext(a) => format!("if there is a next step then there {}", of(a)),
                Node::Finally(a) => format!("at some step {}", of(a)),
                Node::Globally(a) => format!("at every step {}", of(a)),
                Node::Until(a, b) => format!("{} at every step until {}, which must come", of(a), of(b)),
                Node::WeakUntil(a, b) => {
                    format!("{} at every step until {}, which need not come", of(a), of(b))
                }
                Node::Release(a, b) => {
                    format!(
                        "{} up to and including the step where {}, which need not come",
                        of(b),
                        of(a)
                    )
                }
                Node::StrongRelease(a, b) => {
                    format!(
                        "{} up to and including the step where {}, which must come",
                        of(b),
                        of(a)
                    )
                }
            };
            read.insert(sub, text);
        }
        read.remove(&formula).unwrap_or_default()
    }

    /// What a formula that is owed still asks for, in words: its conjuncts that a trace may not end with.
    pub fn open_obligations(&self, owed: Formula) -> Vec<String> {
        let mut known = FastMap::default();
        let open = |part: &Formula| !self.empty_value(*part, &mut known);
        self.conjuncts(owed)
            .into_iter()
            .filter(open)
            .map(|part| self.english(part))
            .collect()
    }
}

/// Capital first letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    let is_word = text.split([' ', ',']).next().is_some_and(|word| {
        word.chars().all(|c| c.is_ascii_lowercase())
            && (word.len() > 1 || word == "a")
            && text.len() > word.len()
            && SENTENCE_STARTS.contains(&word)
    });
    let text = if is_word {
        first + chars.as_str()
    } else {
        text.to_string()
    };
    format!("{text}.")
}

/// Words that start a reading and are not names of propositions.
const SENTENCE_STARTS: [&str; 9] = [
    "at", "not", "both", "if", "either", "there", "anything", "reach", "whenever",
];

/// A part of a reading: names stand alone, everything else in brackets.
fn bracketed(text: &str, node: Node) -> String {
    match node {
        Node::Prop(_) | Node::True | Node::False => text.to_string(),
        _ => format!("[{text}]"),
    }
}

/// Whether a formula is an instance of a pattern, up to the order of operands of `&`, `|` and `<->`.
/// Placeholders stand for propositional formulas, each for the same one everywhere. The recursion is as deep
/// as the pattern.
fn matches(
    arena: &Arena,
    formula: Formula,
    patterns: &Arena,
    pattern: Formula,
    binding: &mut Binding,
) -> bool {
    let node = arena.node(formula);
    match (patterns.node(pattern), node) {
        (Node::Prop(prop), _) => bind(
            arena,
            prop,
            Bound {
                operands: vec![formula],
                conjunction: true,
            },
            binding,
        ),
        (Node::Not(inner), Node::Not(a)) => matches(arena, a, patterns, inner, binding),
        (Node::True, Node::True) | (Node::False, Node::False) => true,
        (Node::And(..), Node::And(..)) | (Node::Or(..), Node::Or(..)) => {
            let conjunction = matches!(node, Node::And(..));
            let wanted = operands(patterns, pattern, conjunction);
            let found = operands(arena, formula, conjunction);
            wanted.len() <= found.len() && match_sets(arena, found, patterns, &wanted, conjunction, binding)
        }
        (Node::Iff(a, b), Node::Iff(x, y)) => {
            let saved = binding.clone();
            (matches(arena, x, patterns, a, binding) && matches(arena, y, patterns, b, binding)) || {
                *binding = saved;
                matches(arena, y, patterns, a, binding) && matches(arena, x, patterns, b, binding)
            }
        }
        (wanted, found) if std::mem::discriminant(&wanted) == std::mem::discriminant(&found) => wanted
            .operands()
            .zip(found.operands())
            .all(|(inner, a)| matches(arena, a, patterns, inner, binding)),
        _ => false,
    }
}

/// Matches the operands of a chain in any order. The last pattern operand takes whatever is left, as long as
/// it is propositional.
fn match_sets(
    arena: &Arena,
    found: Vec<Formula>,
    patterns: &Arena,
    wanted: &[Formula],
    conjunction: bool,
    binding: &mut Binding,
) -> bool {
    let Some((first, rest)) = wanted.split_first() else {
        return found.is_empty();
    };
    if rest.is_empty() && found.len() > 1 {
        let Node::Prop(prop) = patterns.node(*first) else {
            return false;
        };
        return bind(
            arena,
            prop,
            Bound {
                operands: found,
                conjunction,
            },
            binding,
        );
    }
    for at in 0..found.len() {
        let saved = binding.clone();
        let mut left = found.clone();
        let tried = left.remove(at);
        if matches(arena, tried, patterns, *first, binding)
            && match_sets(arena, left, patterns, rest, conjunction, binding)
        {
            return true;
        }
        *binding = saved;
    }
    false
}

fn operands(arena: &Arena, formula: Formula, conjunction: bool) -> Vec<Formula> {
    let mut found = Vec::new();
    let mut stack = vec![formula];
    while let Some(top) = stack.pop() {
        match arena.node(top) {
            Node::And(a, b) if conjunction => stack.extend([b, a]),
            Node::Or(a, b) if !conjunction => stack.extend([b, a]),
            _ => found.push(top),
        }
    }
    found
}

fn bind(arena: &Arena, prop: Prop, bound: Bound, binding: &mut Binding) -> bool {
    if let Some((_, other)) = binding.iter().find(|(other, _)| *other == prop) {
        return *other == bound;
    }
    if !bound.operands.iter().all(|part| arena.is_propositional(*part)) {
        return false;
    }
    binding.push((prop, bound));
    true
}
