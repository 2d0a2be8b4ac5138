//! What the running kernel has, found out by asking it. A test of what it lacks says so and passes: `docs/kernels.md`
//! names what is lost where.

use std::path::Path;

use anyhow::Result;
use mesh_lab::exec;

/// Whether batman-adv was built with this routing algorithm.
///
/// # Errors
/// If batctl fails.
pub fn has_algorithm(name: &str) -> Result<bool> {
    let listed = format!("* {name}");
    let has = exec::run("batctl", &["routing_algo"])?
        .lines()
        .any(|line| line.trim() == listed);
    if !has {
        say(&format!("batman-adv was built without {name}"));
    }
    Ok(has)
}

/// Whether batman-adv describes its types, without which no probe sees its route changes.
#[must_use]
pub fn describes_batman_adv() -> bool {
    let has = Path::new("/sys/kernel/btf/batman_adv").exists() || !Path::new("/sys/module/batman_adv/refcnt").exists();
    if !has {
        say("batman-adv does not describe its types");
    }
    has
}

#[expect(clippy::print_stderr, reason = "a test that sees less says so")]
fn say(what: &str) {
    eprintln!("LACKING on this kernel: {what}");
}
