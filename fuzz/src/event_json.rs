//! An event written out as a message under the canonical names.

use nsc_contracts::event::Event;
use nsc_core::{Money, UtcMicros};

use crate::prints_readably;

/// The message; `None` when one of its times has no text that can be read.
pub(crate) fn written(event: &Event) -> Option<String> {
    let mut message = Message(String::from("{"));
    match event {
        Event::LedgerEntry(e) => {
            message.text("tx_id", Some(&e.tx_id));
            message.text("wallet_id", Some(&e.wallet_id));
            message.text("entry_type", Some(&e.entry_type));
            message.amount_as_number("amount", e.amount);
            message.amount_as_text("amount_signed", e.amount_signed);
            message.text("related_id", e.related_id.as_deref());
            message.text("related_type", e.related_type.as_deref());
            message.time("event_time", Some(e.event_time))?;
            message.time("created_at", e.created_at)?;
            message.time("updated_at", e.updated_at)?;
            message.version(e.source_version);
        }
        Event::PaymentOrder(o) => {
            message.text("order_id", Some(&o.order_id));
            message.text("user_id", o.user_id.as_deref());
            message.text("merchant_name", o.merchant_name.as_deref());
            message.amount_as_text("amount", Some(o.amount));
            message.text("status", Some(&o.status));
            message.time("created_at", Some(o.created_at))?;
            message.time("updated_at", o.updated_at)?;
            message.version(o.source_version);
        }
    }
    message.0.push('}');
    Some(message.0)
}

struct Message(String);

impl Message {
    fn raw(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":{value}"));
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(text) = value {
            self.raw(name, &serde_json::Value::from(text).to_string());
        }
    }

    fn amount_as_number(&mut self, name: &str, value: Money) {
        self.raw(name, &value.to_string());
    }

    fn amount_as_text(&mut self, name: &str, value: Option<Money>) {
        self.text(name, value.map(|m| m.to_string()).as_deref());
    }

    fn time(&mut self, name: &str, value: Option<UtcMicros>) -> Option<()> {
        if value.is_some_and(|t| !prints_readably(t)) {
            return None;
        }
        self.text(name, value.map(|t| t.to_string()).as_deref());
        Some(())
    }

    fn version(&mut self, value: Option<i64>) {
        if let Some(version) = value {
            self.raw("source_version", &version.to_string());
        }
    }
}
