//! `.spz`, Niantic's compressed format (<https://github.com/nianticlabs/spz>): versions 2 and 3 (one gzip stream) and 4
//! (one Zstandard stream per attribute) are read; 4, the current one, or 3 is written.
//!
//! Every attribute of all Gaussians lies together, in this order:
//!
//! ```text
//! mean      3 x i24   fixed point with `fractional_bits` bits behind the point (12 here: 1/4096 m)
//! opacity   u8        255 * opacity
//! colour    3 x u8    255 * (0.5 + 0.15 * first coefficient)
//! scale     3 x u8    16 * (logarithm + 10)
//! rotation  u32       the three components of least magnitude, 10 bits each, and which one is missing
//!           3 x u8    version 2: x, y, z of the quaternion with w >= 0
//! harmonics n x u8    128 + 128 * coefficient, `[coefficient][rgb]`; 5 bits are kept at degree 1, 4 above
//! ```
//!
//! The format puts y up and z towards the viewer where `.ply` files have y down and z away from the viewer, so y and z are
//! negated on the way in and out, as Niantic's own converters do: the same map as `.ply` and as `.spz` is the same
//! scene for other programs.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::bytes::{Source, logit, normalized, sigmoid, to_byte};
use crate::map::{MAX_SH_DEGREE, sh_coefficients};
use crate::{Error, Gaussian, GaussianMap, Result};

const MAGIC: &[u8; 4] = b"NGSP";
const GZIP: [u8; 2] = [0x1f, 0x8b];
const FRACTIONAL_BITS: u8 = 12;
/// Scale of the first coefficient, wider than the range of colours.
const COLOR_SCALE: f32 = 0.15;
/// Neither deflate nor the streams of real maps shrink by more; a header that promises more lies.
const MAX_COMPRESSION: u64 = 1100;
/// Vendor extensions may stand between the header and the table of contents of version 4.
const MAX_EXTENSIONS: u64 = 1 << 20;

/// Signs of the axes between `.ply` and `.spz`: half a turn about x.
const AXES: [f32; 3] = [1.0, -1.0, -1.0];
/// What half a turn about x does to the spherical harmonics, in the order of `.ply`.
const SH_SIGNS: [f32; 16] = [
    1.0, -1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0,
];

/// What half a turn about x does to a rotation (w, x, y, z).
fn turned([w, x, y, z]: [f32; 4]) -> [f32; 4] {
    [w, x, -y, -z]
}

/// Versions that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// For programs from before 2026.
    V3,
    /// The current one.
    V4,
}

/// What a header says.
struct Header {
    version: u32,
    count: u64,
    degree: u8,
    fractional_bits: u8,
}

impl Header {
    fn parse<R: Read>(bytes: &[u8; 16], source: &Source<R>) -> Result<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let start = source.at() - 16;
        if !bytes.starts_with(MAGIC) {
            return Err(source.error_at(start, "it does not begin with `NGSP`"));
        }
        let version = word(4);
        if !(2..=4).contains(&version) {
            return Err(source.error_at(
                start + 4,
                format!("version {version}; versions 2 to 4 can be read"),
            ));
        }
        let [degree, fractional_bits] = [bytes[12], bytes[13]];
        if degree > MAX_SH_DEGREE {
            return Err(source.error_at(
                start + 12,
                format!("spherical harmonics of degree {degree}; at most {MAX_SH_DEGREE} can be read"),
            ));
        }
        if fractional_bits > 24 {
            return Err(source.error_at(
                start + 13,
                format!("{fractional_bits} bits behind the point of numbers with 24"),
            ));
        }
        Ok(Header {
            version,
            count: u64::from(word(8)),
            degree,
            fractional_bits,
        })
    }

    fn rotation_bytes(&self) -> usize {
        if self.version == 2 { 3 } else { 4 }
    }

    /// Bytes per Gaussian of every attribute, with the attribute's name.
    fn attributes(&self) -> [(&'static str, usize); 6] {
        [
            ("the means", 9),
            ("the opacities", 1),
            ("the colours", 3),
            ("the scales", 3),
            ("the rotations", self.rotation_bytes()),
            ("the spherical harmonics", 3 * (sh_coefficients(self.degree) - 1)),
        ]
    }

    /// Refuses a header that promises more than a file of this length can hold.
    fn check_length<R: Read>(&self, source: &Source<R>, length: Option<u64>) -> Result<()> {
        let bytes: usize = self.attributes().iter().map(|(_, n)| n).sum();
        match length {
            Some(length) if self.count * bytes as u64 > length.saturating_mul(MAX_COMPRESSION) => Err(source
                .error_at(
                    8,
                    format!(
                        "the header promises {} Gaussians, which cannot be in a file of {length} bytes",
                        self.count
                    ),
                )),
            _ => Ok(()),
        }
    }
}

/// Reads a map. `length` is the file's length in bytes where it is known.
///
/// # Errors
/// [`Error::BadFile`] names the byte; of versions 2 and 3 it is the byte of the data inside gzip.
pub fn read(mut reader: impl Read, length: Option<u64>) -> Result<GaussianMap> {
    let mut start = [0; 2];
    Source::new("spz", &mut reader).fill(&mut start, "the header")?;
    let whole = start.chain(reader);
    if start == GZIP {
        read_gzip(Source::new("spz (inside gzip)", GzDecoder::new(whole)), length)
    } else {
        read_streams(Source::new("spz", whole), length)
    }
}

fn read_gzip<R: Read>(mut source: Source<R>, length: Option<u64>) -> Result<GaussianMap> {
    let mut bytes = [0; 16];
    source.fill(&mut bytes, "the header")?;
    let header = Header::parse(&bytes, &source)?;
    if header.version > 3 {
        return Err(source.error_at(4, format!("version {} is not packed with gzip", header.version)));
    }
    header.check_length(&source, length)?;
    let mut parts = Vec::new();
    for (what, size) in header.attributes() {
        parts.push(source.take(header.count * size as u64, what)?);
    }
    unpack(&header, &parts)
}

fn read_streams<R: Read>(mut source: Source<R>, length: Option<u64>) -> Result<GaussianMap> {
    let mut bytes = [0; 16];
    source.fill(&mut bytes, "the header")?;
    let header = Header::parse(&bytes, &source)?;
    if header.version < 4 {
        return Err(source.error_at(4, format!("version {} must be packed with gzip", header.version)));
    }
    header.check_length(&source, length)?;
    let streams = usize::from(bytes[15]);
    let attributes = header.attributes();
    let present = attributes.iter().filter(|(_, size)| *size > 0).count();
    if streams != present {
        return Err(source.error_at(15, format!("{streams} streams where {present} are needed")));
    }
    let mut rest = [0; 16];
    source.fill(&mut rest, "the header")?;
    let table = u64::from(u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]));
    if table < source.at() || table - source.at() > MAX_EXTENSIONS {
        return Err(source.error_at(16, format!("the table of contents cannot be at byte {table}")));
    }
    source.take(table - source.at(), "extensions")?;
    let mut sizes = Vec::new();
    for (what, size) in &attributes[..present] {
        let mut row = [0; 16];
        let at = source.at();
        source.fill(&mut row, "the table of contents")?;
        let [compressed, plain] = [0, 8].map(|i| {
            row[i..i + 8]
                .iter()
                .rev()
                .fold(0u64, |n, b| n << 8 | u64::from(*b))
        });
        if plain != header.count * *size as u64 {
            return Err(source.error_at(
                at + 8,
                format!("{what} of {} Gaussians cannot take {plain} bytes", header.count),
            ));
        }
        sizes.push(compressed);
    }
    if let Some(length) = length {
        let end = sizes
            .iter()
            .try_fold(source.at(), |end, size| end.checked_add(*size));
        if end.is_none_or(|end| end > length) {
            return Err(source.error_at(length, "it ends here, but its table of contents promises more"));
        }
    }
    let mut parts = vec![Vec::new(); attributes.len()];
    for (((what, size), compressed), part) in attributes.iter().zip(&sizes).zip(&mut parts) {
        let at = source.at();
        let packed = source.take(*compressed, what)?;
        let damaged = |reason: String| source.error_at(at, format!("{what} are damaged: {reason}"));
        let decoder = StreamingDecoder::new(&packed[..]).map_err(|e| damaged(e.to_string()))?;
        let expected = header.count * *size as u64;
        decoder
            .take(expected + 1)
            .read_to_end(part)
            .map_err(|e| damaged(e.to_string()))?;
        if part.len() as u64 != expected {
            return Err(damaged(format!("not the {expected} bytes promised")));
        }
    }
    unpack(&header, &parts)
}

fn unpack(header: &Header, parts: &[Vec<u8>]) -> Result<GaussianMap> {
    let [means, opacities, colors, scales, rotations, sh] = parts else {
        return Err(Error::BadGaussian("six attributes make a map".into()));
    };
    let unit = 1.0 / f64::from(1u32 << header.fractional_bits);
    let per_rotation = header.rotation_bytes();
    let per_sh = 3 * (sh_coefficients(header.degree) - 1);
    let mut map = GaussianMap::new(header.degree, 0)?;
    map.reserve(opacities.len());
    for (i, opacity) in opacities.iter().enumerate() {
        let fixed = |c: usize| {
            let at = 9 * i + 3 * c;
            // The highest byte first, at the top, so that shifting back extends the sign.
            i32::from_le_bytes([0, means[at], means[at + 1], means[at + 2]]) >> 8
        };
        let mut gaussian = Gaussian {
            mean: [0, 1, 2].map(|c| (f64::from(fixed(c)) * unit) as f32 * AXES[c]),
            log_scale: [0, 1, 2].map(|c| f32::from(scales[3 * i + c]) / 16.0 - 10.0),
            rotation: turned(unpack_rotation(
                &rotations[per_rotation * i..per_rotation * (i + 1)],
            )),
            opacity_logit: logit(f32::from(*opacity) / 255.0),
            ..Gaussian::default()
        };
        gaussian.sh[0] = [0, 1, 2].map(|c| (f32::from(colors[3 * i + c]) / 255.0 - 0.5) / COLOR_SCALE);
        let rest = &mut gaussian.sh.as_flattened_mut()[3..3 + per_sh];
        for (k, (value, byte)) in rest.iter_mut().zip(&sh[per_sh * i..]).enumerate() {
            *value = (f32::from(*byte) - 128.0) / 128.0 * SH_SIGNS[1 + k / 3];
        }
        map.push(&gaussian)?;
    }
    Ok(map)
}

/// (w, x, y, z) from three bytes (version 2) or four.
fn unpack_rotation(bytes: &[u8]) -> [f32; 4] {
    match *bytes {
        [x, y, z] => {
            let [x, y, z] = [x, y, z].map(|b| f32::from(b) / 127.5 - 1.0);
            [(1.0 - x * x - y * y - z * z).max(0.0).sqrt(), x, y, z]
        }
        [a, b, c, d] => {
            let mut packed = u32::from_le_bytes([a, b, c, d]);
            // Components in the order x, y, z, w; the last one lies lowest.
            let largest = (packed >> 30) as usize;
            let mut q = [0.0f32; 4];
            for i in (0..4).rev().filter(|i| *i != largest) {
                let magnitude = (packed & 511) as f32 / 511.0 * std::f32::consts::FRAC_1_SQRT_2;
                q[i] = if packed >> 9 & 1 == 1 {
                    -magnitude
                } else {
                    magnitude
                };
                packed >>= 10;
            }
            q[largest] = (1.0 - q.iter().map(|x| x * x).sum::<f32>()).max(0.0).sqrt();
            [q[3], q[0], q[1], q[2]]
        }
        _ => [1.0, 0.0, 0.0, 0.0],
    }
}

fn pack_rotation([w, x, y, z]: [f32; 4]) -> [u8; 4] {
    let q = [x, y, z, w];
    let largest = (1..4).fold(0, |best, i| if q[i].abs() > q[best].abs() { i } else { best });
    let flip = q[largest] < 0.0;
    let mut packed = largest as u32;
    for i in (0..4).filter(|i| *i != largest) {
        let magnitude = (q[i].abs() * std::f32::consts::SQRT_2 * 511.0).round().min(511.0) as u32;
        packed = packed << 10 | u32::from((q[i] < 0.0) != flip) << 9 | magnitude;
    }
    packed.to_le_bytes()
}

/// A coefficient in the middle of one of 256 / `bucket` ranges; zero stays zero.
fn pack_coefficient(x: f32, bucket: i32) -> u8 {
    let q = (x * 128.0).round().clamp(-128.0, 127.0) as i32 + 128;
    ((q + bucket / 2) / bucket * bucket).clamp(0, 255) as u8
}

/// Writes what the format keeps: see the table above.
///
/// # Errors
/// [`Error::BadGaussian`] for values that are not finite, a mean beyond ±2048 m, or too many Gaussians; what the writer
/// reports.
pub fn write(writer: &mut impl Write, map: &GaussianMap, version: Version) -> Result<()> {
    map.validate()?;
    let count = u32::try_from(map.len())
        .map_err(|_| Error::BadGaussian(format!("{} Gaussians; spz holds at most 2^32 - 1", map.len())))?;
    let parts = pack(map)?;
    let present = if map.sh_degree() == 0 { 5 } else { 6 };
    let mut header = Vec::from(*MAGIC);
    header.extend_from_slice(&(if version == Version::V3 { 3u32 } else { 4 }).to_le_bytes());
    header.extend_from_slice(&count.to_le_bytes());
    header.extend_from_slice(&[map.sh_degree(), FRACTIONAL_BITS, 0]);
    match version {
        Version::V3 => {
            header.push(0);
            let mut gzip = GzEncoder::new(writer, Compression::default());
            gzip.write_all(&header)?;
            for part in &parts {
                gzip.write_all(part)?;
            }
            gzip.finish()?;
        }
        Version::V4 => {
            header.push(present as u8);
            header.extend_from_slice(&32u32.to_le_bytes());
            header.extend_from_slice(&[0; 12]);
            writer.write_all(&header)?;
            let packed: Vec<Vec<u8>> = parts[..present]
                .iter()
                .map(|part| compress_to_vec(&part[..], CompressionLevel::Fastest))
                .collect();
            for (packed, part) in packed.iter().zip(&parts) {
                writer.write_all(&(packed.len() as u64).to_le_bytes())?;
                writer.write_all(&(part.len() as u64).to_le_bytes())?;
            }
            for packed in &packed {
                writer.write_all(packed)?;
            }
        }
    }
    Ok(())
}

/// The six attributes.
fn pack(map: &GaussianMap) -> Result<[Vec<u8>; 6]> {
    let unit = f64::from(1u32 << FRACTIONAL_BITS);
    let [
        mut means,
        mut opacities,
        mut colors,
        mut scales,
        mut rotations,
        mut sh,
    ]: [Vec<u8>; 6] = Default::default();
    for i in 0..map.len() {
        for (x, sign) in map.means()[i].iter().zip(AXES) {
            let fixed = (f64::from(x * sign) * unit).round();
            if !(-8_388_608.0..8_388_608.0).contains(&fixed) {
                return Err(Error::BadGaussian(format!(
                    "Gaussian {i} lies at {x} m; spz reaches 2048 m from the origin, so move the map or write .ply"
                )));
            }
            means.extend_from_slice(&(fixed as i32).to_le_bytes()[..3]);
        }
        opacities.push(to_byte(sigmoid(map.opacity_logits()[i]) * 255.0));
        scales.extend(map.log_scales()[i].map(|s| to_byte((s + 10.0) * 16.0)));
        rotations.extend(pack_rotation(turned(
            normalized(map.rotations()[i]).unwrap_or([1.0, 0.0, 0.0, 0.0]),
        )));
        let coefficients = &map.sh()[i * map.sh_stride()..(i + 1) * map.sh_stride()];
        for (k, x) in coefficients.iter().enumerate() {
            match k {
                0..3 => colors.push(to_byte(x * (COLOR_SCALE * 255.0) + 127.5)),
                3..12 => sh.push(pack_coefficient(x * SH_SIGNS[k / 3], 8)),
                _ => sh.push(pack_coefficient(x * SH_SIGNS[k / 3], 16)),
            }
        }
    }
    Ok([means, opacities, colors, scales, rotations, sh])
}
