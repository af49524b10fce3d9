//! Maps in files: Inria's `.ply`, `.splat` and Niantic's `.spz`; and what maps are built from: folders of RGB-D
//! frames and COLMAP reconstructions.
//!
//! | format | what it keeps | read | written |
//! |---|---|---|---|
//! | [`ply`] | everything, exactly | binary of both byte orders, text | binary, little endian |
//! | [`splat`] | mean, scale exactly; colour of degree 0, opacity and rotation in 8 bits | yes | yes |
//! | [`spz`] | mean in 1/4096 m, everything else in 4 to 10 bits | versions 2, 3 and 4 | version 4, or 3 for older readers |
//!
//! `.ply` and `.splat` have the map's coordinates; `.spz` turns axes, see there. All readers stream; memory grows with what
//! was really read, never with what a header promises, and errors name the byte.

mod bytes;
pub mod colmap;
pub mod ply;
pub mod rgbd;
pub mod splat;
pub mod spz;

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::{Error, GaussianMap, Result};

/// File formats of maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.ply` as Inria's 3D Gaussian splatting writes it.
    Ply,
    /// `.splat`, 32 bytes per Gaussian.
    Splat,
    /// `.spz`, compressed.
    Spz,
}

impl Format {
    /// The format that a file's name asks for.
    ///
    /// # Errors
    /// [`Error::File`] for another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "ply" => Ok(Format::Ply),
            "splat" => Ok(Format::Splat),
            "spz" => Ok(Format::Spz),
            _ => Err(Error::File {
                path: path.display().to_string(),
                reason: "the name must end in .ply, .splat or .spz".into(),
            }),
        }
    }
}

/// Reads a map from a file, in the format of its name.
///
/// # Errors
/// [`Error::File`] names the file and, for damage, the byte.
pub fn read(path: &Path) -> Result<GaussianMap> {
    let format = Format::of(path)?;
    let (file, length) = open(path)?;
    let reader = BufReader::with_capacity(1 << 16, file);
    let map = match format {
        Format::Ply => ply::read(reader, Some(length)),
        Format::Splat => splat::read(reader, Some(length)),
        Format::Spz => spz::read(reader, Some(length)),
    };
    map.map_err(|e| in_file(path, e))
}

/// Writes a map to a file, in the format of its name. The file appears complete or not at all.
///
/// # Errors
/// [`Error::File`] where it cannot be written or the format cannot hold the map.
pub fn write(path: &Path, map: &GaussianMap) -> Result<()> {
    let format = Format::of(path)?;
    write_whole(path, |writer| match format {
        Format::Ply => ply::write(writer, map, ply::Properties::All),
        Format::Splat => splat::write(writer, map),
        Format::Spz => spz::write(writer, map, spz::Version::V4),
    })
}

/// Lets `content` write a file that replaces `path` once it is complete.
///
/// # Errors
/// [`Error::File`] where it cannot be written, and what `content` returns.
pub fn write_whole(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let partial = partial(path);
    let written = File::create(&partial)
        .map_err(Error::from)
        .map(|file| BufWriter::with_capacity(1 << 16, file))
        .and_then(|mut writer| {
            content(&mut writer)?;
            writer.flush()?;
            Ok(std::fs::rename(&partial, path)?)
        });
    if written.is_err() && partial.exists() {
        // What went wrong first is what the caller should hear of.
        let _ = std::fs::remove_file(&partial);
    }
    written.map_err(|e| in_file(path, e))
}

/// The name of a file while it is being written.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Opens a regular file; also its length.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let fail = |reason: String| Error::File {
        path: path.display().to_string(),
        reason,
    };
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    let metadata = file.metadata().map_err(|e| fail(e.to_string()))?;
    if metadata.is_dir() {
        return Err(fail("it is a folder".into()));
    }
    Ok((file, metadata.len()))
}

/// Adds the name of the file to an error.
pub(crate) fn in_file(path: &Path, error: Error) -> Error {
    match error {
        Error::File { .. } => error,
        other => Error::File {
            path: path.display().to_string(),
            reason: other.to_string(),
        },
    }
}
