use super::*;

#[test]
fn each_role_may_call_what_is_meant_for_it_and_nothing_else() {
    let roles = [
        Role::Node("a".parse().unwrap()),
        Role::Viewer("v".to_owned()),
        Role::Operator("o".to_owned()),
        Role::Collector,
    ];
    for (path, allowed) in [
        ("/mesh.v1.TelemetryService/Stream", [true, false, false, false]),
        ("/grpc.health.v1.Health/Check", [true, true, true, true]),
        ("/mesh.v1.TopologyService/GetTopology", [false, true, true, false]),
        ("/mesh.v1.TopologyService/WatchTopology", [false, true, true, false]),
        ("/mesh.v1.TopologyService/ListEvents", [false, true, true, false]),
        ("/mesh.v1.RebalanceService/ListDecisions", [false, true, true, false]),
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            [false, true, true, false],
        ),
        (
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            [false, true, true, false],
        ),
        ("/mesh.v1.RebalanceService/ApproveDecision", [false, false, true, false]),
        ("/mesh.v1.AdminService/Backup", [false, false, true, false]),
        ("/something/else", [false, false, true, false]),
        ("/", [false, false, true, false]),
        ("", [false, false, true, false]),
    ] {
        let access = Access::of(path);
        let found: Vec<bool> = roles.iter().map(|role| access.allows(role)).collect();
        assert_eq!(found, allowed, "{path}");
        assert!(Access::DENIALS.contains(&access.denial()));
    }
}
