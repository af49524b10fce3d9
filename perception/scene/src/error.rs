//! The one error type of this crate.

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in perception. Each text says what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("configuration field `{field}` is unusable: {reason}")]
    BadConfig {
        /// Name of the field, with its section.
        field: &'static str,
        /// What it must be.
        reason: String,
    },
    /// A pose that no robot in a home can have.
    #[error("pose of `{what}` refused: {reason}; check the transforms that lead to it")]
    BadPose {
        /// Whose pose.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A map or things of before that cannot be gone on with.
    #[error("what was known before cannot be used: {0}; save it anew")]
    BadKnowledge(String),
    /// An image or camera that cannot be used.
    #[error(transparent)]
    Core(#[from] steward_core::Error),
}

/// Refuses a setting outside `(low, high]`, or one that is not a number.
pub(crate) fn check_range(field: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if value > low && value <= high {
        return Ok(());
    }
    Err(Error::BadConfig {
        field,
        reason: format!("{value} must be above {low} and at most {high}"),
    })
}
