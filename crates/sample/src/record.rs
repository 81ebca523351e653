//! A JSON object with its fields in order and its values as text: for the lines that are unusual.

#[derive(Clone)]
enum Value {
    /// A JSON string; escaped when written.
    Text(String),
    /// Any other JSON, as its own text: `null`, `true`, `1234.50`, `{"cc":"KR"}`.
    Raw(String),
}

/// One line in the making.
#[derive(Clone, Default)]
pub(crate) struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// Sets a string field, in its old place when it has one.
    pub(crate) fn text(&mut self, field: &'static str, text: impl Into<String>) {
        self.set(field, Value::Text(text.into()));
    }

    /// Sets a field to a piece of JSON, in its old place when it has one.
    pub(crate) fn raw(&mut self, field: &'static str, json: impl Into<String>) {
        self.set(field, Value::Raw(json.into()));
    }

    pub(crate) fn remove(&mut self, field: &str) {
        self.0.retain(|(name, _)| *name != field);
    }

    /// Takes over every field of `other`.
    pub(crate) fn extend(&mut self, other: Self) {
        for (field, value) in other.0 {
            self.set(field, value);
        }
    }

    fn set(&mut self, field: &'static str, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some(slot) => slot.1 = value,
            None => self.0.push((field, value)),
        }
    }

    /// The object as one line of JSON.
    pub(crate) fn json(&self) -> String {
        self.render(push_string)
    }

    /// The same with every character outside ASCII escaped as `\uXXXX`.
    pub(crate) fn ascii_json(&self) -> String {
        self.render(push_ascii_string)
    }

    fn render(&self, push: impl Fn(&mut String, &str)) -> String {
        let mut out = String::with_capacity(400);
        out.push('{');
        for (i, (field, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            push(&mut out, field);
            out.push(':');
            match value {
                Value::Text(text) => push(&mut out, text),
                Value::Raw(json) => out.push_str(json),
            }
        }
        out.push('}');
        out
    }
}

/// The world's words hold no control characters, so quotes and backslashes are all there is to escape.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn push_ascii_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if character.is_ascii() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let mut record = Record::default();
        record.text("id", "a\"b");
        record.raw("amount", "1.50");
        record.text("메모", "급여");
        record
    }

    #[test]
    fn fields_keep_their_place() {
        let mut record = sample();
        record.text("amount", "2");
        assert_eq!(record.json(), r#"{"id":"a\"b","amount":"2","메모":"급여"}"#);
        record.remove("amount");
        record.raw("amount", "null");
        assert_eq!(record.json(), r#"{"id":"a\"b","메모":"급여","amount":null}"#);
    }

    #[test]
    fn ascii_means_the_same() {
        let ascii = sample().ascii_json();
        assert!(ascii.is_ascii());
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parse(&ascii), parse(&sample().json()));
    }
}
