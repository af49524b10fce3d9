//! Change scripts from a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Change, ChangeScript, ChangeStage, MAX_CHANGES, Operation, Spot};
use crate::home::{CatalogueKind, catalogue};
use crate::model::{Entity, EntityKind, Home};

/// Operations drawn for one change before the script ends early.
const TRIES: usize = 60;
/// Time between two changes, seconds.
const PAUSE_S: (f64, f64) = (2.0, 15.0);

/// A script of `count` changes (fewer in a home that does not allow them, at most [`MAX_CHANGES`]) that
/// [`ChangeScript::resolve`] accepts for this home.
pub fn generate_changes(home: &Home, seed: u64, count: usize) -> ChangeScript {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut script = ChangeScript {
        seed,
        changes: Vec::new(),
    };
    let mut stage = ChangeStage::new(home);
    let classes = classes();
    let mut at_s = 0.0;
    for index in 0..count.min(MAX_CHANGES) {
        let found = (0..TRIES).find_map(|_| {
            let operation = draw(&stage, &classes, &mut rng)?;
            stage.apply(&operation, script.operation_seed(index)).ok()?;
            Some(operation)
        });
        let Some(operation) = found else { break };
        // Tenths of a second keep the file short.
        let pause = PAUSE_S.0 + (PAUSE_S.1 - PAUSE_S.0) * (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        at_s = ((at_s + pause) * 10.0_f64).round() / 10.0;
        script.changes.push(Change { at_s, operation });
    }
    script
}

/// Classes of small objects.
fn classes() -> Vec<&'static str> {
    use std::sync::LazyLock;
    static CLASSES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let object = |kind: &CatalogueKind| matches!(kind, CatalogueKind::Object { graspable: true, .. });
        catalogue()
            .into_iter()
            .filter(|e| object(&e.kind))
            .map(|e| e.class)
            .collect()
    });
    CLASSES.clone()
}

fn draw(stage: &ChangeStage<'_>, classes: &[&'static str], rng: &mut ChaCha8Rng) -> Option<Operation> {
    fn one_of<T>(mut list: Vec<T>, rng: &mut ChaCha8Rng) -> Option<T> {
        let n = list.len() as u64;
        (n > 0).then(|| list.swap_remove((rng.next_u64() % n) as usize))
    }
    let named = |pick: &dyn Fn(&Entity) -> bool| -> Vec<String> {
        let there = |e: &&Entity| stage.is_present(e.id) && pick(e);
        stage.entities().filter(there).map(|e| e.name.clone()).collect()
    };
    let object = |rng: &mut ChaCha8Rng| one_of(named(&|e| matches!(e.kind, EntityKind::Object { .. })), rng);
    let part = |open: bool, rng: &mut ChaCha8Rng| {
        let fits = |e: &Entity| matches!(e.kind, EntityKind::Part(_)) && stage.is_open(e.id) == open;
        one_of(named(&fits), rng)
    };
    let spot = |rng: &mut ChaCha8Rng| {
        let reachable = stage
            .supports()
            .into_iter()
            .filter(|s| s.door.is_none_or(|d| stage.is_open(d)));
        // Containers are few; when one is open, use it often.
        let (behind_doors, open): (Vec<_>, Vec<_>) = reachable.partition(|s| s.door.is_some());
        let list = if !behind_doors.is_empty() && rng.next_u64().is_multiple_of(2) {
            behind_doors
        } else {
            open
        };
        Some(Spot::somewhere(one_of(list, rng)?.name))
    };
    Some(match rng.next_u64() % 10 {
        0..4 => Operation::Move {
            object: object(rng)?,
            to: spot(rng)?,
        },
        4 => Operation::Remove { object: object(rng)? },
        5 | 6 => Operation::Add {
            class: one_of(classes.to_vec(), rng)?.to_owned(),
            to: spot(rng)?,
        },
        7 | 8 => Operation::Open {
            part: part(false, rng)?,
        },
        _ => Operation::Close {
            part: part(true, rng)?,
        },
    })
}
