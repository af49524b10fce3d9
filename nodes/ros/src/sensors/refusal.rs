//! Why something that a sensor said is not used.

use steward_nodes::recording::CdrError;

/// A reason, with a name for counters and a sentence for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no message of the topic's type.
    Unreadable(CdrError),
    /// An encoding or compression that is not read.
    Encoding(String),
    /// An image without pixels, of an absurd size, or whose data does not fit its size.
    Size(String),
    /// A camera that is unusable: intrinsics that make no sense, binning, a region of interest.
    Camera(String),
    /// The lens distorts.
    Distortion(String),
    /// A frame that the robot does not have or that is not what it should be.
    Frame(String),
    /// A number that is no number.
    NotFinite(String),
    /// Names of labels that make no sense.
    Names(String),
}

impl Refusal {
    /// Name in counters.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::Unreadable(_) => "unreadable",
            Refusal::Encoding(_) => "encoding",
            Refusal::Size(_) => "size",
            Refusal::Camera(_) => "camera",
            Refusal::Distortion(_) => "distortion",
            Refusal::Frame(_) => "frame",
            Refusal::NotFinite(_) => "not_finite",
            Refusal::Names(_) => "names",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unreadable(error) => write!(f, "{error}"),
            Refusal::Encoding(text)
            | Refusal::Size(text)
            | Refusal::Camera(text)
            | Refusal::Distortion(text)
            | Refusal::Frame(text)
            | Refusal::NotFinite(text)
            | Refusal::Names(text) => f.write_str(text),
        }
    }
}

impl From<CdrError> for Refusal {
    fn from(error: CdrError) -> Self {
        Refusal::Unreadable(error)
    }
}
