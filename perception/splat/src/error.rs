//! The one error type of this crate.

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with maps, views, fits and files. Each text says what to try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A Gaussian or array that does not fit the map.
    #[error("the Gaussians do not fit the map: {0}")]
    BadGaussian(String),
    /// A subset made for a map of another size.
    #[error(
        "the subset is for {subset} Gaussians but the map has {map}; select again after inserting or deleting"
    )]
    SubsetSize {
        /// Size the subset was made for.
        subset: usize,
        /// Size of the map.
        map: usize,
    },
    /// A camera that cannot be rendered.
    #[error("the view is unusable: {0}")]
    BadView(String),
    /// A configuration value out of range.
    #[error("configuration: {0}")]
    BadConfig(String),
    /// An image that does not match what it is used for.
    #[error("image: {0}")]
    BadImage(String),
    /// A checkpoint that cannot be resumed.
    #[error("checkpoint: {0}")]
    BadCheckpoint(String),
    /// The content of a file that is not what its format asks for.
    #[error("{format}, byte {byte}: {reason}")]
    BadFile {
        /// The file format.
        format: &'static str,
        /// Where in the file, counted from 0.
        byte: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file or folder that cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// Its name.
        path: String,
        /// Why.
        reason: String,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A frame or camera of `steward-core` that is unusable.
    #[error(transparent)]
    Core(#[from] steward_core::Error),
}
