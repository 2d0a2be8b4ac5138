use super::*;

#[test]
fn what_was_lost_is_not_known() {
    let lost = [of_link(LinkEvent::Lost), of_config(ConfigEvent::Lost)];
    assert!(
        lost.iter().all(|change| matches!(change, Change::Unknown { .. })),
        "{lost:?}"
    );
    assert_eq!(of_link(LinkEvent::Gone { ifindex: 3 }), Change::Links);
    assert_eq!(of_config(ConfigEvent::Unloaded), Change::Config);
}

/// A socket that failed is opened again, and what happened meanwhile is not known.
#[tokio::test]
async fn listening_goes_on_after_a_fault() {
    let mut events = Events { sources: None };
    assert!(matches!(events.next().await, Change::Unknown { .. }));
    assert!(events.sources.is_some());
}
