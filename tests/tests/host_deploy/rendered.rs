//! `deploy/k8s` as kustomize renders it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::{repository, skip};

/// What is rendered: the base, and what is applied.
pub(crate) const FOLDERS: [&str; 3] = ["base", "overlays/staging", "overlays/prod"];
/// What is applied.
pub(crate) const OVERLAYS: [&str; 2] = ["overlays/staging", "overlays/prod"];

/// Programs of others.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) kustomize: PathBuf,
    /// kubernetes-validate; the Python beside it reads YAML.
    pub(crate) validate: PathBuf,
}

/// The tools, or nothing where tests may be skipped.
pub(crate) fn tools() -> Option<Tools> {
    let find = |variable: &str, usual: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        named.unwrap_or_else(|| repository(&format!("target/tools/{usual}")))
    };
    let tools = Tools {
        kustomize: find("MESH_KUSTOMIZE", "kustomize/usr/bin/kustomize"),
        validate: find("MESH_KUBERNETES_VALIDATE", "venv/bin/kubernetes-validate"),
    };
    for tool in [&tools.kustomize, &tools.validate] {
        if !tool.exists() {
            skip(&format!("{} is missing; `cargo xtask setup` brings it", tool.display()));
            return None;
        }
    }
    Some(tools)
}

/// All objects of a folder of `deploy/k8s`.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) folder: &'static str,
    pub(crate) yaml: String,
    pub(crate) all: Vec<Value>,
}

/// The folder rendered, each once; nothing where tests may be skipped.
pub(crate) fn render(folder: &'static str) -> Option<Objects> {
    static RENDERED: [OnceLock<Option<Objects>>; 3] = [const { OnceLock::new() }; 3];
    let place = FOLDERS
        .iter()
        .position(|known| *known == folder)
        .expect("a known folder");
    RENDERED[place]
        .get_or_init(|| Some(render_now(&tools()?, folder)))
        .clone()
}

fn render_now(tools: &Tools, folder: &'static str) -> Objects {
    let source = repository("deploy/k8s").join(folder);
    let yaml = output(Command::new(&tools.kustomize).arg("build").arg(source));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &yaml).unwrap();
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let python = tools.validate.parent().unwrap_or(Path::new("/")).join("python");
    let json = output(Command::new(python).args(["-c", script]).arg(file.path()));
    let all: Vec<Value> = serde_json::from_str(&json).unwrap();
    Objects { folder, yaml, all }
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Objects {
    /// All of a kind.
    pub(crate) fn of_kind<'a, 'k: 'a>(&'a self, kind: &'k str) -> impl Iterator<Item = &'a Value> {
        self.all.iter().filter(move |object| object["kind"] == kind)
    }

    /// The one of this kind and name.
    pub(crate) fn one(&self, kind: &str, name: &str) -> &Value {
        let named = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        let found: Vec<_> = self.all.iter().filter(named).collect();
        assert_eq!(found.len(), 1, "{}: {kind} {name}", self.folder);
        found[0]
    }

    pub(crate) fn agent(&self) -> &Value {
        self.one("DaemonSet", "node-agent")
    }

    pub(crate) fn collector(&self) -> &Value {
        self.one("Deployment", "collector")
    }

    /// Everything that makes pods.
    pub(crate) fn workloads(&self) -> [&Value; 2] {
        let makers = ["DaemonSet", "Deployment", "StatefulSet", "Job", "CronJob", "Pod"];
        let count = self
            .all
            .iter()
            .filter(|object| makers.iter().any(|kind| object["kind"] == *kind));
        assert_eq!(count.count(), 2, "{}: a workload these tests do not know", self.folder);
        [self.agent(), self.collector()]
    }

    /// The ConfigMap whose generated name begins so, as the workload names it.
    pub(crate) fn config(&self, workload: &Value) -> &Value {
        let volume = volume(workload, "config");
        let name = volume["configMap"]["name"].as_str().unwrap();
        let config = self.one("ConfigMap", name);
        assert_eq!(namespace(config), namespace(workload));
        config
    }
}

pub(crate) fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

/// The pod of a workload.
pub(crate) fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

/// Its only container.
pub(crate) fn container(workload: &Value) -> &Value {
    let containers = pod(workload)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert!(pod(workload)["initContainers"].is_null());
    &containers[0]
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(|text| text.as_str().unwrap()).collect()
}

pub(crate) fn volume<'a>(workload: &'a Value, name: &str) -> &'a Value {
    let found = list(&pod(workload)["volumes"])
        .iter()
        .find(|volume| volume["name"] == name);
    found.unwrap_or_else(|| panic!("no volume {name}"))
}

/// The volume a path of the container is in, and whether the container may write there.
pub(crate) fn mounted<'a>(workload: &'a Value, path: &Path) -> Option<(&'a Value, bool)> {
    let mounts = list(&container(workload)["volumeMounts"]).iter();
    let holds = |mount: &&Value| path.starts_with(mount["mountPath"].as_str().unwrap());
    let mount = mounts
        .filter(holds)
        .max_by_key(|mount| mount["mountPath"].as_str().map(str::len))?;
    let writable = mount["readOnly"] != true;
    Some((volume(workload, mount["name"].as_str()?), writable))
}

/// Whether a selector's `matchLabels` select what has these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
}
