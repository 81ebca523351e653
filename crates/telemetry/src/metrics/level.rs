//! A value that goes up and down, and away: what a gauge of a partition must do when the partition moves to
//! another member of the group. (A gauge of the library keeps its last value for ever.)

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// The labels of one series, in a fixed order.
type Labels = Vec<(&'static str, String)>;

/// The current values of one gauge, read whenever somebody asks for the metrics.
#[derive(Clone)]
pub(super) struct Level {
    values: Arc<Mutex<BTreeMap<Labels, f64>>>,
}

impl Level {
    pub(super) fn new(meter: &Meter, name: &'static str, description: &'static str) -> Self {
        let values = Arc::<Mutex<BTreeMap<Labels, f64>>>::default();
        let read = Arc::clone(&values);
        // The handle may be dropped: the provider keeps the callback.
        let _gauge = meter
            .f64_observable_gauge(name)
            .with_description(description)
            .with_callback(move |observer| {
                let values = read.lock().unwrap_or_else(PoisonError::into_inner);
                for (labels, value) in values.iter() {
                    let labels: Vec<KeyValue> = labels
                        .iter()
                        .map(|(name, label)| KeyValue::new(*name, label.clone()))
                        .collect();
                    observer.observe(*value, &labels);
                }
            })
            .build();
        Self { values }
    }

    pub(super) fn set<const N: usize>(&self, labels: [(&'static str, &str); N], value: f64) {
        let labels = labels.map(|(name, label)| (name, label.to_owned())).to_vec();
        self.values
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(labels, value);
    }

    pub(super) fn forget<const N: usize>(&self, labels: [(&'static str, &str); N]) {
        let labels = labels.map(|(name, label)| (name, label.to_owned())).to_vec();
        self.values
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&labels);
    }
}
