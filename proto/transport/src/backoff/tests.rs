use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(120);

proptest! {
    #[test]
    fn waits_stay_under_a_ceiling_that_doubles_up_to_the_cap(seed: u64, failures in 1..100u32) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut backoff = Backoff::new(BASE, CAP);
        for failure in 0..failures {
            let ceiling = Duration::from_secs(1_u64.checked_shl(failure).unwrap_or(u64::MAX)).min(CAP);
            prop_assert!(backoff.next(&mut rng) <= ceiling);
        }
        backoff.reset();
        prop_assert!(backoff.next(&mut rng) <= BASE);
    }
}

#[test]
fn the_jitter_is_full() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut backoff = Backoff::new(CAP, CAP);
    let waits: Vec<_> = (0..200).map(|_| backoff.next(&mut rng)).collect();
    assert!(waits.iter().any(|wait| *wait < CAP / 10));
    assert!(waits.iter().any(|wait| *wait > CAP * 9 / 10));
}
