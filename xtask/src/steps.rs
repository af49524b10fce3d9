//! Runs steps one after another, all of them even if one fails, and sums up.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Steps that ran, and how they went.
pub(crate) struct Steps {
    done: Vec<(String, Duration, Result<()>)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Steps { done: Vec::new() }
    }

    /// Runs one step.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let result = step();
        if let Err(e) = &result {
            eprintln!("{name} failed: {e:#}");
        }
        self.done.push((name.to_owned(), start.elapsed(), result));
    }

    /// Runs cargo in the workspace.
    pub(crate) fn cargo(&mut self, name: &str, arguments: &[&str]) {
        self.cargo_with(name, arguments, &[]);
    }

    /// Runs cargo in the workspace with environment variables.
    pub(crate) fn cargo_with(&mut self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) {
        self.run(name, || {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            run(Command::new(cargo)
                .args(arguments)
                .envs(variables.iter().copied()))
        });
    }

    /// Prints one line per step and says whether all passed.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        let failed = self.done.iter().filter(|(_, _, r)| r.is_err()).count();
        for (name, took, result) in &self.done {
            let verdict = if result.is_ok() { "ok" } else { "FAILED" };
            println!("{verdict:>6}  {:>6.1} s  {name}", took.as_secs_f64());
        }
        println!("{} passed, {failed} failed", self.done.len() - failed);
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a command in the workspace's root; an error names it and how it ended.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    // Cargo tells this program about its own package. Build scripts that ask for such variables would run anew, and all
    // that depends on them would be compiled anew, whenever cargo is called from here after it was called directly.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let status = command
        .current_dir(root())
        // Snapshot tests would otherwise look into the checkout that they were built in.
        .env("INSTA_WORKSPACE_ROOT", root())
        .status()
        .with_context(|| format!("cannot start {command:?}; is it installed and on PATH?"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// The workspace's root: that of the checkout this was started in, which another one may have been built in where
/// both share a target directory.
pub(crate) fn root() -> PathBuf {
    let mut path = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    path.pop();
    path
}

/// Whether a program is on PATH.
pub(crate) fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|p| p.join(program).is_file()))
}

/// Whether this runs under continuous integration, where nothing may be skipped.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v != "false" && v != "0" && !v.is_empty())
}
