//! What the sensors of any world say, as messages of the loop: the embedded simulator's, Gazebo's, Isaac Sim's, a
//! robot's.
//!
//! ```text
//!   colour ──┐
//!   depth ───┼─ synchronizer ─► image ──┐
//!   camera ──┘  (max_skew_s)            ├─ pairing ─► image, then its segmentation
//!   labels, or numbers and their names ─┘  (max_skew_s)
//!   odom ──────────────────────────────────────────► odometry
//!   joint_states, from one or several ─────────────► all joints of the robot
//! ```
//!
//! What cannot be used is refused for a reason from a closed list ([`Refusal`]) and counted under it, and the first
//! of each kind is logged as a sentence. Transforms are waited for by the nodes themselves, up to their own bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::image::{ColorImage, DepthImage, Image, RgbdFrame, Segmentation};
use steward_core::messages::{Header, Transforms};
use steward_core::robot::KinematicModel;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_nodes::recording::{CdrReader, decode, ros_topics};

mod camera_info;
mod compressed;
mod image;
mod joints;
mod labels;
mod odometry;
mod optical;
mod pairing;
mod refusal;
mod settings;
mod synchronizer;

pub use labels::Names;
pub use refusal::Refusal;
pub use settings::{CameraSettings, LabelSource, Transport};

use compressed::CompressedImage;
use image::RawImage;
use joints::Joints;
use optical::OpticalFrames;
use pairing::Pairing;
use synchronizer::{Parts, Synchronizer};

/// A ROS topic that a sensor speaks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Colour.
    Color(Transport),
    /// Depth.
    Depth(Transport),
    /// Intrinsics.
    CameraInfo,
    /// What a detector says.
    Segmentation,
    /// Gazebo's labels.
    GazeboLabels,
    /// Isaac's numbers.
    IsaacNumbers,
    /// What Isaac's numbers mean.
    IsaacNames,
    /// Wheel odometry.
    Odometry,
    /// Joint states.
    JointStates,
}

impl Channel {
    /// The channels of which a topic of the loop is made; none where no sensor makes it.
    pub fn of(topic: Topic, camera: &CameraSettings) -> Vec<Channel> {
        match topic {
            Topic::Rgbd => vec![
                Channel::Color(camera.color),
                Channel::Depth(camera.depth),
                Channel::CameraInfo,
            ],
            Topic::Segmentation => match camera.labels {
                LabelSource::Detector => vec![Channel::Segmentation],
                LabelSource::Gazebo => vec![Channel::GazeboLabels],
                LabelSource::Isaac => vec![Channel::IsaacNumbers, Channel::IsaacNames],
            },
            Topic::Odometry => vec![Channel::Odometry],
            Topic::JointStates => vec![Channel::JointStates],
            _ => Vec::new(),
        }
    }

    /// ROS topic and type.
    pub fn ros_topic(self) -> (&'static str, &'static str) {
        const IMAGE: &str = "sensor_msgs/msg/Image";
        const COMPRESSED: &str = "sensor_msgs/msg/CompressedImage";
        match self {
            Channel::Color(Transport::Raw) => ("/head_camera/color/image_raw", IMAGE),
            Channel::Color(Transport::Compressed) => ("/head_camera/color/image_raw/compressed", COMPRESSED),
            Channel::Depth(Transport::Raw) => ("/head_camera/depth/image_rect", IMAGE),
            Channel::Depth(Transport::Compressed) => {
                ("/head_camera/depth/image_rect/compressedDepth", COMPRESSED)
            }
            Channel::CameraInfo => ("/head_camera/camera_info", "sensor_msgs/msg/CameraInfo"),
            Channel::Segmentation => ros_topics(Topic::Segmentation)[0],
            Channel::GazeboLabels => ("/head_camera/labels_map", IMAGE),
            Channel::IsaacNumbers => ("/head_camera/semantic_segmentation", IMAGE),
            Channel::IsaacNames => ("/head_camera/semantic_labels", "std_msgs/msg/String"),
            Channel::Odometry => ("/odom", "nav_msgs/msg/Odometry"),
            Channel::JointStates => ("/joint_states", "sensor_msgs/msg/JointState"),
        }
    }

    /// Name in counters.
    fn name(self) -> &'static str {
        match self {
            Channel::Color(_) => "color",
            Channel::Depth(_) => "depth",
            Channel::CameraInfo => "camera_info",
            Channel::Segmentation => "segmentation",
            Channel::GazeboLabels => "labels_map",
            Channel::IsaacNumbers => "semantic_segmentation",
            Channel::IsaacNames => "semantic_labels",
            Channel::Odometry => "odom",
            Channel::JointStates => "joint_states",
        }
    }
}

/// Parts of an image.
#[derive(Debug, Default)]
struct Rgbd {
    color: Option<(Header, ColorImage)>,
    depth: Option<(Header, DepthImage)>,
    camera: Option<CameraIntrinsics>,
}

impl Parts for Rgbd {
    fn is_complete(&self) -> bool {
        self.color.is_some() && self.depth.is_some() && self.camera.is_some()
    }
}

/// Parts of what Isaac says about an image.
#[derive(Debug, Default)]
struct Isaac {
    numbers: Option<(Header, Image<u32>)>,
    names: Option<Names>,
}

impl Parts for Isaac {
    fn is_complete(&self) -> bool {
        self.numbers.is_some() && self.names.is_some()
    }
}

/// Listens to the sensors of one robot.
#[derive(Debug)]
pub struct Sensors {
    frames: OpticalFrames,
    images: Synchronizer<Rgbd>,
    gazebo: Names,
    isaac: Synchronizer<Isaac>,
    /// The newest names that came without a stamp.
    isaac_names: Option<Names>,
    pairing: Pairing,
    joints: Joints,
    counts: BTreeMap<String, u64>,
    /// Kinds of refusals that the log has a sentence about.
    told: BTreeSet<String>,
}

impl Sensors {
    /// For a robot with a camera.
    ///
    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn new(camera: &CameraSettings, model: KinematicModel) -> Result<Self, String> {
        camera.validate()?;
        Ok(Sensors {
            images: Synchronizer::new(camera.max_skew()),
            gazebo: camera.names()?,
            isaac: Synchronizer::new(camera.max_skew()),
            isaac_names: None,
            pairing: Pairing::new(camera.max_skew()),
            joints: Joints::new(&model),
            frames: OpticalFrames::new(model, &camera.optical_frame),
            counts: BTreeMap::new(),
            told: BTreeSet::new(),
        })
    }

    /// What a sensor said, as bytes of a ROS message; the messages that are complete with it, in order.
    pub fn hear(&mut self, channel: Channel, bytes: &[u8]) -> Vec<Message> {
        match self.try_hear(channel, bytes) {
            Ok(messages) => messages,
            Err(refusal) => {
                self.refuse(channel.name(), &refusal);
                Vec::new()
            }
        }
    }

    /// Frames of the robot were heard of.
    pub fn hear_frames(&mut self, transforms: &Transforms) {
        self.frames.hear(transforms);
    }

    /// What was refused or given up since this was asked last, by name.
    pub fn take_counts(&mut self) -> BTreeMap<String, u64> {
        for (name, given_up) in [
            ("incomplete_head_camera/rgbd", self.images.take_given_up()),
            ("incomplete_semantic_segmentation", self.isaac.take_given_up()),
            ("unpaired_segmentation", self.pairing.take_given_up()),
        ] {
            if given_up > 0 {
                *self.counts.entry(name.to_owned()).or_default() += given_up;
            }
        }
        std::mem::take(&mut self.counts)
    }

    fn refuse(&mut self, what: &str, refusal: &Refusal) {
        let name = format!("refused_{what}_{}", refusal.name());
        if self.told.insert(name.clone()) {
            log::warn!("{what} is refused: {refusal}; more of that is only counted in /diagnostics");
        }
        *self.counts.entry(name).or_default() += 1;
    }

    fn try_hear(&mut self, channel: Channel, bytes: &[u8]) -> Result<Vec<Message>, Refusal> {
        match channel {
            Channel::Color(transport) => {
                let (header, image) = match transport {
                    Transport::Raw => RawImage::read(bytes).and_then(|i| Ok((i.header.clone(), i.color()?))),
                    Transport::Compressed => {
                        CompressedImage::read(bytes).and_then(|i| Ok((i.header.clone(), i.color()?)))
                    }
                }?;
                let stamp = header.stamp;
                Ok(self.image(|images| images.put(stamp, (header, image), |parts| &mut parts.color)))
            }
            Channel::Depth(transport) => {
                let (header, image) = match transport {
                    Transport::Raw => RawImage::read(bytes).and_then(|i| Ok((i.header.clone(), i.depth()?))),
                    Transport::Compressed => {
                        CompressedImage::read(bytes).and_then(|i| Ok((i.header.clone(), i.depth()?)))
                    }
                }?;
                let stamp = header.stamp;
                Ok(self.image(|images| images.put(stamp, (header, image), |parts| &mut parts.depth)))
            }
            Channel::CameraInfo => {
                let (header, camera) = camera_info::read(bytes)?;
                Ok(self.image(|images| images.put(header.stamp, camera, |parts| &mut parts.camera)))
            }
            Channel::Segmentation => match decode(Topic::Segmentation, &[(channel.ros_topic().0, bytes)])? {
                Message::Segmentation(s) => Ok(self.segmentation(Arc::unwrap_or_clone(s))),
                _ => Ok(Vec::new()),
            },
            Channel::GazeboLabels => {
                let raw = RawImage::read(bytes)?;
                let segmentation = self.gazebo.of_gazebo(raw.header.clone(), &raw.gazebo_labels()?)?;
                Ok(self.segmentation(segmentation))
            }
            Channel::IsaacNumbers => {
                let raw = RawImage::read(bytes)?;
                let numbers = raw.numbers()?;
                if let Some(names) = &self.isaac_names {
                    let segmentation = names.of_isaac(raw.header, &numbers)?;
                    return Ok(self.segmentation(segmentation));
                }
                let (stamp, part) = (raw.header.stamp, (raw.header, numbers));
                let parts = self.isaac.put(stamp, part, |parts| &mut parts.numbers);
                self.isaac(parts)
            }
            Channel::IsaacNames => {
                let mut r = CdrReader::new(bytes)?;
                let text = r.text()?;
                r.finish()?;
                let (stamp, names) = Names::from_isaac(text)?;
                let Some(stamp) = stamp else {
                    self.isaac_names = Some(names);
                    return Ok(Vec::new());
                };
                self.isaac_names = None;
                let parts = self.isaac.put(stamp, names, |parts| &mut parts.names);
                self.isaac(parts)
            }
            Channel::Odometry => Ok(vec![message(Message::Odometry, odometry::read(bytes)?)]),
            Channel::JointStates => {
                let states = self.joints.put(bytes)?;
                Ok(states
                    .into_iter()
                    .map(|s| message(Message::JointStates, s))
                    .collect())
            }
        }
    }

    /// Puts a part of an image to the others.
    fn image(&mut self, put: impl FnOnce(&mut Synchronizer<Rgbd>) -> Option<Rgbd>) -> Vec<Message> {
        let Some(Rgbd {
            color: Some((color_header, color)),
            depth: Some((depth_header, depth)),
            camera: Some(camera),
        }) = put(&mut self.images)
        else {
            return Vec::new();
        };
        match self.frame(
            [&color_header.frame_id, &depth_header.frame_id],
            depth_header.stamp,
            color,
            depth,
            camera,
        ) {
            Ok(frame) => {
                let segmentation = self.pairing.image(&frame);
                let segmentation = segmentation.map(|s| message(Message::Segmentation, s));
                std::iter::once(message(Message::Rgbd, frame))
                    .chain(segmentation)
                    .collect()
            }
            Err(refusal) => {
                self.refuse("head_camera/rgbd", &refusal);
                Vec::new()
            }
        }
    }

    /// The whole of its parts. Depth is what is measured with, so its stamp counts.
    fn frame(
        &self,
        [color_frame, depth_frame]: [&str; 2],
        stamp: Time,
        color: ColorImage,
        depth: DepthImage,
        camera: CameraIntrinsics,
    ) -> Result<RgbdFrame, Refusal> {
        let optical = self.frames.of(color_frame)?;
        if self.frames.of(depth_frame)? != optical {
            return Err(Refusal::Frame(format!(
                "colour is in `{color_frame}` and depth in `{depth_frame}`: register depth to colour (package \
                 depth_image_proc), or set camera.optical_frame if it is"
            )));
        }
        let frame = RgbdFrame {
            header: Header::new(stamp, optical),
            camera,
            color: Arc::new(color),
            depth: Arc::new(depth),
        };
        frame.validate().map_err(|e| Refusal::Size(e.to_string()))?;
        Ok(frame)
    }

    fn isaac(&mut self, parts: Option<Isaac>) -> Result<Vec<Message>, Refusal> {
        let Some(Isaac {
            numbers: Some((header, numbers)),
            names: Some(names),
        }) = parts
        else {
            return Ok(Vec::new());
        };
        let segmentation = names.of_isaac(header, &numbers)?;
        Ok(self.segmentation(segmentation))
    }

    fn segmentation(&mut self, segmentation: Segmentation) -> Vec<Message> {
        let paired = self.pairing.segmentation(segmentation);
        paired
            .into_iter()
            .map(|s| message(Message::Segmentation, s))
            .collect()
    }
}

#[cfg(test)]
mod tests;
