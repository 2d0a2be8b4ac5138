//! Builds the eBPF object that `node-agent` embeds: chooses a toolchain that has a `core` for `bpfel-unknown-none`,
//! brings a `bpf-linker` linked with that toolchain's LLVM, and leaves the object in `target/ebpf/`.
//!
//! Invariants: the object is only rewritten when it changed, so that nothing is compiled again for nothing; what is
//! installed goes into `target/`, nothing into the user's home but the crate registry's cache.

use std::{
    env,
    ffi::OsString,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, bail};

/// Debian packages the build needs where no suitable rustup nightly is present, and what each is for.
pub(crate) const PACKAGES: &[(&str, &str)] = &[
    (
        "rustc-web",
        "a rustc whose LLVM Debian ships too: compiles the eBPF programs",
    ),
    ("libstd-rust-web-dev-bpf", "Rust's core library for the eBPF target"),
    ("llvm-22-dev", "the same LLVM, to build bpf-linker with"),
    ("libpolly-22-dev", "a part of LLVM that bpf-linker is linked with"),
    ("libzstd-dev", "a library of LLVM's"),
    ("zlib1g-dev", "a library of LLVM's"),
];

/// Where the object is left, from the workspace's root; `node-agent/build.rs` looks there.
pub(crate) const OBJECT: &str = "target/ebpf/node-agent-ebpf.o";

const TARGET: &str = "bpfel-unknown-none";
const LINKER_VERSION: &str = "0.13.0";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LLVM: &str = "/usr/lib/llvm-22";

/// What compiles the programs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Toolchain {
    /// A rustup nightly with `rust-src`, and `bpf-linker` on the PATH.
    Nightly { toolchain: String, linker: PathBuf },
    /// Debian's rustc-web, with the bpf-linker this module installs.
    Debian,
}

/// Whether [`PACKAGES`] have to be installed before [`build`] can work.
#[must_use]
pub(crate) fn needs_packages() -> bool {
    nightly().is_none()
}

/// Builds the object below `root`, the workspace's, and returns its path.
///
/// # Errors
/// Where no toolchain is present, bpf-linker cannot be installed, or the programs do not compile: each says what to do.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let toolchain = choose()?;
    let mut cargo = Command::new("cargo");
    let linker = match &toolchain {
        Toolchain::Nightly { toolchain, linker } => {
            say(&format!(
                "eBPF: rustup's {toolchain} with rust-src, {}",
                linker.display()
            ));
            cargo
                .env("RUSTUP_TOOLCHAIN", toolchain)
                .env_remove("RUSTC")
                .args(["-Z", "build-std=core"]);
            linker.clone()
        }
        Toolchain::Debian => {
            say(&format!("eBPF: {DEBIAN_RUSTC} (Debian's rustc-web)"));
            // The linker reads debug information through an unstable flag, aya-ebpf uses unstable assembly.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            linker(root)?
        }
    };
    let flags = [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
    ];
    let target_dir = root.join("target/ebpf-build");
    cargo
        .current_dir(root.join("node-agent-ebpf"))
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    for inherited in [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
    ] {
        cargo.env_remove(inherited);
    }
    let status = cargo
        .status()
        .context("cargo could not be started: is it on the PATH?")?;
    if !status.success() {
        bail!("the eBPF programs do not compile ({status}); the compiler's words stand above");
    }
    let built = target_dir.join(TARGET).join("release/node-agent-ebpf");
    let object = root.join(OBJECT);
    install(&built, &object)?;
    Ok(object)
}

fn choose() -> anyhow::Result<Toolchain> {
    if let Some(nightly) = nightly() {
        return Ok(nightly);
    }
    let mut sysroot = Command::new(DEBIAN_RUSTC);
    sysroot.args(["--print", "target-libdir", "--target", TARGET]);
    let core = output(&mut sysroot).filter(|libdir| {
        fs::read_dir(libdir).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
        })
    });
    if core.is_none() {
        let packages: Vec<&str> = PACKAGES.iter().map(|(package, _)| *package).collect();
        bail!(
            "no Rust toolchain here compiles for {TARGET}. On Debian: apt-get install --no-install-recommends {}. \
             Elsewhere: rustup toolchain install nightly --component rust-src, and cargo install bpf-linker",
            packages.join(" ")
        );
    }
    Ok(Toolchain::Debian)
}

/// A nightly that has `rust-src`, if there is one and bpf-linker is on the PATH.
fn nightly() -> Option<Toolchain> {
    let linker = on_path("bpf-linker")?;
    let installed = output(Command::new("rustup").args(["toolchain", "list"]))?;
    let toolchain = installed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| {
            name.starts_with("nightly")
                && output(Command::new("rustup").args(["component", "list", "--installed", "--toolchain", name]))
                    .is_some_and(|components| components.lines().any(|component| component.starts_with("rust-src")))
        })?;
    Some(Toolchain::Nightly {
        toolchain: toolchain.to_owned(),
        linker,
    })
}

/// The bpf-linker in `target/tools`, installed if it is not there or does not run.
fn linker(root: &Path) -> anyhow::Result<PathBuf> {
    let tools = root.join("target/tools");
    let linker = tools.join("bin/bpf-linker");
    if output(Command::new(&linker).arg("--version")).is_some_and(|version| version.contains(LINKER_VERSION)) {
        return Ok(linker);
    }
    say(&format!(
        "eBPF: installing bpf-linker {LINKER_VERSION}, linked with {DEBIAN_LLVM}, into target/tools"
    ));
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "install",
            "bpf-linker",
            "--version",
            LINKER_VERSION,
            "--locked",
            "--force",
            "--quiet",
        ])
        .args(["--no-default-features", "--features", "llvm-22", "--root"])
        .arg(&tools)
        .env("LLVM_PREFIX", DEBIAN_LLVM)
        .env("RUSTFLAGS", format!("-L native={DEBIAN_LLVM}/lib"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR");
    let status = cargo
        .status()
        .context("cargo could not be started: is it on the PATH?")?;
    if !status.success() {
        bail!("bpf-linker {LINKER_VERSION} could not be installed ({status}): are llvm-22-dev and libpolly-22-dev?");
    }
    Ok(linker)
}

/// Puts `built` at `object`, leaving it alone if it holds the same bytes already.
fn install(built: &Path, object: &Path) -> anyhow::Result<()> {
    let new = fs::read(built).with_context(|| format!("{} was not built", built.display()))?;
    if fs::read(object).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let folder = object.parent().context("the object has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    // Renamed into place, so that a build running beside this one never reads half of it.
    let partial = object.with_extension("partial");
    fs::write(&partial, new).with_context(|| format!("{} cannot be written", partial.display()))?;
    fs::rename(&partial, object).with_context(|| format!("{} cannot be replaced", object.display()))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Standard output of a command that succeeds, trimmed.
fn output(command: &mut Command) -> Option<String> {
    let Output { status, stdout, .. } = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    status
        .success()
        .then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// Progress goes to standard error; that it cannot be written stops no build.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_did_not_change_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (built, object) = (folder.path().join("built"), folder.path().join("ebpf/object.o"));
        fs::write(&built, "one").expect("written");
        install(&built, &object).expect("installed");
        let before = fs::metadata(&object).and_then(|meta| meta.modified()).expect("a time");
        install(&built, &object).expect("left alone");
        assert_eq!(
            fs::metadata(&object).and_then(|meta| meta.modified()).expect("a time"),
            before
        );
        fs::write(&built, "two").expect("written");
        install(&built, &object).expect("replaced");
        assert_eq!(fs::read_to_string(&object).expect("read"), "two");
    }
}
