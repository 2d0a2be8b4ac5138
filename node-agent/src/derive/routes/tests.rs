use proptest::prelude::*;

use super::*;

const A: LinkKey = (1, MacAddr([2, 0, 0, 0, 0, 1]));
const B: LinkKey = (1, MacAddr([2, 0, 0, 0, 0, 2]));
const C: LinkKey = (2, MacAddr([2, 0, 0, 0, 0, 3]));

fn switches(observed: &[Option<LinkKey>]) -> Vec<(LinkKey, LinkKey)> {
    let mut route = Route::default();
    observed.iter().filter_map(|way| route.observe(*way)).collect()
}

/// A behaviour, what consecutive samples say is in use, and the switches counted.
type Case = (&'static str, &'static [Option<LinkKey>], &'static [(LinkKey, LinkKey)]);

#[test]
fn every_transition_of_a_route() {
    let cases: &[Case] = &[
        ("a first route is no switch", &[Some(A), Some(A)], &[]),
        (
            "a switch counts once it has held",
            &[Some(A), Some(B), Some(B)],
            &[(A, B)],
        ),
        ("one that has not held yet does not", &[Some(A), Some(B)], &[]),
        ("there and back is not seen", &[Some(A), Some(B), Some(A), Some(A)], &[]),
        (
            "there and back with rests counts twice",
            &[Some(A), Some(B), Some(B), Some(A), Some(A)],
            &[(A, B), (B, A)],
        ),
        ("a lost route is no switch", &[Some(A), None, None], &[]),
        (
            "nor is one found after a loss",
            &[Some(A), None, None, Some(B), Some(B)],
            &[],
        ),
        ("a gap of one sample is no loss", &[Some(A), None, Some(A)], &[]),
        (
            "a switch across such a gap is one",
            &[Some(A), None, Some(B), Some(B)],
            &[(A, B)],
        ),
        (
            "only what held is named",
            &[Some(A), Some(B), Some(C), Some(C)],
            &[(A, C)],
        ),
    ];
    for (name, observed, expected) in cases {
        assert_eq!(&switches(observed), expected, "{name}");
    }
}

proptest! {
    /// Each switch begins where the last one ended, and never leads nowhere.
    #[test]
    fn switches_form_a_chain(observed in prop::collection::vec(prop::option::of(prop::sample::select(vec![A, B, C])), 0..60)) {
        let mut route = Route::default();
        for way in observed {
            let before = route.confirmed;
            if let Some((old, new)) = route.observe(way) {
                prop_assert_ne!(old, new);
                prop_assert_eq!(Some(old), before);
                prop_assert_eq!(Some(new), way);
                prop_assert_eq!(route.confirmed, Some(new));
            }
        }
    }
}
