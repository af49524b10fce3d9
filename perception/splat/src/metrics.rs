//! How close a rendering is to the truth.

use rayon::prelude::*;

use crate::{Error, Result};

/// Peak signal-to-noise ratio in dB of values between 0 and 1; infinite for equal images.
///
/// # Errors
/// [`Error::BadImage`] for images of different or no size.
pub fn psnr_db(truth: &[f32], render: &[f32]) -> Result<f64> {
    if truth.len() != render.len() || truth.is_empty() {
        return Err(Error::BadImage(format!(
            "{} and {} values cannot be compared",
            truth.len(),
            render.len()
        )));
    }
    let squares = truth.iter().zip(render).map(|(a, b)| f64::from(a - b).powi(2));
    Ok(-10.0 * (squares.sum::<f64>() / truth.len() as f64).log10())
}

/// Weights of the 11 taps of a Gaussian with standard deviation 1.5.
fn window() -> [f64; 11] {
    let weights: [f64; 11] = std::array::from_fn(|i| (-(i as f64 - 5.0).powi(2) / (2.0 * 1.5 * 1.5)).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}

/// Structural similarity after Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity"
/// (2004): Gaussian window of 11x11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03, range 1, mean over the pixels whose
/// window lies inside the image and over the channels. The same as scikit-image's `structural_similarity` with
/// `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1`.
///
/// Images are interleaved rgb with values between 0 and 1.
///
/// # Errors
/// [`Error::BadImage`] for images of another size than given, or smaller than the window.
pub fn ssim(truth: &[f32], render: &[f32], width: usize, height: usize) -> Result<f64> {
    let window = window();
    let taps = window.len();
    if truth.len() != render.len()
        || width.checked_mul(height).and_then(|n| n.checked_mul(3)) != Some(truth.len())
        || width < taps
        || height < taps
    {
        return Err(Error::BadImage(format!(
            "{} and {} values are no two rgb images of {width}x{height}, at least 11x11",
            truth.len(),
            render.len()
        )));
    }
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let columns = 3 * (width - taps + 1);
    // Sums of one row of windows: first down, then across.
    let row_sum = |row: usize| -> f64 {
        let mut down = vec![[0.0; 5]; 3 * width];
        for (tap, weight) in window.iter().enumerate() {
            let start = 3 * width * (row + tap);
            let (a, b) = (
                &truth[start..start + 3 * width],
                &render[start..start + 3 * width],
            );
            for ((sums, a), b) in down.iter_mut().zip(a).zip(b) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                for (sum, value) in sums.iter_mut().zip([a, b, a * a, b * b, a * b]) {
                    *sum += weight * value;
                }
            }
        }
        (0..columns)
            .map(|at| {
                let mut sums = [0.0; 5];
                for (tap, weight) in window.iter().enumerate() {
                    for (sum, value) in sums.iter_mut().zip(&down[at + 3 * tap]) {
                        *sum += weight * value;
                    }
                }
                let [a, b, aa, bb, ab] = sums;
                let (va, vb, vab) = (aa - a * a, bb - b * b, ab - a * b);
                (2.0 * a * b + c1) * (2.0 * vab + c2) / ((a * a + b * b + c1) * (va + vb + c2))
            })
            .sum()
    };
    // Collected before it is added up, so that the order does not depend on threads.
    let rows: Vec<f64> = (0..=height - taps).into_par_iter().map(row_sum).collect();
    Ok(rows.iter().sum::<f64>() / (rows.len() * columns) as f64)
}

/// How far depths are from the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthError {
    /// Mean absolute difference in metres over the pixels where both have a depth; NaN where there is none.
    pub l1_m: f64,
    /// Share of the pixels with a true depth where the rendering has one too.
    pub covered: f64,
}

/// Compares depths in metres; what is not finite or not positive is no depth.
///
/// # Errors
/// [`Error::BadImage`] for images of different size.
pub fn depth_error(truth: &[f32], render: &[f32]) -> Result<DepthError> {
    if truth.len() != render.len() {
        return Err(Error::BadImage(format!(
            "{} and {} depths cannot be compared",
            truth.len(),
            render.len()
        )));
    }
    let is_depth = |d: f32| d.is_finite() && d > 0.0;
    let (mut sum, mut both, mut known) = (0.0, 0usize, 0usize);
    for (a, b) in truth.iter().zip(render).filter(|(a, _)| is_depth(**a)) {
        known += 1;
        if is_depth(*b) {
            both += 1;
            sum += f64::from((a - b).abs());
        }
    }
    Ok(DepthError {
        l1_m: sum / both as f64,
        covered: both as f64 / known as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: usize = 40;
    const H: usize = 28;

    fn image(value: impl Fn(i32, i32, i32) -> f32) -> Vec<f32> {
        let mut image = Vec::new();
        for y in 0..H as i32 {
            for x in 0..W as i32 {
                image.extend((0..3).map(|c| value(x, y, c)));
            }
        }
        image
    }

    fn texture(x: i32, y: i32, c: i32) -> f32 {
        ((x * 7 + y * 13 + c * 29) % 64) as f32 / 64.0
    }

    /// Values of scikit-image 0.26.0 with numpy 2 on the same images.
    #[test]
    fn values_are_those_of_scikit_image() {
        let a = image(texture);
        let noisy = image(|x, y, c| {
            let noise = (x * x + 3 * y + 5 * c) % 17 - 8;
            (texture(x, y, c) + noise as f32 / 64.0).clamp(0.0, 1.0)
        });
        let band = image(|x, _, _| if (x - 20).abs() < 8 { 0.5 } else { 0.0 });
        assert!((psnr_db(&a, &noisy).unwrap() - 22.596320320415057).abs() < 1e-6);
        assert!((ssim(&a, &noisy, W, H).unwrap() - 0.9670218312946567).abs() < 1e-6);
        assert!((psnr_db(&a, &band).unwrap() - 6.303149688962839).abs() < 1e-6);
        assert!((ssim(&a, &band, W, H).unwrap() - 0.006088246284559998).abs() < 1e-6);
    }

    #[test]
    fn equal_images_are_perfect_and_wrong_sizes_are_refused() {
        let a = image(texture);
        assert_eq!(psnr_db(&a, &a).unwrap(), f64::INFINITY);
        assert!((ssim(&a, &a, W, H).unwrap() - 1.0).abs() < 1e-12);
        assert!(ssim(&a, &a, W + 1, H).is_err());
        assert!(ssim(&a[..3 * 10 * 10], &a[..3 * 10 * 10], 10, 10).is_err());
        assert!(psnr_db(&a, &a[1..]).is_err());
    }

    #[test]
    fn only_pixels_with_two_depths_count() {
        let e = depth_error(&[1.0, 2.0, f32::NAN, 4.0], &[1.1, f32::NAN, 3.0, 3.7]).unwrap();
        assert!((e.l1_m - 0.2).abs() < 1e-6);
        assert!((e.covered - 2.0 / 3.0).abs() < 1e-12);
    }
}
