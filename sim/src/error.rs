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
    /// A change script could not be read.
    #[error("{file}:{line}: {field}: {problem}")]
    ChangeScript {
        /// Name of the file.
        file: String,
        /// Line, from 1; 0 where the file as a whole is meant.
        line: u64,
        /// Path of the field, for example `changes[2].to`.
        field: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// A change that the home does not allow.
    #[error("changes[{index}] ({operation}): {problem}")]
    Change {
        /// Which change of the script, from 0.
        index: usize,
        /// What it is.
        operation: String,
        /// Why it cannot be.
        problem: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}: {problem}")]
    Write {
        /// The file or folder.
        path: String,
        /// What the operating system said.
        problem: String,
    },
    /// A setting that makes no sense.
    #[error("setting `{field}` is {value}: {problem}")]
    BadConfig {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        problem: &'static str,
    },
    /// A command to the robot that cannot be carried out.
    #[error("command refused: {0}")]
    BadCommand(String),
    /// The simulation was asked for a time that it cannot step to.
    #[error("cannot step to {asked} from {now}: {problem}")]
    BadTime {
        /// Time asked for.
        asked: steward_core::Time,
        /// Time of the simulation.
        now: steward_core::Time,
        /// Why, and what to do.
        problem: &'static str,
    },
}

impl Error {
    /// [`Error::BadConfig`] from its parts.
    pub(crate) fn bad_config(field: &'static str, value: impl ToString, problem: &'static str) -> Self {
        Error::BadConfig {
            field,
            value: value.to_string(),
            problem,
        }
    }
}
