//! The one error type of this crate.

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong when skills are set up. Failures of a running skill are
/// [`steward_core::messages::SkillFailure`] with a sentence, since they are part of normal work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The robot description lacks a joint or link that the skills rely on.
    #[error("the robot description does not fit the skills: {0}")]
    Robot(#[from] steward_core::Error),
    /// A configuration value outside its range.
    #[error("configuration `{field}` is {value} but must be {expected}; correct it in the skills section")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
}
