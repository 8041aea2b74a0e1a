//! *Room* for instances: memory mappings, of which the system gives a process
//! only so many (`vm.max_map_count`, 65,530 by default on Linux). A process that
//! runs out of them cannot even allocate any more and dies, so instances wait
//! for each other instead.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Mappings of one linear memory: what lies before its image, the image, what
/// lies behind it, and the rest of its address space.
const PER_MEMORY: u32 = 4;
/// Mappings of one stack: itself and its guard page.
const PER_STACK: u32 = 2;
/// Mappings left to everything else: threads, files, the allocator.
const RESERVE: usize = 3_000;

/// Mappings that instances may take together.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// What one instance takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _mappings: OwnedSemaphorePermit,
}

impl Room {
    /// The room beside a pool of this many stacks, which are all there from the
    /// start.
    pub(crate) fn new(pool: u32) -> Self {
        Self(Arc::new(Semaphore::new(free(most_mappings(), pool))))
    }

    /// Waits until there is room for an instance with this many memories.
    /// `pooled`: its stack is one of the pool's.
    pub(crate) async fn take(&self, memories: u32, pooled: bool) -> Place {
        let stack = if pooled { 0 } else { PER_STACK };
        let mappings = memories.saturating_mul(PER_MEMORY).saturating_add(stack).max(1);
        // What can never fit must not wait forever.
        let mappings = mappings.min(RESERVE as u32);
        let permit = Arc::clone(&self.0).acquire_many_owned(mappings).await;
        Place { _mappings: permit.expect("this semaphore is never closed") }
    }
}

/// Of `most` mappings, those that are left for instances.
fn free(most: usize, pool: u32) -> usize {
    most.saturating_sub(RESERVE)
        .saturating_sub(pool as usize * PER_STACK as usize)
        .clamp(RESERVE, Semaphore::MAX_PERMITS)
}

/// How many mappings a process may have.
fn most_mappings() -> usize {
    // Other systems have no such file, and no such limit worth counting with.
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    limit.and_then(|limit| limit.trim().parse().ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn an_instance_waits_until_there_is_room() {
        let room = Room(Arc::new(Semaphore::new(9)));
        let first = room.take(1, true).await;
        let _second = room.take(1, true).await;
        assert!(room.take(1, true).now_or_never().is_none());
        drop(first);
        assert!(room.take(1, true).now_or_never().is_some());
    }

    /// 65,530 mappings, the default of Linux.
    #[test]
    fn ten_thousand_instances_fit_beside_their_stacks() {
        assert!(free(65_530, 10_240) >= 10_240 * PER_MEMORY as usize);
        assert_eq!(free(100, 10_240), RESERVE);
        assert_eq!(free(usize::MAX, 0), Semaphore::MAX_PERMITS);
    }
}
