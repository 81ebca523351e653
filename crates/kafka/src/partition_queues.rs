//! A queue of its own for every partition: what is not read of one partition holds up no other.
//!
//! Without it the library puts the messages of all partitions into one queue, and whoever has no room for the first one
//! has to pause its partition, which throws away what was fetched ahead. With it the library stops fetching for a
//! partition whose queue is full, and the others go on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;

/// Wakes the one thread that polls.
#[derive(Debug, Default)]
pub struct Wakeup {
    called: Mutex<bool>,
    changed: Condvar,
}

impl Wakeup {
    /// There is something to do for the thread: it goes on at once, or does not begin to wait.
    pub fn call(&self) {
        *self.called() = true;
        self.changed.notify_one();
    }

    /// Waits to be called, no longer than `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let waited = self
            .changed
            .wait_timeout_while(self.called(), timeout, |called| !*called);
        let (mut called, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *called = false;
    }

    fn called(&self) -> MutexGuard<'_, bool> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues of the partitions that are assigned, by what the caller calls a partition.
pub struct PartitionQueues<K, C: ConsumerContext + 'static> {
    /// Weak: the client owns the context that holds this.
    client: OnceLock<Weak<BaseConsumer<C>>>,
    open: Mutex<BTreeMap<K, PartitionQueue<C>>>,
    wakeup: Arc<Wakeup>,
}

impl<K: Ord, C: ConsumerContext + 'static> PartitionQueues<K, C> {
    /// No queues yet; `wakeup` is called when one is no longer empty.
    #[must_use]
    pub fn new(wakeup: Arc<Wakeup>) -> Self {
        Self {
            client: OnceLock::new(),
            open: Mutex::default(),
            wakeup,
        }
    }

    /// Whose partitions they are. To be called once, before the client joins its group.
    pub fn belong_to(&self, client: &Arc<BaseConsumer<C>>) {
        // A second call would name the same client.
        let _ = self.client.set(Arc::downgrade(client));
    }

    /// Gives a partition a queue of its own. Called in the callback of the assignment and before the partition is
    /// assigned: then no message of it goes anywhere else.
    ///
    /// False when the client is being closed.
    pub fn open(&self, key: K, topic: &str, partition: i32) -> bool {
        let client = self.client.get().and_then(Weak::upgrade);
        let Some(mut queue) = client.and_then(|client| client.split_partition_queue(topic, partition)) else {
            return false;
        };
        let wakeup = Arc::clone(&self.wakeup);
        queue.set_nonempty_callback(move || wakeup.call());
        self.queues().insert(key, queue);
        true
    }

    /// Closes the queue of a partition that is taken away.
    pub fn close(&self, key: &K) {
        // Outside of the lock: what holds the client may be the last to hold it.
        let closed = self.queues().remove(key);
        drop(closed);
    }

    /// Closes all of them: each holds the client.
    pub fn close_all(&self) {
        let closed = std::mem::take(&mut *self.queues());
        drop(closed);
    }

    /// The next message of a partition, read at once; none when nothing of it is there.
    pub fn poll<T>(&self, key: &K, read: impl FnOnce(&BorrowedMessage<'_>) -> T) -> Option<KafkaResult<T>> {
        let queues = self.queues();
        let polled = queues.get(key)?.poll(Duration::ZERO)?;
        Some(polled.map(|message| read(&message)))
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<K, PartitionQueue<C>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, C: ConsumerContext + 'static> fmt::Debug for PartitionQueues<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartitionQueues")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Wakeup;

    #[test]
    fn a_call_before_the_wait_is_not_overslept_and_counts_once() {
        let wakeup = Wakeup::default();
        wakeup.call();
        wakeup.call();
        let begun = Instant::now();
        wakeup.wait(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let begun = Instant::now();
        wakeup.wait(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_call_from_another_thread_ends_the_wait() {
        let wakeup = Arc::new(Wakeup::default());
        let called = Arc::clone(&wakeup);
        let calling = thread::spawn(move || called.call());
        let begun = Instant::now();
        wakeup.wait(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(calling.join().is_ok());
    }
}
