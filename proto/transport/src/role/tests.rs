use super::*;

fn role(id: &str) -> Result<Role, NoRole> {
    Role::of(&id.parse().unwrap(), &TrustDomain::new("mesh.test").unwrap())
}

#[test]
fn the_schema_names_four_roles() {
    let node = Role::Node(NodeId::try_from("gate-1").unwrap());
    assert_eq!(role("spiffe://mesh.test/node/gate-1"), Ok(node));
    assert_eq!(role("spiffe://mesh.test/collector"), Ok(Role::Collector));
    assert_eq!(
        role("spiffe://mesh.test/operator/lab"),
        Ok(Role::Operator("lab".to_owned()))
    );
    assert_eq!(
        role("spiffe://mesh.test/viewer/wall"),
        Ok(Role::Viewer("wall".to_owned()))
    );
}

#[test]
fn whatever_else_is_refused() {
    for id in [
        "spiffe://mesh.test",
        "spiffe://mesh.test/node",
        "spiffe://mesh.test/node/a/b",
        "spiffe://mesh.test/collector/x",
        "spiffe://mesh.test/operator",
        "spiffe://mesh.test/Operator/lab",
        "spiffe://mesh.test/ghost/x",
    ] {
        assert!(matches!(role(id), Err(NoRole::Path { .. })), "{id} was accepted");
    }
}

#[test]
fn a_role_of_another_trust_domain_is_none() {
    assert!(matches!(
        role("spiffe://other.test/collector"),
        Err(NoRole::TrustDomain { .. })
    ));
}

#[test]
fn only_operators_act_and_agents_do_not_even_read() {
    let roles = ["node/a", "collector", "operator/x", "viewer/x"]
        .map(|path| role(&format!("spiffe://mesh.test/{path}")).unwrap());
    assert_eq!(roles.clone().map(|role| role.may_act()), [false, false, true, false]);
    assert_eq!(roles.map(|role| role.may_read()), [false, false, true, true]);
}
