use super::*;

#[test]
fn an_identity_is_read_with_all_its_options() {
    let spec: IdentitySpec = "collector,dns=localhost,dns=collector.mesh.test,ttl=90s,td=other.test,name=c2,expired"
        .parse()
        .unwrap();
    let expected = IdentitySpec {
        name: "c2".to_owned(),
        trust_domain: Some("other.test".to_owned()),
        dns: vec!["localhost".to_owned(), "collector.mesh.test".to_owned()],
        ttl: Some(Duration::from_secs(90)),
        expired: true,
        ..IdentitySpec::new("collector")
    };
    assert_eq!(spec, expected);
}

#[test]
fn a_socket_is_named_after_the_path() {
    assert_eq!(IdentitySpec::new("node/gate").socket_name(), "node-gate.sock");
}

#[test]
fn what_is_no_identity_is_refused() {
    for text in [
        "",
        "/collector",
        "node//a",
        "node/..",
        "node/a b",
        "collector,wrong",
        "collector,ttl=1",
        "collector,ttl=0s",
        "collector,ttl=s",
        "collector,ttl=99999999999999999999d",
        "collector,name=../x",
    ] {
        assert!(text.parse::<IdentitySpec>().is_err(), "{text:?} was accepted");
    }
}
