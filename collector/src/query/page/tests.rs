use proptest::prelude::*;

use super::*;

fn whole(key: &str) -> Option<String> {
    Some(key.to_owned())
}

proptest! {
    #[test]
    fn key_comes_back(key in "\\PC{0,128}") {
        prop_assert_eq!(decode(Kind::Nodes, &encode(Kind::Nodes, &key), whole).unwrap(), Some(key));
    }

    #[test]
    fn any_text_is_a_token_or_refused(token in ".{0,40}") {
        if let Err(status) = decode(Kind::Nodes, &token, whole) {
            prop_assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
    }
}

#[test]
fn token_of_another_list_is_refused() {
    assert!(decode(Kind::Nodes, &encode(Kind::Decisions, "a"), whole).is_err());
}

#[test]
fn endless_token_is_refused() {
    assert!(decode(Kind::Nodes, &"6e".repeat(10_000), whole).is_err());
}

#[test]
fn page_is_cut_where_there_is_more() {
    assert_eq!(cut([1, 2, 3].into_iter(), 2), (vec![1, 2], true));
    assert_eq!(cut([1, 2].into_iter(), 2), (vec![1, 2], false));
}

#[test]
fn size_is_bounded() {
    assert_eq!(size(0, 500).unwrap(), 500);
    assert_eq!(size(1000, 500).unwrap(), 1000);
    assert!(size(1001, 500).is_err());
}
