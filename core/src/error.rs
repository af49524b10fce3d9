//! The one error type of this crate.

use crate::time::Time;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with frames, cameras, images and robot descriptions. Each text says what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A frame that nobody has published yet.
    #[error("unknown frame `{frame}`; known frames are: {known}. Is the node that publishes it running?")]
    UnknownFrame {
        /// The frame asked for.
        frame: String,
        /// Comma-separated list of known frames.
        known: String,
    },
    /// Two frames that share no ancestor.
    #[error(
        "frames `{target}` and `{source_frame}` are not connected: their roots are `{target_root}` and `{source_root}`. \
         Publish a transform between the two roots"
    )]
    Disconnected {
        /// Frame to express things in.
        target: String,
        /// Frame things are expressed in.
        source_frame: String,
        /// Root of `target`'s tree.
        target_root: String,
        /// Root of `source_frame`'s tree.
        source_root: String,
    },
    /// A time outside what the buffer holds.
    #[error(
        "the transform of `{frame}` at {asked} is outside what is known ({oldest} to {newest}); \
         wait for newer data or keep a longer history"
    )]
    Extrapolation {
        /// Child frame of the edge that lacks data.
        frame: String,
        /// Time asked for.
        asked: Time,
        /// Oldest time known.
        oldest: Time,
        /// Newest time known.
        newest: Time,
    },
    /// A transform that would close a loop in the tree or change a frame's parent.
    #[error("transform `{parent}` -> `{child}` refused: {reason}")]
    BadTransform {
        /// Parent frame.
        parent: String,
        /// Child frame.
        child: String,
        /// Why.
        reason: String,
    },
    /// Camera intrinsics that describe no camera.
    #[error("camera intrinsics are unusable: {0}")]
    BadIntrinsics(String),
    /// An image whose buffer does not match its size.
    #[error("image is malformed: {0}")]
    BadImage(String),
    /// A robot description that cannot be used.
    #[error("robot description (URDF) is unusable: {0}")]
    BadUrdf(String),
    /// A joint or link name that the robot does not have.
    #[error("the robot has no {kind} `{name}`; it has: {known}")]
    UnknownName {
        /// `joint` or `link`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Comma-separated list.
        known: String,
    },
}
