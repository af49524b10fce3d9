//! Structural similarity (Wang et al. 2004) with its gradient: windows of 11x11 with a Gaussian of 1.5 pixels, zeros
//! outside the image, as the 3DGS training code has it.

use rayon::prelude::*;

const TAPS: usize = 11;
const HALF: usize = TAPS / 2;
const C1: f32 = 0.01 * 0.01;
const C2: f32 = 0.03 * 0.03;

/// Normalised weights of the window.
fn window() -> [f32; TAPS] {
    let raw: [f64; TAPS] = std::array::from_fn(|k| {
        let d = k as f64 - HALF as f64;
        (-d * d / (2.0 * 1.5 * 1.5)).exp()
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|r| (r / sum) as f32)
}

/// `to[x]` = weighted sum of `from` around x; `from` has `HALF` zeros on both sides.
#[inline(always)]
fn blur_row(window: &[f32; TAPS], from: &[f32], to: &mut [f32]) {
    to.fill(0.0);
    let width = to.len();
    for (k, w) in window.iter().enumerate() {
        for (t, f) in to.iter_mut().zip(&from[k..k + width]) {
            *t += w * f;
        }
    }
}

/// The rows of a window around `row` with their weights.
fn rows_around<'a>(
    plane: &'a [f32],
    row: usize,
    width: usize,
    window: &'a [f32; TAPS],
) -> impl Iterator<Item = (&'a [f32], f32)> {
    let height = plane.len() / width;
    let rows = row.saturating_sub(HALF)..(row + HALF + 1).min(height);
    rows.map(move |r| (&plane[r * width..(r + 1) * width], window[r + HALF - row]))
}

/// The mean over all pixels of one plane, and the gradient of that mean by `x`, added to `gradient` times `weight`.
pub(crate) fn ssim(x: &[f32], y: &[f32], width: usize, weight: f32, gradient: &mut [f32]) -> f64 {
    let window = window();
    let n = x.len();
    // Gradients by the local mean of x, of x^2 and of xy.
    let mut maps = vec![0.0f32; 3 * n];
    let (by_mean, rest) = maps.split_at_mut(n);
    let (by_square, by_product) = rest.split_at_mut(n);
    let sums: Vec<f64> = by_mean
        .par_chunks_mut(width)
        .zip(by_square.par_chunks_mut(width))
        .zip(by_product.par_chunks_mut(width))
        .enumerate()
        .map_init(
            || {
                (
                    vec![vec![0.0f32; width + 2 * HALF]; 5],
                    vec![vec![0.0f32; width]; 5],
                )
            },
            |(padded, blurred), (row, ((by_mean, by_square), by_product))| {
                pulp::Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        padded.iter_mut().for_each(|p| p.fill(0.0));
                        {
                            let [mx, my, xx, yy, xy] = &mut padded[..] else {
                                return 0.0;
                            };
                            let columns = HALF..HALF + width;
                            let (mx, my) = (&mut mx[columns.clone()], &mut my[columns.clone()]);
                            let (xx, yy) = (&mut xx[columns.clone()], &mut yy[columns.clone()]);
                            let xy = &mut xy[columns];
                            let pairs =
                                rows_around(x, row, width, &window).zip(rows_around(y, row, width, &window));
                            for ((a, w), (b, _)) in pairs {
                                for i in 0..width {
                                    let (wa, wb) = (w * a[i], w * b[i]);
                                    mx[i] += wa;
                                    my[i] += wb;
                                    xx[i] += wa * a[i];
                                    yy[i] += wb * b[i];
                                    xy[i] += wa * b[i];
                                }
                            }
                        }
                        for (from, to) in padded.iter().zip(blurred.iter_mut()) {
                            blur_row(&window, from, to);
                        }
                        let [mx, my, xx, yy, xy] = &blurred[..] else {
                            return 0.0;
                        };
                        let mut sum = 0.0f64;
                        for i in 0..width {
                            let (m1, m2) = (mx[i], my[i]);
                            let a1 = 2.0 * m1 * m2 + C1;
                            let a2 = 2.0 * (xy[i] - m1 * m2) + C2;
                            let b1 = m1 * m1 + m2 * m2 + C1;
                            let b2 = (xx[i] - m1 * m1) + (yy[i] - m2 * m2) + C2;
                            let inv = 1.0 / (b1 * b2);
                            let s = a1 * a2 * inv;
                            let by_s11 = -s / b2;
                            let by_s12 = 2.0 * a1 * inv;
                            by_square[i] = by_s11;
                            by_product[i] = by_s12;
                            by_mean[i] =
                                2.0 * m2 * a2 * inv - 2.0 * m1 * s / b1 - 2.0 * m1 * by_s11 - m2 * by_s12;
                            sum += f64::from(s);
                        }
                        sum
                    },
                )
            },
        )
        .collect();
    let scale = weight / n as f32;
    gradient.par_chunks_mut(width).enumerate().for_each_init(
        || {
            (
                vec![vec![0.0f32; width + 2 * HALF]; 3],
                vec![vec![0.0f32; width]; 3],
            )
        },
        |(padded, blurred), (row, out)| {
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (k, plane) in maps.chunks_exact(n).enumerate() {
                        let to = &mut padded[k][HALF..HALF + width];
                        to.fill(0.0);
                        for (from, w) in rows_around(plane, row, width, &window) {
                            for (t, f) in to.iter_mut().zip(from) {
                                *t += w * f;
                            }
                        }
                        blur_row(&window, &padded[k], &mut blurred[k]);
                    }
                    let at = row * width;
                    let (x, y) = (&x[at..at + width], &y[at..at + width]);
                    let [mean, square, product] = &blurred[..] else {
                        return;
                    };
                    for i in 0..width {
                        out[i] += scale * (mean[i] + 2.0 * x[i] * square[i] + y[i] * product[i]);
                    }
                },
            );
        },
    );
    sums.iter().sum::<f64>() / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> (Vec<f32>, Vec<f32>) {
        let wave = |i: usize, k: f32| 0.5 + 0.4 * ((i as f32 * k).sin() * (i as f32 * 0.37 * k).cos());
        (
            (0..23 * 17).map(|i| wave(i, 0.9)).collect(),
            (0..23 * 17).map(|i| wave(i, 1.3)).collect(),
        )
    }

    /// The definition, pixel by pixel in double precision.
    fn slow(x: &[f32], y: &[f32], width: usize) -> f64 {
        let height = x.len() / width;
        let weight = |d: i64| (-(d * d) as f64 / 4.5).exp();
        let total: f64 = (-5..=5).map(weight).sum();
        let mut sum = 0.0;
        for row in 0..height as i64 {
            for column in 0..width as i64 {
                let mut m = [0.0; 5];
                for dy in -5..=5i64 {
                    for dx in -5..=5i64 {
                        let (r, c) = (row + dy, column + dx);
                        if r < 0 || c < 0 || r >= height as i64 || c >= width as i64 {
                            continue;
                        }
                        let at = r as usize * width + c as usize;
                        let (a, b) = (f64::from(x[at]), f64::from(y[at]));
                        let w = weight(dx) * weight(dy) / (total * total);
                        for (m, v) in m.iter_mut().zip([a, b, a * a, b * b, a * b]) {
                            *m += w * v;
                        }
                    }
                }
                let (c1, c2) = (1e-4, 9e-4);
                let (sxx, syy, sxy) = (m[2] - m[0] * m[0], m[3] - m[1] * m[1], m[4] - m[0] * m[1]);
                sum += (2.0 * m[0] * m[1] + c1) * (2.0 * sxy + c2)
                    / ((m[0] * m[0] + m[1] * m[1] + c1) * (sxx + syy + c2));
            }
        }
        sum / x.len() as f64
    }

    #[test]
    fn value_and_gradient_agree_with_the_definition() {
        let (mut x, y) = images();
        let mut gradient = vec![0.0; x.len()];
        let got = ssim(&x, &y, 23, 1.0, &mut gradient);
        assert!((got - slow(&x, &y, 23)).abs() < 1e-5);
        for i in (0..x.len()).step_by(29) {
            let at = x[i];
            let h = 1e-3;
            x[i] = at + h;
            let up = slow(&x, &y, 23);
            x[i] = at - h;
            let want = (up - slow(&x, &y, 23)) / (2.0 * f64::from(h));
            x[i] = at;
            assert!(
                (f64::from(gradient[i]) - want).abs() < 1e-3 * want.abs() + 1e-6,
                "{} {want}",
                gradient[i]
            );
        }
    }
}
