//! How old images are when the mapper begins with them, and where each of them went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_core::{Duration, Time};

use crate::mapper::Mapper;
use crate::message::{Message, Topic};
use crate::node::{Node, Outbox};

/// Counters of ages begin with this; then comes the age in whole milliseconds.
const AGE: &str = "image_age_ms_";
/// Ages from here on are counted together, milliseconds.
const OLDEST_MS: i64 = 10_000;
/// Counts images that were used although a newer one was complete.
const STALE: &str = "image_stale_used";
/// What an image can end as other than used: counters of the mapper and of what carries images to it.
const DROPS: &[&str] = &[
    "image_dropped",
    "image_out_of_order",
    "image_refused",
    "inbox_incomplete_head_camera/rgbd",
    "inbox_refused_head_camera/rgbd_frame",
    "inbox_refused_head_camera/rgbd_size",
    "inbox_stale_head_camera/rgbd",
    "odometry_jumped",
    "pose_refused",
    "scan_contradicted",
    "transform_missing",
];

/// The mapper, watched: counts how old each image is when it is begun with, in the time of the calls.
pub struct WatchedMapper {
    mapper: Mapper,
    ages_ms: BTreeMap<i64, u64>,
    stale: u64,
    /// Stamp of the newest segmentation: its image came before it.
    newest_complete: Option<Time>,
}

impl WatchedMapper {
    /// Watches a mapper.
    pub fn new(mapper: Mapper) -> Self {
        WatchedMapper {
            mapper,
            ages_ms: BTreeMap::new(),
            stale: 0,
            newest_complete: None,
        }
    }

    fn watch(&mut self, now: Time, newest_complete: Option<Time>, call: impl FnOnce(&mut Mapper)) {
        let images = |mapper: &Mapper| mapper.counters().get("images").copied().unwrap_or_default();
        let (last, before) = (self.mapper.last_image(), images(&self.mapper));
        call(&mut self.mapper);
        if let Some(stamp) = self.mapper.last_image().filter(|stamp| Some(*stamp) != last) {
            let age_ms = (now - stamp).nanos() / Duration::from_millis(1).nanos();
            *self.ages_ms.entry(age_ms.clamp(0, OLDEST_MS)).or_default() += 1;
            // Of several in one call all but the last were behind a newer one.
            self.stale += (images(&self.mapper) - before).saturating_sub(1);
            self.stale += u64::from(newest_complete.is_some_and(|newest| stamp < newest));
        }
        self.newest_complete = newest_complete;
    }
}

impl Node for WatchedMapper {
    fn name(&self) -> &'static str {
        self.mapper.name()
    }

    fn subscriptions(&self) -> &'static [Topic] {
        self.mapper.subscriptions()
    }

    fn period(&self) -> Option<Duration> {
        self.mapper.period()
    }

    fn on_message(&mut self, now: Time, message: &Message, out: &mut Outbox) {
        let complete = match message {
            Message::Segmentation(s) => Some(s.header.stamp),
            _ => None,
        };
        self.watch(now, self.newest_complete.max(complete), |mapper| {
            mapper.on_message(now, message, out);
        });
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.watch(now, self.newest_complete, |mapper| mapper.on_tick(now, out));
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = self.mapper.counters();
        counters.insert(STALE.into(), self.stale);
        counters.extend(self.ages_ms.iter().map(|(ms, n)| (format!("{AGE}{ms}"), *n)));
        counters
    }
}

/// Where images went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Images {
    /// Sent.
    pub frames_published: u64,
    /// Entered into the map.
    pub frames_used: u64,
    /// Dropped, by the counter that says so.
    pub frames_dropped: BTreeMap<String, u64>,
    /// Sent, and then neither used nor in any counter: 0 where none is lost in silence.
    pub frames_uncounted: i64,
    /// Age when the mapper begins with an image, from its stamp, milliseconds: half of the images are younger.
    pub age_ms_p50: f64,
    /// 99 of 100 are younger.
    pub age_ms_p99: f64,
    /// The oldest.
    pub age_ms_max: f64,
    /// Used although a newer one was complete.
    pub stale_used: u64,
}

impl Images {
    /// From how many were sent, and the counters of a [`WatchedMapper`] and of what carries images to it.
    pub fn of(published: u64, counters: &BTreeMap<String, u64>) -> Self {
        let count = |name: &str| counters.get(name).copied().unwrap_or_default();
        let dropped: BTreeMap<String, u64> = DROPS
            .iter()
            .map(|name| ((*name).to_owned(), count(name)))
            .filter(|(_, n)| *n > 0)
            .collect();
        let used = count("images");
        let mut ages: Vec<(u64, u64)> = counters
            .iter()
            .filter_map(|(name, n)| Some((name.strip_prefix(AGE)?.parse().ok()?, *n)))
            .collect();
        ages.sort_unstable();
        Images {
            frames_published: published,
            frames_used: used,
            frames_uncounted: published as i64 - used as i64 - dropped.values().sum::<u64>() as i64,
            frames_dropped: dropped,
            age_ms_p50: percentile(&ages, 0.5),
            age_ms_p99: percentile(&ages, 0.99),
            age_ms_max: percentile(&ages, 1.0),
            stale_used: count(STALE),
        }
    }

    /// Whether nothing more is to come of what was sent.
    pub fn are_all_accounted_for(&self) -> bool {
        self.frames_uncounted == 0
    }
}

/// The upper end of the millisecond below which this part of the ages is; 0 where there are none.
fn percentile(ages: &[(u64, u64)], part: f64) -> f64 {
    let total: u64 = ages.iter().map(|(_, n)| n).sum();
    let mut seen = 0;
    for (ms, n) in ages {
        seen += n;
        if seen as f64 >= part * total as f64 {
            return (ms + 1) as f64;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::camera::CameraIntrinsics;
    use steward_core::frames;
    use steward_core::geometry::Pose3;
    use steward_core::image::{Image, RgbdFrame, Segmentation};
    use steward_core::messages::{Header, StampedTransform, Transforms};

    use super::*;
    use crate::mapper::MapperConfig;
    use crate::node::message;

    const SIDE: u32 = 16;

    fn at(ms: i64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn image(ms: i64) -> Message {
        let pixels = (SIDE * SIDE) as usize;
        message(
            Message::Rgbd,
            RgbdFrame {
                header: Header::new(at(ms), frames::HEAD_CAMERA_OPTICAL),
                camera: CameraIntrinsics::from_horizontal_fov(SIDE, SIDE, 1.3),
                color: Arc::new(Image::new(SIDE, SIDE, vec![[0; 3]; pixels]).unwrap()),
                depth: Arc::new(Image::new(SIDE, SIDE, vec![2.0; pixels]).unwrap()),
            },
        )
    }

    fn labels(ms: i64) -> Message {
        let labels = Image::new(SIDE, SIDE, vec![0; (SIDE * SIDE) as usize]).unwrap();
        message(
            Message::Segmentation,
            Segmentation {
                header: Header::new(at(ms), frames::HEAD_CAMERA_OPTICAL),
                labels: Arc::new(labels),
                detections: Vec::new(),
            },
        )
    }

    fn transforms(ms: i64) -> Message {
        let edge = |parent: &str, child: &str| StampedTransform {
            stamp: at(ms),
            parent: parent.into(),
            child: child.into(),
            parent_from_child: Pose3::translation(0.0, 0.0, 0.5),
            is_static: false,
        };
        let transforms = vec![
            edge(frames::ODOM, frames::BASE_LINK),
            edge(frames::BASE_LINK, frames::HEAD_CAMERA_OPTICAL),
        ];
        message(Message::Transforms, Transforms { transforms })
    }

    fn watched(messages: &[(i64, Message)]) -> Images {
        let mut node = WatchedMapper::new(Mapper::new(MapperConfig::default()).unwrap());
        let mut published = 0;
        for (now, m) in messages {
            published += u64::from(m.topic() == Topic::Rgbd);
            node.on_message(at(*now), m, &mut Outbox::default());
        }
        Images::of(published, &node.counters())
    }

    #[test]
    fn the_age_is_from_the_stamp_to_the_call_in_which_an_image_is_used() {
        let images = watched(&[
            (100, transforms(100)),
            (105, image(100)),
            (112, labels(100)),
            (133, transforms(133)),
            (134, image(133)),
            (135, labels(133)),
        ]);
        assert_eq!((images.frames_published, images.frames_used), (2, 2));
        assert_eq!((images.age_ms_p50, images.age_ms_max), (3.0, 13.0));
        assert_eq!((images.stale_used, images.frames_uncounted), (0, 0));
    }

    #[test]
    fn images_that_a_late_transform_sets_free_together_are_stale_but_for_the_last() {
        let images = watched(&[
            (0, transforms(0)),
            (10, image(10)),
            (11, labels(10)),
            (40, image(40)),
            (41, labels(40)),
            (60, transforms(50)),
        ]);
        assert_eq!((images.frames_used, images.stale_used), (2, 1));
    }

    #[test]
    fn what_nobody_counted_shows() {
        let counters = BTreeMap::from([
            ("images".to_owned(), 90),
            ("image_dropped".to_owned(), 3),
            ("inbox_incomplete_head_camera/rgbd".to_owned(), 4),
            ("segmentation_missing".to_owned(), 7),
            (format!("{AGE}4"), 89),
            (format!("{AGE}40"), 1),
        ]);
        let images = Images::of(100, &counters);
        assert_eq!(images.frames_uncounted, 3);
        assert!(!images.are_all_accounted_for());
        assert_eq!(images.frames_dropped.len(), 2);
        assert_eq!(
            (images.age_ms_p50, images.age_ms_p99, images.age_ms_max),
            (5.0, 41.0, 41.0)
        );
        assert_eq!(Images::of(0, &BTreeMap::new()).age_ms_p99, 0.0);
    }
}
