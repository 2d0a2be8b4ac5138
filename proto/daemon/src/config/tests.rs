use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::Span;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Example {
    collect: Collect,
    #[serde(default)]
    member: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Member {
    name: String,
    radio: Option<Radio>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Radio {
    frequency: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Collect {
    interval: Span,
    depth: Option<u8>,
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    let error = parse::<Example>(Path::new("agent.toml"), text).expect_err("must be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn an_unknown_key_names_its_place_and_what_is_allowed() {
    check(
        "# comment\n[collect]\ninterval = \"2s\"\ndept = 3\n",
        expect!["agent.toml:4: collect.dept: unknown field `dept`, expected `interval` or `depth`"],
    );
}

#[test]
fn a_value_out_of_range_names_its_place_and_what_is_allowed() {
    check(
        "[collect]\ninterval = \"2 parsecs\"\n",
        expect![[
            r#"agent.toml:2: collect.interval: "2 parsecs" is no length of time; allowed: a whole number with ms, s, m, h or d, as in "2s""#
        ]],
    );
    check(
        "[collect]\ninterval = \"2s\"\ndepth = 300\n",
        expect!["agent.toml:3: collect.depth: invalid value: integer `300`, expected u8"],
    );
}

#[test]
fn a_missing_key_names_its_table() {
    check(
        "[collect]\ndepth = 3\n",
        expect!["agent.toml:1: collect: missing field `interval`"],
    );
}

#[test]
fn a_key_in_a_list_of_tables_names_the_whole_way_to_it() {
    check(
        "[[member]]\nname = \"a\"\n[[member]]\nname = \"b\"\nnaem = 1\n",
        expect!["agent.toml:5: member.naem: unknown field `naem`, expected `name` or `radio`"],
    );
    check(
        "[[member]]\nname = \"a\"\nradio = { frequency = \"2412\" }\n",
        expect![[r#"agent.toml:3: member.radio.frequency: invalid type: string "2412", expected u32"#]],
    );
    check(
        "[[member]]\nname = \"a\"\n\n[member.radio]\nfreq = 1\n",
        expect!["agent.toml:5: member.radio.freq: unknown field `freq`, expected `frequency`"],
    );
    check(
        "[collect]\ninterval = \"2s\"\n\n[[member]]\nname = \"a\"\n\n[[member]]\n",
        expect!["agent.toml:7: member: missing field `name`"],
    );
}

#[test]
fn a_key_in_a_list_over_several_lines_names_the_whole_way_to_it() {
    check(
        "member = [\n  { name = \"a\" },\n  { name = \"b\", radio = { freq = 1 } },\n]\n",
        expect!["agent.toml:3: member.radio.freq: unknown field `freq`, expected `frequency`"],
    );
}

#[test]
fn what_is_no_toml_names_the_line() {
    check(
        "[collect]\ninterval = \n",
        expect!["agent.toml:2: collect.interval: string values must be quoted, expected literal string"],
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<Example>(Path::new("/nonexistent/agent.toml")).expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "/nonexistent/agent.toml: the configuration cannot be read"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-c=\"\n#. äé]{0,60}") {
        drop(parse::<Example>(Path::new("x"), &text));
    }
}
