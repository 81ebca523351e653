//! What stands in the log, and what must not.
//! Holds serving contract 7.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use nsc_telemetry::{LogFormat, LogOptions};
use serde_json::Value;

use crate::http::Request;
use crate::world::World;

/// What the whole test process logs: there is one log in a process.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_has_the_ids_of_its_request_and_nothing_that_is_somebodys() {
    let kept = Kept::default();
    let options = LogOptions {
        format: LogFormat::Json,
        filter: "debug".to_owned(),
        color: false,
    };
    let writer = kept.clone();
    nsc_telemetry::init_with_writer(&options, move || writer.clone()).expect("no other test keeps the log");
    let world = World::start().await;
    let forged = world.issuer.token().claim("aud", "api://other").mint();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let target = format!("/admin/tx/somebodys-id?access_token={forged}");
    for (token, id) in [(world.token(), "logged-good"), (forged.as_str(), "logged-forged")] {
        let request = Request::get(&target).bearer(token);
        world
            .send(
                &request
                    .header("x-correlation-id", id)
                    .header("traceparent", trace),
            )
            .await;
    }
    let text = String::from_utf8_lossy(&kept.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    for (id, status) in [("logged-good", 400), ("logged-forged", 401)] {
        let line = lines
            .iter()
            .find(|line| line["correlation_id"] == id && line["message"] == "answered")
            .unwrap_or_else(|| panic!("no line of {id}"));
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c", "{line}");
        assert_eq!(
            (&line["route"], &line["status"]),
            (&"/admin/tx/{tx_id}".into(), &status.into())
        );
    }
    for secret in [world.token(), &forged, "somebodys-id"] {
        let found = text.lines().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
}
