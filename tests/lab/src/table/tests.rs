use super::*;

#[test]
fn a_hard_interface_without_a_name_gets_its_own() {
    // As printed by batctl 2023.0 on Linux 5.10, and by ip.
    let mut rows = parse(r#"[{"hard_ifindex":2,"orig_address":"02:77:00:02:00:01","best":true,"tq":140}]"#).unwrap();
    let names = names(r#"[{"ifindex":1,"ifname":"lo"},{"ifindex":2,"ifname":"to-b"}]"#).unwrap();
    name(&mut rows[0], &names);
    assert_eq!(rows[0]["hard_ifname"], "to-b");
}

#[test]
fn a_name_that_is_there_stays() {
    let mut rows = parse(r#"[{"hard_ifindex":2,"hard_ifname":"to-c"}]"#).unwrap();
    name(&mut rows[0], &BTreeMap::from([(2, "to-b".to_owned())]));
    assert_eq!(rows[0]["hard_ifname"], "to-c");
}

#[test]
fn nothing_printed_is_an_empty_table_and_words_are_an_error() {
    assert!(parse("\n").unwrap().is_empty());
    assert!(parse("Error - interface bat0 is not present").is_err());
}
