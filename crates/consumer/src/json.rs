//! Reads the members of one JSON object, strictly (RFC 8259): numbers keep their digits, strings are unescaped, what
//! nests is checked and left out. Nothing is built, so that a message costs one pass over its bytes.

use std::borrow::Cow;

use nsc_contracts::event::JsonValue;

mod text;

#[cfg(test)]
mod tests;

/// Arrays and objects inside each other, at most.
const MAX_DEPTH: usize = 128;

/// Why a text is not one JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON.
    Malformed {
        /// Byte it was noticed at, from 0.
        at: usize,
        /// What was expected there, or is not allowed.
        what: &'static str,
    },
    /// Another JSON value.
    NotAnObject(&'static str),
}

/// Gives each member of the object to `member`, in order; of a repeated key each.
///
/// # Errors
/// When the text is not one JSON object with nothing behind it. Members before the error were given.
pub(crate) fn read_object<'a>(
    text: &'a str,
    mut member: impl FnMut(&str, JsonValue<'a>),
) -> Result<(), JsonError> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_blank();
    if cursor.peek() == Some(b'{') {
        cursor.object(1, &mut |key, value| member(key, value))?;
        return cursor.end();
    }
    let value = cursor.value(0)?;
    cursor.end()?;
    Err(JsonError::NotAnObject(value.type_name()))
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

type Member<'m, 'a> = &'m mut dyn FnMut(&str, JsonValue<'a>);

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn malformed<T>(&self, what: &'static str) -> Result<T, JsonError> {
        Err(JsonError::Malformed { at: self.at, what })
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes one byte that must come next.
    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.malformed(what)
        }
    }

    fn end(&mut self) -> Result<(), JsonError> {
        self.skip_blank();
        if self.peek().is_none() {
            Ok(())
        } else {
            self.malformed("something follows the value")
        }
    }

    /// Any value; `depth` is that of what it stands in.
    fn value(&mut self, depth: usize) -> Result<JsonValue<'a>, JsonError> {
        self.skip_blank();
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                Ok(text.map_or(JsonValue::HalfCharacter, JsonValue::Text))
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(JsonValue::Number),
            Some(b'{') => {
                self.object(depth + 1, &mut |_, _| {})?;
                Ok(JsonValue::Object)
            }
            Some(b'[') => {
                self.array(depth + 1)?;
                Ok(JsonValue::Array)
            }
            Some(b't') => self.word("true", JsonValue::Bool(true)),
            Some(b'f') => self.word("false", JsonValue::Bool(false)),
            Some(b'n') => self.word("null", JsonValue::Null),
            None => self.malformed("it ends where a value should be"),
            Some(_) => self.malformed("a value is expected"),
        }
    }

    fn word(&mut self, word: &'static str, value: JsonValue<'a>) -> Result<JsonValue<'a>, JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.malformed("a value is expected")
        }
    }

    fn object(&mut self, depth: usize, member: Member<'_, 'a>) -> Result<(), JsonError> {
        self.open(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_blank();
            if self.peek() != Some(b'"') {
                return self.malformed("a key is expected");
            }
            let key = self.string()?;
            self.skip_blank();
            self.expect(b':', "a colon is expected")?;
            let value = self.value(depth)?;
            // A key that no text can be is none that matters.
            if let Some(key) = key {
                member(&key, value);
            }
            if self.closes(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.closes(b']')? {
                return Ok(());
            }
        }
    }

    /// Takes the opening bracket and the blanks behind it.
    fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return self.malformed("it nests too deeply");
        }
        self.at += 1;
        self.skip_blank();
        Ok(())
    }

    /// Behind an element: true at the closing bracket, false at a comma.
    fn closes(&mut self, bracket: u8) -> Result<bool, JsonError> {
        self.skip_blank();
        match self.peek() {
            Some(b) if b == bracket => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            None => self.malformed("it ends too early"),
            Some(_) => self.malformed("a comma or the end is expected"),
        }
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits("digits are expected")?,
            _ => return self.malformed("digits are expected"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("digits are expected behind the point")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("digits are expected in the exponent")?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn digits(&mut self, what: &'static str) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return self.malformed(what);
        }
        Ok(())
    }

    /// None for one that holds half a surrogate pair.
    fn string(&mut self) -> Result<Option<Cow<'a, str>>, JsonError> {
        let text::Read { text, end } = text::read(self.text, self.at)?;
        self.at = end;
        Ok(text)
    }
}
