//! A network device's own statistics, by the names it gives them (`SIOCETHTOOL`; no privilege needed).
//!
//! Which counters there are varies with kernel and configuration, and their order carries no meaning beyond the table
//! of names read beside them: match by name.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use mesh_proto::model::IfName;
use nix::errno::Errno;

/// `ETHTOOL_GSTRINGS`, `GSTATS`, `GSSET_INFO` and `ETH_SS_STATS` of `include/uapi/linux/ethtool.h`.
const GSTRINGS: u32 = 0x1b;
const GSTATS: u32 = 0x1d;
const GSSET_INFO: u32 = 0x37;
const SS_STATS: u32 = 1;
/// `ETH_GSTRING_LEN`.
const NAME_LEN: usize = 32;
/// What there is always room for, whatever a device says it has; batman-adv has at most 47 counters.
const MOST_COUNTERS: u32 = 1024;
/// Header of a string set: command, set, length.
const STRINGS_HEADER: usize = 12;
/// Header of a set of statistics: command, length.
const STATS_HEADER: usize = 8;

/// Why a device's statistics could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EthtoolError {
    /// No device of that name, or it went meanwhile.
    #[error("no interface {0}")]
    NoSuchInterface(IfName),
    /// It keeps no statistics of its own.
    #[error("{0} has no statistics of its own")]
    Unsupported(IfName),
    /// It has more than there is room for.
    #[error("{0} has {1} statistics; there is room for 1024")]
    TooMany(IfName, u32),
    /// The number of counters changed between two reads; ask again.
    #[error("{0} changed its statistics while they were read")]
    Changed(IfName),
    /// Anything else.
    #[error("SIOCETHTOOL on {name} failed")]
    Io {
        /// The device.
        name: IfName,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A socket to ask through.
#[derive(Debug)]
pub struct Ethtool {
    socket: UnixDatagram,
}

/// A command's buffer, aligned for the 64-bit values in it.
struct Buffer(Vec<u64>);

impl Ethtool {
    /// Opens a socket in the network namespace of this thread.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            // Any socket of the namespace will do, and this kind needs no address.
            socket: UnixDatagram::unbound()?,
        })
    }

    /// All counters of a device by name.
    pub fn statistics(&self, name: &IfName) -> Result<BTreeMap<String, u64>, EthtoolError> {
        let count = self.count(name)?;
        if count == 0 {
            return Err(EthtoolError::Unsupported(name.clone()));
        }
        if count > MOST_COUNTERS {
            return Err(EthtoolError::TooMany(name.clone(), count));
        }
        let room = MOST_COUNTERS as usize;
        let mut strings = Buffer::new(STRINGS_HEADER + room * NAME_LEN, &[GSTRINGS, SS_STATS, count]);
        self.command(name, &mut strings)?;
        let mut stats = Buffer::new(STATS_HEADER + room * 8, &[GSTATS, count]);
        self.command(name, &mut stats)?;
        if strings.word(2) != count || stats.word(1) != count {
            return Err(EthtoolError::Changed(name.clone()));
        }
        Ok(decode(&strings.bytes(), &stats.bytes(), count as usize))
    }

    fn count(&self, name: &IfName) -> Result<u32, EthtoolError> {
        // command, reserved, a mask of sets (64 bits), and the sets' lengths
        let mut info = Buffer::new(24, &[GSSET_INFO, 0, 1 << SS_STATS, 0]);
        self.command(name, &mut info)?;
        // The mask comes back with the sets that the device has.
        Ok(if info.word(2) & 1 << SS_STATS == 0 {
            0
        } else {
            info.word(4)
        })
    }

    #[expect(
        unsafe_code,
        reason = "SIOCETHTOOL has no safe wrapper; this is the only place that issues it"
    )]
    fn command(&self, name: &IfName, buffer: &mut Buffer) -> Result<(), EthtoolError> {
        nix::ioctl_readwrite_bad!(siocethtool, libc::SIOCETHTOOL, libc::ifreq);
        let mut request = libc::ifreq {
            ifr_name: [0; libc::IFNAMSIZ],
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                ifru_data: buffer.0.as_mut_ptr().cast(),
            },
        };
        // The last byte stays NUL: an IfName has at most IFNAMSIZ - 1 bytes.
        for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: `ifr_data` points to memory owned by `buffer`, which lives and is not touched otherwise until the
        // call returns. GSSET_INFO writes one length per bit of the mask, for which there is room. GSTRINGS and
        // GSTATS write as many entries as the device has, whatever the caller asks for; the device had at most
        // MOST_COUNTERS a moment ago, for which there is room however many it had. batman-adv's set is fixed while
        // the module is loaded; another device that took the name between two calls has to have more than 1024.
        match unsafe { siocethtool(self.socket.as_raw_fd(), &raw mut request) } {
            Ok(_) => Ok(()),
            Err(Errno::ENODEV) => Err(EthtoolError::NoSuchInterface(name.clone())),
            Err(Errno::EOPNOTSUPP) => Err(EthtoolError::Unsupported(name.clone())),
            Err(errno) => Err(EthtoolError::Io {
                name: name.clone(),
                source: errno.into(),
            }),
        }
    }
}

impl Buffer {
    fn new(len: usize, header: &[u32]) -> Self {
        let mut words = vec![0; len.div_ceil(8)];
        for (word, pair) in words.iter_mut().zip(header.chunks(2)) {
            let mut bytes = [0; 8];
            for (to, from) in bytes.chunks_exact_mut(4).zip(pair) {
                to.copy_from_slice(&from.to_ne_bytes());
            }
            *word = u64::from_ne_bytes(bytes);
        }
        Self(words)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// The 32-bit word at that place, 0 beyond the end.
    fn word(&self, index: usize) -> u32 {
        let bytes = self.0.get(index / 2).copied().unwrap_or(0).to_ne_bytes();
        let half: [u8; 4] = if index.is_multiple_of(2) {
            [bytes[0], bytes[1], bytes[2], bytes[3]]
        } else {
            [bytes[4], bytes[5], bytes[6], bytes[7]]
        };
        u32::from_ne_bytes(half)
    }
}

/// Puts names and values together; names that are no UTF-8 are read as far as they are.
fn decode(strings: &[u8], stats: &[u8], count: usize) -> BTreeMap<String, u64> {
    let names = strings.get(STRINGS_HEADER..).unwrap_or_default().chunks_exact(NAME_LEN);
    let values = stats.get(STATS_HEADER..).unwrap_or_default().as_chunks::<8>().0;
    names
        .zip(values)
        .take(count)
        .map(|(name, value)| {
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            (
                String::from_utf8_lossy(name).trim().to_owned(),
                u64::from_ne_bytes(*value),
            )
        })
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
