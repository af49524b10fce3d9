//! The command line as a stranger uses it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn steward(arguments: &[&str]) -> Output {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    Command::new(env!("CARGO_BIN_EXE_steward"))
        .current_dir(root)
        .args(arguments)
        .output()
        .unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_is_recorded_replayed_inspected_and_ends_with_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let run = steward(&[
        "run",
        "--home",
        "maps/studio.yaml",
        "--goal",
        "on(can, desk)",
        "--time-limit-s",
        "4",
        "--rerun",
        "off",
        "--camera",
        "160x120",
        "--out",
        out,
        "--json",
    ]);
    assert_eq!(
        code(&run),
        Some(1),
        "four seconds are not enough: {}",
        stderr(&run)
    );
    let stdout = String::from_utf8(run.stdout).unwrap();
    let summary: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["success"], false);
    assert_eq!(summary["outcome"]["failed"], "timed_out");
    assert!(folder.path().join("path.png").is_file());
    let recording = folder.path().join("run.mcap");
    let recording = recording.to_str().unwrap();

    let replay = steward(&["replay", recording, "--verify"]);
    assert_eq!(code(&replay), Some(0), "{}", stderr(&replay));

    let inspect = steward(&["inspect", recording, "--json"]);
    let text = String::from_utf8(inspect.stdout).unwrap();
    let inspection: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(inspection["messages"].as_u64().unwrap() > 500, "{text}");

    // A recording that ends in the middle is read as far as it goes, and that is said.
    let bytes = std::fs::read(recording).unwrap();
    let half = folder.path().join("half.mcap");
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let replay = steward(&["replay", half.to_str().unwrap(), "--verify"]);
    assert_eq!(code(&replay), Some(1));
    assert!(stderr(&replay).contains("damaged"), "{}", stderr(&replay));
}

#[test]
fn bad_input_is_explained_with_exit_code_2() {
    for (arguments, needle) in [
        (
            vec!["run", "--home", "nowhere.yaml", "--goal", "on(mug, desk)"],
            "nowhere.yaml",
        ),
        (vec!["run", "--goal", "on(mug desk)"], "comma"),
        (vec!["run", "--goal", "on(mugg, desk)"], "did you mean `mug`"),
        (
            vec!["run", "--goal", "on(mug, desk)", "--rule", "G !in(robot, cellar)"],
            "there is no room `cellar`",
        ),
        (
            vec!["run", "--goal", "on(mug, desk)", "--rule", "G !held(mug"],
            "rule `rule 1` does not parse",
        ),
        (vec!["replay", "Cargo.toml", "--verify"], "Cargo.toml"),
        (vec!["inspect", "nowhere.mcap"], "nowhere.mcap"),
    ] {
        let output = steward(&arguments);
        assert_eq!(code(&output), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains(needle),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn homes_are_drawn_and_changed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let drawn = steward(&[
        "sim",
        "render",
        "--home",
        "maps/studio.yaml",
        "--camera",
        "160x120",
        "--out",
        out,
    ]);
    assert_eq!(code(&drawn), Some(0), "{}", stderr(&drawn));
    assert!(folder.path().join("plan.png").is_file() && folder.path().join("camera.png").is_file());
    let changes = steward(&[
        "sim",
        "changes",
        "--home",
        "maps/studio.yaml",
        "--count",
        "3",
        "--out",
        out,
    ]);
    assert_eq!(code(&changes), Some(0), "{}", stderr(&changes));
    let script = std::fs::read_to_string(folder.path().join("00001.yaml")).unwrap();
    assert!(script.contains("seed: 1") && script.len() < 1000, "{script}");
}
