//! From a scene to a small graph of gates: only what the goal and the rules ask for is grounded.
//!
//! Actions are tried on a few objects in focus: those that the goal and the rules name, and those that turn out
//! to be needed (the shut cupboard around a cup, a place to put down what is held). Everything else in the scene
//! takes part only as far as such actions affect facts that matter. What is left out can make a plan dearer or
//! hide it, never make it wrong; a wider focus is tried where a narrow one finds nothing, up to the whole scene.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use steward_ltl::{Prop, Rule, Verdict};

use super::gates::{Cost, FALSE, GateId, Gates, Meaning, Prices, Sum, TRUE, UNREACHABLE, set_bit};
use super::possible::{Possible, arguments, ground, object};
use crate::domain::{
    Atom, Condition, Domain, Frame, GroundAction, MAX_ARITY, MAX_SLOTS, Obj, Outcome, PredicateId, Scene,
    SchemaId, State, Term,
};
use crate::{Error, Result};

/// What a proposition of a rule, or a part of a goal, means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// A ground condition on the state.
    Holds(Condition),
    /// An action that is being done; arguments that are [`None`] may be anything.
    Done(SchemaId, Vec<Option<Obj>>),
}

impl Label {
    pub(crate) fn matches(&self, action: &GroundAction) -> bool {
        match self {
            Label::Holds(_) => false,
            Label::Done(schema, objects) => {
                *schema == action.schema
                    && objects
                        .iter()
                        .zip(action.arguments())
                        .all(|(wanted, object)| wanted.is_none_or(|wanted| wanted == *object))
            }
        }
    }
}

/// How much of the scene is considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Other objects only where nothing in focus will do, and then a few.
    Narrow,
    /// A few others besides, and what prevents that something is undone.
    Wide,
    /// Every object.
    Whole,
}

/// How many objects are proposed where any would do.
const PROPOSALS: usize = 4;

/// Most ground actions, and most gates, of one task; as many of both together in the rounds in which its focus grows.
const MAX_ACTIONS: usize = 100_000;
const MAX_GATES: usize = 1_000_000;
/// Longest chain of derived facts: things in things in things.
const MAX_UNFOLDING: usize = 3;
/// Most rounds in which the focus grows.
const MAX_ROUNDS: usize = 32;

/// An effect on a fact that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) when: GateId,
    pub(crate) fact: u32,
    pub(crate) value: bool,
}

/// A ground action.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) action: GroundAction,
    pub(crate) cost: Cost,
    pub(crate) precondition: GateId,
    /// What is made false first, then what is made true.
    pub(crate) effects: Vec<Effect>,
    /// Which labels are said of this action: places in [`Task::labels`].
    pub(crate) said: Vec<u32>,
    act: GateId,
}

/// A proposition and how to tell whether it holds.
#[derive(Debug, Clone)]
pub(crate) struct TaskLabel {
    pub(crate) prop: Prop,
    /// The condition; [`FALSE`] for actions.
    pub(crate) holds: GateId,
}

/// A ground task, as far as it matters.
pub(crate) struct Task {
    pub(crate) gates: Gates,
    pub(crate) start: Vec<u64>,
    pub(crate) operators: Vec<Operator>,
    /// The goal's condition, exact.
    pub(crate) goal: GateId,
    /// The goal, the actions asked for and every rule, relaxed.
    pub(crate) target: GateId,
    pub(crate) labels: Vec<TaskLabel>,
    pub(crate) rules: Vec<Arc<Rule>>,
    /// Per rule and state of its automaton, the gate for being there.
    pub(crate) rule_states: Vec<Vec<GateId>>,
    /// The gate for having done so many of the actions that are asked for.
    pub(crate) progress: Vec<GateId>,
    /// Per operator, which of the actions that are asked for it is, as bits.
    pub(crate) asked: Vec<u64>,
    /// Whether nothing was left out, so that no plan here means no plan at all.
    pub(crate) complete: bool,
}

/// What a task is made from.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) goal: &'a Condition,
    /// Actions to be done in this order, each with its alternatives; at most 63.
    pub(crate) actions: &'a [Vec<Label>],
    pub(crate) rules: &'a [Arc<Rule>],
    /// Meanings of the rules' propositions.
    pub(crate) labels: &'a [(Prop, Label)],
}

/// Grounds what matters.
pub(crate) fn lift(request: &Request<'_>, width: Width) -> Result<Task> {
    let scene = request.state.scene();
    let mut focus: BTreeSet<Obj> = BTreeSet::new();
    if width == Width::Whole {
        focus.extend((0..scene.objects().len() as u32).map(Obj));
    } else {
        for kind in 0..scene.domain().types.len() {
            if let [only] = scene.objects_of(crate::domain::TypeId(kind as u16)) {
                focus.insert(*only);
            }
        }
        name_objects(request.goal, &mut focus);
        for label in request
            .actions
            .iter()
            .flatten()
            .chain(request.labels.iter().map(|(_, l)| l))
        {
            match label {
                Label::Holds(condition) => name_objects(condition, &mut focus),
                Label::Done(_, objects) => focus.extend(objects.iter().flatten()),
            }
        }
    }
    // What only seems to be in reach, because it is needed to bring itself about, is known once the task is priced.
    let mut hopeless = BTreeSet::new();
    let mut spent = 0;
    for _ in 0..MAX_ROUNDS {
        let mut lifter = Lifter::new(request, width, &focus, &hopeless)?;
        let task = lifter.build(request)?;
        let wanted = std::mem::take(&mut lifter.wanted);
        let unreached = if wanted.is_empty() && width != Width::Whole {
            task.unreached(&lifter.facts)
        } else {
            BTreeSet::new()
        };
        spent += lifter.actions.len() + task.gates.len();
        let settled = wanted.is_empty() && (unreached.is_empty() || unreached == hopeless);
        if settled || spent > MAX_GATES {
            return Ok(task);
        }
        focus.extend(wanted);
        hopeless = unreached;
    }
    Err(Error::Exhausted(spent))
}

fn name_objects(condition: &Condition, into: &mut BTreeSet<Obj>) {
    each_term(condition, &mut |term| {
        if let Term::Object(object) = term {
            into.insert(*object);
        }
    });
}

/// The first slot after all that a condition leaves free, and whether steps can change its truth.
fn free_slots(condition: &Condition, domain: &Domain) -> (u8, bool) {
    let slot = |term: &Term| match term {
        Term::Slot(slot) => slot + 1,
        Term::Object(_) => 0,
    };
    match condition {
        Condition::Atom(predicate, terms) => (
            terms.iter().map(slot).max().unwrap_or(0),
            domain.predicate(*predicate).fluent,
        ),
        Condition::Equal(a, b) => (slot(a).max(slot(b)), false),
        Condition::Is(a, _) => (slot(a), false),
        Condition::Not(inner) => free_slots(inner, domain),
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter().fold((0, false), |(most, fluent), part| {
                let (slots, changes) = free_slots(part, domain);
                (most.max(slots), fluent | changes)
            })
        }
        // Slots of quantified variables come after the parameters, so this only looks later than it must.
        Condition::Exists { body, .. } | Condition::AtLeast { body, .. } => free_slots(body, domain),
    }
}

/// Conditions of a schema that no step changes, by the number of parameters they need.
struct Fixed<'d> {
    conditions: Vec<Vec<&'d Condition>>,
}

impl<'d> Fixed<'d> {
    fn of(domain: &'d Domain, schema: SchemaId) -> Fixed<'d> {
        let schema = domain.schema(schema);
        let parameters = schema.parameters.len();
        let mut conditions = vec![Vec::new(); parameters + 1];
        for part in schema.needs.iter().flat_map(|need| need.condition.conjuncts()) {
            let (slots, fluent) = free_slots(part, domain);
            if !fluent {
                conditions[usize::from(slots).min(parameters)].push(part);
            }
        }
        Fixed { conditions }
    }
}

/// Where an action may set a fact: predicate and fixed arguments, with a mask of the fixed places.
type Pattern = (Atom, u8, bool);

/// Outcomes of actions that do the same under the same conditions.
struct Group {
    example: GroundAction,
    outcome: u16,
    actions: Vec<u32>,
}

struct Lifter<'a> {
    scene: &'a Arc<Scene>,
    domain: &'a Domain,
    state: &'a State,
    width: Width,
    focus: &'a BTreeSet<Obj>,
    /// Facts, and absences of facts, that nothing in focus leads to.
    hopeless: &'a BTreeSet<(Atom, bool)>,
    possible: Possible<'a>,
    actions: Vec<GroundAction>,
    groups: Vec<Group>,
    patterns: HashMap<Pattern, Vec<u32>>,
    /// Groups of each action.
    groups_of: Vec<Vec<u32>>,
    effect_conditions: HashMap<(u32, Atom, bool), GateId>,
    gates: Gates,
    facts: Vec<Atom>,
    fact_number: HashMap<Atom, u32>,
    /// Both literals of each fact: false, true.
    literals: Vec<[GateId; 2]>,
    derived: HashMap<(Atom, bool), GateId>,
    unfolding: Vec<(Atom, bool)>,
    /// Whether an unfolding was cut short below the present one.
    cut: bool,
    /// Whether a chain was left out.
    shortened: bool,
    demanded: Vec<bool>,
    demands: Vec<GateId>,
    included: HashMap<u32, u32>,
    operators: Vec<Operator>,
    facts_of: HashMap<PredicateId, Vec<u32>>,
    linked_facts: usize,
    wanted: BTreeSet<Obj>,
    fixed: Vec<Fixed<'a>>,
}

impl<'a> Lifter<'a> {
    fn new(
        request: &Request<'a>,
        width: Width,
        focus: &'a BTreeSet<Obj>,
        hopeless: &'a BTreeSet<(Atom, bool)>,
    ) -> Result<Lifter<'a>> {
        let state = request.state;
        let scene = state.scene();
        let domain: &Domain = scene.domain();
        let fixed = domain.schema_ids().map(|(id, _)| Fixed::of(domain, id)).collect();
        let mut lifter = Lifter {
            scene,
            domain,
            state,
            width,
            focus,
            hopeless,
            possible: Possible::new(state),
            actions: Vec::new(),
            groups: Vec::new(),
            patterns: HashMap::new(),
            groups_of: Vec::new(),
            effect_conditions: HashMap::new(),
            gates: Gates::new(),
            facts: Vec::new(),
            fact_number: HashMap::new(),
            literals: Vec::new(),
            derived: HashMap::new(),
            unfolding: Vec::new(),
            cut: false,
            shortened: false,
            demanded: Vec::new(),
            demands: Vec::new(),
            included: HashMap::new(),
            operators: Vec::new(),
            facts_of: HashMap::new(),
            linked_facts: 0,
            wanted: BTreeSet::new(),
            fixed,
        };
        lifter.instantiate()?;
        lifter.find_possible();
        lifter.group_outcomes();
        Ok(lifter)
    }

    /// All actions on objects in focus whose unchanging needs hold.
    fn instantiate(&mut self) -> Result<()> {
        for (id, schema) in self.domain.schema_ids() {
            let choices: Vec<Vec<Obj>> = schema
                .parameters
                .iter()
                .map(|kind| {
                    let all = self.scene.objects_of(*kind);
                    if all.len() == 1 {
                        return all.to_vec();
                    }
                    self.focus
                        .iter()
                        .copied()
                        .filter(|object| self.scene.is(*object, *kind))
                        .collect()
                })
                .collect();
            let mut chosen = Vec::with_capacity(choices.len());
            let mut found = Vec::new();
            self.extend_choice(id, &choices, &mut chosen, &mut found, usize::MAX);
            self.actions.extend(found);
            if self.actions.len() > MAX_ACTIONS {
                return Err(Error::Exhausted(MAX_ACTIONS));
            }
        }
        Ok(())
    }

    fn extend_choice(
        &self,
        schema: SchemaId,
        choices: &[Vec<Obj>],
        chosen: &mut Vec<Obj>,
        found: &mut Vec<GroundAction>,
        most: usize,
    ) {
        let at = chosen.len();
        let fixed = &self.fixed[usize::from(schema.0)].conditions[at];
        if !fixed
            .iter()
            .all(|condition| self.state.satisfies(condition, chosen))
        {
            return;
        }
        let Some(objects) = choices.get(at) else {
            found.push(GroundAction::new(schema, chosen));
            return;
        };
        for object in objects {
            if found.len() >= most || found.len() > MAX_ACTIONS {
                return;
            }
            chosen.push(*object);
            self.extend_choice(schema, choices, chosen, found, most);
            chosen.pop();
        }
    }

    /// Collects the facts that the actions may add, until there are no more.
    fn find_possible(&mut self) {
        loop {
            let mut grew = false;
            for at in 0..self.actions.len() {
                let action = self.actions[at];
                let schema = self.domain.schema(action.schema);
                let mut frame = frame_of(action.arguments());
                let first = schema.parameters.len() as u8;
                for outcome in schema.outcomes.iter().filter(|outcome| outcome.value) {
                    if outcome.variables.is_empty() {
                        let atom = ground(outcome.predicate, &outcome.arguments, &frame);
                        if !self.possible.is_added(atom) && self.possible.may(&outcome.when, &mut frame, true)
                        {
                            grew |= self.possible.add(atom);
                        }
                        continue;
                    }
                    for objects in
                        self.possible
                            .assignments(&outcome.when, first, &outcome.variables, &mut frame)
                    {
                        frame[usize::from(first)..usize::from(first) + objects.len()]
                            .copy_from_slice(&objects);
                        grew |= self
                            .possible
                            .add(ground(outcome.predicate, &outcome.arguments, &frame));
                    }
                }
            }
            if !grew {
                return;
            }
        }
    }

    /// Puts outcomes that are alike together: of one schema, with the same objects in all places that matter.
    fn group_outcomes(&mut self) {
        let used: Vec<Vec<u16>> = self
            .domain
            .schemas
            .iter()
            .map(|schema| schema.outcomes.iter().map(slots_of_outcome).collect())
            .collect();
        let mut known: HashMap<(SchemaId, u16, Vec<Obj>), u32> = HashMap::new();
        for (at, action) in self.actions.iter().enumerate() {
            let schema = self.domain.schema(action.schema);
            let mut all = Vec::with_capacity(schema.outcomes.len());
            for (number, outcome) in schema.outcomes.iter().enumerate() {
                let mask = used[usize::from(action.schema.0)][number];
                let key: Vec<Obj> = action
                    .arguments()
                    .iter()
                    .enumerate()
                    .map(|(place, object)| {
                        if mask >> place & 1 == 1 {
                            *object
                        } else {
                            Obj(u32::MAX)
                        }
                    })
                    .collect();
                let fresh = self.groups.len() as u32;
                let group = *known.entry((action.schema, number as u16, key)).or_insert(fresh);
                if group == fresh {
                    self.groups.push(Group {
                        example: *action,
                        outcome: number as u16,
                        actions: Vec::new(),
                    });
                    self.patterns
                        .entry(pattern_of(outcome, action))
                        .or_default()
                        .push(group);
                }
                self.groups[group as usize].actions.push(at as u32);
                all.push(group);
            }
            self.groups_of.push(all);
        }
    }

    /// Groups of outcomes that may set a fact to a value.
    fn setting(&self, atom: Atom, value: bool) -> Vec<u32> {
        let arity = self.domain.predicate(atom.predicate()).parameters.len();
        let mut all = Vec::new();
        for mask in 0..1u8 << arity {
            if let Some(found) = self.patterns.get(&(masked(atom, mask, arity), mask, value)) {
                all.extend(found.iter().filter(|group| self.may_set(**group, atom)));
            }
        }
        all.sort_unstable();
        all
    }

    fn can_be_set(&self, atom: Atom, value: bool) -> bool {
        if value {
            return self.possible.is_added(atom);
        }
        let arity = self.domain.predicate(atom.predicate()).parameters.len();
        (0..1u8 << arity).any(|mask| {
            self.patterns
                .get(&(masked(atom, mask, arity), mask, false))
                .is_some_and(|found| found.iter().any(|group| self.may_set(*group, atom)))
        })
    }

    fn outcome(&self, group: u32) -> (&'a Outcome, Frame, usize) {
        let group = &self.groups[group as usize];
        let schema = self.domain.schema(group.example.schema);
        let outcome = &schema.outcomes[usize::from(group.outcome)];
        (
            outcome,
            frame_of(group.example.arguments()),
            schema.parameters.len(),
        )
    }

    /// Binds the variables of an outcome so that it sets a fact; which of them that leaves open, or [`None`] if it
    /// cannot.
    fn bind(&self, outcome: &Outcome, first: usize, atom: Atom, frame: &mut Frame) -> Option<Vec<bool>> {
        let mut bound = vec![false; outcome.variables.len()];
        for (place, term) in outcome.arguments.iter().enumerate() {
            let here = atom.object(place);
            match term {
                Term::Slot(slot) if usize::from(*slot) >= first => {
                    let variable = usize::from(*slot) - first;
                    if !self.scene.is(here, outcome.variables[variable])
                        || bound[variable] && frame[usize::from(*slot)] != here
                    {
                        return None;
                    }
                    bound[variable] = true;
                    frame[usize::from(*slot)] = here;
                }
                term => {
                    if object(*term, frame) != here {
                        return None;
                    }
                }
            }
        }
        Some(bound)
    }

    /// Whether outcomes of a group may set a fact that matches their pattern.
    fn may_set(&self, group: u32, atom: Atom) -> bool {
        let (outcome, mut frame, first) = self.outcome(group);
        match self.bind(outcome, first, atom, &mut frame) {
            None => false,
            Some(bound) if bound.iter().all(|bound| *bound) => {
                self.possible.may(&outcome.when, &mut frame, true)
            }
            Some(_) => true,
        }
    }

    fn fact(&mut self, atom: Atom) -> u32 {
        if let Some(number) = self.fact_number.get(&atom) {
            return *number;
        }
        let number = self.facts.len() as u32;
        self.facts.push(atom);
        self.fact_number.insert(atom, number);
        let literals = [false, true].map(|value| self.gates.literal(number, value));
        self.literals.push(literals);
        self.facts_of.entry(atom.predicate()).or_default().push(number);
        number
    }

    /// The gate for a fact, stored or derived, or for its absence.
    fn atom(&mut self, atom: Atom, positive: bool) -> GateId {
        let predicate = self.domain.predicate(atom.predicate());
        if !predicate.fluent {
            return if self.state.holds(atom) == positive {
                TRUE
            } else {
                FALSE
            };
        }
        let Some(body) = &predicate.derived else {
            let now = self.state.stores(atom);
            // With a narrow focus, what cannot be set is kept all the same: objects will be proposed for it.
            let settled = now == positive || self.width == Width::Whole;
            if settled && !self.can_be_set(atom, !now) {
                return truth(now == positive);
            }
            let number = self.fact(atom);
            return self.literals[number as usize][usize::from(positive)];
        };
        if let Some(gate) = self.derived.get(&(atom, positive)) {
            return *gate;
        }
        // A derived fact is never its own reason: below itself it counts as not holding. So do chains that are longer
        // than those of real homes, since their number grows with the factorial of what can be moved.
        let repeated = self.unfolding.contains(&(atom, positive));
        if repeated || self.unfolding.len() >= MAX_UNFOLDING {
            self.cut = true;
            self.shortened |= !repeated;
            return if positive { FALSE } else { TRUE };
        }
        let cut_before = std::mem::replace(&mut self.cut, false);
        self.unfolding.push((atom, positive));
        let gate = self.condition(body, &mut arguments(atom), positive);
        self.unfolding.pop();
        if !self.cut || self.unfolding.is_empty() {
            self.derived.insert((atom, positive), gate);
        }
        self.cut = (self.cut || cut_before) && !self.unfolding.is_empty();
        gate
    }

    /// The gate for a condition, or for its negation.
    fn condition(&mut self, condition: &Condition, frame: &mut Frame, positive: bool) -> GateId {
        match condition {
            Condition::Atom(predicate, terms) => self.atom(ground(*predicate, terms, frame), positive),
            Condition::Equal(a, b) => truth((object(*a, frame) == object(*b, frame)) == positive),
            Condition::Is(a, kind) => truth(self.scene.is(object(*a, frame), *kind) == positive),
            Condition::Not(inner) => self.condition(inner, frame, !positive),
            Condition::And(parts) | Condition::Or(parts) => {
                let all = matches!(condition, Condition::And(_)) == positive;
                let decided = if all { FALSE } else { TRUE };
                let mut inputs = Vec::with_capacity(parts.len());
                for part in parts {
                    let gate = self.condition(part, frame, positive);
                    if gate == decided {
                        return decided;
                    }
                    inputs.push(gate);
                }
                self.gates.condition(if all { inputs.len() } else { 1 }, inputs)
            }
            Condition::Exists { slot, types, body } => {
                let inputs = self.instances(body, *slot, types, frame, positive);
                if positive && (inputs.is_empty() || self.width == Width::Wide) {
                    self.propose_for(body, *slot, types, frame);
                }
                self.gates
                    .condition(if positive { 1 } else { inputs.len() }, inputs)
            }
            Condition::AtLeast {
                count,
                slot,
                of,
                body,
            } => {
                let inputs = self.instances(body, *slot, &[*of], frame, positive);
                let count = *count as usize;
                match (positive, (inputs.len() + 1).checked_sub(count)) {
                    (true, _) => self.gates.condition(count, inputs),
                    (false, None) => TRUE,
                    (false, Some(need)) if need > inputs.len() => FALSE,
                    (false, Some(need)) => self.gates.condition(need, inputs),
                }
            }
        }
    }

    fn instances(
        &mut self,
        body: &Condition,
        slot: u8,
        types: &[crate::domain::TypeId],
        frame: &mut Frame,
        positive: bool,
    ) -> Vec<GateId> {
        let all = self.possible.assignments(body, slot, types, frame);
        // A condition around a quantified effect may use the same slots, so they are put back.
        let kept = *frame;
        let mut inputs = Vec::with_capacity(all.len());
        for objects in all {
            frame[usize::from(slot)..usize::from(slot) + objects.len()].copy_from_slice(&objects);
            inputs.push(self.condition(body, frame, positive));
        }
        *frame = kept;
        inputs
    }

    /// Names a few objects that might come to fulfil a condition.
    fn propose_for(&mut self, body: &Condition, slot: u8, types: &[crate::domain::TypeId], frame: &Frame) {
        if self.width == Width::Whole {
            return;
        }
        for (at, kind) in types.iter().enumerate() {
            let slot = slot + at as u8;
            let speaks_of_it: Vec<&Condition> = body
                .conjuncts()
                .iter()
                .filter(|part| {
                    self.possible
                        .listed(part, true, slot, (slot, slot + 1), frame)
                        .is_some()
                })
                .collect();
            let mut bound = *frame;
            let mut objects = Vec::new();
            for object in self.scene.objects_of(*kind) {
                bound[usize::from(slot)] = *object;
                if speaks_of_it.iter().all(|part| self.may_become(part, &mut bound)) {
                    objects.push(*object);
                }
                if objects.len() >= PROPOSALS {
                    break;
                }
            }
            self.want(objects);
        }
    }

    /// Whether some action, with any objects, might make a condition hold.
    fn may_become(&self, condition: &Condition, frame: &mut Frame) -> bool {
        let Condition::Atom(predicate, terms) = condition else {
            return free_slots(condition, self.domain).1 || self.possible.may(condition, frame, true);
        };
        let atom = ground(*predicate, terms, frame);
        let declared = self.domain.predicate(*predicate);
        if !declared.fluent || declared.derived.is_some() {
            return self.possible.may(condition, frame, true);
        }
        self.state.stores(atom)
            || self.ways(atom, true).iter().any(|(schema, bound)| {
                let objects: Vec<Obj> = bound.iter().map_while(|object| *object).collect();
                self.fixed[usize::from(schema.0)].conditions[..=objects.len()]
                    .iter()
                    .flatten()
                    .all(|fixed| self.state.satisfies(fixed, &objects))
            })
    }

    fn want(&mut self, objects: impl IntoIterator<Item = Obj>) {
        let outside = objects.into_iter().filter(|object| !self.focus.contains(object));
        self.wanted.extend(outside);
    }

    /// Marks a gate, and what it needs, as worth reaching.
    fn demand(&mut self, gate: GateId) {
        self.demanded
            .resize(self.gates.len().max(self.demanded.len()), false);
        let mut stack = vec![gate];
        while let Some(gate) = stack.pop() {
            if std::mem::replace(&mut self.demanded[gate as usize], true) {
                continue;
            }
            if matches!(self.gates.meaning(gate), Meaning::Literal(..)) {
                self.demands.push(gate);
                continue;
            }
            let need = self.gates.need(gate) as usize;
            let inputs = self.gates.inputs(gate);
            if self.width == Width::Whole || need >= inputs.len() {
                stack.extend(inputs.iter().rev());
                continue;
            }
            let (within, beyond): (Vec<GateId>, Vec<GateId>) =
                inputs.iter().partition(|input| self.is_supported(**input));
            let lacking = need.saturating_sub(within.len());
            let proposed = if lacking == 0 { 0 } else { lacking.max(PROPOSALS) };
            stack.extend(beyond.iter().take(proposed).rev());
            stack.extend(within.iter().rev());
        }
    }

    /// Whether a condition holds, or can perhaps be reached with what is in focus.
    fn is_supported(&self, gate: GateId) -> bool {
        match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => {
                let atom = self.facts[fact as usize];
                self.state.stores(atom) == value
                    || self.can_be_set(atom, value) && !self.hopeless.contains(&(atom, value))
            }
            _ => {
                let need = self.gates.need(gate) as usize;
                let inputs = self.gates.inputs(gate);
                inputs
                    .iter()
                    .filter(|input| self.is_supported(**input))
                    .take(need)
                    .count()
                    == need
            }
        }
    }

    /// Includes the actions that reach a literal; names objects for actions that would.
    fn serve(&mut self, gate: GateId) -> Result<()> {
        let Meaning::Literal(fact, value) = self.gates.meaning(gate) else {
            return Ok(());
        };
        let atom = self.facts[fact as usize];
        let setting = self.setting(atom, value);
        if (setting.is_empty() || self.hopeless.contains(&(atom, value))) && self.width != Width::Whole {
            let now = self.state.stores(atom) == value;
            if !now || self.width == Width::Wide {
                self.propose(atom, value);
            }
        }
        for group in setting {
            let when = self.effect_condition(group, atom, true);
            if when == FALSE {
                continue;
            }
            for action in self.groups[group as usize].actions.clone() {
                self.include(action)?;
            }
            self.demand(when);
        }
        if self.width != Width::Narrow {
            // What would undo the literal is worth preventing.
            for group in self.setting(atom, !value) {
                let unless = self.effect_condition(group, atom, false);
                self.demand(unless);
            }
        }
        Ok(())
    }

    /// Objects with which some action would set a fact.
    fn propose(&mut self, atom: Atom, value: bool) {
        for (schema, bound) in self.ways(atom, value) {
            self.propose_objects(schema, &bound);
        }
    }

    /// Actions that may set a fact, with the objects that this binds.
    fn ways(&self, atom: Atom, value: bool) -> Vec<(SchemaId, Vec<Option<Obj>>)> {
        let mut all = Vec::new();
        for (id, schema) in self.domain.schema_ids() {
            for outcome in &schema.outcomes {
                if outcome.predicate != atom.predicate() || outcome.value != value {
                    continue;
                }
                let mut bound: Vec<Option<Obj>> = vec![None; schema.parameters.len()];
                let fits = outcome.arguments.iter().enumerate().all(|(place, term)| {
                    let here = atom.object(place);
                    match term {
                        Term::Object(object) => *object == here,
                        Term::Slot(slot) => match bound.get_mut(usize::from(*slot)) {
                            Some(place) => *place.get_or_insert(here) == here,
                            None => true,
                        },
                    }
                });
                if fits && !all.contains(&(id, bound.clone())) {
                    all.push((id, bound));
                }
            }
        }
        all
    }

    /// Completes a partly bound action: with objects in focus if there are any that fit, else with those of which
    /// its needs hold now, else with a few others.
    fn propose_objects(&mut self, schema: SchemaId, bound: &[Option<Obj>]) {
        let kinds = &self.domain.schema(schema).parameters;
        let now = self.objects_now(schema, bound);
        let choose = |others: &dyn Fn(usize) -> Vec<Obj>| -> Vec<Vec<Obj>> {
            let choice = |(at, bound): (usize, &Option<Obj>)| bound.map_or_else(|| others(at), |o| vec![o]);
            bound.iter().enumerate().map(choice).collect()
        };
        let in_focus = |at: usize| -> Vec<Obj> {
            let fits = |object: &Obj| {
                self.scene.is(*object, kinds[at]) && now[at].as_ref().is_none_or(|now| now.contains(object))
            };
            self.focus.iter().copied().filter(fits).collect()
        };
        let anywhere = |at: usize| match &now[at] {
            Some(now) => now.clone(),
            None => self.scene.objects_of(kinds[at]).to_vec(),
        };
        let mut found = Vec::new();
        self.extend_choice(schema, &choose(&in_focus), &mut Vec::new(), &mut found, PROPOSALS);
        if found.is_empty() || self.width != Width::Narrow {
            self.extend_choice(schema, &choose(&anywhere), &mut Vec::new(), &mut found, PROPOSALS);
        }
        for action in found {
            self.want(action.arguments().iter().copied());
        }
    }

    /// For each open parameter the objects of which a need holds now that speaks of nothing else that is open;
    /// [`None`] where there is no such need or no such object.
    fn objects_now(&self, schema: SchemaId, bound: &[Option<Obj>]) -> Vec<Option<Vec<Obj>>> {
        let schema = self.domain.schema(schema);
        let value = |term: &Term| match term {
            Term::Slot(slot) => bound.get(usize::from(*slot)).copied().flatten(),
            Term::Object(object) => Some(*object),
        };
        let mut now = vec![None; bound.len()];
        for part in schema.needs.iter().flat_map(|need| need.condition.conjuncts()) {
            let Condition::Atom(predicate, terms) = part else {
                continue;
            };
            if self.domain.predicate(*predicate).derived.is_some() {
                continue;
            }
            let (slot, objects): (u8, Vec<Obj>) = match terms[..] {
                [Term::Slot(slot)] => (slot, self.state.members(*predicate).collect()),
                [Term::Slot(slot), other] if value(&Term::Slot(slot)).is_none() => match value(&other) {
                    Some(to) => (slot, self.state.sources(*predicate, to).collect()),
                    None => continue,
                },
                [other, Term::Slot(slot)] => match value(&other) {
                    Some(from) => (slot, self.state.targets(*predicate, from).collect()),
                    None => continue,
                },
                _ => continue,
            };
            let kind = schema.parameters[usize::from(slot)];
            let objects: Vec<Obj> = objects
                .into_iter()
                .filter(|object| self.scene.is(*object, kind))
                .collect();
            let entry = &mut now[usize::from(slot)];
            let fewer = entry
                .as_ref()
                .is_none_or(|known: &Vec<Obj>| objects.len() < known.len());
            if !objects.is_empty() && fewer && bound[usize::from(slot)].is_none() {
                *entry = Some(objects);
            }
        }
        now
    }

    /// The gate for the outcomes of a group setting a fact, or for them not doing so.
    fn effect_condition(&mut self, group: u32, atom: Atom, positive: bool) -> GateId {
        if let Some(known) = self.effect_conditions.get(&(group, atom, positive)) {
            return *known;
        }
        let gate = self.new_effect_condition(group, atom, positive);
        self.effect_conditions.insert((group, atom, positive), gate);
        gate
    }

    fn new_effect_condition(&mut self, group: u32, atom: Atom, positive: bool) -> GateId {
        let (outcome, mut frame, first) = self.outcome(group);
        let Some(bound) = self.bind(outcome, first, atom, &mut frame) else {
            return truth(!positive);
        };
        if bound.iter().all(|bound| *bound) && !outcome.first_only {
            return self.condition(&outcome.when, &mut frame, positive);
        }
        // The leading variables that are bound stay so; the others are tried. What is tried of the last variable of
        // a first-only outcome are all objects, since earlier ones come first.
        let last = outcome.variables.len() - 1;
        let tried = bound.iter().take_while(|bound| **bound).count();
        let tried = if outcome.first_only {
            tried.min(last)
        } else {
            tried
        };
        let wanted: Vec<Option<Obj>> = (tried..=last)
            .map(|at| bound[at].then(|| frame[first + at]))
            .collect();
        let slot = first + tried;
        let mut earlier: Vec<GateId> = Vec::new();
        let mut before: Vec<Obj> = Vec::new();
        let mut inputs = Vec::new();
        let all =
            self.possible
                .assignments(&outcome.when, slot as u8, &outcome.variables[tried..], &mut frame);
        for objects in all {
            frame[slot..slot + objects.len()].copy_from_slice(&objects);
            let this = objects
                .iter()
                .zip(&wanted)
                .all(|(object, wanted)| wanted.is_none_or(|w| w == *object));
            if !outcome.first_only {
                if this {
                    inputs.push(self.condition(&outcome.when, &mut frame, positive));
                }
                continue;
            }
            let leading = &objects[..objects.len() - 1];
            if leading != before {
                before = leading.to_vec();
                earlier.clear();
            }
            if this {
                let mut all = vec![self.condition(&outcome.when, &mut frame, positive)];
                all.extend(&earlier);
                let need = if positive { all.len() } else { 1 };
                inputs.push(self.gates.condition(need, all));
            }
            earlier.push(self.condition(&outcome.when, &mut frame, !positive));
        }
        self.gates
            .condition(if positive { 1 } else { inputs.len() }, inputs)
    }

    fn include(&mut self, action: u32) -> Result<u32> {
        if let Some(operator) = self.included.get(&action) {
            return Ok(*operator);
        }
        let ground_action = self.actions[action as usize];
        let schema = self.domain.schema(ground_action.schema);
        let mut frame = frame_of(ground_action.arguments());
        let mut needs = Vec::with_capacity(schema.needs.len());
        for need in &schema.needs {
            needs.push(self.condition(&need.condition, &mut frame, true));
        }
        let precondition = self.gates.all(needs);
        let number = self.operators.len() as u32;
        self.included.insert(action, number);
        let cost = (self.scene.cost(&ground_action).max(0.0) * 1000.0).round() as Cost;
        let act = self.gates.act(number, cost, precondition);
        if precondition == FALSE {
            self.gates.forbid(act);
        }
        self.operators.push(Operator {
            action: ground_action,
            cost,
            precondition,
            effects: Vec::new(),
            said: Vec::new(),
            act,
        });
        let linked = self.linked_facts;
        for group in self.groups_of[action as usize].clone() {
            let predicate = self.outcome(group).0.predicate;
            let known = self.facts_of.get(&predicate).cloned().unwrap_or_default();
            for fact in known.into_iter().filter(|fact| (*fact as usize) < linked) {
                self.link(number, group, fact);
            }
        }
        self.demand(precondition);
        if self.gates.len() > MAX_GATES {
            return Err(Error::Exhausted(MAX_GATES));
        }
        Ok(number)
    }

    /// Notes what an outcome of an operator does to a fact.
    fn link(&mut self, operator: u32, group: u32, fact: u32) {
        let atom = self.facts[fact as usize];
        let when = self.effect_condition(group, atom, true);
        if when == FALSE {
            return;
        }
        let value = self.outcome(group).0.value;
        let operator = &mut self.operators[operator as usize];
        operator.effects.push(Effect { when, fact, value });
        let gate = self.gates.all(vec![operator.act, when]);
        self.gates
            .feed(self.literals[fact as usize][usize::from(value)], gate);
    }

    /// Follows demands and new facts until there are none.
    fn settle(&mut self) -> Result<()> {
        loop {
            if self.linked_facts < self.facts.len() {
                let fact = self.linked_facts as u32;
                self.linked_facts += 1;
                let atom = self.facts[fact as usize];
                for value in [false, true] {
                    for group in self.setting(atom, value) {
                        for at in 0..self.groups[group as usize].actions.len() {
                            let action = self.groups[group as usize].actions[at];
                            if let Some(operator) = self.included.get(&action).copied() {
                                self.link(operator, group, fact);
                            }
                        }
                    }
                }
            } else if let Some(gate) = self.demands.pop() {
                self.serve(gate)?;
            } else {
                return Ok(());
            }
            if self.gates.len() > MAX_GATES {
                return Err(Error::Exhausted(MAX_GATES));
            }
        }
    }

    /// Includes the actions that a label speaks of; names objects for them where there are none.
    fn include_said(&mut self, label: &Label) -> Result<Vec<u32>> {
        let Label::Done(schema, objects) = label else {
            return Ok(Vec::new());
        };
        let fitting: Vec<u32> = (0..self.actions.len() as u32)
            .filter(|at| label.matches(&self.actions[*at as usize]))
            .collect();
        if (fitting.is_empty() || self.width == Width::Wide) && self.width != Width::Whole {
            let mut bound = objects.clone();
            bound.resize(self.domain.schema(*schema).parameters.len(), None);
            self.propose_objects(*schema, &bound);
        }
        fitting.into_iter().map(|action| self.include(action)).collect()
    }

    fn build(&mut self, request: &Request<'_>) -> Result<Task> {
        let mut frame = [Obj::default(); MAX_SLOTS];
        let goal = self.condition(request.goal, &mut frame, true);
        self.demand(goal);

        let mut progress = vec![TRUE];
        let mut asked = Vec::new();
        for alternatives in request.actions {
            let done = self.gates.any();
            for label in alternatives {
                for operator in self.include_said(label)? {
                    let act = self.operators[operator as usize].act;
                    self.gates.feed(done, act);
                }
            }
            let before = progress[progress.len() - 1];
            progress.push(self.gates.condition(2, vec![before, done]));
            asked.push(alternatives);
        }

        let mut labels = Vec::new();
        let mut literals: Vec<(Prop, [GateId; 2])> = Vec::new();
        let mut said = Vec::new();
        for (number, (prop, label)) in request.labels.iter().enumerate() {
            let (holds, both) = match label {
                Label::Holds(condition) => {
                    let both = [false, true].map(|value| self.condition(condition, &mut frame, value));
                    self.demand(both[0]);
                    self.demand(both[1]);
                    (both[1], both)
                }
                Label::Done(..) => {
                    let done = self.gates.any();
                    for operator in self.include_said(label)? {
                        let act = self.operators[operator as usize].act;
                        self.gates.feed(done, act);
                    }
                    said.push((number as u32, label));
                    (FALSE, [TRUE, done])
                }
            };
            labels.push(TaskLabel { prop: *prop, holds });
            literals.push((*prop, both));
        }
        self.settle()?;
        if self.width == Width::Whole && request.rules.iter().any(|rule| counts_steps(rule)) {
            for action in 0..self.actions.len() as u32 {
                self.include(action)?;
            }
            self.settle()?;
        }

        let mut ends = vec![goal, progress[progress.len() - 1]];
        let mut rule_states = Vec::new();
        for rule in request.rules {
            let (states, end) = self.rule(rule, &literals);
            rule_states.push(states);
            ends.push(end);
        }
        let target = self.gates.all(ends);
        for operator in &mut self.operators {
            operator.effects.sort_by_key(|effect| effect.value);
            operator.said = said
                .iter()
                .filter(|(_, label)| label.matches(&operator.action))
                .map(|(number, _)| *number)
                .collect();
        }
        let asked = self
            .operators
            .iter()
            .map(|operator| {
                asked.iter().enumerate().fold(0, |bits, (at, alternatives)| {
                    bits | u64::from(alternatives.iter().any(|label| label.matches(&operator.action))) << at
                })
            })
            .collect();
        let mut start = vec![0u64; self.facts.len().div_ceil(64)];
        for (number, atom) in self.facts.iter().enumerate() {
            set_bit(&mut start, number as u32, self.state.stores(*atom));
        }
        let mut task = Task {
            gates: std::mem::replace(&mut self.gates, Gates::new()),
            start,
            operators: std::mem::take(&mut self.operators),
            goal,
            target,
            labels,
            rules: request.rules.to_vec(),
            rule_states,
            progress,
            asked,
            complete: self.width == Width::Whole && !self.shortened,
        };
        task.forbid();
        Ok(task)
    }

    /// Gates for the states of a rule's automaton, and for ending where the rule is kept.
    fn rule(&mut self, rule: &Rule, literals: &[(Prop, [GateId; 2])]) -> (Vec<GateId>, GateId) {
        let dfa = rule.dfa();
        let states: Vec<GateId> = (0..dfa.num_states()).map(|_| self.gates.any()).collect();
        let mut ends = Vec::new();
        for (state, gate) in states.iter().enumerate() {
            let state = state as u32;
            if rule.verdict(state) == Verdict::PermanentlyViolated {
                continue;
            }
            if dfa.is_accepting(state) {
                ends.push(*gate);
            }
            for edge in dfa.edges(state) {
                if edge.to == state || rule.verdict(edge.to) == Verdict::PermanentlyViolated {
                    continue;
                }
                let mut inputs = vec![*gate];
                for (prop, value) in &edge.guard {
                    // A proposition without a meaning never holds.
                    let both = literals.iter().find(|(known, _)| known == prop);
                    inputs.push(both.map_or(truth(!value), |(_, both)| both[usize::from(*value)]));
                }
                let step = self.gates.all(inputs);
                if step != FALSE {
                    self.gates.feed(states[edge.to as usize], step);
                }
            }
        }
        let end = self.gates.condition(1, ends);
        (states, end)
    }
}

/// Whether a rule tells how many steps pass, so that steps without any effect that matters may help.
fn counts_steps(rule: &Rule) -> bool {
    // Staying put must not change the state of the automaton: every state that is entered by a step is kept by
    // the same step.
    let dfa = rule.dfa();
    (0..dfa.num_states() as u32).any(|state| {
        dfa.edges(state).iter().any(|edge| {
            let step = steward_ltl::Step::of(
                edge.guard
                    .iter()
                    .filter(|(_, value)| *value)
                    .map(|(prop, _)| *prop),
            );
            dfa.step(edge.to, &step) != edge.to
        })
    })
}

impl Task {
    /// The facts, and absences of facts, that the actions cannot reach even where nothing is ever lost; none if the
    /// target can be reached.
    fn unreached(&self, facts: &[Atom]) -> BTreeSet<(Atom, bool)> {
        let mut also = vec![self.progress[0]];
        let beginnings = self.rules.iter().zip(&self.rule_states);
        also.extend(beginnings.map(|(rule, states)| states[rule.dfa().initial() as usize]));
        let mut prices = Prices::new(&self.gates);
        self.gates
            .price(&self.start, &also, self.target, Sum::Max, &mut prices);
        if prices.of(self.target) != UNREACHABLE {
            return BTreeSet::new();
        }
        let unreached = self.gates.unreached(&prices);
        unreached
            .map(|(fact, value)| (facts[fact as usize], value))
            .collect()
    }

    /// Takes out the actions that break some rule whenever they are done.
    fn forbid(&mut self) {
        for number in 0..self.operators.len() {
            if self.always_breaks_a_rule(number) {
                let operator = &mut self.operators[number];
                operator.precondition = FALSE;
                self.gates.forbid(operator.act);
            }
        }
    }

    fn always_breaks_a_rule(&self, number: usize) -> bool {
        let operator = &self.operators[number];
        // What is known of the facts after the action: those that it sets whatever the state, and those that it
        // needs and never touches.
        let mut known: HashMap<u32, Option<bool>> = HashMap::new();
        self.literal_needs(operator.precondition, &mut known);
        for effect in &operator.effects {
            let entry = known.entry(effect.fact).or_insert(None);
            if effect.when == TRUE || *entry == Some(effect.value) {
                *entry = Some(effect.value);
            } else {
                *entry = None;
            }
        }
        if self.rules.is_empty() {
            return false;
        }
        let said: HashSet<u32> = operator.said.iter().copied().collect();
        let values: Vec<(Prop, Option<bool>)> = self
            .labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let value = if label.holds == FALSE {
                    Some(said.contains(&(at as u32)))
                } else {
                    self.known_after(label.holds, &known)
                };
                (label.prop, value)
            })
            .collect();
        self.rules.iter().any(|rule| {
            (0..rule.dfa().num_states() as u32)
                .filter(|state| rule.verdict(*state) != Verdict::PermanentlyViolated)
                .all(|state| {
                    rule.dfa().edges(state).iter().all(|edge| {
                        rule.verdict(edge.to) == Verdict::PermanentlyViolated
                            || edge.guard.iter().any(|(prop, wanted)| {
                                let value = values
                                    .iter()
                                    .find(|(known, _)| known == prop)
                                    .map_or(Some(false), |v| v.1);
                                value == Some(!wanted)
                            })
                    })
                })
        })
    }

    /// Facts that a precondition names outright.
    fn literal_needs(&self, gate: GateId, into: &mut HashMap<u32, Option<bool>>) {
        match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => {
                into.insert(fact, Some(value));
            }
            _ => {
                let inputs = self.gates.inputs(gate);
                if self.gates.need(gate) as usize == inputs.len() {
                    for input in inputs {
                        self.literal_needs(*input, into);
                    }
                }
            }
        }
    }

    /// The truth of a condition as far as the facts are known (Kleene's logic).
    fn known_after(&self, gate: GateId, known: &HashMap<u32, Option<bool>>) -> Option<bool> {
        match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => known.get(&fact).copied().flatten().map(|now| now == value),
            _ => {
                let need = self.gates.need(gate) as usize;
                let inputs = self.gates.inputs(gate);
                let (mut yes, mut no) = (0, 0);
                for input in inputs {
                    match self.known_after(*input, known) {
                        Some(true) => yes += 1,
                        Some(false) => no += 1,
                        None => {}
                    }
                }
                if yes >= need {
                    Some(true)
                } else if inputs.len() - no < need {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    /// Does an operator: its effects on a state in which its precondition holds.
    pub(crate) fn apply(
        &self,
        operator: usize,
        state: &[u64],
        memory: &mut super::gates::Memory,
        to: &mut Vec<u64>,
    ) {
        to.clear();
        to.extend_from_slice(state);
        for effect in &self.operators[operator].effects {
            if self.gates.holds(effect.when, state, memory) {
                set_bit(to, effect.fact, effect.value);
            }
        }
    }
}

fn truth(value: bool) -> GateId {
    if value { TRUE } else { FALSE }
}

fn frame_of(bound: &[Obj]) -> Frame {
    let mut frame = [Obj::default(); MAX_SLOTS];
    frame[..bound.len()].copy_from_slice(bound);
    frame
}

/// A fact with object 0 in the places that the mask leaves open.
fn masked(atom: Atom, mask: u8, arity: usize) -> Atom {
    let mut objects = [Obj::default(); MAX_ARITY];
    for (place, object) in objects.iter_mut().enumerate().take(arity) {
        if mask >> place & 1 == 1 {
            *object = atom.object(place);
        }
    }
    Atom::new(atom.predicate(), &objects)
}

fn pattern_of(outcome: &Outcome, action: &GroundAction) -> Pattern {
    let mut objects = [Obj::default(); MAX_ARITY];
    let mut mask = 0u8;
    for (place, term) in outcome.arguments.iter().enumerate().take(MAX_ARITY) {
        let object = match term {
            Term::Object(object) => Some(*object),
            Term::Slot(slot) => action.arguments().get(usize::from(*slot)).copied(),
        };
        if let Some(object) = object {
            objects[place] = object;
            mask |= 1 << place;
        }
    }
    (Atom::new(outcome.predicate, &objects), mask, outcome.value)
}

/// The parameters that an outcome depends on, as bits.
fn slots_of_outcome(outcome: &Outcome) -> u16 {
    let mut mask = 0;
    let mut visit = |term: &Term| {
        if let Term::Slot(slot) = term {
            mask |= 1u16 << slot;
        }
    };
    outcome.arguments.iter().for_each(&mut visit);
    each_term(&outcome.when, &mut visit);
    mask
}

fn each_term(condition: &Condition, visit: &mut impl FnMut(&Term)) {
    match condition {
        Condition::Atom(_, terms) => terms.iter().for_each(visit),
        Condition::Equal(a, b) => {
            visit(a);
            visit(b);
        }
        Condition::Is(a, _) => visit(a),
        Condition::Not(inner) => each_term(inner, visit),
        Condition::And(parts) | Condition::Or(parts) => {
            for part in parts {
                each_term(part, visit);
            }
        }
        Condition::Exists { body, .. } | Condition::AtLeast { body, .. } => each_term(body, visit),
    }
}
