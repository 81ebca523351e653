//! What a file is that is not lines of JSON, as far as its start tells. Each line of it would become a dead letter, and
//! nobody would be helped by any of them.

use nsc_contracts::event::FieldNames;

/// Another form than lines of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherForm {
    /// For a sentence that begins with "it is": `compressed with gzip`.
    pub what: &'static str,
    /// What to do with it.
    pub remedy: &'static str,
    /// Text after all, in lines of something else.
    pub is_text: bool,
}

const TO_UTF8: &str = "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE | nsc backfill --ledger-file - (PowerShell: Out-File -Encoding utf8)";
const UNPACK: &str = "decompress it on the way: zcat FILE | nsc backfill --ledger-file - (zstdcat, xzcat, bzcat, lz4cat, unzip -p)";
const EXPORT: &str = "export it as one JSON object a line";

/// How files begin, what they are, and what to do with them. Longer beginnings stand before those they begin with.
const BEGINNINGS: [(&[u8], &str, &str); 16] = [
    (b"\x1f\x8b", "compressed with gzip", UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", UNPACK),
    (b"\xfd7zXZ\0", "compressed with xz", UNPACK),
    (b"BZh", "compressed with bzip2", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", UNPACK),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook)", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "compressed with snappy", UNPACK),
    (b"PAR1", "Parquet", EXPORT),
    (b"Obj\x01", "Avro", EXPORT),
    (b"\xff\xfe\0\0", "UTF-32", TO_UTF8),
    (b"\0\0\xfe\xff", "UTF-32", TO_UTF8),
    (b"\xff\xfe", "UTF-16", TO_UTF8),
    (b"\xfe\xff", "UTF-16", TO_UTF8),
    (b"{\0", "UTF-16 without a byte order mark", TO_UTF8),
    (b"\0{", "UTF-16 without a byte order mark", TO_UTF8),
];

/// The form of a file that begins with these bytes, unless it may be lines of JSON.
pub(crate) fn other_form(start: &[u8], names: &FieldNames) -> Option<OtherForm> {
    if let Some((_, what, remedy)) = BEGINNINGS.iter().find(|(bytes, ..)| start.starts_with(bytes)) {
        return Some(OtherForm {
            what,
            remedy,
            is_text: false,
        });
    }
    let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    let text = text.trim_ascii_start();
    let line = text
        .split(|b| *b == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let (what, remedy) = match text.first()? {
        b'[' => (
            "one JSON array",
            "write one object a line: jq -c '.[]' FILE | nsc backfill --ledger-file -",
        ),
        b'{' if line == b"{" && text.len() > line.len() => (
            "JSON over several lines",
            "write one object a line: jq -c . FILE | nsc backfill --ledger-file -",
        ),
        b'<' => ("XML or HTML", EXPORT),
        b'{' => return None,
        _ if is_header(line, names) => (
            "CSV",
            "export it as one JSON object a line, with the names of the header as keys",
        ),
        _ => return None,
    };
    Some(OtherForm {
        what,
        remedy,
        is_text: true,
    })
}

/// Names of fields beside each other, whatever stands between them.
fn is_header(line: &[u8], names: &FieldNames) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    [',', ';', '\t', '|'].into_iter().any(|separator| {
        let cells = line.split(separator).map(|cell| cell.trim().trim_matches('"'));
        line.contains(separator) && cells.into_iter().any(|cell| names.slot(cell).is_some())
    })
}

#[cfg(test)]
mod tests {
    use nsc_contracts::event::{EventKind, EventProfile, ProfileOverrides};

    use super::other_form;

    fn what(start: &[u8]) -> Option<&'static str> {
        let profile = EventProfile::named("canonical-v1", &ProfileOverrides::default()).expect("shipped");
        other_form(start, profile.aliases().of(EventKind::LedgerEntry)).map(|form| form.what)
    }

    #[test]
    fn what_is_not_lines_of_json_is_named_by_its_start() {
        let utf16 =
            |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<_>>();
        let line = "{\"tx_id\":\"t\"}\r\n";
        let cases: [(Vec<u8>, &str); 14] = [
            (b"\xfd7zXZ\0\0\x04".to_vec(), "compressed with xz"),
            (b"BZh91AY".to_vec(), "compressed with bzip2"),
            (b"PK\x03\x04\x14".to_vec(), "a zip archive (or an Excel workbook)"),
            (b"PAR1\x15".to_vec(), "Parquet"),
            (utf16(&format!("\u{feff}{line}"), u16::to_le_bytes), "UTF-16"),
            (utf16(&format!("\u{feff}{line}"), u16::to_be_bytes), "UTF-16"),
            (utf16(line, u16::to_le_bytes), "UTF-16 without a byte order mark"),
            (utf16(line, u16::to_be_bytes), "UTF-16 without a byte order mark"),
            (b"tx_id,wallet_id,type\nt,w,CHARGE\n".to_vec(), "CSV"),
            ("\u{feff}\"wallet_id\";\"amount\"\r\n".into(), "CSV"),
            (b"id\ttx_id\n".to_vec(), "CSV"),
            (b"\n [\n  {\"tx_id\":1}\n]".to_vec(), "one JSON array"),
            (b"{\n  \"tx_id\": 1\n}\n".to_vec(), "JSON over several lines"),
            (b"<?xml version=\"1.0\"?>".to_vec(), "XML or HTML"),
        ];
        for (start, wanted) in cases {
            assert_eq!(what(&start), Some(wanted), "{start:?}");
        }
    }

    #[test]
    fn what_may_be_lines_of_json_is_read() {
        for start in [
            "",
            "\n\n",
            "{",
            "{}\n",
            "\u{feff}{\"tx_id\":1}\n",
            "not json\n{}\n",
            "a, b and c\n{}\n",
            "# tx_id, as exported\n",
        ] {
            assert_eq!(what(start.as_bytes()), None, "{start:?}");
        }
    }
}
