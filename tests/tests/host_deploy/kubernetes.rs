//! Each object is one Kubernetes takes.

use std::process::Command;

use super::rendered::{FOLDERS, Objects, Tools, render, tools};

/// The oldest release that is tried, and the newest whose schemas are known.
const RELEASES: [&str; 2] = ["1.31.0", "1.37.0"];
/// Kinds of others: Kubernetes' schemas say nothing of them. `network.rs` looks at it.
const OF_OTHERS: [&str; 1] = ["ServiceMonitor"];

/// What kubernetes-validate says: whether it is content, and its words.
fn validate(tools: &Tools, yaml: &str, release: &str) -> (bool, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let output = Command::new(&tools.validate)
        .args(["--strict", "--kubernetes-version", release])
        .arg(file.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn check(tools: &Tools, objects: &Objects, release: &str) {
    let (content, text) = validate(tools, &objects.yaml, release);
    assert!(content, "{} on {release}: {text}", objects.folder);
    let unknown: Vec<_> = text
        .lines()
        .filter(|line| line.contains("Couldn't find schema"))
        .collect();
    let others = objects
        .all
        .iter()
        .filter(|object| OF_OTHERS.iter().any(|kind| object["kind"] == *kind));
    assert_eq!(unknown.len(), others.count(), "{unknown:?}");
    for line in unknown {
        assert!(
            OF_OTHERS.iter().any(|kind| line.contains(&format!("kind {kind} "))),
            "{line}"
        );
    }
    let passed = text
        .lines()
        .filter(|line| line.contains(" passed for resource "))
        .count();
    let others = objects
        .all
        .iter()
        .filter(|object| OF_OTHERS.iter().any(|kind| object["kind"] == *kind));
    assert_eq!(passed + others.count(), objects.all.len(), "{}: {text}", objects.folder);
}

#[test]
fn every_object_is_one_kubernetes_takes() {
    let Some(tools) = tools() else { return };
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        assert!(objects.all.len() >= 14, "{folder}: {} objects", objects.all.len());
        for release in RELEASES {
            check(&tools, &objects, release);
        }
    }
}

#[test]
fn an_object_kubernetes_would_refuse_is_found() {
    let (Some(tools), Some(objects)) = (tools(), render("overlays/prod")) else {
        return;
    };
    for (right, wrong) in [
        ("replicas: 1", "replicas: one"),
        ("hostNetwork: true", "hostNetworks: true"),
        ("drop:", "dropped:"),
    ] {
        let broken = objects.yaml.replacen(right, wrong, 1);
        assert_ne!(broken, objects.yaml, "{right}");
        let (content, text) = validate(&tools, &broken, RELEASES[1]);
        assert!(!content, "{wrong} was taken: {text}");
    }
}
