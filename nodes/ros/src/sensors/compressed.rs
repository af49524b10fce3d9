//! `sensor_msgs/CompressedImage`: JPEG and PNG, and depth as `compressed_depth_image_transport` packs it.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use steward_core::camera::MAX_IMAGE_SIDE;
use steward_core::image::{ColorImage, DepthImage, Image};
use steward_core::messages::Header;
use steward_nodes::recording::CdrReader;

use super::image::{measured, millimetres};
use super::refusal::Refusal;

/// A small file can claim to be a huge image. This is one of 6000 x 6000 pixels, bytes.
const MAX_DECODED: u64 = 128 << 20;
/// What stands before the PNG: format and two parameters of the quantization, four bytes each.
const DEPTH_HEADER: usize = 12;

/// A compressed image as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CompressedImage<'a> {
    /// Stamp and frame.
    pub(super) header: Header,
    format: &'a str,
    data: &'a [u8],
}

impl<'a> CompressedImage<'a> {
    /// From the bytes of the message.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`]
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut r = CdrReader::new(bytes)?;
        let image = CompressedImage {
            header: r.get()?,
            format: r.text()?,
            data: r.byte_sequence()?,
        };
        r.finish()?;
        Ok(image)
    }

    /// As a colour image. Files are told apart by their content: `format` says in how the image was encoded before,
    /// which a JPEG or PNG does not depend on.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn color(&self) -> Result<ColorImage, Refusal> {
        let rgb = decoded(self.data)?.into_rgb8();
        let pixels = rgb.as_raw().as_chunks().0.to_vec();
        Image::new(rgb.width(), rgb.height(), pixels).map_err(|e| Refusal::Size(e.to_string()))
    }

    /// As depth in metres, NaN where nothing was measured. `16UC1` is millimetres; `32FC1` is the inverse of depth,
    /// quantized, as `compressed_depth_image_transport` writes it.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn depth(&self) -> Result<DepthImage, Refusal> {
        let short = || Refusal::Size(format!("{} bytes are no compressed depth", self.data.len()));
        let (header, file) = match self.format.contains("compressedDepth") {
            true => self.data.split_at_checked(DEPTH_HEADER).ok_or_else(short)?,
            false => (&[][..], self.data),
        };
        let DynamicImage::ImageLuma16(image) = decoded(file)? else {
            return Err(Refusal::Encoding(
                "depth must be a PNG of one channel of 16 bits".into(),
            ));
        };
        let pixels = match (self.format.split(';').next(), header) {
            (Some("32FC1"), [_, _, _, _, a @ .., b1, b2, b3, b4]) if a.len() == 4 => {
                let a = f32::from_le_bytes([a[0], a[1], a[2], a[3]]);
                let b = f32::from_le_bytes([*b1, *b2, *b3, *b4]);
                let depth = |inverse: u16| match inverse {
                    0 => f32::NAN,
                    n => measured(a / (f32::from(n) - b)),
                };
                image.as_raw().iter().map(|n| depth(*n)).collect()
            }
            (Some("16UC1"), _) => image.as_raw().iter().map(|n| millimetres(*n)).collect(),
            _ => {
                let found: String = self.format.chars().take(60).collect();
                return Err(Refusal::Encoding(format!(
                    "format `{found}` is not one of `16UC1; compressedDepth png`, `32FC1; compressedDepth png`, `16UC1; png`"
                )));
            }
        };
        Image::new(image.width(), image.height(), pixels).map_err(|e| Refusal::Size(e.to_string()))
    }
}

fn decoded(file: &[u8]) -> Result<DynamicImage, Refusal> {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_IMAGE_SIDE), Some(MAX_IMAGE_SIDE));
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = match image::guess_format(file) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => {
            ImageReader::with_format(Cursor::new(file), format)
        }
        _ => return Err(Refusal::Encoding("it is neither a JPEG nor a PNG".into())),
    };
    reader.limits(limits);
    reader.decode().map_err(|e| match e {
        image::ImageError::Limits(e) => Refusal::Size(e.to_string()),
        e => Refusal::Encoding(e.to_string()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use image::{ImageBuffer, Luma, Rgb};
    use steward_core::Time;
    use steward_nodes::recording::CdrWriter;

    use super::*;

    /// The bytes of a message, by the definition of `sensor_msgs/CompressedImage`.
    pub(in super::super) fn message(stamp_s: f64, frame: &str, format: &str, data: &[u8]) -> Vec<u8> {
        let mut w = CdrWriter::with_capacity(data.len());
        w.put(&Header::new(Time::from_secs_f64(stamp_s), frame));
        w.text(format).byte_sequence(data);
        w.finish().unwrap()
    }

    fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn depth_png(pixels: &[u16]) -> Vec<u8> {
        let image: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(pixels.len() as u32, 1, pixels.to_vec()).unwrap();
        file(&DynamicImage::ImageLuma16(image), ImageFormat::Png)
    }

    fn quantized(a: f32, b: f32, png: &[u8]) -> Vec<u8> {
        let header = [[0; 4], a.to_le_bytes(), b.to_le_bytes()].concat();
        [&header, png].concat()
    }

    #[test]
    fn colour_is_read_from_jpeg_and_png() {
        let red = DynamicImage::ImageRgb8(ImageBuffer::from_pixel(4, 3, Rgb([200, 10, 20])));
        for (format, said) in [
            (ImageFormat::Png, "rgb8; png compressed bgr8"),
            (ImageFormat::Jpeg, "jpeg"),
        ] {
            let bytes = message(1.0, "camera", said, &file(&red, format));
            let color = CompressedImage::read(&bytes).unwrap().color().unwrap();
            assert_eq!((color.width(), color.height()), (4, 3));
            let [r, g, b] = color.data()[5].map(i32::from);
            // JPEG loses a little.
            assert!(
                (r - 200).abs() < 8 && (g - 10).abs() < 8 && (b - 20).abs() < 8,
                "{said}"
            );
        }
    }

    #[test]
    fn depth_is_read_from_millimetres_and_from_quantized_inverses() {
        // By hand: 1 / (n - 0) * 1000 metres, and 500 / (n - 1).
        let png = depth_png(&[1250, 0, 500]);
        for (format, data, expected) in [
            ("16UC1; png compressed ", png.clone(), [1.25, 0.5]),
            (
                "16UC1; compressedDepth png",
                quantized(0.0, 0.0, &png),
                [1.25, 0.5],
            ),
            (
                "32FC1; compressedDepth png",
                quantized(1000.0, 0.0, &png),
                [0.8, 2.0],
            ),
            (
                "32FC1; compressedDepth",
                quantized(500.0, 1.0, &png),
                [500.0 / 1249.0, 500.0 / 499.0],
            ),
        ] {
            let bytes = message(1.0, "camera", format, &data);
            let depth = CompressedImage::read(&bytes).unwrap().depth().unwrap();
            let [first, none, last] = *depth.data() else {
                panic!()
            };
            assert!((first - expected[0]).abs() < 1e-6 && none.is_nan(), "{format}");
            assert!((last - expected[1]).abs() < 1e-6, "{format}");
        }
    }

    #[test]
    fn what_is_no_such_image_is_refused() {
        let png = depth_png(&[1, 2]);
        let mut bomb = png.clone();
        // Width and height in the PNG's header, and a checksum that fits.
        bomb[16..24].copy_from_slice(&[0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff]);
        let crc = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        for (format, data, reason) in [
            ("16UC1; compressedDepth png", &b"short"[..], "size"),
            ("16UC1; compressedDepth rvl", &[0; 40][..], "encoding"),
            ("16UC1; png", &[][..], "encoding"),
            ("32FC1; png", &png[..], "encoding"),
            ("mono8; png", &png[..], "encoding"),
            ("16UC1; png", &png[..png.len() / 2], "encoding"),
            ("16UC1; png", &bomb[..], "size"),
        ] {
            let bytes = message(1.0, "camera", format, data);
            let image = CompressedImage::read(&bytes).unwrap();
            assert_eq!(image.depth().unwrap_err().name(), reason, "{format}");
        }
        for (data, reason) in [
            (&b"GIF89a"[..], "encoding"),
            (&[0xff, 0xd8, 0xff][..], "encoding"),
            (&bomb[..], "size"),
        ] {
            let bytes = message(1.0, "camera", "jpeg", data);
            assert_eq!(
                CompressedImage::read(&bytes).unwrap().color().unwrap_err().name(),
                reason
            );
        }
    }

    /// CRC of ISO 3309, as in the PNG specification's appendix.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| {
                if c & 1 == 1 {
                    0xedb8_8320 ^ (c >> 1)
                } else {
                    c >> 1
                }
            })
        })
    }
}
