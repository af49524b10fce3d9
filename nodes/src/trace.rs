//! The story of a run as lines of text: each step, what the executor says while it goes on, how it ended, what
//! changed in the home, and the end.

use std::io::Write;

use steward_core::frames;
use steward_core::geometry::{Pose2, wrap_angle_rad};
use steward_core::messages::{ChangeKind, SkillState, StepState, VerdictKind};

use crate::error::Result;
use crate::message::Message;
use crate::runtime::{Delivery, Observer};

/// Changes of the odometry's correction that are worth a line: metres, and radians.
const TOLD_M: f64 = 0.05;
/// See [`TOLD_M`].
const TOLD_RAD: f64 = 0.03;

/// Writes the story of a run.
///
/// ```text
///    12.4 s  step#3  pick mug o17: at the desk
///    12.4 s            reaching: 0.31 m to go
///    19.8 s          failed: grasp failed: the fingers closed on nothing
/// ```
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
    said: String,
    /// `map_from_odom` when it was last told.
    correction: Pose2,
    failure: Option<std::io::Error>,
}

impl<W: Write> Trace<W> {
    /// A story that is written to `out`, line by line.
    pub fn new(out: W) -> Self {
        Trace {
            out,
            said: String::new(),
            correction: Pose2::default(),
            failure: None,
        }
    }

    /// The writer, once everything is told.
    ///
    /// # Errors
    /// The first error of the writer; nothing was written after it.
    pub fn finish(mut self) -> std::io::Result<W> {
        match self.failure.take() {
            Some(e) => Err(e),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn line(&mut self, delivery: &Delivery<'_>, text: &str) {
        if self.failure.is_none() {
            self.failure = writeln!(self.out, "{:>8.2} s  {text}", delivery.at.secs_f64()).err();
        }
    }
}

impl<W: Write + Send> Observer for Trace<W> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        match delivery.message {
            Message::Plan(plan) => {
                if let Some(step) = plan.steps.iter().rfind(|s| s.state == StepState::Running) {
                    let number = step.step.map(|s| s.to_string()).unwrap_or_default();
                    let later: Vec<&str> = plan
                        .steps
                        .iter()
                        .filter(|s| s.state == StepState::Pending)
                        .map(|s| s.label.as_str())
                        .collect();
                    let then = if later.is_empty() {
                        String::new()
                    } else {
                        format!("  (then {})", later.join(", "))
                    };
                    self.line(delivery, &format!("{number}  {}{then}", step.label));
                }
            }
            Message::SkillStatus(status) => match status.state {
                SkillState::Running => {
                    // Numbers in it change all the time: only another sentence is worth a line.
                    let sentence: String = status.detail.chars().filter(char::is_ascii_alphabetic).collect();
                    if sentence != self.said {
                        self.line(delivery, &format!("    {}", status.detail));
                        self.said = sentence;
                    }
                }
                SkillState::Done => self.line(delivery, &format!("  done: {}", status.detail)),
                SkillState::Failed(why) => {
                    self.line(delivery, &format!("  failed: {why}: {}", status.detail));
                }
            },
            Message::Verdict(v) => {
                let kind = match v.kind {
                    VerdictKind::Confirmed => "confirmed",
                    VerdictKind::Refuted => "refuted",
                    VerdictKind::Undecided => "undecided",
                };
                self.line(delivery, &format!("  {kind}: {}", v.detail));
            }
            Message::SceneChange(c) if c.kind != ChangeKind::Appeared => {
                let p = c.position;
                let text = format!(
                    "      noticed: {} {} {:?} at {:.2} {:.2} {:.2}",
                    c.class, c.object, c.kind, p.x, p.y, p.z
                );
                self.line(delivery, &text);
            }
            Message::Localization(transforms) => {
                for t in transforms.transforms.iter().filter(|t| t.child == frames::ODOM) {
                    let now = Pose2::from_pose3(&t.parent_from_child);
                    let (moved_m, turned_rad) = (
                        now.distance_m(&self.correction),
                        wrap_angle_rad(now.yaw_rad - self.correction.yaw_rad).abs(),
                    );
                    if moved_m > TOLD_M || turned_rad > TOLD_RAD {
                        self.correction = now;
                        let text = format!(
                            "      odometry corrected by ({:.2}, {:.2}) m, {:.1}° in all",
                            now.x_m,
                            now.y_m,
                            now.yaw_rad.to_degrees()
                        );
                        self.line(delivery, &text);
                    }
                }
            }
            Message::TaskResult(r) => self.line(delivery, &format!("{:?}: {}", r.outcome, r.detail)),
            _ => {}
        }
        Ok(())
    }
}
