//! Interrupting a fit and going on with it later.
//!
//! Layout: a magic, the length of a JSON header, the header (configuration, iteration, counts, state per keyframe), then
//! the arrays of the map and of the optimiser, little-endian. Keyframes' images are not in it.

use std::io::{Read, Write};

use nalgebra as na;
use serde::{Deserialize, Serialize};
use steward_core::geometry::Pose3;
use steward_core::ids::ObjectId;
use steward_core::time::Time;

use super::{Exposure, Fit, FitConfig, FrameState, Keyframe, Moments};
use crate::map::GaussianMap;
use crate::{Error, Result, SplatId, Subset};

const MAGIC: &[u8; 8] = b"STWFIT01";
/// Longest header accepted, bytes.
const MAX_HEADER: u64 = 1 << 28;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    config: FitConfig,
    iteration: u64,
    gaussians: usize,
    sh_degree: u8,
    feature_len: usize,
    next_id: u64,
    restricted: bool,
    /// Bits of [`FrameState::to_numbers`], since decimal numbers would be rounded.
    frames: Vec<Vec<u64>>,
}

const FRAME_NUMBERS: usize = 38;

impl FrameState {
    fn to_numbers(self) -> [f64; FRAME_NUMBERS] {
        let mut out = [0.0; FRAME_NUMBERS];
        let exposure = self
            .exposure
            .gain
            .iter()
            .chain(&self.exposure.offset)
            .map(|&x| f64::from(x));
        let moments = self
            .exposure_moments
            .iter()
            .chain(&self.pose_moments)
            .flatten()
            .copied();
        let pose = &self.correction;
        let correction = pose
            .translation
            .vector
            .iter()
            .chain(pose.rotation.coords.iter())
            .copied();
        let all = exposure
            .chain(moments)
            .chain(correction)
            .chain([f64::from(self.visits)]);
        out.iter_mut().zip(all).for_each(|(o, x)| *o = x);
        out
    }

    fn from_numbers(n: &[f64; FRAME_NUMBERS]) -> Self {
        let six = |at: usize| std::array::from_fn(|k| n[at + k]);
        let rotation = na::Quaternion::new(n[36], n[33], n[34], n[35]);
        FrameState {
            exposure: Exposure {
                gain: std::array::from_fn(|k| n[k] as f32),
                offset: std::array::from_fn(|k| n[3 + k] as f32),
            },
            exposure_moments: [six(6), six(12)],
            pose_moments: [six(18), six(24)],
            correction: Pose3::from_parts(
                na::Translation3::new(n[30], n[31], n[32]),
                na::UnitQuaternion::new_unchecked(rotation),
            ),
            visits: n[37] as u32,
        }
    }
}

impl Fit {
    /// Writes everything but the keyframes' images.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, to: &mut dyn Write) -> Result<()> {
        let (map, moments) = (&self.map, &self.moments);
        let header = Header {
            config: self.config,
            iteration: self.iteration,
            gaussians: map.len(),
            sh_degree: map.sh_degree(),
            feature_len: map.feature_len(),
            next_id: map.next_id(),
            restricted: self.free.is_some(),
            frames: self
                .frames
                .iter()
                .map(|f| f.to_numbers().map(f64::to_bits).to_vec())
                .collect(),
        };
        let json = serde_json::to_vec(&header).map_err(|e| Error::BadCheckpoint(e.to_string()))?;
        to.write_all(MAGIC)?;
        to.write_all(&(json.len() as u64).to_le_bytes())?;
        to.write_all(&json)?;
        let mut floats = |values: &[f32]| -> Result<()> {
            for part in values.chunks(1 << 14) {
                let bytes: Vec<u8> = part.iter().flat_map(|x| x.to_le_bytes()).collect();
                to.write_all(&bytes)?;
            }
            Ok(())
        };
        floats(map.means.as_flattened())?;
        floats(map.log_scales.as_flattened())?;
        floats(map.rotations.as_flattened())?;
        floats(&map.opacity_logits)?;
        floats(&map.sh)?;
        floats(&map.confidences)?;
        floats(&map.features)?;
        floats(moments.means.as_flattened().as_flattened())?;
        floats(moments.log_scales.as_flattened().as_flattened())?;
        floats(moments.rotations.as_flattened().as_flattened())?;
        floats(moments.opacity_logits.as_flattened())?;
        floats(&moments.sh)?;
        floats(moments.growth.as_flattened())?;
        for i in 0..map.len() {
            let free = self.free.as_ref().is_none_or(|f| f.contains(i));
            let object = map.objects[i].map_or(0, |o| u64::from(o.0) + 1);
            to.write_all(&map.ids[i].0.to_le_bytes())?;
            to.write_all(&object.to_le_bytes())?;
            to.write_all(&map.first_seen[i].nanos().to_le_bytes())?;
            to.write_all(&map.last_seen[i].nanos().to_le_bytes())?;
            to.write_all(&moments.steps[i].to_le_bytes())?;
            to.write_all(&[u8::from(free)])?;
        }
        Ok(())
    }

    /// Goes on where [`Fit::save`] was called, with the same keyframes in the same order: the same bytes come out as
    /// without the interruption.
    ///
    /// # Errors
    /// [`Error::BadCheckpoint`] for what was not written by `save`, or another number of keyframes; [`Error::Io`] where
    /// it ends early.
    pub fn resume(from: &mut dyn Read, keyframes: Vec<Keyframe>) -> Result<Self> {
        let mut word = [0u8; 8];
        from.read_exact(&mut word)?;
        if &word != MAGIC {
            return Err(Error::BadCheckpoint(
                "it does not start like one; was it written by `save`?".into(),
            ));
        }
        from.read_exact(&mut word)?;
        let length = u64::from_le_bytes(word);
        if length > MAX_HEADER {
            return Err(Error::BadCheckpoint(format!(
                "a header of {length} bytes is not believable"
            )));
        }
        let mut json = Vec::new();
        from.take(length).read_to_end(&mut json)?;
        let header: Header =
            serde_json::from_slice(&json).map_err(|e| Error::BadCheckpoint(e.to_string()))?;
        if header.frames.len() != keyframes.len() {
            return Err(Error::BadCheckpoint(format!(
                "it is about {} keyframes, not {}; pass those it was made with",
                header.frames.len(),
                keyframes.len()
            )));
        }
        let n = header.gaussians;
        let mut map = GaussianMap::new(header.sh_degree, header.feature_len)?;
        let sh = map.sh_stride();
        map.means = rows(from, n)?;
        map.log_scales = rows(from, n)?;
        map.rotations = rows(from, n)?;
        map.opacity_logits = floats(from, n)?;
        map.sh = floats(from, n * sh)?;
        map.confidences = floats(from, n)?;
        map.features = floats(from, n * header.feature_len)?;
        let mut moments = Moments::new(&map);
        moments.means = pairs(rows(from, 2 * n)?);
        moments.log_scales = pairs(rows(from, 2 * n)?);
        moments.rotations = pairs(rows(from, 2 * n)?);
        moments.opacity_logits = rows(from, n)?;
        moments.sh = floats(from, 2 * n * sh)?;
        moments.growth = rows(from, n)?;
        let mut free = Vec::new();
        for _ in 0..n {
            let mut row = [0u8; 37];
            from.read_exact(&mut row)?;
            let word = |k: usize| {
                let mut bytes = [0u8; 8];
                bytes.copy_from_slice(&row[8 * k..8 * k + 8]);
                u64::from_le_bytes(bytes)
            };
            map.ids.push(SplatId(word(0)));
            map.objects
                .push(word(1).checked_sub(1).map(|o| ObjectId(o as u32)));
            map.first_seen.push(Time::from_nanos(word(2) as i64));
            map.last_seen.push(Time::from_nanos(word(3) as i64));
            moments
                .steps
                .push(u32::from_le_bytes([row[32], row[33], row[34], row[35]]));
            free.push(row[36] != 0);
        }
        if !map.ids.is_sorted_by(|a, b| a < b) || map.ids.last().is_some_and(|last| last.0 >= header.next_id)
        {
            return Err(Error::BadCheckpoint(
                "its ids are not ascending; it is damaged".into(),
            ));
        }
        map.set_next_id(header.next_id);
        let mut fit = Fit::new(header.config, map)?;
        fit.moments = moments;
        fit.iteration = header.iteration;
        fit.free = header.restricted.then(|| Subset::from_mask(free));
        for keyframe in keyframes {
            fit.add_keyframe(keyframe)?;
        }
        for (frame, bits) in fit.frames.iter_mut().zip(header.frames) {
            let numbers: [u64; FRAME_NUMBERS] = bits
                .try_into()
                .map_err(|_| Error::BadCheckpoint("a keyframe's state is damaged".into()))?;
            *frame = FrameState::from_numbers(&numbers.map(f64::from_bits));
        }
        Ok(fit)
    }
}

/// Reads `count` numbers; grows with what is really read.
fn floats(from: &mut dyn Read, count: usize) -> Result<Vec<f32>> {
    let mut out = Vec::new();
    let mut bytes = vec![0u8; 1 << 16];
    let mut left = count;
    while left > 0 {
        let now = left.min(1 << 14);
        from.read_exact(&mut bytes[..4 * now])?;
        out.extend(
            bytes[..4 * now]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        );
        left -= now;
    }
    Ok(out)
}

fn rows<const N: usize>(from: &mut dyn Read, count: usize) -> Result<Vec<[f32; N]>> {
    Ok(floats(from, count * N)?.as_chunks::<N>().0.to_vec())
}

fn pairs<const N: usize>(rows: Vec<[f32; N]>) -> Vec<[[f32; N]; 2]> {
    rows.as_chunks::<2>().0.to_vec()
}
