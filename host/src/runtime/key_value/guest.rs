use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::bindings::{atomics, store};
use super::keeping::{Bucket, Keeping, Swap};
use super::refusal::{Failed, Refusal};
use crate::key_value::{Key, Value};
use crate::runtime::state::GuestState;

/// What a call has of its instance.
pub(in crate::runtime) struct View<'a> {
    pub(in crate::runtime) keeping: &'a mut Keeping,
    pub(in crate::runtime) table: &'a mut ResourceTable,
}

struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

/// Lets guests import `wasi:keyvalue`, without its batches, which are no more than several calls.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasView>(linker, GuestState::key_value)?;
    atomics::add_to_linker::<_, HasView>(linker, GuestState::key_value)
}

impl View<'_> {
    /// What the guest is told of a refusal, and the log of the first.
    fn told(&mut self, refusal: &Refusal) -> store::Error {
        self.keeping.tell(refusal);
        refusal.into()
    }
}

impl store::Host for View<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Failed> {
        let space = self.keeping.space(&identifier)?;
        Ok(self.table.push(Bucket { space })?)
    }

    fn convert_error(&mut self, error: Failed) -> wasmtime::Result<store::Error> {
        match error {
            Failed::Refused(refusal) => Ok(self.told(&refusal)),
            Failed::Trap(error) => Err(error),
        }
    }
}

impl store::HostBucket for View<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Failed> {
        let (store, key) = (self.keeping.ask()?, Key::new(key)?);
        Ok(store.get(&self.table.get(&bucket)?.space, &key).await?)
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Failed> {
        let (store, key, value) = (self.keeping.ask()?, Key::new(key)?, Value::new(value)?);
        Ok(store.set(&self.table.get(&bucket)?.space, &key, value).await?)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Failed> {
        let (store, key) = (self.keeping.ask()?, Key::new(key)?);
        Ok(store.delete(&self.table.get(&bucket)?.space, &key).await?)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Failed> {
        let (store, key) = (self.keeping.ask()?, Key::new(key)?);
        Ok(store.exists(&self.table.get(&bucket)?.space, &key).await?)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Failed> {
        let store = self.keeping.ask()?;
        let page = store.keys(&self.table.get(&bucket)?.space, cursor.as_deref()).await?;
        Ok(store::KeyResponse { keys: page.keys, cursor: page.next })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl View<'_> {
    /// A handle of a value as it is now.
    async fn begin_swap(&mut self, bucket: Bucket, key: Key) -> Result<Resource<Swap>, Failed> {
        let store = self.keeping.ask()?;
        self.keeping.begin_swap()?;
        match store.get(&bucket.space, &key).await {
            Ok(seen) => Ok(self.table.push(Swap { space: bucket.space, key, seen })?),
            Err(error) => {
                self.keeping.end_swap();
                Err(error.into())
            }
        }
    }

    /// Puts a value in the place of what a handle saw, or gives a handle of what is there instead.
    async fn end_swap(&mut self, swap: Swap, value: Vec<u8>) -> Result<Option<Resource<Swap>>, Failed> {
        let (store, value) = (self.keeping.ask()?, Value::new(value)?);
        let Swap { space, key, seen } = swap;
        if store.swap(&space, &key, seen, value).await? {
            return Ok(None);
        }
        self.begin_swap(Bucket { space }, key).await.map(Some)
    }
}

impl atomics::Host for View<'_> {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> Result<i64, Failed> {
        let (store, key) = (self.keeping.ask()?, Key::new(key)?);
        Ok(store.increment(&self.table.get(&bucket)?.space, &key, delta).await?)
    }

    async fn swap(&mut self, swap: Resource<Swap>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let swap = self.table.delete(swap)?;
        self.keeping.end_swap();
        match self.end_swap(swap, value).await {
            Ok(None) => Ok(Ok(())),
            Ok(Some(again)) => Ok(Err(atomics::CasError::CasFailed(again))),
            Err(Failed::Refused(refusal)) => Ok(Err(atomics::CasError::StoreError(self.told(&refusal)))),
            Err(Failed::Trap(error)) => Err(error),
        }
    }
}

impl atomics::HostCas for View<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Resource<Swap>, Failed> {
        let key = Key::new(key)?;
        let space = self.table.get(&bucket)?.space.clone();
        self.begin_swap(Bucket { space }, key).await
    }

    async fn current(&mut self, swap: Resource<Swap>) -> Result<Option<Vec<u8>>, Failed> {
        self.keeping.ask()?;
        Ok(self.table.get(&swap)?.seen.clone())
    }

    async fn drop(&mut self, swap: Resource<Swap>) -> wasmtime::Result<()> {
        self.table.delete(swap)?;
        self.keeping.end_swap();
        Ok(())
    }
}
