//! Another executable of this package, for as long as it is measured.

use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::NAMESPACE;

/// A process that is killed when this is dropped: what it would tell at its end nobody wants to know.
pub(super) struct Child {
    name: &'static str,
    process: Process,
}

impl Child {
    /// Starts the executable of a name with parameters.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub(super) fn start(name: &'static str, parameters: &[(&str, String)]) -> Result<Self> {
        // All executables are one file that looks at the name it is called by.
        let file = std::env::current_exe().context("this program does not know where it lies")?;
        let mut command = Command::new(file);
        command.arg0(name).arg("--ros-args");
        command.args(["-r", &format!("__ns:={NAMESPACE}")]);
        for (parameter, value) in parameters {
            command.args(["-p", &format!("{parameter}:={value}")]);
        }
        command.args(["--log-level", "error"]);
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        Ok(Child { name, process })
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// # Errors
    /// Where it has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("`{}` ended with {status}; its error is above", self.name),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only for one that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
