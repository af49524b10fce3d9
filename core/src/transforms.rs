//! A buffer of transforms between frames over time, like tf2's, with loud errors.

use std::collections::{BTreeMap, VecDeque};

use crate::geometry::Pose3;
use crate::messages::StampedTransform;
use crate::time::{Duration, Time};
use crate::{Error, Result};

/// Keeps the transforms of a tree of frames for a while and answers where a frame was at a time.
///
/// Between two samples a pose is interpolated: position linearly, rotation along the shorter arc.
#[derive(Debug, Clone)]
pub struct TransformBuffer {
    history: Duration,
    edges: BTreeMap<String, Edge>,
}

#[derive(Debug, Clone)]
struct Edge {
    parent: String,
    /// Sorted by time; a static edge holds one sample and answers for every time.
    samples: VecDeque<(Time, Pose3)>,
    is_static: bool,
}

impl TransformBuffer {
    /// An empty buffer that forgets samples older than `history` behind the newest of the same edge.
    pub fn new(history: Duration) -> Self {
        TransformBuffer {
            history,
            edges: BTreeMap::new(),
        }
    }

    /// Adds one transform. A sample older than what the history holds is dropped; one with a stamp already
    /// known replaces it.
    ///
    /// # Errors
    /// [`Error::BadTransform`] for a pose that is not finite, a frame that is its own ancestor, an empty name,
    /// or a child that already has another parent.
    pub fn insert(&mut self, transform: &StampedTransform) -> Result<()> {
        let StampedTransform {
            stamp,
            parent,
            child,
            parent_from_child,
            is_static,
        } = transform;
        let refuse = |reason: String| {
            Err(Error::BadTransform {
                parent: parent.clone(),
                child: child.clone(),
                reason,
            })
        };
        if parent.is_empty() || child.is_empty() {
            return refuse("a frame name is empty".into());
        }
        let finite = parent_from_child.translation.vector.iter().all(|x| x.is_finite())
            && parent_from_child.rotation.coords.iter().all(|x| x.is_finite());
        if !finite {
            return refuse("its pose is not finite".into());
        }
        if parent == child || self.chain(parent).iter().any(|f| f == child) {
            return refuse("it would close a loop".into());
        }
        let edge = self.edges.entry(child.clone()).or_insert_with(|| Edge {
            parent: parent.clone(),
            samples: VecDeque::new(),
            is_static: *is_static,
        });
        if edge.parent != *parent {
            let reason = format!("`{child}` already has parent `{}`", edge.parent);
            return refuse(reason);
        }
        edge.is_static = *is_static;
        if *is_static {
            edge.samples.clear();
        }
        let at = edge.samples.partition_point(|(t, _)| t < stamp);
        match edge.samples.get_mut(at) {
            Some(sample) if sample.0 == *stamp => sample.1 = *parent_from_child,
            _ => edge.samples.insert(at, (*stamp, *parent_from_child)),
        }
        if let Some(&(newest, _)) = edge.samples.back() {
            let oldest_kept = newest - self.history;
            while edge.samples.len() > 1 && edge.samples.front().is_some_and(|s| s.0 < oldest_kept) {
                edge.samples.pop_front();
            }
        }
        Ok(())
    }

    /// Forgets everything, for when time jumps back.
    pub fn clear(&mut self) {
        self.edges.clear();
    }

    /// `target_from_source` at a time.
    ///
    /// # Errors
    /// [`Error::UnknownFrame`], [`Error::Disconnected`], or [`Error::Extrapolation`] for a time before the
    /// oldest or after the newest sample of an edge on the way.
    pub fn lookup(&self, target: &str, source: &str, at: Time) -> Result<Pose3> {
        self.resolve(target, source, |child, edge| edge.at(child, at))
    }

    /// `target_from_source` from the newest sample of each edge on the way.
    ///
    /// # Errors
    /// [`Error::UnknownFrame`] or [`Error::Disconnected`].
    pub fn latest(&self, target: &str, source: &str) -> Result<Pose3> {
        self.resolve(target, source, |_, edge| Ok(edge.newest()))
    }

    /// `target_from_source` at a time, or from the newest samples where `at` is later than those by at most
    /// `tolerance`.
    ///
    /// # Errors
    /// As [`TransformBuffer::lookup`].
    pub fn lookup_within(&self, target: &str, source: &str, at: Time, tolerance: Duration) -> Result<Pose3> {
        self.resolve(target, source, |child, edge| match edge.samples.back() {
            Some(&(newest, pose)) if !edge.is_static && at > newest && at - newest <= tolerance => Ok(pose),
            _ => edge.at(child, at),
        })
    }

    fn resolve(
        &self,
        target: &str,
        source: &str,
        sample: impl Fn(&str, &Edge) -> Result<Pose3>,
    ) -> Result<Pose3> {
        self.check_known(target)?;
        self.check_known(source)?;
        let (up_target, up_source) = (self.chain(target), self.chain(source));
        let Some(common) = up_target.iter().find(|f| up_source.contains(f)) else {
            let root = |chain: &[String]| chain.last().cloned().unwrap_or_default();
            return Err(Error::Disconnected {
                target: target.into(),
                source_frame: source.into(),
                target_root: root(&up_target),
                source_root: root(&up_source),
            });
        };
        let to_common = |chain: &[String]| {
            chain
                .iter()
                .take_while(|f| *f != common)
                .try_fold(Pose3::identity(), |below, child| {
                    Ok(sample(child, &self.edges[child])? * below)
                })
        };
        Ok(to_common(&up_target)?.inverse() * to_common(&up_source)?)
    }

    fn check_known(&self, frame: &str) -> Result<()> {
        let known = |f: &str| self.edges.contains_key(f) || self.edges.values().any(|e| e.parent == f);
        if known(frame) {
            return Ok(());
        }
        let mut names: Vec<&str> = self
            .edges
            .iter()
            .flat_map(|(c, e)| [c.as_str(), &e.parent])
            .collect();
        names.sort_unstable();
        names.dedup();
        let known = if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        };
        Err(Error::UnknownFrame {
            frame: frame.into(),
            known,
        })
    }

    /// The frame and its ancestors up to the root.
    fn chain(&self, frame: &str) -> Vec<String> {
        let mut chain = vec![frame.to_owned()];
        let mut at = frame;
        while let Some(edge) = self.edges.get(at) {
            at = &edge.parent;
            chain.push(at.to_owned());
        }
        chain
    }
}

impl Edge {
    fn newest(&self) -> Pose3 {
        self.samples.back().map_or_else(Pose3::identity, |s| s.1)
    }

    fn at(&self, child: &str, at: Time) -> Result<Pose3> {
        if self.is_static {
            return Ok(self.newest());
        }
        let after = self.samples.partition_point(|(t, _)| *t < at);
        match (
            after.checked_sub(1).and_then(|i| self.samples.get(i)),
            self.samples.get(after),
        ) {
            (_, Some((t, pose))) if *t == at => Ok(*pose),
            (Some((t0, a)), Some((t1, b))) => {
                let fraction = (at - *t0).nanos() as f64 / (*t1 - *t0).nanos() as f64;
                // Opposite rotations have no shorter arc; the nearer sample is as good as any.
                Ok(a.try_lerp_slerp(b, fraction, 1e-9)
                    .unwrap_or(if fraction < 0.5 { *a } else { *b }))
            }
            _ => Err(Error::Extrapolation {
                frame: child.into(),
                asked: at,
                oldest: self.samples.front().map_or(Time::ZERO, |s| s.0),
                newest: self.samples.back().map_or(Time::ZERO, |s| s.0),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(parent: &str, child: &str, t: i64, x: f64) -> StampedTransform {
        StampedTransform {
            stamp: Time::from_nanos(t),
            parent: parent.into(),
            child: child.into(),
            parent_from_child: Pose3::translation(x, 0.0, 0.0),
            is_static: false,
        }
    }

    fn buffer() -> TransformBuffer {
        let mut b = TransformBuffer::new(Duration::from_secs(10));
        b.insert(&edge("odom", "base_link", 0, 0.0)).unwrap();
        b.insert(&edge("odom", "base_link", 1_000, 1.0)).unwrap();
        b.insert(&StampedTransform {
            is_static: true,
            ..edge("base_link", "camera", 0, 0.5)
        })
        .unwrap();
        b
    }

    #[test]
    fn interpolates_along_the_tree_in_both_directions() {
        let b = buffer();
        let t = Time::from_nanos(250);
        assert!((b.lookup("odom", "camera", t).unwrap().translation.x - 0.75).abs() < 1e-12);
        assert!((b.lookup("camera", "odom", t).unwrap().translation.x + 0.75).abs() < 1e-12);
        assert!((b.latest("odom", "camera").unwrap().translation.x - 1.5).abs() < 1e-12);
    }

    #[test]
    fn errors_are_loud_and_specific() {
        let mut b = buffer();
        let t = Time::from_nanos(500);
        assert!(matches!(
            b.lookup("odom", "nowhere", t),
            Err(Error::UnknownFrame { .. })
        ));
        let late = Time::from_nanos(2_000);
        assert!(matches!(
            b.lookup("odom", "camera", late),
            Err(Error::Extrapolation { .. })
        ));
        assert!(
            b.lookup_within("odom", "camera", late, Duration::from_nanos(1_000))
                .is_ok()
        );
        b.insert(&edge("elsewhere", "thing", 0, 0.0)).unwrap();
        assert!(matches!(
            b.lookup("odom", "thing", t),
            Err(Error::Disconnected { .. })
        ));
        assert!(matches!(
            b.insert(&edge("camera", "odom", 0, 0.0)),
            Err(Error::BadTransform { .. })
        ));
        assert!(matches!(
            b.insert(&edge("thing", "camera", 0, 0.0)),
            Err(Error::BadTransform { .. })
        ));
        assert!(matches!(
            b.insert(&edge("odom", "base_link", 5, f64::NAN)),
            Err(Error::BadTransform { .. })
        ));
    }

    #[test]
    fn old_samples_are_forgotten_and_equal_stamps_replace() {
        let mut b = TransformBuffer::new(Duration::from_nanos(100));
        for t in 0..10 {
            b.insert(&edge("odom", "base_link", t * 50, t as f64)).unwrap();
        }
        assert!(b.lookup("odom", "base_link", Time::from_nanos(200)).is_err());
        b.insert(&edge("odom", "base_link", 450, 7.0)).unwrap();
        assert_eq!(b.latest("odom", "base_link").unwrap().translation.x, 7.0);
    }
}
