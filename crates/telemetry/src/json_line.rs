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
