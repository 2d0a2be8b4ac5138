//! The programs Echolot's agent loads into the kernel: `traffic` on each hard interface, `route` on batman-adv's
//! route update. They only look: no packet is changed, held up or dropped, whatever happens in here.
#![no_std]
#![no_main]

mod route;
mod traffic;

/// The helpers the programs call are the kernel's GPL-only ones.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing in here panics; the verifier would refuse the endless loop if anything led to it.
    loop {}
}
