use rustix::process::{Resource, getrlimit};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{MAX_TABLE_ENTRIES, RuntimeConfig};

/// Pages that a slot keeps for its next instance instead of giving them back: most guests touch less.
/// Clearing them is cheap only where the kernel says which were written (`PAGEMAP_SCAN`), so the two go together.
const MEMORY_KEPT: usize = 2 << 20;
const TABLES_KEPT: usize = 64 << 10;

/// Core instances of one component: its module, an adapter and a shim; an interpreter's libraries are many more.
pub(super) const CORE_INSTANCES: u32 = 64;
/// Memories of one component. Nearly all have one.
pub(super) const MEMORIES: u32 = 2;
/// Tables of one component.
pub(super) const TABLES: u32 = 8;

/// Address space beyond a memory's end, where there is little of it: for the memory to grow into, which it is moved for when
/// that is used up, and to fault in, which spares the checks of accesses at small offsets.
const ROOM_TO_GROW: u64 = 1 << 20;
const GUARD: u64 = 64 << 10;
/// The stack of an instance where there is little address space, guest's and host functions' together.
const SMALL_STACK: usize = 1 << 20;

/// Where instances get their memory, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Slots reserved once, written pages found by the kernel and cleared.
    PoolWithPagemapScan,
    /// Slots reserved once, given back to the kernel after each event.
    Pool,
    /// Memory mapped for each instance, in 4 GiB of address space of its own: about five times slower, for where a pool can't
    /// be reserved.
    OnDemand,
    /// Memory mapped for each instance, in hardly more address space than it has memory, for where that is limited
    /// (`ulimit -v`). Guests' code checks the bounds of each access itself: it is another engine's than that of the others.
    OnDemandInLittleSpace,
}

impl Allocation {
    /// What is left where no pool can be reserved.
    pub(super) fn without_pool() -> Self {
        match getrlimit(Resource::As).current {
            Some(_) => Self::OnDemandInLittleSpace,
            None => Self::OnDemand,
        }
    }

    /// Sets an engine up for it.
    pub(super) fn configure(self, engine: &mut Config, config: &RuntimeConfig) {
        let strategy = match self {
            Self::PoolWithPagemapScan => {
                let mut pool = pool_config(config);
                pool.pagemap_scan(Enabled::Yes)
                    .linear_memory_keep_resident(MEMORY_KEPT)
                    .table_keep_resident(TABLES_KEPT);
                InstanceAllocationStrategy::Pooling(pool)
            }
            Self::Pool => InstanceAllocationStrategy::Pooling(pool_config(config)),
            Self::OnDemand => InstanceAllocationStrategy::OnDemand,
            Self::OnDemandInLittleSpace => {
                engine.memory_reservation(0).memory_reservation_for_growth(ROOM_TO_GROW);
                engine.memory_guard_size(GUARD).guard_before_linear_memory(false);
                engine.async_stack_size(SMALL_STACK);
                InstanceAllocationStrategy::OnDemand
            }
        };
        engine.allocation_strategy(strategy);
    }
}

fn pool_config(config: &RuntimeConfig) -> PoolingAllocationConfig {
    // One more than are asked for, so that a new version can be tried while all the others are taken.
    let count = config.max_instances.saturating_add(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        // So many for each, and for all together: what one component may have, each of them can have at once.
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_core_instances(count.saturating_mul(CORE_INSTANCES))
        .max_memories_per_component(MEMORIES)
        .total_memories(count.saturating_mul(MEMORIES))
        .max_tables_per_component(TABLES)
        .total_tables(count.saturating_mul(TABLES))
        .table_elements(MAX_TABLE_ENTRIES)
        .total_stacks(count)
        .max_memory_size(config.max_memory);
    pool
}
