//! The lag, from the statistics the library emits anyway: no question to a broker.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What of the statistics is of interest.
#[derive(Debug, Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: BTreeMap<i32, PartitionStatistics>,
}

/// Offsets are negative where they are not known.
#[derive(Debug, Deserialize)]
struct PartitionStatistics {
    lo_offset: i64,
    hi_offset: i64,
    stored_offset: i64,
    committed_offset: i64,
    /// What is fetched next.
    #[serde(default = "unknown")]
    next_offset: i64,
    /// Behind the last message that was handed out.
    #[serde(default = "unknown")]
    app_offset: i64,
    /// Fetched and not handed out yet.
    #[serde(default)]
    fetchq_cnt: u64,
}

const fn unknown() -> i64 {
    -1001
}

/// Topic, partition, messages that are not finished yet.
pub type Lag = (String, i32, u64);

/// The lag of every partition whose end is known.
///
/// # Errors
/// When these are no statistics of librdkafka.
pub fn lags(json: &[u8]) -> Result<Vec<Lag>, serde_json::Error> {
    let statistics: Statistics = serde_json::from_slice(json)?;
    let mut lags = Vec::new();
    for (name, topic) in statistics.topics {
        for (partition, known) in topic.partitions {
            // The library keeps a pseudo partition -1.
            if partition >= 0
                && let Some(lag) = known.lag()
            {
                lags.push((name.clone(), partition, lag));
            }
        }
    }
    Ok(lags)
}

impl PartitionStatistics {
    fn lag(&self) -> Option<u64> {
        let end = u64::try_from(self.hi_offset).ok()?;
        let finished = self.stored_offset.max(self.committed_offset);
        // What is left of the offsets are no messages: the marks of transactions, or what was taken out of a compacted topic.
        let is_all_fetched = self.next_offset >= self.hi_offset && self.fetchq_cnt == 0;
        if is_all_fetched && finished >= self.app_offset {
            return Some(0);
        }
        // Nothing is finished yet: everything that is there is waiting.
        let from = if finished >= 0 {
            finished
        } else {
            self.lo_offset.max(0)
        };
        Some(end.saturating_sub(u64::try_from(from).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::lags;

    #[test]
    fn the_lag_is_what_is_not_finished() {
        let json = r#"{"name":"c","topics":{"t":{"topic":"t","partitions":{
            "0":{"partition":0,"lo_offset":0,"hi_offset":10,"stored_offset":7,"committed_offset":4,"x":1},
            "1":{"partition":1,"lo_offset":3,"hi_offset":10,"stored_offset":-1001,"committed_offset":-1001},
            "2":{"partition":2,"lo_offset":-1001,"hi_offset":-1001,"stored_offset":5,"committed_offset":5},
            "3":{"partition":3,"lo_offset":0,"hi_offset":10,"stored_offset":12,"committed_offset":-1001},
            "4":{"partition":4,"lo_offset":0,"hi_offset":10,"stored_offset":8,"committed_offset":8,"next_offset":10,
                "app_offset":8,"fetchq_cnt":0},
            "5":{"partition":5,"lo_offset":0,"hi_offset":10,"stored_offset":8,"committed_offset":8,"next_offset":10,
                "app_offset":9,"fetchq_cnt":0},
            "6":{"partition":6,"lo_offset":0,"hi_offset":10,"stored_offset":8,"committed_offset":8,"next_offset":10,
                "app_offset":8,"fetchq_cnt":1},
            "7":{"partition":7,"lo_offset":0,"hi_offset":10,"stored_offset":-1001,"committed_offset":9,"next_offset":10,
                "app_offset":-1001,"fetchq_cnt":0},
            "-1":{"partition":-1,"lo_offset":-1001,"hi_offset":0,"stored_offset":-1001,"committed_offset":-1001}
        }}}}"#;
        let t = |partition, lag| ("t".to_owned(), partition, lag);
        assert_eq!(
            lags(json.as_bytes()).ok(),
            Some(vec![
                t(0, 3),
                t(1, 7),
                t(3, 0),
                t(4, 0),
                t(5, 2),
                t(6, 2),
                t(7, 0)
            ])
        );
        assert!(lags(b"{}").is_ok_and(|l| l.is_empty()));
        assert!(lags(b"no").is_err());
    }
}
