//! The issuer's keys, kept: fetched ahead and again, so that a verification asks nobody, an issuer that is away for
//! a while is not noticed, and a new key is found when the first token signed with it arrives.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::AuthError;
use crate::jose::Jose;
use crate::jwks::{Fitting, KeySet, Unused};
use crate::source::{FetchError, KeySource};

/// Unknown key ids that may make us ask the issuer at once; after them, one each `refetch_every`.
const BURST: u32 = 3;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// When to ask the issuer.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyPolicy {
    /// Between two fetches when nothing is the matter.
    pub(super) refresh: Duration,
    /// Unknown key ids are made up easily: they make us ask no more often than this, after a few at once.
    pub(super) refetch_every: Duration,
    /// Keys older than this are not used: a key that the issuer has withdrawn must end some time.
    pub(super) max_age: Duration,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyError {
    /// The issuer was asked and publishes none of this id.
    Unknown,
    /// The issuer cannot be asked now, so nobody knows; it may be worth another try after this time.
    Unavailable {
        /// Until the issuer may be asked again.
        retry_after: Duration,
    },
}

pub(super) struct Keys {
    source: KeySource,
    policy: KeyPolicy,
    current: RwLock<Option<Arc<Fetched>>>,
    on_demand: Mutex<OnDemand>,
    /// Keys of the last fetch that cannot be used: each is named once for as long as it is published.
    named: std::sync::Mutex<HashSet<Unused>>,
}

struct Fetched {
    keys: KeySet,
    at: Instant,
}

struct OnDemand {
    allowed: u32,
    counted_from: Instant,
    failed_at: Option<Instant>,
}

impl Keys {
    pub(super) fn new(source: KeySource, policy: KeyPolicy) -> Self {
        Self {
            source,
            policy,
            current: RwLock::new(None),
            on_demand: Mutex::new(OnDemand {
                allowed: BURST,
                counted_from: Instant::now(),
                failed_at: None,
            }),
            named: std::sync::Mutex::default(),
        }
    }

    /// The keys a token may be signed with, at least one. Asks the issuer only when none is among the keys we have. That
    /// there is no such key is said only on the issuer's word: a token whose key we may not ask for now can be good.
    pub(super) async fn find(&self, jose: &Jose) -> Result<Fitting, KeyError> {
        if let Some(fitting) = self.usable().and_then(|fetched| fetched.fitting(jose)) {
            return Ok(fitting);
        }
        let arrived = Instant::now();
        // One asks, the others wait for the answer.
        let mut on_demand = self.on_demand.lock().await;
        if let Some(known) = self.known_since(arrived, jose) {
            return known;
        }
        let failed_meanwhile = on_demand.failed_at.is_some_and(|at| at >= arrived);
        if !failed_meanwhile && on_demand.may_ask(self.policy.refetch_every) {
            if self.fetch().await.is_err() {
                on_demand.failed_at = Some(Instant::now());
            } else if let Some(known) = self.known_since(arrived, jose) {
                return known;
            }
        }
        Err(KeyError::Unavailable {
            retry_after: on_demand.next_in(self.policy.refetch_every),
        })
    }

    /// The keys, or that there is none when the issuer has said so since then; nothing when that is not known.
    fn known_since(&self, arrived: Instant, jose: &Jose) -> Option<Result<Fitting, KeyError>> {
        let fetched = self.usable()?;
        match fetched.fitting(jose) {
            Some(fitting) => Some(Ok(fitting)),
            None => (fetched.at >= arrived).then_some(Err(KeyError::Unknown)),
        }
    }

    /// Whether tokens can be verified.
    pub(super) fn ready(&self) -> bool {
        self.usable().is_some()
    }

    /// Asks the issuer now: how many keys it publishes that can be used.
    pub(super) async fn ask(&self) -> Result<usize, AuthError> {
        self.fetch().await.map_err(|e| AuthError::Fetch(e.to_string()))?;
        Ok(self.usable().map_or(0, |fetched| fetched.keys.len()))
    }

    /// Fetches the keys now and again, until the shutdown.
    pub(super) async fn keep_fresh(&self, shutdown: &CancellationToken) {
        let mut retry = FIRST_RETRY;
        loop {
            let wait = if self.fetch().await.is_ok() {
                retry = FIRST_RETRY;
                self.policy.refresh
            } else {
                let wait = retry.min(self.policy.refresh);
                retry = (retry * 2).min(LONGEST_RETRY);
                wait
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn fetch(&self) -> Result<(), FetchError> {
        let fetched = self.source.fetch().await;
        match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "the issuer's keys are fetched");
                for Unused { key_id, reason } in self.newly_unused(&keys) {
                    tracing::warn!(kid = key_id, reason, "a key of the issuer is not used");
                }
                let fetched = Fetched {
                    keys,
                    at: Instant::now(),
                };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fetched));
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "the issuer's keys cannot be fetched; those at hand stay in use");
                Err(error)
            }
        }
    }

    /// Keys that cannot be used and were not named yet. A token that is signed with one of them is refused, and its
    /// holder cannot see why.
    fn newly_unused(&self, keys: &KeySet) -> Vec<Unused> {
        let unused: HashSet<Unused> = keys.unused.iter().cloned().collect();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let new = unused.difference(&named).cloned().collect();
        *named = unused;
        new
    }

    fn usable(&self) -> Option<Arc<Fetched>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .filter(|fetched| fetched.at.elapsed() <= self.policy.max_age)
            .map(Arc::clone)
    }
}

impl Fetched {
    /// When there is one at least.
    fn fitting(&self, jose: &Jose) -> Option<Fitting> {
        Some(self.keys.find(jose)).filter(|fitting| !fitting.keys.is_empty())
    }
}

impl OnDemand {
    fn may_ask(&mut self, every: Duration) -> bool {
        let now = Instant::now();
        while self.allowed < BURST && now - self.counted_from >= every {
            self.allowed += 1;
            self.counted_from += every.max(Duration::from_millis(1));
        }
        if self.allowed == BURST {
            self.counted_from = now;
        }
        let may = self.allowed > 0;
        self.allowed = self.allowed.saturating_sub(1);
        may
    }

    /// How long until it may be asked again.
    fn next_in(&self, every: Duration) -> Duration {
        if self.allowed > 0 {
            Duration::ZERO
        } else {
            every.saturating_sub(self.counted_from.elapsed())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::{BURST, KeyPolicy, KeySet, Keys, OnDemand};
    use crate::base64url;
    use crate::options::OidcOptions;
    use crate::source::KeySource;

    #[test]
    fn a_key_that_cannot_be_used_is_named_once_for_as_long_as_it_is_published() {
        let options = OidcOptions::new("https://issuer.example", vec!["api://nsc".to_owned()]);
        let policy = KeyPolicy {
            refresh: options.refresh,
            refetch_every: options.refetch_every,
            max_age: options.max_key_age,
        };
        let keys = Keys::new(KeySource::new(&options, false).expect("a source"), policy);
        let half = base64url::encode(&[7; 32]);
        let key = |id: &str, usage: &str| json!({"kty": "EC", "crv": "P-256", "kid": id, "use": usage, "x": half, "y": half});
        let published = |ids: &[&str]| {
            let unused = ids.iter().map(|id| key(id, "enc"));
            let all: Vec<_> = unused.chain([key("used", "sig")]).collect();
            KeySet::parse(json!({ "keys": all }).to_string().as_bytes()).expect("one is of use")
        };
        let named = |ids: &[&str]| {
            let new = keys.newly_unused(&published(ids));
            new.into_iter().map(|unused| unused.key_id).collect::<Vec<_>>()
        };
        assert_eq!(named(&["a"]), ["a"]);
        assert_eq!(named(&["a"]), [] as [&str; 0]);
        assert_eq!(named(&["a", "b"]), ["b"]);
        assert_eq!(named(&[]), [] as [&str; 0]);
        assert_eq!(named(&["a"]), ["a"]);
    }

    #[test]
    fn a_few_unknown_keys_are_asked_for_at_once_and_then_one_a_while() {
        let every = Duration::from_secs(10);
        let mut on_demand = OnDemand {
            allowed: BURST,
            counted_from: Instant::now(),
            failed_at: None,
        };
        assert_eq!(on_demand.next_in(every), Duration::ZERO);
        let mut asked = || (0..5).filter(|_| on_demand.may_ask(every)).count();
        assert_eq!(asked(), BURST as usize);
        assert_eq!(asked(), 0);
        on_demand.counted_from -= Duration::from_secs(4);
        let wait = on_demand.next_in(every).as_secs_f64();
        assert!((5.0..=6.0).contains(&wait), "{wait}");
        on_demand.counted_from -= Duration::from_secs(7);
        let mut asked = || (0..5).filter(|_| on_demand.may_ask(every)).count();
        assert_eq!(asked(), 1);
        on_demand.counted_from -= Duration::from_secs(1_000);
        let mut asked = || (0..5).filter(|_| on_demand.may_ask(every)).count();
        assert_eq!(asked(), BURST as usize);
    }
}
