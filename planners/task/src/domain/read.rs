//! Domains from text: PDDL with typing, constants, negation, disjunction, quantifiers, equality, conditional effects
//! and axioms (`:derived`), and what a robot needs besides.
//!
//! | extension | meaning |
//! |---|---|
//! | `(needs KIND condition [earlier])` in a precondition | what it means when it does not hold ([`Need`]) |
//! | `(at-least n (?x - type) condition)` | counting |
//! | `(first (?x - type) condition effect)` | an effect on the first object with the condition |
//! | `(is ?x type)` | the object is of the type |
//! | `(:action name :like other)` | the same action under another name |
//! | `:cost n`, `:cost (+ n (* m (distance ?a ?b)))` | [`Cost`] |
//! | `:duration n` | expected duration, seconds |
//! | `:confirm ((effect by word) …)` | how an effect is seen ([`Confirmation`]) |
//!
//! `:requirements`, `:functions` and numeric `increase` effects are read over.

use std::collections::BTreeMap;

use super::action::RefusalKind;
use super::atom::{MAX_ARITY, MAX_PREDICATES, Obj};
use super::model::{
    Condition, Confirmation, Cost, Domain, MAX_PARAMETERS, MAX_SLOTS, Need, Outcome, Predicate, PredicateId,
    Schema, Term, Type, TypeId,
};
use super::scene::unknown;
use super::sexpr::Sexpr;
use crate::Result;

/// Most words of quantified conditions after expansion of what is nested; a bound on work, far above any use.
const MAX_TYPES: usize = 1 << 14;

impl Domain {
    /// Reads a domain.
    ///
    /// # Errors
    /// [`Error::Syntax`](crate::Error::Syntax) with the line, [`Error::UnknownName`](crate::Error::UnknownName).
    pub fn parse(text: &str) -> Result<Domain> {
        let whole = Sexpr::parse(text)?;
        let mut domain = Domain {
            name: String::new(),
            types: vec![Type {
                name: "object".to_owned(),
                parent: TypeId(0),
            }],
            constants: Vec::new(),
            predicates: Vec::new(),
            schemas: Vec::new(),
        };
        let sections = whole.expect_list("`(define (domain …) …)`")?;
        if sections.first().and_then(Sexpr::word) != Some("define") {
            return Err(whole.error("a domain begins with `(define (domain …)`"));
        }
        // Declarations first, so that the order of sections does not matter.
        let mut later = Vec::new();
        for section in &sections[1..] {
            let items = section.expect_list("a section in parentheses")?;
            let name = match items.first() {
                Some(first) => first.expect_word("the name of a section")?,
                None => return Err(section.error("an empty section; remove it")),
            };
            match name {
                "domain" => match items.get(1) {
                    Some(name) => domain.name = name.expect_word("the domain's name")?.to_owned(),
                    None => return Err(section.error("the domain has no name")),
                },
                ":types" => read_types(&mut domain, &items[1..])?,
                ":requirements" | ":functions" => {}
                ":constants" | ":predicates" | ":derived" | ":action" => later.push((name, section, items)),
                other => {
                    return Err(section.error(format!(
                        "section `{other}` is not read; known are :types, :constants, :predicates, :derived, :action"
                    )));
                }
            }
        }
        let order = [":constants", ":predicates", ":derived", ":action"];
        for wanted in order {
            for (_, section, items) in later.iter().filter(|(name, ..)| *name == wanted) {
                match wanted {
                    ":constants" => {
                        for (name, kind) in typed(&domain, &items[1..])? {
                            domain.constants.push((name, kind));
                        }
                    }
                    ":predicates" => {
                        for declaration in &items[1..] {
                            declare_predicate(&mut domain, declaration, true)?;
                        }
                    }
                    ":derived" => {
                        let Some(head) = items.get(1) else {
                            return Err(section.error("write `(:derived (name ?x …) condition)`"));
                        };
                        declare_predicate(&mut domain, head, false)?;
                    }
                    _ => {}
                }
            }
        }
        for (_, section, items) in later.iter().filter(|(name, ..)| *name == ":derived") {
            read_derived(&mut domain, section, items)?;
        }
        for (_, section, items) in later.iter().filter(|(name, ..)| *name == ":action") {
            let schema = read_schema(&domain, section, items)?;
            if domain.schema_named(&schema.name).is_some() {
                return Err(section.error(format!("there are two actions `{}`", schema.name)));
            }
            domain.schemas.push(schema);
        }
        domain.mark_fluents();
        Ok(domain)
    }
}

/// Reads a condition without free variables over the objects of a scene.
pub(crate) fn ground_condition(
    domain: &Domain,
    objects: &BTreeMap<String, Obj>,
    expression: &Sexpr,
) -> Result<Condition> {
    Scope {
        domain,
        objects,
        variables: Vec::new(),
    }
    .condition(expression)
}

fn read_types(domain: &mut Domain, items: &[Sexpr]) -> Result<()> {
    let mut declared: Vec<(String, String)> = Vec::new();
    for (names, parent) in groups(items)? {
        for name in names {
            declared.push((name.to_owned(), parent.unwrap_or("object").to_owned()));
        }
    }
    if declared.len() > MAX_TYPES {
        return Err(items[0].error("more than 16,384 types; merge some"));
    }
    // A parent may be declared after its kinds or not at all; parents are numbered first.
    let parents: BTreeMap<String, String> = declared.iter().cloned().collect();
    let wanted = declared
        .iter()
        .flat_map(|(name, parent)| [parent.clone(), name.clone()]);
    for name in wanted {
        let mut chain = vec![name];
        while let Some(last) = chain.last() {
            if domain.type_named(last).is_some() {
                break;
            }
            if chain.len() > MAX_TYPES {
                return Err(items[0].error(format!("type `{}` is a kind of itself", chain[0])));
            }
            let parent = parents.get(last).map_or("object", String::as_str).to_owned();
            chain.push(parent);
        }
        while let Some(name) = chain.pop() {
            if domain.type_named(&name).is_none() {
                let parent = parents.get(&name).map_or("object", String::as_str);
                let parent = domain.type_named(parent).unwrap_or(TypeId(0));
                domain.types.push(Type { name, parent });
            }
        }
    }
    Ok(())
}

/// `a b - kind c` as `([a, b], kind)`, `([c], none)`.
fn groups(items: &[Sexpr]) -> Result<Vec<(Vec<&str>, Option<&str>)>> {
    let mut all = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut rest = items.iter();
    while let Some(item) = rest.next() {
        match item.expect_word("a name")? {
            "-" => {
                let Some(kind) = rest.next() else {
                    return Err(item.error("a type is missing after `-`"));
                };
                let kind = kind.expect_word("a type; `either` is not read, declare a common parent")?;
                all.push((std::mem::take(&mut names), Some(kind)));
            }
            name => names.push(name),
        }
    }
    if !names.is_empty() {
        all.push((names, None));
    }
    Ok(all)
}

/// Names with their types.
pub(crate) fn typed(domain: &Domain, items: &[Sexpr]) -> Result<Vec<(String, TypeId)>> {
    let mut all = Vec::new();
    for (names, kind) in groups(items)? {
        let kind = kind.unwrap_or("object");
        let kind = domain.type_named(kind).ok_or_else(|| unknown("type", kind))?;
        all.extend(names.into_iter().map(|name| (name.to_owned(), kind)));
    }
    Ok(all)
}

/// Variables with their types, the question marks removed.
fn variables(domain: &Domain, list: &Sexpr) -> Result<Vec<(String, TypeId)>> {
    let mut all = typed(domain, list.expect_list("a list of variables")?)?;
    for (name, _) in &mut all {
        match name.strip_prefix('?') {
            Some(rest) if !rest.is_empty() => *name = rest.to_owned(),
            _ => return Err(list.error(format!("variable `{name}` must begin with `?`"))),
        }
    }
    Ok(all)
}

fn declare_predicate(domain: &mut Domain, declaration: &Sexpr, stored: bool) -> Result<()> {
    let items = declaration.expect_list("`(name ?x - type …)`")?;
    let Some((name, _)) = items.split_first() else {
        return Err(declaration.error("a predicate has a name"));
    };
    let name = name.expect_word("a predicate's name")?.to_owned();
    let parameters = typed(domain, &items[1..])?;
    if parameters.len() > MAX_ARITY {
        return Err(declaration.error(format!(
            "`{name}` has more than {MAX_ARITY} places; split it into relations"
        )));
    }
    if domain.predicate_named(&name).is_some() {
        // An axiom may be declared among the predicates too.
        return if stored {
            Err(declaration.error(format!("there are two predicates `{name}`")))
        } else {
            Ok(())
        };
    }
    if domain.predicates.len() == MAX_PREDICATES {
        return Err(declaration.error(format!("more than {MAX_PREDICATES} predicates")));
    }
    domain.predicates.push(Predicate {
        name,
        parameters: parameters.into_iter().map(|(_, kind)| kind).collect(),
        fluent: false,
        derived: None,
    });
    Ok(())
}

fn read_derived(domain: &mut Domain, section: &Sexpr, items: &[Sexpr]) -> Result<()> {
    let [_, head, body] = items else {
        return Err(section.error("write `(:derived (name ?x …) condition)`"));
    };
    let head_items = head.expect_list("`(name ?x …)`")?;
    let name = head_items[0].expect_word("a predicate's name")?;
    let id = domain
        .predicate_named(name)
        .ok_or_else(|| unknown("predicate", name))?;
    let parameters = typed(domain, &head_items[1..])?;
    let mut scope = Scope {
        domain,
        objects: &BTreeMap::new(),
        variables: Vec::new(),
    };
    for (name, kind) in parameters {
        let name = name.trim_start_matches('?').to_owned();
        scope.variables.push((name, kind));
    }
    let body = scope.condition(body)?;
    // Several axioms for one predicate are alternatives.
    let derived = &mut domain.predicates[usize::from(id.0)].derived;
    *derived = Some(match derived.take() {
        None => body,
        Some(Condition::Or(mut parts)) => {
            parts.push(body);
            Condition::Or(parts)
        }
        Some(other) => Condition::Or(vec![other, body]),
    });
    Ok(())
}

fn read_schema(domain: &Domain, section: &Sexpr, items: &[Sexpr]) -> Result<Schema> {
    let Some(name) = items.get(1) else {
        return Err(section.error("an action has a name"));
    };
    if let [_, _, like, other] = items
        && like.word() == Some(":like")
    {
        let other = other.expect_word("an action declared before")?;
        let id = domain
            .schema_named(other)
            .ok_or_else(|| unknown("action", other))?;
        let mut schema = domain.schema(id).clone();
        schema.name = name.expect_word("an action's name")?.to_owned();
        return Ok(schema);
    }
    let mut fields: BTreeMap<&str, &Sexpr> = BTreeMap::new();
    let mut rest = items[2..].iter();
    while let Some(key) = rest.next() {
        let word = key.expect_word("a key such as `:effect`")?;
        let known = [
            ":parameters",
            ":precondition",
            ":effect",
            ":cost",
            ":duration",
            ":confirm",
        ];
        if !known.contains(&word) {
            return Err(key.error(format!("`{word}` is not read; known are {}", known.join(", "))));
        }
        let Some(value) = rest.next() else {
            return Err(key.error(format!("`{word}` has no value")));
        };
        if fields.insert(word, value).is_some() {
            return Err(key.error(format!("`{word}` is given twice")));
        }
    }
    let parameters = match fields.get(":parameters") {
        Some(list) => variables(domain, list)?,
        None => Vec::new(),
    };
    if parameters.len() > MAX_PARAMETERS {
        return Err(section.error(format!("an action has at most {MAX_PARAMETERS} parameters")));
    }
    let objects = constants(domain);
    let mut scope = Scope {
        domain,
        objects: &objects,
        variables: parameters.clone(),
    };
    let mut needs = Vec::new();
    if let Some(condition) = fields.get(":precondition") {
        scope.needs(condition, &mut needs)?;
    }
    let mut outcomes = Vec::new();
    if let Some(effect) = fields.get(":effect") {
        scope.effect(effect, parameters.len(), &mut Vec::new(), false, &mut outcomes)?;
    }
    let cost = match fields.get(":cost") {
        Some(cost) => scope.cost(cost)?,
        None => Cost::default(),
    };
    let duration_s = match fields.get(":duration") {
        Some(duration) => number(duration)?,
        None => 1.0,
    };
    let mut confirmations = Vec::new();
    if let Some(list) = fields.get(":confirm") {
        for item in list.expect_list("`((effect by word) …)`")? {
            let [effect, by, word] = item.expect_list("`(effect by word)`")? else {
                return Err(item.error("write `(effect by word)`"));
            };
            if by.word() != Some("by") {
                return Err(by.error("write `(effect by word)`"));
            }
            confirmations.push(Confirmation {
                effect: scope.condition(effect)?,
                by: word.expect_word("an observation")?.to_owned(),
            });
        }
    }
    let (parameter_names, parameters) = parameters.into_iter().unzip();
    Ok(Schema {
        name: name.expect_word("an action's name")?.to_owned(),
        parameters,
        parameter_names,
        needs,
        outcomes,
        cost,
        duration_s,
        confirmations,
    })
}

fn constants(domain: &Domain) -> BTreeMap<String, Obj> {
    let named = domain.constants.iter().enumerate();
    named
        .map(|(number, (name, _))| (name.clone(), Obj(number as u32)))
        .collect()
}

fn number(expression: &Sexpr) -> Result<f64> {
    let word = expression.expect_word("a number")?;
    match word.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err(expression.error(format!("`{word}` is not a number from 0 on"))),
    }
}

/// Names in sight while a condition is read.
struct Scope<'a> {
    domain: &'a Domain,
    objects: &'a BTreeMap<String, Obj>,
    /// Variables by slot.
    variables: Vec<(String, TypeId)>,
}

impl Scope<'_> {
    fn term(&self, expression: &Sexpr) -> Result<Term> {
        let word = expression.expect_word("a variable or an object")?;
        if let Some(name) = word.strip_prefix('?') {
            // Inner variables hide outer ones of the same name.
            let slot = self.variables.iter().rposition(|(other, _)| other == name);
            return slot
                .map(|slot| Term::Slot(slot as u8))
                .ok_or_else(|| expression.error(format!("variable `{word}` is not bound here")));
        }
        self.objects
            .get(word)
            .map(|object| Term::Object(*object))
            .ok_or_else(|| unknown("object", word))
    }

    fn atom(&self, expression: &Sexpr, items: &[Sexpr]) -> Result<(PredicateId, Vec<Term>)> {
        let name = items[0].expect_word("a predicate")?;
        let id = self
            .domain
            .predicate_named(name)
            .ok_or_else(|| unknown("predicate", name))?;
        let terms = items[1..]
            .iter()
            .map(|item| self.term(item))
            .collect::<Result<Vec<Term>>>()?;
        let expected = self.domain.predicate(id).parameters.len();
        if terms.len() != expected {
            return Err(expression.error(format!(
                "`{name}` has {expected} places, {} are given",
                terms.len()
            )));
        }
        Ok((id, terms))
    }

    /// Brings variables into sight, reads with them, and takes them out of sight.
    fn with<T>(
        &mut self,
        list: &Sexpr,
        read: impl FnOnce(&mut Self, u8, Vec<TypeId>) -> Result<T>,
    ) -> Result<T> {
        let added = variables(self.domain, list)?;
        let slot = self.variables.len();
        if slot + added.len() > MAX_SLOTS {
            return Err(list.error(format!(
                "more than {MAX_SLOTS} variables are bound at once; split the condition with `:derived`"
            )));
        }
        let types = added.iter().map(|(_, kind)| *kind).collect();
        self.variables.extend(added);
        let answer = read(self, slot as u8, types);
        self.variables.truncate(slot);
        answer
    }

    fn condition(&mut self, expression: &Sexpr) -> Result<Condition> {
        let items = expression.expect_list("a condition")?;
        // PDDL writes the condition that always holds as `()`.
        let Some(first) = items.first() else {
            return Ok(Condition::TRUE);
        };
        let wrong = |usage: &str| expression.error(format!("write `{usage}`"));
        match first.expect_word("a condition")? {
            "and" => Ok(Condition::and(self.conditions(&items[1..])?)),
            "or" => Ok(Condition::Or(self.conditions(&items[1..])?)),
            "not" => match &items[1..] {
                [inner] => Ok(self.condition(inner)?.negated()),
                _ => Err(wrong("(not condition)")),
            },
            "imply" => match &items[1..] {
                [if_, then] => Ok(Condition::Or(vec![
                    self.condition(if_)?.negated(),
                    self.condition(then)?,
                ])),
                _ => Err(wrong("(imply condition condition)")),
            },
            "=" => match &items[1..] {
                [a, b] => Ok(Condition::Equal(self.term(a)?, self.term(b)?)),
                _ => Err(wrong("(= a b)")),
            },
            "is" => match &items[1..] {
                [a, kind] => {
                    let kind = kind.expect_word("a type")?;
                    let id = self.domain.type_named(kind);
                    Ok(Condition::Is(
                        self.term(a)?,
                        id.ok_or_else(|| unknown("type", kind))?,
                    ))
                }
                _ => Err(wrong("(is ?x type)")),
            },
            word @ ("exists" | "forall") => match &items[1..] {
                [list, body] => self.with(list, |scope, slot, types| {
                    let body = scope.condition(body)?;
                    if word == "exists" {
                        return Ok(Condition::Exists {
                            slot,
                            types,
                            body: Box::new(body),
                        });
                    }
                    Ok(Condition::Not(Box::new(Condition::Exists {
                        slot,
                        types,
                        body: Box::new(body.negated()),
                    })))
                }),
                _ => Err(wrong("(exists (?x - type) condition)")),
            },
            "at-least" => match &items[1..] {
                [count, list, body] => {
                    let count = number(count)? as u32;
                    self.with(list, |scope, slot, types| match types[..] {
                        [of] => Ok(Condition::AtLeast {
                            count,
                            slot,
                            of,
                            body: Box::new(scope.condition(body)?),
                        }),
                        _ => Err(wrong("(at-least n (?x - type) condition)")),
                    })
                }
                _ => Err(wrong("(at-least n (?x - type) condition)")),
            },
            _ => {
                let (predicate, terms) = self.atom(expression, items)?;
                Ok(Condition::Atom(predicate, terms))
            }
        }
    }

    fn conditions(&mut self, items: &[Sexpr]) -> Result<Vec<Condition>> {
        items.iter().map(|item| self.condition(item)).collect()
    }

    /// The conjuncts of a precondition.
    fn needs(&mut self, expression: &Sexpr, all: &mut Vec<Need>) -> Result<()> {
        let items = expression.expect_list("a condition")?;
        match items.first().and_then(Sexpr::word) {
            None => {}
            Some("and") => {
                for item in &items[1..] {
                    self.needs(item, all)?;
                }
            }
            Some("needs") => {
                let (kind, condition, earlier) = match &items[1..] {
                    [kind, condition] => (kind, condition, None),
                    [kind, condition, earlier] => (kind, condition, Some(earlier)),
                    _ => return Err(expression.error("write `(needs kind condition [earlier])`")),
                };
                let word = kind.expect_word("a kind of refusal")?;
                let Some((_, kind)) = RefusalKind::NAMES.iter().find(|(name, _)| *name == word) else {
                    let names = RefusalKind::NAMES.map(|(name, _)| name).join(", ");
                    return Err(kind.error(format!("`{word}` is no kind of refusal; use {names}")));
                };
                all.push(Need {
                    condition: self.condition(condition)?,
                    kind: *kind,
                    earlier: earlier.map(|earlier| self.condition(earlier)).transpose()?,
                });
            }
            Some(_) => all.push(Need {
                condition: self.condition(expression)?,
                kind: RefusalKind::Missing,
                earlier: None,
            }),
        }
        Ok(())
    }

    /// Flattens an effect. `when` holds the conditions around it, `parameters` is the number of slots that are bound
    /// before any quantifier.
    fn effect(
        &mut self,
        expression: &Sexpr,
        parameters: usize,
        when: &mut Vec<Condition>,
        first_only: bool,
        all: &mut Vec<Outcome>,
    ) -> Result<()> {
        let items = expression.expect_list("an effect")?;
        let Some(first) = items.first() else { return Ok(()) };
        let mut set = |scope: &Self, fact: &Sexpr, value: bool| {
            let (predicate, arguments) = scope.atom(fact, fact.expect_list("a fact")?)?;
            if scope.domain.predicate(predicate).derived.is_some() {
                return Err(fact.error("a derived fact cannot be set; set what it follows from"));
            }
            all.push(Outcome {
                variables: scope.variables[parameters..]
                    .iter()
                    .map(|(_, kind)| *kind)
                    .collect(),
                when: Condition::and(when.clone()),
                predicate,
                arguments,
                value,
                first_only,
            });
            Ok(())
        };
        match first.expect_word("an effect")? {
            "and" => {
                for item in &items[1..] {
                    self.effect(item, parameters, when, first_only, all)?;
                }
                Ok(())
            }
            "not" => match &items[1..] {
                [fact] => set(self, fact, false),
                _ => Err(expression.error("write `(not fact)`")),
            },
            "when" => match &items[1..] {
                [condition, effect] => {
                    let condition = self.condition(condition)?;
                    when.push(condition);
                    let answer = self.effect(effect, parameters, when, first_only, all);
                    when.pop();
                    answer
                }
                _ => Err(expression.error("write `(when condition effect)`")),
            },
            "forall" if first_only => Err(expression.error("`first` cannot contain `forall`; swap them")),
            "forall" => match &items[1..] {
                [list, effect] => self.with(list, |scope, _, _| {
                    scope.effect(effect, parameters, when, first_only, all)
                }),
                _ => Err(expression.error("write `(forall (?x - type) effect)`")),
            },
            "first" => match &items[1..] {
                [list, condition, effect] => self.with(list, |scope, _, types| {
                    if types.len() != 1 {
                        return Err(list.error("`first` binds one variable"));
                    }
                    let condition = scope.condition(condition)?;
                    when.push(condition);
                    let answer = scope.effect(effect, parameters, when, true, all);
                    when.pop();
                    answer
                }),
                _ => Err(expression.error("write `(first (?x - type) condition effect)`")),
            },
            // Costs are read from `:cost`.
            "increase" => Ok(()),
            _ => set(self, expression, true),
        }
    }

    fn cost(&self, expression: &Sexpr) -> Result<Cost> {
        let usage = "write a number or `(+ n (* m (distance ?a ?b)))`";
        let Some(items) = expression.list() else {
            return Ok(Cost {
                fixed: number(expression)?,
                ..Cost::default()
            });
        };
        let [plus, fixed, travel] = items else {
            return Err(expression.error(usage));
        };
        let [times, per_metre, distance] = travel.expect_list(usage)? else {
            return Err(travel.error(usage));
        };
        let [word, a, b] = distance.expect_list(usage)? else {
            return Err(distance.error(usage));
        };
        if (plus.word(), times.word(), word.word()) != (Some("+"), Some("*"), Some("distance")) {
            return Err(expression.error(usage));
        }
        Ok(Cost {
            fixed: number(fixed)?,
            per_metre: number(per_metre)?,
            between: Some((self.term(a)?, self.term(b)?)),
        })
    }
}
