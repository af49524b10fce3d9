//! What can go wrong in the simulator.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of this crate; each text says what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// From the core types: a damaged URDF, an unknown joint, an unusable camera.
    #[error(transparent)]
    Core(#[from] steward_core::Error),
    /// A home file could not be read.
    #[error("{file}:{line}: {field}: {problem}")]
    HomeFile {
        /// Name of the file.
        file: String,
        /// Line, from 1; 0 where the file as a whole is meant.
        line: u64,
        /// Path of the field, for example `objects[2].class`.
        field: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// A home description contradicts itself or asks for something that does not exist.
    #[error("home `{home}`: {field}: {problem}")]
    HomeSpec {
        /// Name of the home.
        home: String,
        /// Path of the field, for example `objects[2].class`.
        field: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// No arrangement of rooms and furniture was found.
    #[error("home `{home}` cannot be arranged: {problem}; ask for fewer things or try another seed")]
    Unplaceable {
        /// Name of the home.
        home: String,
        /// What did not fit.
        problem: String,
    },
}
