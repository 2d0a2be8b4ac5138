//! Who reaches whom, and what a drain may do.

use serde_json::{Value, json};

use super::rendered::{FOLDERS, OVERLAYS, Objects, container, list, namespace, render, selects};

fn labels(workload: &Value) -> &Value {
    &workload["spec"]["template"]["metadata"]["labels"]
}

/// The collector's port of this name.
fn port(objects: &Objects, name: &str) -> u64 {
    let ports = list(&container(objects.collector())["ports"]);
    let port = ports.iter().find(|port| port["name"] == name).unwrap();
    port["containerPort"].as_u64().unwrap()
}

#[test]
fn nothing_goes_in_or_out_of_either_namespace_unless_it_is_named() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        for name in objects
            .of_kind("Namespace")
            .map(|object| object["metadata"]["name"].as_str().unwrap())
        {
            let denial = objects
                .of_kind("NetworkPolicy")
                .find(|policy| namespace(policy) == name && policy["spec"]["podSelector"] == json!({}))
                .unwrap_or_else(|| panic!("{folder}: {name} has no policy for all its pods"));
            let spec = denial["spec"].as_object().unwrap();
            assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]), "{folder}");
            assert!(
                !spec.contains_key("ingress") && !spec.contains_key("egress"),
                "{folder}"
            );
        }
    }
}

#[test]
fn the_ways_in_are_those_of_agents_and_prometheus_and_there_is_none_out() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let mut ways = Vec::new();
        for policy in objects.of_kind("NetworkPolicy") {
            assert!(
                policy["spec"]["egress"].is_null(),
                "{folder}: the collector calls nobody"
            );
            for rule in list(&policy["spec"]["ingress"]) {
                assert_eq!(namespace(policy), namespace(objects.collector()), "{folder}");
                assert!(selects(
                    &policy["spec"]["podSelector"]["matchLabels"],
                    labels(objects.collector())
                ));
                for port in list(&rule["ports"]) {
                    assert_eq!(port["protocol"], "TCP");
                    ways.push((port["port"].as_str().unwrap().to_owned(), rule["from"].clone()));
                }
            }
        }
        ways.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<_> = ways.iter().map(|(port, _)| port.as_str()).collect();
        let expected: &[&str] = if folder == "base" {
            &["grpc"]
        } else {
            &["grpc", "metrics"]
        };
        assert_eq!(names, expected, "{folder}");
        for (name, from) in &ways {
            port(&objects, name);
            if name == "metrics" {
                // Metrics ask nobody who they are: only Prometheus gets there.
                assert!(
                    !from[0]["podSelector"].is_null() && !from[0]["namespaceSelector"].is_null(),
                    "{from}"
                );
            } else {
                // Agents have their nodes' addresses: a selector of pods would shut them out.
                let hosts = list(from).iter().all(|from| !from["ipBlock"]["cidr"].is_null());
                assert!(hosts, "{folder}: {from}");
            }
        }
    }
    let Some(prod) = render("overlays/prod") else { return };
    let agents = prod.one("NetworkPolicy", "agents-to-collector");
    assert!(
        !list(&agents["spec"]["ingress"][0]["from"]).is_empty(),
        "prod names the nodes' networks"
    );
}

#[test]
fn the_service_leads_to_the_collector() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let service = objects.one("Service", "collector");
        assert_eq!(namespace(service), namespace(objects.collector()));
        assert!(
            selects(&service["spec"]["selector"], labels(objects.collector())),
            "{folder}"
        );
        let ports = list(&service["spec"]["ports"]);
        assert_eq!(ports.len(), 2);
        for own in ports {
            assert_eq!(
                own["port"],
                port(&objects, own["targetPort"].as_str().unwrap()),
                "{folder}"
            );
        }
        assert_eq!((port(&objects, "grpc"), port(&objects, "metrics")), (7443, 9464));
    }
}

#[test]
fn prometheus_is_sent_to_the_services_metrics() {
    for folder in OVERLAYS {
        let Some(objects) = render(folder) else { return };
        let monitor = objects.one("ServiceMonitor", "collector");
        assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
        let service = objects.one("Service", "collector");
        assert!(
            selects(
                &monitor["spec"]["selector"]["matchLabels"],
                &service["metadata"]["labels"]
            ),
            "{folder}"
        );
        assert_eq!(
            monitor["spec"]["namespaceSelector"]["matchNames"],
            json!([namespace(service)])
        );
        let endpoints = list(&monitor["spec"]["endpoints"]);
        assert_eq!(endpoints.len(), 1);
        // The fields of the CRD that are used; another would be a slip.
        let known = ["port", "path", "interval", "scrapeTimeout"];
        let endpoint = endpoints[0].as_object().unwrap();
        assert!(endpoint.keys().all(|key| known.contains(&key.as_str())), "{endpoint:?}");
        assert_eq!(endpoint["path"], "/metrics");
        let ports = list(&service["spec"]["ports"]);
        assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{folder}");
    }
}

#[test]
fn there_is_one_collector_and_a_drain_asks_the_budget() {
    for folder in FOLDERS {
        let Some(objects) = render(folder) else { return };
        let collector = objects.collector();
        assert_eq!(
            collector["spec"]["replicas"], 1,
            "{folder}: two would know half a mesh each"
        );
        assert_eq!(
            collector["spec"]["strategy"],
            json!({"type": "Recreate"}),
            "{folder}: both would want the volume"
        );
        let budget = objects.one("PodDisruptionBudget", "collector");
        assert_eq!(namespace(budget), namespace(collector));
        assert!(
            selects(&budget["spec"]["selector"]["matchLabels"], labels(collector)),
            "{folder}"
        );
        let allowed = if folder == "overlays/prod" { 0 } else { 1 };
        assert_eq!(budget["spec"]["maxUnavailable"], allowed, "{folder}");
    }
}
