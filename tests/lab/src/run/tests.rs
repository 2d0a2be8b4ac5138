use super::*;

#[test]
fn the_start_time_is_found_behind_any_name() {
    let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1000 1";
    assert_eq!(parse_start_time(stat), Some(98765));
    assert_eq!(parse_start_time("42"), None);
}

#[test]
fn this_process_has_a_start_time_and_keeps_it() {
    let first = start_time(std::process::id());
    assert!(first.is_some());
    assert_eq!(first, start_time(std::process::id()));
}

#[test]
fn no_process_of_pid_zero_is_found() {
    assert_eq!(start_time(0), None);
}
