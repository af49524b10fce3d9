//! Settings of the composed loop and of the simulator: those of nodes are in `steward-nodes`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use steward_nodes::pictures::{Pictures, Rerun};
use steward_sim::home::HomeSpec;
use steward_sim::physics::RobotConfig;
use steward_sim::simulation::{CameraConfig, SensorConfig, SimulationConfig};

/// Settings of the loop in one process, and of the world's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopSettings {
    /// Configure and activate at the start.
    pub autostart: bool,
    /// What every ROS node has. This one is the clock itself, so it changes nothing.
    pub use_sim_time: bool,
    /// Which world: `embedded` for the simulator in this process.
    pub world: String,
    /// Simulated seconds per second, 0 for as fast as the machine can.
    pub speed: f64,
    /// Time stands still before the first task, so that the same task and seed give the same run.
    pub hold_until_task: bool,
    /// How long a task may take where its goal says nothing, simulated seconds.
    pub time_limit_s: f64,
    /// How often a small thing is moved behind the robot's back, simulated seconds, 0 for never.
    pub disturb_every_s: f64,
    /// Pictures in rerun: `off`, `save` (into `run.rrd`, in the folder of the recording if there is one), `connect` to a
    /// viewer that runs, or `spawn` one.
    pub rerun: String,
    /// Folder for a recording, which must not exist yet; empty for none.
    pub record: String,
}

/// What the parameters of [`LoopSettings`] mean.
pub const LOOP_DESCRIPTIONS: &[(&str, &str)] = &[
    ("autostart", "Configure and activate at the start."),
    (
        "use_sim_time",
        "What every ROS node has; this one is the clock itself, so it changes nothing.",
    ),
    (
        "world",
        "Which world: embedded for the simulator in this process.",
    ),
    (
        "speed",
        "Simulated seconds per second, 0 to 1000; 0: as fast as the machine can.",
    ),
    (
        "hold_until_task",
        "Time stands still before the first task, so that the same task and seed give the same run.",
    ),
    (
        "time_limit_s",
        "How long a task may take where its goal says nothing, simulated seconds, 1 to 1000000.",
    ),
    (
        "disturb_every_s",
        "How often a small thing is moved behind the robot's back, simulated seconds, up to 1000000; 0: never.",
    ),
    (
        "rerun",
        "Pictures in rerun: off, save (into run.rrd, in the folder of the recording if there is one), connect to a \
         viewer that runs, or spawn one.",
    ),
    (
        "record",
        "Folder for a recording, which must not exist yet; empty: none.",
    ),
];

impl Default for LoopSettings {
    fn default() -> Self {
        LoopSettings {
            autostart: true,
            use_sim_time: false,
            world: "embedded".into(),
            speed: 1.0,
            hold_until_task: false,
            time_limit_s: 1800.0,
            disturb_every_s: 0.0,
            rerun: "off".into(),
            record: String::new(),
        }
    }
}

impl LoopSettings {
    /// Opens what shows the run, if that is wanted.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn pictures(&self) -> Result<Pictures> {
        let wanted = self.rerun.parse().map_err(anyhow::Error::msg)?;
        Ok(Pictures::new(wanted, &Path::new(&self.record).join("run.rrd"))?)
    }

    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn validate(&self) -> Result<(), String> {
        if self.world != "embedded" {
            return Err(format!("world is `{}` and can only be embedded yet", self.world));
        }
        if self.rerun.parse::<Rerun>()? != Rerun::Off && !cfg!(feature = "rerun") {
            return Err(format!(
                "rerun is `{}` and this program was built without it: record instead, then `steward replay --rerun \
                 FILE` shows it",
                self.rerun
            ));
        }
        for (name, value, low, high) in [
            ("speed", self.speed, 0.0, 1e3),
            ("time_limit_s", self.time_limit_s, 1.0, 1e6),
            ("disturb_every_s", self.disturb_every_s, 0.0, 1e6),
        ] {
            if !(value >= low && value <= high) {
                return Err(format!("{name} is {value} and must be between {low} and {high}"));
            }
        }
        if !self.record.is_empty() && Path::new(&self.record).exists() {
            return Err(format!(
                "record: {} exists already; name a folder that does not",
                self.record
            ));
        }
        Ok(())
    }
}

/// Settings of the simulator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// The home: a file such as maps/apartment.yaml, or seed:N for a generated one.
    pub home: String,
    /// Seed of sensor noise and everything else that is random.
    pub seed: u64,
    /// How the robot moves.
    pub robot: RobotConfig,
    /// The camera on the head.
    pub camera: CameraConfig,
    /// The camera on the wrist.
    pub wrist_camera: CameraConfig,
    /// How well everything measures.
    pub sensors: SensorConfig,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        let SimulationConfig {
            robot,
            camera,
            wrist_camera,
            sensors,
        } = SimulationConfig::default();
        SimulatorSettings {
            home: "seed:1".into(),
            seed: 1,
            robot,
            camera,
            wrist_camera,
            sensors,
        }
    }
}

impl SimulatorSettings {
    /// The part that is the simulation's.
    pub fn simulation(&self) -> SimulationConfig {
        SimulationConfig {
            robot: self.robot.clone(),
            camera: self.camera.clone(),
            wrist_camera: self.wrist_camera.clone(),
            sensors: self.sensors.clone(),
        }
    }

    /// # Errors
    /// One sentence: which setting is out of range, and why.
    pub fn validate(&self) -> Result<(), String> {
        self.simulation().validate().map_err(|e| e.to_string())?;
        self.home().map(drop).map_err(|e| format!("{e:#}"))
    }

    /// Reads the home.
    ///
    /// # Errors
    /// Where there is none of that name, or it makes no sense.
    pub fn home(&self) -> Result<HomeSpec> {
        if let Some(seed) = self.home.strip_prefix("seed:") {
            let seed = seed
                .parse()
                .with_context(|| format!("home: `{seed}` is not a seed"))?;
            return Ok(HomeSpec::from_seed(seed));
        }
        let text = fs::read_to_string(&self.home)
            .with_context(|| format!("home: cannot read `{}`; name a file or use seed:N", self.home))?;
        Ok(HomeSpec::from_yaml(&self.home, &text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        LoopSettings::default().validate().unwrap();
        SimulatorSettings::default().validate().unwrap();
        let refused = |change: fn(&mut LoopSettings)| {
            let mut settings = LoopSettings::default();
            change(&mut settings);
            settings.validate().unwrap_err()
        };
        assert!(refused(|s| s.speed = f64::NAN).contains("speed"));
        assert!(refused(|s| s.world = "mars".into()).contains("mars"));
        assert!(refused(|s| s.rerun = "on".into()).contains("connect"));
        assert!(refused(|s| s.record = "/".into()).contains("exists already"));
        let nowhere = SimulatorSettings {
            home: "/nowhere.yaml".into(),
            ..SimulatorSettings::default()
        };
        assert!(nowhere.validate().unwrap_err().contains("/nowhere.yaml"));
    }
}
