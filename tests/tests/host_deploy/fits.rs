//! What is rendered fits the daemons: their own loaders read the ConfigMaps, and what these name is there.

use std::path::{Path, PathBuf};

use node_agent::config::Policy;
use serde_json::Value;

use super::docker::entrypoint;
use super::rendered::{FOLDERS, OVERLAYS, Objects, container, list, mounted, namespace, pod, render, texts};

/// The TOML a workload is given, where its argument says it is, written to a file.
fn toml(objects: &Objects, workload: &Value) -> (tempfile::NamedTempFile, String) {
    let args = texts(&container(workload)["args"]);
    let path = Path::new(args.iter().skip_while(|arg| **arg != "--config").nth(1).unwrap());
    assert_eq!(args[0], "run");
    let (volume, _) = mounted(workload, path).unwrap();
    assert_eq!(volume["name"], "config", "{}", path.display());
    let key = path.file_name().unwrap().to_str().unwrap();
    let text = objects.config(workload)["data"][key].as_str().unwrap().to_owned();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    (file, text)
}

fn agent_config(objects: &Objects) -> node_agent::config::Config {
    let (file, text) = toml(objects, objects.agent());
    node_agent::config::Config::load(file.path()).unwrap_or_else(|error| panic!("{}: {error}\n{text}", objects.folder))
}

fn collector_config(objects: &Objects) -> collector::config::Config {
    let (file, text) = toml(objects, objects.collector());
    collector::config::Config::load(file.path()).unwrap_or_else(|error| panic!("{}: {error}\n{text}", objects.folder))
}

/// A value of a TOML text that the daemon's own type does not show.
fn workload_api(objects: &Objects, workload: &Value) -> PathBuf {
    let (_, text) = toml(objects, workload);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("workload_api = \"unix:"));
    line.unwrap().trim_end_matches('"').into()
}

#[test]
fn the_agent_reads_its_configuration_and_may_write_where_it_says() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let config = agent_config(&objects);
        for (path, name) in [(&config.state.directory, "state"), (&config.control.socket, "run")] {
            let (volume, writable) = mounted(objects.agent(), path).unwrap();
            assert!(writable && volume["name"] == name, "{folder}: {}", path.display());
        }
    }
}

#[test]
fn the_collector_reads_its_configuration_and_may_write_where_it_says() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let config = collector_config(&objects);
        for (path, name) in [(&config.state.directory, "state"), (&config.grpc.socket, "run")] {
            let (volume, writable) = mounted(objects.collector(), path).unwrap();
            assert!(writable && volume["name"] == name, "{folder}: {}", path.display());
        }
        let claim = &mounted(objects.collector(), &config.state.directory).unwrap().0["persistentVolumeClaim"];
        let claim = objects.one("PersistentVolumeClaim", claim["claimName"].as_str().unwrap());
        assert_eq!(namespace(claim), namespace(objects.collector()));
        let ports = list(&container(objects.collector())["ports"]);
        for (name, listen) in [("grpc", &config.grpc.listen), ("metrics", &config.http.listen)] {
            let port = ports.iter().find(|port| port["name"] == name).unwrap();
            assert_eq!(listen.len(), 1);
            assert_eq!(port["containerPort"], listen[0].port(), "{folder}: {name}");
            assert!(
                listen[0].ip().is_unspecified(),
                "{folder}: {name} is not reached from outside"
            );
        }
    }
}

#[test]
fn agents_report_to_the_service_in_the_collectors_trust_domain() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let (agent, collector) = (agent_config(&objects), collector_config(&objects));
        assert_eq!(
            agent.identity.trust_domain.as_ref(),
            Some(&collector.trust_domain),
            "{folder}"
        );
        let service = objects.one("Service", "collector");
        let grpc = list(&service["spec"]["ports"])
            .iter()
            .find(|port| port["name"] == "grpc")
            .unwrap();
        let expected = format!("collector.{}.svc:{}", namespace(service), grpc["port"]);
        let addresses: Vec<_> = agent
            .collector
            .addresses
            .iter()
            .map(|address| address.as_str())
            .collect();
        assert_eq!(addresses, [expected], "{folder}");
    }
}

#[test]
fn the_workload_api_is_where_the_daemons_look() {
    for folder in OVERLAYS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            let socket = workload_api(&objects, workload);
            let (volume, writable) = mounted(workload, &socket).unwrap();
            assert!(!writable, "{folder}");
            if folder == "overlays/prod" {
                assert_eq!(volume["csi"]["driver"], "csi.spiffe.io", "{folder}");
                assert_eq!(
                    volume["csi"]["readOnly"], true,
                    "{folder}: the driver takes nothing else"
                );
            } else {
                // A folder: the socket in it comes and goes with the SPIRE agent.
                assert_eq!(volume["hostPath"]["type"], "DirectoryOrCreate", "{folder}");
            }
        }
    }
}

/// Files of other network managers that the agent looks for, so as to leave their interfaces alone.
#[test]
fn the_agent_sees_who_else_manages_interfaces_of_the_node() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for path in [
            "/etc/systemd/network",
            "/run/systemd/network",
            "/usr/lib/systemd/network",
            "/run/systemd/netif",
            "/run/wpa_supplicant",
            "/run/hostapd",
            "/run/NetworkManager/devices",
        ] {
            let (volume, writable) = mounted(objects.agent(), Path::new(path)).unwrap_or_else(|| panic!("{path}"));
            assert!(volume["hostPath"]["path"] == path && !writable, "{folder}: {path}");
        }
    }
}

#[test]
fn the_collectors_probes_ask_its_health_pages() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let container = container(objects.collector());
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
            let ask = &container[probe]["httpGet"];
            assert_eq!(ask["path"], path, "{folder}");
            assert_eq!(ask["port"], "metrics", "{folder}: pages are on http.listen");
        }
    }
}

#[test]
fn the_agents_probes_ask_the_agent_that_runs() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let container = container(objects.agent());
        let config = texts(&container["args"])[2];
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let command = texts(&container[probe]["exec"]["command"]);
            assert_eq!(
                command,
                [entrypoint("node-agent").as_str(), "status", "--config", config],
                "{folder}"
            );
            // It waits 2 s for the socket itself.
            assert!(
                container[probe]["timeoutSeconds"].as_u64() > Some(2),
                "{folder}: {probe}"
            );
        }
    }
}

#[test]
fn both_get_the_time_they_need_to_stop() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            assert!(
                pod(workload)["terminationGracePeriodSeconds"].as_u64() >= Some(10),
                "{folder}"
            );
        }
    }
}

#[test]
fn staging_reports_and_prod_enforces_the_same_mesh() {
    let (Some(staging), Some(prod)) = (render("overlays/staging"), render("overlays/prod")) else {
        return;
    };
    let mesh = |objects: &Objects| agent_config(objects).mesh.into_values().next().unwrap();
    let (mut staged, kept) = (mesh(&staging), mesh(&prod));
    assert_eq!((staged.policy, kept.policy), (Policy::Report, Policy::Enforce));
    assert!(kept.is_wish() && kept.member.as_ref().is_some_and(|members| !members.is_empty()));
    // What staging says is worth what prod will do.
    (staged.name, staged.policy) = (kept.name.clone(), kept.policy);
    assert_eq!(staged, kept);
    assert!(!mesh(&render("base").unwrap()).is_wish(), "the base only observes");
    let formats = [&staging, &prod].map(|objects| agent_config(objects).log.format);
    assert_ne!(formats[0], formats[1]);
}

#[test]
fn a_changed_configuration_rolls_out() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            let name = objects.config(workload)["metadata"]["name"]
                .as_str()
                .unwrap()
                .to_owned();
            let plain = workload["metadata"]["name"].as_str().unwrap();
            assert!(
                name.len() > plain.len() + 5 && name.starts_with(plain),
                "{folder}: {name} has no hash"
            );
        }
    }
}

#[test]
fn images_are_pinned() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for workload in objects.workloads() {
            let image = container(workload)["image"].as_str().unwrap();
            let (_, tag) = image
                .rsplit_once(':')
                .unwrap_or_else(|| panic!("{folder}: {image} has no tag"));
            let numbered = tag.starts_with(|first: char| first.is_ascii_digit());
            assert!(numbered || image.contains("@sha256:"), "{folder}: {image}");
            if folder != "overlays/staging" {
                assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{folder}: not this release");
            }
        }
    }
}
