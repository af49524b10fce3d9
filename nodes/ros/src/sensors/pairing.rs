//! Segmentations to the images that they are of. The nodes expect a segmentation after its image and with its stamp;
//! over ROS it may overtake the image, come much later, and have a stamp that differs a little.

use std::collections::VecDeque;

use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::Header;
use steward_core::{Duration, Time};

/// Images that a segmentation may still be of; detectors take their time.
const MAX_IMAGES: usize = 32;
/// Segmentations that may wait for their images.
const MAX_WAITING: usize = 4;
/// An image this much older than the one before is of a time that begins anew.
const JUMP: Duration = Duration::from_secs(1);

/// Images without segmentation and segmentations without image.
#[derive(Debug)]
pub(super) struct Pairing {
    bound: Duration,
    images: VecDeque<Header>,
    waiting: VecDeque<Segmentation>,
    given_up: u64,
}

impl Pairing {
    /// With a largest difference of stamps.
    pub(super) fn new(bound: Duration) -> Self {
        Pairing {
            bound,
            images: VecDeque::new(),
            waiting: VecDeque::new(),
            given_up: 0,
        }
    }

    /// An image passes; its segmentation, if that came before it.
    pub(super) fn image(&mut self, image: &RgbdFrame) -> Option<Segmentation> {
        let header = &image.header;
        if self
            .images
            .back()
            .is_some_and(|last| last.stamp - header.stamp > JUMP)
        {
            self.images.clear();
        }
        if self.images.len() >= MAX_IMAGES {
            self.images.pop_front();
        }
        self.images.push_back(header.clone());
        let mut found = None;
        for waiting in std::mem::take(&mut self.waiting) {
            if distance(waiting.header.stamp, header.stamp) <= self.bound && found.is_none() {
                found = self.segmentation(waiting);
            } else if waiting.header.stamp > header.stamp && waiting.header.stamp - header.stamp <= JUMP {
                self.waiting.push_back(waiting);
            } else {
                self.given_up += 1;
            }
        }
        found
    }

    /// A segmentation with the header of its image, if that has passed.
    pub(super) fn segmentation(&mut self, mut segmentation: Segmentation) -> Option<Segmentation> {
        let stamp = segmentation.header.stamp;
        let nearest = (0..self.images.len()).min_by_key(|&i| distance(self.images[i].stamp, stamp));
        if let Some(at) = nearest.filter(|&i| distance(self.images[i].stamp, stamp) <= self.bound) {
            segmentation.header = self.images.remove(at)?;
            return Some(segmentation);
        }
        if self.images.back().is_none_or(|newest| newest.stamp < stamp) {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
                self.given_up += 1;
            }
            self.waiting.push_back(segmentation);
        } else {
            self.given_up += 1;
        }
        None
    }

    /// How many segmentations found no image since this was asked last.
    pub(super) fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }
}

fn distance(a: Time, b: Time) -> Duration {
    if a > b { a - b } else { b - a }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::camera::CameraIntrinsics;
    use steward_core::image::Image;

    use super::*;

    fn header(ms: i64, frame: &str) -> Header {
        Header::new(Time::from_nanos(ms * 1_000_000), frame)
    }

    fn image(ms: i64) -> RgbdFrame {
        RgbdFrame {
            header: header(ms, "optical"),
            camera: CameraIntrinsics::from_horizontal_fov(1, 1, 1.0),
            color: Arc::new(Image::new(1, 1, vec![[0; 3]]).unwrap()),
            depth: Arc::new(Image::new(1, 1, vec![1.0]).unwrap()),
        }
    }

    fn labels(ms: i64) -> Segmentation {
        Segmentation {
            header: header(ms, "detector"),
            labels: Arc::new(Image::new(1, 1, vec![0]).unwrap()),
            detections: Vec::new(),
        }
    }

    fn within(ms: i64) -> Pairing {
        Pairing::new(Duration::from_millis(ms))
    }

    #[test]
    fn a_segmentation_gets_the_header_of_its_image_whichever_comes_first() {
        let mut pairing = within(10);
        let is_of = |s: Option<Segmentation>| s.map(|s| s.header);
        assert_eq!(pairing.segmentation(labels(1005)), None);
        assert_eq!(is_of(pairing.image(&image(1000))), Some(header(1000, "optical")));
        assert_eq!(pairing.image(&image(1100)), None);
        assert_eq!(pairing.image(&image(1200)), None);
        assert_eq!(
            is_of(pairing.segmentation(labels(1108))),
            Some(header(1100, "optical")),
            "late"
        );
        assert_eq!(pairing.segmentation(labels(1108)), None, "an image has one");
        assert_eq!(pairing.take_given_up(), 1);
        assert_eq!(pairing.segmentation(labels(1150)), None, "between two");
        assert_eq!([pairing.take_given_up(), pairing.take_given_up()], [1, 0]);
    }

    #[test]
    fn segmentations_whose_image_never_comes_are_given_up() {
        let mut pairing = within(0);
        for n in 0..10 {
            assert_eq!(pairing.segmentation(labels(n * 100)), None);
        }
        assert_eq!(pairing.take_given_up(), 10 - MAX_WAITING as u64);
        assert!(pairing.image(&image(800)).is_some());
        assert_eq!(pairing.take_given_up(), 2, "of 600 and 700");
        assert!(pairing.image(&image(900)).is_some());
        assert_eq!(pairing.take_given_up(), 0);
    }

    #[test]
    fn time_that_jumps_back_begins_anew() {
        let mut pairing = within(0);
        pairing.image(&image(100_000));
        pairing.segmentation(labels(200_000));
        pairing.image(&image(40));
        assert_eq!(pairing.take_given_up(), 1);
        assert!(pairing.segmentation(labels(40)).is_some());
        assert_eq!(pairing.segmentation(labels(80)), None);
        assert!(pairing.image(&image(80)).is_some());
    }
}
