//! What the kernel tells of an interface.

use wl_nl80211::{Nl80211Attr, Nl80211ChannelWidth};

use super::{Channel, InterfaceType, WirelessInterface};
use crate::actuate::{Network, Radio};

impl WirelessInterface {
    /// `None`: it has no index or name, so it is no network interface (P2P has such).
    pub(super) fn from_attributes(attributes: &[Nl80211Attr]) -> Option<Self> {
        let (mut ifindex, mut ifname, mut wiphy, mut ssid) = (None, None, None, None);
        let mut iftype = InterfaceType::Unspecified;
        let (mut frequency, mut width, mut center) = (None, None, None);
        for attribute in attributes {
            match attribute {
                Nl80211Attr::IfIndex(value) => ifindex = Some(*value),
                Nl80211Attr::IfName(value) => ifname = Some(value.clone()),
                Nl80211Attr::Wiphy(value) => wiphy = Some(*value),
                Nl80211Attr::IfType(value) => iftype = *value,
                Nl80211Attr::WiphyFreq(value) => frequency = Some(*value),
                Nl80211Attr::ChannelWidth(value) => width = Some(*value),
                Nl80211Attr::CenterFreq1(value) => center = Some(*value),
                Nl80211Attr::SsidRaw(value) => ssid = Some(value.clone()).filter(|ssid| !ssid.is_empty()),
                _ => {}
            }
        }
        let channel = frequency.map(|frequency_mhz| Channel {
            frequency_mhz,
            width: width.unwrap_or(Nl80211ChannelWidth::NoHt20),
            center_mhz: center.unwrap_or(frequency_mhz),
        });
        let joined = match iftype {
            InterfaceType::MeshPoint => channel.is_some(),
            InterfaceType::Adhoc => ssid.is_some(),
            _ => false,
        };
        let mut interface = Self {
            ifindex: ifindex?,
            ifname: ifname?,
            wiphy: wiphy?,
            iftype,
            channel,
            ssid,
            joined,
            network: None,
            forwarding: None,
        };
        if interface.iftype == InterfaceType::Adhoc {
            interface.network = interface.radio(Network::Ibss, interface.ssid.clone());
        }
        Some(interface)
    }

    /// The kernel leaves out some of what network it is in; see [`super::memory`].
    pub(super) fn is_told_by_halves(&self) -> bool {
        self.joined && (self.iftype == InterfaceType::MeshPoint || self.channel.is_none())
    }

    /// Adds what is remembered of the network it is in to what the kernel tells.
    pub(super) fn complete(&mut self, remembered: Radio) {
        match &remembered.network {
            Network::Mesh(id) if self.iftype == InterfaceType::MeshPoint => {
                self.network = self.radio(Network::Mesh, Some(id.as_bytes().to_vec()));
            }
            Network::Ibss(ssid)
                if self.iftype == InterfaceType::Adhoc
                    && self.channel.is_none()
                    && self.ssid.as_deref() == Some(ssid.as_bytes()) =>
            {
                self.network = Some(remembered);
            }
            Network::Mesh(_) | Network::Ibss(_) => {}
        }
    }

    fn radio(&self, network: impl FnOnce(String) -> Network, name: Option<Vec<u8>>) -> Option<Radio> {
        let channel = self.channel.filter(|_| self.joined)?;
        Some(Radio {
            network: network(String::from_utf8(name?).ok()?),
            frequency_mhz: channel.frequency_mhz,
            width: channel.width()?,
        })
    }
}
