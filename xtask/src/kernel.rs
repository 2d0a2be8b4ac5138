//! Kernels that have batman-adv: the one that runs, or one of Debian's unpacked below `target/kernels`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::builder::PossibleValuesParser;
use mesh_lab::exec::run;

use crate::apt::Suite;
use crate::paths::{Paths, program};
use crate::report::say;

/// The kernel the tests run on in full.
pub(crate) const DEFAULT: &str = "6.1";
/// The newer one of the everyday smoke run.
pub(crate) const SMOKE: &str = "6.12";

/// A kernel by the version people know, and the suites of Debian that have it, the nearest first.
const KNOWN: &[(&str, &[&str])] = &[
    ("5.10", &["bullseye"]),
    ("6.1", &["bookworm"]),
    ("6.12", &["trixie", "bookworm-backports"]),
    ("7.2", &["sid", "forky"]),
];

/// A kernel to boot.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// As people know it, such as 6.1.
    pub(crate) name: String,
    /// The image; its modules are in `lib/modules` beside its folder.
    pub(crate) image: PathBuf,
}

/// The versions that can be asked for. What is lost on each is in `docs/kernels.md`.
pub(crate) fn known() -> PossibleValuesParser {
    PossibleValuesParser::new(all())
}

/// All of them, the oldest first.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// Whether the running kernel has batman-adv: loaded, built in, or loadable.
pub(crate) fn running_has_batman() -> bool {
    if Path::new("/sys/module/batman_adv").exists() {
        return true;
    }
    let Some(modprobe) = program("modprobe") else {
        return false;
    };
    let mut probe = Command::new(modprobe);
    probe
        .args(["-n", "-q", "batman_adv"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Whether the kernel is unpacked already.
pub(crate) fn is_unpacked(paths: &Paths, name: &str) -> bool {
    find(&folder(paths, name), name).is_ok()
}

fn folder(paths: &Paths, name: &str) -> PathBuf {
    paths.target().join("kernels").join(name)
}

/// The kernel of this version, fetched if it is not there.
pub(crate) fn get(paths: &Paths, name: &str) -> Result<Kernel> {
    let Some((_, suites)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        bail!("no kernel {name} is known");
    };
    let folder = folder(paths, name);
    if let Ok(kernel) = find(&folder, name) {
        return Ok(kernel);
    }
    let mut problems = Vec::new();
    for suite in *suites {
        say(&format!(
            "  unpacking Debian's kernel {name} ({suite}) below target/kernels (about 70 MB; not installed)"
        ));
        match fetch(paths, suite, name, &folder) {
            Ok(()) => return find(&folder, name),
            Err(error) => problems.push(format!("{suite}: {error:#}")),
        }
    }
    bail!("cannot get a kernel {name} from Debian: {}", problems.join("; "))
}

fn fetch(paths: &Paths, suite: &str, name: &str, folder: &Path) -> Result<()> {
    let suite = Suite::open(&paths.target().join("apt"), suite)?;
    // Not the cloud flavour: it has no batman-adv.
    let architecture = run("dpkg", &["--print-architecture"])?;
    let meta = format!("linux-image-{}", architecture.trim());
    let images = suite.depends(&meta, &format!("linux-image-{name}"))?;
    let Some(image) = images.first() else {
        bail!("{meta} there is no {name}")
    };
    let mut packages = vec![image.clone()];
    // Newer releases have the image, the modules and the list of what is built in, in packages of their own.
    for part in ["linux-base-", "linux-binary-", "linux-modules-"] {
        packages.extend(suite.depends(image, part)?);
    }
    let partial = folder.with_extension("partial");
    crate::paths::fresh(&partial, &[])?;
    suite.unpack(&packages, &partial)?;
    if !partial.join("lib/modules").exists() && partial.join("usr/lib/modules").exists() {
        std::os::unix::fs::symlink("usr/lib", partial.join("lib"))?;
    }
    let release = release(&partial)?;
    let (boot, beside) = (
        partial.join("boot"),
        partial.join("lib/modules").join(&release).join("vmlinuz"),
    );
    if beside.exists() {
        // Where the older ones have it, and virtme-ng looks.
        std::fs::create_dir_all(&boot)?;
        std::fs::rename(&beside, boot.join(format!("vmlinuz-{release}")))?;
    }
    let depmod = program("depmod").context("depmod is missing; install kmod")?;
    run(
        &depmod.to_string_lossy(),
        &[Path::new("-b"), &partial, Path::new(&release)],
    )?;
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    // Renamed when whole, so that an interrupted fetch is never taken for a kernel.
    std::fs::rename(&partial, folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The one kernel release below a folder, such as 6.1.0-40-amd64.
fn release(folder: &Path) -> Result<String> {
    let mut entries = std::fs::read_dir(folder.join("lib/modules"))
        .context("the package holds no modules")?
        .flatten();
    let entry = entries.next().context("the package holds no modules")?;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

fn find(folder: &Path, name: &str) -> Result<Kernel> {
    let release = release(folder)?;
    let image = folder.join("boot").join(format!("vmlinuz-{release}"));
    if !image.exists() || !folder.join("lib/modules").join(&release).join("modules.dep").exists() {
        bail!("{} is not whole", folder.display());
    }
    Ok(Kernel {
        name: name.to_owned(),
        image,
    })
}
