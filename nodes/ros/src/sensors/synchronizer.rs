//! What belongs together by its stamps, which may differ a little.

use steward_core::{Duration, Time};

/// How many may wait for the rest of their parts.
const MAX_WAITING: usize = 8;
/// What is this far ahead of the newest complete one is of a time that was left: time jumped back.
const AHEAD: Duration = Duration::from_secs(1);

/// Parts of which a whole is made.
pub(super) trait Parts: Default {
    /// Whether none is missing.
    fn is_complete(&self) -> bool;
}

/// Puts parts together whose stamps differ by no more than a bound. The same parts in the same order lead to the same
/// wholes; with a bound below half the time between two of them, so does any order in which each kind of part keeps
/// its own.
#[derive(Debug)]
pub(super) struct Synchronizer<P> {
    bound: Duration,
    /// In the order of their first parts.
    waiting: Vec<Waiting<P>>,
    given_up: u64,
}

#[derive(Debug)]
struct Waiting<P> {
    earliest: Time,
    latest: Time,
    parts: P,
}

impl<P: Parts> Synchronizer<P> {
    /// With a largest difference of stamps.
    pub(super) fn new(bound: Duration) -> Self {
        Synchronizer {
            bound,
            waiting: Vec::new(),
            given_up: 0,
        }
    }

    /// Takes a part and its place in the whole. The whole, once it is complete; what is older is given up then.
    pub(super) fn put<T>(&mut self, stamp: Time, part: T, slot: fn(&mut P) -> &mut Option<T>) -> Option<P> {
        let mut fitting: Option<(Duration, usize)> = None;
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            let spread = waiting.latest.max(stamp) - waiting.earliest.min(stamp);
            let is_nearer = fitting.is_none_or(|(least, _)| spread < least);
            if spread <= self.bound && is_nearer && slot(&mut waiting.parts).is_none() {
                fitting = Some((spread, index));
            }
        }
        let at = fitting.map_or(self.waiting.len(), |(_, index)| index);
        if fitting.is_none() {
            self.waiting.push(Waiting {
                earliest: stamp,
                latest: stamp,
                parts: P::default(),
            });
        }
        let waiting = &mut self.waiting[at];
        waiting.earliest = waiting.earliest.min(stamp);
        waiting.latest = waiting.latest.max(stamp);
        *slot(&mut waiting.parts) = Some(part);
        if waiting.parts.is_complete() {
            let complete = self.waiting.remove(at);
            let before = self.waiting.len();
            self.waiting
                .retain(|w| w.earliest >= complete.earliest && w.earliest - complete.earliest < AHEAD);
            self.given_up += (before - self.waiting.len()) as u64;
            return Some(complete.parts);
        }
        if self.waiting.len() > MAX_WAITING {
            self.waiting.remove(0);
            self.given_up += 1;
        }
        None
    }

    /// How many were given up, incomplete, since this was asked last.
    pub(super) fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Three {
        a: Option<i64>,
        b: Option<i64>,
        c: Option<i64>,
    }

    impl Parts for Three {
        fn is_complete(&self) -> bool {
            self.a.is_some() && self.b.is_some() && self.c.is_some()
        }
    }

    const SLOTS: [fn(&mut Three) -> &mut Option<i64>; 3] = [|t| &mut t.a, |t| &mut t.b, |t| &mut t.c];

    fn put(sync: &mut Synchronizer<Three>, kind: usize, ms: i64) -> Option<[i64; 3]> {
        let whole = sync.put(Time::from_nanos(ms * 1_000_000), ms, SLOTS[kind])?;
        Some([whole.a, whole.b, whole.c].map(|part| part.expect("complete")))
    }

    fn within(ms: i64) -> Synchronizer<Three> {
        Synchronizer::new(Duration::from_millis(ms))
    }

    #[test]
    fn stamps_within_the_bound_belong_together_and_others_do_not() {
        let mut sync = within(10);
        assert_eq!(put(&mut sync, 0, 100), None);
        assert_eq!(put(&mut sync, 1, 110), None);
        assert_eq!(put(&mut sync, 2, 105), Some([100, 110, 105]));
        assert_eq!(put(&mut sync, 0, 200), None);
        assert_eq!(put(&mut sync, 1, 211), None);
        assert_eq!(
            put(&mut sync, 2, 205),
            None,
            "no two differ by more than the bound"
        );
        assert_eq!(sync.take_given_up(), 0, "they may still be completed");
        assert_eq!(put(&mut sync, 1, 207), Some([200, 207, 205]));
        assert_eq!(sync.take_given_up(), 0, "211 is newer");
        assert_eq!(put(&mut sync, 0, 215), None);
        assert_eq!(put(&mut sync, 2, 214), Some([215, 211, 214]));
    }

    #[test]
    fn equal_stamps_only_without_a_bound() {
        let mut sync = within(0);
        for (kind, ms) in [(0, 1), (1, 2), (2, 1)] {
            assert_eq!(put(&mut sync, kind, ms), None);
        }
        assert_eq!(put(&mut sync, 1, 1), Some([1, 1, 1]));
    }

    #[test]
    fn what_stays_incomplete_is_given_up_and_counted() {
        let mut sync = within(5);
        for n in 0..20 {
            put(&mut sync, 0, n * 100);
            assert_eq!(sync.take_given_up() == 1, n >= MAX_WAITING as i64);
        }
        assert_eq!(put(&mut sync, 1, 1900), None);
        assert_eq!(put(&mut sync, 2, 1900), Some([1900, 1900, 1900]));
        assert_eq!([sync.take_given_up(), sync.take_given_up()], [7, 0]);
    }

    #[test]
    fn time_that_jumps_back_and_stamps_of_nonsense_hold_nobody_up() {
        let mut sync = within(5);
        for n in 0..MAX_WAITING as i64 {
            put(&mut sync, 0, 1_000_000_000 + n * 1000);
        }
        for ms in [0, 40] {
            put(&mut sync, 0, ms);
            put(&mut sync, 1, ms);
            assert_eq!(put(&mut sync, 2, ms), Some([ms; 3]));
        }
        assert_eq!(sync.take_given_up(), MAX_WAITING as u64);
        assert!(sync.waiting.is_empty());
    }

    proptest! {
        /// Frames every 100 ms, parts up to 20 ms late, kinds interleaved anyhow: every frame comes out once, whole.
        #[test]
        fn any_interleaving_gives_the_same_wholes(
            jitter in proptest::collection::vec(0i64..20, 15), choices in proptest::collection::vec(0usize..3, 200),
        ) {
            let mut sync = within(20);
            let mut next = [0usize; 3];
            let mut wholes = Vec::new();
            for kind in choices {
                // No kind more frames ahead than may wait.
                let behind = *next.iter().min().expect("three");
                if next[kind] < 5 && next[kind] < behind + 3 {
                    wholes.extend(put(&mut sync, kind, next[kind] as i64 * 100 + jitter[next[kind] * 3 + kind]));
                    next[kind] += 1;
                }
            }
            prop_assume!(next == [5; 3]);
            let expected: Vec<[i64; 3]> =
                (0..5).map(|n| std::array::from_fn(|k| n as i64 * 100 + jitter[n * 3 + k])).collect();
            prop_assert_eq!(wholes, expected);
            prop_assert_eq!(sync.take_given_up(), 0);
        }
    }
}
