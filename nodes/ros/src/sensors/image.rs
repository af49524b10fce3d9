//! `sensor_msgs/Image` in the encodings that cameras and simulators use.
//!
//! | what | encodings | |
//! |---|---|---|
//! | colour | `rgb8`, `bgr8`, `rgba8`, `bgra8`, `mono8` | transparency is ignored |
//! | depth | `32FC1` | metres; what is not finite or not above 0 is no measurement |
//! | | `16UC1` | millimetres; 0 is no measurement |
//! | label numbers | `8UC1`, `mono8`, `16UC1`, `mono16`, `32SC1` | |
//! | Gazebo's labels | `rgb8` | third byte the class, the others the instance, low byte first |

use steward_core::camera::MAX_IMAGE_SIDE;
use steward_core::image::{ColorImage, DepthImage, Image};
use steward_core::messages::Header;
use steward_nodes::recording::CdrReader;

use super::refusal::Refusal;

/// Metres in a step of integer depth (REP-118).
pub(super) const INTEGER_DEPTH_M: f32 = 0.001;

/// An image as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawImage<'a> {
    /// Stamp and frame.
    pub(super) header: Header,
    height: u32,
    width: u32,
    encoding: &'a str,
    is_bigendian: bool,
    /// Bytes from one row to the next.
    step: u32,
    data: &'a [u8],
}

impl<'a> RawImage<'a> {
    /// From the bytes of the message.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`]
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut r = CdrReader::new(bytes)?;
        let image = RawImage {
            header: r.get()?,
            height: r.get()?,
            width: r.get()?,
            encoding: r.text()?,
            is_bigendian: r.get::<u8>()? != 0,
            step: r.get()?,
            data: r.byte_sequence()?,
        };
        r.finish()?;
        Ok(image)
    }

    /// As a colour image.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn color(&self) -> Result<ColorImage, Refusal> {
        match self.encoding {
            "rgb8" => self.pixels(|rgb| rgb),
            "bgr8" => self.pixels(|[b, g, r]| [r, g, b]),
            "rgba8" => self.pixels(|[r, g, b, _]| [r, g, b]),
            "bgra8" => self.pixels(|[b, g, r, _]| [r, g, b]),
            "mono8" => self.pixels(|[grey]| [grey; 3]),
            _ => Err(self.not_one_of("rgb8, bgr8, rgba8, bgra8, mono8")),
        }
    }

    /// As depth in metres, NaN where nothing was measured.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn depth(&self) -> Result<DepthImage, Refusal> {
        match (self.encoding, self.is_bigendian) {
            ("32FC1", false) => self.pixels(|bytes| measured(f32::from_le_bytes(bytes))),
            ("32FC1", true) => self.pixels(|bytes| measured(f32::from_be_bytes(bytes))),
            ("16UC1", false) => self.pixels(|bytes| millimetres(u16::from_le_bytes(bytes))),
            ("16UC1", true) => self.pixels(|bytes| millimetres(u16::from_be_bytes(bytes))),
            _ => Err(self.not_one_of("32FC1 (metres), 16UC1 (millimetres)")),
        }
    }

    /// As numbers of labels.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn numbers(&self) -> Result<Image<u32>, Refusal> {
        match (self.encoding, self.is_bigendian) {
            ("8UC1" | "mono8", _) => self.pixels(|[n]| n.into()),
            ("16UC1" | "mono16", false) => self.pixels(|bytes| u16::from_le_bytes(bytes).into()),
            ("16UC1" | "mono16", true) => self.pixels(|bytes| u16::from_be_bytes(bytes).into()),
            ("32SC1", false) => self.pixels(u32::from_le_bytes),
            ("32SC1", true) => self.pixels(u32::from_be_bytes),
            _ => Err(self.not_one_of("8UC1, mono8, 16UC1, mono16, 32SC1")),
        }
    }

    /// As Gazebo's labels: the class's number and which of that class.
    ///
    /// # Errors
    /// [`Refusal::Encoding`], [`Refusal::Size`]
    pub(super) fn gazebo_labels(&self) -> Result<Image<(u8, u16)>, Refusal> {
        match self.encoding {
            "rgb8" => self.pixels(|[low, high, class]| (class, u16::from_le_bytes([low, high]))),
            _ => Err(self.not_one_of("rgb8")),
        }
    }

    fn not_one_of(&self, known: &str) -> Refusal {
        // It may be anything, and of any length.
        let found: String = self.encoding.chars().take(40).collect();
        Refusal::Encoding(format!("encoding `{found}` is not one of {known}"))
    }

    /// Pixels of `N` bytes each, without what pads the rows.
    fn pixels<T, const N: usize>(&self, pixel: impl Fn([u8; N]) -> T) -> Result<Image<T>, Refusal> {
        let (width, height, step) = (self.width as usize, self.height as usize, self.step as usize);
        let limit = 1..=MAX_IMAGE_SIDE;
        if !limit.contains(&self.width) || !limit.contains(&self.height) {
            return Err(Refusal::Size(format!(
                "size {width}x{height} must be between 1 and {MAX_IMAGE_SIDE}"
            )));
        }
        let row = width * N;
        if step < row {
            return Err(Refusal::Size(format!(
                "a row of {width} pixels has {row} bytes, and step is {step}"
            )));
        }
        // The last row may lack its padding.
        if !(step * (height - 1) + row..=step * height).contains(&self.data.len()) {
            return Err(Refusal::Size(format!(
                "{} bytes do not make {height} rows of {step} bytes",
                self.data.len()
            )));
        }
        let mut pixels = Vec::with_capacity(width * height);
        for line in self.data.chunks(step) {
            pixels.extend(line[..row].as_chunks().0.iter().map(|bytes| pixel(*bytes)));
        }
        Image::new(self.width, self.height, pixels).map_err(|e| Refusal::Size(e.to_string()))
    }
}

/// Depth, or NaN for what is no distance.
pub(super) fn measured(depth_m: f32) -> f32 {
    if depth_m.is_finite() && depth_m > 0.0 {
        depth_m
    } else {
        f32::NAN
    }
}

/// Depth, or NaN for 0.
pub(super) fn millimetres(depth: u16) -> f32 {
    measured(f32::from(depth) * INTEGER_DEPTH_M)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use steward_core::Time;
    use steward_nodes::recording::CdrWriter;

    use super::*;

    /// The bytes of a message, by the definition of `sensor_msgs/Image`.
    pub(in super::super) fn message(
        stamp_s: f64,
        frame: &str,
        (width, height): (u32, u32),
        encoding: &str,
        is_bigendian: u8,
        step: u32,
        data: &[u8],
    ) -> Vec<u8> {
        let mut w = CdrWriter::with_capacity(data.len());
        w.put(&Header::new(Time::from_secs_f64(stamp_s), frame));
        w.put(&height).put(&width).text(encoding).put(&is_bigendian);
        w.put(&step).byte_sequence(data);
        w.finish().unwrap()
    }

    fn bytes_of(size: (u32, u32), encoding: &str, is_bigendian: u8, step: u32, data: &[u8]) -> Vec<u8> {
        message(1.0, "camera", size, encoding, is_bigendian, step, data)
    }

    #[test]
    fn colours_come_in_every_order() {
        for (encoding, data, expected) in [
            ("rgb8", vec![1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]),
            ("bgr8", vec![3, 2, 1, 6, 5, 4], [[1, 2, 3], [4, 5, 6]]),
            ("rgba8", vec![1, 2, 3, 9, 4, 5, 6, 9], [[1, 2, 3], [4, 5, 6]]),
            ("bgra8", vec![3, 2, 1, 9, 6, 5, 4, 9], [[1, 2, 3], [4, 5, 6]]),
            ("mono8", vec![1, 4], [[1, 1, 1], [4, 4, 4]]),
        ] {
            let bytes = bytes_of((2, 1), encoding, 0, data.len() as u32, &data);
            let raw = RawImage::read(&bytes).unwrap();
            assert_eq!(raw.header, Header::new(Time::from_secs_f64(1.0), "camera"));
            assert_eq!(raw.color().unwrap().data(), expected, "{encoding}");
        }
    }

    #[test]
    fn depth_is_metres_and_nan_where_nothing_was_measured() {
        let metres = [1.25f32, 0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0];
        let millimetres = [1250u16, 0, 0, 0, 0, 0];
        for is_bigendian in [0, 1] {
            let floats = metres.iter().flat_map(|v| {
                if is_bigendian == 1 {
                    v.to_be_bytes()
                } else {
                    v.to_le_bytes()
                }
            });
            let integers = millimetres.iter().flat_map(|v| {
                if is_bigendian == 1 {
                    v.to_be_bytes()
                } else {
                    v.to_le_bytes()
                }
            });
            for (encoding, step, data) in [
                ("32FC1", 12, floats.collect::<Vec<u8>>()),
                ("16UC1", 6, integers.collect()),
            ] {
                let bytes = bytes_of((3, 2), encoding, is_bigendian, step, &data);
                let depth = RawImage::read(&bytes).unwrap().depth().unwrap();
                assert_eq!(depth.data()[0], 1.25, "{encoding}");
                assert!(depth.data()[1..].iter().all(|d| d.is_nan()), "{encoding}");
            }
        }
        let farthest = bytes_of((1, 1), "16UC1", 0, 2, &[255, 255]);
        assert!((RawImage::read(&farthest).unwrap().depth().unwrap().data()[0] - 65.535).abs() < 1e-4);
    }

    #[test]
    fn labels_are_numbers_or_gazebos_classes_and_instances() {
        for (encoding, is_bigendian, data) in [
            ("8UC1", 0, vec![7]),
            ("mono8", 1, vec![7]),
            ("16UC1", 0, vec![7, 0]),
            ("mono16", 1, vec![0, 7]),
            ("32SC1", 0, vec![7, 0, 0, 0]),
            ("32SC1", 1, vec![0, 0, 0, 7]),
        ] {
            let bytes = bytes_of((1, 1), encoding, is_bigendian, data.len() as u32, &data);
            assert_eq!(
                RawImage::read(&bytes).unwrap().numbers().unwrap().data(),
                [7],
                "{encoding}"
            );
        }
        let bytes = bytes_of((1, 1), "rgb8", 0, 3, &[2, 1, 9]);
        let labels = RawImage::read(&bytes).unwrap().gazebo_labels().unwrap();
        assert_eq!(labels.data(), [(9, 258)]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        for (size, encoding, step, length, reason) in [
            ((0, 1), "rgb8", 0, 0, "size"),
            ((1, 0), "rgb8", 3, 0, "size"),
            ((1_000_000, 1_000_000), "rgb8", 3_000_000, 12, "size"),
            ((u32::MAX, u32::MAX), "32FC1", u32::MAX, 12, "size"),
            ((2, 2), "rgb8", 5, 10, "size"),
            ((2, 2), "rgb8", 0, 12, "size"),
            ((2, 2), "rgb8", 6, 11, "size"),
            ((2, 2), "rgb8", 6, 13, "size"),
            ((2, 2), "rgb8", 8, 13, "size"),
            ((2, 2), "rgb16", 12, 24, "encoding"),
            ((2, 2), "", 6, 12, "encoding"),
        ] {
            let bytes = bytes_of(size, encoding, 0, step, &vec![0; length]);
            let raw = RawImage::read(&bytes).unwrap();
            let refused = if encoding == "32FC1" {
                raw.depth().unwrap_err()
            } else {
                raw.color().unwrap_err()
            };
            assert_eq!(refused.name(), reason, "{size:?} {encoding} {step} {length}");
        }
        let bytes = bytes_of((1, 1), "rgb8", 0, 3, &[1, 2, 3]);
        let raw = RawImage::read(&bytes).unwrap();
        assert_eq!(raw.depth().unwrap_err().name(), "encoding");
        assert_eq!(raw.numbers().unwrap_err().name(), "encoding");
        for cut in 0..bytes.len() - 1 {
            assert_eq!(RawImage::read(&bytes[..cut]).unwrap_err().name(), "unreadable");
        }
    }

    proptest! {
        #[test]
        fn padding_of_rows_changes_nothing(
            width in 1u32..6, height in 1u32..6, padding in 0u32..5, is_last_padded: bool, seed in 0u8..255,
        ) {
            let row = (width * 3) as usize;
            let plain: Vec<u8> = (0..row * height as usize).map(|i| seed.wrapping_add(i as u8)).collect();
            let mut padded = Vec::new();
            for line in plain.chunks(row) {
                padded.extend_from_slice(line);
                padded.extend(std::iter::repeat_n(0xEE, padding as usize));
            }
            if !is_last_padded {
                padded.truncate(padded.len() - padding as usize);
            }
            let tight = bytes_of((width, height), "bgr8", 0, width * 3, &plain);
            let loose = bytes_of((width, height), "bgr8", 0, width * 3 + padding, &padded);
            prop_assert_eq!(
                RawImage::read(&tight).unwrap().color().unwrap(),
                RawImage::read(&loose).unwrap().color().unwrap()
            );
        }

        #[test]
        fn no_bytes_are_too_odd(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            width: u32, height: u32, step: u32, at in 0usize..6,
        ) {
            // Past the encapsulation most of the time.
            if bytes.len() > 4 {
                bytes[..4].copy_from_slice(&[0, 1, 0, 0]);
            }
            let _ = RawImage::read(&bytes).map(|i| (i.color().is_ok(), i.depth().is_ok(), i.numbers().is_ok()));
            let encoding = ["rgb8", "bgra8", "mono8", "32FC1", "16UC1", "32SC1"][at];
            let bytes = bytes_of((width, height), encoding, 0, step, &bytes);
            let image = RawImage::read(&bytes).unwrap();
            let _ = (image.color().is_ok(), image.depth().is_ok(), image.numbers().is_ok());
        }
    }
}
