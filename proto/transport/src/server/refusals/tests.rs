#![expect(clippy::disallowed_methods, reason = "an Instant has no other constructor")]

use super::*;

const EXPIRED: HandshakeResult = HandshakeResult::Expired;

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

#[test]
fn a_source_and_reason_is_said_once() {
    let start = Instant::now();
    let mut refusals = Refusals::new();
    assert!(refusals.is_news(ip(1), EXPIRED, start));
    assert!(!refusals.is_news(ip(1), EXPIRED, start + Duration::from_secs(1)));
    assert!(refusals.is_news(ip(1), HandshakeResult::WrongId, start));
    assert!(refusals.is_news(ip(2), EXPIRED, start));
}

#[test]
fn it_is_news_again_after_a_success_or_a_long_silence() {
    let start = Instant::now();
    let mut refusals = Refusals::new();
    assert!(refusals.is_news(ip(1), EXPIRED, start));
    assert!(refusals.is_news(ip(1), EXPIRED, start + FORGOTTEN_AFTER));
    refusals.forget(ip(1));
    assert!(refusals.is_news(ip(1), EXPIRED, start + FORGOTTEN_AFTER));
}

#[test]
fn memory_is_bounded_and_the_longest_quiet_goes_first() {
    let start = Instant::now();
    let mut refusals = Refusals::new();
    let at = |n: u32| start + Duration::from_millis(n.into());
    for n in 0..=1_024_u32 {
        assert!(refusals.is_news(IpAddr::from(n.to_be_bytes()), EXPIRED, at(n)));
    }
    assert_eq!(refusals.last.len(), REMEMBERED);
    assert!(!refusals.is_news(IpAddr::from(1_u32.to_be_bytes()), EXPIRED, at(1_025)));
    assert!(refusals.is_news(IpAddr::from(0_u32.to_be_bytes()), EXPIRED, at(1_026)));
}
