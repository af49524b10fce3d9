//! Folders of RGB-D frames with poses.
//!
//! Two layouts are read. Microsoft's 7-Scenes, also used by TSDF-fusion examples:
//!
//! ```text
//! camera-intrinsics.txt      K, 3 rows of 3 numbers
//! frame-000000.color.png     or .jpg
//! frame-000000.depth.png     16 bit, millimetres; 0 and 65535: no measurement
//! frame-000000.pose.txt      world_from_camera, 4 rows of 4 numbers
//! ```
//!
//! and our own, which [`write()`] makes:
//!
//! ```text
//! frames.json                the camera and, for every frame, name, stamp and pose (see [`Index`])
//! color/NAME.png             8 bit sRGB
//! depth/NAME.png             16 bit; depth = value * depth_unit_m, 0: no measurement
//! ```
//!
//! Principal points are for pixel centres at +0.5, and colour and depth are pixel by pixel of the same camera. Where they
//! are not, as in 7-Scenes, see [`crate::calibrate`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, ImageBuffer, Luma, Rgb};
use nalgebra as na;
use serde::{Deserialize, Serialize};
use steward_core::camera::{CameraIntrinsics, MAX_IMAGE_SIDE};
use steward_core::geometry::{Pose3, Rotation3};
use steward_core::image::{ColorImage, DepthImage, Image};
use steward_core::time::Time;

use crate::{Error, Result, View};

/// A colour image with the pose it was taken from, and depth where there is some.
#[derive(Debug, Clone)]
pub struct PosedImage {
    /// What the image is called in its folder.
    pub name: String,
    /// When it was taken.
    pub stamp: Time,
    /// Camera and pose.
    pub view: View,
    /// Colour.
    pub color: Arc<ColorImage>,
    /// Depth in metres along the optical axis, NaN for none; of the same size.
    pub depth: Option<Arc<DepthImage>>,
}

/// `frames.json` of our layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Intrinsics of all images.
    pub camera: CameraIntrinsics,
    /// Metres per unit of the depth images.
    pub depth_unit_m: f64,
    /// The frames in the order of time.
    pub frames: Vec<IndexFrame>,
}

/// One frame of [`Index`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFrame {
    /// Names `color/NAME.png` and `depth/NAME.png`.
    pub name: String,
    /// When it was taken, seconds.
    pub stamp_s: f64,
    /// Position of the camera in the world, metres.
    pub position_m: [f64; 3],
    /// World from optical frame as a quaternion (x, y, z, w), as in ROS.
    pub rotation_xyzw: [f64; 4],
}

/// An opened folder; images are read when asked for.
#[derive(Debug, Clone)]
pub struct RgbdFolder {
    camera: CameraIntrinsics,
    depth_unit_m: f64,
    frames: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    stamp: Time,
    world_from_camera: Pose3,
    color: PathBuf,
    depth: PathBuf,
}

const INDEX: &str = "frames.json";
const INTRINSICS: &str = "camera-intrinsics.txt";
/// 7-Scenes has no stamps; its camera took 30 frames per second.
const SEVEN_SCENES_RATE_HZ: f64 = 30.0;
/// What sensors of 7-Scenes write for "no measurement" besides 0.
const NO_DEPTH: u16 = u16::MAX;

fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::File {
        path: path.display().to_string(),
        reason: reason.into(),
    }
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| bad(path, e.to_string()))
}

/// Exactly `N` numbers of a text file.
fn numbers<const N: usize>(path: &Path) -> Result<[f64; N]> {
    let text = read_text(path)?;
    let values: Vec<f64> = text
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(path, format!("not a number: {e}")))?;
    let count = values.len();
    <[f64; N]>::try_from(values).map_err(|_| bad(path, format!("{count} numbers where {N} are needed")))
}

/// A pose from a rigid 4x4 matrix in rows. Rotations that were rounded in the file are made orthogonal.
fn pose_of_matrix(m: &[f64; 16]) -> std::result::Result<Pose3, String> {
    let rotation = na::Matrix3::from_fn(|r, c| m[4 * r + c]);
    let orthogonal = (rotation * rotation.transpose() - na::Matrix3::identity()).norm();
    if !(orthogonal < 1e-2 && rotation.determinant() > 0.0) || m[12..15].iter().any(|x| *x != 0.0) {
        return Err("the matrix is no rigid transform".into());
    }
    Ok(Pose3::from_parts(
        na::Translation3::new(m[3], m[7], m[11]),
        Rotation3::from_matrix(&rotation),
    ))
}

impl RgbdFolder {
    /// Opens a folder of either layout: reads what describes the images, but no image.
    ///
    /// # Errors
    /// [`Error::File`] names what is missing or wrong.
    pub fn open(folder: &Path) -> Result<Self> {
        let opened = if folder.join(INDEX).is_file() {
            Self::open_ours(folder)
        } else if folder.join(INTRINSICS).is_file() {
            Self::open_seven_scenes(folder)
        } else {
            Err(bad(folder, format!("it has neither {INDEX} nor {INTRINSICS}")))
        }?;
        if opened.frames.is_empty() {
            return Err(bad(folder, "it has no frames"));
        }
        opened.camera.validate()?;
        Ok(opened)
    }

    fn open_ours(folder: &Path) -> Result<Self> {
        let path = folder.join(INDEX);
        let index: Index = serde_json::from_str(&read_text(&path)?).map_err(|e| bad(&path, e.to_string()))?;
        if !(index.depth_unit_m > 0.0 && index.depth_unit_m.is_finite()) {
            return Err(bad(&path, "depth_unit_m must be positive"));
        }
        let frames = index.frames.into_iter().map(|f| {
            let [x, y, z, w] = f.rotation_xyzw;
            let rotation = na::Quaternion::new(w, x, y, z);
            let finite = f.position_m.iter().all(|x| x.is_finite()) && f.stamp_s.is_finite();
            if !finite || (rotation.norm() - 1.0).abs() > 1e-2 {
                return Err(bad(
                    &path,
                    format!("frame {}: its pose or stamp is unusable", f.name),
                ));
            }
            // Names come from a file and must not lead out of the folder.
            if f.name.is_empty() || f.name.contains(['/', '\\']) {
                return Err(bad(
                    &path,
                    format!("frame `{}`: a name must be a plain file name", f.name),
                ));
            }
            Ok(Entry {
                stamp: Time::from_secs_f64(f.stamp_s),
                world_from_camera: Pose3::from_parts(
                    f.position_m.into(),
                    Rotation3::from_quaternion(rotation),
                ),
                color: folder.join("color").join(format!("{}.png", f.name)),
                depth: folder.join("depth").join(format!("{}.png", f.name)),
                name: f.name,
            })
        });
        Ok(RgbdFolder {
            camera: index.camera,
            depth_unit_m: index.depth_unit_m,
            frames: frames.collect::<Result<_>>()?,
        })
    }

    fn open_seven_scenes(folder: &Path) -> Result<Self> {
        let path = folder.join(INTRINSICS);
        let k: [f64; 9] = numbers(&path)?;
        if k[1] != 0.0 {
            return Err(bad(&path, "skew is not supported; rectify the images first"));
        }
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(folder).map_err(|e| bad(folder, e.to_string()))? {
            let entry = entry.map_err(|e| bad(folder, e.to_string()))?;
            if let Some(name) = entry
                .file_name()
                .to_str()
                .and_then(|n| n.strip_suffix(".pose.txt"))
            {
                names.insert(name.to_owned());
            }
        }
        let mut frames = Vec::new();
        for name in names {
            let path = folder.join(format!("{name}.pose.txt"));
            // Frames without a tracked pose are written as NaN or infinity.
            let matrix: [f64; 16] = numbers(&path)?;
            if matrix.iter().any(|x| !x.is_finite()) {
                continue;
            }
            let number: f64 = name
                .rsplit('-')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(frames.len() as f64);
            let color = ["png", "jpg", "jpeg"]
                .map(|ending| folder.join(format!("{name}.color.{ending}")))
                .into_iter()
                .find(|p| p.is_file())
                .ok_or_else(|| bad(folder, format!("{name} has a pose but no colour image")))?;
            frames.push(Entry {
                stamp: Time::from_secs_f64(number / SEVEN_SCENES_RATE_HZ),
                world_from_camera: pose_of_matrix(&matrix).map_err(|e| bad(&path, e))?,
                color,
                depth: folder.join(format!("{name}.depth.png")),
                name,
            });
        }
        // All images have the size of the first.
        let (width, height) = match frames.first() {
            Some(first) => {
                image::image_dimensions(&first.color).map_err(|e| bad(&first.color, e.to_string()))?
            }
            None => (0, 0),
        };
        Ok(RgbdFolder {
            camera: CameraIntrinsics {
                width,
                height,
                fx: k[0],
                fy: k[4],
                cx: k[2],
                cy: k[5],
            },
            depth_unit_m: 0.001,
            frames,
        })
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none; never for an opened folder.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Intrinsics of the images.
    pub fn camera(&self) -> &CameraIntrinsics {
        &self.camera
    }

    /// Names and views of all frames.
    pub fn views(&self) -> impl Iterator<Item = (&str, View)> {
        self.frames
            .iter()
            .map(|f| (f.name.as_str(), View::new(self.camera, f.world_from_camera)))
    }

    /// Reads the images of a frame.
    ///
    /// # Errors
    /// [`Error::File`] names the image that is missing, damaged or of another size.
    pub fn load(&self, index: usize) -> Result<PosedImage> {
        let entry = self
            .frames
            .get(index)
            .ok_or_else(|| Error::BadImage(format!("frame {index} of {}", self.frames.len())))?;
        let color = read_color(&entry.color, &self.camera)?;
        let depth = read_depth(&entry.depth, &self.camera, self.depth_unit_m)?;
        Ok(PosedImage {
            name: entry.name.clone(),
            stamp: entry.stamp,
            view: View::new(self.camera, entry.world_from_camera),
            color: Arc::new(color),
            depth: Some(Arc::new(depth)),
        })
    }
}

/// Decodes an image of a known size; a file that claims another size is refused before its pixels are read.
fn decode(path: &Path, camera: &CameraIntrinsics) -> Result<DynamicImage> {
    let fail = |e: image::ImageError| bad(path, e.to_string());
    let mut reader = image::ImageReader::open(path)
        .and_then(|r| r.with_guessed_format())
        .map_err(|e| bad(path, e.to_string()))?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_IMAGE_SIDE);
    limits.max_image_height = Some(MAX_IMAGE_SIDE);
    reader.limits(limits);
    let image = reader.decode().map_err(fail)?;
    if (image.width(), image.height()) != (camera.width, camera.height) {
        return Err(bad(
            path,
            format!(
                "it is {}x{}, the camera {}x{}",
                image.width(),
                image.height(),
                camera.width,
                camera.height
            ),
        ));
    }
    Ok(image)
}

/// Reads a colour image of the camera's size.
pub(crate) fn read_color(path: &Path, camera: &CameraIntrinsics) -> Result<ColorImage> {
    let pixels = decode(path, camera)?.into_rgb8();
    let pixels = pixels.pixels().map(|p| p.0).collect();
    Ok(Image::new(camera.width, camera.height, pixels)?)
}

fn read_depth(path: &Path, camera: &CameraIntrinsics, unit_m: f64) -> Result<DepthImage> {
    let DynamicImage::ImageLuma16(raw) = decode(path, camera)? else {
        return Err(bad(path, "depth must be an image of one channel with 16 bits"));
    };
    let metres = |p: &Luma<u16>| match p.0[0] {
        0 | NO_DEPTH => f32::NAN,
        value => (f64::from(value) * unit_m) as f32,
    };
    Ok(Image::new(
        camera.width,
        camera.height,
        raw.pixels().map(metres).collect(),
    )?)
}

/// Writes frames of one camera in our layout; depth is rounded to whole `depth_unit_m`.
///
/// # Errors
/// [`Error::BadView`] where the frames have different cameras, [`Error::File`] for what cannot be written.
pub fn write(folder: &Path, frames: &[PosedImage], depth_unit_m: f64) -> Result<()> {
    let Some(first) = frames.first() else {
        return Err(bad(folder, "there are no frames to write"));
    };
    let camera = first.view.camera;
    if frames.iter().any(|f| f.view.camera != camera) {
        return Err(Error::BadView(
            "the frames of a folder must have the same camera".into(),
        ));
    }
    for sub in ["color", "depth"] {
        let path = folder.join(sub);
        std::fs::create_dir_all(&path).map_err(|e| bad(&path, e.to_string()))?;
    }
    for f in frames {
        let path = folder.join("color").join(format!("{}.png", f.name));
        ImageBuffer::<Rgb<u8>, _>::from_raw(camera.width, camera.height, f.color.data().as_flattened())
            .ok_or_else(|| Error::BadImage("colour of another size than the camera".into()))?
            .save(&path)
            .map_err(|e| bad(&path, e.to_string()))?;
        let units = |d: &f32| (f64::from(*d) / depth_unit_m).round() as u16;
        let depth: Vec<u16> = match &f.depth {
            Some(depth) => depth.data().iter().map(units).collect(),
            None => vec![0; f.color.data().len()],
        };
        let path = folder.join("depth").join(format!("{}.png", f.name));
        ImageBuffer::<Luma<u16>, _>::from_raw(camera.width, camera.height, depth)
            .ok_or_else(|| Error::BadImage("depth of another size than the camera".into()))?
            .save(&path)
            .map_err(|e| bad(&path, e.to_string()))?;
    }
    let index = Index {
        camera,
        depth_unit_m,
        frames: frames
            .iter()
            .map(|f| {
                let pose = &f.view.world_from_camera;
                IndexFrame {
                    name: f.name.clone(),
                    stamp_s: f.stamp.secs_f64(),
                    position_m: pose.translation.vector.into(),
                    rotation_xyzw: pose.rotation.coords.into(),
                }
            })
            .collect(),
    };
    let path = folder.join(INDEX);
    let text = serde_json::to_string_pretty(&index).map_err(|e| bad(&path, e.to_string()))?;
    std::fs::write(&path, text).map_err(|e| bad(&path, e.to_string()))
}
