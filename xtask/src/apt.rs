//! Debian's packages: installed where the machine needs them, or only unpacked below `target/`.
//!
//! Unpacked ones may come from another release of Debian: its source is derived from the machine's own (same
//! mirror, other suite) and lives in private folders, so the machine's apt never hears of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::paths::program;
use crate::report::say;

mod source;
#[cfg(test)]
mod tests;

/// Installs packages, as root or with sudo.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let root = nix::unistd::geteuid().is_root();
    if program("apt-get").is_none() {
        bail!(
            "there is no apt-get here; install what these Debian packages hold: {}",
            packages.join(" ")
        );
    }
    if !root && program("sudo").is_none() {
        bail!("this needs root and there is no sudo; run as root: {by_hand}");
    }
    let apt = |args: &[&str]| {
        let mut command = if root {
            Command::new("env")
        } else {
            Command::new("sudo")
        };
        if !root {
            command.arg("env");
        }
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"])
            .args(args);
        command.stdin(Stdio::null()).status().context("cannot start apt-get")
    };
    let mut args = vec!["install", "--no-install-recommends"];
    args.extend(packages);
    if has_lists() && apt(&args)?.success() {
        return Ok(());
    }
    // No lists yet, or they name versions that are gone.
    if !apt(&["update"])?.success() {
        bail!("apt-get update failed (see above); once it works, run: {by_hand}");
    }
    if !apt(&args)?.success() {
        bail!("apt-get could not install everything (see above); to try by hand: {by_hand}");
    }
    Ok(())
}

fn has_lists() -> bool {
    std::fs::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

/// Which of these packages are not installed.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .stderr(Stdio::null())
        .output();
    let installed = output
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    let has = |package: &str| installed.lines().any(|line| line == format!("{package} installed"));
    packages.iter().copied().filter(|package| !has(package)).collect()
}

/// Packages of one suite, seen through private folders.
#[derive(Debug)]
pub(crate) struct Suite {
    folder: PathBuf,
    name: String,
}

impl Suite {
    /// Derives the suite's source from the machine's own and fetches its package lists into `folder`.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<Self> {
        let codename = codename()?;
        let derived = source::derive(&source::machine(), &codename, name);
        if derived.is_empty() {
            bail!("no Debian source for {codename} in /etc/apt to derive one for {name} from");
        }
        let suite = Self {
            folder: folder.join(name),
            name: name.to_owned(),
        };
        let sources = suite.folder.join("sources");
        for path in [
            &sources,
            &suite.folder.join("state/lists/partial"),
            &suite.folder.join("cache/archives/partial"),
        ] {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        for (i, text) in derived.iter().enumerate() {
            std::fs::write(sources.join(format!("{i}.sources")), text)?;
        }
        suite.apt("apt-get", &["update", "-q"])?;
        Ok(suite)
    }

    /// The packages that `package` depends on and whose names begin so.
    pub(crate) fn depends(&self, package: &str, prefix: &str) -> Result<Vec<String>> {
        let text = self.apt("apt-cache", &["depends", package])?;
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .collect())
    }

    /// Downloads packages and unpacks them into `into`.
    pub(crate) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let downloads = self.folder.join("downloads");
        crate::paths::fresh(&downloads, &[])?;
        let mut args = vec!["download", "-q"];
        args.extend(packages.iter().map(String::as_str));
        self.apt_in(&downloads, "apt-get", &args)?;
        for entry in std::fs::read_dir(&downloads)? {
            let deb = entry?.path();
            mesh_lab::exec::run("dpkg-deb", &[Path::new("-x"), &deb, into])?;
        }
        crate::paths::fresh(&downloads, &[])
    }

    fn apt(&self, program: &str, args: &[&str]) -> Result<String> {
        self.apt_in(&self.folder, program, args)
    }

    fn apt_in(&self, cwd: &Path, program: &str, args: &[&str]) -> Result<String> {
        let folder = self.folder.display();
        let mut command = Command::new(program);
        command
            .current_dir(cwd)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        for option in [
            format!("Dir::State={folder}/state"),
            "Dir::State::status=/var/lib/dpkg/status".to_owned(),
            format!("Dir::Cache={folder}/cache"),
            "Dir::Etc::SourceList=/dev/null".to_owned(),
            format!("Dir::Etc::SourceParts={folder}/sources"),
            "Acquire::Languages=none".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        if nix::unistd::geteuid().is_root() {
            // Otherwise apt drops to a user that may not write here.
            command.args(["-o", "APT::Sandbox::User=root"]);
        }
        let output = command
            .args(args)
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{program} {} for suite {} failed: {}",
                args.join(" "),
                self.name,
                said.trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The machine's release, such as `bookworm`.
pub(crate) fn codename() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    value
        .map(|v| v.trim_matches('"').to_owned())
        .context("/etc/os-release names no VERSION_CODENAME; is this Debian?")
}

/// Unpacks a package of the machine's own release, and says so.
pub(crate) fn unpack_own(folder: &Path, package: &str, into: &Path) -> Result<()> {
    say(&format!(
        "  unpacking Debian's {package} below target/ (nothing of it is installed)"
    ));
    Suite::open(folder, &codename()?)?.unpack(&[package.to_owned()], into)
}
