//! The robot as the skills see it: joint names, limits, wrist geometry and the head, all read from the URDF.
//!
//! ```text
//!        lift z     extend x        yaw z      pitch y     roll x
//!  base ───┬──────────┬───────────────┬───────────┬──────────┬──── grasp centre
//!          └ height   └ reach_at_zero └ yaw_pitch └── pitch_grasp ──┘
//! ```

use steward_core::frames;
use steward_core::geometry::{Point3, Pose3, Vector3};
use steward_core::robot::{Joint, JointPositions, KinematicModel};

use crate::error::{Error, Result};

/// Raises the carriage.
pub const LIFT: &str = "lift_joint";
/// Extends the arm.
pub const EXTEND: &str = "arm_extend_joint";
/// Turns the hand about the vertical.
pub const WRIST_YAW: &str = "wrist_yaw_joint";
/// Points the hand down.
pub const WRIST_PITCH: &str = "wrist_pitch_joint";
/// Turns the hand about the fingers.
pub const WRIST_ROLL: &str = "wrist_roll_joint";
/// Opens the fingers; the opening is twice the position.
pub const GRIPPER: &str = "gripper_joint";
/// Turns the head left.
pub const HEAD_PAN: &str = "head_pan_joint";
/// Turns the head down.
pub const HEAD_TILT: &str = "head_tilt_joint";

/// Names of the arm's joints, in the order of [`Posture`].
pub const ARM: [&str; 5] = [LIFT, EXTEND, WRIST_YAW, WRIST_PITCH, WRIST_ROLL];

/// Height of the base where the hand passes over it, metres.
const BASE_TOP_M: f64 = 0.16;
/// Room between base and finger tips on the way over it, metres.
const OVER_BASE_M: f64 = 0.10;

/// Positions of the arm's joints.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Posture {
    /// Metres.
    pub lift_m: f64,
    /// Metres.
    pub extend_m: f64,
    /// Radians.
    pub yaw_rad: f64,
    /// Radians, positive down.
    pub pitch_rad: f64,
    /// Radians.
    pub roll_rad: f64,
}

impl Posture {
    /// The arm's part of joint positions; zero where one is absent.
    pub fn from_joints(joints: &JointPositions) -> Self {
        let [lift_m, extend_m, yaw_rad, pitch_rad, roll_rad] =
            ARM.map(|name| joints.get(name).copied().unwrap_or(0.0));
        Posture {
            lift_m,
            extend_m,
            yaw_rad,
            pitch_rad,
            roll_rad,
        }
    }

    /// Positions in the order of [`ARM`].
    pub fn to_array(self) -> [f64; 5] {
        [
            self.lift_m,
            self.extend_m,
            self.yaw_rad,
            self.pitch_rad,
            self.roll_rad,
        ]
    }

    /// From positions in the order of [`ARM`].
    pub fn from_array([lift_m, extend_m, yaw_rad, pitch_rad, roll_rad]: [f64; 5]) -> Self {
        Posture {
            lift_m,
            extend_m,
            yaw_rad,
            pitch_rad,
            roll_rad,
        }
    }

    /// The posture a part of the way to another.
    pub fn toward(self, other: Posture, fraction: f64) -> Self {
        let (a, b) = (self.to_array(), other.to_array());
        Posture::from_array(std::array::from_fn(|i| a[i] + fraction * (b[i] - a[i])))
    }
}

/// Smallest and largest position and largest speed of a joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Radians or metres.
    pub lower: f64,
    /// Radians or metres.
    pub upper: f64,
    /// Radians or metres per second.
    pub velocity: f64,
}

impl Limits {
    fn of(joint: &Joint) -> Self {
        Limits {
            lower: joint.lower,
            upper: joint.upper,
            velocity: joint.max_velocity,
        }
    }

    /// Whether a position is allowed.
    pub fn allow(&self, q: f64) -> bool {
        q >= self.lower - 1e-9 && q <= self.upper + 1e-9
    }

    /// How far a position is outside, zero inside.
    pub fn excess(&self, q: f64) -> f64 {
        (self.lower - q).max(q - self.upper).max(0.0)
    }

    /// The nearest allowed position.
    pub fn clamp(&self, q: f64) -> f64 {
        q.clamp(self.lower, self.upper)
    }
}

/// Kinematics of the robot with the numbers that the skills compute with.
#[derive(Debug, Clone)]
pub struct Robot {
    model: KinematicModel,
    /// Limits in the order of [`ARM`].
    pub arm: [Limits; 5],
    /// Limits of the gripper's joint.
    pub gripper: Limits,
    /// Limits of pan and tilt.
    pub head: [Limits; 2],
    /// Height of the wrist with the lift at zero, metres.
    pub height_at_zero_m: f64,
    /// Distance ahead of the base's centre of the wrist's yaw axis with the arm retracted, metres.
    pub reach_at_zero_m: f64,
    /// Distance between the wrist's yaw and pitch axes, metres.
    pub yaw_pitch_m: f64,
    /// Distance between the wrist's pitch axis and the grasp centre, metres.
    pub pitch_grasp_m: f64,
    /// Distance the finger tips reach beyond the grasp centre, metres.
    pub tip_m: f64,
    /// Distance from the grasp centre back to the palm, metres.
    pub palm_m: f64,
    pan_from_base: Pose3,
    camera: usize,
    grasp_center: usize,
    /// Links that the joints of [`ARM`] move, then that of the gripper's.
    driven: [usize; 6],
}

impl Robot {
    /// Reads the robot's description and checks that it has the structure that the arm's inverse kinematics is
    /// written for.
    ///
    /// # Errors
    /// [`Error::Robot`] where a joint or link is missing, [`Error::Config`] where the structure differs.
    pub fn from_urdf(urdf: &str) -> Result<Self> {
        let model = KinematicModel::from_urdf(urdf)?;
        let limits = |name: &str| -> Result<Limits> { Ok(Limits::of(model.joint(name)?)) };
        let arm = [
            limits(LIFT)?,
            limits(EXTEND)?,
            limits(WRIST_YAW)?,
            limits(WRIST_PITCH)?,
            limits(WRIST_ROLL)?,
        ];
        let child = |name: &str| -> Result<usize> { Ok(model.joint(name)?.child) };
        let zero = model.forward(&JointPositions::new());
        let at = |link: usize| zero[link].translation.vector;
        let (yaw, pitch) = (at(child(WRIST_YAW)?), at(child(WRIST_PITCH)?));
        let grasp = at(model.link_index(frames::GRASP_CENTER)?);
        let palm = at(child(GRIPPER)?);
        let pan = model.joint(HEAD_PAN)?;
        let pan_from_base = zero[pan.child].inverse();
        let robot = Robot {
            arm,
            gripper: limits(GRIPPER)?,
            head: [limits(HEAD_PAN)?, limits(HEAD_TILT)?],
            height_at_zero_m: yaw.z,
            reach_at_zero_m: yaw.x,
            yaw_pitch_m: pitch.x - yaw.x,
            pitch_grasp_m: grasp.x - pitch.x,
            tip_m: 0.025,
            palm_m: grasp.x - palm.x,
            pan_from_base,
            camera: model.link_index(frames::HEAD_CAMERA_OPTICAL)?,
            grasp_center: model.link_index(frames::GRASP_CENTER)?,
            driven: [
                child(LIFT)?,
                child(EXTEND)?,
                child(WRIST_YAW)?,
                child(WRIST_PITCH)?,
                child(WRIST_ROLL)?,
                child(GRIPPER)?,
            ],
            model,
        };
        let probe = Posture {
            lift_m: 0.4,
            extend_m: 0.3,
            yaw_rad: 0.5,
            pitch_rad: 0.4,
            roll_rad: 0.3,
        };
        let expected = robot.analytic_forward(&probe);
        let actual = robot.grasp_center(&probe);
        let difference = (expected.translation.vector - actual.translation.vector).norm()
            + expected.rotation.angle_to(&actual.rotation);
        if difference > 1e-6 {
            return Err(Error::Config {
                field: "robot description: arm",
                value: difference,
                expected: "lift z, extension x, wrist yaw z, pitch y, roll x with axes in one plane",
            });
        }
        Ok(robot)
    }

    /// Length of the hand from the wrist's pitch axis to the finger tips, metres.
    pub fn hand_m(&self) -> f64 {
        self.pitch_grasp_m + self.tip_m
    }

    /// How far a hand that points down is raised before it turns to a pitch, so that its tips go no lower than they end.
    pub fn rise_to_turn_m(&self, pitch_rad: f64) -> f64 {
        self.hand_m() * (1.0 - pitch_rad.sin())
    }

    /// Lift from which a hand that points down passes over the base, metres.
    pub fn lift_over_base_m(&self) -> f64 {
        self.arm[0].clamp(BASE_TOP_M + OVER_BASE_M + self.hand_m() - self.height_at_zero_m)
    }

    /// The kinematic model.
    pub fn model(&self) -> &KinematicModel {
        &self.model
    }

    /// `base_from_link` for every link of the model, those of the head as at rest.
    pub fn links(&self, posture: &Posture, gripper: f64) -> Vec<Pose3> {
        let [lift, extend, yaw, pitch, roll] = posture.to_array();
        let positions = [lift, extend, yaw, pitch, roll, gripper];
        self.model.forward_by(|joint| {
            let driven = self.driven.iter().position(|link| *link == joint.child);
            driven.map_or(0.0, |i| positions[i])
        })
    }

    /// `base_from_grasp_center` by the URDF.
    pub fn grasp_center(&self, posture: &Posture) -> Pose3 {
        self.grasp_center_of(&self.links(posture, 0.0))
    }

    /// `base_from_grasp_center` of [`Robot::links`].
    pub(crate) fn grasp_center_of(&self, links: &[Pose3]) -> Pose3 {
        links[self.grasp_center]
    }

    /// `base_from_grasp_center` by the closed form that [`crate::ik`] inverts.
    fn analytic_forward(&self, q: &Posture) -> Pose3 {
        use nalgebra::{Translation3, UnitQuaternion};
        let yaw = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), q.yaw_rad);
        let pitch = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), q.pitch_rad);
        let roll = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), q.roll_rad);
        let rotation = yaw * pitch * roll;
        let wrist = Vector3::new(
            self.reach_at_zero_m + q.extend_m,
            0.0,
            self.height_at_zero_m + q.lift_m,
        );
        let p = wrist
            + yaw * Vector3::new(self.yaw_pitch_m, 0.0, 0.0)
            + rotation * Vector3::new(self.pitch_grasp_m, 0.0, 0.0);
        Pose3::from_parts(Translation3::from(p), rotation)
    }

    /// Head pan and tilt that put a point (base frame) in the middle of the image, not limited.
    pub fn head_angles(&self, p_base: &Point3) -> (f64, f64) {
        let p = self.pan_from_base.transform_point(p_base);
        let pan = p.y.atan2(p.x);
        // The tilt axis lies above the pan joint; the camera's small forward offset turns with it and does not
        // change the direction of its axis.
        let tilt_height = self
            .model
            .joint(HEAD_TILT)
            .map_or(0.0, |j| j.parent_from_joint.translation.z);
        let tilt = (tilt_height - p.z).atan2(p.x.hypot(p.y));
        (pan, tilt)
    }

    /// `base_from_camera` (optical frame) of the head camera.
    pub fn head_camera(&self, joints: &JointPositions) -> Pose3 {
        self.model.forward(joints)[self.camera]
    }
}
