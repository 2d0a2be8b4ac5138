//! What the pods may do, on the node and at all.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::read;
use super::rendered::{FOLDERS, container, list, namespace, pod, render, texts, volume};

/// Capabilities as Kubernetes writes them.
fn capabilities(list: &Value) -> BTreeSet<String> {
    texts(list).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_agent_has_the_capabilities_of_its_systemd_unit_and_no_other() {
    let unit = read("systemd/node-agent.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let of_unit = line
        .unwrap()
        .split_whitespace()
        .map(|name| name.trim_start_matches("CAP_").to_owned());
    let of_unit: BTreeSet<_> = of_unit.collect();
    assert_eq!(of_unit.len(), 3, "{of_unit:?}");
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let security = &container(objects.agent())["securityContext"];
        assert_eq!(capabilities(&security["capabilities"]["add"]), of_unit, "{folder}");
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{folder}");
        // Added capabilities reach no other user.
        assert_eq!(security["runAsUser"], 0, "{folder}");
    }
}

#[test]
fn no_pod_is_privileged_or_becomes_it() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            let (pod, security) = (pod(workload), &container(workload)["securityContext"]);
            assert_eq!(security["privileged"], false, "{folder}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{folder}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{folder}");
            assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{folder}");
            let seccomp = [
                &security["seccompProfile"]["type"],
                &pod["securityContext"]["seccompProfile"]["type"],
            ];
            assert!(seccomp.iter().any(|kind| **kind == "RuntimeDefault"), "{folder}");
            assert!(pod["hostPID"].is_null() && pod["hostIPC"].is_null(), "{folder}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{folder}");
            assert!(
                !container(workload)["resources"]["limits"]["memory"].is_null(),
                "{folder}"
            );
        }
    }
}

#[test]
fn the_agent_is_in_the_hosts_network_on_every_mesh_node_once() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let (agent, pod) = (objects.agent(), pod(objects.agent()));
        assert_eq!(pod["hostNetwork"], true, "{folder}");
        assert_eq!(pod["dnsPolicy"], "ClusterFirstWithHostNet", "{folder}");
        assert_eq!(pod["tolerations"], json!([{ "operator": "Exists" }]), "{folder}");
        let update = &agent["spec"]["updateStrategy"];
        assert_eq!(update["type"], "RollingUpdate", "{folder}");
        assert_eq!(update["rollingUpdate"]["maxSurge"], 0, "{folder}: two agents on a node");
        assert!(
            list(&container(agent)["ports"]).is_empty(),
            "{folder}: it listens on no port"
        );
    }
}

#[test]
fn what_must_outlive_the_agents_pod_is_the_nodes() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let path = |name: &str| volume(objects.agent(), name)["hostPath"].clone();
        assert_eq!(
            path("state"),
            json!({"path": "/var/lib/echolot/node-agent", "type": "DirectoryOrCreate"}),
            "{folder}"
        );
        // A second agent, one that systemd started, is found by its socket.
        assert_eq!(
            path("run"),
            json!({"path": "/run/echolot", "type": "DirectoryOrCreate"}),
            "{folder}"
        );
    }
}

#[test]
fn only_what_is_the_agents_own_can_be_written_on_the_node() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for mount in list(&container(objects.agent())["volumeMounts"]) {
            let own = mount["name"] == "state" || mount["name"] == "run";
            assert_eq!(own, mount["readOnly"] != true, "{folder}: {mount}");
        }
    }
}

#[test]
fn the_collector_is_nobody() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let pod = pod(objects.collector());
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{folder}");
        assert_eq!(security["runAsUser"], 65532, "{folder}");
        assert_eq!(security["fsGroup"], security["runAsGroup"], "{folder}");
        assert!(pod["hostNetwork"].is_null(), "{folder}");
        assert!(container(objects.collector())["securityContext"]["capabilities"]["add"].is_null());
    }
}

/// What a pod needs of the levels of pod security: host paths and the host's network only exist at `privileged`.
fn level(workload: &Value) -> &'static str {
    let volumes = list(&pod(workload)["volumes"]);
    let host = volumes.iter().any(|volume| !volume["hostPath"].is_null());
    if host || pod(workload)["hostNetwork"] == true {
        "privileged"
    } else {
        "restricted"
    }
}

#[test]
fn a_namespace_allows_what_its_pods_need_and_no_more() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            let labels = &objects.one("Namespace", namespace(workload))["metadata"]["labels"];
            let allowed = &labels["pod-security.kubernetes.io/enforce"];
            assert_eq!(allowed, level(workload), "{folder}: {}", workload["metadata"]["name"]);
        }
    }
    let Some(prod) = render("overlays/prod") else { return };
    assert_eq!(level(prod.collector()), "restricted");
}

#[test]
fn no_service_account_brings_a_token() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        assert_eq!(objects.of_kind("ServiceAccount").count(), 2, "{folder}");
        for account in objects.of_kind("ServiceAccount") {
            assert_eq!(account["automountServiceAccountToken"], false, "{folder}");
        }
        for workload in objects.workloads() {
            let account = objects.one("ServiceAccount", pod(workload)["serviceAccountName"].as_str().unwrap());
            assert_eq!(namespace(account), namespace(workload), "{folder}");
        }
        for kind in ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret"] {
            assert_eq!(objects.of_kind(kind).count(), 0, "{folder}: {kind}");
        }
    }
}
