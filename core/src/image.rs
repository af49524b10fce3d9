//! Images and RGB-D frames.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::camera::CameraIntrinsics;
use crate::messages::Header;
use crate::{Error, Result};

/// A row-major image: element `(column, row)` is at `row * width + column`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image<T> {
    width: u32,
    height: u32,
    data: Vec<T>,
}

/// 8-bit sRGB colours.
pub type ColorImage = Image<[u8; 3]>;
/// Depth in metres along the optical axis (REP-118). NaN: no measurement.
pub type DepthImage = Image<f32>;
/// Instance numbers of a [`Segmentation`]. 0: nothing recognised.
pub type LabelImage = Image<u16>;

impl<T> Image<T> {
    /// Wraps pixels in row-major order.
    ///
    /// # Errors
    /// [`Error::BadImage`] where the number of pixels is not `width * height` or a side is zero or absurd.
    pub fn new(width: u32, height: u32, data: Vec<T>) -> Result<Self> {
        let limit = crate::camera::MAX_IMAGE_SIDE;
        if width == 0 || height == 0 || width > limit || height > limit {
            return Err(Error::BadImage(format!(
                "size {width}x{height} must be between 1 and {limit}"
            )));
        }
        if data.len() != width as usize * height as usize {
            return Err(Error::BadImage(format!(
                "{} pixels do not make {width}x{height}",
                data.len()
            )));
        }
        Ok(Image { width, height, data })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Pixels, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Pixels, row-major.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The pixel at a column and row, `None` outside.
    pub fn get(&self, column: u32, row: u32) -> Option<&T> {
        (column < self.width && row < self.height)
            .then(|| &self.data[row as usize * self.width as usize + column as usize])
    }
}

/// Colour and registered depth of one camera at one instant.
///
/// Invariant, checked by [`RgbdFrame::validate`]: colour, depth and intrinsics have the same size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RgbdFrame {
    /// Stamp of the exposure and optical frame.
    pub header: Header,
    /// Intrinsics of both images.
    pub camera: CameraIntrinsics,
    /// Colour.
    pub color: Arc<ColorImage>,
    /// Depth, metres along the optical axis, NaN where there is none.
    pub depth: Arc<DepthImage>,
}

impl RgbdFrame {
    /// # Errors
    /// [`Error::BadImage`] where sizes differ, [`Error::BadIntrinsics`] where the camera is unusable.
    pub fn validate(&self) -> Result<()> {
        self.camera.validate()?;
        for (what, w, h) in [
            ("colour", self.color.width(), self.color.height()),
            ("depth", self.depth.width(), self.depth.height()),
        ] {
            if (w, h) != (self.camera.width, self.camera.height) {
                return Err(Error::BadImage(format!(
                    "{what} is {w}x{h} but the camera is {}x{}",
                    self.camera.width, self.camera.height
                )));
            }
        }
        Ok(())
    }
}

/// What a detector says about one image: which pixels belong to which instance, and what each instance is.
///
/// Instance numbers mean something within one image only. Telling that two instances of different images
/// are the same object is the business of whoever remembers objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    /// Stamp and frame of the image that was looked at.
    pub header: Header,
    /// Instance number per pixel, 0 for none.
    pub labels: Arc<LabelImage>,
    /// The instances, by ascending number.
    pub detections: Vec<Detection>,
}

/// One instance in one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Its number in [`Segmentation::labels`], from 1.
    pub instance: u16,
    /// Class in lower case with underscores: `mug`, `fridge`, `fridge_door`.
    pub class: String,
    /// Confidence between 0 and 1.
    pub score: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_match() {
        assert!(matches!(Image::new(2, 2, vec![0u8; 3]), Err(Error::BadImage(_))));
        assert!(matches!(Image::<u8>::new(0, 0, vec![]), Err(Error::BadImage(_))));
        let i = Image::new(2, 1, vec![1u8, 2]).unwrap();
        assert_eq!(i.get(1, 0), Some(&2));
        assert_eq!(i.get(2, 0), None);
    }
}
