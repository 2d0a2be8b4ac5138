use super::*;

fn parse(text: &str) -> Result<Config, String> {
    config::parse(Path::new("collector.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn only_the_trust_domain_has_no_default() {
    let config = parse("trust_domain = \"mesh.example\"").unwrap();
    assert_eq!(config.trust_domain.to_string(), "mesh.example");
    assert_eq!(config.grpc.listen, ["[::]:7443".parse().unwrap()]);
    assert_eq!(config.http.listen, ["127.0.0.1:9464".parse().unwrap()]);
    assert_eq!(config.grpc.socket, Path::new("/run/echolot/collector.sock"));
    assert_eq!(config.grpc.socket_group, "echolot");
    assert_eq!(config.limits.message_bytes, 4_194_304);
    assert_eq!(
        config.identity.workload_api.to_string(),
        "unix:/run/spire/agent/public/api.sock"
    );
    assert!(parse("").unwrap_err().contains("trust_domain"));
}

#[test]
fn an_error_names_file_line_key_and_what_is_allowed() {
    for (text, expected) in [
        (
            "trust_domain = \"Mesh/x\"",
            &["collector.toml:1: trust_domain:", "allowed: lower-case letters"][..],
        ),
        (
            "trust_domain = \"a\"\n[http]\nlisten = [\"localhost\"]",
            &["collector.toml:3: http.listen:", "allowed: IP:PORT"],
        ),
        (
            "trust_domain = \"a\"\n\n[grpc]\nport = 3",
            &["collector.toml:4: grpc.port:", "`listen`"],
        ),
        (
            "trust_domain = \"a\"\n[identity]\nworkload_api = \"/x\"",
            &[":3: identity.workload_api:", "unix:/path"],
        ),
        (
            "trust_domain = \"a\"\n[limits]\nmessage_bytes = 5",
            &[":3: limits.message_bytes:", "262144 to 67108864"],
        ),
        (
            "trust_domain = \"a\"\n[log]\nformat = \"xml\"",
            &[":3: log.format:", "`text` or `json`"],
        ),
    ] {
        let error = parse(text).unwrap_err();
        for part in expected {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    }
}
