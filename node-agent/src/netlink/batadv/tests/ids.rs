//! The numbers, as the kernel's header has them (`include/uapi/linux/batman_adv.h`, the same since Linux 5.10).

use netlink_packet_core::Nla;

use super::*;

/// `enum batadv_nl_commands`, without `BATADV_CMD_`.
const COMMANDS: &[(u8, &str)] = &[
    (1, "GET_MESH"),
    (2, "TP_METER"),
    (3, "TP_METER_CANCEL"),
    (4, "GET_ROUTING_ALGOS"),
    (5, "GET_HARDIF"),
    (6, "GET_TRANSTABLE_LOCAL"),
    (7, "GET_TRANSTABLE_GLOBAL"),
    (8, "GET_ORIGINATORS"),
    (9, "GET_NEIGHBORS"),
    (10, "GET_GATEWAYS"),
    (11, "GET_BLA_CLAIM"),
    (12, "GET_BLA_BACKBONE"),
    (13, "GET_DAT_CACHE"),
    (14, "GET_MCAST_FLAGS"),
    (15, "SET_MESH"),
    (16, "SET_HARDIF"),
    (17, "GET_VLAN"),
    (18, "SET_VLAN"),
];

/// `enum batadv_nl_attrs`, without `BATADV_ATTR_`.
const ATTRIBUTES: &[(u16, &str)] = &[
    (1, "VERSION"),
    (2, "ALGO_NAME"),
    (3, "MESH_IFINDEX"),
    (4, "MESH_IFNAME"),
    (5, "MESH_ADDRESS"),
    (6, "HARD_IFINDEX"),
    (7, "HARD_IFNAME"),
    (8, "HARD_ADDRESS"),
    (9, "ORIG_ADDRESS"),
    (10, "TPMETER_RESULT"),
    (11, "TPMETER_TEST_TIME"),
    (12, "TPMETER_BYTES"),
    (13, "TPMETER_COOKIE"),
    (14, "PAD"),
    (15, "ACTIVE"),
    (16, "TT_ADDRESS"),
    (17, "TT_TTVN"),
    (18, "TT_LAST_TTVN"),
    (19, "TT_CRC32"),
    (20, "TT_VID"),
    (21, "TT_FLAGS"),
    (22, "FLAG_BEST"),
    (23, "LAST_SEEN_MSECS"),
    (24, "NEIGH_ADDRESS"),
    (25, "TQ"),
    (26, "THROUGHPUT"),
    (27, "BANDWIDTH_UP"),
    (28, "BANDWIDTH_DOWN"),
    (29, "ROUTER"),
    (30, "BLA_OWN"),
    (31, "BLA_ADDRESS"),
    (32, "BLA_VID"),
    (33, "BLA_BACKBONE"),
    (34, "BLA_CRC"),
    (35, "DAT_CACHE_IP4ADDRESS"),
    (36, "DAT_CACHE_HWADDRESS"),
    (37, "DAT_CACHE_VID"),
    (38, "MCAST_FLAGS"),
    (39, "MCAST_FLAGS_PRIV"),
    (40, "VLANID"),
    (41, "AGGREGATED_OGMS_ENABLED"),
    (42, "AP_ISOLATION_ENABLED"),
    (43, "ISOLATION_MARK"),
    (44, "ISOLATION_MASK"),
    (45, "BONDING_ENABLED"),
    (46, "BRIDGE_LOOP_AVOIDANCE_ENABLED"),
    (47, "DISTRIBUTED_ARP_TABLE_ENABLED"),
    (48, "FRAGMENTATION_ENABLED"),
    (49, "GW_BANDWIDTH_DOWN"),
    (50, "GW_BANDWIDTH_UP"),
    (51, "GW_MODE"),
    (52, "GW_SEL_CLASS"),
    (53, "HOP_PENALTY"),
    (54, "LOG_LEVEL"),
    (55, "MULTICAST_FORCEFLOOD_ENABLED"),
    (56, "NETWORK_CODING_ENABLED"),
    (57, "ORIG_INTERVAL"),
    (58, "ELP_INTERVAL"),
    (59, "THROUGHPUT_OVERRIDE"),
    (60, "MULTICAST_FANOUT"),
];

fn squeezed(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[test]
fn commands_have_the_kernels_numbers() {
    for (id, name) in COMMANDS {
        let command = BatadvCommand::from(*id);
        assert_eq!(squeezed(&format!("{command:?}")), squeezed(name));
        assert_eq!(u8::from(command), *id);
    }
    for id in [0, 19, 255] {
        assert_eq!(BatadvCommand::from(id), BatadvCommand::Other(id));
    }
}

#[test]
fn attributes_have_the_kernels_numbers() {
    let ours: Vec<(u16, String)> = known().iter().map(|(id, name)| (*id, squeezed(name))).collect();
    let theirs: Vec<(u16, String)> = ATTRIBUTES.iter().map(|(id, name)| (*id, squeezed(name))).collect();
    assert_eq!(ours, theirs);
    assert_eq!(BatadvAttr::MulticastFanout(0).kind(), 60);
}
