use super::*;

#[test]
fn an_address_is_a_host_and_a_port() {
    for address in ["collector.mesh.test:8443", "192.0.2.1:8443", "[2001:db8::1]:8443"] {
        assert!(server_name(address).is_ok(), "{address} was refused");
    }
    for address in [
        "collector",
        "collector:",
        ":8443",
        "collector:99999",
        "a b:1",
        "http://a:1/",
    ] {
        assert!(server_name(address).is_err(), "{address} was accepted");
    }
}
