//! Work that looks like a spin to a clock: no progress, no page fault and no wait, for several times as long
//! as an unexpected spin is looked at. Its program counter tells it from a spin: it goes from one page of
//! code to the next.

use std::io;

use super::Selftest;
use sigproof_harness::failure::Failure;
use sigproof_harness::supervise::spin;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;

/// Phases of work, each in a page of code of its own.
const PHASES: usize = 12;

/// Bytes from one piece of code to the next.
const PAGE: usize = 4096;

/// Counts its argument down to zero and returns.
#[cfg(target_arch = "x86_64")]
const COUNT_DOWN: &[u8] = &[
    0x48, 0xff, 0xcf, // dec rdi
    0x75, 0xfb, // jnz -5
    0xc3, // ret
];
/// Counts its argument down to zero and returns.
#[cfg(target_arch = "aarch64")]
const COUNT_DOWN: &[u8] = &[
    0x00, 0x04, 0x00, 0xf1, // subs x0, x0, #1
    0xe1, 0xff, 0xff, 0x54, // b.ne -4
    0xc0, 0x03, 0x5f, 0xd6, // ret
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const COUNT_DOWN: &[u8] = &[];

pub(in crate::cases) static PHASED_WORK: Selftest = Selftest {
    name: "selftest-phased-work",
    summary: "the child works without a sign of progress for much longer than a spin is looked at, in one page of code after the other: no livelock",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        let code = Code::new()?;
        // The first execution of a page is a page fault, which would count as progress later.
        (0..PHASES).for_each(|phase| code.run(phase, 1));
        for phase in 0..PHASES {
            spin::burn(spin::limit(false) / 2, || code.run(phase, 1 << 16));
        }
        Ok(())
    },
};

/// The same few instructions, once in each page of a mapping.
struct Code(memmap2::Mmap);

impl Code {
    fn new() -> Result<Self, Failure> {
        if COUNT_DOWN.is_empty() {
            let error = io::Error::from(io::ErrorKind::Unsupported);
            return Err(Refusal::new("machine code for this architecture", &error).into());
        }
        let refused = |error: io::Error| Failure::from(Refusal::new("mmap", &error));
        let mut pages = memmap2::MmapMut::map_anon(PHASES * PAGE).map_err(refused)?;
        for page in pages.chunks_mut(PAGE) {
            page[..COUNT_DOWN.len()].copy_from_slice(COUNT_DOWN);
        }
        // On arm64 Linux cleans the caches of a page when it first becomes executable.
        Ok(Self(pages.make_exec().map_err(refused)?))
    }

    /// Runs the code of one page for so many turns.
    fn run(&self, phase: usize, turns: u64) {
        let at: *const u8 = &raw const self.0[phase * PAGE];
        // SAFETY: the page holds `COUNT_DOWN`, executable and unchanging, a function of the C ABI that
        // touches its argument and the flags only.
        unsafe { core::mem::transmute::<*const u8, extern "C" fn(u64)>(at)(turns) };
    }
}
