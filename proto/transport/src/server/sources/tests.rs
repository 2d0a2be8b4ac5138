use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_source_gets_its_places_back_and_does_not_take_anothers() {
    let sources = Arc::new(Sources::new(2));
    let first = sources.admit(ip("192.0.2.1"));
    let second = sources.admit(ip("192.0.2.1"));
    assert!(first.is_some() && second.is_some());
    assert!(sources.admit(ip("192.0.2.1")).is_none());
    assert!(sources.admit(ip("192.0.2.2")).is_some());
    drop(first);
    assert!(sources.admit(ip("192.0.2.1")).is_some());
}

#[test]
fn idle_sources_are_forgotten() {
    let sources = Arc::new(Sources::new(2));
    drop(sources.admit(ip("192.0.2.1")));
    assert!(sources.lock().is_empty());
}

#[test]
fn an_ipv6_network_is_one_source_and_a_mapped_address_is_ipv4() {
    assert_eq!(source_of(ip("2001:db8::1")), source_of(ip("2001:db8::ffff:2")));
    assert_ne!(source_of(ip("2001:db8::1")), source_of(ip("2001:db8:0:1::1")));
    assert_eq!(source_of(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
}
