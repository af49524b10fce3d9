//! Boxes around points: convex hull, minimum-area rectangle, trimmed extents.

use std::f64::consts::{FRAC_PI_2, PI};

use steward_core::geometry::{OrientedBox, Point3, Vector3, wrap_angle_rad};

/// Rectangle in the plane; `half[0] >= half[1]`, `yaw_rad` in `(-pi/2, pi/2]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rectangle {
    pub(crate) center: [f64; 2],
    pub(crate) yaw_rad: f64,
    pub(crate) half: [f64; 2],
}

/// Corners of the convex hull, counter-clockwise (Andrew's monotone chain, 1979). Sorts `points`.
fn convex_hull(points: &mut Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points.clone();
    }
    let cross =
        |o: [f64; 2], a: [f64; 2], b: [f64; 2]| (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    let half = |points: &mut dyn Iterator<Item = [f64; 2]>| {
        let mut chain: Vec<[f64; 2]> = Vec::new();
        for p in points {
            while chain.len() >= 2 && cross(chain[chain.len() - 2], chain[chain.len() - 1], p) <= 0.0 {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

/// The direction, in `[0, pi/2)`, of a side of the rectangle of least area around the points; one of its sides
/// lies along a side of the convex hull (Freeman and Shapira, 1975). `None` for fewer than two points.
pub(crate) fn min_area_yaw(mut points: Vec<[f64; 2]>) -> Option<f64> {
    let hull = convex_hull(&mut points);
    if hull.len() < 2 {
        return None;
    }
    let mut best: Option<(f64, f64)> = None;
    for i in 0..hull.len() {
        let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
        let yaw = (b[1] - a[1]).atan2(b[0] - a[0]);
        let (s, c) = yaw.sin_cos();
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for p in &hull {
            let q = [c * p[0] + s * p[1], c * p[1] - s * p[0]];
            for k in 0..2 {
                low[k] = low[k].min(q[k]);
                high[k] = high[k].max(q[k]);
            }
        }
        // The perimeter breaks ties between slivers of no area.
        let (w, h) = (high[0] - low[0], high[1] - low[1]);
        let cost = w * h + 1e-3 * (w + h);
        if best.is_none_or(|(c, _)| cost < c - 1e-12) {
            best = Some((cost, yaw.rem_euclid(FRAC_PI_2)));
        }
    }
    best.map(|(_, yaw)| yaw)
}

/// The direction, in `[0, pi/2)`, of a thing of which perhaps only two sides are seen. The rectangle of least area
/// around two sides that meet stands askew, so points far from every edge of the rectangle cost too (the
/// closeness criterion of Zhang, Xu, Dong and Dolan, "Efficient L-shape fitting for vehicle detection", IV 2017);
/// farther than `near_m` makes no difference. A direction near the expected one, modulo a quarter turn, wins where
/// others fit little better.
fn two_sided_yaw(points: &[Point3], near_m: f64, expected_rad: Option<f64>) -> Option<f64> {
    const BONUS: f64 = 0.2;
    const CLOSE_RAD: f64 = 0.1;
    const STEP: f64 = 3.0 * PI / 180.0;
    let step = points.len().div_ceil(300).max(1);
    let flat: Vec<[f64; 2]> = points.iter().step_by(step).map(|p| [p.x, p.y]).collect();
    if flat.len() < 2 {
        return None;
    }
    let measure = |yaw: f64| {
        let (s, c) = yaw.sin_cos();
        let turned: Vec<[f64; 2]> = flat
            .iter()
            .map(|p| [c * p[0] + s * p[1], c * p[1] - s * p[0]])
            .collect();
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for q in &turned {
            for k in 0..2 {
                low[k] = low[k].min(q[k]);
                high[k] = high[k].max(q[k]);
            }
        }
        let far: f64 = turned
            .iter()
            .map(|q| {
                (0..2)
                    .map(|k| (q[k] - low[k]).min(high[k] - q[k]))
                    .fold(near_m, f64::min)
            })
            .sum();
        let area = (high[0] - low[0]) * (high[1] - low[1]);
        (far / (near_m * turned.len() as f64), area)
    };
    let coarse: Vec<(f64, (f64, f64))> = (0..30)
        .map(|i| f64::from(i) * STEP)
        .map(|yaw| (yaw, measure(yaw)))
        .collect();
    let least_area = coarse
        .iter()
        .map(|(_, m)| m.1)
        .fold(f64::INFINITY, f64::min)
        .max(1e-6);
    let cost = |(far, area): (f64, f64)| far + 0.5 * area / least_area;
    let bonus = |yaw: f64| {
        let off = expected_rad.map(|e| (yaw - e).rem_euclid(FRAC_PI_2));
        if off.is_some_and(|off| off.min(FRAC_PI_2 - off) < CLOSE_RAD) {
            BONUS
        } else {
            0.0
        }
    };
    let best = coarse
        .iter()
        .map(|(yaw, m)| (*yaw, cost(*m) - bonus(*yaw)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    (-4..=4)
        .map(|i| best + f64::from(i) * STEP / 4.0)
        .map(|yaw| (yaw, cost(measure(yaw))))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(yaw, _)| yaw.rem_euclid(FRAC_PI_2))
}

/// An upright box around points of furniture gathered over many views; like [`fit_box`] otherwise.
/// `expected_rad`: the direction it should have, where that is known from before or from its parts.
pub(crate) fn fit_furniture_box(
    points: &[Point3],
    trim: f64,
    expected_rad: Option<f64>,
) -> Option<OrientedBox> {
    const NEAR_M: f64 = 0.06;
    let yaw = two_sided_yaw(points, NEAR_M, expected_rad).unwrap_or(0.0);
    box_at(points, yaw, trim)
}

/// An upright box around points of a thing seen from the side, so that little of its top says how it stands.
pub(crate) fn fit_sides_box(points: &[Point3], trim: f64) -> Option<OrientedBox> {
    const NEAR_M: f64 = 0.02;
    let yaw = two_sided_yaw(points, NEAR_M, None).unwrap_or(0.0);
    box_at(points, yaw, trim)
}

/// The upright box around the points with a heading.
fn box_at(points: &[Point3], yaw_rad: f64, trim: f64) -> Option<OrientedBox> {
    let rectangle = rectangle_at(points, yaw_rad, trim)?;
    let mut heights: Vec<f64> = points.iter().map(|p| p.z).collect();
    let (z0, z1) = trimmed_range(&mut heights, trim)?;
    Some(upright_box(&rectangle, z0, z1))
}

/// The points without the corners of their convex hull, where the outliers are.
fn peeled(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let hull = convex_hull(&mut points.to_vec());
    points.iter().filter(|p| !hull.contains(p)).copied().collect()
}

/// Values at the `trim` and `1 - trim` quantiles. Reorders `values`; `None` for no values.
pub(crate) fn trimmed_range(values: &mut [f64], trim: f64) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let drop = ((values.len() as f64 * trim) as usize).min((values.len() - 1) / 2);
    let last = values.len() - 1 - drop;
    let (_, low, _) = values.select_nth_unstable_by(drop, f64::total_cmp);
    let low = *low;
    let (_, high, _) = values.select_nth_unstable_by(last, f64::total_cmp);
    Some((low, *high))
}

/// The middle value. Reorders `values`; `None` for no values.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Extents of the points along a heading and across it, trimmed on each side.
pub(crate) fn rectangle_at(points: &[Point3], yaw_rad: f64, trim: f64) -> Option<Rectangle> {
    let (s, c) = yaw_rad.sin_cos();
    let mut along: Vec<f64> = points.iter().map(|p| c * p.x + s * p.y).collect();
    let mut across: Vec<f64> = points.iter().map(|p| c * p.y - s * p.x).collect();
    let (a0, a1) = trimmed_range(&mut along, trim)?;
    let (b0, b1) = trimmed_range(&mut across, trim)?;
    let (a, b) = ((a0 + a1) * 0.5, (b0 + b1) * 0.5);
    let mut rectangle = Rectangle {
        center: [c * a - s * b, s * a + c * b],
        yaw_rad,
        half: [(a1 - a0) * 0.5, (b1 - b0) * 0.5],
    };
    if rectangle.half[0] < rectangle.half[1] {
        rectangle.half.swap(0, 1);
        rectangle.yaw_rad += FRAC_PI_2;
    }
    rectangle.yaw_rad = half_turn(rectangle.yaw_rad);
    Some(rectangle)
}

/// `angle` brought into `(-pi/2, pi/2]` by half turns: the heading of an axis without a sign.
pub(crate) fn half_turn(angle: f64) -> f64 {
    let a = wrap_angle_rad(angle);
    if a > FRAC_PI_2 {
        a - PI
    } else if a <= -FRAC_PI_2 {
        a + PI
    } else {
        a
    }
}

/// An upright box around the points: heading from the minimum-area rectangle of their projection on the
/// ground (outermost points peeled off where there are many), extents from quantiles. `half.x >= half.y`.
pub(crate) fn fit_box(points: &[Point3], trim: f64) -> Option<OrientedBox> {
    let mut flat: Vec<[f64; 2]> = points.iter().map(|p| [p.x, p.y]).collect();
    if flat.len() >= 100 {
        flat = peeled(&flat);
    }
    box_at(points, min_area_yaw(flat).unwrap_or(0.0), trim)
}

/// The box over a rectangle between two heights.
pub(crate) fn upright_box(rectangle: &Rectangle, z0: f64, z1: f64) -> OrientedBox {
    OrientedBox {
        center: Point3::new(rectangle.center[0], rectangle.center[1], (z0 + z1) * 0.5),
        yaw_rad: rectangle.yaw_rad,
        half: Vector3::new(rectangle.half[0], rectangle.half[1], (z1 - z0) * 0.5),
    }
}

/// Unit vectors of a box's horizontal axes.
pub(crate) fn horizontal_axes(shape: &OrientedBox) -> [Vector3; 2] {
    let (s, c) = shape.yaw_rad.sin_cos();
    [Vector3::new(c, s, 0.0), Vector3::new(-s, c, 0.0)]
}

/// Distance between two upright boxes, metres, zero where they touch. Horizontal distance by separating axes
/// (a lower bound that is exact unless two corners face each other), combined with the vertical gap.
pub(crate) fn box_distance_m(a: &OrientedBox, b: &OrientedBox) -> f64 {
    let between = b.center - a.center;
    let (axes_a, axes_b) = (horizontal_axes(a), horizontal_axes(b));
    let reach = |shape: &OrientedBox, axes: &[Vector3; 2], along: &Vector3| {
        shape.half.x * axes[0].dot(along).abs() + shape.half.y * axes[1].dot(along).abs()
    };
    let gap =
        |along: &Vector3| between.dot(along).abs() - reach(a, &axes_a, along) - reach(b, &axes_b, along);
    // The two gaps of one box's axes are perpendicular, so they add as squares.
    let pair = |axes: &[Vector3; 2]| gap(&axes[0]).max(0.0).hypot(gap(&axes[1]).max(0.0));
    let flat = pair(&axes_a).max(pair(&axes_b));
    let vertical = (between.z.abs() - a.half.z - b.half.z).max(0.0);
    flat.hypot(vertical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_around_a_turned_grid_has_its_heading_and_size() {
        let (s, c) = 0.4f64.sin_cos();
        let mut points = Vec::new();
        for i in 0..=20 {
            for j in 0..=10 {
                let (x, y) = (f64::from(i) * 0.05 - 0.5, f64::from(j) * 0.05 - 0.25);
                points.push(Point3::new(1.0 + c * x - s * y, 2.0 + s * x + c * y, 0.3));
            }
        }
        let fitted = fit_box(&points, 0.0).unwrap();
        assert!((fitted.yaw_rad - 0.4).abs() < 0.02, "{fitted:?}");
        assert!((fitted.center - Point3::new(1.0, 2.0, 0.3)).norm() < 1e-9);
        assert!((fitted.half - Vector3::new(0.5, 0.25, 0.0)).norm() < 0.02);
    }

    #[test]
    fn two_sides_that_meet_have_the_heading_of_the_sides() {
        let (s, c) = 0.3f64.sin_cos();
        let mut points = Vec::new();
        for i in 0..40 {
            let t = f64::from(i) * 0.02;
            for (x, y) in [(t, 0.0), (0.0, t)] {
                points.push(Point3::new(c * x - s * y, s * x + c * y, 0.5));
            }
        }
        let fitted = fit_furniture_box(&points, 0.0, None).unwrap();
        let turn = fitted.yaw_rad.rem_euclid(FRAC_PI_2);
        assert!((turn - 0.3).abs() < 0.03, "{fitted:?}");
    }

    #[test]
    fn distances_between_turned_boxes() {
        let a = OrientedBox {
            center: Point3::new(0.0, 0.0, 0.5),
            yaw_rad: std::f64::consts::FRAC_PI_4,
            half: Vector3::new(0.5, 0.5, 0.5),
        };
        // The corner of `a` points at the face of `b`: sqrt(0.5) from the centre.
        let b = OrientedBox {
            center: Point3::new(2.0, 0.0, 0.5),
            yaw_rad: 0.0,
            half: Vector3::new(0.5, 2.0, 0.5),
        };
        assert!((box_distance_m(&a, &b) - (1.5 - 0.5f64.sqrt())).abs() < 1e-12);
        let above = OrientedBox {
            center: Point3::new(0.0, 0.0, 2.0),
            ..a
        };
        assert!((box_distance_m(&a, &above) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn no_points_make_no_box() {
        assert_eq!(fit_box(&[], 0.01), None);
        assert!(fit_box(&[Point3::origin()], 0.01).is_some());
    }
}
