//! The Dockerfiles, read; and the folder that becomes the image, made and run.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::rendered::{pod, render};
use super::{read, repository, skip};

const IMAGES: [&str; 2] = ["node-agent", "collector"];

/// Instructions in order, continued lines joined: (word, rest).
fn instructions(image: &str) -> Vec<(String, String)> {
    let text = read(&format!("deploy/docker/{image}.Dockerfile"));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let line = |line: &str| {
        let (word, rest) = line.trim().split_once(char::is_whitespace)?;
        Some((word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(line).collect()
}

/// The instructions of each stage, its FROM first.
fn stages(image: &str) -> Vec<Vec<(String, String)>> {
    let all = instructions(image);
    let starts: Vec<_> = (0..all.len()).filter(|i| all[*i].0 == "FROM").collect();
    let ends = starts.iter().skip(1).copied().chain([all.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| all[*start..end].to_vec())
        .collect()
}

/// What an ARG or ENV is set to.
fn value(image: &str, word: &str, name: &str) -> String {
    let all = instructions(image);
    let set = all.iter().find_map(|(instruction, rest)| {
        rest.strip_prefix(name)?
            .strip_prefix('=')
            .filter(|_| instruction == word)
    });
    set.unwrap_or_else(|| panic!("{image}: no {word} {name}")).to_owned()
}

/// The last instruction of this word in the last stage.
fn last(image: &str, word: &str) -> String {
    let stages = stages(image);
    let found = stages
        .last()
        .and_then(|stage| stage.iter().rev().find(|(own, _)| own == word));
    found.unwrap_or_else(|| panic!("{image}: no {word}")).1.clone()
}

/// The program an image starts.
pub(crate) fn entrypoint(image: &str) -> String {
    let words: Vec<String> = serde_json::from_str(&last(image, "ENTRYPOINT")).expect("the form without a shell");
    assert_eq!(words.len(), 1);
    words[0].clone()
}

#[test]
fn an_image_is_built_in_one_stage_and_is_another() {
    for image in IMAGES {
        let stages = stages(image);
        assert_eq!(stages.len(), 2, "{image}");
        assert_eq!(stages[0][0].1, "${BUILDER} AS build", "{image}");
        // Nothing but what is copied: no shell, no compiler, no package manager.
        assert_eq!(stages[1][0].1, "scratch", "{image}");
        let words: BTreeSet<_> = stages[1].iter().map(|(word, _)| word.as_str()).collect();
        assert!(!words.contains("RUN") && !words.contains("ADD"), "{image}");
        let copies: Vec<_> = stages[1].iter().filter(|(word, _)| word == "COPY").collect();
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].1, "--from=build /image /", "{image}");
    }
}

#[test]
fn the_base_is_pinned_to_the_toolchain_of_the_repository() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"');
    assert_eq!(channel.split('.').count(), 3, "{channel} is no exact version");
    for image in IMAGES {
        let base = value(image, "ARG", "BUILDER");
        assert_eq!(
            base,
            format!("docker.io/library/rust:{channel}-slim-bookworm"),
            "{image}"
        );
        // Otherwise rustup would fetch what rust-toolchain.toml asks for people.
        assert_eq!(value(image, "ENV", "RUSTUP_TOOLCHAIN"), channel, "{image}");
    }
}

#[test]
fn images_run_as_whom_the_pods_say() {
    assert_eq!(last("node-agent", "USER"), "0:0");
    let Some(prod) = render("overlays/prod") else { return };
    let security = &pod(prod.collector())["securityContext"];
    let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
    assert_eq!(last("collector", "USER"), user);
    assert_ne!(user.split(':').next(), Some("0"));
}

#[test]
fn images_say_what_they_are() {
    for image in IMAGES {
        let label = last(image, "LABEL");
        for key in ["title", "description", "licenses", "version", "revision"] {
            assert!(
                label.contains(&format!("org.opencontainers.image.{key}=")),
                "{image}: {key}"
            );
        }
        assert_eq!(value(image, "ARG", "VERSION"), env!("CARGO_PKG_VERSION"), "{image}");
        assert_eq!(entrypoint(image), format!("/usr/bin/{image}"));
        assert!(
            last(image, "CMD").contains(&format!("/etc/echolot/{image}.toml")),
            "{image}"
        );
    }
}

#[test]
fn the_agents_builder_has_what_the_ebpf_programs_are_built_with() {
    let source = read("xtask/src/ebpf.rs");
    let list = source
        .split_once("PACKAGES: &[(&str, &str)] = &[")
        .unwrap()
        .1
        .split_once("];")
        .unwrap()
        .0;
    // The first of each pair.
    let packages: Vec<_> = list
        .split('(')
        .skip(1)
        .filter_map(|pair| pair.split('"').nth(1))
        .collect();
    assert!(packages.contains(&"rustc-web") && packages.len() >= 6, "{packages:?}");
    let stages = stages("node-agent");
    let runs: Vec<_> = stages[0]
        .iter()
        .filter(|(word, _)| word == "RUN")
        .map(|(_, rest)| rest.as_str())
        .collect();
    let words: BTreeSet<_> = runs[0].split_whitespace().collect();
    assert!(words.contains("apt-get"));
    for package in packages {
        assert!(words.contains(package), "{package}");
    }
    let place = |what: &str| {
        runs.iter()
            .flat_map(|run| run.split("&&"))
            .position(|part| part.contains(what))
    };
    assert!(
        place("cargo xtask ebpf") < place("cargo build --release"),
        "the agent would be built without them"
    );
}

#[test]
fn what_is_built_from_reaches_the_builder_and_nothing_else() {
    let ignore = read(".dockerignore");
    let rules: Vec<_> = ignore
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(rules[0], "*", "what is not named stays out");
    assert_eq!(rules.last(), Some(&"**/target"));
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let members = members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|path| path.split('/').next().unwrap());
    for needed in members.chain([
        ".cargo",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "deploy/docker/root.sh",
    ]) {
        assert!(rules.contains(&format!("!{needed}").as_str()), "{needed}");
        assert!(repository(needed).exists(), "{needed}");
    }
}

/// Makes the folder that becomes the image and runs the daemon as built for tests in it.
#[test]
fn the_image_holds_all_that_the_daemons_need_to_start() {
    if !nix::unistd::geteuid().is_root() {
        return skip("changing the root folder needs root");
    }
    let built = std::env::current_exe().unwrap();
    let built = built.parent().and_then(Path::parent).unwrap();
    for image in IMAGES {
        let program = built.join(image);
        if !program.exists() {
            return skip(&format!("{} is not built", program.display()));
        }
        let folder = tempfile::tempdir().unwrap();
        // mktemp's 0700 would shut everybody else out.
        let root = folder.path().join("image");
        let user = last(image, "USER");
        let made = Command::new("sh")
            .arg(repository("deploy/docker/root.sh"))
            .arg(&root)
            .args(["somebody", user.split(':').next().unwrap()])
            .status()
            .unwrap();
        assert!(made.success());
        std::fs::copy(&program, root.join("usr/bin").join(image)).unwrap();
        let run = |words: &[&str]| {
            let mut command = Command::new("chroot");
            command
                .arg(format!("--userspec={user}"))
                .arg(&root)
                .args(words)
                .output()
                .unwrap()
        };
        let output = run(&[&entrypoint(image), "--version"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), format!("{image} {}", env!("CARGO_PKG_VERSION")));
        for tool in [
            "/bin/sh",
            "/usr/bin/sh",
            "/usr/bin/apt-get",
            "/usr/bin/dpkg",
            "/usr/bin/cc",
        ] {
            assert!(!run(&[tool, "--version"]).status.success(), "{image} has {tool}");
        }
    }
}
