//! Missing steps by means-ends analysis: what a step still needs is brought about by steps that do that, and so on.
//!
//! After the General Problem Solver (Newell and Simon, 1961): no search over states, only over ways to make one
//! condition true, a few deep. It finds what a person would call obvious (walk there, open it, stand up, free a hand) in
//! microseconds on scenes of any size, and says nothing where several goals get in each other's way; that is what
//! [`plan`](crate::plan) is for.

use std::sync::Arc;

use crate::Result;
use crate::domain::{
    Atom, Condition, Domain, GroundAction, Obj, Outcome, PredicateId, SchemaId, State, Term,
};
use crate::tree::{Request, Sampler};

/// Finds missing steps.
#[derive(Debug, Clone)]
pub struct MeansEnds {
    domain: Arc<Domain>,
    /// For each predicate the schemas and outcomes that set it.
    setters: Vec<Vec<(SchemaId, usize)>>,
    /// How many steps deep a step may need another.
    pub depth: usize,
    /// Conditions that may be looked at before giving up, for each depth.
    pub budget: usize,
}

impl MeansEnds {
    /// For a domain, with a depth of 6 and a budget of 10,000 conditions for each depth.
    pub fn new(domain: &Arc<Domain>) -> MeansEnds {
        let mut setters = vec![Vec::new(); domain.predicates.len()];
        for (id, schema) in domain.schema_ids() {
            for (number, outcome) in schema.outcomes.iter().enumerate() {
                setters[usize::from(outcome.predicate.0)].push((id, number));
            }
        }
        MeansEnds {
            domain: Arc::clone(domain),
            setters,
            depth: 6,
            budget: 10_000,
        }
    }

    /// Steps after which a ground condition holds; [`None`] where none were found.
    pub fn achieve(&self, state: &State, condition: &Condition) -> Option<Vec<GroundAction>> {
        // Shallow first: what is near is found before depths are searched for detours.
        (1..=self.depth).find_map(|depth| {
            let mut attempt = Attempt {
                means: self,
                left: self.budget,
                pending: Vec::new(),
            };
            let (_, steps) = attempt.achieve(state, condition, depth)?;
            Some(steps)
        })
    }

    /// Steps after which a step is possible; [`None`] where none were found.
    pub fn prepare(&self, state: &State, action: &GroundAction) -> Option<Vec<GroundAction>> {
        self.achieve(state, &self.needs(action))
    }

    fn needs(&self, action: &GroundAction) -> Condition {
        let needs = &self.domain.schema(action.schema).needs;
        let ground = |need: &crate::domain::Need| need.condition.ground(action.arguments());
        Condition::And(needs.iter().map(ground).collect())
    }
}

impl Sampler for MeansEnds {
    /// One plan, goal by goal, where the goal asks for no actions on the way.
    fn sample(&mut self, request: &Request) -> Result<Vec<Vec<GroundAction>>> {
        if request.count == 0 || !request.goal.actions.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self
            .achieve(request.state, &request.goal.condition)
            .into_iter()
            .collect())
    }
}

/// The state after some steps, and the steps.
type Reached = (State, Vec<GroundAction>);

struct Attempt<'m> {
    means: &'m MeansEnds,
    left: usize,
    /// Actions being prepared; one that needs itself leads nowhere.
    pending: Vec<GroundAction>,
}

impl Attempt<'_> {
    fn achieve(&mut self, state: &State, condition: &Condition, depth: usize) -> Option<Reached> {
        self.left = self.left.checked_sub(1)?;
        if state.satisfies(condition, &[]) {
            return Some((state.clone(), Vec::new()));
        }
        if depth == 0 {
            return None;
        }
        match condition {
            Condition::And(parts) => self.all(state, parts, depth),
            Condition::Or(parts) => self.shortest(state, parts.iter().cloned(), depth),
            Condition::Atom(predicate, terms) => self.set(state, *predicate, &ground(terms)?, true, depth),
            Condition::Exists { slot, types, body } => {
                let (kind, rest) = types.split_first()?;
                let scene = Arc::clone(state.scene());
                // The first that works; looking for the best would try every object of the scene.
                scene.objects_of(*kind).iter().find_map(|object| {
                    let part = bind(body, *slot, rest, *object);
                    self.achieve(state, &part, depth)
                })
            }
            Condition::Not(inner) => self.deny(state, inner, depth),
            Condition::Equal(..) | Condition::Is(..) | Condition::AtLeast { .. } => None,
        }
    }

    /// Makes a condition false.
    fn deny(&mut self, state: &State, condition: &Condition, depth: usize) -> Option<Reached> {
        let not = |part: &Condition| part.clone().negated();
        match condition {
            Condition::And(parts) => self.shortest(state, parts.iter().map(not), depth),
            Condition::Or(parts) => {
                let parts: Vec<Condition> = parts.iter().map(not).collect();
                self.all(state, &parts, depth)
            }
            Condition::Not(inner) => self.achieve(state, inner, depth),
            Condition::Atom(predicate, terms) => self.set(state, *predicate, &ground(terms)?, false, depth),
            Condition::Exists { slot, types, body } => {
                let (kind, rest) = types.split_first()?;
                let scene = Arc::clone(state.scene());
                let witnesses = scene.objects_of(*kind).iter().filter_map(|object| {
                    let part = bind(body, *slot, rest, *object);
                    state.satisfies(&part, &[]).then(|| part.negated())
                });
                let parts: Vec<Condition> = witnesses.collect();
                self.all(state, &parts, depth)
            }
            Condition::Equal(..) | Condition::Is(..) | Condition::AtLeast { .. } => None,
        }
    }

    /// One part after the other, again while later parts undo earlier ones.
    fn all(&mut self, state: &State, parts: &[Condition], depth: usize) -> Option<Reached> {
        let mut state = state.clone();
        let mut steps = Vec::new();
        for _ in 0..=2 * parts.len() {
            let Some(open) = parts.iter().find(|part| !state.satisfies(part, &[])) else {
                return Some((state, steps));
            };
            let (next, more) = self.achieve(&state, open, depth)?;
            state = next;
            steps.extend(more);
        }
        None
    }

    /// Whatever takes the fewest levels, so that no detour is looked at where there is a short way.
    fn shortest(
        &mut self,
        state: &State,
        parts: impl Iterator<Item = Condition>,
        depth: usize,
    ) -> Option<Reached> {
        let parts: Vec<Condition> = parts.collect();
        (1..=depth).find_map(|depth| {
            let ways = parts.iter().filter_map(|part| self.achieve(state, part, depth));
            ways.min_by_key(|(_, steps)| steps.len())
        })
    }

    /// Makes a fact true or false.
    fn set(
        &mut self,
        state: &State,
        predicate: PredicateId,
        objects: &[Obj],
        value: bool,
        depth: usize,
    ) -> Option<Reached> {
        let means = self.means;
        if let Some(body) = &means.domain.predicate(predicate).derived {
            let body = body.ground(objects);
            return self.achieve(state, &if value { body } else { body.negated() }, depth);
        }
        let atom = Atom::new(predicate, objects);
        let mut ways: Vec<(GroundAction, &Outcome)> = Vec::new();
        for (schema, number) in &means.setters[usize::from(predicate.0)] {
            let outcome = &means.domain.schema(*schema).outcomes[*number];
            if outcome.value == value {
                let actions = self.actions(state, *schema, outcome, objects);
                ways.extend(actions.into_iter().map(|action| (action, outcome)));
            }
        }
        (1..=depth).find_map(|depth| {
            let mut best: Option<Reached> = None;
            for (action, outcome) in &ways {
                let Some((ready, mut steps)) = self.ready(state, action, outcome, depth) else {
                    continue;
                };
                let after = ready.apply(action);
                let shorter = best
                    .as_ref()
                    .is_none_or(|(_, other)| steps.len() + 1 < other.len());
                if shorter && after.stores(atom) == value {
                    steps.push(*action);
                    best = Some((after, steps));
                }
                // One step is as short as it gets.
                if best.as_ref().is_some_and(|(_, steps)| steps.len() == 1) {
                    break;
                }
            }
            best
        })
    }

    /// A state in which the action is possible and the outcome happens, as far as that is up to the action alone.
    fn ready(
        &mut self,
        state: &State,
        action: &GroundAction,
        outcome: &Outcome,
        depth: usize,
    ) -> Option<Reached> {
        if self.pending.contains(action) {
            return None;
        }
        let mut wanted = self.means.needs(action);
        if let (Condition::And(parts), true) = (&mut wanted, outcome.variables.is_empty()) {
            parts.push(outcome.when.ground(action.arguments()));
        }
        self.pending.push(*action);
        let reached = self.achieve(state, &wanted, depth - 1);
        self.pending.pop();
        reached
    }

    /// Actions of a schema whose outcome may set the fact. Parameters that the fact leaves open are tried with the
    /// fact's own objects, then, if it is one, with all objects that what never changes allows.
    fn actions(
        &mut self,
        state: &State,
        schema: SchemaId,
        outcome: &Outcome,
        objects: &[Obj],
    ) -> Vec<GroundAction> {
        let scene = state.scene();
        let declared = self.means.domain.schema(schema);
        let mut bound: Vec<Option<Obj>> = vec![None; declared.parameters.len()];
        for (term, object) in outcome.arguments.iter().zip(objects) {
            match term {
                Term::Slot(slot) => {
                    // Quantified variables lie behind the parameters; they bind nothing.
                    if let Some(place) = bound.get_mut(usize::from(*slot))
                        && *place.get_or_insert(*object) != *object
                    {
                        return Vec::new();
                    }
                }
                Term::Object(constant) if constant != object => return Vec::new(),
                Term::Object(_) => {}
            }
        }
        // Who acts is the same one all the time.
        for (place, kind) in bound.iter_mut().zip(&declared.parameters) {
            if let (None, [only]) = (&place, scene.objects_of(*kind)) {
                *place = Some(*only);
            }
        }
        let open: Vec<usize> = (0..bound.len()).filter(|at| bound[*at].is_none()).collect();
        let candidates: Vec<Obj> = match open[..] {
            [] => vec![Obj::default()],
            [at] if outcome.variables.is_empty() => scene.objects_of(declared.parameters[at]).to_vec(),
            [_] => objects.to_vec(),
            _ => return Vec::new(),
        };
        let mut actions = Vec::new();
        for candidate in candidates {
            let arguments: Vec<Obj> = bound.iter().map(|place| place.unwrap_or(candidate)).collect();
            let fits = arguments
                .iter()
                .zip(&declared.parameters)
                .all(|(object, kind)| scene.is(*object, *kind));
            let never = |need: &crate::domain::Need| {
                let mut changes = false;
                need.condition.for_each_predicate(&mut |predicate| {
                    changes |= self.means.domain.predicate(predicate).fluent;
                });
                !changes && !state.satisfies(&need.condition, &arguments)
            };
            if fits && !declared.needs.iter().any(never) {
                actions.push(GroundAction::new(schema, &arguments));
            }
        }
        actions
    }
}

/// The objects of ground terms.
fn ground(terms: &[Term]) -> Option<Vec<Obj>> {
    let object = |term: &Term| match term {
        Term::Object(object) => Some(*object),
        Term::Slot(_) => None,
    };
    terms.iter().map(object).collect()
}

/// The body of a quantifier with its first variable bound.
fn bind(body: &Condition, slot: u8, rest: &[crate::domain::TypeId], object: Obj) -> Condition {
    let bound = body.bound(slot, object);
    if rest.is_empty() {
        bound
    } else {
        Condition::Exists {
            slot: slot + 1,
            types: rest.to_vec(),
            body: Box::new(bound),
        }
    }
}
