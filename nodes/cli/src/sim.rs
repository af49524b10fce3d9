//! `steward sim`: homes without a robot at work.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Pose2;
use steward_sim::changes::{ChangeScript, generate_changes};
use steward_sim::home::{self, CatalogueKind, HomeSpec};
use steward_sim::model::WorldState;
use steward_sim::render::{RenderOptions, Renderer, head_pose, render_plan_view};

use crate::run::{parse_size, read_home, save_png};
use crate::ui;

/// What to do with a home.
#[derive(Subcommand)]
pub(crate) enum SimCommand {
    /// Write the file of a home with a seed, ready to be edited
    New {
        /// Seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Number of rooms, 3 to 8; default: drawn from the seed
        #[arg(long)]
        rooms: Option<usize>,
        /// Where to
        #[arg(long, default_value = "home.yaml")]
        out: PathBuf,
    },
    /// Draw a home: from above, and what the robot's camera sees from a place
    Render(RenderArguments),
    /// Write a home as an SDF world for Gazebo and the robot as URDF
    Export {
        /// The home: a file, or seed:N
        #[arg(long, default_value = "maps/apartment.yaml")]
        home: String,
        /// Folder; made if absent
        #[arg(long, default_value = "export")]
        out: PathBuf,
    },
    /// Write scene-change scripts for a home
    Changes {
        /// The home: a file, or seed:N
        #[arg(long, default_value = "maps/apartment.yaml")]
        home: String,
        /// Seed of the first script
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Number of scripts
        #[arg(long, default_value_t = 1)]
        count: u64,
        /// Operations in each
        #[arg(long, default_value_t = 6)]
        operations: usize,
        /// Folder; made if absent
        #[arg(long, default_value = "changes")]
        out: PathBuf,
    },
    /// List the classes of furniture and objects
    Classes,
}

/// Arguments of `steward sim render`.
#[derive(Args)]
pub(crate) struct RenderArguments {
    /// The home: a file, or seed:N
    #[arg(long, default_value = "maps/apartment.yaml")]
    home: String,
    /// Where the robot stands: x,y,yaw in metres and degrees; default: where it starts
    #[arg(long, value_name = "X,Y,DEG", value_parser = parse_pose, allow_hyphen_values = true)]
    at: Option<Pose2>,
    /// Size of the camera's image
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x480", value_parser = parse_size)]
    camera: (u32, u32),
    /// Folder; made if absent
    #[arg(long, default_value = "pictures")]
    out: PathBuf,
}

fn parse_pose(text: &str) -> Result<Pose2, String> {
    let numbers: Vec<f64> = text.split(',').filter_map(|p| p.trim().parse().ok()).collect();
    match numbers[..] {
        [x, y, degrees] if numbers.iter().all(|n| n.is_finite()) => {
            Ok(Pose2::new(x, y, degrees.to_radians()))
        }
        _ => Err("write it as x,y,degrees, for example 1.5,2,90".into()),
    }
}

pub(crate) fn run(command: SimCommand) -> Result<ExitCode> {
    match command {
        SimCommand::New { seed, rooms, out } => {
            let spec = HomeSpec {
                room_count: rooms,
                ..HomeSpec::from_seed(seed)
            };
            home::generate(&spec)?;
            fs::write(&out, serde_saphyr::to_string(&spec)?)
                .with_context(|| format!("cannot write {}", out.display()))?;
            eprintln!("{} {}", ui::dim("wrote"), out.display());
        }
        SimCommand::Render(arguments) => render(&arguments)?,
        SimCommand::Export { home, out } => {
            let home = home::generate(&read_home(&home)?)?;
            make_folder(&out)?;
            steward_sim::export::export_home(&home, &out)?;
            eprintln!("{} {}", ui::dim("wrote"), out.display());
        }
        SimCommand::Changes {
            home,
            seed,
            count,
            operations,
            out,
        } => {
            let home = home::generate(&read_home(&home)?)?;
            make_folder(&out)?;
            let bar = ui::progress(count, "scripts");
            for seed in seed..seed.saturating_add(count) {
                let script: ChangeScript = generate_changes(&home, seed, operations);
                let path = out.join(format!("{seed:05}.yaml"));
                fs::write(&path, script.to_yaml())
                    .with_context(|| format!("cannot write {}", path.display()))?;
                bar.inc(1);
            }
            bar.finish_and_clear();
            eprintln!("{} {count} scripts to {}", ui::dim("wrote"), out.display());
        }
        SimCommand::Classes => {
            for entry in home::catalogue() {
                let [x, y, z] = entry.size_m;
                let kind = match entry.kind {
                    CatalogueKind::Furniture if entry.parts.is_empty() => "furniture".to_owned(),
                    CatalogueKind::Furniture => format!("furniture with {}", entry.parts.join(", ")),
                    CatalogueKind::Object { graspable: true, .. } => "object".to_owned(),
                    CatalogueKind::Object { graspable: false, .. } => "object, too large to grasp".to_owned(),
                };
                println!("{:<18} {x:>5.2} x {y:>5.2} x {z:>5.2} m  {kind}", entry.class);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make_folder(path: &std::path::Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

fn render(arguments: &RenderArguments) -> Result<()> {
    let home = home::generate(&read_home(&arguments.home)?)?;
    make_folder(&arguments.out)?;
    let mut renderer = Renderer::new(&home);
    let state = WorldState::initial(&home);
    let plan = render_plan_view(&home, &state, 90.0);
    save_png(&plan.image, &arguments.out.join("plan.png"))?;
    let (width, height) = arguments.camera;
    let camera = CameraIntrinsics::from_horizontal_fov(width, height, 75f64.to_radians());
    let base = arguments.at.unwrap_or(home.robot_start);
    let options = RenderOptions {
        shadows: true,
        color: true,
        normals: false,
    };
    let view = renderer.render(&state, &[], &camera, &head_pose(base), &options);
    save_png(&view.color, &arguments.out.join("camera.png"))?;
    eprintln!("{} {}", ui::dim("wrote"), arguments.out.display());
    Ok(())
}
