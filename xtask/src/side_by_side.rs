//! Independent pieces of work, some at a time.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Result, anyhow};

/// Does the work on each item, on so many threads; after an error nobody takes another item, and it is the result.
pub(crate) fn side_by_side<T: Send>(
    threads: NonZeroUsize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let left = Mutex::new(Some(items));
    // A function of its own, so that the lock is not held during the work.
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Iterator::next);
    let through = || {
        while let Some(item) = next() {
            work(item).inspect_err(|_| *left.lock().unwrap_or_else(PoisonError::into_inner) = None)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(through)).collect();
        let ended =
            workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?);
        ended.collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use anyhow::bail;

    use super::*;

    #[test]
    fn every_item_has_its_turn_and_an_error_ends_it() {
        let (two, sum) = (NonZeroUsize::new(2).unwrap(), AtomicU64::new(0));
        let add = |item| Ok(_ = sum.fetch_add(item, Ordering::Relaxed));
        side_by_side(two, 1..=10, add).unwrap();
        assert_eq!(sum.load(Ordering::Relaxed), 55);
        let endless = side_by_side(two, 0_u64.., |item| if item < 5 { Ok(()) } else { bail!("the fifth") });
        assert_eq!(endless.unwrap_err().to_string(), "the fifth");
    }
}
