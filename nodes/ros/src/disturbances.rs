//! Things that somebody moves behind the robot's back, every now and then.

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use steward_core::{Duration, Time};
use steward_sim::changes::{ChangeStage, Operation, ResolvedChange, Spot};
use steward_sim::model::{Entity, EntityKind, Home};
use steward_sim::simulation::Simulation;

/// Draws before one is left out: a thing may fit nowhere, or not where it was to go.
const TRIES: usize = 20;

/// Moves one small thing onto some furniture at a time. Same seed, home and times: same moves.
#[derive(Debug)]
pub struct Disturbances {
    home: Home,
    period: Duration,
    next: Time,
    rng: ChaCha8Rng,
}

impl Disturbances {
    /// One every `period_s` simulated seconds, `None` for 0.
    pub fn new(home: Home, period_s: f64, seed: u64) -> Option<Self> {
        let period = Duration::from_secs_f64(period_s);
        (period > Duration::ZERO).then(|| Disturbances {
            home,
            period,
            next: Time::ZERO + period,
            rng: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// Moves something where that is due; what is held stays in the hand. Says what was moved, for people.
    pub fn turn(&mut self, now: Time, simulation: &mut Simulation) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next += self.period;
        let (held, state) = (simulation.truth().held, simulation.state());
        let named = |fits: &dyn Fn(&Entity) -> bool| -> Vec<String> {
            let fitting = self.home.entities.iter().filter(|e| fits(e));
            fitting.map(|e| e.name.clone()).collect()
        };
        let things =
            named(&|e| matches!(e.kind, EntityKind::Object { graspable: true }) && Some(e.id) != held);
        let places = named(&|e| e.kind == EntityKind::Furniture && !e.surfaces.is_empty());
        for _ in 0..TRIES {
            let operation = Operation::Move {
                object: things.choose(&mut self.rng)?.clone(),
                to: Spot::somewhere(places.choose(&mut self.rng)?.clone()),
            };
            let mut stage = ChangeStage::at(&self.home, &[], &state);
            let Ok(kind) = stage.apply(&operation, self.rng.next_u64()) else {
                continue;
            };
            let change = ResolvedChange { at: now, kind };
            return simulation
                .schedule(vec![change])
                .ok()
                .map(|()| operation.to_string());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use steward_sim::home::{HomeSpec, generate};
    use steward_sim::simulation::{SensorConfig, SimulationConfig};

    use super::*;

    #[test]
    fn things_are_somewhere_else_afterwards_and_always_the_same_ones() {
        let moved = || {
            let home = generate(&HomeSpec::from_seed(3)).unwrap();
            let mut config = SimulationConfig {
                sensors: SensorConfig::ideal(),
                ..SimulationConfig::default()
            };
            config.camera.rate_hz = 0.0;
            let mut simulation = Simulation::new(home.clone(), &config, 1).unwrap();
            let mut disturbances = Disturbances::new(home, 0.5, 7).unwrap();
            let before = simulation.state().poses;
            let mut said = Vec::new();
            for tenths in 0..12 {
                let now = Time::from_secs_f64(f64::from(tenths) / 10.0);
                said.extend(disturbances.turn(now, &mut simulation));
                simulation.step_to(now + Duration::from_millis(50)).unwrap();
            }
            let after = simulation.state().poses;
            let far = before
                .iter()
                .zip(&after)
                .filter(|(a, b)| (a.translation.vector - b.translation.vector).norm() > 0.1);
            (said, far.count())
        };
        let (said, count) = moved();
        assert_eq!(said.len(), 2, "at 0.5 s and 1 s: {said:?}");
        assert!((1..=2).contains(&count), "{count} things are elsewhere");
        assert_eq!(moved(), (said, count));
    }

    #[test]
    fn a_period_of_zero_is_never() {
        let home = generate(&HomeSpec::from_seed(3)).unwrap();
        assert!(Disturbances::new(home, 0.0, 1).is_none());
    }
}
