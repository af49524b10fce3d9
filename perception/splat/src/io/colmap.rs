//! COLMAP reconstructions (<https://colmap.github.io/format.html>): cameras, images and points as text or binary.
//!
//! ```text
//! FOLDER/sparse/0/{cameras,images,points3D}.{bin,txt}     or FOLDER/sparse, or FOLDER itself
//! FOLDER/images/NAME
//! ```
//!
//! Only cameras without distortion can be used: run COLMAP's `image_undistorter` first. Both sides put pixel centres at
//! +0.5 and use optical frames, so nothing is converted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiddo::{ImmutableKdTree, SquaredEuclidean};
use nalgebra as na;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Pose3, Rotation3};
use steward_core::time::Time;

use super::bytes::{Source, logit};
use super::rgbd::{PosedImage, read_color};
use super::{in_file, open, write_whole};
use crate::{Error, Gaussian, GaussianMap, Result, View};

/// A point of the reconstruction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColoredPoint {
    /// Position in the world. Metres, where the reconstruction is metric.
    pub position: [f32; 3],
    /// sRGB.
    pub rgb: [u8; 3],
}

/// Where an image was taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct ColmapImage {
    /// Path below the folder of images.
    pub name: String,
    /// Camera and pose.
    pub view: View,
}

/// A reconstruction without its pixels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Colmap {
    /// Images, by name.
    pub images: Vec<ColmapImage>,
    /// Points, by id.
    pub points: Vec<ColoredPoint>,
    folder: PathBuf,
}

/// Longest name of an image.
const MAX_NAME: usize = 4096;

/// COLMAP's camera models: name and number of parameters, by number. Those with distortion are read and refused unless
/// the distortion is zero.
const MODELS: [(&str, usize); 11] = [
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
];

/// The intrinsics of a camera, or why it cannot be used.
fn intrinsics(model: usize, size: [u64; 2], p: &[f64]) -> std::result::Result<CameraIntrinsics, String> {
    let (name, _) = MODELS[model];
    let (fx, fy, rest) = match model {
        0 | 2 | 3 => (p[0], p[0], &p[1..]),
        1 | 4 | 6 => (p[0], p[1], &p[2..]),
        _ => {
            return Err(format!(
                "camera model {name} is a fisheye; run COLMAP's image_undistorter first"
            ));
        }
    };
    if rest[2..].iter().any(|k| *k != 0.0) {
        return Err(format!(
            "camera model {name} has distortion; run COLMAP's image_undistorter first"
        ));
    }
    let side = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let camera = CameraIntrinsics {
        width: side(size[0]),
        height: side(size[1]),
        fx,
        fy,
        cx: rest[0],
        cy: rest[1],
    };
    camera.validate().map_err(|e| e.to_string())?;
    Ok(camera)
}

/// The pose of a camera from COLMAP's `camera_from_world`, quaternion (w, x, y, z).
fn pose(q: [f64; 4], t: [f64; 3]) -> std::result::Result<Pose3, String> {
    let rotation = na::Quaternion::new(q[0], q[1], q[2], q[3]);
    // False also for NaN.
    let is_unit = (rotation.norm() - 1.0).abs() < 1e-2;
    if !is_unit || t.iter().any(|x| !x.is_finite()) {
        return Err("an unusable pose".into());
    }
    Ok(Pose3::from_parts(t.into(), Rotation3::from_quaternion(rotation)).inverse())
}

impl Colmap {
    /// Opens a reconstruction; binary files are preferred where both are there.
    ///
    /// # Errors
    /// [`Error::File`] names what is missing and the byte of what is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let model = ["sparse/0", "sparse", ""]
            .map(|sub| folder.join(sub))
            .into_iter()
            .find(|f| f.join("cameras.bin").is_file() || f.join("cameras.txt").is_file())
            .ok_or_else(|| Error::File {
                path: folder.display().to_string(),
                reason: "no cameras.bin or cameras.txt in it, in sparse or in sparse/0".into(),
            })?;
        let binary = model.join("cameras.bin").is_file();
        let file = |name: &str| model.join(format!("{name}.{}", if binary { "bin" } else { "txt" }));
        let path = file("cameras");
        let cameras = if binary {
            binary_cameras(&path)
        } else {
            text_cameras(&path)
        };
        let cameras = cameras.map_err(|e| in_file(&path, e))?;
        let path = file("images");
        let images = if binary {
            binary_images(&path, &cameras)
        } else {
            text_images(&path, &cameras)
        };
        let mut images = images.map_err(|e| in_file(&path, e))?;
        images.sort_by(|a, b| a.name.cmp(&b.name));
        let path = file("points3D");
        let points = match path.is_file() {
            true if binary => binary_points(&path),
            true => text_points(&path),
            false => Ok(BTreeMap::new()),
        };
        let points = points.map_err(|e| in_file(&path, e))?.into_values().collect();
        Ok(Colmap {
            images,
            points,
            folder: folder.join("images"),
        })
    }

    /// Reads an image. Stamps count the images, one second each, since COLMAP knows no time.
    ///
    /// # Errors
    /// [`Error::File`] names the image that is missing, damaged or of another size than its camera.
    pub fn load(&self, index: usize) -> Result<PosedImage> {
        let image = self
            .images
            .get(index)
            .ok_or_else(|| Error::BadImage(format!("image {index} of {}", self.images.len())))?;
        Ok(PosedImage {
            name: image.name.clone(),
            stamp: Time::from_secs_f64(index as f64),
            view: image.view,
            color: Arc::new(read_color(&self.folder.join(&image.name), &image.view.camera)?),
            depth: None,
        })
    }

    /// Writes cameras, images and points as binary files to `FOLDER/sparse/0`. The images themselves belong in
    /// `FOLDER/images`.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let model = folder.join("sparse/0");
        std::fs::create_dir_all(&model).map_err(|e| in_file(&model, e.into()))?;
        let mut cameras: Vec<CameraIntrinsics> = Vec::new();
        for image in &self.images {
            if !cameras.contains(&image.view.camera) {
                cameras.push(image.view.camera);
            }
        }
        let number =
            |camera: &CameraIntrinsics| cameras.iter().position(|c| c == camera).unwrap_or(0) as u32 + 1;
        let u32s = |w: &mut BufWriter<File>, v: u32| w.write_all(&v.to_le_bytes());
        let u64s = |w: &mut BufWriter<File>, v: u64| w.write_all(&v.to_le_bytes());
        let f64s =
            |w: &mut BufWriter<File>, v: &[f64]| v.iter().try_for_each(|v| w.write_all(&v.to_le_bytes()));
        write_whole(&model.join("cameras.bin"), |w| {
            u64s(w, cameras.len() as u64)?;
            for camera in &cameras {
                u32s(w, number(camera))?;
                u32s(w, 1)?; // PINHOLE
                u64s(w, u64::from(camera.width))?;
                u64s(w, u64::from(camera.height))?;
                f64s(w, &[camera.fx, camera.fy, camera.cx, camera.cy])?;
            }
            Ok(())
        })?;
        write_whole(&model.join("images.bin"), |w| {
            u64s(w, self.images.len() as u64)?;
            for (i, image) in self.images.iter().enumerate() {
                let pose = image.view.world_from_camera.inverse();
                let q = pose.rotation;
                u32s(w, i as u32 + 1)?;
                f64s(w, &[q.w, q.i, q.j, q.k])?;
                f64s(w, pose.translation.vector.as_slice())?;
                u32s(w, number(&image.view.camera))?;
                w.write_all(image.name.as_bytes())?;
                w.write_all(&[0])?;
                u64s(w, 0)?;
            }
            Ok(())
        })?;
        write_whole(&model.join("points3D.bin"), |w| {
            u64s(w, self.points.len() as u64)?;
            for (i, point) in self.points.iter().enumerate() {
                u64s(w, i as u64 + 1)?;
                f64s(w, &point.position.map(f64::from))?;
                w.write_all(&point.rgb)?;
                f64s(w, &[0.0])?;
                u64s(w, 0)?;
            }
            Ok(())
        })
    }
}

/// Numbers of a binary file.
impl Source<BufReader<File>> {
    fn number<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.number(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.number(what).map(u64::from_le_bytes)
    }

    fn f64s<const N: usize>(&mut self, what: &str) -> Result<[f64; N]> {
        let mut values = [0.0; N];
        for v in &mut values {
            *v = f64::from_le_bytes(self.number(what)?);
        }
        Ok(values)
    }
}

/// A binary file and the number of entries that it begins with, which is checked against its length.
fn binary(path: &Path, smallest_entry: u64) -> Result<(Source<BufReader<File>>, u64)> {
    let (file, length) = open(path)?;
    let mut source = Source::new("COLMAP", BufReader::new(file));
    let count = source.u64("the number of entries")?;
    if count
        .checked_mul(smallest_entry)
        .is_none_or(|bytes| bytes > length)
    {
        return Err(source.error_at(
            0,
            format!("it promises {count} entries, which {length} bytes cannot hold"),
        ));
    }
    Ok((source, count))
}

fn binary_cameras(path: &Path) -> Result<BTreeMap<u32, CameraIntrinsics>> {
    let (mut source, count) = binary(path, 48)?;
    let mut cameras = BTreeMap::new();
    for _ in 0..count {
        let start = source.at();
        let id = source.u32("a camera")?;
        let model = source.u32("a camera")? as usize;
        let size = [source.u64("a camera")?, source.u64("a camera")?];
        let Some((_, count)) = MODELS.get(model) else {
            return Err(source.error_at(start, format!("unknown camera model {model}")));
        };
        let mut parameters = Vec::new();
        for _ in 0..*count {
            let [p] = source.f64s("a camera")?;
            parameters.push(p);
        }
        let camera = intrinsics(model, size, &parameters).map_err(|e| source.error_at(start, e))?;
        cameras.insert(id, camera);
    }
    Ok(cameras)
}

fn binary_images(path: &Path, cameras: &BTreeMap<u32, CameraIntrinsics>) -> Result<Vec<ColmapImage>> {
    let (mut source, count) = binary(path, 73)?;
    let mut images = Vec::new();
    for _ in 0..count {
        let start = source.at();
        source.u32("an image")?;
        let q = source.f64s("an image")?;
        let t = source.f64s("an image")?;
        let camera = source.u32("an image")?;
        let mut name = Vec::new();
        loop {
            let [byte] = source.number("the name of an image")?;
            if byte == 0 {
                break;
            }
            if name.len() == MAX_NAME {
                return Err(source.error_at(start, "the name of an image does not end"));
            }
            name.push(byte);
        }
        let name =
            String::from_utf8(name).map_err(|_| source.error_at(start, "the name of an image is no text"))?;
        let points = source.u64("an image")?;
        for _ in 0..points {
            source.number::<24>("the points of an image")?;
        }
        images.push(image(&name, q, t, cameras.get(&camera)).map_err(|e| source.error_at(start, e))?);
    }
    Ok(images)
}

fn binary_points(path: &Path) -> Result<BTreeMap<u64, ColoredPoint>> {
    let (mut source, count) = binary(path, 51)?;
    let mut points = BTreeMap::new();
    for _ in 0..count {
        let start = source.at();
        let id = source.u64("a point")?;
        let position = source.f64s::<3>("a point")?;
        let rgb = source.number("a point")?;
        source.f64s::<1>("a point")?;
        let track = source.u64("a point")?;
        for _ in 0..track {
            source.number::<8>("the track of a point")?;
        }
        points.insert(id, point(position, rgb).map_err(|e| source.error_at(start, e))?);
    }
    Ok(points)
}

fn image(
    name: &str,
    q: [f64; 4],
    t: [f64; 3],
    camera: Option<&CameraIntrinsics>,
) -> std::result::Result<ColmapImage, String> {
    let camera = camera.ok_or_else(|| format!("image {name} has an unknown camera"))?;
    // Names come from a file and must not lead out of the folder.
    let inside = Path::new(name)
        .components()
        .all(|c| matches!(c, std::path::Component::Normal(_)));
    if name.is_empty() || !inside {
        return Err(format!("`{name}` is no path below the folder of images"));
    }
    Ok(ColmapImage {
        name: name.to_owned(),
        view: View::new(*camera, pose(q, t)?),
    })
}

fn point(position: [f64; 3], rgb: [u8; 3]) -> std::result::Result<ColoredPoint, String> {
    let position = position.map(|x| x as f32);
    if position.iter().any(|x| !x.is_finite()) {
        return Err("a point that is not finite".into());
    }
    Ok(ColoredPoint { position, rgb })
}

/// Lines of a text file that are no comments, with the byte where they begin.
fn text_lines(path: &Path) -> Result<Vec<(u64, String)>> {
    let text = std::fs::read_to_string(path)?;
    let mut at = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        if !line.starts_with('#') {
            lines.push((at, line.trim_end_matches(['\n', '\r']).to_owned()));
        }
        at += line.len() as u64;
    }
    Ok(lines)
}

/// The values of the words of a line from `first` on.
fn values<T: std::str::FromStr, const N: usize>(
    words: &[&str],
    first: usize,
) -> std::result::Result<[T; N], String> {
    let values: Vec<T> = words
        .get(first..first + N)
        .ok_or_else(|| format!("{} words where {} are needed", words.len(), first + N))?
        .iter()
        .map(|w| {
            w.parse()
                .map_err(|_| format!("`{w}` is no number of the kind needed"))
        })
        .collect::<std::result::Result<_, String>>()?;
    values.try_into().map_err(|_| "too few words".into())
}

fn at_byte(byte: u64) -> impl Fn(String) -> Error {
    move |reason| Error::BadFile {
        format: "COLMAP",
        byte,
        reason,
    }
}

fn text_cameras(path: &Path) -> Result<BTreeMap<u32, CameraIntrinsics>> {
    let mut cameras = BTreeMap::new();
    for (byte, line) in text_lines(path)?
        .iter()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let bad = at_byte(*byte);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id] = values(&words, 0).map_err(&bad)?;
        let name = words.get(1).copied().unwrap_or_default();
        let model = MODELS
            .iter()
            .position(|(n, _)| *n == name)
            .ok_or_else(|| bad(format!("unknown camera model `{name}`")))?;
        let size = values(&words, 2).map_err(&bad)?;
        let parameters: Vec<f64> = words[4..].iter().filter_map(|w| w.parse().ok()).collect();
        if parameters.len() != MODELS[model].1 {
            return Err(bad(format!("{name} has {} parameters", MODELS[model].1)));
        }
        cameras.insert(id, intrinsics(model, size, &parameters).map_err(&bad)?);
    }
    Ok(cameras)
}

fn text_images(path: &Path, cameras: &BTreeMap<u32, CameraIntrinsics>) -> Result<Vec<ColmapImage>> {
    let mut images = Vec::new();
    // Two lines per image; the second has its points and may be empty.
    for (byte, line) in text_lines(path)?
        .iter()
        .step_by(2)
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let bad = at_byte(*byte);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let q = values(&words, 1).map_err(&bad)?;
        let t = values(&words, 5).map_err(&bad)?;
        let [camera] = values::<u32, 1>(&words, 8).map_err(&bad)?;
        // The name is the rest of the line and may have spaces.
        let name = words.get(9..).unwrap_or_default().join(" ");
        images.push(image(&name, q, t, cameras.get(&camera)).map_err(&bad)?);
    }
    Ok(images)
}

fn text_points(path: &Path) -> Result<BTreeMap<u64, ColoredPoint>> {
    let mut points = BTreeMap::new();
    for (byte, line) in text_lines(path)?
        .iter()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let bad = at_byte(*byte);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id] = values(&words, 0).map_err(&bad)?;
        let position = values(&words, 1).map_err(&bad)?;
        let rgb = values(&words, 4).map_err(&bad)?;
        points.insert(id, point(position, rgb).map_err(&bad)?);
    }
    Ok(points)
}

/// A map to start a fit from: one Gaussian of degree 0 per point, as in Kerbl et al. 2023: a ball as large as the mean
/// distance to the three nearest points, with an opacity of a tenth.
///
/// # Errors
/// None for points that were read.
pub fn seed(points: &[ColoredPoint]) -> Result<GaussianMap> {
    let positions: Vec<[f32; 3]> = points.iter().map(|p| p.position).collect();
    let tree: ImmutableKdTree<f32, 3> = ImmutableKdTree::new_from_slice(&positions);
    let mut map = GaussianMap::new(0, 0)?;
    for point in points {
        // The point itself is the first.
        let near = tree.nearest_n::<SquaredEuclidean>(&point.position, NEIGHBOURS);
        let distances = near.iter().skip(1).map(|n| n.distance.sqrt());
        let mean = distances.sum::<f32>() / near.len().saturating_sub(1).max(1) as f32;
        map.push(&Gaussian {
            mean: point.position,
            log_scale: [mean.clamp(1e-4, 1.0).ln(); 3],
            opacity_logit: logit(0.1),
            ..Gaussian::default().with_color(point.rgb.map(|c| f32::from(c) / 255.0))
        })?;
    }
    Ok(map)
}

/// A point and its three nearest.
const NEIGHBOURS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
