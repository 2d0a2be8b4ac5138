//! Where a channel is: the arithmetic between `iw`'s words and the kernel's.

use wl_nl80211::Nl80211ChannelWidth;

use crate::actuate::Width;

/// A channel as the kernel tells it. Frequencies are MHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Centre of the control channel, 20 MHz wide.
    pub frequency_mhz: u32,
    /// Width of the whole.
    pub width: Nl80211ChannelWidth,
    /// Centre of the whole.
    pub center_mhz: u32,
}

/// First control channel and number of blocks of 80 MHz that follow each other, of 5 and 6 GHz.
const BLOCKS: [(u32, u32); 4] = [(5180, 2), (5500, 3), (5745, 2), (5955, 14)];

impl Channel {
    /// As `iw` names it. `None`: there is no such channel.
    pub fn new(frequency_mhz: u32, width: Width) -> Option<Self> {
        let (width, center_mhz) = match width {
            Width::NoHt => (Nl80211ChannelWidth::NoHt20, frequency_mhz),
            Width::Ht20 => (Nl80211ChannelWidth::Mhz(20), frequency_mhz),
            Width::Ht40Plus => (Nl80211ChannelWidth::Mhz(40), frequency_mhz.checked_add(10)?),
            Width::Ht40Minus => (Nl80211ChannelWidth::Mhz(40), frequency_mhz.checked_sub(10)?),
            Width::Mhz80 => (Nl80211ChannelWidth::Mhz(80), center_of_80(frequency_mhz)?),
        };
        Some(Self {
            frequency_mhz,
            width,
            center_mhz,
        })
    }

    /// As `iw` names it, if it has a name there that we write.
    pub fn width(&self) -> Option<Width> {
        [
            Width::NoHt,
            Width::Ht20,
            Width::Ht40Plus,
            Width::Ht40Minus,
            Width::Mhz80,
        ]
        .into_iter()
        .find(|&width| Self::new(self.frequency_mhz, width) == Some(*self))
    }
}

/// Centre of the block of 80 MHz a control channel is in.
fn center_of_80(frequency_mhz: u32) -> Option<u32> {
    BLOCKS.into_iter().find_map(|(first, blocks)| {
        let above = frequency_mhz.checked_sub(first)?;
        let block = above / 80;
        (above.is_multiple_of(20) && block < blocks).then_some(first + block * 80 + 30)
    })
}
