//! Where this kernel and its batman-adv keep the fields the route probe reads.

use std::{fs, io, path::Path};

use node_agent_ebpf_common::route::Layout;
use thiserror::Error;

use super::btf::{Btf, BtfError};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
const MODULE: &str = "/sys/kernel/btf/batman_adv";

/// Why the fields' places are not known.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// The kernel was built without `CONFIG_DEBUG_INFO_BTF`, or sysfs is not mounted.
    #[error("the kernel does not describe its types ({KERNEL}: {0}): one built with CONFIG_DEBUG_INFO_BTF does")]
    NoKernelBtf(#[source] io::Error),
    /// The module was built without BTF: before kernel 5.11, or out of tree without the kernel's `vmlinux`.
    #[error(
        "batman-adv does not describe its types ({MODULE}: {0}): a module built with BTF, kernel 5.11 or later, does"
    )]
    NoModuleBtf(#[source] io::Error),
    /// The description cannot be read, or lacks a field.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

/// Looks the fields up in the running kernel, for the meshes of the network namespace with this inode number.
///
/// # Errors
/// See [`LayoutError`]; each says what is missing.
pub(super) fn of_running_kernel(netns_inode: u32) -> Result<Layout, LayoutError> {
    let kernel = Btf::parse(fs::read(KERNEL).map_err(LayoutError::NoKernelBtf)?, None)?;
    let module = match fs::read(MODULE) {
        Ok(bytes) => Some(Btf::parse(bytes, Some(&kernel))?),
        // Built into the kernel, batman-adv has its types among the kernel's.
        Err(error) if kernel.offset("batadv_priv", &[]).is_err() => return Err(LayoutError::NoModuleBtf(error)),
        Err(_) => None,
    };
    Ok(of(module.as_ref().unwrap_or(&kernel), netns_inode)?)
}

/// Whether this machine's kernel has batman-adv at the moment, as a module or built in; changes with each load.
pub(super) fn batadv_incarnation() -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    // The inode of a module's folder is a new one each time the module is loaded.
    fs::metadata(Path::new("/sys/module/batman_adv"))
        .ok()
        .map(|folder| folder.ino())
}

fn of(btf: &Btf<'_>, netns_inode: u32) -> Result<Layout, BtfError> {
    // Renamed in batman-adv 2025.1.
    let mesh_iface = btf
        .offset("batadv_priv", &["mesh_iface"])
        .or_else(|_| btf.offset("batadv_priv", &["soft_iface"]))?;
    Ok(Layout {
        netns_inode,
        priv_mesh_iface: mesh_iface,
        dev_ifindex: btf.offset("net_device", &["ifindex"])?,
        dev_net: btf.offset("net_device", &["nd_net", "net"])?,
        net_inode: btf.offset("net", &["ns", "inum"])?,
        orig_address: btf.offset("batadv_orig_node", &["orig"])?,
        orig_tables: btf.offset("batadv_orig_node", &["ifinfo_list", "first"])?,
        table_node: btf.offset("batadv_orig_ifinfo", &["list"])?,
        table_outgoing: btf.offset("batadv_orig_ifinfo", &["if_outgoing"])?,
        table_router: btf.offset("batadv_orig_ifinfo", &["router"])?,
        neigh_address: btf.offset("batadv_neigh_node", &["addr"])?,
        neigh_interface: btf.offset("batadv_neigh_node", &["if_incoming"])?,
        hardif_dev: btf.offset("batadv_hard_iface", &["net_dev"])?,
    })
}
