//! The map: Gaussians as a structure of arrays.

use serde::{Deserialize, Serialize};
use steward_core::ids::ObjectId;
use steward_core::time::Time;

use crate::{Error, Result, Subset};

/// Spherical harmonics coefficients per colour channel at a degree.
pub const fn sh_coefficients(degree: u8) -> usize {
    (degree as usize + 1) * (degree as usize + 1)
}

/// Largest spherical harmonics degree.
pub const MAX_SH_DEGREE: u8 = 3;
/// The constant basis function of spherical harmonics: colour = 0.5 + `SH_C0` * first coefficient + ...
pub const SH_C0: f32 = 0.282_094_79;

/// Names one Gaussian for as long as it lives. Never reused within a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SplatId(pub u64);

/// One Gaussian with everything that the map knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// Centre in the world, metres.
    pub mean: [f32; 3],
    /// Natural logarithm of the standard deviations in metres along its own axes.
    pub log_scale: [f32; 3],
    /// World from its own axes as a quaternion (w, x, y, z); need not be normalised.
    pub rotation: [f32; 4],
    /// Logit of the opacity.
    pub opacity_logit: f32,
    /// Spherical harmonics coefficients, `[coefficient][rgb]`; those above the map's degree are ignored.
    pub sh: [[f32; 3]; 16],
    /// The object that it is part of.
    pub object: Option<ObjectId>,
    /// How sure the map is of it, 0 to 1.
    pub confidence: f32,
    /// When it was first observed.
    pub first_seen: Time,
    /// When it was last observed.
    pub last_seen: Time,
    /// Feature vector, as long as the map's `feature_len`.
    pub feature: Vec<f32>,
}

impl Default for Gaussian {
    /// A grey ball of one centimetre at the origin, half opaque.
    fn default() -> Self {
        Gaussian {
            mean: [0.0; 3],
            log_scale: [0.01f32.ln(); 3],
            rotation: [1.0, 0.0, 0.0, 0.0],
            opacity_logit: 0.0,
            sh: [[0.0; 3]; 16],
            object: None,
            confidence: 1.0,
            first_seen: Time::ZERO,
            last_seen: Time::ZERO,
            feature: Vec::new(),
        }
    }
}

impl Gaussian {
    /// Sets the colour (rgb, 0 to 1) seen from every direction.
    pub fn with_color(mut self, rgb: [f32; 3]) -> Self {
        self.sh = [[0.0; 3]; 16];
        self.sh[0] = rgb.map(|c| (c - 0.5) / SH_C0);
        self
    }
}

/// Gaussians in arrays of equal length, one entry per Gaussian, in the order of their ids.
///
/// Indices are positions in the arrays and change when Gaussians are deleted; [`SplatId`]s do not.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMap {
    sh_degree: u8,
    feature_len: usize,
    next_id: u64,
    /// Ascending.
    pub(crate) ids: Vec<SplatId>,
    pub(crate) means: Vec<[f32; 3]>,
    pub(crate) log_scales: Vec<[f32; 3]>,
    pub(crate) rotations: Vec<[f32; 4]>,
    pub(crate) opacity_logits: Vec<f32>,
    /// `sh_coefficients(sh_degree) * 3` per Gaussian, `[coefficient][rgb]`.
    pub(crate) sh: Vec<f32>,
    pub(crate) objects: Vec<Option<ObjectId>>,
    pub(crate) confidences: Vec<f32>,
    pub(crate) first_seen: Vec<Time>,
    pub(crate) last_seen: Vec<Time>,
    /// `feature_len` per Gaussian.
    pub(crate) features: Vec<f32>,
}

impl GaussianMap {
    /// An empty map.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a degree above 3 or more than 1024 features.
    pub fn new(sh_degree: u8, feature_len: usize) -> Result<Self> {
        if sh_degree > MAX_SH_DEGREE || feature_len > 1024 {
            return Err(Error::BadConfig(format!(
                "spherical harmonics of degree {sh_degree} and {feature_len} features; at most {MAX_SH_DEGREE} and 1024"
            )));
        }
        Ok(GaussianMap {
            sh_degree,
            feature_len,
            next_id: 0,
            ids: Vec::new(),
            means: Vec::new(),
            log_scales: Vec::new(),
            rotations: Vec::new(),
            opacity_logits: Vec::new(),
            sh: Vec::new(),
            objects: Vec::new(),
            confidences: Vec::new(),
            first_seen: Vec::new(),
            last_seen: Vec::new(),
            features: Vec::new(),
        })
    }

    /// Number of Gaussians.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Degree of the spherical harmonics, 0 to 3.
    pub fn sh_degree(&self) -> u8 {
        self.sh_degree
    }

    /// Floats of spherical harmonics per Gaussian.
    pub fn sh_stride(&self) -> usize {
        sh_coefficients(self.sh_degree) * 3
    }

    /// Floats of the feature vector per Gaussian; 0 where there are none.
    pub fn feature_len(&self) -> usize {
        self.feature_len
    }

    /// Makes room for `additional` more.
    pub fn reserve(&mut self, additional: usize) {
        self.ids.reserve(additional);
        self.means.reserve(additional);
        self.log_scales.reserve(additional);
        self.rotations.reserve(additional);
        self.opacity_logits.reserve(additional);
        self.sh.reserve(additional * self.sh_stride());
        self.objects.reserve(additional);
        self.confidences.reserve(additional);
        self.first_seen.reserve(additional);
        self.last_seen.reserve(additional);
        self.features.reserve(additional * self.feature_len);
    }

    /// Appends one Gaussian.
    ///
    /// # Errors
    /// [`Error::BadGaussian`] for a feature vector of another length than the map's.
    pub fn push(&mut self, g: &Gaussian) -> Result<SplatId> {
        if g.feature.len() != self.feature_len {
            return Err(Error::BadGaussian(format!(
                "its feature vector has {} entries, the map's have {}",
                g.feature.len(),
                self.feature_len
            )));
        }
        let id = SplatId(self.next_id);
        self.next_id += 1;
        let stride = self.sh_stride();
        self.ids.push(id);
        self.means.push(g.mean);
        self.log_scales.push(g.log_scale);
        self.rotations.push(g.rotation);
        self.opacity_logits.push(g.opacity_logit);
        self.sh.extend_from_slice(&g.sh.as_flattened()[..stride]);
        self.objects.push(g.object);
        self.confidences.push(g.confidence);
        self.first_seen.push(g.first_seen);
        self.last_seen.push(g.last_seen);
        self.features.extend_from_slice(&g.feature);
        Ok(id)
    }

    /// Gives the Gaussians the ids that they had in a file: ascending, one for each.
    pub(crate) fn restore_ids(&mut self, ids: Vec<SplatId>) {
        debug_assert!(ids.len() == self.len() && ids.is_sorted());
        self.next_id = ids.last().map_or(0, |id| id.0 + 1);
        self.ids = ids;
    }

    /// A copy of the Gaussian at an index.
    pub fn get(&self, index: usize) -> Option<Gaussian> {
        if index >= self.len() {
            return None;
        }
        let stride = self.sh_stride();
        let mut sh = [[0.0; 3]; 16];
        sh.as_flattened_mut()[..stride].copy_from_slice(&self.sh[index * stride..(index + 1) * stride]);
        Some(Gaussian {
            mean: self.means[index],
            log_scale: self.log_scales[index],
            rotation: self.rotations[index],
            opacity_logit: self.opacity_logits[index],
            sh,
            object: self.objects[index],
            confidence: self.confidences[index],
            first_seen: self.first_seen[index],
            last_seen: self.last_seen[index],
            feature: self.features[index * self.feature_len..(index + 1) * self.feature_len].to_vec(),
        })
    }

    /// Where the Gaussian with an id is now; `None` where it was deleted or never existed.
    pub fn index_of(&self, id: SplatId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// The Gaussians for which `predicate` of the index holds.
    pub fn select(&self, predicate: impl FnMut(usize) -> bool) -> Subset {
        Subset::from_mask((0..self.len()).map(predicate).collect())
    }

    /// The Gaussians of one object.
    pub fn select_object(&self, object: ObjectId) -> Subset {
        self.select(|i| self.objects[i] == Some(object))
    }

    /// Deletes a subset; the others keep their order and ids.
    ///
    /// # Errors
    /// [`Error::SubsetSize`] for a subset of another map size.
    pub fn delete(&mut self, subset: &Subset) -> Result<()> {
        subset.check(self.len())?;
        let keep: Vec<bool> = subset.mask().iter().map(|m| !m).collect();
        let (stride, features) = (self.sh_stride(), self.feature_len);
        retain(&mut self.ids, &keep, 1);
        retain(&mut self.means, &keep, 1);
        retain(&mut self.log_scales, &keep, 1);
        retain(&mut self.rotations, &keep, 1);
        retain(&mut self.opacity_logits, &keep, 1);
        retain(&mut self.sh, &keep, stride);
        retain(&mut self.objects, &keep, 1);
        retain(&mut self.confidences, &keep, 1);
        retain(&mut self.first_seen, &keep, 1);
        retain(&mut self.last_seen, &keep, 1);
        retain(&mut self.features, &keep, features);
        Ok(())
    }

    /// A map of a subset alone, with the same ids.
    ///
    /// # Errors
    /// [`Error::SubsetSize`] for a subset of another map size.
    pub fn extracted(&self, subset: &Subset) -> Result<Self> {
        let mut map = self.clone();
        map.delete(&subset.complement())?;
        Ok(map)
    }

    /// Appends all Gaussians of another map under new ids and returns the range of their indices. Coefficients above
    /// this map's degree are dropped, missing ones are zero.
    ///
    /// # Errors
    /// [`Error::BadGaussian`] where the feature vectors differ in length.
    pub fn merge(&mut self, other: &GaussianMap) -> Result<std::ops::Range<usize>> {
        if other.feature_len != self.feature_len {
            return Err(Error::BadGaussian(format!(
                "the other map's feature vectors have {} entries, this map's {}",
                other.feature_len, self.feature_len
            )));
        }
        let start = self.len();
        self.reserve(other.len());
        self.ids.extend((self.next_id..).map(SplatId).take(other.len()));
        self.next_id += other.len() as u64;
        self.means.extend_from_slice(&other.means);
        self.log_scales.extend_from_slice(&other.log_scales);
        self.rotations.extend_from_slice(&other.rotations);
        self.opacity_logits.extend_from_slice(&other.opacity_logits);
        let (ours, theirs) = (self.sh_stride(), other.sh_stride());
        for row in other.sh.chunks_exact(theirs) {
            self.sh.extend_from_slice(&row[..ours.min(theirs)]);
            self.sh
                .extend(std::iter::repeat_n(0.0, ours.saturating_sub(theirs)));
        }
        self.objects.extend_from_slice(&other.objects);
        self.confidences.extend_from_slice(&other.confidences);
        self.first_seen.extend_from_slice(&other.first_seen);
        self.last_seen.extend_from_slice(&other.last_seen);
        self.features.extend_from_slice(&other.features);
        Ok(start..self.len())
    }

    /// The same Gaussians with spherical harmonics of another degree: cut, or filled with zeros.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a degree above 3.
    pub fn with_sh_degree(&self, sh_degree: u8) -> Result<Self> {
        let mut map = GaussianMap::new(sh_degree, self.feature_len)?;
        map.merge(self)?;
        map.ids.clone_from(&self.ids);
        map.next_id = self.next_id;
        Ok(map)
    }

    /// Bytes that one Gaussian takes.
    pub fn bytes_per_gaussian(&self) -> usize {
        8 + 4 * (3 + 3 + 4 + 1 + self.sh_stride() + self.feature_len) + 8 + 4 + 16
    }

    /// # Errors
    /// [`Error::BadGaussian`] names the first Gaussian with a value that is not finite, or a zero rotation.
    pub fn validate(&self) -> Result<()> {
        let (stride, features) = (self.sh_stride(), self.feature_len);
        for i in 0..self.len() {
            let finite = self.means[i].iter().all(|x| x.is_finite())
                && self.log_scales[i].iter().all(|x| x.is_finite())
                && self.rotations[i].iter().all(|x| x.is_finite())
                && self.opacity_logits[i].is_finite()
                && self.sh[i * stride..(i + 1) * stride]
                    .iter()
                    .all(|x| x.is_finite())
                && self.features[i * features..(i + 1) * features]
                    .iter()
                    .all(|x| x.is_finite());
            if !finite {
                return Err(Error::BadGaussian(format!(
                    "Gaussian {i} has a value that is not finite"
                )));
            }
            if self.rotations[i] == [0.0; 4] {
                return Err(Error::BadGaussian(format!("Gaussian {i} has a zero rotation")));
            }
        }
        Ok(())
    }
}

/// For checkpoints.
impl GaussianMap {
    /// The id that comes next.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    pub(crate) fn set_next_id(&mut self, next_id: u64) {
        self.next_id = next_id;
    }
}

/// Access to the arrays.
impl GaussianMap {
    /// Ids, ascending.
    pub fn ids(&self) -> &[SplatId] {
        &self.ids
    }

    /// Centres, metres.
    pub fn means(&self) -> &[[f32; 3]] {
        &self.means
    }

    /// Centres, metres.
    pub fn means_mut(&mut self) -> &mut [[f32; 3]] {
        &mut self.means
    }

    /// Logarithms of the standard deviations in metres.
    pub fn log_scales(&self) -> &[[f32; 3]] {
        &self.log_scales
    }

    /// Logarithms of the standard deviations in metres.
    pub fn log_scales_mut(&mut self) -> &mut [[f32; 3]] {
        &mut self.log_scales
    }

    /// Quaternions (w, x, y, z), not normalised.
    pub fn rotations(&self) -> &[[f32; 4]] {
        &self.rotations
    }

    /// Quaternions (w, x, y, z), not normalised.
    pub fn rotations_mut(&mut self) -> &mut [[f32; 4]] {
        &mut self.rotations
    }

    /// Logits of the opacities.
    pub fn opacity_logits(&self) -> &[f32] {
        &self.opacity_logits
    }

    /// Logits of the opacities.
    pub fn opacity_logits_mut(&mut self) -> &mut [f32] {
        &mut self.opacity_logits
    }

    /// Spherical harmonics, [`GaussianMap::sh_stride`] floats per Gaussian, `[coefficient][rgb]`.
    pub fn sh(&self) -> &[f32] {
        &self.sh
    }

    /// Spherical harmonics, [`GaussianMap::sh_stride`] floats per Gaussian, `[coefficient][rgb]`.
    pub fn sh_mut(&mut self) -> &mut [f32] {
        &mut self.sh
    }

    /// The objects that the Gaussians are part of.
    pub fn objects(&self) -> &[Option<ObjectId>] {
        &self.objects
    }

    /// The objects that the Gaussians are part of.
    pub fn objects_mut(&mut self) -> &mut [Option<ObjectId>] {
        &mut self.objects
    }

    /// Confidences, 0 to 1.
    pub fn confidences(&self) -> &[f32] {
        &self.confidences
    }

    /// Confidences, 0 to 1.
    pub fn confidences_mut(&mut self) -> &mut [f32] {
        &mut self.confidences
    }

    /// Times of first observation.
    pub fn first_seen(&self) -> &[Time] {
        &self.first_seen
    }

    /// Times of first observation.
    pub fn first_seen_mut(&mut self) -> &mut [Time] {
        &mut self.first_seen
    }

    /// Times of last observation.
    pub fn last_seen(&self) -> &[Time] {
        &self.last_seen
    }

    /// Times of last observation.
    pub fn last_seen_mut(&mut self) -> &mut [Time] {
        &mut self.last_seen
    }

    /// Feature vectors, [`GaussianMap::feature_len`] floats per Gaussian.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// Feature vectors, [`GaussianMap::feature_len`] floats per Gaussian.
    pub fn features_mut(&mut self) -> &mut [f32] {
        &mut self.features
    }
}

/// Keeps the rows of `stride` values whose flag is set, in order.
pub(crate) fn retain<T: Copy>(values: &mut Vec<T>, keep: &[bool], stride: usize) {
    if stride == 0 {
        return;
    }
    let mut to = 0;
    for (i, _) in keep.iter().enumerate().filter(|(_, k)| **k) {
        values.copy_within(i * stride..(i + 1) * stride, to * stride);
        to += 1;
    }
    values.truncate(to * stride);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> GaussianMap {
        let mut map = GaussianMap::new(1, 2).unwrap();
        for i in 0..3 {
            let mut g = Gaussian {
                mean: [i as f32; 3],
                feature: vec![i as f32, -1.0],
                object: (i == 1).then_some(ObjectId(7)),
                ..Gaussian::default()
            };
            g.sh[3] = [i as f32; 3];
            map.push(&g).unwrap();
        }
        map
    }

    #[test]
    fn ids_outlive_deletion() {
        let mut map = three();
        map.delete(&map.select_object(ObjectId(7))).unwrap();
        assert_eq!(map.ids(), [SplatId(0), SplatId(2)]);
        assert_eq!(map.index_of(SplatId(2)), Some(1));
        assert_eq!(map.index_of(SplatId(1)), None);
        let g = map.get(1).unwrap();
        assert_eq!(
            (g.mean, g.sh[3], g.feature.clone()),
            ([2.0; 3], [2.0; 3], vec![2.0, -1.0])
        );
        assert_eq!(map.push(&g).unwrap(), SplatId(3));
    }

    #[test]
    fn merging_gives_new_ids_and_fits_the_degree() {
        let mut map = three().with_sh_degree(3).unwrap();
        assert_eq!(map.merge(&three()).unwrap(), 3..6);
        assert_eq!(map.get(5).unwrap().sh, map.get(2).unwrap().sh);
        assert_eq!(map.ids()[5], SplatId(5));
        assert!(map.ids().is_sorted());
    }

    #[test]
    fn a_subset_of_another_map_is_refused() {
        let mut map = three();
        assert!(matches!(
            map.delete(&Subset::all(2)),
            Err(Error::SubsetSize { .. })
        ));
        let bad = Gaussian::default();
        assert!(matches!(map.push(&bad), Err(Error::BadGaussian(_))));
    }
}
