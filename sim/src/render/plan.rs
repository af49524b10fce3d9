//! A home seen from above.

use nalgebra as na;
use steward_core::camera::{CameraIntrinsics, MAX_IMAGE_SIDE};
use steward_core::geometry::{Point3, Pose3, Rotation3};
use steward_core::image::ColorImage;

use super::{RenderOptions, Renderer};
use crate::model::{Home, WorldState};

/// Height of the camera above the floor in multiples of the home's longer side: high enough that walls lean
/// little, low enough that they show.
const HEIGHT: f64 = 3.0;
/// Shown around the rooms, metres.
const MARGIN_M: f64 = 0.4;

/// A picture of a home from above, without ceilings; north (+y) is up.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// The picture.
    pub image: ColorImage,
    camera: CameraIntrinsics,
    camera_from_world: Pose3,
}

impl PlanView {
    /// Column and row (pixel centres at +0.5) at which a point of the world is seen.
    pub fn world_to_pixel(&self, point: &Point3) -> (f64, f64) {
        let p = self.camera_from_world * point;
        self.camera.project(&p).unwrap_or((f64::NAN, f64::NAN))
    }

    /// Draws a line of points of the world, given width and colour, with round ends.
    pub fn draw_path(&mut self, points: &[Point3], width_px: f64, color: [u8; 3]) {
        let pixels: Vec<(f64, f64)> = points.iter().map(|p| self.world_to_pixel(p)).collect();
        for pair in pixels.windows(2) {
            self.draw_segment(pair[0], pair[1], width_px * 0.5, color);
        }
    }

    /// Draws a disc around a point of the world.
    pub fn draw_disc(&mut self, center: &Point3, radius_px: f64, color: [u8; 3]) {
        let p = self.world_to_pixel(center);
        self.draw_segment(p, p, radius_px, color);
    }

    fn draw_segment(&mut self, a: (f64, f64), b: (f64, f64), radius: f64, color: [u8; 3]) {
        if ![a.0, a.1, b.0, b.1, radius].iter().all(|v| v.is_finite()) {
            return;
        }
        let (width, height) = (self.image.width(), self.image.height());
        let span = |p: f64, q: f64, size: u32| {
            let first = (p.min(q) - radius - 1.0).clamp(0.0, size as f64) as u32;
            let last = (p.max(q) + radius + 2.0).clamp(0.0, size as f64) as u32;
            first..last
        };
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = dx * dx + dy * dy;
        for row in span(a.1, b.1, height) {
            for column in span(a.0, b.0, width) {
                let (px, py) = (column as f64 + 0.5 - a.0, row as f64 + 0.5 - a.1);
                let along = if square > 0.0 {
                    ((px * dx + py * dy) / square).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - along * dx).hypot(py - along * dy);
                let cover = (radius + 0.5 - distance).clamp(0.0, 1.0);
                let at = row as usize * width as usize + column as usize;
                let pixel = &mut self.image.data_mut()[at];
                for (p, c) in pixel.iter_mut().zip(color) {
                    *p = (*p as f64 + (c as f64 - *p as f64) * cover).round() as u8;
                }
            }
        }
    }
}

/// Draws a home from above with `px_per_m` pixels per metre of floor, or fewer where the image would be larger
/// than 4096 pixels.
pub fn render_plan_view(home: &Home, state: &WorldState, px_per_m: f64) -> PlanView {
    let bounds = home.rooms.iter().map(|r| r.bounds).reduce(|a, b| a.union(&b));
    let (center, size) = bounds.map_or((Point3::origin(), na::Vector3::repeat(1.0)), |b| {
        (b.center(), b.size().add_scalar(2.0 * MARGIN_M))
    });
    let most = (MAX_IMAGE_SIDE / 4) as f64;
    let scale = px_per_m.max(1.0).min(most / size.x).min(most / size.y);
    let pixels = |m: f64| ((m * scale).ceil() as u32).max(1);
    let (width, height) = (pixels(size.x), pixels(size.y));
    let above = size.x.max(size.y) * HEIGHT;
    let camera = CameraIntrinsics {
        width,
        height,
        fx: scale * above,
        fy: scale * above,
        cx: width as f64 * 0.5,
        cy: height as f64 * 0.5,
    };
    let down = Rotation3::from_axis_angle(&na::Vector3::x_axis(), std::f64::consts::PI);
    let world_from_camera = Pose3::from_parts(na::Translation3::new(center.x, center.y, above), down);
    let mut renderer = Renderer::new(home);
    renderer.without_ceilings = true;
    let rendered = renderer.render(state, &[], &camera, &world_from_camera, &RenderOptions::default());
    PlanView {
        image: rendered.color,
        camera,
        camera_from_world: world_from_camera.inverse(),
    }
}
