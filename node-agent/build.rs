//! Embeds the eBPF object, if there is one: `ECHOLOT_EBPF_OBJECT`, else what `cargo xtask ebpf` left in `target/ebpf/`.
//!
//! Without an object the agent is built all the same; it says at run time what it cannot see.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

const VARIABLE: &str = "ECHOLOT_EBPF_OBJECT";

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let object = named
        .clone()
        .unwrap_or_else(|| manifest.join("../target/ebpf/node-agent-ebpf.o"));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());

    let source = match fs::read(&object) {
        Ok(bytes) => {
            println!("cargo::rerun-if-changed={}", object.display());
            // A copy of our own: the original may be replaced while the compiler reads it.
            fs::write(out.join("node-agent-ebpf.o"), bytes)?;
            "Some(aya::include_bytes_aligned!(concat!(env!(\"OUT_DIR\"), \"/node-agent-ebpf.o\")))"
        }
        Err(error) if named.is_some() => {
            println!(
                "cargo::error={VARIABLE} names {}, which cannot be read: {error}",
                object.display()
            );
            return Ok(());
        }
        Err(_) => {
            println!("cargo::warning=built without the eBPF object; for one run: cargo xtask ebpf");
            // A file that does not exist would count as changed on every build; its folder changes when it appears.
            let folder = object.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            println!("cargo::rerun-if-changed={}", folder.display());
            "None"
        }
    };
    fs::write(out.join("ebpf_object.rs"), source)
}
