//! What a detector says: instances with classes, numbered anew in every image.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use steward_core::image::{Detection, Image, LabelImage};

use super::CameraSensorConfig;
use super::noise::uniform;
use crate::render::PixelId;

/// Lowest score of a detector that makes mistakes.
const LEAST_SCORE: f64 = 0.7;

pub(super) fn detect(
    config: &CameraSensorConfig,
    rng: &mut ChaCha8Rng,
    ids: &Image<u32>,
    class_of: impl Fn(PixelId) -> Option<String>,
) -> (LabelImage, Vec<Detection>) {
    let merged = |id: u32| match PixelId::decode(id) {
        PixelId::Robot { .. } => PixelId::Robot { link: 0 }.encode(),
        _ => id,
    };
    let mut sizes: BTreeMap<u32, u32> = BTreeMap::new();
    for run in ids.data().chunk_by(|a, b| a == b) {
        *sizes.entry(merged(run[0])).or_default() += run.len() as u32;
    }
    sizes.remove(&0);
    let mut seen: Vec<(u32, String)> = Vec::new();
    for (&id, &pixels) in &sizes {
        let missed = uniform(rng) < config.missed_instances;
        if pixels >= config.min_instance_pixels
            && !missed
            && let Some(class) = class_of(PixelId::decode(id))
        {
            seen.push((id, class));
        }
    }
    // Fisher and Yates; what has no number left is not detected.
    for i in (1..seen.len()).rev() {
        seen.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
    seen.truncate(u16::MAX as usize);
    let is_perfect = config.missed_instances == 0.0 && config.confused_instances == 0.0;
    let mut numbers: BTreeMap<u32, u16> = BTreeMap::new();
    let mut detections = Vec::with_capacity(seen.len());
    for (i, (id, class)) in seen.iter().enumerate() {
        let (confused, other) = (uniform(rng), rng.next_u64() as usize % seen.len());
        let score = LEAST_SCORE + (1.0 - LEAST_SCORE) * uniform(rng);
        let class = if confused < config.confused_instances {
            &seen[other].1
        } else {
            class
        };
        let instance = i as u16 + 1;
        numbers.insert(*id, instance);
        detections.push(Detection {
            instance,
            class: class.clone(),
            score: if is_perfect { 1.0 } else { score as f32 },
        });
    }
    let mut labels = vec![0u16; ids.data().len()];
    let mut start = 0;
    for run in ids.data().chunk_by(|a, b| a == b) {
        if let Some(&number) = numbers.get(&merged(run[0])) {
            labels[start..start + run.len()].fill(number);
        }
        start += run.len();
    }
    let labels = Image::new(ids.width(), ids.height(), labels).expect("as many labels as ids");
    (labels, detections)
}
