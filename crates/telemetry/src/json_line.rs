//! One log event as one JSON object on one line, with the fields of every span it happened in.

use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Flat: `correlation_id` of the span that a request or an event is handled in stands beside `message`, where a
/// log search finds it. The library's own JSON puts it two levels down, in a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        // from the outermost span inwards, then the event: the nearest has the last word
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(written) = span.extensions().get::<FormattedFields<JsonFields>>() {
                add(&mut fields, &written.fields);
            }
        }
        let mut own = String::new();
        JsonFields::new().format_fields(Writer::new(&mut own), event)?;
        add(&mut fields, &own);

        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let line = line(&time, event, &fields).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn add(fields: &mut Map<String, Value>, object: &str) {
    if let Ok(more) = serde_json::from_str::<Map<String, Value>>(object) {
        fields.extend(more);
    }
}

/// What every line has comes first; a field of the same name is left out rather than written twice.
fn line(time: &str, event: &Event<'_>, fields: &Map<String, Value>) -> serde_json::Result<String> {
    let mut written = Vec::new();
    let mut json = serde_json::Serializer::new(&mut written);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", time)?;
    map.serialize_entry("level", event.metadata().level().as_str())?;
    map.serialize_entry("target", event.metadata().target())?;
    if let Some(message) = fields.get("message") {
        map.serialize_entry("message", message)?;
    }
    for (name, value) in fields {
        if !matches!(name.as_str(), "timestamp" | "level" | "target" | "message") {
            map.serialize_entry(name, value)?;
        }
    }
    SerializeMap::end(map)?;
    String::from_utf8(written).map_err(serde::ser::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use serde_json::{Value, json};
    use tracing_subscriber::fmt::format::JsonFields;

    use super::JsonLine;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `say` logs, as [`crate::init_with_writer`] writes them.
    fn logged(say: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine)
            .finish();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }

    #[test]
    fn a_line_carries_the_correlation_id_of_the_span_it_is_in() {
        let lines = logged(|| {
            tracing::info!("before");
            let request = tracing::info_span!("request", correlation_id = "c-1", route = "/admin/tx/{tx_id}");
            request.in_scope(|| {
                tracing::info!(status = 200, "answered");
                tracing::info_span!("query", query = "tx_lookup").in_scope(|| tracing::warn!("slow"));
            });
        });
        assert_eq!(lines[0]["message"], "before");
        assert_eq!(lines[0].get("correlation_id"), None);
        assert_eq!(lines[1]["correlation_id"], "c-1");
        assert_eq!(lines[1]["route"], "/admin/tx/{tx_id}");
        assert_eq!(lines[1]["status"], 200);
        assert_eq!(lines[2]["correlation_id"], "c-1");
        assert_eq!(lines[2]["query"], "tx_lookup");
        assert_eq!(lines[2]["level"], "WARN");
    }

    #[test]
    fn a_field_that_the_span_learns_later_is_written_too() {
        let lines = logged(|| {
            let span = tracing::info_span!("event", correlation_id = tracing::field::Empty);
            span.record("correlation_id", "late");
            span.in_scope(|| tracing::info!("stored"));
        });
        assert_eq!(lines[0]["correlation_id"], "late");
    }

    #[test]
    fn the_nearest_has_the_last_word() {
        let lines = logged(|| {
            let outer = tracing::info_span!("outer", correlation_id = "outer", n = 1);
            let _outer = outer.enter();
            let inner = tracing::info_span!("inner", correlation_id = "inner");
            let _inner = inner.enter();
            tracing::info!(n = 2, "said");
        });
        assert_eq!(lines[0]["correlation_id"], "inner");
        assert_eq!(lines[0]["n"], 2);
    }

    #[test]
    fn a_line_begins_with_what_every_line_has_and_names_nothing_twice() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "nsc", level = "mine", text = "a \"quoted\"\nline", "hello");
        });
        let line = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(line.starts_with("{\"timestamp\":\"2"), "{line}");
        let rest = &line[line.find("\"level\"").unwrap()..];
        assert_eq!(
            rest,
            "\"level\":\"INFO\",\"target\":\"nsc\",\"message\":\"hello\",\"text\":\"a \\\"quoted\\\"\\nline\"}\n"
        );
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(json!(line.matches("\"level\"").count()), 1);
    }
}
