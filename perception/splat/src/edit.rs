//! Moving parts of a map.

use nalgebra as na;
use steward_core::geometry::Pose3;

use crate::map::{GaussianMap, sh_coefficients};
use crate::math::sh_basis;
use crate::{Error, Result, Subset};

/// Directions that determine the coefficients of a band of spherical harmonics well.
const DIRECTIONS: [[f64; 3]; 7] = [
    [0.0, 0.3, 1.0],
    [1.0, 0.2, 0.1],
    [-0.4, 1.0, 0.3],
    [0.7, -0.6, 0.5],
    [-0.6, -0.5, 0.8],
    [0.5, 0.9, -0.7],
    [-0.9, 0.4, 0.2],
];

impl GaussianMap {
    /// Moves a subset rigidly: centres, rotations and the directions in which its colours are seen.
    ///
    /// # Errors
    /// [`Error::SubsetSize`]; [`Error::BadConfig`] for a motion that is not finite.
    pub fn transform(&mut self, subset: &Subset, new_from_old: &Pose3) -> Result<()> {
        subset.check(self.len())?;
        let finite = new_from_old.translation.vector.iter().all(|x| x.is_finite())
            && new_from_old.rotation.coords.iter().all(|x| x.is_finite());
        if !finite {
            return Err(Error::BadConfig("the motion is not finite".into()));
        }
        let q = new_from_old.rotation.cast::<f32>();
        let bands: Vec<na::DMatrix<f32>> = (1..=self.sh_degree())
            .map(|band| band_rotation(band, new_from_old))
            .collect();
        let stride = self.sh_stride();
        for i in subset.indices() {
            let mean = na::Point3::from(self.means[i].map(f64::from));
            self.means[i] = (new_from_old * mean).coords.map(|x| x as f32).into();
            let [w, x, y, z] = self.rotations[i];
            let turned = q.into_inner() * na::Quaternion::new(w, x, y, z);
            self.rotations[i] = [turned.w, turned.i, turned.j, turned.k];
            let sh = &mut self.sh[i * stride..(i + 1) * stride];
            for (band, rotation) in (1..).zip(&bands) {
                let (start, end) = (sh_coefficients(band - 1), sh_coefficients(band));
                for channel in 0..3 {
                    let old = na::DVector::from_fn(end - start, |k, _| sh[(start + k) * 3 + channel]);
                    for (k, new) in (rotation * old).iter().enumerate() {
                        sh[(start + k) * 3 + channel] = *new;
                    }
                }
            }
        }
        Ok(())
    }
}

/// How the coefficients of a band change under a rotation: new coefficients seen from a direction must give what the
/// old ones gave from the direction turned back, which as many directions as coefficients determine.
fn band_rotation(band: u8, new_from_old: &Pose3) -> na::DMatrix<f32> {
    let (start, end) = (sh_coefficients(band - 1), sh_coefficients(band));
    let n = end - start;
    let rows = |turned_back: bool| {
        na::DMatrix::<f64>::from_fn(n, n, |row, k| {
            let d = na::Vector3::from(DIRECTIONS[row]).normalize();
            let d = if turned_back {
                new_from_old.rotation.inverse() * d
            } else {
                d
            };
            f64::from(sh_basis([d.x as f32, d.y as f32, d.z as f32], band)[start + k])
        })
    };
    let solved = rows(false).lu().solve(&rows(true));
    solved.unwrap_or_else(|| na::DMatrix::identity(n, n)).cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gaussian;

    #[test]
    fn colours_turn_with_the_object() {
        let mut map = GaussianMap::new(3, 0).unwrap();
        let mut g = Gaussian::default();
        for (k, c) in g.sh.as_flattened_mut().iter_mut().enumerate() {
            *c = ((k * 7 % 11) as f32 - 5.0) * 0.1;
        }
        map.push(&g).unwrap();
        map.push(&g).unwrap();
        let motion = Pose3::new(na::Vector3::new(1.0, 2.0, 3.0), na::Vector3::new(0.4, -1.1, 0.7));
        map.transform(&Subset::from_indices(2, [1]), &motion).unwrap();
        assert_eq!(map.get(0).unwrap(), g);
        let moved = map.get(1).unwrap();
        assert!((moved.mean[2] - 3.0).abs() < 1e-6);
        let value = |sh: &[[f32; 3]; 16], d: na::Vector3<f64>| -> f32 {
            let basis = sh_basis([d.x as f32, d.y as f32, d.z as f32], 3);
            basis.iter().zip(sh).map(|(b, c)| b * c[1]).sum()
        };
        for d in [[1.0, 0.0, 0.0], [0.2, -0.5, 0.9], [-0.7, 0.7, 0.1]] {
            let d = na::Vector3::from(d).normalize();
            let (old, new) = (value(&g.sh, d), value(&moved.sh, motion.rotation * d));
            assert!((old - new).abs() < 1e-4, "{old} {new}");
        }
    }
}
