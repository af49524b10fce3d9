//! `steward map` as a stranger uses it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn map(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steward"))
        .current_dir(folder)
        .arg("map")
        .args(arguments)
        .output()
        .unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn a_map_is_built_measured_converted_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = |arguments: &[&str]| map(folder.path(), arguments);
    let source = ["--room", "6", "--holdout", "3", "--downscale", "2"];

    let mut build = vec![
        "build",
        "--iterations",
        "12",
        "--checkpoint",
        "fit",
        "--sheet",
        "sheet.png",
        "--json",
    ];
    build.extend(source);
    let built = json(&at(&build));
    assert_eq!(
        (built["frames"].as_u64(), built["training_frames"].as_u64()),
        (Some(2), Some(4))
    );
    assert_eq!(built["iterations"], 12);
    assert!(built["psnr_db"].as_f64().unwrap() > 12.0, "{built}");
    assert!(built["depth_l1_m"].as_f64().unwrap() < 0.5, "{built}");
    assert!(
        image::image_dimensions(folder.path().join("sheet.png"))
            .unwrap()
            .0
            > 1000
    );

    // Goes on where it stopped: twice 6 iterations are 12.
    let mut half = vec![
        "build",
        "--iterations",
        "6",
        "--checkpoint",
        "half",
        "--out",
        "half.ply",
    ];
    half.extend(source);
    assert!(at(&half).status.success());
    let mut rest = vec![
        "build",
        "--iterations",
        "6",
        "--resume",
        "half",
        "--out",
        "again.ply",
    ];
    rest.extend(source);
    assert!(at(&rest).status.success());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("again.ply") == read("map.ply"), "a resumed fit differs");

    for name in ["map.splat", "map.spz", "plain.ply"] {
        let converted = json(&at(&["convert", "map.ply", name, "--json", "--plain"]));
        assert_eq!(converted["gaussians"], built["gaussians"]);
    }
    let mut eval = vec!["eval", "map.spz", "--json"];
    eval.extend(source);
    assert_eq!(json(&at(&eval))["gaussians"], built["gaussians"]);
    let summary = json(&at(&["view", "map.ply", "--json"]));
    assert_eq!(
        (&summary["gaussians"], summary["sh_degree"].as_u64()),
        (&built["gaussians"], Some(3))
    );
    let render = [
        "render", "map.ply", "--eye", "2,2,1.4", "--target", "4,2,1", "--size", "64x48",
    ];
    assert!(at(&render).status.success());
    assert_eq!(
        image::image_dimensions(folder.path().join("render/view.png")).unwrap(),
        (64, 48)
    );
}

#[test]
fn what_cannot_be_used_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let lie = "ply\nformat binary_little_endian 1.0\nelement vertex 1152921504606846976\nproperty float x\nend_header\n";
    std::fs::write(folder.path().join("lie.ply"), lie).unwrap();
    for (arguments, what) in [
        (&["convert", "lie.ply", "out.spz"][..], "lie.ply"),
        (&["view", "missing.ply"], "missing.ply"),
        (&["build", "--rgbd", "nowhere"], "nowhere"),
        (&["build", "--room", "2", "--out", "map.obj"], "map.obj"),
    ] {
        let output = map(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(what), "{error}");
    }
    assert!(!folder.path().join("out.spz").exists());
}
