use proptest::prelude::*;

use super::*;

/// Builds BTF the way a compiler would.
#[derive(Default)]
struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    first_string: u32,
}

impl Builder {
    fn new() -> Self {
        Self {
            strings: vec![0],
            ..Self::default()
        }
    }

    /// On top of another's types.
    fn on(base: &Btf<'_>) -> Self {
        Self {
            first_string: base.end_string().expect("few strings"),
            ..Self::default()
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.first_string + u32::try_from(self.strings.len()).expect("few strings");
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    fn composite(&mut self, kind: u32, flag: bool, name: &str, members: &[(&str, u32, u32)]) -> &mut Self {
        let name = self.name(name);
        let count = u32::try_from(members.len()).expect("few members");
        let members: Vec<[u32; 3]> = members
            .iter()
            .map(|(name, id, bits)| [self.name(name), *id, *bits])
            .collect();
        self.words(&[name, u32::from(flag) << 31 | kind << 24 | count, 64]);
        self.words(members.as_flattened());
        self
    }

    fn typedef(&mut self, name: &str, target: u32) -> &mut Self {
        let name = self.name(name);
        self.words(&[name, KIND_TYPEDEF << 24, target]);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let len = |section: &[u8]| u32::try_from(section.len()).expect("small");
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([VERSION, 0]);
        for word in [24, 0, len(&self.types), len(&self.types), len(&self.strings)] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// Ids 1 to 4: an anonymous union, a typedef to a struct, that struct, a struct of all of it.
fn sample() -> Vec<u8> {
    let mut builder = Builder::new();
    builder
        .composite(KIND_UNION, false, "", &[("left", 0, 0), ("right", 0, 32)])
        .typedef("inner_t", 3)
        .composite(KIND_STRUCT, false, "inner", &[("first", 0, 0), ("inum", 0, 96)])
        .composite(
            KIND_STRUCT,
            false,
            "outer",
            &[("head", 0, 0), ("", 1, 64), ("ns", 2, 128)],
        );
    builder.bytes()
}

#[test]
fn members_are_found_through_anonymous_unions_and_typedefs() {
    let btf = Btf::parse(sample(), None).expect("valid");
    assert_eq!(btf.len(), 4);
    assert_eq!(btf.offset("outer", &["head"]), Ok(0));
    assert_eq!(btf.offset("outer", &["right"]), Ok(12));
    assert_eq!(btf.offset("outer", &["ns", "inum"]), Ok(28));
}

#[test]
fn what_is_missing_is_named() {
    let btf = Btf::parse(sample(), None).expect("valid");
    assert_eq!(
        btf.offset("nothing", &["head"]),
        Err(BtfError::NoStruct("nothing".into()))
    );
    let missing = btf.offset("outer", &["ns", "absent"]).expect_err("no such member");
    assert_eq!(missing.to_string(), "the kernel's struct outer has no field ns.absent");
}

#[test]
fn bit_fields_have_no_byte_offset_but_their_neighbors_do() {
    let mut builder = Builder::new();
    builder.composite(KIND_STRUCT, true, "flags", &[("bits", 0, 3 << 24), ("whole", 0, 32)]);
    let btf = Btf::parse(builder.bytes(), None).expect("valid");
    assert!(btf.offset("flags", &["bits"]).is_err());
    assert_eq!(btf.offset("flags", &["whole"]), Ok(4));
}

#[test]
fn structs_of_one_name_that_differ_are_refused() {
    let mut builder = Builder::new();
    builder
        .composite(KIND_STRUCT, false, "twin", &[("a", 0, 0), ("b", 0, 8)])
        .composite(KIND_STRUCT, false, "twin", &[("a", 0, 0), ("b", 0, 64)]);
    let btf = Btf::parse(builder.bytes(), None).expect("valid");
    assert_eq!(btf.offset("twin", &["a"]), Ok(0));
    assert!(matches!(btf.offset("twin", &["b"]), Err(BtfError::Ambiguous { .. })));
}

#[test]
fn a_modules_types_continue_those_of_the_kernel() {
    let base = Btf::parse(sample(), None).expect("valid");
    let mut builder = Builder::on(&base);
    // Type 3 is the base's `inner`.
    builder.composite(
        KIND_STRUCT,
        false,
        "batadv_priv",
        &[("mesh_iface", 0, 64), ("embedded", 3, 128)],
    );
    let module = Btf::parse(builder.bytes(), Some(&base)).expect("valid");
    assert_eq!(module.offset("batadv_priv", &["mesh_iface"]), Ok(8));
    assert_eq!(module.offset("batadv_priv", &["embedded", "inum"]), Ok(28));
    assert_eq!(module.offset("outer", &["head"]), Ok(0));
}

#[test]
fn types_that_hold_themselves_end_the_walk() {
    let mut builder = Builder::new();
    let endless: Vec<(&str, u32, u32)> = vec![("", 1, 0); 1000];
    builder
        .composite(KIND_STRUCT, false, "endless", &endless)
        .typedef("round", 2);
    let btf = Btf::parse(builder.bytes(), None).expect("valid");
    assert!(btf.offset("endless", &["member"]).is_err());
    assert!(btf.resolve(2).is_none());
}

#[test]
fn the_running_kernel_has_the_fields_of_a_network_device() {
    // A host without BTF shows nothing here; continuous integration must have it.
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "/sys/kernel/btf/vmlinux cannot be read"
        );
        eprintln!("not shown: /sys/kernel/btf/vmlinux cannot be read");
        return;
    };
    let btf = Btf::parse(bytes, None).expect("the kernel's own BTF");
    let place = |structure, path: &[&str]| btf.offset(structure, path).unwrap_or_else(|error| panic!("{error}"));
    assert!((64..1024).contains(&place("net_device", &["ifindex"])));
    assert!((64..4096).contains(&place("net_device", &["nd_net", "net"])));
    assert_eq!(place("hlist_node", &["next"]), 0);
    assert_eq!(place("net", &["ns", "inum"]) % 4, 0);
}

/// Offsets are sums of 32-bit counts of bits.
fn in_reach(offset: Result<u32, BtfError>) -> bool {
    offset.map_or(true, |offset| offset <= u32::MAX / 8)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(btf) = Btf::parse(bytes, None) {
            prop_assert!(in_reach(btf.offset("outer", &["ns", "inum"])));
        }
    }

    #[test]
    fn no_damage_to_valid_bytes_makes_it_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        len in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = sample();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(len.index(bytes.len()));
        }
        let base = Btf::parse(sample(), None).expect("valid");
        for base in [None, Some(&base)] {
            if let Ok(btf) = Btf::parse(bytes.clone(), base) {
                for path in [&["head"][..], &["right"], &["ns", "inum"]] {
                    prop_assert!(in_reach(btf.offset("outer", path)));
                }
            }
        }
    }
}
