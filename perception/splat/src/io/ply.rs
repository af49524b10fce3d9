//! `.ply` as written by Inria's 3D Gaussian splatting: 62 floats per Gaussian at degree 3 (59 used, and normals of zero),
//! 38, 23 or 17 at lower degrees. What Steward knows beyond that follows as properties whose names begin with `steward_`,
//! which other programs skip.
//!
//! ```text
//! x y z  nx ny nz  f_dc_0..2  f_rest_0..44  opacity  scale_0..2  rot_0..3      float; f_rest: all of red, green, blue
//! steward_id_lo steward_id_hi  steward_object  steward_confidence              uint uint uint float
//! steward_first_seen_lo _hi  steward_last_seen_lo _hi                          uint: nanoseconds, two's complement
//! steward_feature_0 ...                                                        float
//! ```
//!
//! No object is written as 2^32 - 1. Halves of 64-bit numbers survive programs that know only floats and 32-bit
//! integers.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use steward_core::ids::ObjectId;
use steward_core::time::Time;

use super::bytes::Source;
use crate::map::{SplatId, sh_coefficients};
use crate::{Error, Gaussian, GaussianMap, Result};

/// Longest header that is read.
const MAX_HEADER: u64 = 1 << 17;
const NO_OBJECT: u32 = u32::MAX;
/// Infinite logits, which some programs write for opacities of 0 and 1, become this.
const LARGE_LOGIT: f64 = 30.0;

/// Which properties to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Properties {
    /// Everything that the map knows; comes back exactly.
    All,
    /// Inria's alone, for programs that take the row's length for granted.
    Inria,
}

/// Types of properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Type {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "int8" => Type::I8,
            "uchar" | "uint8" => Type::U8,
            "short" | "int16" => Type::I16,
            "ushort" | "uint16" => Type::U16,
            "int" | "int32" => Type::I32,
            "uint" | "uint32" => Type::U32,
            "float" | "float32" => Type::F32,
            "double" | "float64" => Type::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Type::I8 | Type::U8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 | Type::U32 | Type::F32 => 4,
            Type::F64 => 8,
        }
    }

    /// The value of `size()` bytes; every type fits an `f64` exactly.
    fn decode(self, bytes: &[u8], big_endian: bool) -> f64 {
        let mut b = [0; 8];
        for (i, byte) in bytes.iter().enumerate() {
            b[if big_endian { bytes.len() - 1 - i } else { i }] = *byte;
        }
        let [b0, b1, b2, b3, ..] = b;
        match self {
            Type::I8 => f64::from(b0 as i8),
            Type::U8 => f64::from(b0),
            Type::I16 => f64::from(i16::from_le_bytes([b0, b1])),
            Type::U16 => f64::from(u16::from_le_bytes([b0, b1])),
            Type::I32 => f64::from(i32::from_le_bytes([b0, b1, b2, b3])),
            Type::U32 => f64::from(u32::from_le_bytes([b0, b1, b2, b3])),
            Type::F32 => f64::from(f32::from_le_bytes([b0, b1, b2, b3])),
            Type::F64 => f64::from_le_bytes(b),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Text,
    LittleEndian,
    BigEndian,
}

/// What a header says of the Gaussians.
struct Header {
    encoding: Encoding,
    /// Rows and bytes of binary data (lines of text) before the Gaussians.
    skip: u64,
    count: u64,
    properties: Vec<(String, Type)>,
}

impl Header {
    fn row_bytes(&self) -> usize {
        self.properties.iter().map(|(_, t)| t.size()).sum()
    }

    fn parse<R: BufRead>(source: &mut Source<R>) -> Result<Self> {
        let mut encoding = None;
        let mut skip = 0u128;
        let mut skipped_list = false;
        // The element that properties belong to: name, count, bytes per row, and whether it has a list.
        let mut element: Option<(String, u64, u64, bool)> = None;
        let mut vertex: Option<u64> = None;
        let mut properties: Vec<(String, Type)> = Vec::new();
        let mut first = true;
        loop {
            let start = source.at();
            let line = line(source, MAX_HEADER.saturating_sub(start))?;
            let bad = |reason: String| Error::BadFile {
                format: "ply",
                byte: start,
                reason,
            };
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if first && words != ["ply"] {
                return Err(bad("it does not begin with the line `ply`".into()));
            }
            first = false;
            match words[..] {
                ["ply"] | [] => {}
                ["comment" | "obj_info", ..] => {}
                ["format", name, _] => {
                    encoding = Some(match name {
                        "ascii" => Encoding::Text,
                        "binary_little_endian" => Encoding::LittleEndian,
                        "binary_big_endian" => Encoding::BigEndian,
                        _ => return Err(bad(format!("unknown format `{name}`"))),
                    });
                }
                ["element", name, count] => {
                    let count = count
                        .parse()
                        .map_err(|_| bad(format!("`{count}` is no number of elements")))?;
                    if let Some((_, count, bytes, has_list)) = element.filter(|_| vertex.is_none()) {
                        skip += match encoding {
                            Some(Encoding::Text) => u128::from(count),
                            _ => u128::from(count) * u128::from(bytes),
                        };
                        skipped_list |= has_list && count > 0;
                    }
                    if name == "vertex" {
                        if vertex.is_some() {
                            return Err(bad("a second element `vertex`".into()));
                        }
                        vertex = Some(count);
                    }
                    element = Some((name.to_owned(), count, 0, false));
                }
                ["property", "list", _, _, name] => match &mut element {
                    Some((element, _, _, has_list)) if element != "vertex" => *has_list = true,
                    _ => {
                        return Err(bad(format!(
                            "property `{name}` of the vertices must not be a list"
                        )));
                    }
                },
                ["property", type_name, name] => {
                    let type_ =
                        Type::of(type_name).ok_or_else(|| bad(format!("unknown type `{type_name}`")))?;
                    match &mut element {
                        Some((element, ..)) if element == "vertex" => {
                            properties.push((name.to_owned(), type_));
                        }
                        Some((_, _, bytes, _)) => *bytes += type_.size() as u64,
                        None => return Err(bad("a property before the first element".into())),
                    }
                }
                ["end_header"] => break,
                _ => return Err(bad(format!("`{}` is no line of a header", line.trim_end()))),
            }
        }
        let encoding = encoding.ok_or_else(|| source.error("the header has no format"))?;
        let count = vertex.ok_or_else(|| source.error("the header has no element `vertex`"))?;
        if skipped_list && encoding != Encoding::Text {
            return Err(source.error("lists before the vertices; write the vertices first"));
        }
        let skip =
            u64::try_from(skip).map_err(|_| source.error("the header promises more than any file holds"))?;
        Ok(Header {
            encoding,
            skip,
            count,
            properties,
        })
    }
}

/// One line of text of at most `limit` bytes of the file so far.
fn line<R: BufRead>(source: &mut Source<R>, limit: u64) -> Result<String> {
    let start = source.at();
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        if source.at() - start >= limit {
            return Err(source.error("the header or a line of it does not end; is this a ply file?"));
        }
        source.fill(&mut byte, "a line of text")?;
        if byte == *b"\n" {
            break;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).map_err(|_| source.error_at(start, "the line is no text"))
}

/// Where the values of a Gaussian are in a row.
struct Columns {
    mean: [usize; 3],
    log_scale: [usize; 3],
    rotation: [usize; 4],
    opacity: usize,
    dc: [usize; 3],
    rest: Vec<usize>,
    id: Option<[usize; 2]>,
    object: Option<usize>,
    confidence: Option<usize>,
    first_seen: Option<[usize; 2]>,
    last_seen: Option<[usize; 2]>,
    features: Vec<usize>,
    degree: u8,
}

impl Columns {
    fn of(properties: &[(String, Type)]) -> std::result::Result<Self, String> {
        let mut index = BTreeMap::new();
        for (i, (name, _)) in properties.iter().enumerate() {
            if index.insert(name.as_str(), i).is_some() {
                return Err(format!("property `{name}` comes twice"));
            }
        }
        let find = |name: &str| index.get(name).copied();
        let need = |name: &str| {
            find(name).ok_or_else(|| format!("property `{name}` is missing; is this a map of Gaussians?"))
        };
        let numbered =
            |prefix: &str| -> Vec<usize> { (0..).map_while(|i| find(&format!("{prefix}{i}"))).collect() };
        let pair = |name: &str| Some([find(&format!("{name}_lo"))?, find(&format!("{name}_hi"))?]);
        let rest = numbered("f_rest_");
        let degree = match rest.len() {
            0 => 0,
            9 => 1,
            24 => 2,
            45 => 3,
            n => {
                return Err(format!(
                    "{n} properties `f_rest_`; degrees 0 to 3 have 0, 9, 24 or 45"
                ));
            }
        };
        Ok(Columns {
            mean: [need("x")?, need("y")?, need("z")?],
            log_scale: [need("scale_0")?, need("scale_1")?, need("scale_2")?],
            rotation: [need("rot_0")?, need("rot_1")?, need("rot_2")?, need("rot_3")?],
            opacity: need("opacity")?,
            dc: [need("f_dc_0")?, need("f_dc_1")?, need("f_dc_2")?],
            rest,
            id: pair("steward_id"),
            object: find("steward_object"),
            confidence: find("steward_confidence"),
            first_seen: pair("steward_first_seen"),
            last_seen: pair("steward_last_seen"),
            features: numbered("steward_feature_"),
            degree,
        })
    }

    /// The Gaussian of a row.
    fn gaussian(&self, row: &[f64]) -> std::result::Result<Gaussian, String> {
        let value = |i: usize| row[i] as f32;
        let time =
            |pair: Option<[usize; 2]>| pair.map_or(Time::ZERO, |p| Time::from_nanos(whole(row, p) as i64));
        let mut g = Gaussian {
            mean: self.mean.map(value),
            log_scale: self.log_scale.map(value),
            rotation: self.rotation.map(value),
            // `clamp` leaves NaN, which is refused below.
            opacity_logit: if row[self.opacity].is_infinite() {
                row[self.opacity].clamp(-LARGE_LOGIT, LARGE_LOGIT) as f32
            } else {
                value(self.opacity)
            },
            object: self
                .object
                .map(|i| row[i] as u32)
                .filter(|o| *o != NO_OBJECT)
                .map(ObjectId),
            confidence: self.confidence.map_or(1.0, value),
            first_seen: time(self.first_seen),
            last_seen: time(self.last_seen),
            feature: self.features.iter().map(|i| value(*i)).collect(),
            ..Gaussian::default()
        };
        g.sh[0] = self.dc.map(value);
        let per_channel = self.rest.len() / 3;
        for (i, at) in self.rest.iter().enumerate() {
            g.sh[1 + i % per_channel][i / per_channel] = value(*at);
        }
        let named = [
            ("mean", &g.mean[..]),
            ("scale", &g.log_scale),
            ("rotation", &g.rotation),
            ("opacity", &[g.opacity_logit]),
            ("colour", g.sh.as_flattened()),
            ("confidence", &[g.confidence]),
            ("feature", &g.feature),
        ];
        if let Some((name, _)) = named.iter().find(|(_, v)| v.iter().any(|x| !x.is_finite())) {
            return Err(format!("its {name} is not finite"));
        }
        if g.rotation == [0.0; 4] {
            return Err("its rotation is zero".into());
        }
        Ok(g)
    }
}

/// A 64-bit number from its halves.
fn whole(row: &[f64], [lo, hi]: [usize; 2]) -> u64 {
    u64::from(row[lo] as u32) | u64::from(row[hi] as u32) << 32
}

/// Reads a map. `length` is the file's length in bytes where it is known: a header that promises more is then refused
/// at once.
///
/// # Errors
/// [`Error::BadFile`] names the byte of the first thing that is wrong.
pub fn read(reader: impl BufRead, length: Option<u64>) -> Result<GaussianMap> {
    let mut source = Source::new("ply", reader);
    let header = Header::parse(&mut source)?;
    let columns = Columns::of(&header.properties).map_err(|reason| source.error(reason))?;
    let row_bytes = header.row_bytes();
    if let Some(length) = length {
        // Every value takes at least a digit and a separator as text.
        let row = match header.encoding {
            Encoding::Text => 2 * header.properties.len() as u128,
            _ => row_bytes as u128,
        };
        let needed = u128::from(source.at()) + u128::from(header.skip) + u128::from(header.count) * row;
        // The last line may lack its end.
        if u128::from(length) + 1 < needed
            || (header.encoding != Encoding::Text && u128::from(length) < needed)
        {
            return Err(source.error_at(
                length,
                format!(
                    "it ends here, but its header promises {} Gaussians, {needed} bytes in all",
                    header.count
                ),
            ));
        }
    }
    let mut map = GaussianMap::new(columns.degree, columns.features.len())?;
    let mut ids = Vec::new();
    let mut row = vec![0.0; header.properties.len()];
    let mut bytes = vec![0; row_bytes];
    match header.encoding {
        Encoding::Text => {
            for _ in 0..header.skip {
                line(&mut source, MAX_HEADER)?;
            }
        }
        _ => skip(&mut source, header.skip)?,
    }
    for i in 0..header.count {
        let start = source.at();
        match header.encoding {
            Encoding::Text => read_text_row(&mut source, &mut row)?,
            encoding => {
                source.fill(&mut bytes, &format!("Gaussian {i} of {}", header.count))?;
                let mut at = 0;
                for ((_, type_), value) in header.properties.iter().zip(&mut row) {
                    let size = type_.size();
                    *value = type_.decode(&bytes[at..at + size], encoding == Encoding::BigEndian);
                    at += size;
                }
            }
        }
        let gaussian = columns
            .gaussian(&row)
            .map_err(|reason| source.error_at(start, format!("Gaussian {i}: {reason}")))?;
        map.push(&gaussian)?;
        if let Some(pair) = columns.id {
            let id = SplatId(whole(&row, pair));
            if ids.last().is_some_and(|last| *last >= id) || id.0 == u64::MAX {
                return Err(source.error_at(start, format!("Gaussian {i}: ids must ascend")));
            }
            ids.push(id);
        }
    }
    if columns.id.is_some() {
        map.restore_ids(ids);
    }
    Ok(map)
}

fn skip<R: BufRead>(source: &mut Source<R>, mut bytes: u64) -> Result<()> {
    let mut block = [0; 1 << 12];
    while bytes > 0 {
        let n = bytes.min(block.len() as u64) as usize;
        source.fill(&mut block[..n], "what comes before the Gaussians")?;
        bytes -= n as u64;
    }
    Ok(())
}

fn read_text_row<R: BufRead>(source: &mut Source<R>, row: &mut [f64]) -> Result<()> {
    let start = source.at();
    let text = line(source, MAX_HEADER)?;
    let mut words = text.split_ascii_whitespace();
    let length = row.len();
    for value in row {
        *value = words
            .next()
            .and_then(|w| w.parse().ok())
            .ok_or_else(|| source.error_at(start, format!("the line needs {length} numbers")))?;
    }
    Ok(())
}

/// Writes a map as binary with the least significant byte first.
///
/// # Errors
/// [`Error::BadGaussian`] for values that are not finite, or what the writer reports.
pub fn write(writer: &mut impl Write, map: &GaussianMap, properties: Properties) -> Result<()> {
    map.validate()?;
    let per_channel = sh_coefficients(map.sh_degree()) - 1;
    let all = properties == Properties::All;
    let mut header = format!(
        "ply\nformat binary_little_endian 1.0\nelement vertex {}\n",
        map.len()
    );
    let mut add = |type_: &str, name: String| header += &format!("property {type_} {name}\n");
    for name in ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"] {
        add("float", name.into());
    }
    (0..3 * per_channel).for_each(|i| add("float", format!("f_rest_{i}")));
    for name in [
        "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
    ] {
        add("float", name.into());
    }
    if all {
        for name in ["id_lo", "id_hi", "object"] {
            add("uint", format!("steward_{name}"));
        }
        add("float", "steward_confidence".into());
        for name in ["first_seen_lo", "first_seen_hi", "last_seen_lo", "last_seen_hi"] {
            add("uint", format!("steward_{name}"));
        }
        (0..map.feature_len()).for_each(|i| add("float", format!("steward_feature_{i}")));
    }
    header += "end_header\n";
    writer.write_all(header.as_bytes())?;

    let (stride, features) = (map.sh_stride(), map.feature_len());
    let mut row: Vec<u8> = Vec::new();
    for i in 0..map.len() {
        row.clear();
        let mut float = |x: f32| row.extend_from_slice(&x.to_le_bytes());
        let sh = &map.sh()[i * stride..(i + 1) * stride];
        map.means()[i].iter().for_each(|x| float(*x));
        [0.0; 3].iter().for_each(|x| float(*x));
        sh[..3].iter().for_each(|x| float(*x));
        for channel in 0..3 {
            (1..=per_channel).for_each(|c| float(sh[3 * c + channel]));
        }
        float(map.opacity_logits()[i]);
        map.log_scales()[i].iter().for_each(|x| float(*x));
        map.rotations()[i].iter().for_each(|x| float(*x));
        if all {
            row.extend_from_slice(&map.ids()[i].0.to_le_bytes());
            row.extend_from_slice(&map.objects()[i].map_or(NO_OBJECT, |o| o.0).to_le_bytes());
            row.extend_from_slice(&map.confidences()[i].to_le_bytes());
            row.extend_from_slice(&map.first_seen()[i].nanos().to_le_bytes());
            row.extend_from_slice(&map.last_seen()[i].nanos().to_le_bytes());
            for x in &map.features()[i * features..(i + 1) * features] {
                row.extend_from_slice(&x.to_le_bytes());
            }
        }
        writer.write_all(&row)?;
    }
    Ok(())
}
