//! Runs one skill at a time.

use steward_core::messages::{Skill, SkillFailure};
use steward_core::{Duration, Time};

use crate::config::SkillsConfig;
use crate::error::Result;
use crate::grip::{Grip, grip};
use crate::look::Look;
use crate::machine::{Commands, Context, Inputs, Progress};
use crate::navigate::Navigate;
use crate::operate::Operate;
use crate::pick::Pick;
use crate::place::Place;
use crate::robot::Robot;

/// The skill under way.
#[derive(Debug)]
enum Running {
    Navigate(Box<Navigate>),
    Look(Box<Look>),
    Pick(Box<Pick>),
    Place(Box<Place>),
    Operate(Box<Operate>),
}

/// How long the fingers may not feel what they hold before it counts as dropped, seconds.
const LOST_S: f64 = 0.6;

impl Running {
    /// Whether what is held is to stay held now.
    fn keeps_hold(&self) -> bool {
        match self {
            Running::Navigate(_) | Running::Look(_) | Running::Pick(_) | Running::Operate(_) => true,
            Running::Place(place) => !place.is_letting_go(),
        }
    }
}

/// Runs skills: the executor without messages.
///
/// ```text
/// start(skill) ─► step(inputs) ─► commands, progress ─► … ─► Done | Failed
///                    cancel() ─────────────────────────────► nothing runs, the base stands still
/// ```
#[derive(Debug)]
pub struct SkillRunner {
    context: Context,
    running: Option<(Running, Time, Duration)>,
    stale_since: Option<Time>,
    lost_since: Option<Time>,
}

impl SkillRunner {
    /// A runner for the robot described by a URDF.
    ///
    /// # Errors
    /// Where the configuration is invalid or the robot does not have the joints that the skills use.
    pub fn new(config: SkillsConfig, urdf: &str) -> Result<Self> {
        config.validate()?;
        let robot = Robot::from_urdf(urdf)?;
        Ok(SkillRunner {
            context: Context::new(config, robot),
            running: None,
            stale_since: None,
            lost_since: None,
        })
    }

    /// What outlives single skills.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Whether a skill is under way.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins a skill; whatever ran before is dropped where it is.
    pub fn start(&mut self, skill: &Skill, now: Time) {
        let c = &self.context.config;
        let (running, limit_s) = match skill {
            Skill::Navigate { to } => (Running::Navigate(Box::new(Navigate::to(*to))), c.navigate_limit_s),
            Skill::Look { at } => (
                Running::Look(Box::new(Look::at(at.clone()))),
                10.0 + 12.0 * at.len().min(64) as f64,
            ),
            Skill::Pick { object } => (Running::Pick(Box::new(Pick::new(*object))), c.manipulate_limit_s),
            Skill::Place {
                object,
                relation,
                target,
            } => (
                Running::Place(Box::new(Place::new(*object, *relation, *target))),
                c.manipulate_limit_s,
            ),
            Skill::Open { part } => (
                Running::Operate(Box::new(Operate::open(*part))),
                c.manipulate_limit_s,
            ),
            Skill::Close { part } => (
                Running::Operate(Box::new(Operate::close(*part))),
                c.manipulate_limit_s,
            ),
        };
        self.running = Some((running, now, Duration::from_secs_f64(limit_s)));
        self.stale_since = None;
    }

    /// Drops the running skill. The caller stops the base; the joints stay where they were told to go.
    pub fn cancel(&mut self) {
        self.running = None;
        self.stale_since = None;
    }

    /// Advances the running skill by one control period. `None`: the inputs are too old or incomplete to move on.
    pub fn step(&mut self, now: Time, inputs: Option<&Inputs>) -> (Commands, Progress) {
        let mut out = Commands::default();
        let Some((running, since, limit)) = &mut self.running else {
            return (out, Progress::Done("nothing to do".into()));
        };
        if now - *since > *limit {
            let text = format!("not finished after {:.0} s", limit.secs_f64());
            self.running = None;
            return (out, Progress::Failed(SkillFailure::TimedOut, text));
        }
        let Some(inputs) = inputs else {
            let stale = *self.stale_since.get_or_insert(now);
            let waited = (now - stale).secs_f64();
            if waited > self.context.config.stale_fails_after_s {
                self.running = None;
                let text = format!("no usable odometry, joint states or transforms for {waited:.1} s");
                return (out, Progress::Failed(SkillFailure::StaleData, text));
            }
            return (
                out,
                Progress::Running("standing still until sensor data comes again".into()),
            );
        };
        self.stale_since = None;
        if let Some(held) = self.context.held
            && running.keeps_hold()
            && grip(inputs) != Grip::Holding
        {
            let lost = *self.lost_since.get_or_insert(now);
            if (now - lost).secs_f64() > LOST_S {
                self.lost_since = None;
                self.context.held = None;
                self.running = None;
                let text = format!("{} is no longer between the fingers", held.object);
                return (out, Progress::Failed(SkillFailure::Dropped, text));
            }
        } else {
            self.lost_since = None;
        }
        let progress = match running {
            Running::Navigate(skill) => skill.step(&mut self.context, inputs, &mut out),
            Running::Look(skill) => skill.step(&mut self.context, inputs, &mut out),
            Running::Pick(skill) => skill.step(&mut self.context, inputs, &mut out),
            Running::Place(skill) => skill.step(&mut self.context, inputs, &mut out),
            Running::Operate(skill) => skill.step(&mut self.context, inputs, &mut out),
        };
        if !matches!(progress, Progress::Running(_)) {
            self.running = None;
            out.base = (0.0, 0.0);
            out.drive_to = None;
        }
        (out, progress)
    }
}
