//! What is kept on the NATS server: streams, the ledger's bucket, and objects.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use async_nats::jetstream::object_store::{ObjectMetadata, ObjectStore};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;

use super::bus::{Bus, BusError};
use super::subjects::{BLOCK_SUBJECTS, BLOCKS, BUNDLES, LEDGER, PART_SUBJECTS, PARTS, RECORDS};

/// How long anything is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// A block whose agent has not been heard of for so long is given to another.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(5);

/// The values of a bucket come soon, if there are any.
const FIRST_VALUE_WITHIN: Duration = Duration::from_millis(1_500);

const NO_JETSTREAM: &str =
    "start the NATS server with JetStream, as in `nats-server -js`, and give this user its permissions";

/// Creates what is not there yet: for a coordinator, which may.
pub(super) fn create(bus: &Bus) -> Result<(), BusError> {
    let streams = [
        Config {
            name: PARTS.to_owned(),
            subjects: vec![PART_SUBJECTS.to_owned()],
            max_messages_per_subject: 1,
            max_age: KEPT,
            ..Config::default()
        },
        Config {
            name: BLOCKS.to_owned(),
            subjects: vec![BLOCK_SUBJECTS.to_owned()],
            retention: RetentionPolicy::WorkQueue,
            max_age: KEPT,
            ..Config::default()
        },
        // As the bucket is made of: asked for as a bucket, servers before 2.10 refuse keys that they do not know.
        Config {
            name: format!("KV_{LEDGER}"),
            subjects: vec![format!("$KV.{LEDGER}.>")],
            max_messages_per_subject: 1,
            max_age: KEPT,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            ..Config::default()
        },
        // As a store is made of that is read without a direct request of the reader's: by such a request whoever may write a record
        // could have the server publish it where he likes.
        objects_config(RECORDS, false),
        objects_config(BUNDLES, true),
    ];
    for config in streams {
        let name = config.name.clone();
        bus.wait(bus.jetstream.get_or_create_stream(config)).map_err(|error| {
            bus.blame(BusError::new(format!("cannot create the stream {name}: {error}"), NO_JETSTREAM))
        })?;
    }
    Ok(())
}

/// The stream of an object store.
fn objects_config(store: &str, allow_direct: bool) -> Config {
    Config {
        name: format!("OBJ_{store}"),
        subjects: vec![format!("$O.{store}.C.>"), format!("$O.{store}.M.>")],
        max_age: KEPT,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        allow_direct,
        ..Config::default()
    }
}

fn objects(bus: &Bus, store: &str) -> Result<ObjectStore, BusError> {
    bus.wait(bus.jetstream.get_object_store(store))
        .map_err(|error| BusError::new(format!("cannot find the store {store}: {error}"), NO_JETSTREAM))
}

/// Keeps bytes under a name.
pub(super) fn put(bus: &Bus, store: &str, name: &str, bytes: &[u8]) -> Result<(), BusError> {
    let objects = objects(bus, store)?;
    let meta = ObjectMetadata { name: name.to_owned(), ..ObjectMetadata::default() };
    let mut reader = bytes;
    bus.wait(objects.put(meta, &mut reader)).map_err(|error| {
        BusError::new(format!("cannot keep {name} in {store}: {error}"), "is the NATS server out of room?")
    })?;
    Ok(())
}

/// Whether there is something under a name.
pub(super) fn has(bus: &Bus, store: &str, name: &str) -> Result<bool, BusError> {
    let objects = objects(bus, store)?;
    Ok(bus.wait(objects.info(name)).is_ok())
}

/// What is kept under a name.
pub(super) fn get(bus: &Bus, store: &str, name: &str) -> Result<Vec<u8>, BusError> {
    let refused = |why: String| BusError::new(format!("cannot read {name} of {store}: {why}"), "it is kept for 7 days");
    let objects = objects(bus, store)?;
    bus.wait(async {
        let mut object = objects.get(name).await.map_err(|error| refused(error.to_string()))?;
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes).await.map_err(|error| refused(error.to_string()))?;
        Ok(bytes)
    })
}

/// The bytes of the last message on a subject of the stream of parts, if there is one.
pub(super) fn last_part(bus: &Bus, subject: &str) -> Option<Vec<u8>> {
    let stream = bus.wait(bus.jetstream.get_stream(PARTS)).ok()?;
    let message = bus.wait(stream.get_last_raw_message_by_subject(subject)).ok()?;
    Some(message.payload.to_vec())
}

/// Publishes to a stream, and waits until the server has it.
pub(super) fn publish(bus: &Bus, subject: &str, bytes: Vec<u8>) -> Result<(), BusError> {
    let failed = |why: String| BusError::new(format!("the NATS server has not taken {subject}: {why}"), NO_JETSTREAM);
    bus.wait(async {
        let taken =
            bus.jetstream.publish(subject.to_owned(), bytes.into()).await.map_err(|error| failed(error.to_string()))?;
        taken.await.map(drop).map_err(|error| failed(error.to_string()))
    })
}

/// A value of the ledger, and its revision.
pub(super) type RevisedValue = (Vec<u8>, u64);

/// How far each block is. A change names the revision that it is based on, and fails if somebody was faster.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    bus: Bus,
    store: Store,
}

impl Bucket {
    pub fn open(bus: &Bus) -> Result<Bucket, BusError> {
        let store = bus
            .wait(bus.jetstream.get_key_value(LEDGER))
            .map_err(|error| BusError::new(format!("cannot find the ledger: {error}"), NO_JETSTREAM))?;
        Ok(Bucket { bus: bus.clone(), store })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Result<Option<RevisedValue>, BusError> {
        let entry = self.bus.wait(self.store.entry(key));
        let entry =
            entry.map_err(|error| BusError::new(format!("cannot read {key} of the ledger: {error}"), NO_JETSTREAM))?;
        Ok(entry.map(|entry| (entry.value.to_vec(), entry.revision)))
    }

    /// The values of all keys that match a pattern: those of the moment.
    pub fn all(&self, pattern: &str) -> Result<Vec<(String, Vec<u8>)>, BusError> {
        let failed = |why: String| BusError::new(format!("cannot read the ledger: {why}"), NO_JETSTREAM);
        self.bus.wait(async {
            let mut watch = self.store.watch_with_history(pattern).await.map_err(|error| failed(error.to_string()))?;
            let mut all = Vec::new();
            // Where there is no key nothing ever comes.
            while let Ok(Some(next)) = tokio::time::timeout(FIRST_VALUE_WITHIN, watch.next()).await {
                let entry = next.map_err(|error| failed(error.to_string()))?;
                let is_last = entry.delta == 0;
                all.push((entry.key, entry.value.to_vec()));
                if is_last {
                    break;
                }
            }
            Ok(all)
        })
    }

    /// Writes a new key; false if it is there.
    pub fn create(&self, key: &str, value: Vec<u8>) -> Result<bool, BusError> {
        match self.bus.wait(self.store.create(key, value.into())) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(BusError::new(format!("cannot write {key} of the ledger: {error}"), NO_JETSTREAM)),
        }
    }

    /// Writes a key whose revision is still this one; the new revision, or `None` if somebody was faster.
    pub fn update(&self, key: &str, value: Vec<u8>, revision: u64) -> Result<Option<u64>, BusError> {
        match self.bus.wait(self.store.update(key, value.into(), revision)) {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(error) => Err(BusError::new(format!("cannot write {key} of the ledger: {error}"), NO_JETSTREAM)),
        }
    }
}

/// The blocks of a pool, for whoever works on them.
pub(super) fn blocks(bus: &Bus, pool: &str) -> Result<PullConsumer, BusError> {
    let refused =
        |error: String| BusError::new(format!("cannot take blocks of the pool {pool}: {error}"), NO_JETSTREAM);
    let name = format!("agents-{pool}");
    let config = pull::Config {
        durable_name: Some(name.clone()),
        filter_subject: format!("runner.block.{pool}.>"),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: -1,
        ..pull::Config::default()
    };
    bus.wait(async {
        let stream = bus.jetstream.get_stream(BLOCKS).await.map_err(|error| refused(error.to_string()))?;
        stream.get_or_create_consumer(&name, config).await.map_err(|error| refused(error.to_string()))
    })
}

/// Publishes many messages to a stream, and waits until the server has all.
pub(super) fn publish_all(bus: &Bus, messages: Vec<(String, Vec<u8>)>) -> Result<(), BusError> {
    let failed = |why: String| BusError::new(format!("the NATS server has not taken all blocks: {why}"), NO_JETSTREAM);
    bus.wait(async {
        let mut taken = Vec::new();
        for (subject, bytes) in messages {
            taken.push(bus.jetstream.publish(subject, bytes.into()).await.map_err(|error| failed(error.to_string()))?);
        }
        for one in taken {
            one.await.map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    })
}

/// How many blocks of a run are queued or handed out; `None` where that cannot be told.
pub(super) fn pending(bus: &Bus, pool: &str, run: &str) -> Option<usize> {
    bus.wait(async {
        let stream = bus.jetstream.get_stream(BLOCKS).await.ok()?;
        let mut subjects = stream.info_with_subjects(format!("runner.block.{pool}.{run}.*")).await.ok()?;
        let mut count = 0;
        while let Some(subject) = subjects.next().await {
            count += subject.ok()?.1;
        }
        Some(count)
    })
}
