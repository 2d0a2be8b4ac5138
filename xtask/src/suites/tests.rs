use super::*;

fn counts(text: &str) -> (u64, u64) {
    let mut counts = Counts::default();
    text.lines().for_each(|line| add(&mut counts, line));
    (counts.passed, counts.failed)
}

#[test]
fn counts_of_libtest_are_added_up() {
    let text = "test a ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s\n\
        test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
    assert_eq!(counts(text), (4, 2));
}

#[test]
fn counts_of_nextest_are_read() {
    assert_eq!(
        counts("     Summary [   1.262s] 39 tests run: 37 passed (1 slow), 1 failed, 1 timed out, 2 skipped"),
        (37, 2)
    );
}

#[test]
fn a_program_that_falls_without_a_count_is_a_failure() {
    let outcome = run(Command::new("sh").args(["-c", "exit 3"]), Duration::from_secs(20)).unwrap();
    assert_eq!(outcome.counts, Counts { passed: 0, failed: 1 });
}
