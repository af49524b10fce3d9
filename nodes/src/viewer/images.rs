//! The head camera: colour, masks by class, depth.

use rerun::{
    AnnotationContext, ChannelDatatype, DepthImage, Image, ImageFormat, Pinhole, Rgba32, SegmentationImage,
};
use steward_core::camera::CameraIntrinsics;
use steward_core::frames;
use steward_core::image::{RgbdFrame, Segmentation};

use super::{Classes, Log, class_color};
use crate::error::Result;

#[derive(Default)]
pub(super) struct Images {
    camera: Option<CameraIntrinsics>,
    classes: Classes,
}

impl Images {
    pub(super) fn frame(&mut self, log: &Log, frame: &RgbdFrame) -> Result<()> {
        if frame.validate().is_err() {
            return Ok(());
        }
        if self.camera != Some(frame.camera) {
            log.now("camera", &pinhole(&frame.camera))?;
            self.camera = Some(frame.camera);
        }
        let size = [frame.color.width(), frame.color.height()];
        let color = frame.color.data().as_flattened().to_vec();
        log.now("camera/rgb", &Image::from_rgb24(color, size))?;
        // A view has no use for a tenth of a millimetre, and half the bytes make smaller files.
        let depth: Vec<u8> = frame
            .depth
            .data()
            .iter()
            .flat_map(|d| ((d * 1000.0).clamp(0.0, 65_535.0) as u16).to_le_bytes())
            .collect();
        let depth = DepthImage::from_gray16(depth, size)
            .with_meter(1000.0)
            .with_depth_range([0.0, 6000.0]);
        log.now("camera/depth", &depth)
    }

    pub(super) fn segmentation(&mut self, log: &Log, m: &Segmentation) -> Result<()> {
        // Instance numbers mean something within one image only; classes keep their colours.
        let mut class_of = vec![0u16; usize::from(u16::MAX) + 1];
        let mut is_new = false;
        for d in &m.detections {
            let (number, new) = self.classes.number(&d.class);
            class_of[usize::from(d.instance)] = number as u16;
            is_new |= new;
        }
        if is_new {
            let names = self.classes.0.iter().map(|(name, &n)| {
                let [r, g, b] = class_color(n);
                (n as u16, &**name, Rgba32::from_rgb(r, g, b))
            });
            let background = (0u16, "", Rgba32::from_unmultiplied_rgba(0, 0, 0, 0));
            log.forever("camera", &AnnotationContext::new(names.chain([background])))?;
        }
        let classes: Vec<u8> = m
            .labels
            .data()
            .iter()
            .flat_map(|i| class_of[usize::from(*i)].to_le_bytes())
            .collect();
        let format = ImageFormat::segmentation([m.labels.width(), m.labels.height()], ChannelDatatype::U16);
        log.now(
            "camera/classes",
            &SegmentationImage::new(classes, format).with_opacity(0.4),
        )
    }
}

/// The camera, hung into the tree of named frames. rerun has pixel centres at +0.5, as we do.
fn pinhole(camera: &CameraIntrinsics) -> Pinhole {
    Pinhole::from_focal_length_and_resolution(
        [camera.fx as f32, camera.fy as f32],
        [camera.width as f32, camera.height as f32],
    )
    .with_principal_point([camera.cx as f32, camera.cy as f32])
    .with_parent_frame(frames::HEAD_CAMERA_OPTICAL)
    .with_image_plane_distance(0.4)
}
