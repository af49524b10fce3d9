//! The map in rerun, as Gaussian splats.

use std::path::PathBuf;
use std::str::FromStr;

use steward_core::time::Time;

use crate::{GaussianMap, Result};

/// Where the map is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Show {
    /// In a viewer that is started now.
    Spawn,
    /// In a viewer that runs already.
    Connect,
    /// Written to a file that `rerun FILE` opens.
    File(PathBuf),
}

impl FromStr for Show {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "spawn" => Ok(Show::Spawn),
            "connect" => Ok(Show::Connect),
            _ if text.ends_with(".rrd") => Ok(Show::File(text.into())),
            _ => Err("give spawn, connect, or a file that ends in .rrd".into()),
        }
    }
}

#[cfg(feature = "rerun")]
pub(super) use with_rerun::Live;
#[cfg(not(feature = "rerun"))]
pub(super) use without_rerun::Live;

#[cfg(feature = "rerun")]
mod with_rerun {
    use rerun::{GaussianSplats3D, RecordingStream, RecordingStreamBuilder};

    use super::{GaussianMap, Result, Show, Time};
    use crate::Error;
    use crate::map::SH_C0;

    /// Seconds between two pictures of a growing map.
    const INTERVAL_S: f64 = 2.0;

    /// A recording, or nothing where nobody asked for one.
    pub(in super::super) struct Live {
        stream: Option<RecordingStream>,
        last: Option<Time>,
    }

    fn fail(error: impl std::fmt::Display) -> Error {
        Error::BadConfig(format!(
            "rerun: {error}. Give --rerun a file.rrd to write to instead"
        ))
    }

    impl Live {
        pub(in super::super) fn new(show: Option<&Show>) -> Result<Self> {
            let builder = || RecordingStreamBuilder::new("steward_map");
            let stream = match show {
                None => None,
                Some(Show::Spawn) => Some(builder().spawn().map_err(fail)?),
                Some(Show::Connect) => Some(builder().connect_grpc().map_err(fail)?),
                Some(Show::File(path)) => Some(builder().save(path).map_err(fail)?),
            };
            Ok(Live { stream, last: None })
        }

        /// Shows the map as it is at a time, if the last picture is old enough.
        pub(in super::super) fn show(&mut self, now: Time, map: &GaussianMap) -> Result<()> {
            let Some(stream) = &self.stream else {
                return Ok(());
            };
            if self.last.is_some_and(|last| (now - last).secs_f64() < INTERVAL_S) {
                return Ok(());
            }
            self.last = Some(now);
            stream.set_duration_secs("fit", now.secs_f64());
            stream.log("map", &splats(map)).map_err(fail)
        }

        /// Waits until everything is written.
        pub(in super::super) fn finish(self) -> Result<()> {
            self.stream
                .map_or(Ok(()), |stream| stream.flush_blocking().map_err(fail))
        }
    }

    fn splats(map: &GaussianMap) -> GaussianSplats3D {
        let stride = map.sh_stride();
        let color = |i: usize| {
            let sh = &map.sh()[i * stride..];
            let [r, g, b] = [0, 1, 2].map(|c| ((0.5 + SH_C0 * sh[c]) * 255.0).round() as u8);
            let alpha = (255.0 / (1.0 + (-map.opacity_logits()[i]).exp())).round() as u8;
            rerun::Color::from_unmultiplied_rgba(r, g, b, alpha)
        };
        let rotation = |q: &[f32; 4]| {
            let norm = q.iter().map(|x| x * x).sum::<f32>().sqrt();
            let [w, x, y, z] = q.map(|x| x / norm);
            rerun::Quaternion::from_xyzw([x, y, z, w])
        };
        let coefficients = |i: usize| -> [[f32; 3]; 15] {
            let sh = &map.sh()[i * stride..(i + 1) * stride];
            std::array::from_fn(|k| std::array::from_fn(|c| sh.get(3 * (k + 1) + c).copied().unwrap_or(0.0)))
        };
        GaussianSplats3D::new(map.means().iter().copied())
            .with_scales(map.log_scales().iter().map(|s| s.map(f32::exp)))
            .with_quaternions(map.rotations().iter().map(rotation))
            .with_colors((0..map.len()).map(color))
            .with_sh_coefficients((0..map.len()).map(coefficients))
    }
}

#[cfg(not(feature = "rerun"))]
mod without_rerun {
    use super::{GaussianMap, Result, Show, Time};
    use crate::Error;

    /// Shows nothing: the program was built without rerun.
    pub(in super::super) struct Live;

    impl Live {
        pub(in super::super) fn new(show: Option<&Show>) -> Result<Self> {
            match show {
                None => Ok(Live),
                Some(_) => Err(Error::BadConfig(
                    "this program was built without rerun; leave --rerun out or build with the feature `rerun`".into(),
                )),
            }
        }

        pub(in super::super) fn show(&mut self, _: Time, _: &GaussianMap) -> Result<()> {
            Ok(())
        }

        pub(in super::super) fn finish(self) -> Result<()> {
            Ok(())
        }
    }
}
