//! `nav_msgs/Odometry` of any world, on the floor.

use steward_core::frames;
use steward_core::geometry::{Pose2, Pose3, Vector3};
use steward_core::messages::{Header, Odometry};
use steward_nodes::recording::CdrReader;

use super::refusal::Refusal;

/// How much the length of a quaternion may differ from 1; some publishers write it in single precision.
const QUATERNION_TOLERANCE: f64 = 1e-3;

/// Heading and position on the floor, and the speeds forward and around; roll, pitch, height and sideways speed have
/// no place in the loop.
///
/// # Errors
/// [`Refusal::Frame`] where it is not `odom` to `base_link` (an empty child frame is taken for that),
/// [`Refusal::NotFinite`] for numbers that are none or no rotation, [`Refusal::Unreadable`].
pub(super) fn read(bytes: &[u8]) -> Result<Odometry, Refusal> {
    let mut r = CdrReader::new(bytes)?;
    let header: Header = r.get()?;
    let child = r.text()?;
    let pose: Pose3 = r.get()?;
    r.skip::<[f64; 36]>()?;
    let (linear, angular): (Vector3, Vector3) = (r.get()?, r.get()?);
    r.skip::<[f64; 36]>()?;
    r.finish()?;
    if header.frame_id != frames::ODOM || !matches!(child, "" | frames::BASE_LINK) {
        let short = |text: &str| text.chars().take(40).collect::<String>();
        return Err(Refusal::Frame(format!(
            "odometry from `{}` to `{}`, expected `{}` to `{}`: set the names where it is published",
            short(&header.frame_id),
            short(child),
            frames::ODOM,
            frames::BASE_LINK
        )));
    }
    let numbers = [pose.translation.x, pose.translation.y, linear.x, angular.z];
    let length = pose.rotation.quaternion().norm();
    let is_rotation = (length - 1.0).abs() <= QUATERNION_TOLERANCE;
    if !is_rotation || !numbers.iter().all(|n| n.is_finite()) {
        return Err(Refusal::NotFinite(format!(
            "position, speed or rotation is no number, or the rotation is none (length {length})"
        )));
    }
    Ok(Odometry {
        header,
        pose: Pose2::from_pose3(&pose),
        linear_m_s: linear.x,
        angular_rad_s: angular.z,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use steward_core::Time;
    use steward_nodes::message::Message;
    use steward_nodes::node::message;
    use steward_nodes::recording::{CdrWriter, encode};

    use super::*;

    fn bytes(frame: &str, child: &str, position: [f64; 3], rotation: [f64; 4], twist: [f64; 6]) -> Vec<u8> {
        let mut w = CdrWriter::with_capacity(800);
        w.put(&Header::new(Time::from_secs_f64(3.0), frame)).text(child);
        w.put(&position).put(&rotation).put(&[0.1f64; 36]);
        w.put(&twist).put(&[0.1f64; 36]);
        w.finish().unwrap()
    }

    const LEVEL: [f64; 4] = [0.0, 0.0, 0.0, 1.0];

    #[test]
    fn what_matters_on_the_floor_is_taken() {
        // A quarter turn to the left.
        let half = std::f64::consts::FRAC_1_SQRT_2;
        for child in ["base_link", ""] {
            let m = read(&bytes(
                "odom",
                child,
                [1.0, -2.0, 0.3],
                [0.0, 0.0, half, half],
                [0.5, 0.1, 0.2, 0.3, 0.4, -0.6],
            ))
            .unwrap();
            assert_eq!(m.header, Header::new(Time::from_secs_f64(3.0), "odom"));
            assert_eq!((m.pose.x_m, m.pose.y_m), (1.0, -2.0));
            assert!((m.pose.yaw_rad - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
            assert_eq!((m.linear_m_s, m.angular_rad_s), (0.5, -0.6));
        }
    }

    #[test]
    fn our_own_is_read_too() {
        let ours = Odometry {
            header: Header::new(Time::from_secs_f64(1.5), "odom"),
            pose: Pose2::new(3.0, 4.0, -2.5),
            linear_m_s: 0.25,
            angular_rad_s: -1.0,
        };
        let parts = encode(&message(Message::Odometry, ours.clone())).unwrap();
        let found = read(&parts[0].bytes).unwrap();
        assert!((found.pose.yaw_rad - ours.pose.yaw_rad).abs() < 1e-12);
        assert_eq!(
            Odometry {
                pose: ours.pose,
                ..found
            },
            ours
        );
    }

    #[test]
    fn other_frames_and_what_is_no_number_are_refused() {
        let nan = f64::NAN;
        for (frame, child, position, rotation, twist, reason) in [
            ("world", "base_link", [0.0; 3], LEVEL, [0.0; 6], "frame"),
            ("odom", "base_footprint", [0.0; 3], LEVEL, [0.0; 6], "frame"),
            (
                "odom",
                "base_link",
                [nan, 0.0, 0.0],
                LEVEL,
                [0.0; 6],
                "not_finite",
            ),
            ("odom", "base_link", [0.0; 3], [0.0; 4], [0.0; 6], "not_finite"),
            (
                "odom",
                "base_link",
                [0.0; 3],
                [0.0, 0.0, nan, 1.0],
                [0.0; 6],
                "not_finite",
            ),
            (
                "odom",
                "base_link",
                [0.0; 3],
                [0.0, 0.0, 2.0, 1.0],
                [0.0; 6],
                "not_finite",
            ),
            (
                "odom",
                "base_link",
                [0.0; 3],
                LEVEL,
                [f64::INFINITY; 6],
                "not_finite",
            ),
        ] {
            let refused = read(&bytes(frame, child, position, rotation, twist)).unwrap_err();
            assert_eq!(refused.name(), reason, "{refused}");
        }
        assert_eq!(read(&[0, 1, 0, 0]).unwrap_err().name(), "unreadable");
    }
}
