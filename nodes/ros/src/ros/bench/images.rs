//! Images into a mapper in another process, at the rate of a camera.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration as Wall, Instant};

use anyhow::{Context, Result};
use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::{Odometry, Transforms};
use steward_core::{Duration, Time};
use steward_nodes::bench::images::Images;
use steward_nodes::bench::ros::RosBench;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_sim::home;
use steward_sim::simulation::{SensorOutput, Simulation, SimulationConfig};

use super::child::Child;
use super::client::{Client, check};
use super::progress;
use crate::host::Clock;
use crate::ros::publishers::Publishers;
use crate::settings::SimulatorSettings;

const RATE_HZ: f64 = 30.0;
const SIZE: (u32, u32) = (640, 480);
/// Different images, which are sent in turn.
const IMAGES: usize = 30;
const SAYS: &[Topic] = &[
    Topic::Transforms,
    Topic::Odometry,
    Topic::Rgbd,
    Topic::Segmentation,
];
/// What the mapper must listen to before it begins; of the odometry nobody needs all that recordings hold.
const HEARD: &[Topic] = &[Topic::Transforms, Topic::Rgbd, Topic::Segmentation];
/// How long the last image may take to be accounted for: the mapper tells its counters once a second.
const SETTLES: Wall = Wall::from_secs(4);

/// Publishes for as long as is asked for, and says what became of it.
///
/// # Errors
/// Where the home or ROS refuses something, the mapper ends, or somebody wants to stop.
pub(super) fn measure(asked: &RosBench, stop: &AtomicBool) -> Result<Images> {
    progress("images", 0.0, asked.seconds)?;
    let view = View::of(asked)?;
    let mut mapper = Child::start("bench_mapper", &[])?;
    let mut client = Client::new("bench_camera", &[Topic::Diagnostics])?;
    let publishers = Publishers::new(&mut client.node, SAYS)?;
    let mut counters = client.wait(&mut mapper, stop, "mapper that listens", |_, messages| {
        newest_counters(messages).filter(|_| publishers.are_all_heard(HEARD))
    })?;

    let begun = Instant::now();
    let mut published = 0;
    while begun.elapsed().as_secs_f64() < asked.seconds {
        check(stop)?;
        mapper.check()?;
        let due = Wall::from_secs_f64(published as f64 / RATE_HZ);
        while begun.elapsed() < due {
            counters = newest_counters(client.turn()).unwrap_or(counters);
        }
        let now = Clock::Wall.now().context("there is no time")?;
        view.messages(published, now)
            .iter()
            .for_each(|m| publishers.publish(m));
        published += 1;
        if published % RATE_HZ as u64 == 0 {
            progress("images", begun.elapsed().as_secs_f64(), asked.seconds)?;
        }
    }
    let sent = Instant::now();
    while sent.elapsed() < SETTLES && !Images::of(published, &counters).are_all_accounted_for() {
        check(stop)?;
        counters = newest_counters(client.turn()).unwrap_or(counters);
    }
    Ok(Images::of(published, &counters))
}

fn newest_counters(messages: Vec<Message>) -> Option<BTreeMap<String, u64>> {
    messages.into_iter().rev().find_map(|m| match m {
        Message::Diagnostics(d) => Some(d.counters.clone()),
        _ => None,
    })
}

/// What a robot sees that stands where it starts.
struct View {
    images: Vec<(RgbdFrame, Segmentation)>,
    transforms: Transforms,
    odometry: Odometry,
}

impl View {
    fn of(asked: &RosBench) -> Result<Self> {
        let settings = SimulatorSettings {
            home: asked.home.clone(),
            ..SimulatorSettings::default()
        };
        let mut config = SimulationConfig::default();
        (config.camera.width, config.camera.height) = SIZE;
        config.camera.rate_hz = RATE_HZ;
        let mut simulation = Simulation::new(home::generate(&settings.home()?)?, &config, asked.seed)?;
        let (mut images, mut colour) = (Vec::new(), None);
        let (mut transforms, mut odometry) = (
            Transforms {
                transforms: Vec::new(),
            },
            None,
        );
        let mut now = Time::ZERO;
        // Some images never arrive.
        while images.len() < IMAGES {
            for output in simulation.step_to(now)? {
                match output {
                    SensorOutput::Rgbd(image) => colour = Some(image),
                    SensorOutput::Segmentation(labels) => images.extend(colour.take().map(|c| (c, labels))),
                    // Those at the start have the fixed ones with them.
                    SensorOutput::Transforms(t) if now == Time::ZERO => {
                        transforms.transforms.extend(t.transforms)
                    }
                    SensorOutput::Odometry(o) => odometry = Some(o),
                    _ => {}
                }
            }
            now += Duration::from_rate_hz(RATE_HZ);
        }
        Ok(View {
            images,
            transforms,
            odometry: odometry.context("the simulator tells no odometry")?,
        })
    }

    /// What the robot senses now, in the order in which it is sent.
    fn messages(&self, number: u64, now: Time) -> [Message; 4] {
        let (mut image, mut labels) = self.images[number as usize % self.images.len()].clone();
        let (mut transforms, mut odometry) = (self.transforms.clone(), self.odometry.clone());
        for transform in &mut transforms.transforms {
            transform.stamp = now;
        }
        for stamp in [
            &mut image.header.stamp,
            &mut labels.header.stamp,
            &mut odometry.header.stamp,
        ] {
            *stamp = now;
        }
        [
            message(Message::Transforms, transforms),
            Message::Odometry(Arc::new(odometry)),
            Message::Rgbd(Arc::new(image)),
            Message::Segmentation(Arc::new(labels)),
        ]
    }
}
