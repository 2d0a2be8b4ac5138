use proptest::prelude::*;

use super::*;

fn scaled(tq: u8, now: u8, penalty: u8) -> f64 {
    f64::from(tq) * (255.0 - f64::from(penalty)) / (255.0 - f64::from(now))
}

#[test]
fn steering_penalty_is_the_closed_form() {
    // 255 · (1 − (225 − 8) / 230) = 14.4
    assert_eq!(steering_penalty(230, 225, 0, 8), Some(15));
    // 255 · (1 − 198 / 200) = 2.55
    assert_eq!(steering_penalty(200, 198, 0, 0), Some(3));
}

#[test]
fn level_is_not_a_win() {
    assert_eq!(steering_penalty(255, 255, 0, 0), Some(1));
}

#[test]
fn steering_penalty_stays_short_of_cutting_the_interface_off() {
    assert_eq!(steering_penalty(255, 8, 0, 8), None);
    assert_eq!(steering_penalty(255, 7, 0, 8), None);
}

proptest! {
    #[test]
    fn steering_penalty_is_the_smallest_that_wins_by_the_margin(
        tq_b in 1..=255u8,
        above in 0..=255u8,
        now in 0..=254u8,
        margin in 0..=20u8,
    ) {
        let tq_a = tq_b.saturating_add(above);
        if let Some(penalty) = steering_penalty(tq_a, tq_b, now, margin) {
            let goal = f64::from(tq_b) - f64::from(margin);
            prop_assert!(scaled(tq_a, now, penalty) < goal + 1e-9);
            prop_assert!(scaled(tq_a, now, penalty - 1) >= goal - 1e-9);
        }
    }
}
