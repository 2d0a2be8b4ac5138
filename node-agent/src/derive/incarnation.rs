//! Tells one mesh interface from the next of the same name.

/// FNV-1a's parameters for 64 bits.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The kernel's counters of a mesh interface start at zero with each boot and each interface; an index is not given
/// twice within one boot. The same on every release, so an agent's update does not look like a reset.
pub fn counters_incarnation(boot_id: &str, mesh_ifindex: u32) -> u64 {
    boot_id
        .bytes()
        .chain([0])
        .chain(mesh_ifindex.to_be_bytes())
        .fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_on_every_release() {
        assert_eq!(counters_incarnation("", 0), 0xe4bc_4fd9_252b_e94f);
    }

    #[test]
    fn another_boot_or_interface_is_another_incarnation() {
        let one = counters_incarnation("a", 7);
        assert_ne!(one, counters_incarnation("b", 7));
        assert_ne!(one, counters_incarnation("a", 8));
        assert_eq!(one, counters_incarnation("a", 7));
    }
}
