//! Reading problems.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Condition, Domain, Scene, SceneBuilder, Sexpr, TypeId};
use crate::{Error, Result};

/// A problem: a scene and what is to hold in the end.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its name.
    pub name: String,
    /// Objects and initial facts.
    pub scene: Arc<Scene>,
    /// The goal.
    pub goal: Condition,
    /// Initial facts of things of the wrong type, such as what a sofa faces where only people face things. No
    /// variable can stand for them, so they are left out.
    pub unfitting: usize,
}

impl Problem {
    /// Reads `(define (problem …) (:domain …) (:objects …) (:init …) (:goal …))`. Facts of `:init` about numbers,
    /// `(= (total-cost) 0)`, and a `:metric` are read over.
    ///
    /// # Errors
    /// [`Error::Syntax`] with the line; [`Error::UnknownName`] and [`Error::Scene`] for names and facts that do not
    /// fit the domain.
    pub fn parse(domain: impl Into<Arc<Domain>>, text: &str) -> Result<Problem> {
        let domain = domain.into();
        let whole = Sexpr::parse(text)?;
        let sections = whole.expect_list("`(define (problem …) …)`")?;
        if sections.first().and_then(Sexpr::word) != Some("define") {
            return Err(whole.error("a problem begins with `(define (problem …)`"));
        }
        let mut name = String::new();
        let mut builder = SceneBuilder::new(Arc::clone(&domain));
        let mut kinds: BTreeMap<String, TypeId> = domain.constants.iter().cloned().collect();
        let (mut facts, mut goal) = (None, None);
        for section in &sections[1..] {
            let items = section.expect_list("a section in parentheses")?;
            let head = items
                .first()
                .ok_or_else(|| section.error("an empty section; remove it"))?
                .expect_word("the name of a section")?;
            match head {
                "problem" => name = one(section, items)?.expect_word("the problem's name")?.to_owned(),
                ":domain" => {
                    let named = one(section, items)?.expect_word("the domain's name")?;
                    if named != domain.name {
                        return Err(section.error(format!(
                            "the problem is for domain `{named}`, not for `{}`; give that domain",
                            domain.name
                        )));
                    }
                }
                ":requirements" | ":metric" => {}
                ":objects" => add_objects(&mut builder, &mut kinds, &items[1..])?,
                ":init" => facts = Some(&items[1..]),
                ":goal" => goal = Some(one(section, items)?),
                other => {
                    return Err(section.error(format!(
                        "section `{other}` is not read; known are :domain, :objects, :init, :goal"
                    )));
                }
            }
        }
        let mut unfitting = 0;
        for fact in facts.unwrap_or_default() {
            unfitting += usize::from(!add_fact(&mut builder, &kinds, fact)?);
        }
        let scene = builder.build();
        let goal = goal.ok_or_else(|| whole.error("the problem has no `:goal`; add one"))?;
        let goal = scene.condition_of(goal)?;
        Ok(Problem {
            name,
            scene,
            goal,
            unfitting,
        })
    }
}

fn one<'s>(section: &Sexpr, items: &'s [Sexpr]) -> Result<&'s Sexpr> {
    match items {
        [_, only] => Ok(only),
        _ => Err(section.error("this section takes exactly one item")),
    }
}

/// `a b - room c`: names, then their type; `object` where there is none.
fn add_objects(
    builder: &mut SceneBuilder,
    kinds: &mut BTreeMap<String, TypeId>,
    items: &[Sexpr],
) -> Result<()> {
    let mut names: Vec<&Sexpr> = Vec::new();
    let mut rest = items.iter();
    let mut declare = |names: &mut Vec<&Sexpr>, kind: &str| -> Result<()> {
        for name in names.drain(..) {
            let word = name.expect_word("an object's name")?;
            builder.object(word, kind).map_err(|error| located(name, error))?;
            kinds.extend(builder.domain().type_named(kind).map(|id| (word.to_owned(), id)));
        }
        Ok(())
    };
    while let Some(item) = rest.next() {
        if item.word() == Some("-") {
            let kind = rest
                .next()
                .ok_or_else(|| item.error("a type is missing after `-`"))?;
            declare(&mut names, kind.expect_word("a type")?)?;
        } else {
            names.push(item);
        }
    }
    declare(&mut names, "object")
}

/// False where the objects are there, but of other types.
fn add_fact(builder: &mut SceneBuilder, kinds: &BTreeMap<String, TypeId>, fact: &Sexpr) -> Result<bool> {
    let items = fact.expect_list("a fact in parentheses")?;
    let words = match items.split_first() {
        Some((head, _)) if head.word() == Some("=") => return Ok(true),
        Some(_) => items
            .iter()
            .map(|item| item.expect_word("a name"))
            .collect::<Result<Vec<&str>>>()?,
        None => return Err(fact.error("an empty fact; remove it")),
    };
    let domain = builder.domain();
    let declared = domain
        .predicate_named(words[0])
        .map(|id| &domain.predicate(id).parameters);
    if let Some(declared) = declared.filter(|declared| declared.len() + 1 == words.len()) {
        let known: Option<Vec<TypeId>> = words[1..].iter().map(|word| kinds.get(*word).copied()).collect();
        let fits = |kinds: &[TypeId]| kinds.iter().zip(declared).all(|(a, b)| domain.is_kind_of(*a, *b));
        if known.is_some_and(|kinds| !fits(&kinds)) {
            return Ok(false);
        }
    }
    builder
        .fact(words[0], &words[1..])
        .map_err(|error| located(fact, error))?;
    Ok(true)
}

/// The same error with the line, where it has none.
fn located(at: &Sexpr, error: Error) -> Error {
    match error {
        Error::Syntax { .. } => error,
        other => at.error(other.to_string()),
    }
}
