//! Ids that stay stable over a run.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// An object in the robot's memory. Given once when the object is first seen, never reused, kept when
    /// the object moves or goes missing.
    ObjectId, "o"
);
id!(
    /// One task given to the robot.
    TaskId, "t"
);
id!(
    /// One execution of a skill. A retried step gets a new id.
    StepId, "s"
);
