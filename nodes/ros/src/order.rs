//! A segmentation is of an image and says something only after it; over ROS it may overtake it.

use steward_core::Time;
use steward_nodes::message::Message;

/// Lets images pass, and holds a segmentation back until its image has passed.
#[derive(Debug, Default)]
pub struct ImagesFirst {
    newest_image: Option<Time>,
    held: Option<Message>,
}

impl ImagesFirst {
    /// What may pass now that a message came, in order.
    pub fn pass(&mut self, message: Message) -> Vec<Message> {
        match &message {
            Message::Rgbd(image) => {
                let stamp = image.header.stamp;
                self.newest_image = Some(stamp);
                let held = self.held.take_if(|held| held_stamp(held) <= stamp);
                [message].into_iter().chain(held).collect()
            }
            // One of an image that never comes is forgotten when the next one is held.
            Message::Segmentation(s) if self.newest_image.is_none_or(|image| image < s.header.stamp) => {
                self.held = Some(message);
                Vec::new()
            }
            _ => vec![message],
        }
    }
}

fn held_stamp(message: &Message) -> Time {
    match message {
        Message::Segmentation(s) => s.header.stamp,
        _ => Time::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::camera::CameraIntrinsics;
    use steward_core::image::{Image, RgbdFrame, Segmentation};
    use steward_core::messages::Header;
    use steward_nodes::message::Topic;
    use steward_nodes::node::message;

    use super::*;

    #[test]
    fn a_segmentation_waits_for_its_image() {
        let header = |at: f64| Header::new(Time::from_secs_f64(at), "");
        let image = |at| {
            message(
                Message::Rgbd,
                RgbdFrame {
                    header: header(at),
                    camera: CameraIntrinsics::from_horizontal_fov(1, 1, 1.0),
                    color: Arc::new(Image::new(1, 1, vec![[0; 3]]).unwrap()),
                    depth: Arc::new(Image::new(1, 1, vec![1.0]).unwrap()),
                },
            )
        };
        let labels = |at| {
            let labels = Arc::new(Image::new(1, 1, vec![0]).unwrap());
            message(
                Message::Segmentation,
                Segmentation {
                    header: header(at),
                    labels,
                    detections: Vec::new(),
                },
            )
        };
        let mut order = ImagesFirst::default();
        let mut topics = |m| order.pass(m).iter().map(Message::topic).collect::<Vec<_>>();
        assert_eq!(topics(labels(1.0)), []);
        assert_eq!(topics(image(1.0)), [Topic::Rgbd, Topic::Segmentation]);
        assert_eq!(topics(image(2.0)), [Topic::Rgbd]);
        assert_eq!(topics(labels(2.0)), [Topic::Segmentation]);
        assert_eq!(topics(labels(3.0)), []);
        assert_eq!(topics(image(2.5)), [Topic::Rgbd]);
    }
}
