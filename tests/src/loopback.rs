use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// A guard port nobody else binds: who holds it on `.254` owns the block.
const GUARD_PORT: u16 = 6200;
const BLOCKS: u32 = 254 * 256;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// 127.x.y.0/24, owned by this value as long as it lives.
///
/// Addresses of their own make fixed ports free: no cluster of this or another test process can take
/// them, and outgoing connections, which come from 127.0.0.1, cannot either.
#[derive(Debug)]
pub struct LoopbackBlock {
    prefix: [u8; 3],
    _guard: TcpListener,
}

impl LoopbackBlock {
    /// Takes a free block.
    ///
    /// # Errors
    /// When every block is taken, which means that addresses of 127.0.0.0/8 cannot be bound here.
    pub fn take() -> Result<Self> {
        let first = std::process::id().wrapping_mul(31);
        for _ in 0..BLOCKS {
            let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
            let prefix = [127, u8::try_from(number / 256 + 1)?, u8::try_from(number % 256)?];
            let guard = Ipv4Addr::new(prefix[0], prefix[1], prefix[2], 254);
            if let Ok(guard) = TcpListener::bind((guard, GUARD_PORT)) {
                return Ok(Self { prefix, _guard: guard });
            }
        }
        bail!("no block of 127.0.0.0/8 can be bound on port {GUARD_PORT}: is the loopback interface up?")
    }

    /// The address of the block that ends in `host`.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.prefix[0], self.prefix[1], self.prefix[2], host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_differ_while_both_live() {
        let one = LoopbackBlock::take().unwrap();
        let other = LoopbackBlock::take().unwrap();
        assert_ne!(one.address(1), other.address(1));
        assert!(one.address(4).is_loopback());
    }
}
