//! `map render`: pictures of a map.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::{Luma, Rgb};
use nalgebra as na;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Pose3, Rotation3, Vector3};

use super::ui;
use crate::io::rgbd::RgbdFolder;
use crate::{Engine, Error, GaussianMap, RenderOptions, Renderer, Result, Scope, View, io};

/// Arguments of `map render`.
#[derive(Debug, clap::Args)]
pub struct RenderCommand {
    /// Map to render
    map: PathBuf,
    /// Folder for the pictures: NAME.png, and NAME.depth.png in millimetres
    #[arg(long, value_name = "FOLDER", default_value = "render")]
    out: PathBuf,
    /// Render from the poses of this folder of RGB-D frames
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["eye", "target"])]
    rgbd: Option<PathBuf>,
    /// Render from here, metres
    #[arg(long, value_name = "X,Y,Z", value_parser = point, required_unless_present = "rgbd", requires = "target")]
    eye: Option<na::Vector3<f64>>,
    /// Look at this point
    #[arg(long, value_name = "X,Y,Z", value_parser = point)]
    target: Option<na::Vector3<f64>>,
    /// The direction that is up in the picture
    #[arg(long, value_name = "X,Y,Z", value_parser = point, default_value = "0,0,1")]
    up: na::Vector3<f64>,
    /// Size of a picture from a given pose
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, default_value = "640x480")]
    size: (u32, u32),
    /// Horizontal field of view of a picture from a given pose
    #[arg(long, value_name = "DEGREES", default_value_t = 60.0)]
    fov: f64,
    /// Smooth as the map was built: the antialiased mode
    #[arg(long)]
    antialias: bool,
}

/// Three numbers with commas between.
fn point(text: &str) -> std::result::Result<na::Vector3<f64>, String> {
    let values: Vec<f64> = text
        .split(',')
        .map(|t| t.trim().parse().map_err(|_| format!("`{t}` is no number")))
        .collect::<std::result::Result<_, _>>()?;
    match values[..] {
        [x, y, z] if values.iter().all(|v| v.is_finite()) => Ok(na::Vector3::new(x, y, z)),
        _ => Err("three finite numbers are needed, as 1,2,0.5".into()),
    }
}

/// Columns and rows.
fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let parse = |t: &str| t.parse().map_err(|_| format!("`{t}` is no number"));
    let (width, height) = text.split_once('x').ok_or("a size is written as 640x480")?;
    Ok((parse(width)?, parse(height)?))
}

impl RenderCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let map = io::read(&self.map)?;
        let views = self.views()?;
        std::fs::create_dir_all(&self.out)?;
        let options = RenderOptions {
            antialias: self.antialias,
            extras: true,
            ..RenderOptions::default()
        };
        let stop = ui::stop_on_ctrl_c()?;
        let bar = ui::progress(views.len() as u64, "rendering");
        for (name, view) in &views {
            if stop.load(std::sync::atomic::Ordering::SeqCst) {
                return Ok(ExitCode::from(130));
            }
            save(&map, view, &options, &self.out, name)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        eprintln!("{} pictures in {}", views.len(), self.out.display());
        Ok(ExitCode::SUCCESS)
    }

    fn views(&self) -> Result<Vec<(String, View)>> {
        if let Some(folder) = &self.rgbd {
            let folder = RgbdFolder::open(folder)?;
            return Ok(folder
                .views()
                .map(|(name, view)| (name.to_owned(), view))
                .collect());
        }
        let (Some(eye), Some(target)) = (self.eye, self.target) else {
            return Err(Error::BadView("give --rgbd, or --eye and --target".into()));
        };
        let camera = CameraIntrinsics::from_horizontal_fov(self.size.0, self.size.1, self.fov.to_radians());
        Ok(vec![(
            "view".into(),
            View::new(camera, looking(eye, target, self.up)?),
        )])
    }
}

/// The pose of a camera that looks at a point, with `up` upwards in its image.
fn looking(eye: Vector3, target: Vector3, up: Vector3) -> Result<Pose3> {
    let forward = target - eye;
    let right = forward.cross(&up);
    if right.norm() <= 1e-9 * forward.norm() * up.norm() {
        return Err(Error::BadView(
            "eye and target must differ, and not only along up".into(),
        ));
    }
    let (forward, right) = (forward.normalize(), right.normalize());
    let axes = na::Matrix3::from_columns(&[right, forward.cross(&right), forward]);
    Ok(Pose3::from_parts(eye.into(), Rotation3::from_matrix(&axes)))
}

fn save(map: &GaussianMap, view: &View, options: &RenderOptions, folder: &Path, name: &str) -> Result<()> {
    let rendering = Renderer.forward(map, view, options, Scope::default())?;
    let (width, height) = (rendering.width as u32, rendering.height as u32);
    let color = rendering.to_color_image()?;
    let at = |x: u32, y: u32| (y * width + x) as usize;
    let fail = |e: image::ImageError| Error::BadImage(e.to_string());
    let picture = image::RgbImage::from_fn(width, height, |x, y| Rgb(color.data()[at(x, y)]));
    picture.save(folder.join(format!("{name}.png"))).map_err(fail)?;
    let depth = rendering.median_depth.as_ref().unwrap_or(&rendering.depth);
    // `as` turns NaN into 0, which means no depth, and saturates.
    let depth = image::ImageBuffer::<Luma<u16>, _>::from_fn(width, height, |x, y| {
        Luma([(depth[at(x, y)] * 1e3).round() as u16])
    });
    depth.save(folder.join(format!("{name}.depth.png"))).map_err(fail)
}
