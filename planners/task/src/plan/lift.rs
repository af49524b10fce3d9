//! From a scene to a small graph of gates: only what the goal and the rules ask for is grounded.
//!
//! Actions are tried on a few objects in focus: those that the goal and the rules name, and those that turn out
//! to be needed (the shut cupboard around a cup, a place to put down what is held). Everything else in the scene
//! takes part only as far as such actions affect facts that matter. What is left out can make a plan dearer or
//! hide it, never make it wrong; a wider focus is tried where a narrow one finds nothing, up to the whole scene.

mod outcomes;
mod propose;
mod task;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use steward_ltl::{Prop, Rule, Verdict};

use self::outcomes::{Group, Pattern};
use self::propose::{Fixed, PROPOSALS};
pub(crate) use self::task::Task;
use self::task::{Effect, Operator, TaskLabel};
use super::gates::{Cost, FALSE, GateId, Gates, Meaning, TRUE, set_bit};
use super::possible::{Possible, arguments, ground, object};
use crate::domain::{
    Atom, Condition, Domain, Frame, GroundAction, MAX_SLOTS, Obj, PredicateId, Scene, SchemaId, State, Term,
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

/// Most ground actions, and most gates, of one task; as many of both together in the rounds in which its focus grows.
const MAX_ACTIONS: usize = 100_000;
const MAX_GATES: usize = 1_000_000;
/// Longest chain of derived facts: things in things in things.
const MAX_UNFOLDING: usize = 3;
/// Most rounds in which the focus grows.
const MAX_ROUNDS: usize = 32;

/// What a task is made from.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) goal: &'a Condition,
    /// Actions to be done in this order, each with its alternatives; at most 63.
    pub(crate) actions: &'a [Vec<Label>],
    pub(crate) rules: &'a [Arc<Rule>],
    /// Meanings of the rules' propositions.
    pub(crate) labels: &'a [(Prop, Label)],
    /// Actions that are not to be done.
    pub(crate) without: &'a [GroundAction],
}

impl<'a> Request<'a> {
    /// Without rules.
    pub(crate) fn of(state: &'a State, goal: &'a super::Goal) -> Request<'a> {
        Request {
            state,
            goal: &goal.condition,
            actions: &goal.actions,
            rules: &[],
            labels: &[],
            without: &[],
        }
    }
}

/// Grounds what matters.
pub(crate) fn lift(request: &Request<'_>, width: Width) -> Result<Task> {
    lift_in_focus(request, width).map(|(task, _)| task)
}

/// The same, and the objects that it came to.
pub(crate) fn lift_in_focus(request: &Request<'_>, width: Width) -> Result<(Task, BTreeSet<Obj>)> {
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
            return Ok((task, focus));
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

struct Lifter<'a> {
    scene: &'a Arc<Scene>,
    domain: &'a Domain,
    state: &'a State,
    width: Width,
    without: &'a [GroundAction],
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
    /// Which gates are known to be supported, or not.
    supported: Vec<Option<bool>>,
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
            without: request.without,
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
            supported: Vec::new(),
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
            found.retain(|action| !self.without.contains(action));
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
            let inputs = self.gates.inputs(gate).to_vec();
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
    fn is_supported(&mut self, gate: GateId) -> bool {
        let at = gate as usize;
        if let Some(Some(known)) = self.supported.get(at) {
            return *known;
        }
        let supported = match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => {
                let atom = self.facts[fact as usize];
                self.state.stores(atom) == value
                    || self.can_be_set(atom, value) && !self.hopeless.contains(&(atom, value))
            }
            _ => {
                let need = self.gates.need(gate) as usize;
                let inputs = self.gates.inputs(gate).to_vec();
                let supported = inputs.into_iter().filter(|input| self.is_supported(*input));
                supported.take(need).count() == need
            }
        };
        if self.supported.len() <= at {
            self.supported.resize(self.gates.len(), None);
        }
        self.supported[at] = Some(supported);
        supported
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

fn truth(value: bool) -> GateId {
    if value { TRUE } else { FALSE }
}

fn frame_of(bound: &[Obj]) -> Frame {
    let mut frame = [Obj::default(); MAX_SLOTS];
    frame[..bound.len()].copy_from_slice(bound);
    frame
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
